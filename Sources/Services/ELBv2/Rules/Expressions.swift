// Regular expressions of conditions and rewrites, as far as they can be judged before the Gate compiles them.

import AWSCore

enum Expressions {
  /// - Throws: `ValidationError` for an expression whose brackets do not fit.
  static func check(_ text: String) throws {
    guard !text.isEmpty, isBalanced(text) else {
      throw ELBv2Error.validation("'\(text)' is not a valid regular expression")
    }
  }

  private static func isBalanced(_ text: String) -> Bool {
    var depth = 0
    var isSet = false
    var isEscaped = false
    for byte in text.utf8 {
      if isEscaped {
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if isSet {
        isSet = byte != UInt8(ascii: "]")
      } else if byte == UInt8(ascii: "[") {
        isSet = true
      } else if byte == UInt8(ascii: "(") {
        depth += 1
      } else if byte == UInt8(ascii: ")") {
        depth -= 1
        if depth < 0 { return false }
      }
    }
    return depth == 0 && !isSet && !isEscaped
  }
}
