// CloudWatch Logs' errors, in AWS's words.

import AWSCore
import LogStore

/// The errors that CloudWatch Logs answers. Codes and messages are AWS's own.
enum LogsError {
  static var groupExists: AWSError {
    AWSError("ResourceAlreadyExistsException", "The specified log group already exists")
  }
  static var streamExists: AWSError {
    AWSError("ResourceAlreadyExistsException", "The specified log stream already exists")
  }
  static var noSuchGroup: AWSError {
    AWSError("ResourceNotFoundException", "The specified log group does not exist.")
  }
  static var noSuchStream: AWSError {
    AWSError("ResourceNotFoundException", "The specified log stream does not exist.")
  }
  static var noSuchResource: AWSError {
    AWSError("ResourceNotFoundException", "The specified resource does not exist.")
  }
  static func invalid(_ message: String) -> AWSError { AWSError("InvalidParameterException", message) }
  static var invalidToken: AWSError { invalid("The specified nextToken is invalid.") }
  static var tooManyTags: AWSError {
    AWSError("TooManyTagsException", "The resource has more than \(LogsLimits.tagsMax) tags.")
  }
  static var deletionProtected: AWSError {
    AWSError("ValidationException", "The log group is protected from deletion: its deletion protection is enabled.")
  }

  /// What the store says, as the API says it.
  @discardableResult
  static func translated<T>(_ body: () async throws -> T) async throws -> T {
    do {
      return try await body()
    } catch let error as LogStoreError {
      switch error {
      case .groupExists: throw groupExists
      case .noSuchGroup: throw noSuchGroup
      case .streamExists: throw streamExists
      case .noSuchStream: throw noSuchStream
      case .inUse(let folder): throw AWSError("ServiceUnavailableException", "\(folder) is in use.", status: 500)
      }
    }
  }
}
