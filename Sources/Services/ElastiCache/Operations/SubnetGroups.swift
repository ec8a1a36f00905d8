// Cache subnet groups.

import AWSCore
import AWSWire
import ElastiCacheModel
import ServiceKit
import Store

extension ElastiCacheService {
  func createSubnetGroup(
    _ input: ElastiCache.CreateCacheSubnetGroupMessage, _ call: CallContext
  ) async throws -> ElastiCache.CreateCacheSubnetGroupResult {
    let name = input.cacheSubnetGroupName.lowercased()
    let isPlain = name.utf8.allSatisfy { byte in
      (48...57).contains(byte) || (97...122).contains(byte) || "-_.".utf8.contains(byte)
    }
    guard (1...255).contains(name.utf8.count), isPlain else {
      throw CacheError.invalid(
        "The parameter CacheSubnetGroupName is not a valid identifier: \(input.cacheSubnetGroupName)")
    }
    guard name != "default" else { throw CacheError.subnetGroupExists(name) }
    let (vpc, subnets) = try await subnets(input.subnetIds, call)
    let record = SubnetGroupRecord(
      name: name, arn: call.arn("elasticache", "subnetgroup:\(name)"), description: input.cacheSubnetGroupDescription,
      vpc: vpc, subnets: subnets, tags: try Self.read(input.tags, call))
    try await store.write { tx in
      if try tx.get(SubnetGroupRecord.self, call.scope, name) != nil { throw CacheError.subnetGroupExists(name) }
      guard try tx.count(SubnetGroupRecord.self, call.scope) < CacheLimits.subnetGroupsMax else {
        throw AWSError(
          "CacheSubnetGroupQuotaExceeded", "Cannot create more than \(CacheLimits.subnetGroupsMax) subnet groups.")
      }
      try tx.put(record, call.scope)
    }
    return .make { $0.cacheSubnetGroup = Self.wire(record) }
  }

  func modifySubnetGroup(
    _ input: ElastiCache.ModifyCacheSubnetGroupMessage, _ call: CallContext
  ) async throws -> ElastiCache.ModifyCacheSubnetGroupResult {
    let name = input.cacheSubnetGroupName.lowercased()
    guard try await store.get(SubnetGroupRecord.self, call.scope, name) != nil else {
      throw CacheError.subnetGroupNotFound(name)
    }
    var new: (vpc: String, subnets: [SubnetGroupRecord.Subnet])?
    if let ids = input.subnetIds, !ids.isEmpty { new = try await subnets(ids, call) }
    let chosen = new
    let record = try await store.write { tx in
      guard var record = try tx.get(SubnetGroupRecord.self, call.scope, name) else {
        throw CacheError.subnetGroupNotFound(name)
      }
      if let chosen {
        let isUsed = try !tx.find(GroupRecord.self, call.scope, index: "subnet-group", name).isEmpty
        guard !isUsed || chosen.vpc == record.vpc else {
          throw AWSError("InvalidSubnet", "The new subnets are not in the VPC of the subnet group, which is in use.")
        }
        record.vpc = chosen.vpc
        record.subnets = chosen.subnets
      }
      record.description = input.cacheSubnetGroupDescription ?? record.description
      try tx.put(record, call.scope)
      return record
    }
    return .make { $0.cacheSubnetGroup = Self.wire(record) }
  }

  func deleteSubnetGroup(
    _ input: ElastiCache.DeleteCacheSubnetGroupMessage, _ call: CallContext
  ) async throws -> Empty {
    let name = input.cacheSubnetGroupName.lowercased()
    try await store.write { tx in
      if let user = try tx.find(GroupRecord.self, call.scope, index: "subnet-group", name).first {
        throw AWSError(
          "CacheSubnetGroupInUse", "Cache subnet group \(name) is currently in use by a cache cluster of \(user.id).")
      }
      guard try tx.delete(SubnetGroupRecord.self, call.scope, name) else { throw CacheError.subnetGroupNotFound(name) }
    }
    return Empty()
  }

  func describeSubnetGroups(
    _ input: ElastiCache.DescribeCacheSubnetGroupsMessage, _ call: CallContext
  ) async throws -> ElastiCache.CacheSubnetGroupMessage {
    let all = try await store.read { tx -> [SubnetGroupRecord] in
      guard let name = input.cacheSubnetGroupName?.lowercased() else {
        return try tx.list(SubnetGroupRecord.self, call.scope)
      }
      guard let record = try tx.get(SubnetGroupRecord.self, call.scope, name) else {
        throw CacheError.subnetGroupNotFound(name)
      }
      return [record]
    }
    let page = try Page(all, limit: input.maxRecords, marker: input.marker, place: \.name)
    return .make {
      $0.cacheSubnetGroups = page.items.map(Self.wire)
      $0.marker = page.marker
    }
  }

  /// The named group; without a name the group `default`, made of the default VPC's subnets when it is first needed.
  /// - Throws: `CacheSubnetGroupNotFoundFault`, `InvalidSubnet`.
  func subnetGroup(_ name: String?, _ call: CallContext) async throws -> SubnetGroupRecord {
    let id = name?.lowercased() ?? "default"
    if let known = try await store.get(SubnetGroupRecord.self, call.scope, id) { return known }
    guard id == "default" else { throw CacheError.subnetGroupNotFound(id) }
    let (vpc, subnets) = try await subnets(nil, call)
    let record = SubnetGroupRecord(
      name: "default", arn: call.arn("elasticache", "subnetgroup:default"), description: "default", vpc: vpc,
      subnets: subnets, tags: [:])
    try await store.write { tx in
      if try tx.get(SubnetGroupRecord.self, call.scope, "default") == nil { try tx.put(record, call.scope) }
    }
    return record
  }

  static func wire(_ group: SubnetGroupRecord) -> ElastiCache.CacheSubnetGroup {
    .make {
      $0.cacheSubnetGroupName = group.name
      $0.arn = group.arn
      $0.cacheSubnetGroupDescription = group.description
      $0.vpcId = group.vpc
      $0.supportedNetworkTypes = ["ipv4"]
      $0.subnets = group.subnets.map { subnet in
        .make {
          $0.subnetIdentifier = subnet.id
          $0.subnetAvailabilityZone = .make { $0.name = subnet.zone }
          $0.supportedNetworkTypes = ["ipv4"]
        }
      }
    }
  }
}
