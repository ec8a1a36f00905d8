// DescribeReplicationGroups, DescribeCacheClusters, DescribeCacheEngineVersions.

import AWSCore
import AWSWire
import ElastiCacheModel
import ServiceKit
import Store

extension ElastiCacheService {
  /// The only node group.
  static let nodeGroupID = "0001"

  typealias EndpointAddresses = (primary: (address: String, port: Int), reader: (address: String, port: Int))

  /// Where a group's endpoints listen: as wanted, unless the Gate had to take something else.
  func endpoints(_ group: GroupRecord) async -> EndpointAddresses {
    let primary = await reconciler.family.board.binding(Endpoints.primaryID(group.arn))
    let reader = await reconciler.family.board.binding(Endpoints.readerID(group.arn))
    return (primary ?? (group.primaryAddress, group.port), reader ?? (group.readerAddress, group.port))
  }

  func describeGroups(
    _ input: ElastiCache.DescribeReplicationGroupsMessage, _ call: CallContext
  ) async throws -> ElastiCache.ReplicationGroupMessage {
    let all = try await store.read { tx -> [(GroupRecord, ObservedRecord?)] in
      if let id = input.replicationGroupId, !id.isEmpty { return [try Self.group(id, call.scope, tx)] }
      return try tx.list(GroupRecord.self, call.scope).map { try Self.group($0.id, call.scope, tx) }
    }
    let page = try Page(all, limit: input.maxRecords, marker: input.marker, place: \.0.id)
    var groups: [ElastiCache.ReplicationGroup] = []
    for (group, seen) in page.items { groups.append(Self.wire(group, seen, await endpoints(group))) }
    return .make {
      $0.replicationGroups = groups
      $0.marker = page.marker
    }
  }

  static func endpoint(_ address: String, _ port: Int) -> ElastiCache.Endpoint {
    .make {
      $0.address = address
      $0.port = port
    }
  }

  static func wire(
    _ group: GroupRecord, _ seen: ObservedRecord?, _ endpoints: EndpointAddresses?
  ) -> ElastiCache.ReplicationGroup {
    let status = Status.group(group, seen)
    return .make {
      $0.replicationGroupId = group.id
      $0.arn = group.arn
      $0.description = group.description
      $0.status = status
      $0.engine = "redis"
      $0.replicationGroupCreateTime = group.created
      $0.memberClusters = group.nodes.map(\.id)
      $0.nodeGroups = [nodeGroup(group, seen, endpoints, status)]
      $0.pendingModifiedValues = .make { pending in
        if group.tokenVersion > (seen?.tokenVersion ?? 0), group.tokenVersion > 1 {
          pending.authTokenStatus = "SETTING"
        }
      }
      $0.automaticFailover = group.automaticFailover ? "enabled" : "disabled"
      $0.multiAZ = group.multiAZ ? "enabled" : "disabled"
      $0.clusterEnabled = false
      $0.clusterMode = "disabled"
      $0.cacheNodeType = group.nodeType
      $0.authTokenEnabled = group.tokens != nil
      $0.authTokenLastModifiedDate = group.tokenChanged
      $0.transitEncryptionEnabled = group.transitEncryption
      $0.transitEncryptionMode = group.transitEncryptionMode
      $0.atRestEncryptionEnabled = group.atRestEncryption
      $0.kmsKeyId = group.kmsKey
      $0.autoMinorVersionUpgrade = group.autoMinorVersionUpgrade
      $0.snapshotRetentionLimit = group.snapshotRetention
      $0.snapshotWindow = group.snapshotWindow
      $0.dataTiering = "disabled"
      $0.ipDiscovery = group.ipDiscovery
      $0.networkType = group.networkType
      $0.userGroupIds = []
      $0.logDeliveryConfigurations = group.logDeliveries.map(wire)
      $0.globalReplicationGroupInfo = .make { _ in }
    }
  }

  private static func nodeGroup(
    _ group: GroupRecord, _ seen: ObservedRecord?, _ endpoints: EndpointAddresses?, _ status: String
  ) -> ElastiCache.NodeGroup {
    let primary = seen?.primary ?? group.nodes.first?.id
    return .make {
      $0.nodeGroupId = nodeGroupID
      $0.status = status
      $0.primaryEndpoint = endpoint(
        endpoints?.primary.address ?? group.primaryAddress, endpoints?.primary.port ?? group.port)
      $0.readerEndpoint = endpoint(
        endpoints?.reader.address ?? group.readerAddress, endpoints?.reader.port ?? group.port)
      $0.nodeGroupMembers = group.nodes.map { node in
        .make {
          $0.cacheClusterId = node.id
          $0.cacheNodeId = "0001"
          $0.currentRole = node.id == primary ? "primary" : "replica"
          $0.preferredAvailabilityZone = node.zone
          $0.readEndpoint = endpoint(node.address, node.port)
        }
      }
    }
  }

  private static func wire(_ delivery: GroupRecord.LogDelivery) -> ElastiCache.LogDeliveryConfiguration {
    .make {
      $0.logType = delivery.type
      $0.logFormat = delivery.format
      $0.destinationType = delivery.destinationType
      $0.status = "active"
      $0.destinationDetails = .make {
        if let group = delivery.logGroup { $0.cloudWatchLogsDetails = .make { $0.logGroup = group } }
        if let stream = delivery.deliveryStream { $0.kinesisFirehoseDetails = .make { $0.deliveryStream = stream } }
      }
    }
  }

