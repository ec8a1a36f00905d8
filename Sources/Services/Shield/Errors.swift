// Shield's errors, in its own words.

import AWSCore

enum ShieldError {
  static let noSubscription = AWSError("ResourceNotFoundException", "The subscription does not exist.")
  static let noProtection = AWSError("ResourceNotFoundException", "The referenced protection does not exist.")
  static func unknownResource(_ arn: String) -> AWSError {
    AWSError("InvalidResourceException", "Unrecognized resource '\(arn)'.")
  }
}
