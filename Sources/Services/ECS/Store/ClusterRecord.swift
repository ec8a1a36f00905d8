// A cluster, and the account's settings.

import AWSCore
import ECSModel
import Store

/// A cluster: a name for services and tasks. INACTIVE ones are still told of for a while.
struct ClusterRecord: Record {
  static let collection = "ecs.cluster"
  var recordID: String { name }
  var name: String
  var isActive = true
  var createdAt: Timestamp
  var deletedAt: Timestamp?
  /// Settings, configuration, capacity providers and connect defaults, as they were sent.
  var cluster: Stored<ECS.Cluster>
  var tags: [String: String]
}

/// A value that was put with PutAccountSetting or PutAccountSettingDefault.
struct SettingRecord: Record {
  static let collection = "ecs.setting"
  var recordID: String { "\(principal)|\(name)" }
  /// An ARN, or `default`.
  var principal: String
  var name: String
  var value: String
}
