// CreateDBCluster.

import AWSCore
import AWSWire
import PostgresEngine
import RDSModel
import SecretsManagerModel
import ServiceKit
import Store

extension RDSService {
  func createCluster(
    _ input: RDS.CreateDBClusterMessage, _ call: CallContext
  ) async throws -> RDS.CreateDBClusterResult {
    try Self.refuseUnbuilt(input)
    let id = try Identifier.check(input.dbClusterIdentifier, "DBClusterIdentifier")
    let installed = try await installedMajor()
    guard let version = EngineVersions.resolve(input.engineVersion, installed: installed) else {
      throw RDSError.combination("Cannot find version \(input.engineVersion ?? "") for \(EngineVersions.engine)")
    }
    guard let user = input.masterUsername else {
      throw RDSError.combination("The parameter MasterUsername must be provided and must not be blank.")
    }
    try Identifier.checkUser(user)
    if let name = input.databaseName { try Identifier.checkDatabase(name) }
    let settings = try Self.settings(input)
    let port = input.port ?? 5432
    guard RDSLimits.ports.contains(port) else {
      throw RDSError.invalid("Invalid database port number: \(port). It must be between 1150 and 65535.")
    }
    let tags = try Self.read(input.tags, call)
    // Decided again in the transaction; here it saves work.
    if try await store.get(ClusterRecord.self, call.scope, id) != nil { throw RDSError.clusterExists }

    let group = try await subnetGroup(input.dbSubnetGroupName, call)
    let securityGroups = try await securityGroups(input.vpcSecurityGroupIds, vpc: group.vpc, call)
    let encrypted = input.storageEncrypted ?? (input.kmsKeyId != nil)
    if input.kmsKeyId != nil && !encrypted {
      throw RDSError.combination("KmsKeyId can only be given when StorageEncrypted is true.")
    }
    let key = encrypted ? try await kmsKey(input.kmsKeyId, call) : nil
    let arn = call.arn("rds", "cluster:\(id)")
    let resource = "cluster-\(call.ids.upperAlphanumeric(26))"
    let (password, secret) = try await firstPassword(input, user: user, arn: arn, call)
    do {
      let cluster = ClusterRecord(
        id: id, arn: arn, resourceID: resource, created: call.now, engineVersion: version,
        databaseName: input.databaseName, masterUsername: user,
        password: try SealedBytes(Array(password.utf8), sealer: store.sealer, context: "rds.cluster/\(resource)"),
        secret: secret, port: port,
        writerAddress: try await environment.addresses.address(for: Endpoints.writerID(arn)),
        readerAddress: try await environment.addresses.address(for: Endpoints.readerID(arn)), subnetGroup: group.name,
        vpc: group.vpc,
        parameterGroup: input.dbClusterParameterGroupName?.lowercased()
          ?? EngineVersions.defaultParameterGroup(version),
        securityGroups: securityGroups, zones: Self.zones(input.availabilityZones, group), storageEncrypted: encrypted,
        kmsKey: key, settings: settings, tags: tags)
      let facts = try await store.write { tx in try Self.add(cluster, tx, call) }
      return .make { $0.dbCluster = Self.wire(facts, nil) }
    } catch {
      if let secret { await deleteSecret(secret.arn, call) }
      throw error
    }
  }

  private static func add(_ cluster: ClusterRecord, _ tx: Transaction, _ call: CallContext) throws -> ClusterFacts {
    if try tx.get(ClusterRecord.self, call.scope, cluster.id) != nil { throw RDSError.clusterExists }
    guard try tx.count(ClusterRecord.self, call.scope) < RDSLimits.clustersMax else {
      throw RDSError.quota(
        "DBClusterQuotaExceededFault", "Cannot create more than \(RDSLimits.clustersMax) clusters.", status: 403)
    }
    try checkParameterGroup(cluster.parameterGroup, version: cluster.engineVersion, tx, call)
    try tx.put(cluster, call.scope)
    return try facts(cluster, call.scope, tx)
  }

  /// - Throws: `DBClusterParameterGroupNotFound`, `InvalidParameterCombination`.
  static func checkParameterGroup(_ name: String, version: String, _ tx: Snapshot, _ call: CallContext) throws {
    let family = EngineVersions.family(version)
    if name == "default.\(family)" { return }
    guard let group = try tx.get(ParameterGroupRecord.self, call.scope, name) else {
      throw RDSError.clusterParameterGroupNotFound(name)
    }
    guard group.family == family else {
      throw RDSError.combination(
        "The Parameter Group \(name) with DBParameterGroupFamily \(group.family) cannot be used for "
          + "this cluster. Please "
          + "use a Parameter Group with DBParameterGroupFamily \(family)")
    }
  }

