// CreateLoadBalancer and DeleteLoadBalancer.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit
import Store

extension ELBv2Service {
  func createLoadBalancer(
    _ input: ELBv2.CreateLoadBalancerInput, _ call: CallContext
  ) async throws -> ELBv2.CreateLoadBalancerOutput {
    let kind = try Self.kind(input)
    try Names.check(input.name, "Load balancer")
    guard !input.name.lowercased().hasPrefix("internal-") else {
      throw ELBv2Error.validation("Load balancer name '\(input.name)' cannot begin with 'internal-'")
    }
    let scheme = input.scheme ?? "internet-facing"
    guard ["internet-facing", "internal"].contains(scheme) else {
      throw AWSError("InvalidScheme", "Scheme '\(scheme)' must be one of 'internet-facing, internal'")
    }
    let tags = try Tags.read(input.tags, call)
    _ = try ShieldTags.read(tags, kind)
    let ipAddressType = input.ipAddressType ?? "ipv4"
    let (vpc, zones) = try await places(
      Self.mappings(input.subnets, input.subnetMappings), kind: kind, scheme: scheme, ipAddressType, call)
    if scheme == "internet-facing" { try await requireInternetGateway(vpc, call) }
    let wanted = input.securityGroups ?? []
    // A network load balancer that is made without security groups never has any.
    let groups = kind == .network && wanted.isEmpty ? [] : try await securityGroups(wanted, vpc, call)
    let short = kind == .network ? "net" : "app"
    let arn = call.arn("elasticloadbalancing", "loadbalancer/\(short)/\(input.name)/\(call.ids.hex(16))")
    var record = LoadBalancerRecord(
      arn: arn, name: input.name, scheme: scheme, vpc: vpc, zones: zones, securityGroups: groups,
      ipAddressType: ipAddressType, created: call.now, address: "", tags: tags, type: kind.rawValue)
    record.prefixForIPv6SourceNAT = input.enablePrefixForIpv6SourceNat
    record.address = try await environment.addresses.address(for: arn)
    let new = record
    let made = try await store.write { tx in
      if let existing = try tx.find(LoadBalancerRecord.self, call.scope, index: "name", new.name).first {
        guard existing.scheme == new.scheme, Set(existing.zones) == Set(new.zones), existing.kind == new.kind,
          Set(existing.securityGroups) == Set(new.securityGroups), existing.ipAddressType == new.ipAddressType,
          existing.tags == new.tags
        else { throw ELBv2Error.duplicate("DuplicateLoadBalancerName", "load balancer", new.name) }
        return existing
      }
      let max = kind == .network ? ELBv2Limits.networkLoadBalancersMax : ELBv2Limits.loadBalancersMax
      guard try tx.list(LoadBalancerRecord.self, call.scope).count(where: { $0.kind == kind }) < max else {
        throw AWSError("TooManyLoadBalancers", "The maximum number of load balancers has been reached on this account")
      }
      try tx.put(new, call.scope)
      return new
    } orElse: {
      try await environment.addresses.release(arn)
    }
    if made.arn != arn { try await environment.addresses.release(arn) }
    await reconciler.applyIfThere()
    // As on AWS the answer is the load balancer as it was made: provisioning.
    return .make { $0.loadBalancers = [answer(made, [], call)] }
  }

  private static func kind(_ input: ELBv2.CreateLoadBalancerInput) throws -> LoadBalancerKind {
    let type = input.type ?? "application"
    guard let kind = LoadBalancerKind(rawValue: type) else {
      guard type == "gateway" else {
        throw ELBv2Error.validation("Load balancer type '\(type)' must be one of 'application, network, gateway'")
      }
      throw AWSError.notImplemented("load balancers of type \(type)")
    }
    if input.customerOwnedIpv4Pool != nil { throw AWSError.notImplemented("CustomerOwnedIpv4Pool of load balancers") }
    if input.ipamPools != nil { throw AWSError.notImplemented("IpamPools of load balancers") }
    if input.enablePrefixForIpv6SourceNat != nil, kind == .application {
      throw ELBv2Error.validation("EnablePrefixForIpv6SourceNat is only supported for Network Load Balancers")
    }
    return kind
  }

  func deleteLoadBalancer(
    _ input: ELBv2.DeleteLoadBalancerInput, _ call: CallContext
  ) async throws -> ELBv2.DeleteLoadBalancerOutput {
    let arn = input.loadBalancerArn
    guard arn.contains(":loadbalancer/") else { throw ELBv2Error.invalidARN(arn, "load balancer") }
    let isGone = try await store.write { tx in
      // Deleting what is not there succeeds.
      guard let record = try tx.get(LoadBalancerRecord.self, call.scope, arn) else { return false }
      guard AttributeTable.loadBalancer(record.kind).value("deletion_protection.enabled", record.attributes) != "true"
      else {
        throw ELBv2Error.notPermitted(
          "Load balancer '\(arn)' cannot be deleted because deletion protection is enabled")
      }
      for listener in try tx.listeners(of: arn, call.scope) { try Self.remove(listener, tx, call.scope) }
      return try tx.delete(LoadBalancerRecord.self, call.scope, arn)
    }
    if isGone {
      await reconciler.applyIfThere()
      try await environment.addresses.release(arn)
    }
    return .init()
  }

  /// Removes a listener with its rules.
  static func remove(_ listener: ListenerRecord, _ tx: Transaction, _ scope: Scope) throws {
    for rule in try tx.rules(of: listener.arn, scope) { try tx.delete(RuleRecord.self, scope, rule.arn) }
    try tx.delete(ListenerRecord.self, scope, listener.arn)
  }
}

extension Store {
  /// A transaction with something to undo outside the store when it fails.
  func write<T: Sendable>(
    _ body: @escaping @Sendable (Transaction) throws -> T, orElse undo: () async throws -> Void
  ) async throws -> T {
    do {
      return try await write(body)
    } catch {
      try await undo()
      throw error
    }
  }
}
