// Shield Advanced's quotas.

enum ShieldLimits {
  static let tagsMax = 200
  static let protectionsPerTypeMax = 1000
  static let protectionGroupsMax = 100
  static let groupMembersMax = 1000
  static let logBucketsMax = 10
  static let emergencyContactsMax = 10
  static let healthChecksPerProtectionMax = 10
  /// AWS's commitment: one year.
  static let commitmentSeconds = 31_536_000
  /// AutoRenew may be changed in these last seconds of the year.
  static let renewalWindowSeconds = 30 * 86_400
  /// For how long attacks are kept; statistics cover the same year.
  static let attackMemorySeconds = 365 * 86_400
  static let pageMax = 10_000
}
