// DescribeDBInstances and what an instance looks like.

import AWSCore
import AWSWire
import RDSModel
import ServiceKit
import Store

extension RDSService {
  func describeInstances(
    _ input: RDS.DescribeDBInstancesMessage, _ call: CallContext
  ) async throws -> RDS.DBInstanceMessage {
    typealias Item = (instance: InstanceRecord, facts: ClusterFacts, group: SubnetGroupRecord?)
    let all = try await store.read { tx -> [Item] in
      let instances =
        if let id = input.dbInstanceIdentifier, !id.isEmpty {
          [try Self.instance(id, call.scope, tx)]
        } else {
          try tx.list(InstanceRecord.self, call.scope)
        }
      return try instances.map { instance in
        let facts = try Self.facts(instance.cluster, call.scope, tx)
        return (instance, facts, try tx.get(SubnetGroupRecord.self, call.scope, facts.cluster.subnetGroup))
      }
    }
    let chosen = try all.filter { item in
      try Filters.pass(
        input.filters,
        [
          "db-instance-id": [item.instance.id, item.instance.arn],
          "db-cluster-id": [item.facts.cluster.id, item.facts.cluster.arn],
          "dbi-resource-id": [item.instance.resourceID], "engine": [EngineVersions.engine], "domain": [],
        ])
    }
    let page = try Page(chosen, limit: input.maxRecords, marker: input.marker, place: \.instance.id)
    return .make {
      $0.dbInstances = page.items.map { Self.wire($0.instance, $0.facts, $0.group) }
      $0.marker = page.marker
    }
  }

  static func wire(_ instance: InstanceRecord, _ facts: ClusterFacts, _ group: SubnetGroupRecord?) -> RDS.DBInstance {
    let cluster = facts.cluster
    return .make {
      $0.dbInstanceIdentifier = instance.id
      $0.dbInstanceArn = instance.arn
      $0.dbiResourceId = instance.resourceID
      $0.dbClusterIdentifier = cluster.id
      $0.dbInstanceClass = instance.instanceClass
      $0.dbInstanceStatus = Status.instance(instance, cluster, facts.observed)
      $0.instanceCreateTime = instance.created
      $0.engine = EngineVersions.engine
      $0.engineVersion = cluster.engineVersion
      $0.engineLifecycleSupport = cluster.settings.engineLifecycleSupport
      $0.licenseModel = "postgresql-license"
      $0.dbName = cluster.databaseName
      $0.masterUsername = cluster.masterUsername
      $0.endpoint = .make {
        $0.address = instance.address
        $0.port = instance.port
        $0.hostedZoneId = hostedZone
      }
      $0.dbInstancePort = 0
      $0.availabilityZone = instance.zone
      $0.multiAZ = false
      $0.promotionTier = instance.promotionTier
      $0.publiclyAccessible = instance.publiclyAccessible
      $0.autoMinorVersionUpgrade = instance.autoMinorVersionUpgrade
      $0.copyTagsToSnapshot = instance.copyTagsToSnapshot
      $0.deletionProtection = false
      $0.allocatedStorage = 1
      $0.storageType = cluster.settings.storageType ?? "aurora"
      $0.storageEncrypted = cluster.storageEncrypted
      $0.kmsKeyId = cluster.kmsKey
      $0.backupRetentionPeriod = cluster.settings.backupRetention
      $0.preferredBackupWindow = cluster.settings.backupWindow
      $0.preferredMaintenanceWindow = instance.maintenanceWindow
      $0.vpcSecurityGroups = securityGroups(cluster.securityGroups)
      $0.dbSecurityGroups = []
      $0.dbSubnetGroup = group.map(wire)
      apply(instance, facts, to: &$0)
    }
  }

  private static func apply(_ instance: InstanceRecord, _ facts: ClusterFacts, to out: inout RDS.DBInstance) {
    let seen = facts.observed?.instances[instance.id]
    out.dbParameterGroups = [
      .make {
        $0.dbParameterGroupName = instance.parameterGroup
        $0.parameterApplyStatus = seen?.needsRestart == true ? "pending-reboot" : "in-sync"
      }
    ]
    out.optionGroupMemberships = [
      .make {
        $0.optionGroupName = "default:aurora-postgresql-\(EngineVersions.major(facts.cluster.engineVersion) ?? 15)"
        $0.status = "in-sync"
      }
    ]
    out.caCertificateIdentifier = instance.caCertificate
    out.certificateDetails = .make { $0.caIdentifier = instance.caCertificate }
    out.monitoringInterval = instance.monitoringInterval
    out.monitoringRoleArn = instance.monitoringRole
    out.performanceInsightsEnabled = instance.performanceInsights
    out.performanceInsightsKMSKeyId = instance.performanceInsightsKey
    out.performanceInsightsRetentionPeriod = instance.performanceInsightsRetention
    out.databaseInsightsMode = instance.databaseInsights ?? facts.cluster.settings.databaseInsights ?? "standard"
    out.iamDatabaseAuthenticationEnabled = false
    out.networkType = facts.cluster.settings.networkType
    out.customerOwnedIpEnabled = false
    out.dedicatedLogVolume = false
    out.activityStreamStatus = "stopped"
    out.backupTarget = "region"
    out.associatedRoles = []
    out.readReplicaDBInstanceIdentifiers = []
    out.domainMemberships = []
    out.enabledCloudwatchLogsExports = facts.cluster.settings.logExports
    out.tagList = wire(instance.tags)
    if let failure = seen?.failure ?? facts.observed?.failure {
      out.statusInfos = [
        .make {
          $0.message = Events.told(failure)
          $0.normal = false
          $0.status = "error"
          $0.statusType = "castle"
        }
      ]
    }
  }
}