  // MARK: Nodes

  func describeClusters(
    _ input: ElastiCache.DescribeCacheClustersMessage, _ call: CallContext
  ) async throws -> ElastiCache.CacheClusterMessage {
    typealias Item = (node: GroupRecord.Node, group: GroupRecord, seen: ObservedRecord?)
    let id = input.cacheClusterId?.lowercased()
    var all = try await store.read { tx -> [Item] in
      try tx.list(GroupRecord.self, call.scope).flatMap { group -> [Item] in
        let seen = try tx.get(ObservedRecord.self, call.scope, group.id)
        return group.nodes.filter { id == nil || $0.id == id }.map { ($0, group, seen) }
      }
    }
    if let id, all.isEmpty { throw CacheError.clusterNotFound(id) }
    // All there are belong to groups.
    if input.showCacheClustersNotInReplicationGroups == true { all = [] }
    let page = try Page(all, limit: input.maxRecords, marker: input.marker, place: \.node.id)
    return .make {
      $0.cacheClusters = page.items.map {
        Self.wire($0.node, $0.group, $0.seen, withNodes: input.showCacheNodeInfo ?? false, call)
      }
      $0.marker = page.marker
    }
  }

  private static func wire(
    _ node: GroupRecord.Node, _ group: GroupRecord, _ seen: ObservedRecord?, withNodes: Bool, _ call: CallContext
  ) -> ElastiCache.CacheCluster {
    let status = Status.node(node.id, group, seen)
    return .make {
      $0.cacheClusterId = node.id
      $0.arn = call.arn("elasticache", "cluster:\(node.id)")
      $0.replicationGroupId = group.id
      $0.cacheClusterStatus = status
      $0.cacheClusterCreateTime = group.created
      $0.cacheNodeType = group.nodeType
      $0.engine = "redis"
      $0.engineVersion = group.engineVersion
      $0.numCacheNodes = 1
      $0.preferredAvailabilityZone = node.zone
      $0.preferredMaintenanceWindow = group.maintenanceWindow
      $0.pendingModifiedValues = .make { _ in }
      $0.cacheSecurityGroups = []
      $0.cacheParameterGroup = .make {
        $0.cacheParameterGroupName = group.parameterGroup
        $0.parameterApplyStatus = "in-sync"
        $0.cacheNodeIdsToReboot = []
      }
      $0.cacheSubnetGroupName = group.subnetGroup
      $0.securityGroups = group.securityGroups.map { id in
        .make {
          $0.securityGroupId = id
          $0.status = "active"
        }
      }
      $0.autoMinorVersionUpgrade = group.autoMinorVersionUpgrade
      $0.snapshotRetentionLimit = group.snapshotRetention
      $0.snapshotWindow = group.snapshotWindow
      $0.authTokenEnabled = group.tokens != nil
      $0.authTokenLastModifiedDate = group.tokenChanged
      $0.transitEncryptionEnabled = group.transitEncryption
      $0.transitEncryptionMode = group.transitEncryptionMode
      $0.atRestEncryptionEnabled = group.atRestEncryption
      $0.ipDiscovery = group.ipDiscovery
      $0.networkType = group.networkType
      $0.replicationGroupLogDeliveryEnabled = !group.logDeliveries.isEmpty
      $0.logDeliveryConfigurations = []
      if let topic = group.notificationTopic {
        $0.notificationConfiguration = .make {
          $0.topicArn = topic
          $0.topicStatus = "active"
        }
      }
      if withNodes {
        $0.cacheNodes = [
          .make {
            $0.cacheNodeId = "0001"
            $0.cacheNodeStatus = status
            $0.cacheNodeCreateTime = group.created
            $0.endpoint = endpoint(node.address, node.port)
            $0.parameterGroupStatus = "in-sync"
            $0.customerAvailabilityZone = node.zone
          }
        ]
      }
    }
  }

  func describeEngineVersions(
    _ input: ElastiCache.DescribeCacheEngineVersionsMessage, _ call: CallContext
  ) async throws -> ElastiCache.CacheEngineVersionMessage {
    var versions = Versions.all
    if let engine = input.engine, engine != "redis" { versions = [] }
    if let asked = input.engineVersion {
      let full = Versions.resolve(asked)
      versions = versions.filter { $0 == full }
    }
    if let family = input.cacheParameterGroupFamily { versions = versions.filter { Versions.family($0) == family } }
    if input.defaultOnly == true { versions = versions.suffix(1) }
    let page = try Page(versions, limit: input.maxRecords, marker: input.marker) { $0 }
    return .make {
      $0.cacheEngineVersions = page.items.map { version in
        .make {
          $0.engine = "redis"
          $0.engineVersion = version
          $0.cacheParameterGroupFamily = Versions.family(version)
          $0.cacheEngineDescription = "Redis"
          $0.cacheEngineVersionDescription = "redis version \(version), run by the Redis of this machine"
        }
      }
      $0.marker = page.marker
    }
  }
}
