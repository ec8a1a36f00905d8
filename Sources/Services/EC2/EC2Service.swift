// Amazon EC2, the part that networks are made of, and one instance: the machine. Records with the right ids, rules and
// answers; packets are moved by the Gate and the task runtime.

import AWSCore
import AWSWire
import EC2Model
import ServiceKit
import Store

public struct EC2Service: AWSService {
  let environment: ServiceEnvironment
  var store: Store { environment.store }

  public static let collections: [any Record.Type] = [
    VPCRecord.self, SubnetRecord.self, SecurityGroupRecord.self, RouteTableRecord.self, InternetGatewayRecord.self,
    NATGatewayRecord.self, ElasticIPRecord.self, InstanceRecord.self,
  ]

  public init(_ environment: ServiceEnvironment) { self.environment = environment }

  public var apis: [ServiceAPI] { [ServiceAPI(EC2.model, actionPrefix: "ec2", table)] }

  private var table: HandlerTable {
    var table = HandlerTable()
    table.on(EC2.createVpc, createVpc)
    table.on(EC2.deleteVpc, access: { [Self.arn($1, "vpc", $0.vpcId)] }, deleteVpc)
    table.on(EC2.describeVpcs, describeVpcs)
    table.on(EC2.describeVpcAttribute, describeVpcAttribute)
    table.on(EC2.modifyVpcAttribute, access: { [Self.arn($1, "vpc", $0.vpcId)] }, modifyVpcAttribute)
    table.on(EC2.createSubnet, createSubnet)
    table.on(EC2.deleteSubnet, access: { [Self.arn($1, "subnet", $0.subnetId)] }, deleteSubnet)
    table.on(EC2.describeSubnets, describeSubnets)
    table.on(EC2.modifySubnetAttribute, access: { [Self.arn($1, "subnet", $0.subnetId)] }, modifySubnetAttribute)
    table.on(EC2.createSecurityGroup, createSecurityGroup)
    table.on(EC2.deleteSecurityGroup, deleteSecurityGroup)
    table.on(EC2.describeSecurityGroups, describeSecurityGroups)
    table.on(EC2.describeSecurityGroupRules, describeSecurityGroupRules)
    table.on(EC2.authorizeSecurityGroupIngress, authorizeIngress)
    table.on(EC2.authorizeSecurityGroupEgress, authorizeEgress)
    table.on(EC2.revokeSecurityGroupIngress, revokeIngress)
    table.on(EC2.revokeSecurityGroupEgress, revokeEgress)
    table.on(EC2.updateSecurityGroupRuleDescriptionsIngress, describeIngressRules)
    table.on(EC2.updateSecurityGroupRuleDescriptionsEgress, describeEgressRules)
    table.on(EC2.createRouteTable, createRouteTable)
    table.on(EC2.deleteRouteTable, deleteRouteTable)
    table.on(EC2.describeRouteTables, describeRouteTables)
    table.on(EC2.createRoute, createRoute)
    table.on(EC2.replaceRoute, replaceRoute)
    table.on(EC2.deleteRoute, deleteRoute)
    table.on(EC2.associateRouteTable, associateRouteTable)
    table.on(EC2.disassociateRouteTable, disassociateRouteTable)
    table.on(EC2.replaceRouteTableAssociation, replaceRouteTableAssociation)
    table.on(EC2.createInternetGateway, createInternetGateway)
    table.on(EC2.attachInternetGateway, attachInternetGateway)
    table.on(EC2.detachInternetGateway, detachInternetGateway)
    table.on(EC2.deleteInternetGateway, deleteInternetGateway)
    table.on(EC2.describeInternetGateways, describeInternetGateways)
    table.on(EC2.createNatGateway, createNatGateway)
    table.on(EC2.deleteNatGateway, deleteNatGateway)
    table.on(EC2.describeNatGateways, describeNatGateways)
    table.on(EC2.allocateAddress, allocateAddress)
    table.on(EC2.associateAddress, access: { Self.addressARN($1, $0.allocationId) }, associateAddress)
    table.on(EC2.disassociateAddress, disassociateAddress)
    table.on(EC2.releaseAddress, access: { Self.addressARN($1, $0.allocationId) }, releaseAddress)
    table.on(EC2.describeAddresses, describeAddresses)
    table.on(EC2.describeAddressesAttribute, describeAddressesAttribute)
    table.on(
      EC2.modifyAddressAttribute, access: { Self.addressARN($1, $0.allocationId) }, modifyAddressAttribute)
    table.on(EC2.resetAddressAttribute, access: { Self.addressARN($1, $0.allocationId) }, resetAddressAttribute)
    table.on(EC2.describeInstances, describeInstances)
    table.on(EC2.describeInstanceStatus, describeInstanceStatus)
    table.on(EC2.createTags, createTags)
    table.on(EC2.deleteTags, deleteTags)
    table.on(EC2.describeTags, describeTags)
    table.on(EC2.describeNetworkAcls, describeNetworkAcls)
    table.on(EC2.describeNetworkInterfaces, describeNetworkInterfaces)
    table.on(EC2.describeAvailabilityZones, describeAvailabilityZones)
    table.on(EC2.describeRegions, describeRegions)
    table.on(EC2.describeAccountAttributes, describeAccountAttributes)
    return table
  }

