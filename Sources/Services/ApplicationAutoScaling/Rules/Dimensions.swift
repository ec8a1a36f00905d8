// Which resources can be scaled, and the roles that AWS scales them with.

import AWSCore

enum Dimensions {
  /// Dimension → the service-linked role's host and name suffix.
  private static let roles: [String: (host: String, name: String)] = [
    "ecs:service:DesiredCount": ("ecs", "ECSService"),
    "rds:cluster:ReadReplicaCount": ("rds", "RDSCluster"),
    "elasticache:replication-group:NodeGroups": ("elasticache", "ElastiCacheRG"),
    "elasticache:replication-group:Replicas": ("elasticache", "ElastiCacheRG"),
    "elasticache:cache-cluster:Nodes": ("elasticache", "ElastiCacheCC"),
    "dynamodb:table:ReadCapacityUnits": ("dynamodb", "DynamoDBTable"),
    "dynamodb:table:WriteCapacityUnits": ("dynamodb", "DynamoDBTable"),
    "dynamodb:index:ReadCapacityUnits": ("dynamodb", "DynamoDBTable"),
    "dynamodb:index:WriteCapacityUnits": ("dynamodb", "DynamoDBTable"),
    "lambda:function:ProvisionedConcurrency": ("lambda", "LambdaConcurrency"),
    "sagemaker:variant:DesiredInstanceCount": ("sagemaker", "SageMakerEndpoint"),
    "kafka:broker-storage:VolumeSize": ("kafka", "KafkaCluster"),
  ]

  /// - Throws: `ValidationException` for a target that AWS would not know.
  static func check(_ key: TargetKey) throws {
    let unsupported = AutoScalingError.validation(
      "Unsupported service namespace, resource type or scalable dimension")
    guard key.dimension.hasPrefix("\(key.namespace):") else { throw unsupported }
    switch key.namespace {
    case "ecs": guard ecsService(key) != nil else { throw unsupported }
    case "rds": guard key.resource.hasPrefix("cluster:") else { throw unsupported }
    default: break
    }
  }

  /// Cluster and service of `service/cluster/name`.
  static func ecsService(_ key: TargetKey) -> (cluster: String, service: String)? {
    guard key.dimension == "ecs:service:DesiredCount" else { return nil }
    let parts = key.resource.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3, parts[0] == "service", !parts[1].isEmpty, !parts[2].isEmpty else { return nil }
    return (parts[1], parts[2])
  }

  /// The service-linked role of a dimension.
  static func role(_ key: TargetKey, account: String) -> String {
    let role = roles[key.dimension] ?? (key.namespace, key.namespace.uppercased())
    return "arn:aws:iam::\(account):role/aws-service-role/\(role.host).application-autoscaling.amazonaws.com/"
      + "AWSServiceRoleForApplicationAutoScaling_\(role.name)"
  }
}
