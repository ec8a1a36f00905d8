// DescribeDBClusters and what a cluster looks like.

import AWSCore
import AWSWire
import RDSModel
import ServiceKit
import Store

extension RDSService {
  func describeClusters(_ input: RDS.DescribeDBClustersMessage, _ call: CallContext) async throws
    -> RDS.DBClusterMessage
  {
    let all = try await store.read { tx -> [ClusterFacts] in
      if let id = input.dbClusterIdentifier, !id.isEmpty { return [try Self.facts(id, call.scope, tx)] }
      return try tx.list(ClusterRecord.self, call.scope).map { try Self.facts($0, call.scope, tx) }
    }
    let chosen = try all.filter { facts in
      try Filters.pass(
        input.filters,
        [
          "db-cluster-id": [facts.cluster.id, facts.cluster.arn], "db-cluster-resource-id": [facts.cluster.resourceID],
          "engine": [EngineVersions.engine], "domain": [], "clone-group-id": [],
        ])
    }
    let page = try Page(chosen, limit: input.maxRecords, marker: input.marker, place: \.cluster.id)
    var clusters: [RDS.DBCluster] = []
    for facts in page.items { clusters.append(Self.wire(facts, await endpoints(facts.cluster))) }
    return .make {
      $0.dbClusters = clusters
      $0.marker = page.marker
    }
  }

  /// Where a cluster's endpoints listen: as wanted, unless the Gate had to take something else.
  func endpoints(_ cluster: ClusterRecord) async -> (writer: (address: String, port: Int), reader: String) {
    let writer = await reconciler.family.board.binding(Endpoints.writerID(cluster.arn))
    let reader = await reconciler.family.board.binding(Endpoints.readerID(cluster.arn))
    return (writer ?? (cluster.writerAddress, cluster.port), reader?.address ?? cluster.readerAddress)
  }

  static func wire(
    _ facts: ClusterFacts, _ endpoints: (writer: (address: String, port: Int), reader: String)?
  ) -> RDS.DBCluster {
    let cluster = facts.cluster
    let settings = cluster.settings
    return .make {
      $0.dbClusterIdentifier = cluster.id
      $0.dbClusterArn = cluster.arn
      $0.dbClusterResourceId = cluster.resourceID
      $0.clusterCreateTime = cluster.created
      $0.status = facts.status
      $0.engine = EngineVersions.engine
      $0.engineMode = "provisioned"
      $0.engineVersion = cluster.engineVersion
      $0.engineLifecycleSupport = settings.engineLifecycleSupport
      $0.databaseName = cluster.databaseName
      $0.masterUsername = cluster.masterUsername
      $0.endpoint = endpoints?.writer.address ?? cluster.writerAddress
      $0.readerEndpoint = endpoints?.reader ?? cluster.readerAddress
      $0.port = endpoints?.writer.port ?? cluster.port
      $0.hostedZoneId = hostedZone
      $0.availabilityZones = cluster.zones
      $0.multiAZ = Set(facts.instances.filter { !$0.isDeleting }.map(\.zone)).count > 1
      $0.dbSubnetGroup = cluster.subnetGroup
      $0.dbClusterParameterGroup = cluster.parameterGroup
      $0.vpcSecurityGroups = securityGroups(cluster.securityGroups)
      $0.storageEncrypted = cluster.storageEncrypted
      $0.kmsKeyId = cluster.kmsKey
      $0.allocatedStorage = 1
      $0.dbClusterMembers = members(facts)
      $0.associatedRoles = []
      $0.readReplicaIdentifiers = []
      $0.earliestRestorableTime = cluster.created
      $0.tagList = wire(cluster.tags)
      if let secret = cluster.secret { $0.masterUserSecret = masterSecret(secret, facts.status) }
      apply(settings, to: &$0)
      if let failure = facts.observed?.failure {
        $0.statusInfos = [
          .make {
            $0.message = Events.told(failure)
            $0.normal = false
            $0.status = facts.status
            $0.statusType = "castle"
          }
        ]
      }
    }
  }

  private static func apply(_ settings: ClusterSettings, to cluster: inout RDS.DBCluster) {
    cluster.backupRetentionPeriod = settings.backupRetention
    cluster.preferredBackupWindow = settings.backupWindow
    cluster.preferredMaintenanceWindow = settings.maintenanceWindow
    cluster.copyTagsToSnapshot = settings.copyTagsToSnapshot
    cluster.deletionProtection = settings.deletionProtection
    cluster.enabledCloudwatchLogsExports = settings.logExports
    cluster.storageType = settings.storageType
    cluster.networkType = settings.networkType
    cluster.autoMinorVersionUpgrade = settings.autoMinorVersionUpgrade
    cluster.iamDatabaseAuthenticationEnabled = false
    cluster.httpEndpointEnabled = false
    cluster.crossAccountClone = false
    cluster.activityStreamStatus = "stopped"
    cluster.localWriteForwardingStatus = "disabled"
    cluster.databaseInsightsMode = settings.databaseInsights ?? "standard"
    cluster.monitoringInterval = settings.monitoringInterval
    cluster.monitoringRoleArn = settings.monitoringRole
    cluster.performanceInsightsEnabled = settings.performanceInsights
    cluster.performanceInsightsKMSKeyId = settings.performanceInsightsKey
    cluster.performanceInsightsRetentionPeriod = settings.performanceInsightsRetention
    if let low = settings.minCapacity, let high = settings.maxCapacity {
      cluster.serverlessV2ScalingConfiguration = .make {
        $0.minCapacity = low
        $0.maxCapacity = high
        $0.secondsUntilAutoPause = settings.secondsUntilAutoPause
      }
    }
  }

  /// The members, the writer first. Before the engine has said who writes, it is the first instance.
  private static func members(_ facts: ClusterFacts) -> [RDS.DBClusterMember] {
    let live = facts.instances.filter { !$0.isDeleting }.sorted { $0.number < $1.number }
    let writer = writer(facts)
    return live.sorted { a, b in (a.id == writer ? 0 : 1, a.number) < (b.id == writer ? 0 : 1, b.number) }
      .map { instance in
        let needsRestart = facts.observed?.instances[instance.id]?.needsRestart == true
        return .make {
          $0.dbInstanceIdentifier = instance.id
          $0.isClusterWriter = instance.id == writer
          $0.dbClusterParameterGroupStatus = needsRestart ? "pending-reboot" : "in-sync"
          $0.promotionTier = instance.promotionTier
        }
      }
  }

  static func writer(_ facts: ClusterFacts) -> String? {
    let live = facts.instances.filter { !$0.isDeleting }
    let seen = facts.observed?.resourceID == facts.cluster.resourceID ? facts.observed?.writer : nil
    if let seen, live.contains(where: { $0.id == seen }) { return seen }
    return live.min { $0.number < $1.number }?.id
  }

  static func masterSecret(_ secret: ClusterRecord.MasterSecret, _ status: String) -> RDS.MasterUserSecret {
    .make {
      $0.secretArn = secret.arn
      $0.kmsKeyId = secret.kmsKey
      $0.secretStatus =
        status == "creating" ? "creating" : status == "resetting-master-credentials" ? "rotating" : "active"
    }
  }

  static func securityGroups(_ ids: [String]) -> [RDS.VpcSecurityGroupMembership] {
    ids.map { id in
      .make {
        $0.vpcSecurityGroupId = id
        $0.status = "active"
      }
    }
  }

  /// The zone that RDS's names would be in; here addresses are given instead.
  static let hostedZone = "Z2R2ITUGPM61AM"
}
