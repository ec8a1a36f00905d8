// AWS::RDS::DBInstance, AWS::RDS::DBSubnetGroup, AWS::RDS::DBClusterParameterGroup for CloudFormation.

import AWSCore
import AWSWire
import RDSModel
import ServiceKit

extension RDSService {
  private static let instanceProperties: Set<String> = [
    "AutoMinorVersionUpgrade", "AvailabilityZone", "CACertificateIdentifier", "CopyTagsToSnapshot",
    "DatabaseInsightsMode", "DBClusterIdentifier", "DBInstanceClass", "DBInstanceIdentifier", "DBParameterGroupName",
    "DBSubnetGroupName", "EnablePerformanceInsights", "Engine", "EngineVersion", "MonitoringInterval",
    "MonitoringRoleArn", "PerformanceInsightsKMSKeyId", "PerformanceInsightsRetentionPeriod",
    "PreferredMaintenanceWindow", "PromotionTier", "PubliclyAccessible", "StorageType", "StorageEncrypted", "KmsKeyId",
  ]
  /// What an instance has of its cluster; said again in many templates.
  private static let inherited: Set<String> = ["Tags", "StorageType", "StorageEncrypted", "KmsKeyId"]

  /// Ref is the identifier; made when its PostgreSQL answers.
  var instanceProvider: ResourceProvider {
    ResourceProvider(
      "AWS::RDS::DBInstance", properties: Self.instanceProperties.union(["Tags"]),
      replacedBy: ["AvailabilityZone", "DBClusterIdentifier", "DBInstanceIdentifier", "DBSubnetGroupName", "Engine"],
      create: { properties, context in
        let call = context.call.viaCloudFormation
        var input = try Self.mapper.input(RDS.createDBInstance, properties, ignoring: Self.inherited)
        if input.dbInstanceIdentifier.isEmpty { input.dbInstanceIdentifier = Self.name(context) }
        input.tags = Self.wireTags(properties, context)
        _ = try await call.invoke(RDS.createDBInstance, input)
        return ResourceHandle(input.dbInstanceIdentifier)
      },
      stabilize: { handle, context in
        try await self.instanceHandle(handle.physicalID, context.call.viaCloudFormation)
      },
      update: { handle, old, new, context in
        let call = context.call.viaCloudFormation
        var changed: [String: JSONValue] = [:]
        for (name, value) in new.object ?? [:] where value != old[name] { changed[name] = value }
        var input = try Self.mapper.structure(
          RDS.ModifyDBInstanceMessage.self, .object(changed), ignoring: Self.inherited.union(["EngineVersion"]))
        input.dbInstanceIdentifier = handle.physicalID
        input.applyImmediately = true
        let answer = try await call.invoke(RDS.modifyDBInstance, input)
        try await Self.updateTags(answer.dbInstance?.dbInstanceArn ?? "", new, context)
        return try await self.instanceHandle(handle.physicalID, call)
      },
      delete: { handle, _, context in
        let call = context.call.viaCloudFormation
        let id = handle.physicalID
        // Who was told to delete before is waited for.
        _ = try await Self.unlessGone(["DBInstanceNotFound", "InvalidDBInstanceState"]) {
          try await call.invoke(
            RDS.deleteDBInstance,
            .make {
              $0.dbInstanceIdentifier = id
              $0.skipFinalSnapshot = true
            })
        }
        try await self.waitFor {
          let left = try await Self.unlessGone(["DBInstanceNotFound"]) {
            try await call.invoke(RDS.describeDBInstances, .make { $0.dbInstanceIdentifier = id })
          }
          return left == nil ? () : nil
        }
      })
  }

  /// - Throws: `AWSError` `NotStabilized` when the instance will not become available.
  private func checkNotFailed(_ instance: RDS.DBInstance, what: String) throws {
    guard let status = instance.dbInstanceStatus, Status.failures.contains(status) else { return }
    throw RDSError.notStabilized(
      "\(what) \(instance.dbInstanceIdentifier ?? "")", status, instance.statusInfos?.first?.message)
  }

  /// The writer of an instance's cluster, when it is another one: nothing comes up beside a writer that has failed.
  private func writer(of instance: RDS.DBInstance, _ call: CallContext) async throws -> RDS.DBInstance? {
    guard let cluster = instance.dbClusterIdentifier else { return nil }
    let members = try await call.invoke(RDS.describeDBClusters, .make { $0.dbClusterIdentifier = cluster }).dbClusters?
      .first?.dbClusterMembers
    let writer = members?.first { $0.isClusterWriter == true }?.dbInstanceIdentifier
    guard let writer, writer != instance.dbInstanceIdentifier else { return nil }
    return try await call.invoke(RDS.describeDBInstances, .make { $0.dbInstanceIdentifier = writer }).dbInstances?.first
  }