  static func arn(_ call: CallContext, _ type: String, _ id: String) -> ResourceAccess {
    ResourceAccess(call.arn("ec2", "\(type)/\(id)"))
  }

  private static func addressARN(_ call: CallContext, _ allocation: String?) -> [ResourceAccess] {
    [arn(call, "elastic-ip", allocation ?? "*")]
  }

  /// The record, or AWS's error that it is not there.
  static func find<R: NetworkRecord>(_ type: R.Type, _ id: String, _ snapshot: Snapshot, _ scope: Scope) throws -> R {
    guard let record = try snapshot.get(R.self, scope, id) else { throw EC2Error.notFound(R.self, id) }
    return record
  }

  /// The records that an operation asks for: by id (each must be there), or all; filtered; a page of them.
  func select<R: NetworkRecord>(
    _ type: R.Type, _ call: CallContext, ids: [String]?, filters: [EC2.Filter]?, limit: Int?, token: String?,
    fields: @escaping @Sendable (R) -> [String: [String]]
  ) async throws -> (records: [R], next: String?) {
    let scope = call.scope
    let all = try await store.read { snapshot in
      if let ids, !ids.isEmpty { return try ids.map { try Self.find(R.self, $0, snapshot, scope) } }
      return try snapshot.list(R.self, scope)
    }
    let filters = Filters(filters)
    var kept = try all.filter { try filters.pass(fields($0), tags: $0.tags) }
    if let token { kept = kept.filter { $0.id > token } }
    guard let limit, kept.count > limit else { return (kept, nil) }
    return (Array(kept.prefix(limit)), kept[limit - 1].id)
  }

  /// Every account has a default VPC in each region; it comes with the first call there.
  public func prepareAccount(_ account: String, region: String) async throws {
    let call = environment.call(as: "ec2.amazonaws.com", account: account, region: region)
    let scope = call.scope
    try await store.write { tx in
      guard try tx.list(VPCRecord.self, scope).isEmpty, try tx.nextNumber("ec2.default-vpc", scope) == 1 else { return }
      try Self.makeDefaultVPC(tx, call)
    }
  }

  /// A default VPC as AWS makes one: 172.31.0.0/16, a /20 subnet in each zone, an internet gateway, and its route.
  static func makeDefaultVPC(_ tx: Transaction, _ call: CallContext) throws {
    var vpc = try makeVPC(tx, call, cidr: "172.31.0.0/16", tags: [:])
    vpc.isDefault = true
    vpc.dnsHostnames = true
    try tx.put(vpc, call.scope)
    for (index, zone) in Zones.names(call.region).enumerated() {
      try tx.put(
        SubnetRecord(
          id: call.ids.ec2("subnet"), vpc: vpc.id, cidr: "172.31.\(index * 16).0/20", zone: zone, isDefault: true,
          mapPublicIP: true, aclAssociation: call.ids.ec2("aclassoc")), call.scope)
    }
    let gateway = InternetGatewayRecord(id: call.ids.ec2("igw"), vpc: vpc.id)
    try tx.put(gateway, call.scope)
    if var main = try tx.find(RouteTableRecord.self, call.scope, index: "vpc", vpc.id).first {
      main.routes.append(RouteEntry(destination: "0.0.0.0/0", target: gateway.id, origin: "CreateRoute"))
      try tx.put(main, call.scope)
    }
  }
}
