// RDS's quotas and ranges that are checked here.

enum RDSLimits {
  static let clustersMax = 40
  static let subnetGroupsMax = 50
  static let parameterGroupsMax = 50
  /// One writer and fifteen replicas.
  static let instancesOfClusterMax = 16
  static let tagsMax = 50
  static let pageDefault = 100
  static let backupRetentionDays = 1...35
  static let ports = 1150...65_535
  static let promotionTiers = 0...15
  static let passwordLengths = 8...99
  /// Seconds that a connection to an endpoint waits for a server, so that a failover is a pause and not an error.
  static let waitForBackend = 10.0
}
