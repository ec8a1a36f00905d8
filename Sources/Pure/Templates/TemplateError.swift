// What is wrong with a template, in CloudFormation's own words, and where.

/// A place in a template's text. Lines and columns count from 1; columns count Unicode scalars.
public struct SourceLocation: Sendable, Hashable, CustomStringConvertible {
  public let line: Int
  public let column: Int

  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  public var description: String { "line \(line), column \(column)" }
}

/// A fault in a template or in the parameter values given to it. CloudFormation reports all of these with the error
/// code `ValidationError` and HTTP status 400; `message` is the text of that error.
public struct TemplateError: Error, Sendable, Hashable, CustomStringConvertible {
  public let message: String
  /// Where in the text, when the fault has a place. Not part of `message`, so that the message equals AWS's.
  public let location: SourceLocation?

  public init(_ message: String, at location: SourceLocation? = nil) {
    self.message = message
    self.location = location
  }

  public var description: String {
    guard let location else { return message }
    return "\(message) (\(location))"
  }

  static func format(_ text: String, at location: SourceLocation? = nil) -> TemplateError {
    TemplateError("Template format error: " + text, at: location)
  }

  static func template(_ text: String, at location: SourceLocation? = nil) -> TemplateError {
    TemplateError("Template error: " + text, at: location)
  }

  static func validation(_ text: String, at location: SourceLocation? = nil) -> TemplateError {
    TemplateError("Template validation error: " + text, at: location)
  }
}
