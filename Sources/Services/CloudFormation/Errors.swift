// CloudFormation's errors.

import AWSCore
import Templates

enum CFNError {
  static func noStack(_ name: String) -> AWSError {
    AWSError("ValidationError", "Stack with id \(name) does not exist")
  }
  static func noStackName(_ name: String) -> AWSError {
    AWSError("ValidationError", "Stack [\(name)] does not exist")
  }
  static func validation(_ message: String) -> AWSError { AWSError("ValidationError", message) }
  static func exists(_ name: String) -> AWSError {
    AWSError("AlreadyExistsException", "Stack [\(name)] already exists")
  }
  static func noChangeSet(_ name: String) -> AWSError {
    AWSError("ChangeSetNotFound", "ChangeSet [\(name)] does not exist", status: 404)
  }
  static func insufficient(_ capability: String) -> AWSError {
    AWSError("InsufficientCapabilitiesException", "Requires capabilities : [\(capability)]")
  }
  static let noUpdates = validation("No updates are to be performed.")
}

extension TemplateError {
  /// As CloudFormation answers it; the place in the text goes with it.
  var awsError: AWSError {
    CFNError.validation(location.map { "\(message) (\($0))" } ?? message)
  }
}
