// EC2's errors, in its own words.

import AWSCore

enum EC2Error {
  static func notFound<R: NetworkRecord>(_ type: R.Type, _ id: String) -> AWSError {
    AWSError(R.notFoundCode, "The \(R.noun) '\(id)' does not exist")
  }
  static func missing(_ name: String) -> AWSError {
    AWSError("MissingParameter", "The request must contain the parameter \(name)")
  }
  static func invalid(_ value: String, _ name: String, _ why: String) -> AWSError {
    AWSError("InvalidParameterValue", "Value (\(value)) for parameter \(name) is invalid. \(why)")
  }
  static func dependency(_ noun: String, _ id: String) -> AWSError {
    AWSError("DependencyViolation", "The \(noun) '\(id)' has dependencies and cannot be deleted.")
  }
  static let dryRun = AWSError(
    "DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status: 412)
}
