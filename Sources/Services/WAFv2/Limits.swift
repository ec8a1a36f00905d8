// The quotas of WAF.

enum WAFLimits {
  /// Web ACL capacity units of a web ACL.
  static let capacityMax = 5000
  static let webACLsMax = 100
  static let ipSetsMax = 100
  static let addressesPerIPSetMax = 10_000
  static let tagsMax = 50
  static let pageSizeMax = 100
}
