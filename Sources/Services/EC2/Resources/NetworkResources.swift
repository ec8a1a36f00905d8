// The CloudFormation resource types of the network. Each calls EC2's own operations.

import AWSCore
import AWSWire
import EC2Model
import ServiceKit

extension EC2Service {
  public var resourceProviders: [ResourceProvider] {
    [
      vpcProvider, subnetProvider, internetGatewayProvider, attachmentProvider, routeTableProvider, routeProvider,
      associationProvider, elasticIPProvider, natGatewayProvider, securityGroupProvider, ingressProvider,
      egressProvider,
    ]
  }

  /// Properties with the stack's tags among them, as a TagSpecification.
  private func specifications(_ properties: JSONValue, _ context: ResourceContext, _ type: String) -> [EC2
    .TagSpecification]
  {
    let tags = Self.tags(properties, context)
    guard !tags.isEmpty else { return [] }
    return [
      .make {
        $0.resourceType = type
        $0.tags = tags.ec2
      }
    ]
  }

  private static func tags(_ properties: JSONValue, _ context: ResourceContext) -> [String: String] {
    var tags = context.tags
    for tag in properties["Tags"]?.array ?? [] { tags[tag["Key"]?.text ?? ""] = tag["Value"]?.text ?? "" }
    return tags
  }

  private func retag(_ id: String, _ old: JSONValue, _ new: JSONValue, _ context: ResourceContext) async throws {
    let before = Self.tags(old, context)
    let after = Self.tags(new, context)
    let gone = before.filter { after[$0.key] == nil }
    if !gone.isEmpty {
      _ = try await context.call.invoke(
        EC2.deleteTags,
        .make {
          $0.resources = [id]
          $0.tags = gone.ec2
        })
    }
    if !after.isEmpty {
      _ = try await context.call.invoke(
        EC2.createTags,
        .make {
          $0.resources = [id]
          $0.tags = after.ec2
        })
    }
  }

  private func text(_ properties: JSONValue, _ name: String) throws -> String {
    guard let text = properties[name]?.text else {
      throw AWSError.validation("Properties validation failed: required key [\(name)] not found")
    }
    return text
  }

  /// Deletes; what is gone already is well.
  private func ignoringNotFound(_ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch let error as AWSError where error.code.hasSuffix("NotFound") || error.code == "Gateway.NotAttached" {
      return
    }
  }

  private var vpcProvider: ResourceProvider {
    ResourceProvider(
      "AWS::EC2::VPC", properties: ["CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy", "Tags"],
      replacedBy: ["CidrBlock", "InstanceTenancy"],
      create: { properties, context in
        let vpc = try await context.call.invoke(
          EC2.createVpc,
          .make {
            $0.cidrBlock = properties["CidrBlock"]?.text
            $0.instanceTenancy = properties["InstanceTenancy"]?.text
            $0.tagSpecifications = specifications(properties, context, "vpc")
          }
        ).vpc
        let id = vpc?.vpcId ?? ""
        try await setDNS(id, properties, context)
        return try await vpcHandle(id, vpc?.cidrBlock ?? "", context)
      },
      update: { handle, old, new, context in
        try await setDNS(handle.physicalID, new, context)
        try await retag(handle.physicalID, old, new, context)
        return handle
      },
      delete: { handle, _, context in
        try await ignoringNotFound {
          _ = try await context.call.invoke(EC2.deleteVpc, .make { $0.vpcId = handle.physicalID })
        }
      })
  }

  private func setDNS(_ id: String, _ properties: JSONValue, _ context: ResourceContext) async throws {
    _ = try await context.call.invoke(
      EC2.modifyVpcAttribute,
      .make {
        $0.vpcId = id
        $0.enableDnsSupport = .make { $0.value = properties["EnableDnsSupport"]?.boolean ?? true }
      })
    _ = try await context.call.invoke(
      EC2.modifyVpcAttribute,
      .make {
        $0.vpcId = id
        $0.enableDnsHostnames = .make { $0.value = properties["EnableDnsHostnames"]?.boolean ?? false }
      })
  }

  private func vpcHandle(_ id: String, _ cidr: String, _ context: ResourceContext) async throws -> ResourceHandle {
    let filter = EC2.Filter.make {
      $0.name = "vpc-id"
      $0.values = [id]
    }
    let groups = try await context.call.invoke(EC2.describeSecurityGroups, .make { $0.filters = [filter] })
      .securityGroups
    let acls = try await context.call.invoke(EC2.describeNetworkAcls, .make { $0.filters = [filter] }).networkAcls
    let main = groups?.first { $0.groupName == "default" }?.groupId
    return ResourceHandle(
      id,
      attributes: [
        "VpcId": .string(id), "CidrBlock": .string(cidr), "DefaultSecurityGroup": .string(main ?? ""),
        "DefaultNetworkAcl": .string(acls?.first?.networkAclId ?? ""), "CidrBlockAssociations": [],
        "Ipv6CidrBlocks": [],
      ])
  }

