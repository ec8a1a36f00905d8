// Subnet groups, cluster parameter groups, snapshots.

import AWSCore
import Store

/// A DB subnet group.
struct SubnetGroupRecord: Record, Hashable {
  static let collection = "rds.subnet-group"
  var recordID: String { name }

  struct Subnet: Codable, Hashable, Sendable {
    var id: String
    var zone: String
  }

  /// In lower case.
  var name: String
  var arn: String
  var description: String
  var vpc: String
  var subnets: [Subnet]
  var tags: [String: String]
}

/// A DB cluster parameter group.
struct ParameterGroupRecord: Record, Hashable {
  static let collection = "rds.parameter-group"
  var recordID: String { name }

  struct Value: Codable, Hashable, Sendable {
    var value: String
    var applyMethod: String
  }

  var name: String
  var arn: String
  var family: String
  var description: String
  /// What differs from the engine's defaults.
  var values: [String: Value]
  var tags: [String: String]
}

/// A snapshot of a cluster: its facts, and a folder with the writer's data.
struct SnapshotRecord: Record, Hashable {
  static let collection = "rds.cluster-snapshot"
  var recordID: String { id }
  var recordIndex: [String: String] { ["cluster": cluster] }

  var id: String
  var arn: String
  var cluster: String
  var clusterResourceID: String
  var clusterCreated: Timestamp
  var created: Timestamp
  /// `creating` until the copy is whole, then `available`.
  var status: String
  var engineVersion: String
  var masterUsername: String
  var port: Int
  var zones: [String]
  var vpc: String?
  var storageEncrypted: Bool
  var kmsKey: String?
  /// The folder with the copy; nil when the cluster never had data.
  var folder: String?
  var tags: [String: String]
}
