// ElastiCache's quotas and ranges that are checked here.

enum CacheLimits {
  static let groupsMax = 60
  static let subnetGroupsMax = 50
  /// A primary and up to five replicas.
  static let nodesMax = 6
  static let tagsMax = 50
  static let pageDefault = 100
  static let tokenLengths = 16...128
  static let ports = 1024...65_535
  static let retentionDays = 0...35
  /// Seconds that a connection to an endpoint waits for a server, so that a failover is a pause and not an error.
  static let waitForBackend = 10.0
}
