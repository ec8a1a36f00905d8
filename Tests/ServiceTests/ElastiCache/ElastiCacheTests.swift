// Replication groups: with real Redis servers behind a real castle-gate, their operations alone, and their rules.

import AWSCore
import ElastiCacheModel
import Foundation
import RedisEngine
import ServiceKit
import Store
import Testing

@testable import ElastiCacheService

@Suite("ElastiCache groups", .serialized, .timeLimit(.minutes(2))) struct ElastiCacheTests {
  private func group(_ f: DataFixture, _ id: String) async throws -> ElastiCache.ReplicationGroup {
    let answer = try await f.run(ElastiCache.describeReplicationGroups) { $0.replicationGroupId = id }
    return try #require(answer.replicationGroups?.first)
  }

  private func redis(
    _ f: DataFixture, _ endpoint: ElastiCache.Endpoint?, token: String?, _ words: [String]
  ) async throws -> String {
    try await f.tool(
      "redis-cli", ["-h", endpoint?.address ?? "", "-p", String(endpoint?.port ?? 0)] + words,
      environment: token.map { ["REDISCLI_AUTH": $0] } ?? [:])
  }

  @Test("a stack's group serves through its endpoints, fails over, rotates its token, is adopted and leaves a snapshot")
  func life() async throws {
    try await DataFixture.withGate { f in
      var made = ResourceHandle("")
      var nodes = ElastiCache.NodeGroup()
      try await f.whileRunning { (made, nodes) = try await use(f) }
      let (id, known) = (made.physicalID, nodes)
      let pids = await f.servers("redis")
      let next = try f.again()
      try await next.whileRunning {
        #expect(
          try await redis(next, known.primaryEndpoint, token: "second-token-0123456789", ["GET", "cart"]) == "fuller")
        try await next.elasticache.waitFor { try await group(next, id).status == "available" ? () : nil }
        #expect(
          await next.servers("redis") == pids)
        var context = next.context("Sessions")
        context.deletionPolicy = "Snapshot"
        try await next.elasticache.groupProvider.delete(made, .null, context)
        #expect(await next.servers("redis").isEmpty)
        let snapshot = try await next.harness.environment.store.read { try $0.list(SnapshotRecord.self).first?.1 }
        #expect(snapshot?.status == "available")
        let folder = try #require(snapshot?.folder)
        #expect(FileManager.default.fileExists(atPath: folder + "/data/appendonlydir"))
        #expect(!FileManager.default.fileExists(atPath: folder + "/data/redis.conf"))
      }
    }
  }

  /// Makes a group, writes, fails over, rotates the token.
  private func use(_ f: DataFixture) async throws -> (ResourceHandle, ElastiCache.NodeGroup) {
    let began = ContinuousClock.now
    let made = try await f.elasticache.groupProvider.make(
      [
        "ReplicationGroupDescription": "carts", "Engine": "redis", "EngineVersion": "7.1",
        "CacheNodeType": "cache.t4g.small", "NumNodeGroups": 1, "ReplicasPerNodeGroup": 1,
        "AutomaticFailoverEnabled": true, "MultiAZEnabled": true, "Port": 6379, "TransitEncryptionEnabled": true,
        "AuthToken": "first-token-0123456789",
      ], f.context("Sessions"))
    print("elasticache: a group with a replica is available after \(millisecondsSince(began)) ms")
    let id = made.physicalID
    let before = try await group(f, id)
    let nodes = try #require(before.nodeGroups?.first)
    #expect(made.attributes["PrimaryEndPoint.Address"] == .string(nodes.primaryEndpoint?.address ?? ""))
    #expect(made.attributes["PrimaryEndPoint.Port"] == "6379")
    #expect(before.memberClusters == [id + "-001", id + "-002"])
    #expect(nodes.nodeGroupMembers?.map(\.currentRole) == ["primary", "replica"])
    let token = "first-token-0123456789"
    #expect(try await redis(f, nodes.primaryEndpoint, token: token, ["SET", "cart", "full"]) == "OK")
    #expect(try await redis(f, nodes.primaryEndpoint, token: nil, ["GET", "cart"]).hasPrefix("NOAUTH"))
    #expect(try await redis(f, nodes.readerEndpoint, token: token, ["ROLE"]).hasPrefix("slave"))

    let failing = ContinuousClock.now
    try await f.run(ElastiCache.testFailover) {
      $0.replicationGroupId = id
      $0.nodeGroupId = "0001"
    }
    // The roles follow what is observed of the servers, which may come after the group is available again.
    try await f.elasticache.waitFor {
      let now = try await group(f, id)
      let roles = now.nodeGroups?.first?.nodeGroupMembers?.map(\.currentRole)
      return now.status == "available" && roles == ["replica", "primary"] ? () : nil
    }
    let told = try await f.run(ElastiCache.describeEvents) {
      $0.sourceIdentifier = id
      $0.sourceType = "replication-group"
    }
    #expect(
      told.events?.compactMap(\.message) == [
        "Replication group \(id) created", "Failover to replica node \(id)-002 completed",
      ])
    print("elasticache: failover after \(millisecondsSince(failing)) ms")
    #expect(try await redis(f, nodes.primaryEndpoint, token: token, ["GET", "cart"]) == "full")
    #expect(try await redis(f, nodes.primaryEndpoint, token: token, ["SET", "cart", "fuller"]) == "OK")

    for (strategy, isOldGood) in [("ROTATE", true), ("SET", false)] {
      try await f.run(ElastiCache.modifyReplicationGroup) {
        $0.replicationGroupId = id
        $0.authToken = "second-token-0123456789"
        $0.authTokenUpdateStrategy = strategy
      }
      try await f.elasticache.waitFor { try await group(f, id).status == "available" ? () : nil }
      #expect(try await redis(f, nodes.primaryEndpoint, token: "second-token-0123456789", ["PING"]) == "PONG")
      let old = try await redis(f, nodes.primaryEndpoint, token: token, ["GET", "cart"])
      #expect(old.hasSuffix("fuller") == isOldGood)
    }
    return (made, nodes)
  }

  @Test("what is not built is refused by name, and errors have AWS's codes")
  func errors() async throws {
    try await DataFixture.quiet { f in
      func refused(_ configure: (inout ElastiCache.CreateReplicationGroupMessage) -> Void) async throws -> String {
        let error = try await f.refusal(ElastiCache.createReplicationGroup) {
          $0.replicationGroupId = "carts"
          $0.replicationGroupDescription = "carts"
          configure(&$0)
        }
        return error.map { "\($0.code) \($0.status)" } ?? "none"
      }
      #expect(try await refused { $0.engine = "valkey" } == "NotImplemented 501")
      #expect(try await refused { $0.numNodeGroups = 3 } == "NotImplemented 501")
      #expect(try await refused { $0.automaticFailoverEnabled = true } == "InvalidParameterCombination 400")
      #expect(try await refused { $0.authToken = "0123456789abcdef" } == "InvalidParameterCombination 400")
      #expect(try await refused { $0.engineVersion = "9.9" } == "InvalidParameterCombination 400")
      #expect(try await refused { $0.cacheSubnetGroupName = "none" } == "CacheSubnetGroupNotFoundFault 400")
      #expect(try await refused { $0.replicationGroupId = "1bad" } == "InvalidParameterValue 400")
      let missing = try await f.refusal(ElastiCache.describeReplicationGroups) { $0.replicationGroupId = "none" }
      #expect(missing?.code == "ReplicationGroupNotFoundFault" && missing?.status == 404)

      #expect(
        try await refused {
          $0.engineVersion = "7.0"
          $0.numCacheClusters = 2
          $0.snapshotRetentionLimit = 3
        } == "none")
      #expect(try await refused { _ in } == "ReplicationGroupAlreadyExists 400")
      let member = try await f.run(ElastiCache.describeCacheClusters) {
        $0.cacheClusterId = "carts-002"
        $0.showCacheNodeInfo = true
      }.cacheClusters?.first
      #expect(member?.engineVersion == "7.0.7")
      #expect(member?.cacheNodes?.first?.endpoint?.port == 6379)
      #expect(member?.snapshotRetentionLimit == 3)
      #expect(try await group(f, "carts").status == "creating")
      let early = try await f.refusal(ElastiCache.modifyReplicationGroup) { $0.replicationGroupId = "carts" }
      #expect(early?.code == "InvalidReplicationGroupState")
    }
  }

  @Test("the plan opens, applies, sets tokens, fails over, and stops before it copies")
  func plan() {
    let record = GroupRecord(
      id: "g", arn: "arn:g", resourceID: "g-1", description: "", created: Timestamp(seconds: 0), engineVersion: "7.1.0",
      nodeType: "cache.t4g.small",
      nodes: ["g-001", "g-002"].map { .init(id: $0, address: "127.20.0.1", port: 6379, zone: "a") }, port: 6379,
      primaryAddress: "127.20.0.2", readerAddress: "127.20.0.3", subnetGroup: "default",
      parameterGroup: "default.redis7",
      securityGroups: [], automaticFailover: true, multiAZ: false, transitEncryption: true, atRestEncryption: false,
      autoMinorVersionUpgrade: true, maintenanceWindow: "", snapshotRetention: 0, snapshotWindow: "", logDeliveries: [],
      ipDiscovery: "ipv4", networkType: "ipv4", tags: [:])
    func state(_ status: RedisGroup.Status) -> RedisGroup.State {
      .init(
        primary: "g-001",
        nodes: record.nodes.map {
          .init(
            name: $0.id, role: $0.id == "g-001" ? .primary : .replica, status: status, address: $0.address, port: 6379)
        })
    }
    func plan(_ change: (inout KeeperView) -> Void) -> [KeeperAction] {
      var view = KeeperView(group: record, isOpen: true, isApplied: true, tokenVersion: 1, state: state(.available))
      change(&view)
      return GroupPlan.actions(view)
    }
    let failover = GroupRecord.Failover(request: "r", target: nil)
    #expect(plan { _ in } == [])
    #expect(plan { $0.isOpen = false } == [.open])
    #expect(plan { $0.isApplied = false } == [.apply])
    #expect(plan { $0.group.tokenVersion = 2 } == [.setTokens])
    #expect(plan { $0.group.failover = failover } == [.failOver(failover)])
    #expect(plan { $0.group.wanted = .deleted } == [.destroy])
    #expect(
      plan {
        $0.group.wanted = .deleted
        $0.group.finalSnapshot = "s"
      } == [.stop])
    #expect(
      plan {
        $0.group.wanted = .deleted
        $0.group.finalSnapshot = "s"
        $0.state = state(.stopped)
      } == [.snapshot("s")])
  }

  @Test(
    "versions are given back in full",
    arguments: [("7.1", "7.1.0"), ("6.x", "6.2.6"), ("7.0.7", "7.0.7"), ("5", "5.0.6")])
  func versions(_ asked: String, _ full: String) {
    #expect(Versions.resolve(asked) == full)
  }
}
