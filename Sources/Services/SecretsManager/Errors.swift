// Secrets Manager's errors, in AWS's words.

import AWSCore

/// The errors that Secrets Manager answers. Codes and messages are AWS's own.
enum SecretsError {
  static var notFound: AWSError {
    AWSError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
  }
  static func valueNotFound(stage: String) -> AWSError {
    AWSError(
      "ResourceNotFoundException",
      "Secrets Manager can't find the specified secret value for staging label: \(stage)")
  }
  static func valueNotFound(version: String) -> AWSError {
    AWSError(
      "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: \(version)")
  }
  static var versionNotFound: AWSError {
    AWSError("ResourceNotFoundException", "Secrets Manager can't find the specified secret version.")
  }
  static func exists(_ name: String) -> AWSError {
    AWSError("ResourceExistsException", "The operation failed because the secret \(name) already exists.")
  }
  static func tokenInUse(_ token: String, _ arn: String) -> AWSError {
    AWSError(
      "ResourceExistsException",
      "You can't use ClientRequestToken \(token) because that value is already in use for a version of secret \(arn).")
  }
  static func invalidRequest(_ message: String) -> AWSError { AWSError("InvalidRequestException", message) }
  static func invalidParameter(_ message: String) -> AWSError { AWSError("InvalidParameterException", message) }
  static var markedForDeletion: AWSError {
    invalidRequest("You can't perform this operation on the secret because it was marked for deletion.")
  }
  static var nameScheduledForDeletion: AWSError {
    invalidRequest("You can't create this secret because a secret with this name is already scheduled for deletion.")
  }
  static func malformedPolicy(_ message: String) -> AWSError { AWSError("MalformedPolicyDocumentException", message) }
  static func limitExceeded(_ message: String) -> AWSError { AWSError("LimitExceededException", message) }
  static var invalidNextToken: AWSError { AWSError("InvalidNextTokenException", "The NextToken value is invalid.") }

  /// What a caller is told when KMS did not encrypt or decrypt.
  static func kms(_ error: AWSError, encrypting: Bool) -> AWSError {
    if error.code.hasPrefix("AccessDenied") {
      return AWSError("AccessDeniedException", "Access to KMS is not allowed. \(error.message)")
    }
    // Not built, throttled, broken: as it is.
    guard error.fault == .client else { return error }
    let verb = encrypting ? "encrypt" : "decrypt"
    return AWSError(
      encrypting ? "EncryptionFailure" : "DecryptionFailure",
      "Secrets Manager can't \(verb) the protected secret text using the provided KMS key. Check that the KMS key is "
        + "available, enabled, and not in an invalid state. (\(error.code): \(error.message))")
  }
}
