// What is to be done next for a group. Pure: wanted and observed in, actions out.

import RedisEngine

/// One step of a group's keeper.
enum KeeperAction: Hashable, Sendable {
  /// Opens the engine's group: makes it or adopts it.
  case open
  /// Tells the engine the new specification.
  case apply
  /// Stops the servers, so that what they hold is on the disk.
  case stop
  case setTokens
  case failOver(GroupRecord.Failover)
  /// A failover that has become pointless.
  case finishFailover(GroupRecord.Failover)
  /// Copies the stopped primary's data.
  case snapshot(String)
  /// Removes the servers, the data and the records.
  case destroy
}

/// What a keeper knows.
struct KeeperView: Sendable {
  var group: GroupRecord
  var isOpen = false
  /// Whether the engine was told what is wanted (but for the tokens).
  var isApplied = false
  /// The version of the tokens that the engine was given.
  var tokenVersion = 0
  var state = RedisGroup.State()
}

enum GroupPlan {
  static func actions(_ view: KeeperView) -> [KeeperAction] {
    let group = view.group
    if group.wanted == .deleted && group.finalSnapshot == nil { return [.destroy] }
    guard view.isOpen else { return [.open] }
    if let snapshot = group.finalSnapshot, group.wanted == .deleted {
      return view.state.isStopped ? [.snapshot(snapshot)] : [.stop]
    }
    if !view.isApplied { return [.apply] }
    var actions: [KeeperAction] = []
    if group.tokenVersion > view.tokenVersion { actions.append(.setTokens) }
    if let failover = group.failover { actions += failOver(failover, view) }
    return actions
  }

  private static func failOver(_ failover: GroupRecord.Failover, _ view: KeeperView) -> [KeeperAction] {
    let replicas = view.state.availableReplicas.map(\.name)
    if let target = failover.target {
      if view.state.primary == target { return [.finishFailover(failover)] }
      return replicas.contains(target) ? [.failOver(failover)] : []
    }
    if view.group.nodes.count < 2 { return [.finishFailover(failover)] }
    return replicas.isEmpty ? [] : [.failOver(failover)]
  }

  /// What the engine shall do.
  static func specification(
    _ group: GroupRecord, parameters: [String: String], tokens: [String], dataRoot: String
  ) -> RedisGroup.Specification {
    RedisGroup.Specification(
      id: group.resourceID, dataRoot: dataRoot,
      nodes: group.nodes.map { .init(name: $0.id, address: $0.address, port: $0.port) }, authTokens: tokens,
      parameters: parameters, isRunning: group.wanted == .running)
  }
}
