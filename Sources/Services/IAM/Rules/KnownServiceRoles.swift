// The service-linked roles of the services that Castle knows.

/// What a service's own role is called.
struct ServiceLinkedRoles {
  var role: String
  /// The managed policy under `aws-service-role/`.
  var policy: String
  var takesSuffix = false

  /// By the service's principal name.
  static let all: [String: ServiceLinkedRoles] = [
    "ecs.amazonaws.com": .init(role: "AWSServiceRoleForECS", policy: "AmazonECSServiceRolePolicy"),
    "elasticloadbalancing.amazonaws.com": .init(
      role: "AWSServiceRoleForElasticLoadBalancing", policy: "AWSElasticLoadBalancingServiceRolePolicy"),
    "rds.amazonaws.com": .init(role: "AWSServiceRoleForRDS", policy: "AmazonRDSServiceRolePolicy"),
    "elasticache.amazonaws.com": .init(
      role: "AWSServiceRoleForElastiCache", policy: "ElastiCacheServiceRolePolicy"),
    "autoscaling.amazonaws.com": .init(
      role: "AWSServiceRoleForAutoScaling", policy: "AutoScalingServiceRolePolicy", takesSuffix: true),
    "ecs.application-autoscaling.amazonaws.com": .init(
      role: "AWSServiceRoleForApplicationAutoScaling_ECSService",
      policy: "AWSApplicationAutoscalingECSServicePolicy"),
    "rds.application-autoscaling.amazonaws.com": .init(
      role: "AWSServiceRoleForApplicationAutoScaling_RDSCluster",
      policy: "AWSApplicationAutoscalingRDSClusterPolicy"),
    "elasticache.application-autoscaling.amazonaws.com": .init(
      role: "AWSServiceRoleForApplicationAutoScaling_ElastiCacheRG",
      policy: "AWSApplicationAutoscalingElastiCacheRGPolicy"),
    "replication.ecr.amazonaws.com": .init(
      role: "AWSServiceRoleForECRReplication", policy: "ECRReplicationServiceRolePolicy"),
    "shield.amazonaws.com": .init(role: "AWSServiceRoleForAWSShield", policy: "AWSShieldServiceRolePolicy"),
    "wafv2.amazonaws.com": .init(role: "AWSServiceRoleForWAFV2Logging", policy: "WAFV2LoggingServiceRolePolicy"),
  ]
}
