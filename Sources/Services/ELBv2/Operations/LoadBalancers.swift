// Describing and changing load balancers.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit
import Store

extension ELBv2Service {
  func describeLoadBalancers(
    _ input: ELBv2.DescribeLoadBalancersInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeLoadBalancersOutput {
    let arns = input.loadBalancerArns ?? []
    let names = input.names ?? []
    guard arns.isEmpty || names.isEmpty else {
      throw ELBv2Error.validation("Load balancer names and load balancer ARNs cannot be specified at the same time")
    }
    let (all, listeners) = try await store.read { snapshot in
      (
        try snapshot.list(LoadBalancerRecord.self, call.scope),
        Dictionary(grouping: try snapshot.list(ListenerRecord.self, call.scope), by: \.loadBalancer)
      )
    }
    var kept = all
    if !arns.isEmpty {
      kept = try arns.map { arn in
        guard arn.contains(":loadbalancer/") else { throw ELBv2Error.invalidARN(arn, "load balancer") }
        guard let found = all.first(where: { $0.arn == arn }) else {
          throw AWSError("LoadBalancerNotFound", "One or more load balancers not found")
        }
        return found
      }
    } else if !names.isEmpty {
      let missing = names.filter { name in !all.contains { $0.name == name } }
      guard missing.isEmpty else { throw ELBv2Error.loadBalancersNotFound(names: missing) }
      kept = all.filter { names.contains($0.name) }
    }
    let page = try Page(kept, size: input.pageSize, marker: input.marker, id: \.arn)
    return .make {
      $0.loadBalancers = page.items.map { answer($0, listeners[$0.arn] ?? [], call) }
      $0.nextMarker = page.next
    }
  }

  /// A load balancer as the API tells it.
  func answer(_ record: LoadBalancerRecord, _ listeners: [ListenerRecord], _ call: CallContext) -> ELBv2.LoadBalancer {
    .make {
      $0.loadBalancerArn = record.arn
      $0.loadBalancerName = record.name
      $0.dnsName = ports.dnsName(record, listeners)
      $0.canonicalHostedZoneId = Names.hostedZone(call.region)
      $0.createdTime = record.created
      $0.scheme = record.scheme
      $0.vpcId = record.vpc
      $0.type = "application"
      $0.ipAddressType = record.ipAddressType
      $0.securityGroups = record.securityGroups
      $0.enforceSecurityGroupInboundRulesOnPrivateLinkTraffic = record.enforcesPrivateLinkRules
      $0.availabilityZones = record.zones.map { zone in
        .make {
          $0.zoneName = zone.zone
          $0.subnetId = zone.subnet
          $0.loadBalancerAddresses = []
        }
      }
      let broken = listeners.first { $0.bound != nil && $0.bound?.port == nil }
      $0.state = .make {
        $0.code = !record.isActive ? "provisioning" : broken == nil ? "active" : "active_impaired"
        if let broken { $0.reason = "Port \(broken.port) could not be bound: \(broken.bound?.problem ?? "")" }
      }
    }
  }

  func describeLoadBalancerAttributes(
    _ input: ELBv2.DescribeLoadBalancerAttributesInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeLoadBalancerAttributesOutput {
    let record = try await store.read { try $0.loadBalancer(input.loadBalancerArn, call.scope) }
    return .make { $0.attributes = Self.attributes(record) }
  }

  func modifyLoadBalancerAttributes(
    _ input: ELBv2.ModifyLoadBalancerAttributesInput, _ call: CallContext
  ) async throws -> ELBv2.ModifyLoadBalancerAttributesOutput {
    let changes = input.attributes.map { (key: $0.key ?? "", value: $0.value ?? "") }
    let record = try await store.write { tx in
      var record = try tx.loadBalancer(input.loadBalancerArn, call.scope)
      record.attributes = try AttributeTable.loadBalancer.changed(record.attributes, by: changes)
      try tx.put(record, call.scope)
      return record
    }
    await reconciler.applyIfThere()
    return .make { $0.attributes = Self.attributes(record) }
  }

  private static func attributes(_ record: LoadBalancerRecord) -> [ELBv2.LoadBalancerAttribute] {
    AttributeTable.loadBalancer.all(record.attributes).map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }

  func setSecurityGroups(
    _ input: ELBv2.SetSecurityGroupsInput, _ call: CallContext
  ) async throws -> ELBv2.SetSecurityGroupsOutput {
    let vpc = try await store.read { try $0.loadBalancer(input.loadBalancerArn, call.scope).vpc }
    let groups = try await securityGroups(input.securityGroups, vpc, call)
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
    let (vpc, zones) = try await places(subnets(input.subnets, input.subnetMappings), call)
    guard vpc == old.vpc else {
      throw ELBv2Error.invalidConfiguration("The subnets must belong to the load balancer's VPC '\(old.vpc)'")
    }
    let record = try await store.write { tx in
      var record = try tx.loadBalancer(input.loadBalancerArn, call.scope)
      record.zones = zones
      if let type = input.ipAddressType { record.ipAddressType = type }
      try tx.put(record, call.scope)
      return record
    }
    return .make {
      $0.availabilityZones = answer(record, [], call).availabilityZones
      $0.ipAddressType = record.ipAddressType
    }
  }

  func setIpAddressType(
    _ input: ELBv2.SetIpAddressTypeInput, _ call: CallContext
  ) async throws -> ELBv2.SetIpAddressTypeOutput {
    try await store.write { tx in
      var record = try tx.loadBalancer(input.loadBalancerArn, call.scope)
      record.ipAddressType = input.ipAddressType
      try tx.put(record, call.scope)
    }
    return .make { $0.ipAddressType = input.ipAddressType }
  }

  /// No capacity is reserved here, nor need it be.
  func describeCapacityReservation(
    _ input: ELBv2.DescribeCapacityReservationInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeCapacityReservationOutput {
    _ = try await store.read { try $0.loadBalancer(input.loadBalancerArn, call.scope) }
    return .make { $0.capacityReservationState = [] }
  }
}