  /// Three zones, as Aurora has; those asked for first.
  private static func zones(_ asked: [String]?, _ group: SubnetGroupRecord) -> [String] {
    if let asked, !asked.isEmpty { return asked.sorted() }
    return Set(group.subnets.map(\.zone)).sorted()
  }

  /// The major version of the machine's PostgreSQL.
  /// - Throws: `InsufficientDBInstanceCapacity` when there is none.
  func installedMajor() async throws -> Int {
    do { return EngineVersions.major(try await PostgresInstallation.find().version) ?? 0 } catch {
      throw RDSError.notInstalled
    }
  }

  // MARK: Settings

  /// What this RDS cannot do is refused, not forgotten.
  private static func refuseUnbuilt(_ input: RDS.CreateDBClusterMessage) throws {
    guard input.engine == EngineVersions.engine else {
      throw AWSError.notImplemented("RDS clusters of the engine \(input.engine) (only \(EngineVersions.engine))")
    }
    func refuse(_ isAsked: Bool, _ what: String) throws { if isAsked { throw AWSError.notImplemented(what) } }
    try refuse(!(input.engineMode.map { $0 == "provisioned" } ?? true), "RDS: EngineMode \(input.engineMode ?? "")")
    try refuse(input.globalClusterIdentifier != nil, "RDS: global clusters")
    try refuse(input.replicationSourceIdentifier != nil, "RDS: replication from another cluster")
    try refuse((input.backtrackWindow ?? 0) > 0, "RDS: backtracking (it is not in Aurora PostgreSQL either)")
    try refuse(
      input.dbClusterInstanceClass != nil || input.allocatedStorage != nil || input.iops != nil,
      "RDS: Multi-AZ DB clusters")
    try refuse(input.domain != nil, "RDS: Active Directory domains")
    try refuse(input.enableHttpEndpoint == true, "RDS: the Data API (EnableHttpEndpoint)")
    try refuse(
      input.enableLimitlessDatabase == true || input.clusterScalabilityType == "limitless", "RDS: Limitless Database")
    try refuse(
      input.enableLocalWriteForwarding == true || input.enableGlobalWriteForwarding == true, "RDS: write forwarding")
    try refuse(input.enableIAMDatabaseAuthentication == true, "RDS: IAM database authentication")
    try refuse(input.scalingConfiguration != nil, "RDS: Serverless v1 (ScalingConfiguration)")
  }

  private static func settings(_ input: RDS.CreateDBClusterMessage) throws -> ClusterSettings {
    var it = ClusterSettings()
    it.backupRetention = input.backupRetentionPeriod ?? 1
    guard RDSLimits.backupRetentionDays.contains(it.backupRetention) else {
      throw RDSError.invalid("Invalid backup retention period: \(it.backupRetention). Must be between 1 and 35.")
    }
    it.backupWindow = input.preferredBackupWindow ?? it.backupWindow
    it.maintenanceWindow = input.preferredMaintenanceWindow?.lowercased() ?? it.maintenanceWindow
    it.copyTagsToSnapshot = input.copyTagsToSnapshot ?? false
    it.deletionProtection = input.deletionProtection ?? false
    it.logExports = (input.enableCloudwatchLogsExports ?? []).sorted()
    it.engineLifecycleSupport = input.engineLifecycleSupport ?? it.engineLifecycleSupport
    it.storageType = input.storageType
    it.networkType = input.networkType ?? it.networkType
    try scaling(input.serverlessV2ScalingConfiguration, &it)
    it.monitoringInterval = input.monitoringInterval
    it.monitoringRole = input.monitoringRoleArn
    it.performanceInsights = input.enablePerformanceInsights
    it.performanceInsightsKey = input.performanceInsightsKMSKeyId
    it.performanceInsightsRetention = input.performanceInsightsRetentionPeriod
    it.databaseInsights = input.databaseInsightsMode
    it.autoMinorVersionUpgrade = input.autoMinorVersionUpgrade ?? true
    it.caCertificate = input.caCertificateIdentifier
    return it
  }

  static func scaling(_ asked: RDS.ServerlessV2ScalingConfiguration?, _ it: inout ClusterSettings) throws {
    guard let asked else { return }
    let low = asked.minCapacity ?? it.minCapacity
    let high = asked.maxCapacity ?? it.maxCapacity
    guard let low, let high, low <= high, low >= 0, high >= 1, high <= 256, (low * 2).rounded() == low * 2 else {
      throw RDSError.invalid(
        "Serverless v2 capacity must be given in steps of 0.5: MinCapacity from 0, MaxCapacity from 1 "
          + "to 256, and not below "
          + "MinCapacity.")
    }
    it.minCapacity = low
    it.maxCapacity = high
    it.secondsUntilAutoPause = asked.secondsUntilAutoPause ?? it.secondsUntilAutoPause
  }
}
