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
      $0.canonicalHostedZoneId = Names.hostedZone(call.region, record.kind)
      $0.createdTime = record.created
      $0.scheme = record.scheme
      $0.vpcId = record.vpc
      $0.type = record.kind.rawValue
      $0.ipAddressType = record.ipAddressType
      $0.securityGroups = record.securityGroups
      $0.enforceSecurityGroupInboundRulesOnPrivateLinkTraffic = record.enforcesPrivateLinkRules
      $0.availabilityZones = record.zones.map { zone in
        .make {
          $0.zoneName = zone.zone
          $0.subnetId = zone.subnet
          $0.loadBalancerAddresses = Self.addresses(zone)
        }
      }
      let broken = listeners.first { $0.bound != nil && $0.bound?.port == nil }
      $0.state = .make {
        $0.code = !record.isActive ? "provisioning" : broken == nil ? "active" : "active_impaired"
        if let broken { $0.reason = "Port \(broken.port) could not be bound: \(broken.bound?.problem ?? "")" }
      }
    }
  }

  private static func addresses(_ zone: ZoneRecord) -> [ELBv2.LoadBalancerAddress] {
    guard zone.allocation != nil || zone.privateAddress != nil else { return [] }
    return [
      .make {
        $0.allocationId = zone.allocation
        $0.ipAddress = zone.elasticAddress
        $0.privateIPv4Address = zone.privateAddress
      }
    ]
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
    let change: @Sendable (inout LoadBalancerRecord) throws -> Void = { record in
      record.attributes = try AttributeTable.loadBalancer(record.kind).changed(record.attributes, by: changes)
      try AttributeChecks.loadBalancer(record.attributes, record.kind)
    }
    let old = try await store.read { try $0.loadBalancer(input.loadBalancerArn, call.scope) }
    var wanted = old
    try change(&wanted)
    try await tryLogs(wanted, old: old, call)
    let record = try await store.write { tx in
      var record = try tx.loadBalancer(input.loadBalancerArn, call.scope)
      try change(&record)
      try tx.put(record, call.scope)
      try Self.checkShift(of: record, tx, call.scope)
      return record
    }
    await reconciler.applyIfThere()
    return .make { $0.attributes = Self.attributes(record) }
  }

  private static func attributes(_ record: LoadBalancerRecord) -> [ELBv2.LoadBalancerAttribute] {
    AttributeTable.loadBalancer(record.kind).all(record.attributes).map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }
}
