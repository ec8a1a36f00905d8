// Finding records, for operations and for IAM, and what other services know.

import AWSCore
import AWSWire
import EC2Model
import ElastiCacheModel
import KMSModel
import ServiceKit
import Store

extension ElastiCacheService {
  /// - Throws: `ReplicationGroupNotFoundFault`.
  static func group(_ id: String, _ scope: Scope, _ tx: Snapshot) throws -> (GroupRecord, ObservedRecord?) {
    let id = id.lowercased()
    guard let group = try tx.get(GroupRecord.self, scope, id) else { throw CacheError.groupNotFound(id) }
    return (group, try tx.get(ObservedRecord.self, scope, id))
  }

  func groupAccess(_ id: String, _ call: CallContext) async throws -> [ResourceAccess] {
    let group = try await store.read { try Self.group(id, call.scope, $0).0 }
    return [ResourceAccess(group.arn, tags: group.tags)]
  }

  func createAccess(
    _ input: ElastiCache.CreateReplicationGroupMessage, _ call: CallContext
  ) async throws -> [ResourceAccess] {
    [ResourceAccess(call.arn("elasticache", "replicationgroup:\(input.replicationGroupId.lowercased())"))]
  }

  /// The subnets with these ids; those of the default VPC when none are named.
  /// - Throws: `InvalidSubnet`.
  func subnets(
    _ ids: [String]?, _ call: CallContext
  ) async throws -> (vpc: String, subnets: [SubnetGroupRecord.Subnet]) {
    var request = EC2.DescribeSubnetsRequest()
    if let ids {
      request.subnetIds = ids
    } else {
      request.filters = [
        .make {
          $0.name = "default-for-az"
          $0.values = ["true"]
        }
      ]
    }
    let found: [EC2.Subnet]
    do {
      found = try await call.acting(as: "elasticache.amazonaws.com").invoke(EC2.describeSubnets, request).subnets ?? []
    } catch let error as AWSError where error.status < 500 {
      throw AWSError("InvalidSubnet", "Some input subnets in :[\((ids ?? []).joined(separator: ", "))] are invalid.")
    }
    guard !found.isEmpty, ids.map({ Set($0).count == found.count }) ?? true else {
      throw AWSError("InvalidSubnet", "No default subnet detected in VPC.")
    }
    let vpcs = Set(found.compactMap(\.vpcId))
    guard vpcs.count == 1, let vpc = vpcs.first else {
      throw AWSError("InvalidSubnet", "The subnets are not in the same VPC: \(vpcs.sorted().joined(separator: ", "))")
    }
    return (
      vpc,
      found.map { .init(id: $0.subnetId ?? "", zone: $0.availabilityZone ?? "") }
        .sorted { ($0.zone, $0.id) < ($1.zone, $1.id) }
    )
  }

  /// The named security groups, or the VPC's default one.
  /// - Throws: `InvalidParameterValue`.
  func securityGroups(_ ids: [String]?, vpc: String, _ call: CallContext) async throws -> [String] {
    var request = EC2.DescribeSecurityGroupsRequest()
    if let ids, !ids.isEmpty {
      request.groupIds = ids
    } else {
      request.filters = [("vpc-id", vpc), ("group-name", "default")].map { name, value in
        .make {
          $0.name = name
          $0.values = [value]
        }
      }
    }
    let found: [EC2.SecurityGroup]
    do {
      let service = call.acting(as: "elasticache.amazonaws.com")
      found = try await service.invoke(EC2.describeSecurityGroups, request).securityGroups ?? []
    } catch let error as AWSError where error.status < 500 {
      throw CacheError.invalid("Some security group Ids are invalid: \((ids ?? []).joined(separator: ", "))")
    }
    guard found.allSatisfy({ $0.vpcId == vpc }) else {
      throw AWSError(
        "InvalidVPCNetworkStateFault", "A security group is not in the VPC \(vpc) of the cache subnet group.")
    }
    return found.compactMap(\.groupId)
  }

  /// The ARN of a KMS key that can be used; nil for the one that ElastiCache owns.
  /// - Throws: `InvalidKMSKeyFault`.
  func kmsKey(_ id: String?, _ call: CallContext) async throws -> String? {
    guard let id else { return nil }
    do {
      let key = try await call.invoke(KMS.describeKey, .make { $0.keyId = id }).keyMetadata
      guard let key, key.enabled == true, let arn = key.arn else {
        throw AWSError("InvalidKMSKeyFault", "The KMS key \(id) is not enabled.")
      }
      return arn
    } catch let error as AWSError where error.code != "InvalidKMSKeyFault" && error.status < 500 {
      throw AWSError("InvalidKMSKeyFault", "The KMS key supplied is not valid: \(error.message)")
    }
  }
}
