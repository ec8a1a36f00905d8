// What was last seen of a cluster's servers. Kept, so that a control plane that starts knows where the endpoints point
// before it has looked.

import EngineKit
import PostgresEngine
import Store
import Supervisor

/// The observed state of a cluster.
struct ObservedRecord: ObservedGroupRecord {
  static let collection = "rds.observed"
  var recordID: String { cluster }

  struct Instance: Codable, Hashable, Sendable {
    var isWriter: Bool
    /// `PostgresCluster.Status` in words.
    var status: String
    var address: String
    var port: Int
    var needsRestart: Bool
    /// Has been available since it was made.
    var wasAvailable: Bool
    /// Why it does not come up.
    var failure: EngineFailure?
    /// Its server ended, and it has not been available since.
    var wasDown: Bool?
    /// It failed to start, and has not been available since.
    var hasFailed: Bool?

    var isAvailable: Bool { status == PostgresCluster.Status.available.rawValue }
  }

  /// The cluster's identifier, and the resource it meant.
  var cluster: String
  var resourceID: String
  /// The cluster has been opened: it has a folder and is looked after.
  var isOpen = false
  var passwordVersion = 0
  var isBackingUp = false
  var writer: String?
  var instances: [String: Instance] = [:]
  /// The instance that is taking over as the writer.
  var failoverTo: String?
  /// Why the cluster cannot be looked after.
  var failure: EngineFailure?

  /// Takes over what the engine says.
  mutating func note(_ state: PostgresCluster.State) {
    if let old = writer, let new = state.writer, old != new { failoverTo = new }
    writer = state.writer
    if state.availableWriter?.name == failoverTo { failoverTo = nil }
    var seen: [String: Instance] = [:]
    for instance in state.instances {
      let isAvailable = instance.status == .available
      let before = instances[instance.name]
      let isDown = before?.wasAvailable == true && instance.pid == nil
      seen[instance.name] = Instance(
        isWriter: instance.role == .writer, status: instance.status.rawValue, address: instance.address,
        port: instance.port, needsRestart: instance.needsRestart,
        wasAvailable: isAvailable || before?.wasAvailable == true, failure: instance.failure,
        wasDown: isAvailable ? nil : isDown ? true : before?.wasDown,
        hasFailed: isAvailable ? nil : instance.failure != nil ? true : before?.hasFailed)
    }
    instances = seen
  }

  mutating func noteStopped() {
    for name in instances.keys {
      instances[name]?.status = PostgresCluster.Status.stopped.rawValue
      if instances[name]?.wasAvailable == true { instances[name]?.wasDown = true }
    }
    forgetFailures()
  }

  mutating func forgetFailures() {
    failure = nil
    for name in instances.keys { instances[name]?.failure = nil }
  }

  /// Whether no server runs.
  var isStopped: Bool { instances.values.allSatisfy { $0.status == PostgresCluster.Status.stopped.rawValue } }
  var availableWriter: Instance? { instances.values.first { $0.isWriter && $0.isAvailable } }
  /// By name, so that the order is always the same.
  var availableReaders: [(name: String, instance: Instance)] {
    instances.filter { !$0.value.isWriter && $0.value.isAvailable }.sorted { $0.key < $1.key }
      .map { (name: $0.key, instance: $0.value) }
  }
}

extension ObservedRecord {
  init(group: String, resourceID: String) {
    self.init(cluster: group, resourceID: resourceID)
  }
}
