// Aurora clusters with real PostgreSQL servers behind a real castle-gate.

import AWSCore
import CastleTesting
import Foundation
import PostgresEngine
import RDSModel
import SecretsManagerModel
import ServiceKit
import Testing

@testable import RDSService

@Suite("RDS clusters", .serialized, .timeLimit(.minutes(3))) struct RDSClusterTests {
  private func cluster(_ f: DataFixture, _ id: String) async throws -> RDS.DBCluster {
    let answer = try await f.run(RDS.describeDBClusters) { $0.dbClusterIdentifier = id }
    return try #require(answer.dbClusters?.first)
  }

  private func awaitCluster(_ f: DataFixture, _ id: String, _ status: String) async throws {
    try await f.rds.waitFor { try await cluster(f, id).status == status ? () : nil }
  }

  private func awaitInstances(_ f: DataFixture) async throws {
    try await f.rds.waitFor {
      let all = try await f.run(RDS.describeDBInstances).dbInstances ?? []
      return all.allSatisfy { $0.dbInstanceStatus == "available" } ? () : nil
    }
  }

  /// What psql prints, through an endpoint.
  private func sql(
    _ f: DataFixture, _ cluster: RDS.DBCluster, _ text: String, password: String = "open-sesame-1",
    isReader: Bool = false
  ) async throws -> String {
    let host = (isReader ? cluster.readerEndpoint : cluster.endpoint) ?? ""
    return try await f.tool(
      "psql", ["-h", host, "-p", String(cluster.port ?? 0), "-U", "castle", "-d", "shop", "-XAtc", text],
      environment: ["PGPASSWORD": password])
  }

  private func writer(_ cluster: RDS.DBCluster) -> String? {
    cluster.dbClusterMembers?.first { $0.isClusterWriter == true }?.dbInstanceIdentifier
  }

  private func create(_ f: DataFixture, _ id: String, instances: Int) async throws {
    try await f.run(RDS.createDBCluster) {
      $0.dbClusterIdentifier = id
      $0.engine = "aurora-postgresql"
      $0.engineVersion = "15.15"
      $0.databaseName = "shop"
      $0.masterUsername = "castle"
      $0.masterUserPassword = "open-sesame-1"
    }
    for number in 1...instances {
      try await f.run(RDS.createDBInstance) {
        $0.dbInstanceIdentifier = "\(id)-\(number)"
        $0.dbClusterIdentifier = id
        $0.dbInstanceClass = "db.r6g.large"
        $0.engine = "aurora-postgresql"
      }
    }
    try await awaitCluster(f, id, "available")
    try await awaitInstances(f)
  }

  @Test("a failover keeps what was written, the endpoints follow, and a write that comes meanwhile waits")
  func failover() async throws {
    try await DataFixture.running { f in
      let began = ContinuousClock.now
      try await create(f, "orders", instances: 2)
      print("rds: a cluster with a replica is available after \(millisecondsSince(began)) ms")
      let before = try await cluster(f, "orders")
      #expect(writer(before) == "orders-1")
      #expect(before.status == "available")
      #expect(before.engineVersion == "15.15")
      #expect(
        try await sql(f, before, "CREATE TABLE t (v int); INSERT INTO t VALUES (1); SELECT count(*) FROM t")
          == "CREATE TABLE\nINSERT 0 1\n1")
      #expect(try await sql(f, before, "SELECT pg_is_in_recovery()", isReader: true) == "t")

      let failing = ContinuousClock.now
      let answer = try await f.run(RDS.failoverDBCluster) { $0.dbClusterIdentifier = "orders" }
      #expect(answer.dbCluster?.status == "failing-over")
      // Asked for while the writer changes: it waits and is served.
      #expect(try await sql(f, before, "INSERT INTO t VALUES (2)") == "INSERT 0 1")
      try await awaitCluster(f, "orders", "available")
      print("rds: failover and a write after \(millisecondsSince(failing)) ms")
      let after = try await cluster(f, "orders")
      #expect(writer(after) == "orders-2")
      #expect(after.endpoint == before.endpoint)
      #expect(try await sql(f, after, "SELECT count(*), pg_is_in_recovery() FROM t") == "2|f")
      try await awaitInstances(f)
      #expect(try await sql(f, after, "SELECT pg_is_in_recovery()", isReader: true) == "t")
      let events = try await f.run(RDS.describeEvents).events ?? []
      let told = events.filter { $0.sourceType == "db-cluster" }.compactMap(\.message)
      #expect(
        told == [
          "DB cluster created", "Started cross AZ failover to DB instance: orders-2",
          "Completed failover to DB instance: orders-2",
        ])
      let ofWriter = events.filter { $0.sourceIdentifier == "orders-1" }.compactMap(\.message)
      #expect(ofWriter == ["DB instance created", "DB instance shutdown", "DB instance restarted"])
    }
  }

  @Test("a control plane that starts again disturbs neither servers nor connections")
  func adoption() async throws {
    try await DataFixture.withGate { f in
      try await f.whileRunning { try await create(f, "kept", instances: 1) }
      let known = try await cluster(f, "kept")
      let pids = await f.servers("postgres")
      let next = try f.again()
      try await next.whileRunning {
        #expect(try await sql(next, known, "SELECT 1") == "1")
        try await awaitInstances(next)
        try await awaitCluster(next, "kept", "available")
        let now = await next.servers("postgres")
        #expect(now == pids)
        #expect(try await cluster(next, "kept").endpoint == known.endpoint)
      }
      try await next.rds.stopEngines()
      let left = await next.servers("postgres")
      #expect(left.isEmpty)
      let third = try f.again()
      try await third.whileRunning {
        try await awaitInstances(third)
        #expect(try await sql(third, known, "SELECT 1") == "1")
        try await third.rds.removeEverything()
        #expect(try await third.run(RDS.describeDBClusters).dbClusters?.isEmpty == true)
        #expect(!FileManager.default.fileExists(atPath: third.rds.reconciler.family.root))
      }
    }
  }

  @Test("a stack's cluster has a managed password, stops and starts with its data, and leaves a snapshot")
  func stack() async throws {
    try await DataFixture.running { f in
      let made = try await f.rds.clusterProvider.make(
        [
          "Engine": "aurora-postgresql", "EngineVersion": "15.15", "DatabaseName": "shop", "MasterUsername": "castle",
          "ManageMasterUserPassword": true, "Port": 5433, "StorageEncrypted": true,
          "ServerlessV2ScalingConfiguration": ["MinCapacity": .number(0.5), "MaxCapacity": 4],
        ], f.context("Orders"))
      let instance = try await f.rds.instanceProvider.make(
        [
          "DBClusterIdentifier": .string(made.physicalID), "DBInstanceClass": "db.serverless",
          "Engine": "aurora-postgresql", "PromotionTier": 0, "PubliclyAccessible": false,
        ], f.context("OrdersWriter"))
      let id = made.physicalID
      let known = try await cluster(f, id)
      #expect(made.attributes["Endpoint.Address"] == .string(known.endpoint ?? ""))
      #expect(made.attributes["Endpoint.Port"] == "5433")
      #expect(known.kmsKeyId?.hasPrefix("arn:aws:kms:") == true)
      let secret = try #require(made.attributes["MasterUserSecret.SecretArn"]?.text)
      #expect(secret.contains(":secret:rds!cluster-"))
      func password() async throws -> String {
        let text = try await f.run(SecretsManager.getSecretValue) { $0.secretId = secret }.secretString ?? ""
        return try JSONDecoder().decode([String: String].self, from: Data(text.utf8))["password"] ?? ""
      }
      let first = try await password()
      #expect(try await sql(f, known, "CREATE TABLE t AS SELECT 7 AS v", password: first) == "SELECT 1")

      try await f.run(RDS.modifyDBCluster) {
        $0.dbClusterIdentifier = id
        $0.rotateMasterUserPassword = true
      }
      try await awaitCluster(f, id, "available")
      let second = try await password()
      #expect(second != first)
      #expect(try await sql(f, known, "SELECT v FROM t", password: second) == "7")
      await #expect(throws: (any Error).self) { try await sql(f, known, "SELECT 1", password: first) }

      try await f.run(RDS.stopDBCluster) { $0.dbClusterIdentifier = id }
      try await awaitCluster(f, id, "stopped")
      try await f.run(RDS.startDBCluster) { $0.dbClusterIdentifier = id }
      try await awaitCluster(f, id, "available")
      #expect(try await sql(f, known, "SELECT v FROM t", password: second) == "7")

      var context = f.context("Orders")
      context.deletionPolicy = "Snapshot"
      try await f.rds.instanceProvider.delete(instance, .null, f.context("OrdersWriter"))
      try await f.rds.clusterProvider.delete(made, .null, context)
      let snapshots = try await f.run(RDS.describeDBClusterSnapshots).dbClusterSnapshots ?? []
      #expect(snapshots.map(\.status) == ["available"])
      let record = try await f.harness.environment.store.read {
        try $0.list(SnapshotRecord.self).first?.1
      }
      let folder = try #require(record?.folder)
      #expect(FileManager.default.fileExists(atPath: folder + "/data/PG_VERSION"))
      try await f.run(RDS.deleteDBClusterSnapshot) { $0.dbClusterSnapshotIdentifier = record?.id ?? "" }
      #expect(!FileManager.default.fileExists(atPath: folder))
      #expect(
        try await f.refusal(SecretsManager.describeSecret) { $0.secretId = secret }?.code == "ResourceNotFoundException"
      )
      #expect(await f.servers("postgres").isEmpty)
    }
  }
}