  private var subnetProvider: ResourceProvider {
    ResourceProvider(
      "AWS::EC2::Subnet",
      properties: ["AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "MapPublicIpOnLaunch", "Tags", "VpcId"],
      replacedBy: ["AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "VpcId"],
      create: { properties, context in
        let vpc = try text(properties, "VpcId")
        let subnet = try await context.call.invoke(
          EC2.createSubnet,
          .make {
            $0.vpcId = vpc
            $0.cidrBlock = properties["CidrBlock"]?.text
            $0.availabilityZone = properties["AvailabilityZone"]?.text
            $0.availabilityZoneId = properties["AvailabilityZoneId"]?.text
            $0.tagSpecifications = specifications(properties, context, "subnet")
          }
        ).subnet
        let id = subnet?.subnetId ?? ""
        try await setPublicIP(id, properties, context)
        return ResourceHandle(
          id,
          attributes: [
            "SubnetId": .string(id), "VpcId": .string(vpc), "AvailabilityZone": .string(subnet?.availabilityZone ?? ""),
            "AvailabilityZoneId": .string(subnet?.availabilityZoneId ?? ""),
            "CidrBlock": .string(subnet?.cidrBlock ?? ""), "Ipv6CidrBlocks": [],
          ])
      },
      update: { handle, old, new, context in
        try await setPublicIP(handle.physicalID, new, context)
        try await retag(handle.physicalID, old, new, context)
        return handle
      },
      delete: { handle, _, context in
        try await ignoringNotFound {
          _ = try await context.call.invoke(EC2.deleteSubnet, .make { $0.subnetId = handle.physicalID })
        }
      })
  }

  private func setPublicIP(_ id: String, _ properties: JSONValue, _ context: ResourceContext) async throws {
    guard let value = properties["MapPublicIpOnLaunch"]?.boolean else { return }
    _ = try await context.call.invoke(
      EC2.modifySubnetAttribute,
      .make {
        $0.subnetId = id
        $0.mapPublicIpOnLaunch = .make { $0.value = value }
      })
  }

  private var internetGatewayProvider: ResourceProvider {
    ResourceProvider(
      "AWS::EC2::InternetGateway", properties: ["Tags"],
      create: { properties, context in
        let made = try await context.call.invoke(
          EC2.createInternetGateway,
          .make { $0.tagSpecifications = specifications(properties, context, "internet-gateway") })
        let id = made.internetGateway?.internetGatewayId ?? ""
        return ResourceHandle(id, attributes: ["InternetGatewayId": .string(id)])
      },
      update: { handle, old, new, context in
        try await retag(handle.physicalID, old, new, context)
        return handle
      },
      delete: { handle, _, context in
        try await ignoringNotFound {
          _ = try await context.call.invoke(
            EC2.deleteInternetGateway, .make { $0.internetGatewayId = handle.physicalID })
        }
      })
  }

  private var attachmentProvider: ResourceProvider {
    ResourceProvider(
      "AWS::EC2::VPCGatewayAttachment", properties: ["InternetGatewayId", "VpcId", "VpnGatewayId"],
      replacedBy: ["InternetGatewayId", "VpcId", "VpnGatewayId"],
      create: { properties, context in
        if properties["VpnGatewayId"] != nil {
          throw AWSError.notImplemented("AWS::EC2::VPCGatewayAttachment of a VPN gateway")
        }
        let vpc = try text(properties, "VpcId")
        let gateway = try text(properties, "InternetGatewayId")
        _ = try await context.call.invoke(
          EC2.attachInternetGateway,
          .make {
            $0.vpcId = vpc
            $0.internetGatewayId = gateway
          })
        return ResourceHandle("IGW|\(vpc)", attributes: ["AttachmentType": "IGW"])
      },
      delete: { _, properties, context in
        let vpc = try text(properties, "VpcId")
        let gateway = try text(properties, "InternetGatewayId")
        try await ignoringNotFound {
          _ = try await context.call.invoke(
            EC2.detachInternetGateway,
            .make {
              $0.vpcId = vpc
              $0.internetGatewayId = gateway
            })
        }
      })
  }

  private var routeTableProvider: ResourceProvider {
    ResourceProvider(
      "AWS::EC2::RouteTable", properties: ["Tags", "VpcId"], replacedBy: ["VpcId"],
      create: { properties, context in
        let vpc = try text(properties, "VpcId")
        let made = try await context.call.invoke(
          EC2.createRouteTable,
          .make {
            $0.vpcId = vpc
            $0.tagSpecifications = specifications(properties, context, "route-table")
          })
        let id = made.routeTable?.routeTableId ?? ""
        return ResourceHandle(id, attributes: ["RouteTableId": .string(id)])
      },
      update: { handle, old, new, context in
        try await retag(handle.physicalID, old, new, context)
        return handle
      },
      delete: { handle, _, context in
        try await ignoringNotFound {
          _ = try await context.call.invoke(EC2.deleteRouteTable, .make { $0.routeTableId = handle.physicalID })
        }
      })
  }

  private var routeProvider: ResourceProvider {
    let mapper = PropertyMapper(EC2.model)
    return ResourceProvider(
      "AWS::EC2::Route", replacedBy: ["RouteTableId", "DestinationCidrBlock", "DestinationIpv6CidrBlock"],
      create: { properties, context in
        _ = try await context.call.invoke(EC2.createRoute, try mapper.input(EC2.createRoute, properties))
        let destination = properties["DestinationCidrBlock"]?.text ?? properties["DestinationIpv6CidrBlock"]?.text ?? ""
        return ResourceHandle(
          "\(try text(properties, "RouteTableId"))|\(destination)", attributes: ["CidrBlock": .string(destination)])
      },
      update: { handle, _, new, context in
        _ = try await context.call.invoke(EC2.replaceRoute, try mapper.input(EC2.replaceRoute, new))
        return handle
      },
      delete: { _, properties, context in
        let table = try text(properties, "RouteTableId")
        try await ignoringNotFound {
          _ = try await context.call.invoke(
            EC2.deleteRoute,
            .make {
              $0.routeTableId = table
              $0.destinationCidrBlock = properties["DestinationCidrBlock"]?.text
              $0.destinationIpv6CidrBlock = properties["DestinationIpv6CidrBlock"]?.text
            })
        }
      })
  }

  private var associationProvider: ResourceProvider {
    ResourceProvider(
      "AWS::EC2::SubnetRouteTableAssociation", properties: ["RouteTableId", "SubnetId"],
      replacedBy: ["RouteTableId", "SubnetId"],
      create: { properties, context in
        let table = try text(properties, "RouteTableId")
        let made = try await context.call.invoke(
          EC2.associateRouteTable,
          .make {
            $0.routeTableId = table
            $0.subnetId = properties["SubnetId"]?.text
          })
        let id = made.associationId ?? ""
        return ResourceHandle(id, attributes: ["Id": .string(id)])
      },
      delete: { handle, _, context in
        try await ignoringNotFound {
          _ = try await context.call.invoke(
            EC2.disassociateRouteTable, .make { $0.associationId = handle.physicalID })
        }
      })
  }

  private var elasticIPProvider: ResourceProvider {
    ResourceProvider(
      "AWS::EC2::EIP", properties: ["Address", "Domain", "NetworkBorderGroup", "PublicIpv4Pool", "Tags"],
      replacedBy: ["Address", "Domain", "NetworkBorderGroup", "PublicIpv4Pool"],
      create: { properties, context in
        let made = try await context.call.invoke(
          EC2.allocateAddress,
          .make {
            $0.domain = properties["Domain"]?.text ?? "vpc"
            $0.address = properties["Address"]?.text
            $0.networkBorderGroup = properties["NetworkBorderGroup"]?.text
            $0.publicIpv4Pool = properties["PublicIpv4Pool"]?.text
            $0.tagSpecifications = specifications(properties, context, "elastic-ip")
          })
        return ResourceHandle(
          made.publicIp ?? "",
          attributes: ["AllocationId": .string(made.allocationId ?? ""), "PublicIp": .string(made.publicIp ?? "")])
      },
      update: { handle, old, new, context in
        try await retag(handle.attributes["AllocationId"]?.text ?? "", old, new, context)
        return handle
      },
      delete: { handle, _, context in
        try await ignoringNotFound {
          _ = try await context.call.invoke(
            EC2.releaseAddress, .make { $0.allocationId = handle.attributes["AllocationId"]?.text })
        }
      })
  }

  private var natGatewayProvider: ResourceProvider {
    ResourceProvider(
      "AWS::EC2::NatGateway",
      properties: ["AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId", "Tags"],
      replacedBy: ["AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId"],
      create: { properties, context in
        let made = try await context.call.invoke(
          EC2.createNatGateway,
          .make {
            $0.subnetId = properties["SubnetId"]?.text
            $0.allocationId = properties["AllocationId"]?.text
            $0.connectivityType = properties["ConnectivityType"]?.text
            $0.privateIpAddress = properties["PrivateIpAddress"]?.text
            $0.tagSpecifications = specifications(properties, context, "natgateway")
          })
        let id = made.natGateway?.natGatewayId ?? ""
        return ResourceHandle(id, attributes: ["NatGatewayId": .string(id)])
      },
      update: { handle, old, new, context in
        try await retag(handle.physicalID, old, new, context)
        return handle
      },
      delete: { handle, _, context in
        try await ignoringNotFound {
          _ = try await context.call.invoke(EC2.deleteNatGateway, .make { $0.natGatewayId = handle.physicalID })
        }
      })
  }
}
