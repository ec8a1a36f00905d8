// CreateDBInstance, ModifyDBInstance, RebootDBInstance, DeleteDBInstance.

import AWSCore
import AWSWire
import RDSModel
import ServiceKit
import Store
import Supervisor

extension RDSService {
  func createInstance(
    _ input: RDS.CreateDBInstanceMessage, _ call: CallContext
  ) async throws -> RDS.CreateDBInstanceResult {
    let id = try Identifier.check(input.dbInstanceIdentifier, "DBInstanceIdentifier")
    let clusterID = try Self.checkCreate(input)
    _ = try await installedMajor()
    let tags = try Self.read(input.tags, call)
    let known = try await store.read { tx in
      if try tx.get(InstanceRecord.self, call.scope, id) != nil { throw RDSError.instanceExists }
      return try Self.facts(clusterID, call.scope, tx)
    }
    let arn = call.arn("rds", "db:\(id)")
    let address = try await environment.addresses.address(for: arn)
    let port = try FreePort.on(address, preferring: known.cluster.port)
    let resource = "db-\(call.ids.upperAlphanumeric(26))"
    let (instance, facts, group) = try await store.write { tx in
      let facts = try Self.facts(clusterID, call.scope, tx)
      if try tx.get(InstanceRecord.self, call.scope, id) != nil { throw RDSError.instanceExists }
      try Self.check(input, facts)
      let group = try tx.get(SubnetGroupRecord.self, call.scope, facts.cluster.subnetGroup)
      let instance = InstanceRecord(
        id: id, arn: arn, resourceID: resource, cluster: facts.cluster.id, created: call.now,
        number: try tx.nextNumber("rds.instance", call.scope), instanceClass: input.dbInstanceClass,
        promotionTier: input.promotionTier ?? 1, zone: Self.zone(input.availabilityZone, facts), address: address,
        port: port, publiclyAccessible: input.publiclyAccessible ?? false,
        autoMinorVersionUpgrade: input.autoMinorVersionUpgrade ?? true,
        copyTagsToSnapshot: input.copyTagsToSnapshot ?? false,
        parameterGroup: input.dbParameterGroupName ?? EngineVersions.defaultParameterGroup(facts.cluster.engineVersion),
        maintenanceWindow: input.preferredMaintenanceWindow?.lowercased() ?? facts.cluster.settings.maintenanceWindow,
        monitoringInterval: input.monitoringInterval ?? 0, monitoringRole: input.monitoringRoleArn,
        performanceInsights: input.enablePerformanceInsights ?? false,
        performanceInsightsKey: input.performanceInsightsKMSKeyId,
        performanceInsightsRetention: input.performanceInsightsRetentionPeriod,
        databaseInsights: input.databaseInsightsMode,
        caCertificate: input.caCertificateIdentifier ?? "rds-ca-rsa2048-g1", tags: tags)
      try tx.put(instance, call.scope)
      return (instance, try Self.facts(facts.cluster, call.scope, tx), group)
    }
    return .make { $0.dbInstance = Self.wire(instance, facts, group) }
  }

  /// - Returns: the cluster's identifier.
  private static func checkCreate(_ input: RDS.CreateDBInstanceMessage) throws -> String {
    guard input.engine == EngineVersions.engine else {
      throw AWSError.notImplemented(
        "RDS instances of the engine \(input.engine) (only members of \(EngineVersions.engine) clusters)")
    }
    guard let cluster = input.dbClusterIdentifier else {
      throw RDSError.combination("The parameter DBClusterIdentifier must be provided for the engine \(input.engine).")
    }
    func refuse(_ isSent: Bool, _ name: String) throws {
      if isSent {
        throw RDSError.combination(
          "The requested DB Instance will be a member of a DB Cluster. Set \(name) for the DB Cluster.")
      }
    }
    try refuse(input.masterUsername != nil, "master user name")
    try refuse(input.masterUserPassword != nil || input.manageMasterUserPassword == true, "master user password")
    try refuse(input.dbName != nil, "database name")
    try refuse(input.backupRetentionPeriod != nil, "backup retention period")
    try refuse(!(input.vpcSecurityGroupIds?.isEmpty ?? true), "vpc security group")
    try refuse(input.storageEncrypted == true, "storage encrypted")
    try refuse(input.allocatedStorage != nil, "allocated storage")
    if input.multiAZ == true {
      throw RDSError.combination("VPC Multi-AZ DB Instances are not available for engine: aurora-postgresql")
    }
    if input.enableIAMDatabaseAuthentication == true {
      throw AWSError.notImplemented("RDS: IAM database authentication")
    }
    if let group = input.dbParameterGroupName, !group.hasPrefix("default.") {
      throw AWSError.notImplemented("RDS: DB parameter groups of instances (set the parameters in the cluster's group)")
    }
    try checkClass(input.dbInstanceClass)
    if let tier = input.promotionTier, !RDSLimits.promotionTiers.contains(tier) {
      throw RDSError.invalid("Invalid promotion tier: \(tier). Must be between 0 and 15.")
    }
    return cluster
  }

