// The status words of clusters and instances. Pure.

import PostgresEngine

enum Status {
  /// A cluster's status.
  /// - Parameter instances: its members, those on their way out included.
  static func cluster(_ cluster: ClusterRecord, _ instances: [InstanceRecord], _ seen: ObservedRecord?) -> String {
    guard let seen, seen.resourceID == cluster.resourceID, seen.isOpen else {
      return cluster.wanted == .deleted ? "deleting" : "creating"
    }
    switch cluster.wanted {
    case .deleted: return seen.isBackingUp ? "backing-up" : "deleting"
    case .stopped: return seen.isStopped ? "stopped" : "stopping"
    case .running: break
    }
    if cluster.isStarting { return "starting" }
    if cluster.failover != nil { return "failing-over" }
    if cluster.passwordVersion > seen.passwordVersion { return "resetting-master-credentials" }
    return "available"
  }

  /// An instance's status.
  /// - Parameter hasParameters: whether the cluster's parameter group changes anything.
  static func instance(
    _ instance: InstanceRecord, _ cluster: ClusterRecord?, _ seen: ObservedRecord?, hasParameters: Bool = false
  ) -> String {
    guard let cluster, !instance.isDeleting, cluster.wanted != .deleted else { return "deleting" }
    let known = seen?.resourceID == cluster.resourceID ? seen?.instances[instance.id] : nil
    let engine = known.flatMap { PostgresCluster.Status(rawValue: $0.status) }
    if cluster.wanted == .stopped { return engine == .stopped || engine == nil ? "stopped" : "stopping" }
    guard let known, let engine else { return "creating" }
    if instance.reboot != nil { return "rebooting" }
    switch engine {
    case .available: return cluster.failover != nil && known.isWriter ? "rebooting" : "available"
    case .creating: return "creating"
    case .starting: return cluster.isStarting ? "starting" : known.wasAvailable ? "rebooting" : "creating"
    case .rejoining: return known.wasAvailable ? "rebooting" : "creating"
    case .stopping: return "rebooting"
    case .stopped: return "starting"
    case .failed:
      // A server that ended is started again at once; only one that does not come up has a message.
      if known.message == nil { return "rebooting" }
      return hasParameters ? "incompatible-parameters" : "failed"
    }
  }

  /// Statuses that do not end by themselves.
  static let failures: Set<String> = ["failed", "incompatible-parameters"]
}
