// What Application Auto Scaling keeps: scalable targets, their policies, and what was done to them.

import AWSCore
import Store

/// What is scaled: a dimension of a resource.
struct TargetKey: Codable, Sendable, Hashable {
  /// `ecs`, `rds`, …
  var namespace: String
  /// `service/cluster/name`, `cluster:name`.
  var resource: String
  /// `ecs:service:DesiredCount`.
  var dimension: String

  var id: String { "\(namespace)|\(dimension)|\(resource)" }
  /// The form of CloudFormation's Ref.
  var reference: String { "\(resource)|\(dimension)|\(namespace)" }

  init(namespace: String, resource: String, dimension: String) {
    self.namespace = namespace
    self.resource = resource
    self.dimension = dimension
  }

  /// Reads CloudFormation's Ref.
  init?(reference: String) {
    let parts = reference.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3 else { return nil }
    self.init(namespace: parts[2], resource: parts[0], dimension: parts[1])
  }
}

struct ScalableTargetRecord: Record {
  static let collection = "application-autoscaling.target"
  var recordID: String { key.id }
  var recordIndex: [String: String] { ["arn": arn] }

  var key: TargetKey
  var arn: String
  var minimum: Int
  var maximum: Int
  var role: String
  var suspendsIn = false
  var suspendsOut = false
  var suspendsScheduled = false
  var created: Timestamp
  var tags: [String: String] = [:]
}

struct ScalingPolicyRecord: Record {
  static let collection = "application-autoscaling.policy"
  var recordID: String { "\(key.id)|\(name)" }
  var recordIndex: [String: String] { ["target": key.id, "arn": arn] }

  var key: TargetKey
  var name: String
  var arn: String
  var type: String
  /// The configurations as they were sent, as JSON of their shapes.
  var step: JSONValue?
  var tracking: JSONValue?
  var predictive: JSONValue?
  var created: Timestamp
}

struct ScalingActivityRecord: Record {
  static let collection = "application-autoscaling.activity"
  var recordID: String { id }
  var recordIndex: [String: String] { ["target": key.id] }

  var id: String
  var key: TargetKey
  var description: String
  var cause: String
  var started: Timestamp
  var ended: Timestamp
  /// `Successful` or `Failed`.
  var status: String
  var message: String
}