  private static func checkClass(_ name: String) throws {
    guard EngineVersions.classes.contains(name) else {
      throw RDSError.combination(
        "RDS does not support creating a DB instance with the following combination: DBInstanceClass=\(name), "
          + "Engine=\(EngineVersions.engine). For supported combinations of instance class and database "
          + "engine version, see "
          + "DescribeOrderableDBInstanceOptions.")
    }
  }

  private static func check(_ input: RDS.CreateDBInstanceMessage, _ facts: ClusterFacts) throws {
    let cluster = facts.cluster
    // A cluster that was just asked for takes members, as in one template.
    guard cluster.wanted == .running else { throw RDSError.notAvailable(cluster.id, facts.status) }
    guard facts.instances.count < RDSLimits.instancesOfClusterMax else {
      throw RDSError.quota("InstanceQuotaExceeded", "A cluster can have at most 15 replicas.")
    }
    if input.dbInstanceClass == "db.serverless", cluster.settings.maxCapacity == nil {
      throw RDSError.combination(
        "Set the Serverless v2 scaling configuration on the parent DB cluster before creating a "
          + "Serverless v2 DB instance."
      )
    }
    if let version = input.engineVersion, version != cluster.engineVersion,
      !(cluster.engineVersion.hasPrefix(version + "."))
    {
      throw RDSError.combination(
        "The engine version that you requested for your DB instance (\(version)) does not match the "
          + "engine version of your "
          + "DB cluster (\(cluster.engineVersion)).")
    }
    if let group = input.dbSubnetGroupName?.lowercased(), group != cluster.subnetGroup {
      throw RDSError.combination(
        "The DB instance and its DB cluster must have the same DB subnet group: \(cluster.subnetGroup).")
    }
    if let port = input.port, port != cluster.port {
      throw RDSError.combination(
        "The requested DB Instance will be a member of a DB Cluster. Set port for the DB Cluster.")
    }
  }

  /// The zone asked for, or the one of the group's with the fewest members.
  private static func zone(_ asked: String?, _ facts: ClusterFacts) -> String {
    if let asked { return asked }
    let used = facts.instances.map(\.zone)
    let zones = facts.cluster.zones
    return zones.min { a, b in (used.count { $0 == a }, a) < (used.count { $0 == b }, b) } ?? ""
  }

  // MARK: Changes

  private func change(
    _ id: String, _ call: CallContext, _ body: @escaping @Sendable (inout InstanceRecord, ClusterFacts) throws -> Void
  ) async throws -> RDS.DBInstance {
    let (instance, facts, group) = try await store.write { tx in
      var instance = try Self.instance(id, call.scope, tx)
      let facts = try Self.facts(instance.cluster, call.scope, tx)
      try body(&instance, facts)
      try tx.put(instance, call.scope)
      return (
        instance, try Self.facts(facts.cluster, call.scope, tx),
        try tx.get(SubnetGroupRecord.self, call.scope, facts.cluster.subnetGroup)
      )
    }
    return Self.wire(instance, facts, group)
  }

