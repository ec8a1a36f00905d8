// VPCs.

import AWSCore
import AWSWire
import EC2Model
import ServiceKit
import Store

extension EC2Service {
  /// A VPC with what AWS makes along with it: a main route table, a default security group, a network ACL.
  static func makeVPC(_ tx: Transaction, _ call: CallContext, cidr: String, tags: [String: String]) throws -> VPCRecord
  {
    let vpc = VPCRecord(
      id: call.ids.ec2("vpc"), tags: tags, cidr: cidr, associationID: call.ids.ec2("vpc-cidr-assoc"),
      networkACL: call.ids.ec2("acl"))
    try tx.put(vpc, call.scope)
    try tx.put(
      RouteTableRecord(
        id: call.ids.ec2("rtb"), vpc: vpc.id,
        routes: [RouteEntry(destination: cidr, target: "local", origin: "CreateRouteTable")],
        associations: [RouteAssociation(id: call.ids.ec2("rtbassoc"), isMain: true)]), call.scope)
    let group = call.ids.ec2("sg")
    try tx.put(
      SecurityGroupRecord(
        id: group, name: "default", description: "default VPC security group", vpc: vpc.id,
        rules: [
          SecurityRule(
            id: call.ids.ec2("sgr"), isEgress: false, ipProtocol: "-1", group: group, groupAccount: call.account),
          SecurityRule(id: call.ids.ec2("sgr"), isEgress: true, ipProtocol: "-1", cidr: "0.0.0.0/0"),
        ]), call.scope)
    return vpc
  }

  func createVpc(_ input: EC2.CreateVpcRequest, _ call: CallContext) async throws -> EC2.CreateVpcResult {
    for (given, name) in [
      (input.ipv4IpamPoolId, "Ipv4IpamPoolId"), (input.ipv6CidrBlock, "Ipv6CidrBlock"),
      (input.ipv6IpamPoolId, "Ipv6IpamPoolId"),
    ] where given != nil { throw AWSError.notImplemented("ec2:CreateVpc with \(name)") }
    if input.amazonProvidedIpv6CidrBlock == true { throw AWSError.notImplemented("ec2:CreateVpc with IPv6") }
    guard let text = input.cidrBlock else { throw EC2Error.missing("cidrBlock") }
    guard let cidr = CIDR(text) else { throw EC2Error.invalid(text, "cidrBlock", "This is not a valid CIDR block.") }
    guard (16...28).contains(cidr.bits) else {
      throw AWSError("InvalidVpc.Range", "The CIDR '\(text)' is invalid.")
    }
    if input.dryRun == true { throw EC2Error.dryRun }
    let tags = Dictionary(input.tagSpecifications, for: "vpc")
    let tenancy = input.instanceTenancy ?? "default"
    let vpc = try await store.write { tx in
      var vpc = try Self.makeVPC(tx, call, cidr: cidr.description, tags: tags)
      vpc.tenancy = tenancy
      try tx.put(vpc, call.scope)
      return vpc
    }
    return .make { $0.vpc = answer(vpc, call) }
  }

  func answer(_ vpc: VPCRecord, _ call: CallContext) -> EC2.Vpc {
    .make {
      $0.vpcId = vpc.id
      $0.cidrBlock = vpc.cidr
      $0.state = "available"
      $0.ownerId = call.account
      $0.isDefault = vpc.isDefault
      $0.instanceTenancy = vpc.tenancy
      $0.dhcpOptionsId = "default"
      $0.tags = vpc.tags.ec2
      $0.cidrBlockAssociationSet = [
        .make {
          $0.associationId = vpc.associationID
          $0.cidrBlock = vpc.cidr
          $0.cidrBlockState = .make { $0.state = "associated" }
        }
      ]
    }
  }

  func deleteVpc(_ input: EC2.DeleteVpcRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.scope
    try await store.write { tx in
      let vpc = try Self.find(VPCRecord.self, input.vpcId, tx, scope)
      let groups = try tx.find(SecurityGroupRecord.self, scope, index: "vpc", vpc.id)
      let tables = try tx.find(RouteTableRecord.self, scope, index: "vpc", vpc.id)
      let isInUse =
        try !tx.find(SubnetRecord.self, scope, index: "vpc", vpc.id).isEmpty
        || groups.contains { $0.name != "default" }
        || tables.contains { !$0.associations.contains(where: \.isMain) }
        || tx.list(InternetGatewayRecord.self, scope).contains { $0.vpc == vpc.id }
      if isInUse { throw EC2Error.dependency("vpc", vpc.id) }
      for group in groups { _ = try tx.delete(SecurityGroupRecord.self, scope, group.id) }
      for table in tables { _ = try tx.delete(RouteTableRecord.self, scope, table.id) }
      _ = try tx.delete(VPCRecord.self, scope, vpc.id)
    }
    return Empty()
  }

  func describeVpcs(_ input: EC2.DescribeVpcsRequest, _ call: CallContext) async throws -> EC2.DescribeVpcsResult {
    let (records, next) = try await select(
      VPCRecord.self, call, ids: input.vpcIds, filters: input.filters, limit: input.maxResults, token: input.nextToken
    ) { vpc in
      [
        "vpc-id": [vpc.id], "cidr": [vpc.cidr], "cidr-block-association.cidr-block": [vpc.cidr],
        "cidr-block-association.association-id": [vpc.associationID], "cidr-block-association.state": ["associated"],
        "state": ["available"], "is-default": ["\(vpc.isDefault)"], "isDefault": ["\(vpc.isDefault)"],
        "owner-id": [call.account], "dhcp-options-id": ["default"],
      ]
    }
    return .make {
      $0.vpcs = records.map { answer($0, call) }
      $0.nextToken = next
    }
  }

  func describeVpcAttribute(
    _ input: EC2.DescribeVpcAttributeRequest, _ call: CallContext
  ) async throws -> EC2.DescribeVpcAttributeResult {
    let scope = call.scope
    let vpc = try await store.read { try Self.find(VPCRecord.self, input.vpcId, $0, scope) }
    return try .make {
      $0.vpcId = vpc.id
      switch input.attribute {
      case "enableDnsSupport": $0.enableDnsSupport = .make { $0.value = vpc.dnsSupport }
      case "enableDnsHostnames": $0.enableDnsHostnames = .make { $0.value = vpc.dnsHostnames }
      case "enableNetworkAddressUsageMetrics":
        $0.enableNetworkAddressUsageMetrics = .make { $0.value = vpc.addressUsageMetrics }
      default: throw EC2Error.invalid(input.attribute, "attribute", "Unknown attribute.")
      }
    }
  }

  func modifyVpcAttribute(_ input: EC2.ModifyVpcAttributeRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.scope
    try await store.write { tx in
      var vpc = try Self.find(VPCRecord.self, input.vpcId, tx, scope)
      if let value = input.enableDnsSupport?.value { vpc.dnsSupport = value }
      if let value = input.enableDnsHostnames?.value { vpc.dnsHostnames = value }
      if let value = input.enableNetworkAddressUsageMetrics?.value { vpc.addressUsageMetrics = value }
      try tx.put(vpc, scope)
    }
    return Empty()
  }
}
