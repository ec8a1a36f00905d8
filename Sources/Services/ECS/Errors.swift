// ECS's errors, in AWS's words.

import AWSCore

/// The errors that ECS answers. Codes and messages are AWS's own where they are known.
enum ECSError {
  static func client(_ message: String) -> AWSError { AWSError("ClientException", message) }
  static func invalid(_ message: String) -> AWSError { AWSError("InvalidParameterException", message) }
  static var clusterNotFound: AWSError { AWSError("ClusterNotFoundException", "Cluster not found.") }
  static var serviceNotFound: AWSError { AWSError("ServiceNotFoundException", "Service not found.") }
  static var serviceNotActive: AWSError { AWSError("ServiceNotActiveException", "Service was not ACTIVE.") }
  static var taskNotFound: AWSError { invalid("The referenced task was not found.") }
  static var taskDefinitionNotFound: AWSError { client("TaskDefinition not found.") }
  static var cannotDescribeTaskDefinition: AWSError { client("Unable to describe task definition.") }
  static var resourceNotFound: AWSError {
    AWSError("ResourceNotFoundException", "The specified resource was not found.")
  }
  static var clusterContainsServices: AWSError {
    AWSError("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
  }
  static var clusterContainsTasks: AWSError {
    AWSError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
  }
  static var stillDraining: AWSError { invalid("Unable to Start a service that is still Draining.") }
  static var notIdempotent: AWSError { invalid("Creation of service was not idempotent.") }
  static var scaledAboveZero: AWSError { invalid("The service cannot be stopped while it is scaled above 0.") }
  static var invalidToken: AWSError { invalid("Invalid token") }
  static var invalidARN: AWSError { invalid("Invalid arn syntax.") }
}
