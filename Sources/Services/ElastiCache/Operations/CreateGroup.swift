// CreateReplicationGroup.

import AWSCore
import AWSWire
import ElastiCacheModel
import ServiceKit
import Store
import Supervisor

extension ElastiCacheService {
  func createGroup(
    _ input: ElastiCache.CreateReplicationGroupMessage, _ call: CallContext
  ) async throws -> ElastiCache.CreateReplicationGroupResult {
    try Self.refuseUnbuilt(input)
    let id = try Self.identifier(input.replicationGroupId)
    guard let version = Versions.resolve(input.engineVersion) else {
      throw CacheError.combination("Cannot find version \(input.engineVersion ?? "") for redis")
    }
    let count = try Self.nodeCount(input)
    let failsOver = input.automaticFailoverEnabled ?? false
    let isMultiAZ = input.multiAZEnabled ?? false
    if failsOver && count < 2 {
      throw CacheError.combination(
        "When using automatic failover, there must be at least 2 cache clusters in the replication group.")
    }
    if isMultiAZ && !failsOver {
      throw CacheError.combination("Must have automatic failover enabled if MultiAZ is enabled.")
    }
    if let token = input.authToken {
      guard input.transitEncryptionEnabled == true else {
        throw CacheError.combination("The AUTH token is only supported when encryption-in-transit is enabled.")
      }
      try Self.checkToken(token)
    }
    let port = input.port ?? 6379
    guard CacheLimits.ports.contains(port) else { throw CacheError.invalid("Invalid port: \(port)") }
    let retention = input.snapshotRetentionLimit ?? 0
    guard CacheLimits.retentionDays.contains(retention) else {
      throw CacheError.invalid("SnapshotRetentionLimit must be between 0 and 35.")
    }
    let tags = try Self.read(input.tags, call)
    if try await store.get(GroupRecord.self, call.scope, id) != nil { throw CacheError.groupExists(id) }
    guard await EngineProbe.redis() != nil else {
      throw AWSError(
        "InsufficientCacheClusterCapacity", "redis-server is not installed (Debian: apt-get install redis-server)")
    }
    var record = try await record(id, input, version: version, count: count, port: port, tags: tags, call)
    if let token = input.authToken {
      try record.setTokens([token], store.sealer)
      record.tokenChanged = call.now
    }
    record.automaticFailover = failsOver
    record.multiAZ = isMultiAZ
    let group = record
    try await store.write { tx in
      if try tx.get(GroupRecord.self, call.scope, id) != nil { throw CacheError.groupExists(id) }
      guard try tx.count(GroupRecord.self, call.scope) < CacheLimits.groupsMax else {
        throw AWSError(
          "NodeQuotaForCustomerExceeded", "Cannot create more than \(CacheLimits.groupsMax) replication groups.")
      }
      try Self.checkParameterGroup(group.parameterGroup, version: version, tx, call)
      try tx.put(group, call.scope)
    }
    return .make { $0.replicationGroup = Self.wire(group, nil, nil) }
  }

  private func record(
    _ id: String, _ input: ElastiCache.CreateReplicationGroupMessage, version: String, count: Int, port: Int,
    tags: [String: String], _ call: CallContext
  ) async throws -> GroupRecord {
    let subnets = try await subnetGroup(input.cacheSubnetGroupName, call)
    let securityGroups = try await securityGroups(input.securityGroupIds, vpc: subnets.vpc, call)
    let atRest = input.atRestEncryptionEnabled ?? false
    if input.kmsKeyId != nil && !atRest {
      throw CacheError.combination("KmsKeyId can only be given when AtRestEncryptionEnabled is true.")
    }
    let key = try await kmsKey(input.kmsKeyId, call)
    let arn = call.arn("elasticache", "replicationgroup:\(id)")
    let zones = Set(subnets.subnets.map(\.zone)).sorted()
    var nodes: [GroupRecord.Node] = []
    for number in 1...count {
      let name = "\(id)-00\(number)"
      let address = try await environment.addresses.address(for: Endpoints.nodeOwner(arn, name))
      let asked = input.preferredCacheClusterAZs ?? []
      let zone = number <= asked.count ? asked[number - 1] : zones.isEmpty ? "" : zones[(number - 1) % zones.count]
      nodes.append(
        .init(id: name, address: address, port: try FreePort.on(address, preferring: port), zone: zone))
    }
    let window = input.preferredMaintenanceWindow?.lowercased() ?? "sun:05:00-sun:06:00"
    return GroupRecord(
      id: id, arn: arn, resourceID: "\(id)-\(call.ids.hex(10))", description: input.replicationGroupDescription,
      created: call.now, engineVersion: version, nodeType: input.cacheNodeType ?? "cache.t4g.micro", nodes: nodes,
      port: port, primaryAddress: try await environment.addresses.address(for: Endpoints.primaryID(arn)),
      readerAddress: try await environment.addresses.address(for: Endpoints.readerID(arn)), subnetGroup: subnets.name,
      vpc: subnets.vpc,
      parameterGroup: input.cacheParameterGroupName?.lowercased() ?? Versions.defaultParameterGroup(version),
      securityGroups: securityGroups, automaticFailover: false, multiAZ: false,
      transitEncryption: input.transitEncryptionEnabled ?? false,
      transitEncryptionMode: input.transitEncryptionMode
        ?? (input.transitEncryptionEnabled == true && Versions.family(version) == "redis7" ? "required" : nil),
      atRestEncryption: atRest, kmsKey: key, autoMinorVersionUpgrade: input.autoMinorVersionUpgrade ?? true,
      maintenanceWindow: window, snapshotRetention: input.snapshotRetentionLimit ?? 0,
      snapshotWindow: input.snapshotWindow ?? "03:00-04:00", notificationTopic: input.notificationTopicArn,
      logDeliveries: Self.logDeliveries(input.logDeliveryConfigurations, over: []),
      ipDiscovery: input.ipDiscovery ?? "ipv4", networkType: input.networkType ?? "ipv4", tags: tags)
  }

