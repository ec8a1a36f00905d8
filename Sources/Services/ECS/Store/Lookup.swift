// Finding clusters, services, tasks and task definitions by what callers call them.

import AWSCore
import ECSModel
import ServiceKit
import Store

enum Lookup {
  /// The cluster, active or not.
  static func cluster(_ text: String?, _ snapshot: Snapshot, _ scope: Scope) throws -> ClusterRecord? {
    try snapshot.get(ClusterRecord.self, scope, Names.cluster(text))
  }

  /// The active cluster.
  /// - Throws: `ClusterNotFoundException`.
  static func activeCluster(_ text: String?, _ snapshot: Snapshot, _ scope: Scope) throws -> ClusterRecord {
    guard let cluster = try cluster(text, snapshot, scope), cluster.isActive else { throw ECSError.clusterNotFound }
    return cluster
  }

  /// The service, in any state. A long ARN names its cluster; it must be the one that was asked for.
  static func service(_ text: String, cluster: String?, _ snapshot: Snapshot, _ scope: Scope) throws -> ServiceRecord? {
    let named = Names.service(text)
    let wanted = cluster.map { Names.cluster($0) } ?? named.cluster ?? "default"
    guard named.cluster == nil || named.cluster == wanted else { return nil }
    return try snapshot.get(ServiceRecord.self, scope, ServiceRecord.id(cluster: wanted, name: named.name))
  }

  /// The task, in any state.
  static func task(_ text: String, cluster: String?, _ snapshot: Snapshot, _ scope: Scope) throws -> TaskRecord? {
    let named = Names.task(text)
    let wanted = cluster.map { Names.cluster($0) } ?? named.cluster ?? "default"
    guard let task = try snapshot.get(TaskRecord.self, scope, named.id), task.cluster == wanted else { return nil }
    return task
  }

  /// The revision; without a revision in the text, the newest active one.
  static func taskDefinition(_ text: String, _ snapshot: Snapshot, _ scope: Scope) throws -> TaskDefinitionRecord? {
    guard let (family, revision) = Names.taskDefinition(text) else { return nil }
    if let revision { return try snapshot.get(TaskDefinitionRecord.self, scope, "\(family):\(revision)") }
    return try snapshot.find(TaskDefinitionRecord.self, scope, index: "family", family)
      .filter { $0.status == "ACTIVE" }.max { $0.revision < $1.revision }
  }

  /// A revision that tasks may be started of.
  /// - Throws: `ClientException`.
  static func runnableTaskDefinition(
    _ text: String?, _ snapshot: Snapshot, _ scope: Scope
  ) throws -> TaskDefinitionRecord {
    guard let text, !text.isEmpty else { throw ECSError.invalid("Task definition can not be blank.") }
    guard let record = try taskDefinition(text, snapshot, scope) else { throw ECSError.taskDefinitionNotFound }
    guard record.status == "ACTIVE" else { throw ECSError.client("TaskDefinition is inactive") }
    return record
  }

  /// The tasks of a service that live, or whose end is not yet counted.
  static func tasks(of service: ServiceRecord, _ snapshot: Snapshot, _ scope: Scope) throws -> [TaskRecord] {
    try snapshot.find(TaskRecord.self, scope, index: "service", service.recordID)
  }
}
