// What replication groups, subnet groups and parameter groups shall be.

import AWSCore
import Store

/// A replication group: one primary and its replicas.
struct GroupRecord: Record, Hashable {
  static let collection = "elasticache.group"
  var recordID: String { id }
  var recordIndex: [String: String] { ["subnet-group": subnetGroup, "parameter-group": parameterGroup] }

  enum Wanted: String, Codable, Sendable { case running, deleted }

  /// A node, which ElastiCache calls a cache cluster.
  struct Node: Codable, Hashable, Sendable {
    /// `GROUP-001`.
    var id: String
    var address: String
    /// The group's port, or another one where that is taken on this machine.
    var port: Int
    var zone: String
  }

  /// A failover that was asked for and not done yet.
  struct Failover: Codable, Hashable, Sendable {
    var request: String
    var target: String?
  }

  struct LogDelivery: Codable, Hashable, Sendable {
    var type: String
    var format: String
    var destinationType: String
    var logGroup: String?
    var deliveryStream: String?
  }

  /// In lower case.
  var id: String
  var arn: String
  /// Names the group's folder, since identifiers come again.
  var resourceID: String
  var description: String
  var created: Timestamp
  var wanted = Wanted.running
  var engineVersion: String
  var nodeType: String
  var nodes: [Node]
  var port: Int
  var primaryAddress: String
  var readerAddress: String
  var subnetGroup: String
  var vpc: String?
  var parameterGroup: String
  var securityGroups: [String]
  /// The tokens, the current one last; two while one is being rotated. Sealed, as JSON.
  var tokens: SealedBytes?
  var tokenChanged: Timestamp?
  /// Rises with each change of the tokens.
  var tokenVersion = 1
  var automaticFailover: Bool
  var multiAZ: Bool
  var transitEncryption: Bool
  var transitEncryptionMode: String?
  var atRestEncryption: Bool
  var kmsKey: String?
  var autoMinorVersionUpgrade: Bool
  var maintenanceWindow: String
  var snapshotRetention: Int
  var snapshotWindow: String
  var notificationTopic: String?
  var logDeliveries: [LogDelivery]
  var ipDiscovery: String
  var networkType: String
  var tags: [String: String]
  /// The name of the snapshot that is to be made before the group goes.
  var finalSnapshot: String?
  var failover: Failover?

  /// What seals the tokens.
  var tokenContext: String { "elasticache.group/\(resourceID)" }
}

/// A cache subnet group.
struct SubnetGroupRecord: Record, Hashable {
  static let collection = "elasticache.subnet-group"
  var recordID: String { name }

  struct Subnet: Codable, Hashable, Sendable {
    var id: String
    var zone: String
  }

  var name: String
  var arn: String
  var description: String
  var vpc: String
  var subnets: [Subnet]
  var tags: [String: String]
}

/// A cache parameter group, made by stacks.
struct ParameterGroupRecord: Record, Hashable {
  static let collection = "elasticache.parameter-group"
  var recordID: String { name }

  var name: String
  var arn: String
  var family: String
  var description: String
  var values: [String: String]
  var tags: [String: String]
}

/// The copy that was made of a group before it went.
struct SnapshotRecord: Record, Hashable {
  static let collection = "elasticache.snapshot"
  var recordID: String { name }

  var name: String
  var arn: String
  var group: String
  var created: Timestamp
  /// `creating` until the copy is whole, then `available`.
  var status: String
  var engineVersion: String
  var nodeType: String
  var port: Int
  /// The folder with the copy; nil when the group never had data.
  var folder: String?
}