  func modifyInstance(
    _ input: RDS.ModifyDBInstanceMessage, _ call: CallContext
  ) async throws -> RDS.ModifyDBInstanceResult {
    if input.newDBInstanceIdentifier != nil {
      throw AWSError.notImplemented("RDS: renaming an instance (NewDBInstanceIdentifier)")
    }
    if input.masterUserPassword != nil || input.manageMasterUserPassword != nil || input.backupRetentionPeriod != nil
      || input.dbPortNumber != nil || input.engineVersion != nil || input.deletionProtection != nil
      || input.allocatedStorage != nil
    {
      throw RDSError.combination(
        "The specified DB Instance is a member of a DB Cluster. Modify the password, port, version, "
          + "backups or protection of "
          + "the DB Cluster instead.")
    }
    if let name = input.dbInstanceClass { try Self.checkClass(name) }
    if let group = input.dbParameterGroupName, !group.hasPrefix("default.") {
      throw AWSError.notImplemented("RDS: DB parameter groups of instances (set the parameters in the cluster's group)")
    }
    if let tier = input.promotionTier, !RDSLimits.promotionTiers.contains(tier) {
      throw RDSError.invalid("Invalid promotion tier: \(tier). Must be between 0 and 15.")
    }
    let instance = try await change(input.dbInstanceIdentifier, call) { it, facts in
      guard !it.isDeleting else { throw RDSError.instanceState("DB instance \(it.id) is being deleted.") }
      it.instanceClass = input.dbInstanceClass ?? it.instanceClass
      it.promotionTier = input.promotionTier ?? it.promotionTier
      it.publiclyAccessible = input.publiclyAccessible ?? it.publiclyAccessible
      it.autoMinorVersionUpgrade = input.autoMinorVersionUpgrade ?? it.autoMinorVersionUpgrade
      it.copyTagsToSnapshot = input.copyTagsToSnapshot ?? it.copyTagsToSnapshot
      it.parameterGroup = input.dbParameterGroupName ?? it.parameterGroup
      it.maintenanceWindow = input.preferredMaintenanceWindow?.lowercased() ?? it.maintenanceWindow
      it.monitoringInterval = input.monitoringInterval ?? it.monitoringInterval
      it.monitoringRole = input.monitoringRoleArn ?? it.monitoringRole
      it.performanceInsights = input.enablePerformanceInsights ?? it.performanceInsights
      it.performanceInsightsKey = input.performanceInsightsKMSKeyId ?? it.performanceInsightsKey
      it.performanceInsightsRetention = input.performanceInsightsRetentionPeriod ?? it.performanceInsightsRetention
      it.databaseInsights = input.databaseInsightsMode ?? it.databaseInsights
      it.caCertificate = input.caCertificateIdentifier ?? it.caCertificate
    }
    return .make { $0.dbInstance = instance }
  }

  func rebootInstance(
    _ input: RDS.RebootDBInstanceMessage, _ call: CallContext
  ) async throws -> RDS.RebootDBInstanceResult {
    if input.forceFailover == true {
      throw RDSError.combination(
        "ForceFailover cannot be specified for a member of a DB cluster; use FailoverDBCluster.")
    }
    let instance = try await change(input.dbInstanceIdentifier, call) { it, facts in
      let status = Status.instance(it, facts.cluster, facts.observed)
      guard status == "available" || Status.failures.contains(status) else {
        throw RDSError.instanceState(
          "Instance \(it.id) is in the \(status) state; it must be available to be rebooted.")
      }
      it.reboot = call.requestID
    }
    return .make { $0.dbInstance = instance }
  }

  func deleteInstance(
    _ input: RDS.DeleteDBInstanceMessage, _ call: CallContext
  ) async throws -> RDS.DeleteDBInstanceResult {
    if input.finalDBSnapshotIdentifier != nil {
      throw RDSError.combination("FinalDBSnapshotIdentifier can not be specified when deleting a cluster instance")
    }
    let instance = try await change(input.dbInstanceIdentifier, call) { it, facts in
      guard !it.isDeleting else { throw RDSError.instanceState("Instance \(it.id) is already being deleted.") }
      guard facts.cluster.wanted != .deleted else { throw RDSError.notAvailable(facts.cluster.id, facts.status) }
      it.isDeleting = true
      it.reboot = nil
    }
    return .make { $0.dbInstance = instance }
  }
}
