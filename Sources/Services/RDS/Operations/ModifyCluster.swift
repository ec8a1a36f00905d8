// ModifyDBCluster. Everything is applied at once: there is no maintenance window to wait for.

import AWSCore
import AWSWire
import RDSModel
import ServiceKit
import Store
import Supervisor

extension RDSService {
  func modifyCluster(
    _ input: RDS.ModifyDBClusterMessage, _ call: CallContext
  ) async throws -> RDS.ModifyDBClusterResult {
    try Self.refuseUnbuilt(input)
    let before = try await facts(input.dbClusterIdentifier, call)
    let installed = try await installedMajor()
    if let port = input.port, !RDSLimits.ports.contains(port) {
      throw RDSError.invalid("Invalid database port number: \(port). It must be between 1150 and 65535.")
    }
    var groups: [String]?
    if let ids = input.vpcSecurityGroupIds {
      groups = try await securityGroups(ids, vpc: before.cluster.vpc ?? "", call)
    }
    let change = try await credentials(input, before.cluster, call)
    let chosen = groups
    let facts: ClusterFacts
    do {
      facts = try await store.write { tx in
        let now = try Self.facts(input.dbClusterIdentifier, call.scope, tx)
        var cluster = now.cluster
        guard cluster.wanted == .running, cluster.resourceID == before.cluster.resourceID else {
          throw RDSError.notAvailable(cluster.id, now.status)
        }
        try Self.apply(input, to: &cluster, installed: installed, tx, call)
        if let chosen { cluster.securityGroups = chosen }
        if let password = change.password {
          cluster.password = try SealedBytes(
            Array(password.utf8), sealer: self.store.sealer, context: cluster.passwordContext)
          cluster.passwordVersion += 1
        }
        if change.isSecretNew { cluster.secret = change.secret }
        try tx.put(cluster, call.scope)
        if input.port != nil {
          for var instance in now.instances {
            instance.port = try FreePort.on(instance.address, preferring: cluster.port)
            try tx.put(instance, call.scope)
          }
        }
        return try Self.facts(cluster, call.scope, tx)
      }
    } catch {
      if change.isSecretNew, let secret = change.secret { await deleteSecret(secret.arn, call) }
      throw error
    }
    if let password = change.password, let secret = facts.cluster.secret, !change.isSecretNew {
      try await updateSecret(secret.arn, user: facts.cluster.masterUsername, password: password, call)
    }
    if change.isSecretNew, change.secret == nil, let old = before.cluster.secret { await deleteSecret(old.arn, call) }
    let endpoints = await endpoints(facts.cluster)
    return .make { $0.dbCluster = Self.wire(facts, endpoints) }
  }

  private struct Credentials: Sendable {
    var password: String?
    var isSecretNew = false
    var secret: ClusterRecord.MasterSecret?
  }

  /// The new password, if there shall be one, and what becomes of the secret.
  private func credentials(
    _ input: RDS.ModifyDBClusterMessage, _ cluster: ClusterRecord, _ call: CallContext
  ) async throws -> Credentials {
    var change = Credentials()
    if let password = input.masterUserPassword {
      guard input.manageMasterUserPassword != true, cluster.secret == nil || input.manageMasterUserPassword == false
      else {
        throw RDSError.combination(
          "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword enabled.")
      }
      try Identifier.checkPassword(password)
      change.password = password
    }
    switch input.manageMasterUserPassword {
    case true? where cluster.secret == nil:
      let password = Self.randomPassword(call)
      change.password = password
      change.isSecretNew = true
      change.secret = try await createSecret(
        user: cluster.masterUsername, password: password, key: input.masterUserSecretKmsKeyId, cluster: cluster.arn,
        call)
    case false? where cluster.secret != nil:
      guard change.password != nil else {
        throw RDSError.combination("You must specify MasterUserPassword when you disable ManageMasterUserPassword.")
      }
      change.isSecretNew = true
    default: break
    }
    if input.rotateMasterUserPassword == true {
      guard cluster.secret != nil, !change.isSecretNew else {
        throw RDSError.combination("You can't rotate a password that RDS does not manage.")
      }
      change.password = Self.randomPassword(call)
    }
    return change
  }

