// KMS's errors, in AWS's words.

import AWSCore

/// The errors that KMS answers. Codes and messages are AWS's own.
enum KMSError {
  static func notFound(_ message: String) -> AWSError { AWSError("NotFoundException", message) }
  static func keyNotFound(_ arn: String) -> AWSError { notFound("Key '\(arn)' does not exist") }
  static func aliasNotFound(_ arn: String) -> AWSError { notFound("Alias \(arn) is not found.") }
  static func validation(_ message: String) -> AWSError { .validation(message) }
  static func disabled(_ arn: String) -> AWSError { AWSError("DisabledException", "\(arn) is disabled.") }
  static func pendingDeletion(_ arn: String) -> AWSError {
    AWSError("KMSInvalidStateException", "\(arn) is pending deletion.")
  }
  static func invalidState(_ message: String) -> AWSError { AWSError("KMSInvalidStateException", message) }
  static func unsupported(_ message: String) -> AWSError { AWSError("UnsupportedOperationException", message) }
  static func invalidKeyUsage(_ message: String) -> AWSError { AWSError("InvalidKeyUsageException", message) }
  /// AWS tells nothing about a ciphertext that does not decrypt.
  static var invalidCiphertext: AWSError { AWSError("InvalidCiphertextException", "") }
  static var incorrectKey: AWSError {
    AWSError(
      "IncorrectKeyException",
      "The key ID in the request does not identify a CMK that can perform this operation.")
  }
  static var unknownCiphertextKey: AWSError {
    AWSError(
      "AccessDeniedException",
      "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are "
        + "not allowed to access.")
  }
  static var dryRun: AWSError {
    AWSError("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
  }
  static func malformedPolicy(_ message: String) -> AWSError { AWSError("MalformedPolicyDocumentException", message) }
  static func limitExceeded(_ message: String) -> AWSError { AWSError("LimitExceededException", message) }
  static func tag(_ message: String) -> AWSError { AWSError("TagException", message) }
  static var invalidMarker: AWSError { AWSError("InvalidMarkerException", "Could not deserialize marker.") }
}
