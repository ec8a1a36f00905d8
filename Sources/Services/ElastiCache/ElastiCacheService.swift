// Amazon ElastiCache: Redis replication groups, run by real Redis servers.

import AWSCore
import AWSWire
import ElastiCacheModel
import EngineKit
import GateProtocol
import ServiceKit
import Store
import Supervisor

/// ElastiCache.
public final class ElastiCacheService: AWSService {
  let environment: ServiceEnvironment
  let reconciler: Reconciler
  var store: Store { environment.store }

  /// - Parameters:
  ///   - supervisor: starts the servers.
  ///   - gate: serves the groups' endpoints, as its part `elasticache`.
  public init(_ environment: ServiceEnvironment, supervisor: Supervisor, gate: GateController) {
    self.environment = environment
    reconciler = Reconciler(Groups(environment, supervisor: supervisor, gate: gate))
  }

  public static var collections: [any Record.Type] {
    [
      GroupRecord.self, SubnetGroupRecord.self, ParameterGroupRecord.self, SnapshotRecord.self, ObservedRecord.self,
      EventRecord.self,
    ]
  }

  public var resourceProviders: [ResourceProvider] { [groupProvider, subnetGroupProvider, parameterGroupProvider] }

  public func run() async throws { try await reconciler.run() }
  public func stopEngines() async throws { try await reconciler.stopEngines() }
  public func removeEverything() async throws { try await reconciler.removeEverything() }
  public func retryFailed() async { await reconciler.retryFailed() }
  public var hasEngines: Bool { get async { await reconciler.hasEngines } }

  public var apis: [ServiceAPI] {
    var table = HandlerTable()
    @Sendable func subnetGroup(_ name: String?, _ call: CallContext) -> [ResourceAccess] {
      [ResourceAccess(call.arn("elasticache", "subnetgroup:\(name?.lowercased() ?? "*")"))]
    }
    table.on(ElastiCache.createReplicationGroup, access: createAccess, createGroup)
    table.on(
      ElastiCache.describeReplicationGroups,
      access: { input, call in
        guard let id = input.replicationGroupId else {
          return [ResourceAccess(call.arn("elasticache", "replicationgroup:*"))]
        }
        return try await self.groupAccess(id, call)
      }, describeGroups)
    table.on(
      ElastiCache.modifyReplicationGroup, access: { try await self.groupAccess($0.replicationGroupId, $1) }, modifyGroup
    )
    table.on(
      ElastiCache.deleteReplicationGroup, access: { try await self.groupAccess($0.replicationGroupId, $1) }, deleteGroup
    )
    table.on(ElastiCache.testFailover, access: { try await self.groupAccess($0.replicationGroupId, $1) }, testFailover)
    table.on(
      ElastiCache.describeCacheClusters,
      access: { [ResourceAccess($1.arn("elasticache", "cluster:\($0.cacheClusterId ?? "*")"))] }, describeClusters)
    table.on(ElastiCache.describeCacheEngineVersions, describeEngineVersions)
    table.on(ElastiCache.describeEvents, access: { _, _ in [ResourceAccess("*")] }, describeEvents)
    table.on(
      ElastiCache.createCacheSubnetGroup, access: { subnetGroup($0.cacheSubnetGroupName, $1) }, createSubnetGroup)
    table.on(
      ElastiCache.describeCacheSubnetGroups, access: { subnetGroup($0.cacheSubnetGroupName, $1) }, describeSubnetGroups)
    table.on(
      ElastiCache.modifyCacheSubnetGroup, access: { subnetGroup($0.cacheSubnetGroupName, $1) }, modifySubnetGroup)
    table.on(
      ElastiCache.deleteCacheSubnetGroup, access: { subnetGroup($0.cacheSubnetGroupName, $1) }, deleteSubnetGroup)
    table.on(ElastiCache.addTagsToResource, access: { try await self.tagAccess($0.resourceName, $1) }, addTags)
    table.on(ElastiCache.removeTagsFromResource, access: { try await self.tagAccess($0.resourceName, $1) }, removeTags)
    table.on(ElastiCache.listTagsForResource, access: { try await self.tagAccess($0.resourceName, $1) }, listTags)
    return [ServiceAPI(ElastiCache.model, actionPrefix: "elasticache", table)]
  }
}
