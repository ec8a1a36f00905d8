// ModifyReplicationGroup, TestFailover, DeleteReplicationGroup: the wish is recorded, the reconciler fulfils it.

import AWSCore
import AWSWire
import ElastiCacheModel
import ServiceKit
import Store
import Supervisor

extension ElastiCacheService {
  private func change(
    _ id: String, _ call: CallContext,
    _ body: @escaping @Sendable (inout GroupRecord, ObservedRecord?, Transaction) throws -> Void
  ) async throws -> ElastiCache.ReplicationGroup {
    let (group, seen) = try await store.write { tx in
      var (group, seen) = try Self.group(id, call.scope, tx)
      try body(&group, seen, tx)
      try tx.put(group, call.scope)
      return (group, seen)
    }
    return Self.wire(group, seen, await endpoints(group))
  }

  private static func requireAvailable(_ group: GroupRecord, _ seen: ObservedRecord?) throws {
    let status = Status.group(group, seen)
    guard status == "available" else {
      throw CacheError.groupState("Replication group \(group.id) is not in available state: \(status)")
    }
  }

  func modifyGroup(
    _ input: ElastiCache.ModifyReplicationGroupMessage, _ call: CallContext
  ) async throws -> ElastiCache.ModifyReplicationGroupResult {
    try Self.refuseUnbuilt(input)
    let known = try await store.read { try Self.group(input.replicationGroupId, call.scope, $0).0 }
    var securityGroups: [String]?
    if let ids = input.securityGroupIds {
      securityGroups = try await self.securityGroups(ids, vpc: known.vpc ?? "", call)
    }
    let chosen = securityGroups
    let group = try await change(input.replicationGroupId, call) { group, seen, tx in
      try Self.requireAvailable(group, seen)
      try self.apply(input, to: &group, seen, tx, call)
      if let chosen { group.securityGroups = chosen }
    }
    return .make { $0.replicationGroup = group }
  }

  private static func refuseUnbuilt(_ input: ElastiCache.ModifyReplicationGroupMessage) throws {
    func refuse(_ isAsked: Bool, _ what: String) throws {
      if isAsked { throw AWSError.notImplemented("ElastiCache: " + what) }
    }
    try refuse(input.engine.map { $0 != "redis" } ?? false, "the engine \(input.engine ?? "") (only redis)")
    try refuse(input.clusterMode.map { $0 != "disabled" } ?? false, "cluster mode")
    try refuse(
      !(input.userGroupIdsToAdd?.isEmpty ?? true) || !(input.userGroupIdsToRemove?.isEmpty ?? true),
      "user groups (RBAC)")
    try refuse(!(input.cacheSecurityGroupNames?.isEmpty ?? true), "cache security groups (EC2-Classic)")
    try refuse(input.snapshottingClusterId?.isEmpty == false, "daily snapshots (SnapshottingClusterId)")
  }

  private func apply(
    _ input: ElastiCache.ModifyReplicationGroupMessage, to group: inout GroupRecord, _ seen: ObservedRecord?,
    _ tx: Snapshot, _ call: CallContext
  ) throws {
    if let asked = input.engineVersion {
      guard let version = Versions.resolve(asked) else {
        throw CacheError.combination("Cannot find version \(asked) for redis")
      }
      group.engineVersion = version
    }
    if let name = input.cacheParameterGroupName?.lowercased() {
      try Self.checkParameterGroup(name, version: group.engineVersion, tx, call)
      group.parameterGroup = name
    }
    if let days = input.snapshotRetentionLimit {
      guard CacheLimits.retentionDays.contains(days) else {
        throw CacheError.invalid("SnapshotRetentionLimit must be between 0 and 35.")
      }
      group.snapshotRetention = days
    }
    group.automaticFailover = input.automaticFailoverEnabled ?? group.automaticFailover
    group.multiAZ = input.multiAZEnabled ?? group.multiAZ
    if group.automaticFailover && group.nodes.count < 2 {
      throw CacheError.combination(
        "When using automatic failover, there must be at least 2 cache clusters in the replication group.")
    }
    if group.multiAZ && !group.automaticFailover {
      throw CacheError.combination("Must have automatic failover enabled if MultiAZ is enabled.")
    }
    group.description = input.replicationGroupDescription ?? group.description
    group.nodeType = input.cacheNodeType ?? group.nodeType
    group.autoMinorVersionUpgrade = input.autoMinorVersionUpgrade ?? group.autoMinorVersionUpgrade
    group.maintenanceWindow = input.preferredMaintenanceWindow?.lowercased() ?? group.maintenanceWindow
    group.snapshotWindow = input.snapshotWindow ?? group.snapshotWindow
    group.notificationTopic = input.notificationTopicArn ?? group.notificationTopic
    group.ipDiscovery = input.ipDiscovery ?? group.ipDiscovery
    group.transitEncryption = input.transitEncryptionEnabled ?? group.transitEncryption
    group.transitEncryptionMode = input.transitEncryptionMode ?? group.transitEncryptionMode
    group.logDeliveries = Self.logDeliveries(input.logDeliveryConfigurations, over: group.logDeliveries)
    try applyToken(input, to: &group, call)
    if let target = input.primaryClusterId?.lowercased() {
      guard group.nodes.contains(where: { $0.id == target }) else { throw CacheError.clusterNotFound(target) }
      if target != seen?.primary { group.failover = .init(request: call.requestID, target: target) }
    }
  }

