// WAF's errors, in its own words.

import AWSCore

enum WAFError {
  static let notFound = AWSError(
    "WAFNonexistentItemException",
    "AWS WAF couldn’t perform the operation because your resource doesn’t exist.")
  static let duplicate = AWSError(
    "WAFDuplicateItemException",
    "AWS WAF couldn’t perform the operation because some resource in your request is a duplicate of an existing one.")
  static let staleToken = AWSError(
    "WAFOptimisticLockException",
    "AWS WAF couldn’t save your changes because someone changed the resource after you started to edit it. "
      + "Reapply your changes.")
  static let associated = AWSError(
    "WAFAssociatedItemException",
    "AWS WAF couldn’t perform the operation because your resource is being used by another resource or it’s "
      + "associated with another resource.")
  static let limit = AWSError(
    "WAFLimitsExceededException",
    "AWS WAF couldn’t perform the operation because you exceeded your resource limit.")

  static func invalid(_ reason: String, field: String, parameter: String) -> AWSError {
    AWSError(
      "WAFInvalidParameterException", "Error reason: \(reason), field: \(field), parameter: \(parameter)",
      fields: ["Field": field, "Parameter": parameter, "Reason": reason])
  }
}
