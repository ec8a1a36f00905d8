// The quotas of Elastic Load Balancing, as AWS gives them to a new account.

enum ELBv2Limits {
  static let loadBalancersMax = 50
  static let targetGroupsMax = 3000
  static let listenersPerLoadBalancerMax = 50
  /// Without the default rules.
  static let rulesPerLoadBalancerMax = 100
  static let targetsPerTargetGroupMax = 1000
  static let targetGroupsPerActionMax = 5
  static let conditionValuesPerRuleMax = 5
  static let tagsMax = 50
  static let nameLengthMax = 32
  static let pageSizeMax = 400
  /// How long, in seconds, CreateListener waits for the Gate before it answers all the same.
  static let bindWaitSecondsMax = 10.0

  /// DescribeAccountLimits.
  static let named: [(name: String, max: Int)] = [
    ("application-load-balancers", loadBalancersMax), ("certificates-per-application-load-balancer", 25),
    ("condition-values-per-alb-rule", conditionValuesPerRuleMax), ("condition-wildcards-per-alb-rule", 6),
    ("listeners-per-application-load-balancer", listenersPerLoadBalancerMax),
    ("rules-per-application-load-balancer", rulesPerLoadBalancerMax),
    ("target-groups", targetGroupsMax),
    ("target-groups-per-action-on-application-load-balancer", targetGroupsPerActionMax),
    ("target-groups-per-application-load-balancer", 100),
    ("targets-per-application-load-balancer", 1000),
    ("target-id-registrations-per-application-load-balancer", 1000),
  ]
}
