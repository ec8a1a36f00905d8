// The status words of groups and nodes. Pure.

import RedisEngine

enum Status {
  static func group(_ group: GroupRecord, _ seen: ObservedRecord?) -> String {
    let seen = seen?.resourceID == group.resourceID ? seen : nil
    if group.wanted == .deleted { return seen?.isSnapshotting == true ? "snapshotting" : "deleting" }
    guard let seen, seen.isOpen, seen.wasSettled else { return "creating" }
    if group.failover != nil || group.tokenVersion > seen.tokenVersion { return "modifying" }
    return "available"
  }

  static func node(_ id: String, _ group: GroupRecord, _ seen: ObservedRecord?) -> String {
    if group.wanted == .deleted { return "deleting" }
    let seen = seen?.resourceID == group.resourceID ? seen : nil
    guard let known = seen?.nodes[id], let engine = RedisGroup.Status(rawValue: known.status) else { return "creating" }
    switch engine {
    case .available: return group.tokenVersion > (seen?.tokenVersion ?? 0) ? "modifying" : "available"
    case .starting, .rejoining, .stopping, .stopped, .failed:
      return seen?.wasSettled == true ? "rebooting cluster nodes" : "creating"
    }
  }
}
