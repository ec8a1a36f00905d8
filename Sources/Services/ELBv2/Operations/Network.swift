// What load balancers ask of EC2: subnets, security groups, VPCs.

import AWSCore
import AWSWire
import EC2Model
import ELBv2Model
import ServiceKit

extension ELBv2Service {
  /// The subnets of either form of the input.
  func subnets(_ subnets: [String]?, _ mappings: [ELBv2.SubnetMapping]?) throws -> [String] {
    let plain = subnets ?? []
    let mapped = mappings ?? []
    guard plain.isEmpty || mapped.isEmpty else {
      throw ELBv2Error.validation("You must specify either subnets or subnet mappings, not both")
    }
    for mapping in mapped {
      if mapping.allocationId != nil || mapping.privateIPv4Address != nil || mapping.iPv6Address != nil {
        throw ELBv2Error.invalidConfiguration(
          "You cannot specify addresses in the subnet mappings of an Application Load Balancer")
      }
    }
    return plain + mapped.compactMap(\.subnetId)
  }

  /// The VPC and the zones of subnets: at least two, each in a zone of its own.
  /// - Throws: `ValidationError`, `SubnetNotFound`, `InvalidConfigurationRequest`.
  func places(_ subnets: [String], _ call: CallContext) async throws -> (vpc: String, zones: [ZoneRecord]) {
    guard Set(subnets).count == subnets.count else {
      throw ELBv2Error.invalidConfiguration("The same subnet cannot be specified more than once")
    }
    guard subnets.count >= 2 else { throw Self.twoZones }
    let found: [EC2.Subnet]
    do {
      found =
        try await call.acting(as: Self.servicePrincipal).invoke(EC2.describeSubnets, .make { $0.subnetIds = subnets })
        .subnets ?? []
    } catch let error as AWSError where error.code == "InvalidSubnetID.NotFound" {
      throw AWSError(
        "SubnetNotFound", error.message.replacing("does not exist", with: "is not valid or does not exist"))
    }
    let zones = subnets.compactMap { id in
      found.first { $0.subnetId == id }.map { ZoneRecord(zone: $0.availabilityZone ?? "", subnet: id) }
    }
    guard let vpc = found.first?.vpcId, found.allSatisfy({ $0.vpcId == vpc }) else {
      throw ELBv2Error.invalidConfiguration("All subnets must belong to the same VPC")
    }
    guard Set(zones.map(\.zone)).count == zones.count else {
      if Set(zones.map(\.zone)).count < 2 { throw Self.twoZones }
      throw ELBv2Error.invalidConfiguration(
        "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
    }
    return (vpc, zones)
  }

  private static let twoZones = ELBv2Error.validation(
    "At least two subnets in two different Availability Zones must be specified")

  /// The security groups, or the VPC's default one when none is named.
  /// - Throws: `InvalidSecurityGroup`, `InvalidConfigurationRequest`.
  func securityGroups(_ wanted: [String], _ vpc: String, _ call: CallContext) async throws -> [String] {
    let ec2 = call.acting(as: Self.servicePrincipal)
    if wanted.isEmpty {
      let groups = try await ec2.invoke(
        EC2.describeSecurityGroups,
        .make { $0.filters = [Self.filter("vpc-id", vpc), Self.filter("group-name", "default")] })
      return (groups.securityGroups ?? []).compactMap(\.groupId)
    }
    let found: [EC2.SecurityGroup]
    do {
      found = try await ec2.invoke(EC2.describeSecurityGroups, .make { $0.groupIds = wanted }).securityGroups ?? []
    } catch let error as AWSError where error.code == "InvalidGroup.NotFound" {
      throw AWSError("InvalidSecurityGroup", error.message)
    }
    if let stranger = found.first(where: { $0.vpcId != vpc }) {
      throw ELBv2Error.invalidConfiguration(
        "One or more security groups are invalid: '\(stranger.groupId ?? "")' does not belong to VPC '\(vpc)'")
    }
    return wanted
  }

  /// - Throws: `InvalidSubnet` when the VPC has no way to the internet.
  func requireInternetGateway(_ vpc: String, _ call: CallContext) async throws {
    let gateways = try await call.acting(as: Self.servicePrincipal).invoke(
      EC2.describeInternetGateways, .make { $0.filters = [Self.filter("attachment.vpc-id", vpc)] })
    guard !(gateways.internetGateways ?? []).isEmpty else {
      throw AWSError("InvalidSubnet", "VPC \(vpc) has no internet gateway")
    }
  }

  /// - Throws: `ValidationError`.
  func requireVPC(_ vpc: String, _ call: CallContext) async throws {
    do {
      _ = try await call.acting(as: Self.servicePrincipal).invoke(EC2.describeVpcs, .make { $0.vpcIds = [vpc] })
    } catch let error as AWSError where error.code == "InvalidVpcID.NotFound" {
      throw ELBv2Error.validation("The VPC ID '\(vpc)' is not found")
    }
  }

  private static func filter(_ name: String, _ value: String) -> EC2.Filter {
    .make {
      $0.name = name
      $0.values = [value]
    }
  }
}
