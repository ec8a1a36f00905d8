// AWS::ElastiCache::SubnetGroup and AWS::ElastiCache::ParameterGroup for CloudFormation.

import AWSCore
import AWSWire
import ElastiCacheModel
import ServiceKit
import Store

extension ElastiCacheService {
  /// Ref is the name.
  var subnetGroupProvider: ResourceProvider {
    ResourceProvider(
      "AWS::ElastiCache::SubnetGroup", properties: ["CacheSubnetGroupName", "Description", "SubnetIds", "Tags"],
      replacedBy: ["CacheSubnetGroupName"],
      create: { properties, context in
        let made = try await context.call.viaCloudFormation.invoke(
          ElastiCache.createCacheSubnetGroup,
          .make {
            $0.cacheSubnetGroupName =
              properties["CacheSubnetGroupName"]?.text ?? Self.name(context, maxLength: 200)
            $0.cacheSubnetGroupDescription = properties["Description"]?.text ?? ""
            $0.subnetIds = (properties["SubnetIds"]?.array ?? []).compactMap(\.text)
            $0.tags = Self.wire(context.allTags(properties))
          })
        return ResourceHandle(made.cacheSubnetGroup?.cacheSubnetGroupName ?? "")
      },
      update: { handle, _, new, context in
        let answer = try await context.call.viaCloudFormation.invoke(
          ElastiCache.modifyCacheSubnetGroup,
          .make {
            $0.cacheSubnetGroupName = handle.physicalID
            $0.cacheSubnetGroupDescription = new["Description"]?.text
            $0.subnetIds = (new["SubnetIds"]?.array ?? []).compactMap(\.text)
          })
        try await Self.updateTags(answer.cacheSubnetGroup?.arn ?? "", new, context)
        return handle
      },
      delete: { handle, _, context in
        _ = try await Self.unlessGone(["CacheSubnetGroupNotFoundFault"]) {
          try await context.call.viaCloudFormation.invoke(
            ElastiCache.deleteCacheSubnetGroup, .make { $0.cacheSubnetGroupName = handle.physicalID })
        }
      })
  }

  /// Ref is the name. There are no operations for these groups yet, so the provider keeps the record itself; the
  /// group's
  /// known settings reach the servers.
  var parameterGroupProvider: ResourceProvider {
    ResourceProvider(
      "AWS::ElastiCache::ParameterGroup",
      properties: ["CacheParameterGroupFamily", "Description", "Properties", "Tags"],
      replacedBy: ["CacheParameterGroupFamily", "Description"],
      create: { properties, context in
        let name = Self.name(context, maxLength: 200)
        let call = context.call
        let record = ParameterGroupRecord(
          name: name, arn: call.arn("elasticache", "parametergroup:\(name)"), family: try Self.family(properties),
          description: properties["Description"]?.text ?? "", values: try Self.values(properties),
          tags: context.allTags(properties))
        try await self.store.write { try $0.put(record, call.scope) }
        return ResourceHandle(name, attributes: ["CacheParameterGroupName": .string(name)])
      },
      update: { handle, _, new, context in
        let values = try Self.values(new)
        let tags = context.allTags(new)
        let scope = context.call.scope
        try await self.store.write { tx in
          guard var record = try tx.get(ParameterGroupRecord.self, scope, handle.physicalID) else {
            throw CacheError.parameterGroupNotFound(handle.physicalID)
          }
          record.values = values
          record.tags = tags
          try tx.put(record, scope)
        }
        return handle
      },
      delete: { handle, _, context in
        let scope = context.call.scope
        try await self.store.write { tx in
          guard try tx.find(GroupRecord.self, scope, index: "parameter-group", handle.physicalID).isEmpty else {
            throw AWSError(
              "InvalidCacheParameterGroupState",
              "One or more cache clusters are still members of this parameter group \(handle.physicalID).")
          }
          try tx.delete(ParameterGroupRecord.self, scope, handle.physicalID)
        }
      })
  }

  private static func family(_ properties: JSONValue) throws -> String {
    let family = properties["CacheParameterGroupFamily"]?.text ?? ""
    guard Versions.families.contains(family) else {
      throw CacheError.invalid("CacheParameterGroupFamily \(family) is not a valid parameter group family.")
    }
    return family
  }

  private static func values(_ properties: JSONValue) throws -> [String: String] {
    var values: [String: String] = [:]
    for (name, value) in properties["Properties"]?.object ?? [:] {
      guard Parameters.applied.contains(name) || Parameters.recorded.contains(name), let text = value.text else {
        throw AWSError.notImplemented("ElastiCache: the parameter \(name)")
      }
      values[name] = text
    }
    return values
  }
}
