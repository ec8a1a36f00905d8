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
  /// Numbers of autonomous systems in a statement.
  static let systemsMax = 100
  /// How long who took part in a flood stays on the list (ours).
  static let attackerMemorySeconds = 24 * 3600
  /// The most of them (ours).
  static let attackersMax = 10_000
  /// Requests in five minutes of who took part in an attack, where an automatic response is on (ours; AWS does not say).
  static let knownOffenderRequestsMax = 100
  /// Requests within the window of a rate-based rule.
  static let rateMin = 10
  static let rateMax = 2_000_000_000
  /// Samples that GetSampledRequests has at hand, over all web ACLs.
  static let samplesMax = 20_000
  /// Log lines that wait for their destination.
  static let waitingLinesMax = 50_000
}
