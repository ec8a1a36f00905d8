// ACM's errors, in AWS's words.

import AWSCore

/// The errors that ACM answers.
enum ACMError {
  static func notFound(_ arn: String, _ account: String) -> AWSError {
    AWSError("ResourceNotFoundException", "Could not find certificate \(arn) in account \(account).")
  }
  static func invalidARN(_ arn: String) -> AWSError {
    AWSError("InvalidArnException", "The ARN \(arn) is not the ARN of a certificate.")
  }
  static func validation(_ message: String) -> AWSError { .validation(message) }
  static func invalidParameter(_ message: String) -> AWSError { AWSError("InvalidParameterException", message) }
  static func invalidDomainOptions(_ message: String) -> AWSError {
    AWSError("InvalidDomainValidationOptionsException", message)
  }
  static func inProgress(_ arn: String) -> AWSError {
    AWSError("RequestInProgressException", "The certificate request for \(arn) is in progress and cannot be completed.")
  }
  static func inUse(_ arn: String, _ account: String) -> AWSError {
    AWSError("ResourceInUseException", "Certificate \(arn) in account \(account) is in use.")
  }
  static func invalidState(_ message: String) -> AWSError { AWSError("InvalidStateException", message) }
  static var limitExceeded: AWSError {
    AWSError("LimitExceededException", "Cannot have more than \(ACMLimits.certificatesMax) certificates.")
  }
  static var tooManyTags: AWSError { AWSError("TooManyTagsException", "A certificate can have at most 50 tags.") }
  static var invalidTag: AWSError { AWSError("InvalidTagException", "A tag key is given twice, or is reserved.") }
}

/// Limits of ACM: those of AWS.
enum ACMLimits {
  static let certificatesMax = 2500
  static let namesMax = 100
  static let tagsMax = 50
  static let page = 1000
  static let searchPage = 100
  /// Seconds within which a request with the same token is the same request.
  static let tokenSeconds = 3600.0
  /// Days in which the names of a request must be proven.
  static let validationDays = 3
  /// Days for which an issued certificate is valid.
  static let days = 395
  /// Days before its end when a certificate is renewed.
  static let renewalDays = 60
  static let keyAlgorithms = ["RSA_2048", "EC_prime256v1", "EC_secp384r1"]
  static let passphraseMin = 4
}
