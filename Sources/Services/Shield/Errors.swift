// Shield's errors, in its own words.

import AWSCore

enum ShieldError {
  static let noSubscription = AWSError("ResourceNotFoundException", "The subscription does not exist.")
  static let noProtection = AWSError("ResourceNotFoundException", "The referenced protection does not exist.")
  static let noGroup = AWSError("ResourceNotFoundException", "The referenced protection group does not exist.")
  static let noHealthCheck = AWSError("ResourceNotFoundException", "The health check is not associated.")
  static let noRole = AWSError("NoAssociatedRoleException", "No role is associated with the subscription.")
  static let badToken = AWSError("InvalidPaginationTokenException", "The pagination token is not valid.")
  /// What DescribeAttack says of an attack that the account does not have.
  static let noAttack = AWSError("AccessDeniedException", "The attack does not exist or is not of this account.")

  static func unknownResource(_ arn: String) -> AWSError {
    AWSError("InvalidResourceException", "Unrecognized resource '\(arn)'.")
  }
  static func parameter(_ message: String) -> AWSError { AWSError("InvalidParameterException", message) }
  static func operation(_ message: String) -> AWSError { AWSError("InvalidOperationException", message) }
  static func exists(_ what: String) -> AWSError {
    AWSError("ResourceAlreadyExistsException", "The \(what) already exists.")
  }
  static func limit(_ what: String, _ number: Int) -> AWSError {
    AWSError("LimitsExceededException", "The limit of \(number) \(what) is reached.")
  }
  static func locked(_ message: String) -> AWSError { AWSError("LockedSubscriptionException", message) }
}
