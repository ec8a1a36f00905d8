// FailoverDBCluster, StopDBCluster, StartDBCluster, DeleteDBCluster: the wish is recorded, the reconciler fulfils it.

import AWSCore
import AWSWire
import RDSModel
import ServiceKit
import Store
import Supervisor

extension RDSService {
  /// Changes a cluster in one transaction and answers with it.
  private func change(
    _ id: String, _ call: CallContext,
    _ body: @escaping @Sendable (inout ClusterRecord, ClusterFacts, Transaction) throws -> Void
  ) async throws -> RDS.DBCluster {
    let facts = try await store.write { tx in
      let facts = try Self.facts(id, call.scope, tx)
      var cluster = facts.cluster
      try body(&cluster, facts, tx)
      try tx.put(cluster, call.scope)
      return try Self.facts(cluster, call.scope, tx)
    }
    return Self.wire(facts, await endpoints(facts.cluster))
  }

  func failoverCluster(
    _ input: RDS.FailoverDBClusterMessage, _ call: CallContext
  ) async throws -> RDS.FailoverDBClusterResult {
    let cluster = try await change(input.dbClusterIdentifier, call) { cluster, facts, _ in
      try facts.requireAvailable()
      let live = facts.instances.filter { !$0.isDeleting }
      guard live.count > 1 else {
        throw RDSError.clusterState("DB cluster \(cluster.id) must have at least two instances to fail over.")
      }
      var target: String?
      if let asked = input.targetDBInstanceIdentifier {
        let id = Identifier.of(asked, kind: "db")
        guard live.contains(where: { $0.id == id }) else { throw RDSError.instanceNotFound(id) }
        guard id != Self.writer(facts) else {
          throw RDSError.instanceState("Cannot failover to instance \(id): it is the current writer.")
        }
        target = id
      }
      guard facts.observed?.availableReaders.contains(where: { target == nil || $0.name == target }) == true else {
        throw RDSError.instanceState("No available replica of \(cluster.id) can become the writer now.")
      }
      cluster.failover = ClusterRecord.Failover(request: call.requestID, target: target)
    }
    return .make { $0.dbCluster = cluster }
  }

  func stopCluster(_ input: RDS.StopDBClusterMessage, _ call: CallContext) async throws -> RDS.StopDBClusterResult {
    let cluster = try await change(input.dbClusterIdentifier, call) { cluster, facts, _ in
      try facts.requireAvailable()
      cluster.wanted = .stopped
    }
    return .make { $0.dbCluster = cluster }
  }

  func startCluster(_ input: RDS.StartDBClusterMessage, _ call: CallContext) async throws -> RDS.StartDBClusterResult {
    let cluster = try await change(input.dbClusterIdentifier, call) { cluster, facts, _ in
      guard facts.status == "stopped" else {
        throw RDSError.clusterState(
          "DbCluster \(cluster.id) is in \(facts.status) state, but it must be stopped to do this.")
      }
      cluster.wanted = .running
      cluster.isStarting = true
    }
    return .make { $0.dbCluster = cluster }
  }

  // MARK: Delete

  func deleteCluster(
    _ input: RDS.DeleteDBClusterMessage, _ call: CallContext
  ) async throws -> RDS.DeleteDBClusterResult {
    let skips = input.skipFinalSnapshot ?? false
    switch (skips, input.finalDBSnapshotIdentifier) {
    case (true, _?):
      throw RDSError.combination(
        "FinalDBSnapshotIdentifier cannot be specified when deleting a cluster with SkipFinalSnapshot.")
    case (false, nil):
      throw RDSError.combination("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
    default: break
    }
    let name = try input.finalDBSnapshotIdentifier.map {
      try Identifier.check($0, "FinalDBSnapshotIdentifier", max: 255)
    }
    let files = reconciler.family.snapshots
    let cluster = try await change(input.dbClusterIdentifier, call) { cluster, facts, tx in
      guard cluster.wanted != .deleted else { throw RDSError.notAvailable(cluster.id, facts.status) }
      guard !cluster.settings.deletionProtection else {
        throw RDSError.combination("Cannot delete protected Cluster, please disable deletion protection and try again.")
      }
      guard facts.instances.allSatisfy(\.isDeleting) else {
        throw RDSError.clusterState("Cluster cannot be deleted, it still contains DB instances in non-deleting state.")
      }
      if let name {
        if cluster.wanted == .stopped && facts.status != "stopped" {
          throw RDSError.notAvailable(cluster.id, facts.status)
        }
        if try tx.get(SnapshotRecord.self, call.scope, name) != nil { throw RDSError.snapshotExists(name) }
        try tx.put(Self.snapshot(name, of: cluster, files, call), call.scope)
      }
      cluster.finalSnapshot = name
      cluster.failover = nil
      cluster.wanted = .deleted
    }
    if let secret = cluster.masterUserSecret?.secretArn { await deleteSecret(secret, call) }
    return .make { $0.dbCluster = cluster }
  }

  private static func snapshot(
    _ name: String, of cluster: ClusterRecord, _ files: SnapshotFiles, _ call: CallContext
  ) -> SnapshotRecord {
    SnapshotRecord(
      id: name, arn: call.arn("rds", "cluster-snapshot:\(name)"), cluster: cluster.id,
      clusterResourceID: cluster.resourceID, clusterCreated: cluster.created, created: call.now, status: "creating",
      engineVersion: cluster.engineVersion, masterUsername: cluster.masterUsername, port: cluster.port,
      zones: cluster.zones, vpc: cluster.vpc, storageEncrypted: cluster.storageEncrypted, kmsKey: cluster.kmsKey,
      folder: files.folder(account: call.account, region: call.region, id: name),
      tags: cluster.settings.copyTagsToSnapshot ? cluster.tags : [:])
  }
}
