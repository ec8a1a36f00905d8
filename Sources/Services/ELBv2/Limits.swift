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
  static let conditionWildcardsPerRuleMax = 6
  static let networkLoadBalancersMax = 50
  /// Target groups that all the actions of a load balancer's rules name.
  static let targetGroupsPerLoadBalancerMax = 100
  static let targetsPerLoadBalancerMax = 1000
  /// Without the default ones.
  static let certificatesPerLoadBalancerMax = 25
  static let trustStoresMax = 20
  static let authorityCertificatesMax = 25
  static let revocationEntriesMax = 500_000
  static let capacityUnitsMin = 100
  static let tagsMax = 50
  static let nameLengthMax = 32
  static let pageSizeMax = 400
  /// How long, in seconds, CreateListener waits for the Gate before it answers all the same.
  static let bindWaitSecondsMax = 10.0

  /// DescribeAccountLimits.
  static let named: [(name: String, max: Int)] = [
    ("application-load-balancers", loadBalancersMax),
    ("certificates-per-application-load-balancer", certificatesPerLoadBalancerMax),
    ("certificates-per-network-load-balancer", certificatesPerLoadBalancerMax),
    ("condition-values-per-alb-rule", conditionValuesPerRuleMax),
    ("condition-wildcards-per-alb-rule", conditionWildcardsPerRuleMax),
    ("listeners-per-application-load-balancer", listenersPerLoadBalancerMax),
    ("listeners-per-network-load-balancer", listenersPerLoadBalancerMax),
    ("network-load-balancers", networkLoadBalancersMax),
    ("rules-per-application-load-balancer", rulesPerLoadBalancerMax),
    ("target-groups", targetGroupsMax),
    ("target-groups-per-action-on-application-load-balancer", targetGroupsPerActionMax),
    ("target-groups-per-action-on-network-load-balancer", targetGroupsPerActionMax),
    ("target-groups-per-application-load-balancer", targetGroupsPerLoadBalancerMax),
    ("target-id-registrations-per-application-load-balancer", targetsPerLoadBalancerMax),
    ("targets-per-application-load-balancer", targetsPerLoadBalancerMax),
    ("targets-per-network-load-balancer", targetsPerLoadBalancerMax),
    ("trust-stores", trustStoresMax),
    ("ca-certificates-per-trust-store", authorityCertificatesMax),
    ("revocation-entries-per-trust-store", revocationEntriesMax),
  ]
}
