// The status words of clusters and instances. Pure.

import PostgresEngine
import Supervisor

enum Status {
  /// A cluster's status.
  /// - Parameter instances: its members, those on their way out included.
  static func cluster(_ cluster: ClusterRecord, _ instances: [InstanceRecord], _ seen: ObservedRecord?) -> String {
    guard let seen, seen.resourceID == cluster.resourceID, seen.isOpen else {
      if cluster.wanted == .deleted { return "deleting" }
      return seen?.resourceID == cluster.resourceID && seen?.failure != nil ? "failed" : "creating"
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
  static func instance(_ instance: InstanceRecord, _ cluster: ClusterRecord?, _ seen: ObservedRecord?) -> String {
    guard let cluster, !instance.isDeleting, cluster.wanted != .deleted else { return "deleting" }
    let seen = seen?.resourceID == cluster.resourceID ? seen : nil
    let known = seen?.instances[instance.id]
    let engine = known.flatMap { PostgresCluster.Status(rawValue: $0.status) }
    if cluster.wanted == .stopped { return engine == .stopped || engine == nil ? "stopped" : "stopping" }
    if let failure = seen?.failure, seen?.isOpen != true { return word(failure) }
    guard let known, let engine else { return "creating" }
    if instance.reboot != nil { return "rebooting" }
    if let failure = known.failure { return word(failure) }
    switch engine {
    case .available: return cluster.failover != nil && known.isWriter ? "rebooting" : "available"
    case .creating: return "creating"
    case .starting: return cluster.isStarting ? "starting" : known.wasAvailable ? "rebooting" : "creating"
    case .rejoining: return known.wasAvailable ? "rebooting" : "creating"
    case .stopping: return "rebooting"
    case .stopped: return "starting"
    // Started again at once; when it does not come up there is a failure.
    case .failed: return known.wasAvailable ? "rebooting" : "creating"
    }
  }

  /// The status of an instance whose server does not come up.
  static func word(_ failure: EngineFailure) -> String {
    switch failure.cause {
    case .parameters: "incompatible-parameters"
    case .storage: "storage-full"
    case .sharedMemory, .memory, .files, .program, .silent, .other: "failed"
    }
  }

  /// Statuses that do not end by themselves.
  static let failures: Set<String> = ["failed", "incompatible-parameters", "storage-full"]
}
