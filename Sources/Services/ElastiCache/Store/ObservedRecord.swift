// What was last seen of a group's servers. Kept, so that a control plane that starts knows where the endpoints point
// before it has looked.

import EngineKit
import RedisEngine
import Store
import Supervisor

/// The observed state of a replication group.
struct ObservedRecord: ObservedGroupRecord {
  static let collection = "elasticache.observed"
  var recordID: String { group }

  struct Node: Codable, Hashable, Sendable {
    var isPrimary: Bool
    /// `RedisGroup.Status` in words.
    var status: String
    var address: String
    var port: Int
    /// Why it does not come up.
    var failure: EngineFailure?
    /// Has been available since it was made.
    var wasAvailable: Bool?
    /// It failed to start, and has not been available since.
    var hasFailed: Bool?

    var isAvailable: Bool { status == RedisGroup.Status.available.rawValue }
  }

  /// The group's identifier, and the folder it meant.
  var group: String
  var resourceID: String
  /// The group has been opened: it has a folder and is looked after.
  var isOpen = false
  /// All nodes have been available at the same time.
  var wasSettled = false
  var tokenVersion = 0
  var isSnapshotting = false
  var primary: String?
  var nodes: [String: Node] = [:]
  /// The node that is taking over as the primary.
  var failoverTo: String?
  /// Why the group cannot be looked after.
  var failure: EngineFailure?

  /// Takes over what the engine says.
  mutating func note(_ state: RedisGroup.State) {
    if let old = primary, let new = state.primary, old != new { failoverTo = new }
    primary = state.primary
    if state.availablePrimary?.name == failoverTo { failoverTo = nil }
    let before = nodes
    nodes = Dictionary(
      state.nodes.map { node in
        (
          node.name,
          Node(
            isPrimary: node.role == .primary, status: node.status.rawValue, address: node.address, port: node.port,
            failure: node.failure,
            wasAvailable: node.status == .available || before[node.name]?.wasAvailable == true,
            hasFailed: node.status == .available
              ? nil : node.failure != nil ? true : before[node.name]?.hasFailed)
        )
      }, uniquingKeysWith: { first, _ in first })
    if state.isSettled { wasSettled = true }
  }

  mutating func noteStopped() {
    for name in nodes.keys { nodes[name]?.status = RedisGroup.Status.stopped.rawValue }
    forgetFailures()
  }

  mutating func forgetFailures() {
    failure = nil
    for name in nodes.keys { nodes[name]?.failure = nil }
  }

  var availablePrimary: Node? { nodes.values.first { $0.isPrimary && $0.isAvailable } }
  /// By name, so that the order is always the same.
  var availableReplicas: [(name: String, node: Node)] {
    nodes.filter { !$0.value.isPrimary && $0.value.isAvailable }.sorted { $0.key < $1.key }
      .map { (name: $0.key, node: $0.value) }
  }
}

extension ObservedRecord {
  init(group: String, resourceID: String) {
    self.init(group: group, resourceID: resourceID, isOpen: false)
  }
}