  // MARK: Checks

  /// What this ElastiCache cannot do is refused, not forgotten.
  private static func refuseUnbuilt(_ input: ElastiCache.CreateReplicationGroupMessage) throws {
    let engine = input.engine ?? "redis"
    guard engine == "redis" else {
      throw AWSError.notImplemented("ElastiCache: the engine \(engine) (only redis)")
    }
    func refuse(_ isAsked: Bool, _ what: String) throws {
      if isAsked { throw AWSError.notImplemented("ElastiCache: " + what) }
    }
    try refuse(
      (input.numNodeGroups ?? 1) > 1 || input.clusterMode == "enabled"
        || input.cacheParameterGroupName?.hasSuffix(".cluster.on") == true
        || (input.nodeGroupConfiguration?.count ?? 1) > 1,
      "cluster mode (more than one node group)")
    try refuse(input.globalReplicationGroupId != nil, "global datastores")
    try refuse(input.primaryClusterId != nil, "making a replication group from a cache cluster (PrimaryClusterId)")
    try refuse(
      input.snapshotName != nil || !(input.snapshotArns?.isEmpty ?? true) || input.serverlessCacheSnapshotName != nil,
      "restoring from a snapshot")
    try refuse(!(input.userGroupIds?.isEmpty ?? true), "user groups (RBAC)")
    try refuse(input.dataTieringEnabled == true, "data tiering")
    try refuse(!(input.cacheSecurityGroupNames?.isEmpty ?? true), "cache security groups (EC2-Classic)")
    try refuse(input.networkType == "ipv6" || input.networkType == "dual_stack", "IPv6")
  }

  static func identifier(_ text: String) throws -> String {
    let lower = text.lowercased()
    let isPlain = lower.utf8.allSatisfy { byte in
      (48...57).contains(byte) || (97...122).contains(byte) || byte == UInt8(ascii: "-")
    }
    guard (1...40).contains(lower.utf8.count), isPlain, lower.first?.isLetter == true, lower.last != "-",
      !lower.contains("--")
    else {
      throw CacheError.invalid(
        "The parameter ReplicationGroupIdentifier is not a valid identifier. Identifiers must begin "
          + "with a letter; must "
          + "contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two "
          + "consecutive hyphens."
      )
    }
    return lower
  }

  private static func nodeCount(_ input: ElastiCache.CreateReplicationGroupMessage) throws -> Int {
    if input.numCacheClusters != nil && (input.replicasPerNodeGroup != nil || input.nodeGroupConfiguration != nil) {
      throw CacheError.combination("NumCacheClusters and ReplicasPerNodeGroup cannot be given together.")
    }
    let count =
      input.numCacheClusters
      ?? ((input.nodeGroupConfiguration?.first?.replicaCount ?? input.replicasPerNodeGroup ?? 0) + 1)
    guard (1...CacheLimits.nodesMax).contains(count) else {
      throw CacheError.invalid("A node group must have 0 to 5 replicas.")
    }
    return count
  }

  static func checkToken(_ token: String) throws {
    let isPlain = token.utf8.allSatisfy { byte in
      (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        || "!&#$^<>-".utf8.contains(byte)
    }
    guard CacheLimits.tokenLengths.contains(token.utf8.count), isPlain else {
      throw CacheError.invalid(
        "Invalid AuthToken provided. It must be 16 to 128 letters, digits or characters of !&#$^<>- long.")
    }
  }

  /// - Throws: `CacheParameterGroupNotFound`, `InvalidParameterCombination`.
  static func checkParameterGroup(_ name: String, version: String, _ tx: Snapshot, _ call: CallContext) throws {
    let family = Versions.family(version)
    if name == "default.\(family)" { return }
    guard let group = try tx.get(ParameterGroupRecord.self, call.scope, name) else {
      throw CacheError.parameterGroupNotFound(name)
    }
    guard group.family == family else {
      throw CacheError.combination(
        "Expected a parameter group of family \(family) but found one of family \(group.family)")
    }
  }

  static func logDeliveries(
    _ asked: [ElastiCache.LogDeliveryConfigurationRequest]?, over old: [GroupRecord.LogDelivery]
  ) -> [GroupRecord.LogDelivery] {
    var all = old
    for request in asked ?? [] {
      let type = request.logType ?? ""
      all.removeAll { $0.type == type }
      guard request.enabled != false else { continue }
      all.append(
        .init(
          type: type, format: request.logFormat ?? "json", destinationType: request.destinationType ?? "",
          logGroup: request.destinationDetails?.cloudWatchLogsDetails?.logGroup,
          deliveryStream: request.destinationDetails?.kinesisFirehoseDetails?.deliveryStream))
    }
    return all.sorted { $0.type < $1.type }
  }
}
