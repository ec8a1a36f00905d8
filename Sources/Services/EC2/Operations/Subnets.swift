// Subnets.

import AWSCore
import AWSWire
import EC2Model
import ServiceKit
import Store

extension EC2Service {
  func createSubnet(_ input: EC2.CreateSubnetRequest, _ call: CallContext) async throws -> EC2.CreateSubnetResult {
    if input.ipv6CidrBlock != nil || input.ipv6Native == true {
      throw AWSError.notImplemented("ec2:CreateSubnet with IPv6")
    }
    guard let text = input.cidrBlock else { throw EC2Error.missing("cidrBlock") }
    guard let cidr = CIDR(text) else { throw EC2Error.invalid(text, "cidrBlock", "This is not a valid CIDR block.") }
    let zoneText = input.availabilityZone ?? input.availabilityZoneId
    let zone = zoneText.flatMap { Zones.resolve($0, region: call.region) } ?? Zones.names(call.region)[0]
    if let zoneText, Zones.resolve(zoneText, region: call.region) == nil {
      throw EC2Error.invalid(
        zoneText, "availabilityZone",
        "Subnets can currently only be created in the following availability zones: "
          + Zones.names(call.region).joined(separator: ", ") + ".")
    }
    if input.dryRun == true { throw EC2Error.dryRun }
    let tags = Dictionary(input.tagSpecifications, for: "subnet")
    let scope = call.scope
    let subnet = try await store.write { tx in
      let vpc = try Self.find(VPCRecord.self, input.vpcId, tx, scope)
      guard let whole = CIDR(vpc.cidr), whole.contains(cidr), (16...28).contains(cidr.bits) else {
        throw AWSError("InvalidSubnet.Range", "The CIDR '\(text)' is invalid.")
      }
      for other in try tx.find(SubnetRecord.self, scope, index: "vpc", vpc.id) {
        if CIDR(other.cidr)?.overlaps(cidr) == true {
          throw AWSError("InvalidSubnet.Conflict", "The CIDR '\(text)' conflicts with another subnet")
        }
      }
      let subnet = SubnetRecord(
        id: call.ids.ec2("subnet"), tags: tags, vpc: vpc.id, cidr: cidr.description, zone: zone,
        aclAssociation: call.ids.ec2("aclassoc"))
      try tx.put(subnet, scope)
      return subnet
    }
    return .make { $0.subnet = answer(subnet, call) }
  }

  func answer(_ subnet: SubnetRecord, _ call: CallContext) -> EC2.Subnet {
    .make {
      $0.subnetId = subnet.id
      $0.subnetArn = call.arn("ec2", "subnet/\(subnet.id)")
      $0.vpcId = subnet.vpc
      $0.cidrBlock = subnet.cidr
      $0.availabilityZone = subnet.zone
      $0.availabilityZoneId = Zones.id(subnet.zone)
      // AWS keeps five addresses of each subnet for itself.
      $0.availableIpAddressCount = CIDR(subnet.cidr).map { Int($0.size) - 5 }
      $0.state = "available"
      $0.ownerId = call.account
      $0.defaultForAz = subnet.isDefault
      $0.mapPublicIpOnLaunch = subnet.mapPublicIP
      $0.mapCustomerOwnedIpOnLaunch = false
      $0.assignIpv6AddressOnCreation = subnet.assignIPv6
      $0.enableDns64 = subnet.dns64
      $0.ipv6Native = false
      $0.ipv6CidrBlockAssociationSet = []
      $0.tags = subnet.tags.ec2
      $0.privateDnsNameOptionsOnLaunch = .make {
        $0.hostnameType = subnet.hostnameType
        $0.enableResourceNameDnsARecord = subnet.nameDNSA
        $0.enableResourceNameDnsAAAARecord = subnet.nameDNSAAAA
      }
    }
  }

  func deleteSubnet(_ input: EC2.DeleteSubnetRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.scope
    try await store.write { tx in
      let subnet = try Self.find(SubnetRecord.self, input.subnetId, tx, scope)
      if try tx.list(NATGatewayRecord.self, scope).contains(where: { $0.subnet == subnet.id && $0.deleted == nil }) {
        throw EC2Error.dependency("subnet", subnet.id)
      }
      for var table in try tx.find(RouteTableRecord.self, scope, index: "vpc", subnet.vpc) {
        table.associations.removeAll { $0.subnet == subnet.id }
        try tx.put(table, scope)
      }
      _ = try tx.delete(SubnetRecord.self, scope, subnet.id)
    }
    return Empty()
  }

  func describeSubnets(_ input: EC2.DescribeSubnetsRequest, _ call: CallContext) async throws
    -> EC2.DescribeSubnetsResult
  {
    let (records, next) = try await select(
      SubnetRecord.self, call, ids: input.subnetIds, filters: input.filters, limit: input.maxResults,
      token: input.nextToken
    ) { subnet in
      [
        "subnet-id": [subnet.id], "vpc-id": [subnet.vpc], "availability-zone": [subnet.zone],
        "availabilityZone": [subnet.zone], "availability-zone-id": [Zones.id(subnet.zone)],
        "availabilityZoneId": [Zones.id(subnet.zone)], "cidr-block": [subnet.cidr], "cidr": [subnet.cidr],
        "cidrBlock": [subnet.cidr], "state": ["available"], "default-for-az": ["\(subnet.isDefault)"],
        "defaultForAz": ["\(subnet.isDefault)"], "map-public-ip-on-launch": ["\(subnet.mapPublicIP)"],
        "owner-id": [call.account], "subnet-arn": [call.arn("ec2", "subnet/\(subnet.id)")], "ipv6-native": ["false"],
      ]
    }
    return .make {
      $0.subnets = records.map { answer($0, call) }
      $0.nextToken = next
    }
  }

  func modifySubnetAttribute(_ input: EC2.ModifySubnetAttributeRequest, _ call: CallContext) async throws -> Empty {
    if input.customerOwnedIpv4Pool != nil || input.enableLniAtDeviceIndex != nil {
      throw AWSError.notImplemented("ec2:ModifySubnetAttribute of Outposts' attributes")
    }
    let scope = call.scope
    try await store.write { tx in
      var subnet = try Self.find(SubnetRecord.self, input.subnetId, tx, scope)
      if let value = input.mapPublicIpOnLaunch?.value { subnet.mapPublicIP = value }
      if let value = input.assignIpv6AddressOnCreation?.value { subnet.assignIPv6 = value }
      if let value = input.enableDns64?.value { subnet.dns64 = value }
      if let value = input.enableResourceNameDnsARecordOnLaunch?.value { subnet.nameDNSA = value }
      if let value = input.enableResourceNameDnsAAAARecordOnLaunch?.value { subnet.nameDNSAAAA = value }
      if let value = input.privateDnsHostnameTypeOnLaunch { subnet.hostnameType = value }
      try tx.put(subnet, scope)
    }
    return Empty()
  }
}
