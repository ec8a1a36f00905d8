// AWS::ElastiCache::ReplicationGroup for CloudFormation.

import AWSCore
import AWSWire
import ElastiCacheModel
import ServiceKit

extension ElastiCacheService {
  private static let groupProperties: Set<String> = [
    "AtRestEncryptionEnabled", "AuthToken", "AutomaticFailoverEnabled", "AutoMinorVersionUpgrade", "CacheNodeType",
    "CacheParameterGroupName", "CacheSubnetGroupName", "ClusterMode", "DataTieringEnabled", "Engine", "EngineVersion",
    "IpDiscovery", "KmsKeyId", "LogDeliveryConfigurations", "MultiAZEnabled", "NetworkType", "NodeGroupConfiguration",
    "NotificationTopicArn", "NumCacheClusters", "NumNodeGroups", "Port", "PreferredCacheClusterAZs",
    "PreferredMaintenanceWindow", "ReplicasPerNodeGroup", "ReplicationGroupDescription", "ReplicationGroupId",
    "SecurityGroupIds", "SnapshotArns", "SnapshotName", "SnapshotRetentionLimit", "SnapshotWindow", "Tags",
    "TransitEncryptionEnabled", "TransitEncryptionMode", "UserGroupIds",
  ]
  /// On AWS a change of these adds or removes nodes.
  private static let sizes: Set<String> = [
    "NodeGroupConfiguration", "NumCacheClusters", "NumNodeGroups", "ReplicasPerNodeGroup",
  ]

  /// Ref is the id; made when all nodes are available.
  var groupProvider: ResourceProvider {
    ResourceProvider(
      "AWS::ElastiCache::ReplicationGroup", properties: Self.groupProperties,
      replacedBy: [
        "AtRestEncryptionEnabled", "CacheSubnetGroupName", "DataTieringEnabled", "KmsKeyId", "NetworkType", "Port",
        "PreferredCacheClusterAZs", "ReplicationGroupId", "SnapshotArns", "SnapshotName",
      ],
      create: { properties, context in
        let call = context.call.viaCloudFormation
        var input = try Self.mapper.input(ElastiCache.createReplicationGroup, properties, ignoring: ["Tags"])
        if input.replicationGroupId.isEmpty { input.replicationGroupId = Self.name(context, maxLength: 40) }
        input.tags = Self.wire(context.allTags(properties))
        _ = try await call.invoke(ElastiCache.createReplicationGroup, input)
        return ResourceHandle(input.replicationGroupId)
      },
      stabilize: { handle, context in
        try await self.groupHandle(handle.physicalID, context.call.viaCloudFormation)
      },
      update: { handle, old, new, context in
        let call = context.call.viaCloudFormation
        for name in Self.sizes where old[name] != new[name] {
          throw AWSError.notImplemented("ElastiCache: changing the number of nodes of a group (\(name))")
        }
        var changed: [String: JSONValue] = [:]
        for (name, value) in new.object ?? [:] where value != old[name] { changed[name] = value }
        if changed["AuthToken"] != nil {
          changed["AuthTokenUpdateStrategy"] = old["AuthToken"] == nil ? "SET" : "ROTATE"
        }
        changed["Tags"] = nil
        var input = try Self.mapper.structure(
          ElastiCache.ModifyReplicationGroupMessage.self, .object(changed))
        input.replicationGroupId = handle.physicalID
        input.applyImmediately = true
        if !changed.isEmpty { _ = try await call.invoke(ElastiCache.modifyReplicationGroup, input) }
        try await Self.updateTags(
          call.arn("elasticache", "replicationgroup:\(handle.physicalID.lowercased())"), new, context)
        return try await self.groupHandle(handle.physicalID, call)
      },
      delete: { handle, _, context in try await self.deleteGroup(handle.physicalID, context) })
  }

  private func deleteGroup(_ id: String, _ context: ResourceContext) async throws {
    let call = context.call.viaCloudFormation
    let snapshot = context.deletionPolicy == "Snapshot" ? Self.name(context, maxLength: 50) : nil
    let isThere: Void? = try await Self.unlessGone(["ReplicationGroupNotFoundFault"]) {
      _ = try await call.invoke(
        ElastiCache.deleteReplicationGroup,
        .make {
          $0.replicationGroupId = id
          $0.finalSnapshotIdentifier = snapshot
        })
    }
    guard isThere != nil else { return }
    try await waitFor {
      let left = try await Self.unlessGone(["ReplicationGroupNotFoundFault"]) {
        try await call.invoke(ElastiCache.describeReplicationGroups, .make { $0.replicationGroupId = id })
      }
      return left == nil ? () : nil
    }
  }

  /// - Throws: `AWSError` `NotStabilized` when the group, or one of its nodes, will not become available.
  private func checkNotFailed(_ id: String, _ call: CallContext) async throws {
    let (group, seen) = try await store.read { try Self.group(id, call.scope, $0) }
    guard let failure = Status.failure(group, seen) else { return }
    let status = Status.group(group, seen)
    let bad = group.nodes.first { Status.failures.contains(Status.node($0.id, group, seen)) }
    let word = status == Status.createFailed ? status : bad.map { Status.node($0.id, group, seen) } ?? status
    throw CacheError.notStabilized("Replication Group \(group.id)", word, Events.told(failure))
  }

  /// Returns when the group is available.
  /// - Throws: `AWSError` `NotStabilized` when it will not become so.
  private func groupHandle(_ id: String, _ call: CallContext) async throws -> ResourceHandle {
    try await waitFor {
      try await checkNotFailed(id, call)
      let answer = try await call.invoke(ElastiCache.describeReplicationGroups, .make { $0.replicationGroupId = id })
      guard let group = answer.replicationGroups?.first, group.status == "available",
        let nodes = group.nodeGroups?.first
      else { return nil }
      func text(_ endpoint: ElastiCache.Endpoint?) -> (address: JSONValue, port: JSONValue) {
        (.string(endpoint?.address ?? ""), .string(String(endpoint?.port ?? 6379)))
      }
      let (primary, reader) = (text(nodes.primaryEndpoint), text(nodes.readerEndpoint))
      let replicas = (nodes.nodeGroupMembers ?? []).map { text($0.readEndpoint) }
      let addresses = replicas.compactMap(\.address.text)
      let ports = replicas.compactMap(\.port.text)
      return ResourceHandle(
        group.replicationGroupId ?? id,
        attributes: [
          "PrimaryEndPoint.Address": primary.address, "PrimaryEndPoint.Port": primary.port,
          "ReaderEndPoint.Address": reader.address, "ReaderEndPoint.Port": reader.port,
          "ReadEndPoint.Addresses": .string("[" + addresses.joined(separator: ", ") + "]"),
          "ReadEndPoint.Ports": .string("[" + ports.joined(separator: ", ") + "]"),
          "ReadEndPoint.Addresses.List": .array(addresses.map { .string($0) }),
          "ReadEndPoint.Ports.List": .array(ports.map { .string($0) }),
        ])
    }
  }
}