  /// ROTATE adds the new token beside the current one, SET leaves the new one alone, DELETE takes all away.
  private func applyToken(
    _ input: ElastiCache.ModifyReplicationGroupMessage, to group: inout GroupRecord, _ call: CallContext
  ) throws {
    guard input.authToken != nil || input.authTokenUpdateStrategy != nil else { return }
    let current = try group.openTokens(store.sealer)
    var next: [String]
    switch (input.authTokenUpdateStrategy ?? "ROTATE", input.authToken) {
    case ("DELETE", nil): next = []
    case ("DELETE", _?): throw CacheError.combination("AuthToken cannot be given with the strategy DELETE.")
    case (_, nil): throw CacheError.combination("AuthToken must be given with AuthTokenUpdateStrategy.")
    case ("SET", let token?):
      try Self.checkToken(token)
      next = [token]
    case ("ROTATE", let token?):
      try Self.checkToken(token)
      // A group without a token keeps taking connections without one until SET.
      guard !current.isEmpty else {
        throw AWSError.notImplemented("ElastiCache: ROTATE on a group without a token (use SET)")
      }
      next = current.suffix(1).filter { $0 != token } + [token]
    case (let strategy, _): throw CacheError.invalid("Invalid AuthTokenUpdateStrategy: \(strategy)")
    }
    if !next.isEmpty && !group.transitEncryption {
      throw CacheError.combination("The AUTH token is only supported when encryption-in-transit is enabled.")
    }
    guard next != current else { return }
    try group.setTokens(next, store.sealer)
    group.tokenChanged = call.now
    group.tokenVersion += 1
  }

  func testFailover(
    _ input: ElastiCache.TestFailoverMessage, _ call: CallContext
  ) async throws -> ElastiCache.TestFailoverResult {
    let group = try await change(input.replicationGroupId, call) { group, seen, _ in
      guard input.nodeGroupId == Self.nodeGroupID else {
        throw AWSError("NodeGroupNotFoundFault", "Node group \(input.nodeGroupId) not found.", status: 404)
      }
      try Self.requireAvailable(group, seen)
      guard group.automaticFailover else {
        throw CacheError.groupState("Automatic failover must be enabled on \(group.id) to test it.")
      }
      guard seen?.availableReplicas.isEmpty == false else {
        throw AWSError("TestFailoverNotAvailableFault", "No available replica of \(group.id) can take over now.")
      }
      group.failover = .init(request: call.requestID, target: nil)
    }
    return .make { $0.replicationGroup = group }
  }

  func deleteGroup(
    _ input: ElastiCache.DeleteReplicationGroupMessage, _ call: CallContext
  ) async throws -> ElastiCache.DeleteReplicationGroupResult {
    if input.retainPrimaryCluster == true {
      throw AWSError.notImplemented(
        "ElastiCache: keeping the primary cluster of a deleted group (RetainPrimaryCluster)")
    }
    let name = input.finalSnapshotIdentifier?.lowercased()
    let files = reconciler.family.snapshots
    let group = try await change(input.replicationGroupId, call) { group, seen, tx in
      guard group.wanted != .deleted else {
        throw CacheError.groupState(
          "Replication group \(group.id) has status deleting, which is not valid for deletion.")
      }
      if let name {
        guard try tx.get(SnapshotRecord.self, call.scope, name) == nil else {
          throw AWSError("SnapshotAlreadyExistsFault", "Snapshot with name \(name) already exists.")
        }
        try tx.put(
          SnapshotRecord(
            name: name, arn: call.arn("elasticache", "snapshot:\(name)"), group: group.id, created: call.now,
            status: "creating", engineVersion: group.engineVersion, nodeType: group.nodeType, port: group.port,
            folder: files.folder(account: call.account, region: call.region, id: name)),
          call.scope)
      }
      group.finalSnapshot = name
      group.failover = nil
      group.wanted = .deleted
    }
    return .make { $0.replicationGroup = group }
  }
}
