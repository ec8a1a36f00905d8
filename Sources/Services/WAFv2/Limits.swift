// The quotas of WAF.

enum WAFLimits {
  /// Web ACL capacity units of a web ACL.
  static let capacityMax = 5000
  static let webACLsMax = 100
  static let ruleGroupsMax = 100
  static let ipSetsMax = 100
  static let addressesPerIPSetMax = 10_000
  static let patternSetsMax = 10
  static let patternsPerSetMax = 10
  static let tagsMax = 50
  static let pageSizeMax = 100
  /// Requests within the window of a rate-based rule.
  static let rateMin = 10
  static let rateMax = 2_000_000_000
  /// Samples that GetSampledRequests has at hand, over all web ACLs.
  static let samplesMax = 20_000
  /// Log lines that wait for their destination.
  static let waitingLinesMax = 50_000
}
