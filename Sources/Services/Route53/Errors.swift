// Route 53's errors, in AWS's words.

import AWSCore

/// The errors that Route 53 answers.
enum Route53Error {
  static func noSuchZone(_ id: String) -> AWSError {
    AWSError("NoSuchHostedZone", "No hosted zone found with ID: \(id)", status: 404)
  }
  static func noSuchChange(_ id: String) -> AWSError {
    AWSError("NoSuchChange", "Could not find resource with ID: \(id)", status: 404)
  }
  static func noSuchHealthCheck(_ id: String) -> AWSError {
    AWSError("NoSuchHealthCheck", "No health check exists with the specified ID: \(id)", status: 404)
  }
  static var healthCheckExists: AWSError {
    AWSError(
      "HealthCheckAlreadyExists",
      "A health check with the specified caller reference was created already, with other settings, or was deleted.",
      status: 409)
  }
  static func healthCheckVersion(_ version: Int) -> AWSError {
    AWSError(
      "HealthCheckVersionMismatch",
      "The value of HealthCheckVersion in the request does not match the health check's version, which is \(version).",
      status: 409)
  }
  static var tooManyHealthChecks: AWSError {
    AWSError(
      "TooManyHealthChecks", "Limits Exceeded: MAX_HEALTH_CHECKS_BY_OWNER - Cannot create more health checks.")
  }
  static var zoneExists: AWSError {
    AWSError(
      "HostedZoneAlreadyExists", "A hosted zone has already been created with the specified caller reference.",
      status: 409)
  }
  static var zoneNotEmpty: AWSError {
    AWSError(
      "HostedZoneNotEmpty",
      "The specified hosted zone contains non-required resource record sets and so cannot be deleted.")
  }
  static func invalidDomain(_ name: String) -> AWSError {
    AWSError("InvalidDomainName", "\(name) is not a valid domain name")
  }
  static func invalidInput(_ message: String) -> AWSError { AWSError("InvalidInput", message) }
  static func invalidBatch(_ messages: [String]) -> AWSError {
    AWSError("InvalidChangeBatch", "[\(messages.joined(separator: ", "))]")
  }
  static var tooManyZones: AWSError {
    AWSError("TooManyHostedZones", "Limits Exceeded: MAX_HOSTED_ZONES_BY_OWNER - Cannot create more hosted zones.")
  }
}

/// Limits of Route 53: those of AWS.
enum Route53Limits {
  static let zonesMax = 500
  static let recordSetsMax = 10_000
  static let changesMax = 1000
  static let pageMax = 100
  static let healthChecksMax = 200
  static let healthCheckPageMax = 1000
  /// Seconds for which the caller reference of a deleted health check cannot be used again. AWS says "a number of days".
  static let referenceKept = 3.0 * 86_400
  static let recordSetPageMax = 300
  /// How many changes are remembered for GetChange. Castle's own.
  static let changesKept = 1000
}
