// What load balancers ask of EC2: subnets, security groups, VPCs, instances.

import AWSCore
import AWSWire
import EC2Model
import ELBv2Model
import ServiceKit

extension ELBv2Service {
  /// The subnets of either form of the input.
  static func mappings(
    _ subnets: [String]?, _ mappings: [ELBv2.SubnetMapping]?
  ) throws -> [ELBv2.SubnetMapping] {
    let plain = subnets ?? []
    let mapped = mappings ?? []
    guard plain.isEmpty || mapped.isEmpty else {
      throw ELBv2Error.validation("You must specify either subnets or subnet mappings, not both")
    }
    return mapped + plain.map { subnet in .make { $0.subnetId = subnet } }
  }

  /// The VPC and the zones of subnets: each in a zone of its own; at least two for an application load balancer.
  /// - Throws: `ValidationError`, `SubnetNotFound`, `InvalidSubnet`, `AllocationIdNotFound`,
  ///   `InvalidConfigurationRequest`.
  func places(
    _ mappings: [ELBv2.SubnetMapping], kind: LoadBalancerKind, scheme: String, _ ipAddressType: String,
    _ call: CallContext
  ) async throws -> (vpc: String, zones: [ZoneRecord]) {
    try Self.check(mappings, kind: kind, scheme: scheme, ipAddressType)
    let subnets = mappings.compactMap(\.subnetId)
    let found: [EC2.Subnet]
    do {
      found =
        try await call.acting(as: Self.servicePrincipal).invoke(EC2.describeSubnets, .make { $0.subnetIds = subnets })
        .subnets ?? []
    } catch let error as AWSError where error.code == "InvalidSubnetID.NotFound" {
      throw AWSError(
        "SubnetNotFound", error.message.replacing("does not exist", with: "is not valid or does not exist"))
    }
    var zones: [ZoneRecord] = []
    for mapping in mappings {
      guard let subnet = found.first(where: { $0.subnetId == mapping.subnetId }), let id = subnet.subnetId else {
        continue
      }
      var zone = ZoneRecord(zone: subnet.availabilityZone ?? "", subnet: id)
      if let address = mapping.privateIPv4Address {
        guard let value = Addresses.ipv4(address), let network = subnet.cidrBlock.flatMap(Addresses.network),
          Addresses.contains(network, value)
        else { throw ELBv2Error.invalidConfiguration("The address '\(address)' is not in the subnet '\(id)'") }
        zone.privateAddress = address
      }
      if let allocation = mapping.allocationId {
        zone.allocation = allocation
        zone.elasticAddress = try await elasticAddress(allocation, call)
      }
      zones.append(zone)
    }
    guard let vpc = found.first?.vpcId, found.allSatisfy({ $0.vpcId == vpc }) else {
      throw ELBv2Error.invalidConfiguration("All subnets must belong to the same VPC")
    }
    if ipAddressType != "ipv4", found.contains(where: { ($0.ipv6CidrBlockAssociationSet ?? []).isEmpty }) {
      throw AWSError("InvalidSubnet", "You must specify subnets with an associated IPv6 CIDR block")
    }
    guard Set(zones.map(\.zone)).count == zones.count else {
      if kind == .application, Set(zones.map(\.zone)).count < 2 { throw Self.twoZones }
      throw ELBv2Error.invalidConfiguration(
        "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
    }
    return (vpc, zones)
  }

  private static func check(
    _ mappings: [ELBv2.SubnetMapping], kind: LoadBalancerKind, scheme: String, _ ipAddressType: String
  ) throws {
    let types = ["ipv4", "dualstack"] + (kind == .application ? ["dualstack-without-public-ipv4"] : [])
    guard types.contains(ipAddressType) else {
      throw ELBv2Error.validation(
        "IP address type '\(ipAddressType)' must be one of '\(types.joined(separator: ", "))'")
    }
    let subnets = mappings.compactMap(\.subnetId)
    guard subnets.count == mappings.count else { throw ELBv2Error.validation("A subnet mapping must have a subnet ID") }
    guard Set(subnets).count == subnets.count else {
      throw ELBv2Error.invalidConfiguration("The same subnet cannot be specified more than once")
    }
    for mapping in mappings {
      if mapping.iPv6Address != nil || mapping.sourceNatIpv6Prefix != nil {
        throw AWSError.notImplemented("IPv6 addresses of load balancers")
      }
      guard mapping.allocationId != nil || mapping.privateIPv4Address != nil else { continue }
      guard kind == .network else {
        throw ELBv2Error.invalidConfiguration(
          "You cannot specify addresses in the subnet mappings of an Application Load Balancer")
      }
      guard (mapping.allocationId != nil) == (scheme == "internet-facing") else {
        throw ELBv2Error.invalidConfiguration(
          "Elastic IP addresses are for internet-facing load balancers, private addresses for internal ones")
      }
    }
    guard subnets.count >= (kind == .application ? 2 : 1) else {
      throw kind == .application ? twoZones : ELBv2Error.validation("At least one subnet must be specified")
    }
  }

  private func elasticAddress(_ allocation: String, _ call: CallContext) async throws -> String? {
    do {
      let found = try await call.acting(as: Self.servicePrincipal).invoke(
        EC2.describeAddresses, .make { $0.allocationIds = [allocation] })
      return found.addresses?.first?.publicIp
    } catch let error as AWSError where error.code == "InvalidAllocationID.NotFound" {
      throw AWSError("AllocationIdNotFound", "The allocation IDs '\(allocation)' are not valid")
    }
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

  /// Where an instance is.
  struct InstancePlace: Sendable {
    var address: String
    var zone: String
  }

  /// The instances with these ids. They may be of any VPC: the machine is reached from each.
  /// - Throws: `InvalidTarget`, which names those that are none.
  func instances(_ ids: [String], _ call: CallContext) async throws -> [String: InstancePlace] {
    // By a filter, as an id that is none is no error then.
    let described = try await call.acting(as: Self.servicePrincipal).invoke(
      EC2.describeInstances, .make { $0.filters = [Self.filter("instance-id", ids)] })
    let found = (described.reservations ?? []).flatMap { $0.instances ?? [] }
    var seen: Set<String> = []
    let strangers = ids.filter { id in !found.contains { $0.instanceId == id } && seen.insert(id).inserted }
    guard strangers.isEmpty else {
      let list = strangers.map { "'\($0)'" }.joined(separator: ", ")
      throw AWSError("InvalidTarget", "The following targets are not valid instances: \(list)")
    }
    var places: [String: InstancePlace] = [:]
    for instance in found {
      guard let id = instance.instanceId, let address = instance.privateIpAddress,
        let zone = instance.placement?.availabilityZone
      else { continue }
      places[id] = InstancePlace(address: address, zone: zone)
    }
    return places
  }

  private static func filter(_ name: String, _ value: String) -> EC2.Filter { filter(name, [value]) }

  private static func filter(_ name: String, _ values: [String]) -> EC2.Filter {
    .make {
      $0.name = name
      $0.values = values
    }
  }
}
