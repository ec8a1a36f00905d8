// AWS::RDS::DBCluster for CloudFormation.

import AWSCore
import AWSWire
import RDSModel
import ServiceKit

extension RDSService {
  /// Properties that mean what the API's members of the same name mean.
  private static let clusterProperties: Set<String> = [
    "AutoMinorVersionUpgrade", "AvailabilityZones", "BackupRetentionPeriod", "CopyTagsToSnapshot",
    "DatabaseInsightsMode", "DatabaseName", "DBClusterIdentifier", "DBClusterParameterGroupName", "DBSubnetGroupName",
    "DeletionProtection", "EnableCloudwatchLogsExports", "EnableHttpEndpoint", "EnableIAMDatabaseAuthentication",
    "Engine", "EngineLifecycleSupport", "EngineMode", "EngineVersion", "KmsKeyId", "ManageMasterUserPassword",
    "MasterUsername", "MasterUserPassword", "MonitoringInterval", "MonitoringRoleArn", "NetworkType",
    "PerformanceInsightsEnabled", "PerformanceInsightsKmsKeyId", "PerformanceInsightsRetentionPeriod", "Port",
    "PreferredBackupWindow", "PreferredMaintenanceWindow", "ServerlessV2ScalingConfiguration", "StorageEncrypted",
    "StorageType", "VpcSecurityGroupIds",
  ]
  private static let clusterMapper = PropertyMapper(
    RDS.model,
    renames: [
      "PerformanceInsightsEnabled": "EnablePerformanceInsights",
      "PerformanceInsightsKmsKeyId": "PerformanceInsightsKMSKeyId",
    ])

  /// Ref is the identifier. Available without instances, as on AWS.
  var clusterProvider: ResourceProvider {
    ResourceProvider(
      "AWS::RDS::DBCluster", properties: Self.clusterProperties.union(["MasterUserSecret", "Tags"]),
      replacedBy: [
        "AvailabilityZones", "DatabaseName", "DBClusterIdentifier", "DBSubnetGroupName", "Engine", "EngineMode",
        "KmsKeyId", "MasterUsername", "StorageEncrypted",
      ],
      create: { properties, context in
        let call = context.call.viaCloudFormation
        var input = try Self.clusterMapper.input(
          RDS.createDBCluster, properties, ignoring: ["Tags", "MasterUserSecret"])
        if input.dbClusterIdentifier.isEmpty {
          input.dbClusterIdentifier = Self.name(context)
        }
        input.masterUserSecretKmsKeyId = properties["MasterUserSecret"]?["KmsKeyId"]?.text
        input.tags = Self.wireTags(properties, context)
        _ = try await call.invoke(RDS.createDBCluster, input)
        return ResourceHandle(input.dbClusterIdentifier)
      },
      stabilize: { handle, context in
        try await self.clusterHandle(handle.physicalID, context.call.viaCloudFormation)
      },
      update: { handle, old, new, context in
        let call = context.call.viaCloudFormation
        var changed: [String: JSONValue] = [:]
        for (name, value) in new.object ?? [:] where value != old[name] { changed[name] = value }
        var input = try Self.clusterMapper.structure(
          RDS.ModifyDBClusterMessage.self, .object(changed),
          ignoring: ["Tags", "MasterUserSecret", "EnableCloudwatchLogsExports"])
        input.dbClusterIdentifier = handle.physicalID
        input.applyImmediately = true
        if old["DeletionProtection"] != nil && new["DeletionProtection"] == nil { input.deletionProtection = false }
        if changed["EnableCloudwatchLogsExports"] != nil || old["EnableCloudwatchLogsExports"] != nil {
          let before = Set((old["EnableCloudwatchLogsExports"]?.array ?? []).compactMap(\.text))
          let after = Set((new["EnableCloudwatchLogsExports"]?.array ?? []).compactMap(\.text))
          input.cloudwatchLogsExportConfiguration = .make {
            $0.enableLogTypes = after.subtracting(before).sorted()
            $0.disableLogTypes = before.subtracting(after).sorted()
          }
        }
        // Nothing to change but tags: a stopped cluster can have those.
        if new.object?.filter({ $0.key != "Tags" }) != old.object?.filter({ $0.key != "Tags" }) {
          _ = try await call.invoke(RDS.modifyDBCluster, input)
        }
        try await Self.updateTags(call.arn("rds", "cluster:\(handle.physicalID.lowercased())"), new, context)
        return try await self.clusterHandle(handle.physicalID, call)
      },
      delete: { handle, _, context in
        try await self.deleteCluster(handle.physicalID, context)
      })
  }

  static func name(_ context: ResourceContext) -> String {
    // Hyphens that follow each other are not allowed in identifiers.
    var name = context.generatedName(maxLength: 63, lowercase: true)
    while name.contains("--") { name = name.replacing("--", with: "-") }
    return name.first?.isLetter == true ? name : "c" + name.dropFirst()
  }

  private func deleteCluster(_ id: String, _ context: ResourceContext) async throws {
    let call = context.call.viaCloudFormation
    let snapshot = context.deletionPolicy == "Snapshot" ? Self.name(context) : nil
    let isThere: Void? = try await Self.unlessGone(["DBClusterNotFoundFault"]) {
      _ = try await call.invoke(
        RDS.deleteDBCluster,
        .make {
          $0.dbClusterIdentifier = id
          $0.skipFinalSnapshot = snapshot == nil
          $0.finalDBSnapshotIdentifier = snapshot
        })
    }
    guard isThere != nil else { return }
    try await waitFor {
      let left = try await Self.unlessGone(["DBClusterNotFoundFault"]) {
        try await call.invoke(RDS.describeDBClusters, .make { $0.dbClusterIdentifier = id })
      }
      return left == nil ? () : nil
    }
  }

  /// Returns when the cluster is available.
  /// - Throws: `AWSError` `NotStabilized` when it cannot be run.
  private func clusterHandle(_ id: String, _ call: CallContext) async throws -> ResourceHandle {
    try await waitFor {
      let found = try await call.invoke(RDS.describeDBClusters, .make { $0.dbClusterIdentifier = id }).dbClusters?.first
      guard let cluster = found else { return nil }
      if let status = cluster.status, Status.failures.contains(status) {
        throw RDSError.notStabilized("DB Cluster \(id)", status, cluster.statusInfos?.first?.message)
      }
      guard cluster.status == "available" else { return nil }
      var attributes: [String: JSONValue] = [
        "Endpoint.Address": .string(cluster.endpoint ?? ""), "Endpoint.Port": .string(String(cluster.port ?? 5432)),
        "ReadEndpoint.Address": .string(cluster.readerEndpoint ?? ""),
        "DBClusterArn": .string(cluster.dbClusterArn ?? ""),
        "DBClusterResourceId": .string(cluster.dbClusterResourceId ?? ""),
      ]
      if let secret = cluster.masterUserSecret?.secretArn { attributes["MasterUserSecret.SecretArn"] = .string(secret) }
      return ResourceHandle(id, attributes: attributes)
    }
  }
}
