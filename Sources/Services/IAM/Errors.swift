// IAM's errors, with its codes, statuses and words (IAM API Reference, "Common Errors" and each operation's "Errors").

import AWSCore

extension AWSError {
  static func noSuchEntity(_ message: String) -> AWSError { AWSError("NoSuchEntity", message, status: 404) }
  static func entityAlreadyExists(_ message: String) -> AWSError {
    AWSError("EntityAlreadyExists", message, status: 409)
  }
  static func deleteConflict(_ message: String) -> AWSError { AWSError("DeleteConflict", message, status: 409) }
  static func limitExceeded(_ quota: String, _ limit: Int) -> AWSError {
    AWSError("LimitExceeded", "Cannot exceed quota for \(quota): \(limit)", status: 409)
  }
  static func iamInvalidInput(_ message: String) -> AWSError { AWSError("InvalidInput", message) }
  static func validationError(_ message: String) -> AWSError { AWSError("ValidationError", message) }
  static func malformedPolicy(_ message: String) -> AWSError { AWSError("MalformedPolicyDocument", message) }

  /// What only AWS may change: service-linked roles.
  static func unmodifiable(role name: String) -> AWSError {
    AWSError(
      "UnmodifiableEntity",
      "Cannot perform the operation on the protected role '\(name)' - this role is only modifiable by AWS")
  }

  static func policyNotFound(_ arn: String) -> AWSError { noSuchEntity("Policy \(arn) was not found.") }
  static func policyNotAttachable(_ arn: String) -> AWSError {
    noSuchEntity("Policy \(arn) does not exist or is not attachable.")
  }
}
