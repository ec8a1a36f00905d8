// Regular expressions of conditions and rewrites: judged by the parser that the Gate matches them with.

import AWSCore
import ByteRegex

enum Expressions {
  /// What passes here the Gate compiles: one pattern it refused would hold up the configuration of all load balancers.
  /// - Throws: `ValidationError` for an expression that the Gate cannot match.
  static func check(_ text: String) throws {
    guard !text.isEmpty else { throw ELBv2Error.validation("A regular expression cannot be empty") }
    if case .failure(let problem) = Result(catching: { () throws(RegexError) in try ByteRegex(text) }) {
      throw ELBv2Error.validation("'\(text)' is not a valid regular expression: \(problem)")
    }
  }
}
