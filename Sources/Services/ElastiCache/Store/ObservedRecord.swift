// What was last seen of a group's servers. Kept, so that a control plane that starts knows where the endpoints point
// before it has looked.

import EngineKit
import RedisEngine
import Store

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
    var message: String?

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
  /// Why the group cannot be looked after.
  var message: String?

  /// Takes over what the engine says.
  mutating func note(_ state: RedisGroup.State) {
    primary = state.primary
    nodes = Dictionary(
      state.nodes.map { node in
        (
          node.name,
          Node(
            isPrimary: node.role == .primary, status: node.status.rawValue, address: node.address, port: node.port,
            message: node.message)
        )
      }, uniquingKeysWith: { first, _ in first })
    if state.isSettled { wasSettled = true }
  }

  mutating func noteStopped() {
    for name in nodes.keys { nodes[name]?.status = RedisGroup.Status.stopped.rawValue }
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
