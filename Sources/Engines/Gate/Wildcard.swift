// Patterns with `*` (any characters) and `?` (exactly one), as in the conditions of listener rules.
import HTTPWire

/// A compiled pattern.
struct Wildcard: Sendable {
  let pattern: [UInt8]
  let ignoresCase: Bool
  /// The characters before the first wildcard.
  let literalPrefixCount: Int

  init(_ text: String, ignoresCase: Bool) {
    pattern = text.utf8.map { ignoresCase ? Token.lowercased($0) : $0 }
    self.ignoresCase = ignoresCase
    literalPrefixCount = pattern.firstIndex { $0 == 0x2A || $0 == 0x3F } ?? pattern.count
  }

  var isLiteral: Bool { literalPrefixCount == pattern.count }

  /// Backtracks to the last `*` only, so the time is at most the product of the lengths.
  func matches(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    pattern.withUnsafeBufferPointer { pattern in
      var position = 0
      var index = 0
      var star = -1
      var resume = 0
      while position < count {
        let byte = ignoresCase ? Token.lowercased(bytes[position]) : bytes[position]
        if index < pattern.count, pattern[index] == 0x2A {
          star = index
          resume = position
          index += 1
        } else if index < pattern.count, pattern[index] == 0x3F || pattern[index] == byte {
          index += 1
          position += 1
        } else if star >= 0 {
          resume += 1
          position = resume
          index = star + 1
        } else {
          return false
        }
      }
      while index < pattern.count, pattern[index] == 0x2A { index += 1 }
      return index == pattern.count
    }
  }
}