  private static func refuseUnbuilt(_ input: RDS.ModifyDBClusterMessage) throws {
    func refuse(_ isAsked: Bool, _ what: String) throws { if isAsked { throw AWSError.notImplemented(what) } }
    try refuse(input.newDBClusterIdentifier != nil, "RDS: renaming a cluster (NewDBClusterIdentifier)")
    try refuse((input.backtrackWindow ?? 0) > 0, "RDS: backtracking")
    try refuse(input.domain != nil, "RDS: Active Directory domains")
    try refuse(input.enableHttpEndpoint == true, "RDS: the Data API (EnableHttpEndpoint)")
    try refuse(input.enableLimitlessDatabase == true, "RDS: Limitless Database")
    try refuse(
      input.enableLocalWriteForwarding == true || input.enableGlobalWriteForwarding == true, "RDS: write forwarding")
    try refuse(input.enableIAMDatabaseAuthentication == true, "RDS: IAM database authentication")
    try refuse(input.engineMode.map { $0 != "provisioned" } ?? false, "RDS: EngineMode \(input.engineMode ?? "")")
    try refuse(
      input.dbClusterInstanceClass != nil || input.allocatedStorage != nil || input.iops != nil,
      "RDS: Multi-AZ DB clusters")
    // Terraform sends a ScalingConfiguration along, which means nothing to a provisioned cluster.
  }

  private static func apply(
    _ input: RDS.ModifyDBClusterMessage, to cluster: inout ClusterRecord, installed: Int, _ tx: Snapshot,
    _ call: CallContext
  ) throws {
    if let asked = input.engineVersion {
      guard let version = EngineVersions.resolve(asked, installed: installed) else {
        throw RDSError.combination(
          "Cannot find upgrade target from \(cluster.engineVersion) with requested version \(asked).")
      }
      if EngineVersions.major(version) != EngineVersions.major(cluster.engineVersion) {
        throw AWSError.notImplemented("RDS: major version upgrades")
      }
      cluster.engineVersion = version
    }
    if let name = input.dbClusterParameterGroupName?.lowercased() {
      try checkParameterGroup(name, version: cluster.engineVersion, tx, call)
      cluster.parameterGroup = name
    }
    cluster.port = input.port ?? cluster.port
    var it = cluster.settings
    if let days = input.backupRetentionPeriod {
      guard RDSLimits.backupRetentionDays.contains(days) else {
        throw RDSError.invalid("Invalid backup retention period: \(days). Must be between 1 and 35.")
      }
      it.backupRetention = days
    }
    it.backupWindow = input.preferredBackupWindow ?? it.backupWindow
    it.maintenanceWindow = input.preferredMaintenanceWindow?.lowercased() ?? it.maintenanceWindow
    it.copyTagsToSnapshot = input.copyTagsToSnapshot ?? it.copyTagsToSnapshot
    it.deletionProtection = input.deletionProtection ?? it.deletionProtection
    if let exports = input.cloudwatchLogsExportConfiguration {
      let left = Set(it.logExports).union(exports.enableLogTypes ?? []).subtracting(exports.disableLogTypes ?? [])
      it.logExports = left.sorted()
    }
    it.storageType = input.storageType ?? it.storageType
    it.networkType = input.networkType ?? it.networkType
    try scaling(input.serverlessV2ScalingConfiguration, &it)
    it.monitoringInterval = input.monitoringInterval ?? it.monitoringInterval
    it.monitoringRole = input.monitoringRoleArn ?? it.monitoringRole
    it.performanceInsights = input.enablePerformanceInsights ?? it.performanceInsights
    it.performanceInsightsKey = input.performanceInsightsKMSKeyId ?? it.performanceInsightsKey
    it.performanceInsightsRetention = input.performanceInsightsRetentionPeriod ?? it.performanceInsightsRetention
    it.databaseInsights = input.databaseInsightsMode ?? it.databaseInsights
    it.autoMinorVersionUpgrade = input.autoMinorVersionUpgrade ?? it.autoMinorVersionUpgrade
    it.caCertificate = input.caCertificateIdentifier ?? it.caCertificate
    cluster.settings = it
  }
}
