// What an account finds without making it: zones, regions, network ACLs, interfaces, attributes.

import AWSCore
import AWSWire
import EC2Model
import ServiceKit
import Store

extension EC2Service {
  func describeAvailabilityZones(
    _ input: EC2.DescribeAvailabilityZonesRequest, _ call: CallContext
  ) async throws -> EC2.DescribeAvailabilityZonesResult {
    let filters = Filters(input.filters)
    for name in input.zoneNames ?? [] where !Zones.names(call.region).contains(name) {
      throw EC2Error.invalid(name, "ZoneName", "Invalid availability zone: [\(name)]")
    }
    let zones = try Zones.names(call.region).filter { zone in
      if let names = input.zoneNames, !names.isEmpty, !names.contains(zone) { return false }
      if let ids = input.zoneIds, !ids.isEmpty, !ids.contains(Zones.id(zone)) { return false }
      let fields: [String: [String]] = [
        "zone-name": [zone], "zone-id": [Zones.id(zone)], "state": ["available"], "region-name": [call.region],
        "opt-in-status": ["opt-in-not-required"], "zone-type": ["availability-zone"], "group-name": [call.region],
      ]
      return try filters.pass(fields, tags: [:])
    }
    return .make {
      $0.availabilityZones = zones.map { zone in
        .make {
          $0.zoneName = zone
          $0.zoneId = Zones.id(zone)
          $0.state = "available"
          $0.regionName = call.region
          $0.optInStatus = "opt-in-not-required"
          $0.zoneType = "availability-zone"
          $0.groupName = "\(call.region)-zg-1"
          $0.networkBorderGroup = call.region
          $0.messages = []
        }
      }
    }
  }

  func describeRegions(_ input: EC2.DescribeRegionsRequest, _ call: CallContext) async throws
    -> EC2.DescribeRegionsResult
  {
    let filters = Filters(input.filters)
    let regions = try Zones.regions.filter { region in
      if let names = input.regionNames, !names.isEmpty, !names.contains(region) { return false }
      let fields = [
        "region-name": [region], "endpoint": ["ec2.\(region).amazonaws.com"], "opt-in-status": ["opt-in-not-required"],
      ]
      return try filters.pass(fields, tags: [:])
    }
    return .make {
      $0.regions = regions.map { region in
        .make {
          $0.regionName = region
          $0.endpoint = "ec2.\(region).amazonaws.com"
          $0.optInStatus = "opt-in-not-required"
        }
      }
    }
  }

  func describeAccountAttributes(
    _ input: EC2.DescribeAccountAttributesRequest, _ call: CallContext
  ) async throws -> EC2.DescribeAccountAttributesResult {
    let scope = call.scope
    let vpc = try await store.read { try $0.list(VPCRecord.self, scope).first(where: \.isDefault)?.id ?? "none" }
    let all = [
      "supported-platforms": "VPC", "default-vpc": vpc, "max-instances": "20",
      "vpc-max-security-groups-per-interface": "5",
      "max-elastic-ips": "5", "vpc-max-elastic-ips": "5",
    ]
    return .make {
      $0.accountAttributes = all.sorted { $0.key < $1.key }
        .filter { input.attributeNames?.isEmpty ?? true || input.attributeNames?.contains($0.key) == true }
        .map { name, value in
          .make {
            $0.attributeName = name
            $0.attributeValues = [.make { $0.attributeValue = value }]
          }
        }
    }
  }

  /// The default network ACL of each VPC, which lets everything through. Others are not built.
  func describeNetworkAcls(
    _ input: EC2.DescribeNetworkAclsRequest, _ call: CallContext
  ) async throws -> EC2.DescribeNetworkAclsResult {
    let scope = call.scope
    let filters = Filters(input.filters)
    let (vpcs, subnets) = try await store.read {
      (try $0.list(VPCRecord.self, scope), try $0.list(SubnetRecord.self, scope))
    }
    if let ids = input.networkAclIds {
      for id in ids where !vpcs.contains(where: { $0.networkACL == id }) {
        throw AWSError("InvalidNetworkAclID.NotFound", "The networkAcl ID '\(id)' does not exist")
      }
    }
    let found = try vpcs.filter { vpc in
      if let ids = input.networkAclIds, !ids.isEmpty, !ids.contains(vpc.networkACL) { return false }
      let fields = [
        "network-acl-id": [vpc.networkACL], "vpc-id": [vpc.id], "default": ["true"], "owner-id": [call.account],
        "association.subnet-id": subnets.filter { $0.vpc == vpc.id }.map(\.id),
      ]
      return try filters.pass(fields, tags: [:])
    }
    return .make {
      $0.networkAcls = found.map { vpc in
        .make {
          $0.networkAclId = vpc.networkACL
          $0.vpcId = vpc.id
          $0.isDefault = true
          $0.ownerId = call.account
          $0.tags = []
          $0.associations = subnets.filter { $0.vpc == vpc.id }.map { subnet in
            .make {
              $0.networkAclAssociationId = subnet.aclAssociation
              $0.networkAclId = vpc.networkACL
              $0.subnetId = subnet.id
            }
          }
          $0.entries = [(false, 100, "allow"), (true, 100, "allow"), (false, 32767, "deny"), (true, 32767, "deny")].map
          {
            isEgress, number, action in
            .make {
              $0.egress = isEgress
              $0.ruleNumber = number
              $0.ruleAction = action
              $0.protocol = "-1"
              $0.cidrBlock = "0.0.0.0/0"
            }
          }
        }
      }
    }
  }

  /// The interfaces of NAT gateways; other services' interfaces are not kept here.
  func describeNetworkInterfaces(
    _ input: EC2.DescribeNetworkInterfacesRequest, _ call: CallContext
  ) async throws -> EC2.DescribeNetworkInterfacesResult {
    let scope = call.scope
    let filters = Filters(input.filters)
    let gateways = try await store.read { try $0.list(NATGatewayRecord.self, scope).filter { $0.deleted == nil } }
    if let ids = input.networkInterfaceIds {
      for id in ids where !gateways.contains(where: { $0.interface == id }) {
        throw AWSError("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '\(id)' does not exist")
      }
    }
    let found = try gateways.filter { gateway in
      if let ids = input.networkInterfaceIds, !ids.isEmpty, !ids.contains(gateway.interface) { return false }
      let fields = [
        "network-interface-id": [gateway.interface], "vpc-id": [gateway.vpc], "subnet-id": [gateway.subnet],
        "description": ["Interface for NAT Gateway \(gateway.id)"], "status": ["in-use"], "group-id": [],
        "attachment.instance-owner-id": ["amazon-aws"], "attachment.instance-id": [], "interface-type": ["nat_gateway"],
        "requester-id": [], "private-ip-address": [gateway.privateIP],
      ]
      return try filters.pass(fields, tags: [:])
    }
    return .make {
      $0.networkInterfaces = found.map { gateway in
        .make {
          $0.networkInterfaceId = gateway.interface
          $0.vpcId = gateway.vpc
          $0.subnetId = gateway.subnet
          $0.privateIpAddress = gateway.privateIP
          $0.status = "in-use"
          $0.interfaceType = "nat_gateway"
          $0.description = "Interface for NAT Gateway \(gateway.id)"
          $0.ownerId = call.account
          $0.requesterManaged = true
          $0.groups = []
          $0.tagSet = []
        }
      }
    }
  }
}
