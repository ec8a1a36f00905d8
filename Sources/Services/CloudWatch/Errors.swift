// CloudWatch's errors, in AWS's words.

import AWSCore

/// The errors that CloudWatch answers.
enum CloudWatchError {
  static func invalidValue(_ message: String) -> AWSError { AWSError("InvalidParameterValue", message) }
  static func invalidCombination(_ message: String) -> AWSError { AWSError("InvalidParameterCombination", message) }
  static func missing(_ message: String) -> AWSError { AWSError("MissingParameter", message) }
  static func validation(_ message: String) -> AWSError { AWSError("ValidationError", message) }
  static func limitExceeded(_ message: String) -> AWSError { AWSError("LimitExceeded", message) }
  static var invalidToken: AWSError { AWSError("InvalidNextToken", "The next token specified is invalid.") }
  static func alarmNotFound(_ names: [String]) -> AWSError {
    AWSError("ResourceNotFound", "The alarm \(names.joined(separator: ", ")) does not exist", status: 404)
  }
  static func resourceNotFound(_ arn: String) -> AWSError {
    AWSError("ResourceNotFoundException", "The resource \(arn) does not exist", status: 404)
  }
}
