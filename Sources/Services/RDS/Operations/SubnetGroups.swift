// DB subnet groups.

import AWSCore
import AWSWire
import RDSModel
import ServiceKit
import Store

extension RDSService {
  func createSubnetGroup(
    _ input: RDS.CreateDBSubnetGroupMessage, _ call: CallContext
  ) async throws -> RDS.CreateDBSubnetGroupResult {
    let name = try Self.groupName(input.dbSubnetGroupName, "DBSubnetGroupName")
    guard name != "default" else { throw RDSError.subnetGroupExists(name) }
    let (vpc, subnets) = try await checkedSubnets(input.subnetIds, call)
    let record = SubnetGroupRecord(
      name: name, arn: call.arn("rds", "subgrp:\(name)"), description: input.dbSubnetGroupDescription, vpc: vpc,
      subnets: subnets, tags: try Self.read(input.tags, call))
    try await store.write { tx in
      if try tx.get(SubnetGroupRecord.self, call.scope, name) != nil { throw RDSError.subnetGroupExists(name) }
      guard try tx.count(SubnetGroupRecord.self, call.scope) < RDSLimits.subnetGroupsMax else {
        throw RDSError.quota(
          "DBSubnetGroupQuotaExceeded", "Cannot create more than \(RDSLimits.subnetGroupsMax) DB subnet groups.")
      }
      try tx.put(record, call.scope)
    }
    return .make { $0.dbSubnetGroup = Self.wire(record) }
  }

  func modifySubnetGroup(
    _ input: RDS.ModifyDBSubnetGroupMessage, _ call: CallContext
  ) async throws -> RDS.ModifyDBSubnetGroupResult {
    let name = input.dbSubnetGroupName.lowercased()
    guard try await store.get(SubnetGroupRecord.self, call.scope, name) != nil else {
      throw RDSError.subnetGroupNotFound(name)
    }
    let (vpc, subnets) = try await checkedSubnets(input.subnetIds, call)
    let record = try await store.write { tx in
      guard var record = try tx.get(SubnetGroupRecord.self, call.scope, name) else {
        throw RDSError.subnetGroupNotFound(name)
      }
      let isUsed = try !tx.find(ClusterRecord.self, call.scope, index: "subnet-group", name).isEmpty
      guard !isUsed || vpc == record.vpc else {
        throw RDSError.invalid("The new Subnets are not in the same Vpc as the existing subnet group")
      }
      record.vpc = vpc
      record.subnets = subnets
      record.description = input.dbSubnetGroupDescription ?? record.description
      try tx.put(record, call.scope)
      return record
    }
    return .make { $0.dbSubnetGroup = Self.wire(record) }
  }

  func deleteSubnetGroup(_ input: RDS.DeleteDBSubnetGroupMessage, _ call: CallContext) async throws -> Empty {
    let name = input.dbSubnetGroupName.lowercased()
    try await store.write { tx in
      if let user = try tx.find(ClusterRecord.self, call.scope, index: "subnet-group", name).first {
        throw AWSError(
          "InvalidDBSubnetGroupStateFault",
          "Cannot delete the subnet group '\(name)' because at least one database cluster: \(user.id) is "
            + "still using it."
        )
      }
      guard try tx.delete(SubnetGroupRecord.self, call.scope, name) else { throw RDSError.subnetGroupNotFound(name) }
    }
    return Empty()
  }

  func describeSubnetGroups(
    _ input: RDS.DescribeDBSubnetGroupsMessage, _ call: CallContext
  ) async throws -> RDS.DBSubnetGroupMessage {
    let all = try await store.read { tx -> [SubnetGroupRecord] in
      guard let name = input.dbSubnetGroupName?.lowercased() else {
        return try tx.list(SubnetGroupRecord.self, call.scope)
      }
      guard let record = try tx.get(SubnetGroupRecord.self, call.scope, name) else {
        throw RDSError.subnetGroupNotFound(name)
      }
      return [record]
    }
    let page = try Page(all, limit: input.maxRecords, marker: input.marker, place: \.name)
    return .make {
      $0.dbSubnetGroups = page.items.map(Self.wire)
      $0.marker = page.marker
    }
  }

  // MARK: -

  /// The named group; without a name the group `default`, made of the default VPC's subnets when it is first needed.
  /// - Throws: `DBSubnetGroupNotFoundFault`, `InvalidSubnet`.
  func subnetGroup(_ name: String?, _ call: CallContext) async throws -> SubnetGroupRecord {
    let id = name?.lowercased() ?? "default"
    if let known = try await store.get(SubnetGroupRecord.self, call.scope, id) { return known }
    guard id == "default" else { throw RDSError.subnetGroupNotFound(id) }
    let (vpc, subnets) = try await subnets(nil, call)
    let record = SubnetGroupRecord(
      name: "default", arn: call.arn("rds", "subgrp:default"), description: "default", vpc: vpc, subnets: subnets,
      tags: [:])
    try await store.write { tx in
      if try tx.get(SubnetGroupRecord.self, call.scope, "default") == nil { try tx.put(record, call.scope) }
    }
    return record
  }

  private func checkedSubnets(
    _ ids: [String], _ call: CallContext
  ) async throws -> (vpc: String, subnets: [SubnetGroupRecord.Subnet]) {
    let found = try await subnets(ids, call)
    guard Set(found.subnets.map(\.zone)).count > 1 else {
      throw AWSError(
        "DBSubnetGroupDoesNotCoverEnoughAZs",
        "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: "
          + "\(found.subnets.first?.zone ?? "none"). Add subnets to cover at least 2 AZs.")
    }
    return found
  }

  static func groupName(_ text: String, _ parameter: String) throws -> String {
    let name = text.lowercased()
    let isPlain = name.utf8.allSatisfy { byte in
      (48...57).contains(byte) || (97...122).contains(byte) || "-_. ".utf8.contains(byte)
    }
    guard (1...255).contains(name.utf8.count), isPlain else {
      throw RDSError.invalid("The parameter \(parameter) is not a valid identifier: \(text)")
    }
    return name
  }

  static func wire(_ group: SubnetGroupRecord) -> RDS.DBSubnetGroup {
    .make {
      $0.dbSubnetGroupName = group.name
      $0.dbSubnetGroupArn = group.arn
      $0.dbSubnetGroupDescription = group.description
      $0.vpcId = group.vpc
      $0.subnetGroupStatus = "Complete"
      $0.supportedNetworkTypes = ["IPV4"]
      $0.subnets = group.subnets.map { subnet in
        .make {
          $0.subnetIdentifier = subnet.id
          $0.subnetStatus = "Active"
          $0.subnetAvailabilityZone = .make { $0.name = subnet.zone }
        }
      }
    }
  }
}
