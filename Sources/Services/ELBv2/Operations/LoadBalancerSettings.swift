// Load balancers: security groups, subnets, address types, capacity.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit
import Store

extension ELBv2Service {
  func setSecurityGroups(
    _ input: ELBv2.SetSecurityGroupsInput, _ call: CallContext
  ) async throws -> ELBv2.SetSecurityGroupsOutput {
    let old = try await store.read { try $0.loadBalancer(input.loadBalancerArn, call.scope) }
    guard old.kind == .application || !old.securityGroups.isEmpty else {
      throw ELBv2Error.invalidConfiguration(
        "Security groups cannot be set on a Network Load Balancer that was created without them")
    }
    if let enforced = input.enforceSecurityGroupInboundRulesOnPrivateLinkTraffic {
      guard old.kind == .network else {
        throw ELBv2Error.invalidConfiguration(
          "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic is only supported on Network Load Balancers")
      }
      guard ["on", "off"].contains(enforced) else {
        throw ELBv2Error.validation("'\(enforced)' must be one of 'on, off'")
      }
    }
    let groups = try await securityGroups(input.securityGroups, old.vpc, call)
    let record = try await store.write { tx in
      var record = try tx.loadBalancer(input.loadBalancerArn, call.scope)
      record.securityGroups = groups
      if let enforced = input.enforceSecurityGroupInboundRulesOnPrivateLinkTraffic {
        record.enforcesPrivateLinkRules = enforced
      }
      try tx.put(record, call.scope)
      return record
    }
    return .make {
      $0.securityGroupIds = record.securityGroups
      $0.enforceSecurityGroupInboundRulesOnPrivateLinkTraffic = record.enforcesPrivateLinkRules
    }
  }

  func setSubnets(_ input: ELBv2.SetSubnetsInput, _ call: CallContext) async throws -> ELBv2.SetSubnetsOutput {
    let old = try await store.read { try $0.loadBalancer(input.loadBalancerArn, call.scope) }
    let (vpc, zones) = try await places(
      Self.mappings(input.subnets, input.subnetMappings), kind: old.kind, scheme: old.scheme,
      input.ipAddressType ?? old.ipAddressType, call)
    guard vpc == old.vpc else {
      throw ELBv2Error.invalidConfiguration("The subnets must belong to the load balancer's VPC '\(old.vpc)'")
    }
    let record = try await store.write { tx in
      var record = try tx.loadBalancer(input.loadBalancerArn, call.scope)
      record.zones = zones
      if let type = input.ipAddressType { record.ipAddressType = type }
      if let prefix = input.enablePrefixForIpv6SourceNat { record.prefixForIPv6SourceNAT = prefix }
      try tx.put(record, call.scope)
      return record
    }
    await reconciler.applyIfThere()
    return .make {
      $0.availabilityZones = answer(record, [], call).availabilityZones
      $0.ipAddressType = record.ipAddressType
      $0.enablePrefixForIpv6SourceNat = record.prefixForIPv6SourceNAT
    }
  }

  func setIpAddressType(
    _ input: ELBv2.SetIpAddressTypeInput, _ call: CallContext
  ) async throws -> ELBv2.SetIpAddressTypeOutput {
    let old = try await store.read { try $0.loadBalancer(input.loadBalancerArn, call.scope) }
    // The subnets must fit the new type.
    let subnets = old.zones.map { zone in ELBv2.SubnetMapping.make { $0.subnetId = zone.subnet } }
    _ = try await places(subnets, kind: old.kind, scheme: old.scheme, input.ipAddressType, call)
    try await store.write { tx in
      var record = try tx.loadBalancer(input.loadBalancerArn, call.scope)
      record.ipAddressType = input.ipAddressType
      try tx.put(record, call.scope)
    }
    return .make { $0.ipAddressType = input.ipAddressType }
  }

  // MARK: - Capacity: always enough here, so that what is asked for is there at once

  func describeCapacityReservation(
    _ input: ELBv2.DescribeCapacityReservationInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeCapacityReservationOutput {
    let record = try await store.read { try $0.loadBalancer(input.loadBalancerArn, call.scope) }
    return .make {
      $0.capacityReservationState = Self.zonal(record)
      $0.decreaseRequestsRemaining = 2
      $0.lastModifiedTime = record.capacity?.modified
      $0.minimumLoadBalancerCapacity = record.capacity.map { capacity in .make { $0.capacityUnits = capacity.units } }
    }
  }

  func modifyCapacityReservation(
    _ input: ELBv2.ModifyCapacityReservationInput, _ call: CallContext
  ) async throws -> ELBv2.ModifyCapacityReservationOutput {
    let isReset = input.resetCapacityReservation == true
    guard isReset != (input.minimumLoadBalancerCapacity != nil) else {
      throw ELBv2Error.validation(
        "You must specify either MinimumLoadBalancerCapacity or ResetCapacityReservation, not both")
    }
    let units = input.minimumLoadBalancerCapacity?.capacityUnits ?? 0
    guard isReset || units >= ELBv2Limits.capacityUnitsMin else {
      throw ELBv2Error.invalidConfiguration(
        "The minimum capacity '\(units)' must be at least '\(ELBv2Limits.capacityUnitsMin)' capacity units")
    }
    let record = try await store.write { tx in
      var record = try tx.loadBalancer(input.loadBalancerArn, call.scope)
      record.capacity = isReset ? nil : CapacityRecord(units: units, modified: call.now)
      try tx.put(record, call.scope)
      return record
    }
    return .make {
      $0.capacityReservationState = Self.zonal(record)
      $0.decreaseRequestsRemaining = 2
      $0.lastModifiedTime = record.capacity?.modified
      $0.minimumLoadBalancerCapacity = record.capacity.map { capacity in .make { $0.capacityUnits = capacity.units } }
    }
  }

  private static func zonal(_ record: LoadBalancerRecord) -> [ELBv2.ZonalCapacityReservationState] {
    guard let capacity = record.capacity else { return [] }
    return record.zones.map { zone in
      .make {
        $0.availabilityZone = zone.zone
        $0.effectiveCapacityUnits = Double(capacity.units) / Double(record.zones.count)
        $0.state = .make { $0.code = "provisioned" }
      }
    }
  }

  func modifyIpPools(_ input: ELBv2.ModifyIpPoolsInput, _ call: CallContext) async throws -> ELBv2.ModifyIpPoolsOutput {
    _ = try await store.read { try $0.loadBalancer(input.loadBalancerArn, call.scope) }
    guard input.ipamPools?.ipv4IpamPoolId == nil else {
      throw AWSError.notImplemented("IpamPools of load balancers")
    }
    // None is used, so that there is none to remove.
    return .make { $0.ipamPools = .make { _ in } }
  }
}