  /// Returns when the instance is available.
  /// - Throws: `AWSError` `NotStabilized` when its server, or its cluster's writer, does not come up.
  private func instanceHandle(_ id: String, _ call: CallContext) async throws -> ResourceHandle {
    try await waitFor {
      let found = try await call.invoke(RDS.describeDBInstances, .make { $0.dbInstanceIdentifier = id }).dbInstances?
        .first
      guard let instance = found, let status = instance.dbInstanceStatus else { return nil }
      try checkNotFailed(instance, what: "DB Instance")
      guard status == "available" else {
        if let writer = try await writer(of: instance, call) {
          try checkNotFailed(writer, what: "DB Instance \(id) waits for its cluster's writer: DB Instance")
        }
        return nil
      }
      return ResourceHandle(
        id,
        attributes: [
          "Endpoint.Address": .string(instance.endpoint?.address ?? ""),
          "Endpoint.Port": .string(String(instance.endpoint?.port ?? 5432)),
          "Endpoint.HostedZoneId": .string(Self.hostedZone), "DBInstanceArn": .string(instance.dbInstanceArn ?? ""),
          "DbiResourceId": .string(instance.dbiResourceId ?? ""),
        ])
    }
  }

  // MARK: Groups

  /// Ref is the name.
  var subnetGroupProvider: ResourceProvider {
    ResourceProvider(
      "AWS::RDS::DBSubnetGroup", properties: ["DBSubnetGroupDescription", "DBSubnetGroupName", "SubnetIds", "Tags"],
      replacedBy: ["DBSubnetGroupName"],
      create: { properties, context in
        var input = try Self.mapper.input(RDS.createDBSubnetGroup, properties, ignoring: ["Tags"])
        if input.dbSubnetGroupName.isEmpty { input.dbSubnetGroupName = Self.name(context) }
        input.tags = Self.wireTags(properties, context)
        let made = try await context.call.viaCloudFormation.invoke(RDS.createDBSubnetGroup, input).dbSubnetGroup
        return ResourceHandle(made?.dbSubnetGroupName ?? input.dbSubnetGroupName)
      },
      update: { handle, _, new, context in
        var input = try Self.mapper.structure(
          RDS.ModifyDBSubnetGroupMessage.self, new, ignoring: ["Tags", "DBSubnetGroupName"])
        input.dbSubnetGroupName = handle.physicalID
        let answer = try await context.call.viaCloudFormation.invoke(RDS.modifyDBSubnetGroup, input)
        try await Self.updateTags(answer.dbSubnetGroup?.dbSubnetGroupArn ?? "", new, context)
        return handle
      },
      delete: { handle, _, context in
        _ = try await Self.unlessGone(["DBSubnetGroupNotFoundFault"]) {
          try await context.call.viaCloudFormation.invoke(
            RDS.deleteDBSubnetGroup, .make { $0.dbSubnetGroupName = handle.physicalID })
        }
      })
  }

  /// Ref is the name.
  var parameterGroupProvider: ResourceProvider {
    ResourceProvider(
      "AWS::RDS::DBClusterParameterGroup",
      properties: ["DBClusterParameterGroupName", "Description", "Family", "Parameters", "Tags"],
      replacedBy: ["DBClusterParameterGroupName", "Description", "Family"],
      create: { properties, context in
        let call = context.call.viaCloudFormation
        let name = properties["DBClusterParameterGroupName"]?.text ?? Self.name(context)
        _ = try await call.invoke(
          RDS.createDBClusterParameterGroup,
          .make {
            $0.dbClusterParameterGroupName = name
            $0.dbParameterGroupFamily = properties["Family"]?.text ?? ""
            $0.description = properties["Description"]?.text ?? ""
            $0.tags = Self.wireTags(properties, context)
          })
        do { try await Self.setParameters(name, properties, call) } catch {
          _ = try await call.invoke(RDS.deleteDBClusterParameterGroup, .make { $0.dbClusterParameterGroupName = name })
          throw error
        }
        return ResourceHandle(name.lowercased())
      },
      update: { handle, old, new, context in
        let call = context.call.viaCloudFormation
        let gone = Set((old["Parameters"]?.object ?? [:]).keys).subtracting((new["Parameters"]?.object ?? [:]).keys)
        if !gone.isEmpty {
          _ = try await call.invoke(
            RDS.resetDBClusterParameterGroup,
            .make {
              $0.dbClusterParameterGroupName = handle.physicalID
              $0.parameters = gone.sorted().map { name in .make { $0.parameterName = name } }
            })
        }
        try await Self.setParameters(handle.physicalID, new, call)
        try await Self.updateTags(call.arn("rds", "cluster-pg:\(handle.physicalID)"), new, context)
        return handle
      },
      delete: { handle, _, context in
        _ = try await Self.unlessGone(["DBParameterGroupNotFound"]) {
          try await context.call.viaCloudFormation.invoke(
            RDS.deleteDBClusterParameterGroup, .make { $0.dbClusterParameterGroupName = handle.physicalID })
        }
      })
  }

  /// Sets a group's parameters, twenty at a time; static ones hold after a reboot.
  private static func setParameters(_ name: String, _ properties: JSONValue, _ call: CallContext) async throws {
    let all = (properties["Parameters"]?.object ?? [:]).sorted { $0.key < $1.key }
    for start in stride(from: 0, to: all.count, by: 20) {
      _ = try await call.invoke(
        RDS.modifyDBClusterParameterGroup,
        .make {
          $0.dbClusterParameterGroupName = name
          $0.parameters = all[start..<min(start + 20, all.count)].map { key, value in
            .make {
              $0.parameterName = key
              $0.parameterValue = value.text
              $0.applyMethod = Parameters.byName[key]?.isStatic == false ? "immediate" : "pending-reboot"
            }
          }
        })
    }
  }
}
