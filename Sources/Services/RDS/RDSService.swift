// Amazon RDS: Aurora PostgreSQL clusters, run by real PostgreSQL servers.

import AWSCore
import AWSWire
import EngineKit
import GateProtocol
import PostgresEngine
import RDSModel
import ServiceKit
import Store
import Supervisor

/// RDS.
public final class RDSService: AWSService {
  let environment: ServiceEnvironment
  let reconciler: Reconciler
  var store: Store { environment.store }

  /// - Parameters:
  ///   - supervisor: starts the servers.
  ///   - gate: serves the clusters' endpoints, as its part `rds`.
  public init(_ environment: ServiceEnvironment, supervisor: Supervisor, gate: GateController) {
    self.environment = environment
    reconciler = Reconciler(Clusters(environment, supervisor: supervisor, gate: gate))
  }

  public static var collections: [any Record.Type] {
    [
      ClusterRecord.self, InstanceRecord.self, SubnetGroupRecord.self, ParameterGroupRecord.self, SnapshotRecord.self,
      ObservedRecord.self, EventRecord.self,
    ]
  }

  public var resourceProviders: [ResourceProvider] {
    [clusterProvider, instanceProvider, subnetGroupProvider, parameterGroupProvider]
  }

  public func run() async throws { try await reconciler.run() }
  public func stopEngines() async throws { try await reconciler.stopEngines() }
  public func removeEverything() async throws { try await reconciler.removeEverything() }
  public func retryFailed() async { await reconciler.retryFailed() }
  public var hasEngines: Bool { get async { await reconciler.hasEngines } }

  public var apis: [ServiceAPI] {
    var table = HandlerTable()
    addClusters(&table)
    addInstances(&table)
    addGroups(&table)
    table.on(RDS.describeDBClusterSnapshots, access: snapshotsAccess, describeSnapshots)
    table.on(RDS.deleteDBClusterSnapshot, access: snapshotAccess, deleteSnapshot)
    table.on(RDS.describeDBEngineVersions, describeEngineVersions)
    table.on(RDS.describeOrderableDBInstanceOptions, describeOrderableOptions)
    table.on(RDS.describeGlobalClusters, describeGlobalClusters)
    table.on(RDS.describeEvents, access: { _, _ in [ResourceAccess("*")] }, describeEvents)
    table.on(RDS.addTagsToResource, access: { try await self.tagAccess($0.resourceName, $1) }, addTags)
    table.on(RDS.removeTagsFromResource, access: { try await self.tagAccess($0.resourceName, $1) }, removeTags)
    table.on(RDS.listTagsForResource, access: { try await self.tagAccess($0.resourceName, $1) }, listTags)
    return [ServiceAPI(RDS.model, actionPrefix: "rds", table)]
  }

  private func addClusters(_ table: inout HandlerTable) {
    table.on(RDS.createDBCluster, access: createClusterAccess, createCluster)
    table.on(
      RDS.describeDBClusters,
      access: { input, call in
        guard let id = input.dbClusterIdentifier else { return [ResourceAccess(call.arn("rds", "cluster:*"))] }
        return try await self.clusterAccess(id, call)
      }, describeClusters)
    table.on(RDS.modifyDBCluster, access: { try await self.clusterAccess($0.dbClusterIdentifier, $1) }, modifyCluster)
    table.on(RDS.deleteDBCluster, access: { try await self.clusterAccess($0.dbClusterIdentifier, $1) }, deleteCluster)
    table.on(
      RDS.failoverDBCluster, access: { try await self.clusterAccess($0.dbClusterIdentifier, $1) }, failoverCluster)
    table.on(RDS.startDBCluster, access: { try await self.clusterAccess($0.dbClusterIdentifier, $1) }, startCluster)
    table.on(RDS.stopDBCluster, access: { try await self.clusterAccess($0.dbClusterIdentifier, $1) }, stopCluster)
  }

  private func addInstances(_ table: inout HandlerTable) {
    table.on(RDS.createDBInstance, access: createInstanceAccess, createInstance)
    table.on(
      RDS.describeDBInstances,
      access: { input, call in
        guard let id = input.dbInstanceIdentifier else { return [ResourceAccess(call.arn("rds", "db:*"))] }
        return try await self.instanceAccess(id, call)
      }, describeInstances)
    table.on(
      RDS.modifyDBInstance, access: { try await self.instanceAccess($0.dbInstanceIdentifier, $1) }, modifyInstance)
    table.on(
      RDS.rebootDBInstance, access: { try await self.instanceAccess($0.dbInstanceIdentifier, $1) }, rebootInstance)
    table.on(
      RDS.deleteDBInstance, access: { try await self.instanceAccess($0.dbInstanceIdentifier, $1) }, deleteInstance)
  }

  private func addGroups(_ table: inout HandlerTable) {
    @Sendable func subnetGroup(_ name: String?, _ call: CallContext) -> [ResourceAccess] {
      [ResourceAccess(call.arn("rds", "subgrp:\(name?.lowercased() ?? "*")"))]
    }
    @Sendable func parameterGroup(_ name: String?, _ call: CallContext) -> [ResourceAccess] {
      [ResourceAccess(call.arn("rds", "cluster-pg:\(name?.lowercased() ?? "*")"))]
    }
    table.on(RDS.createDBSubnetGroup, access: { subnetGroup($0.dbSubnetGroupName, $1) }, createSubnetGroup)
    table.on(RDS.describeDBSubnetGroups, access: { subnetGroup($0.dbSubnetGroupName, $1) }, describeSubnetGroups)
    table.on(RDS.modifyDBSubnetGroup, access: { subnetGroup($0.dbSubnetGroupName, $1) }, modifySubnetGroup)
    table.on(RDS.deleteDBSubnetGroup, access: { subnetGroup($0.dbSubnetGroupName, $1) }, deleteSubnetGroup)
    table.on(
      RDS.createDBClusterParameterGroup, access: { parameterGroup($0.dbClusterParameterGroupName, $1) },
      createParameterGroup)
    table.on(
      RDS.describeDBClusterParameterGroups, access: { parameterGroup($0.dbClusterParameterGroupName, $1) },
      describeParameterGroups)
    table.on(
      RDS.describeDBClusterParameters, access: { parameterGroup($0.dbClusterParameterGroupName, $1) },
      describeParameters)
    table.on(
      RDS.modifyDBClusterParameterGroup, access: { parameterGroup($0.dbClusterParameterGroupName, $1) },
      modifyParameterGroup)
    table.on(
      RDS.resetDBClusterParameterGroup, access: { parameterGroup($0.dbClusterParameterGroupName, $1) },
      resetParameterGroup)
    table.on(
      RDS.deleteDBClusterParameterGroup, access: { parameterGroup($0.dbClusterParameterGroupName, $1) },
      deleteParameterGroup)
  }
}
