// ECR's errors, in AWS's words.

import AWSCore

/// The errors that ECR answers.
enum ECRError {
  private static func place(_ name: String, _ registry: String) -> String {
    "the repository with name '\(name)' in the registry with id '\(registry)'"
  }
  static func repositoryNotFound(_ name: String, _ registry: String) -> AWSError {
    AWSError(
      "RepositoryNotFoundException",
      "The repository with name '\(name)' does not exist in the registry with id '\(registry)'")
  }
  static func repositoryExists(_ name: String, _ registry: String) -> AWSError {
    AWSError(
      "RepositoryAlreadyExistsException",
      "The repository with name '\(name)' already exists in the registry with id '\(registry)'")
  }
  static func policyNotFound(_ name: String, _ registry: String) -> AWSError {
    AWSError(
      "RepositoryPolicyNotFoundException", "Repository policy does not exist for \(place(name, registry))")
  }
  static func lifecycleNotFound(_ name: String, _ registry: String) -> AWSError {
    AWSError("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist for \(place(name, registry))")
  }
  static func invalid(_ member: String, _ why: String) -> AWSError {
    AWSError("InvalidParameterException", "Invalid parameter at '\(member)' failed to satisfy constraint: '\(why)'")
  }
  static func kms(_ message: String) -> AWSError { AWSError("KmsException", message) }
  static var tooManyTags: AWSError { AWSError("TooManyTagsException", "A resource can have at most 50 tags") }
  static func limitExceeded(_ what: String) -> AWSError { AWSError("LimitExceededException", what) }
}

/// Limits of ECR: those of AWS.
enum ECRLimits {
  static let repositoriesMax = 100_000
  static let pageMax = 1000
  static let page = 100
  static let tagsMax = 50
  /// Seconds for which an authorization token opens the registry.
  static let tokenSeconds = 12.0 * 3600
}
