// Finding records, for operations and for IAM.

import AWSCore
import AWSWire
import EC2Model
import KMSModel
import RDSModel
import ServiceKit
import Store

extension RDSService {
  /// A cluster with all that its description needs.
  struct ClusterFacts: Sendable {
    var cluster: ClusterRecord
    var instances: [InstanceRecord]
    var observed: ObservedRecord?
    var group: ParameterGroupRecord?

    var status: String { Status.cluster(cluster, instances, observed) }

    /// - Throws: `InvalidDBClusterStateFault`.
    func requireAvailable() throws {
      guard status == "available" else { throw RDSError.notAvailable(cluster.id, status) }
    }
  }

  /// - Throws: `DBClusterNotFoundFault`.
  static func facts(_ id: String, _ scope: Scope, _ tx: Snapshot) throws -> ClusterFacts {
    let id = Identifier.of(id, kind: "cluster")
    guard let cluster = try tx.get(ClusterRecord.self, scope, id) else { throw RDSError.clusterNotFound(id) }
    return try facts(cluster, scope, tx)
  }

  static func facts(_ cluster: ClusterRecord, _ scope: Scope, _ tx: Snapshot) throws -> ClusterFacts {
    ClusterFacts(
      cluster: cluster, instances: try tx.find(InstanceRecord.self, scope, index: "cluster", cluster.id),
      observed: try tx.get(ObservedRecord.self, scope, cluster.id),
      group: try tx.get(ParameterGroupRecord.self, scope, cluster.parameterGroup))
  }

  func facts(_ id: String, _ call: CallContext) async throws -> ClusterFacts {
    try await store.read { try Self.facts(id, call.scope, $0) }
  }

  static func instance(_ id: String, _ scope: Scope, _ tx: Snapshot) throws -> InstanceRecord {
    let id = Identifier.of(id, kind: "db")
    guard let instance = try tx.get(InstanceRecord.self, scope, id) else { throw RDSError.instanceNotFound(id) }
    return instance
  }

  // MARK: IAM

  func clusterAccess(_ id: String, _ call: CallContext) async throws -> [ResourceAccess] {
    let cluster = try await facts(id, call).cluster
    return [ResourceAccess(cluster.arn, tags: cluster.tags)]
  }

  func instanceAccess(_ id: String, _ call: CallContext) async throws -> [ResourceAccess] {
    let instance = try await store.read { try Self.instance(id, call.scope, $0) }
    return [ResourceAccess(instance.arn, tags: instance.tags)]
  }

  func createClusterAccess(_ input: RDS.CreateDBClusterMessage, _ call: CallContext) async throws -> [ResourceAccess] {
    [ResourceAccess(call.arn("rds", "cluster:\(input.dbClusterIdentifier.lowercased())"))]
  }

  func createInstanceAccess(_ input: RDS.CreateDBInstanceMessage, _ call: CallContext) async throws -> [ResourceAccess]
  {
    [ResourceAccess(call.arn("rds", "db:\(input.dbInstanceIdentifier.lowercased())"))]
  }

  // MARK: What other services know

  /// The subnets with these ids; those of the default VPC when none are named.
  /// - Throws: `InvalidSubnet`.
  func subnets(_ ids: [String]?, _ call: CallContext) async throws -> (vpc: String, subnets: [SubnetGroupRecord.Subnet])
  {
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
      found = try await call.acting(as: "rds.amazonaws.com").invoke(EC2.describeSubnets, request).subnets ?? []
    } catch let error as AWSError where error.status < 500 {
      throw AWSError("InvalidSubnet", "Some input subnets in :[\((ids ?? []).joined(separator: ", "))] are invalid.")
    }
    guard !found.isEmpty, ids.map({ Set($0).count == found.count }) ?? true else {
      throw AWSError(
        "InvalidSubnet", "No default subnet detected in VPC. Please contact AWS Support to recreate default Subnets")
    }
    let vpcs = Set(found.compactMap(\.vpcId))
    guard vpcs.count == 1, let vpc = vpcs.first else {
      throw RDSError.invalid("Some input subnets in :[\((ids ?? []).joined(separator: ", "))] are not in the same VPC.")
    }
    return (
      vpc,
      found.map { .init(id: $0.subnetId ?? "", zone: $0.availabilityZone ?? "") }.sorted {
        ($0.zone, $0.id) < ($1.zone, $1.id)
      }
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
      found =
        try await call.acting(as: "rds.amazonaws.com").invoke(EC2.describeSecurityGroups, request).securityGroups ?? []
    } catch let error as AWSError where error.status < 500 {
      throw RDSError.invalid("Invalid security group , groupId= \((ids ?? []).joined(separator: ", ")), groupName=.")
    }
    if let stranger = found.first(where: { $0.vpcId != vpc }) {
      throw AWSError(
        "InvalidVPCNetworkStateFault",
        "The DB instance and EC2 security group are in different VPCs. The DB instance is in \(vpc) and "
          + "the EC2 security "
          + "group is in \(stranger.vpcId ?? "another").")
    }
    return found.compactMap(\.groupId)
  }

  /// The ARN of a KMS key that can be used; RDS's own when none is named.
  /// - Throws: `KMSKeyNotAccessibleFault`.
  func kmsKey(_ id: String?, service: String = "rds", _ call: CallContext) async throws -> String {
    do {
      // The managed key is asked for by the service; another one by whoever names it, who must be allowed to.
      let asking = id == nil ? call.acting(as: "rds.amazonaws.com") : call
      let name = id ?? "alias/aws/\(service)"
      let key = try await asking.invoke(KMS.describeKey, .make { $0.keyId = name }).keyMetadata
      guard let key, key.enabled == true, let arn = key.arn else {
        throw RDSError.keyNotAccessible(name, "the key is not enabled")
      }
      return arn
    } catch let error as AWSError where error.code != "KMSKeyNotAccessibleFault" && error.status < 500 {
      throw RDSError.keyNotAccessible(id ?? "aws/\(service)", error.message)
    }
  }
}
