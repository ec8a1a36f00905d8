// Application Auto Scaling's errors, in its own words.

import AWSCore

enum AutoScalingError {
  static func validation(_ message: String) -> AWSError { AWSError("ValidationException", message) }

  static func noTarget(_ key: TargetKey, found: Bool = false) -> AWSError {
    AWSError(
      "ObjectNotFoundException",
      "No scalable target \(found ? "found" : "registered") for service namespace: \(key.namespace), resource ID: "
        + "\(key.resource), scalable dimension: \(key.dimension)")
  }

  static func noPolicy(_ name: String, _ key: TargetKey) -> AWSError {
    AWSError(
      "ObjectNotFoundException",
      "No scaling policy found for service namespace: \(key.namespace), resource ID: \(key.resource), scalable "
        + "dimension: \(key.dimension), policy name: \(name)")
  }

  static func notFound(arn: String) -> AWSError {
    AWSError("ResourceNotFoundException", "The resource \(arn) does not exist", fields: ["ResourceName": arn])
  }
}
