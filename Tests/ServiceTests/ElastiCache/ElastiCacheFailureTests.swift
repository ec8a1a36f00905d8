// Caches that cannot start, with real Redis: statuses, events, what a stack is told, and recovery.

import AWSCore
import ElastiCacheModel
import Foundation
import ServiceKit
import Supervisor
import Testing

@testable import ElastiCacheService

@Suite("ElastiCache caches that cannot start", .serialized, .timeLimit(.minutes(2)))
struct ElastiCacheFailureTests {
  private func messages(_ f: DataFixture, _ type: String, _ id: String) async throws -> [String] {
    try await f.run(ElastiCache.describeEvents) {
      $0.sourceType = type
      $0.sourceIdentifier = id
    }.events?.compactMap(\.message) ?? []
  }

  private func make(_ f: DataFixture, _ more: [String: JSONValue]) async throws -> ResourceHandle {
    var properties: [String: JSONValue] = [
      "ReplicationGroupId": "carts", "ReplicationGroupDescription": "carts", "Engine": "redis",
      "CacheNodeType": "cache.t4g.small", "NumCacheClusters": 1,
    ]
    properties.merge(more) { $1 }
    return try await f.elasticache.groupProvider.create(.object(properties), f.context("Carts"))
  }

  private func refusal(_ f: DataFixture, _ handle: ResourceHandle) async throws -> AWSError? {
    do {
      _ = try await f.elasticache.groupProvider.stabilize?(handle, f.context("Carts"))
      return nil
    } catch let error as AWSError { return error }
  }

  @Test("a parameter that Redis refuses is told in events and to stacks, and a correction helps")
  func parameters() async throws {
    try await DataFixture.running { f in
      let groups = f.elasticache.parameterGroupProvider
      func properties(_ policy: String) -> JSONValue {
        [
          "CacheParameterGroupFamily": "redis7", "Description": "evictions",
          "Properties": ["maxmemory-policy": .string(policy)],
        ]
      }
      let group = try await groups.create(properties("sometimes"), f.context("Parameters"))
      let made = try await make(f, ["CacheParameterGroupName": .string(group.physicalID)])
      let told = try #require(try await refusal(f, made))
      #expect(told.code == "NotStabilized")
      #expect(told.message.hasPrefix("Replication Group carts is in state: create-failed. "), "\(told)")
      #expect(told.message.contains("must be one of the following") && told.message.contains("What to do"), "\(told)")
      let status = try await f.run(ElastiCache.describeReplicationGroups).replicationGroups?.first?.status
      #expect(status == "create-failed")
      let node = try await f.run(ElastiCache.describeCacheClusters).cacheClusters?.first
      #expect(node?.cacheClusterStatus == "incompatible-parameters")
      let event = try await messages(f, "cache-cluster", "carts-001").last ?? ""
      #expect(event.hasPrefix("Cache cluster put into incompatible-parameters. "), "\(event)")

      _ = try await groups.update(group, properties("sometimes"), properties("allkeys-lru"), f.context("Parameters"))
      try await f.elasticache.waitFor {
        let now = try await f.run(ElastiCache.describeReplicationGroups).replicationGroups?.first?.status
        return now == "available" ? () : nil
      }
      #expect(try await messages(f, "replication-group", "carts").last == "Replication group carts created")
      try await f.elasticache.groupProvider.delete(made, .null, f.context("Carts"))
      #expect(try await messages(f, "replication-group", "carts").last == "Replication group carts deleted")
    }
  }

  @Test("a folder that no cache can be made in fails the group, which can be deleted")
  func folder() async throws {
    try await DataFixture.running { f in
      let root = f.elasticache.reconciler.family.root
      try PrivateFiles.remove(root)
      try PrivateFiles.write("in the way".utf8, to: root)
      let made = try await make(f, [:])
      let told = try #require(try await refusal(f, made))
      #expect(told.message.contains("create-failed") && told.message.contains(root), "\(told)")
      #expect(try await messages(f, "replication-group", "carts").last?.contains(root) == true)
      let node = try await f.run(ElastiCache.describeCacheClusters).cacheClusters?.first
      #expect(node?.cacheClusterStatus == "restore-failed")
      try await f.elasticache.groupProvider.delete(made, .null, f.context("Carts"))
      #expect(try await f.run(ElastiCache.describeReplicationGroups).replicationGroups?.isEmpty == true)
    }
  }
}
