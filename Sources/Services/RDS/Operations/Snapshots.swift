// DescribeDBClusterSnapshots, DeleteDBClusterSnapshot.

import AWSCore
import AWSWire
import RDSModel
import ServiceKit
import Store

extension RDSService {
  private static func snapshot(_ id: String, _ scope: Scope, _ tx: Snapshot) throws -> SnapshotRecord {
    let id = Identifier.of(id, kind: "cluster-snapshot")
    guard let snapshot = try tx.get(SnapshotRecord.self, scope, id) else { throw RDSError.snapshotNotFound(id) }
    return snapshot
  }

  func snapshotsAccess(_ input: RDS.DescribeDBClusterSnapshotsMessage, _ call: CallContext) async throws
    -> [ResourceAccess]
  {
    guard let id = input.dbClusterSnapshotIdentifier else {
      return [ResourceAccess(call.arn("rds", "cluster-snapshot:*"))]
    }
    let snapshot = try await store.read { try Self.snapshot(id, call.scope, $0) }
    return [ResourceAccess(snapshot.arn, tags: snapshot.tags)]
  }

  func snapshotAccess(_ input: RDS.DeleteDBClusterSnapshotMessage, _ call: CallContext) async throws -> [ResourceAccess]
  {
    let snapshot = try await store.read { try Self.snapshot(input.dbClusterSnapshotIdentifier, call.scope, $0) }
    return [ResourceAccess(snapshot.arn, tags: snapshot.tags)]
  }

  func describeSnapshots(
    _ input: RDS.DescribeDBClusterSnapshotsMessage, _ call: CallContext
  ) async throws -> RDS.DBClusterSnapshotMessage {
    let all = try await store.read { tx -> [SnapshotRecord] in
      if let id = input.dbClusterSnapshotIdentifier { return [try Self.snapshot(id, call.scope, tx)] }
      return try tx.list(SnapshotRecord.self, call.scope)
    }
    let cluster = input.dbClusterIdentifier.map { Identifier.of($0, kind: "cluster") }
    let chosen = try all.filter { snapshot in
      if let cluster, snapshot.cluster != cluster { return false }
      if let resource = input.dbClusterResourceId, snapshot.clusterResourceID != resource { return false }
      if let type = input.snapshotType, !["manual", "public", "shared"].contains(type) { return false }
      return try Filters.pass(
        input.filters,
        [
          "db-cluster-id": [snapshot.cluster], "db-cluster-snapshot-id": [snapshot.id], "snapshot-type": ["manual"],
          "engine": [EngineVersions.engine],
        ])
    }
    let page = try Page(chosen, limit: input.maxRecords, marker: input.marker, place: \.id)
    return .make {
      $0.dbClusterSnapshots = page.items.map(Self.wire)
      $0.marker = page.marker
    }
  }

  func deleteSnapshot(
    _ input: RDS.DeleteDBClusterSnapshotMessage, _ call: CallContext
  ) async throws -> RDS.DeleteDBClusterSnapshotResult {
    let snapshot = try await store.write { tx in
      let snapshot = try Self.snapshot(input.dbClusterSnapshotIdentifier, call.scope, tx)
      guard snapshot.status == "available" else {
        throw AWSError(
          "InvalidDBClusterSnapshotStateFault", "The snapshot \(snapshot.id) is in the state \(snapshot.status).")
      }
      try tx.delete(SnapshotRecord.self, call.scope, snapshot.id)
      return snapshot
    }
    if let folder = snapshot.folder { try await reconciler.family.snapshots.remove(folder) }
    return .make {
      $0.dbClusterSnapshot = Self.wire(snapshot)
      $0.dbClusterSnapshot?.status = "deleted"
    }
  }

  private static func wire(_ snapshot: SnapshotRecord) -> RDS.DBClusterSnapshot {
    .make {
      $0.dbClusterSnapshotIdentifier = snapshot.id
      $0.dbClusterSnapshotArn = snapshot.arn
      $0.dbClusterIdentifier = snapshot.cluster
      $0.dbClusterResourceId = snapshot.clusterResourceID
      $0.clusterCreateTime = snapshot.clusterCreated
      $0.snapshotCreateTime = snapshot.created
      $0.snapshotType = "manual"
      $0.status = snapshot.status
      $0.percentProgress = snapshot.status == "available" ? 100 : 0
      $0.engine = EngineVersions.engine
      $0.engineMode = "provisioned"
      $0.engineVersion = snapshot.engineVersion
      $0.licenseModel = "postgresql-license"
      $0.masterUsername = snapshot.masterUsername
      $0.port = snapshot.port
      $0.availabilityZones = snapshot.zones
      $0.vpcId = snapshot.vpc
      $0.allocatedStorage = 1
      $0.storageEncrypted = snapshot.storageEncrypted
      $0.kmsKeyId = snapshot.kmsKey
      $0.iamDatabaseAuthenticationEnabled = false
      $0.tagList = wire(snapshot.tags)
    }
  }
}
