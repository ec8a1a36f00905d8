// The status words of groups and nodes. Pure.

import RedisEngine
import Supervisor

enum Status {
  static func group(_ group: GroupRecord, _ seen: ObservedRecord?) -> String {
    let seen = seen?.resourceID == group.resourceID ? seen : nil
    if group.wanted == .deleted { return seen?.isSnapshotting == true ? "snapshotting" : "deleting" }
    guard let seen, seen.isOpen, seen.wasSettled else {
      let hasFailed = seen?.failure != nil || seen?.nodes.values.contains { $0.failure != nil } == true
      return hasFailed ? createFailed : "creating"
    }
    if group.failover != nil || group.tokenVersion > seen.tokenVersion { return "modifying" }
    return "available"
  }

  /// A group that was never available and will not become it by itself.
  static let createFailed = "create-failed"
  /// Statuses of nodes that do not end by themselves.
  static let failures: Set<String> = ["incompatible-parameters", "restore-failed"]

  /// The status of a node whose server does not come up.
  static func word(_ failure: EngineFailure) -> String {
    failure.cause == .parameters ? "incompatible-parameters" : "restore-failed"
  }

  /// Why a group is not available: the first of its nodes' reasons.
  static func failure(_ group: GroupRecord, _ seen: ObservedRecord?) -> EngineFailure? {
    guard let seen, seen.resourceID == group.resourceID else { return nil }
    return seen.failure ?? group.nodes.lazy.compactMap { seen.nodes[$0.id]?.failure }.first
  }

  static func node(_ id: String, _ group: GroupRecord, _ seen: ObservedRecord?) -> String {
    if group.wanted == .deleted { return "deleting" }
    let seen = seen?.resourceID == group.resourceID ? seen : nil
    if let failure = seen?.failure, seen?.isOpen != true { return word(failure) }
    if let failure = seen?.nodes[id]?.failure { return word(failure) }
    guard let known = seen?.nodes[id], let engine = RedisGroup.Status(rawValue: known.status) else { return "creating" }
    switch engine {
    case .available: return group.tokenVersion > (seen?.tokenVersion ?? 0) ? "modifying" : "available"
    case .starting, .rejoining, .stopping, .stopped, .failed:
      return seen?.wasSettled == true ? "rebooting cluster nodes" : "creating"
    }
  }
}
