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
    try Self.checkBuilt(input)
    try Names.check(input.name, "Load balancer")
    guard !input.name.lowercased().hasPrefix("internal-") else {
      throw ELBv2Error.validation("Load balancer name '\(input.name)' cannot begin with 'internal-'")
    }
    let scheme = input.scheme ?? "internet-facing"
    guard ["internet-facing", "internal"].contains(scheme) else {
      throw AWSError("InvalidScheme", "Scheme '\(scheme)' must be one of 'internet-facing, internal'")
    }
    let tags = try Tags.read(input.tags, call)
    let (vpc, zones) = try await places(subnets(input.subnets, input.subnetMappings), call)
    if scheme == "internet-facing" { try await requireInternetGateway(vpc, call) }
    let groups = try await securityGroups(input.securityGroups ?? [], vpc, call)
    let arn = call.arn("elasticloadbalancing", "loadbalancer/app/\(input.name)/\(call.ids.hex(16))")
    var record = LoadBalancerRecord(
      arn: arn, name: input.name, scheme: scheme, vpc: vpc, zones: zones, securityGroups: groups,
      ipAddressType: input.ipAddressType ?? "ipv4", created: call.now, address: "", tags: tags)
    record.address = try await environment.addresses.address(for: arn)
    let new = record
    let made = try await store.write { tx in
      if let existing = try tx.find(LoadBalancerRecord.self, call.scope, index: "name", new.name).first {
        guard existing.scheme == new.scheme, Set(existing.zones) == Set(new.zones),
          Set(existing.securityGroups) == Set(new.securityGroups), existing.ipAddressType == new.ipAddressType,
          existing.tags == new.tags
        else { throw ELBv2Error.duplicate("DuplicateLoadBalancerName", "load balancer", new.name) }
        return existing
      }
      guard try tx.count(LoadBalancerRecord.self, call.scope) < ELBv2Limits.loadBalancersMax else {
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

  private static func checkBuilt(_ input: ELBv2.CreateLoadBalancerInput) throws {
    let type = input.type ?? "application"
    guard type == "application" else { throw AWSError.notImplemented("load balancers of type \(type)") }
    if input.customerOwnedIpv4Pool != nil { throw AWSError.notImplemented("CustomerOwnedIpv4Pool of load balancers") }
    if input.ipamPools != nil { throw AWSError.notImplemented("IpamPools of load balancers") }
    if input.enablePrefixForIpv6SourceNat != nil {
      throw ELBv2Error.validation("EnablePrefixForIpv6SourceNat is only supported for Network Load Balancers")
    }
  }

  func deleteLoadBalancer(
    _ input: ELBv2.DeleteLoadBalancerInput, _ call: CallContext
  ) async throws -> ELBv2.DeleteLoadBalancerOutput {
    let arn = input.loadBalancerArn
    guard arn.contains(":loadbalancer/") else { throw ELBv2Error.invalidARN(arn, "load balancer") }
    let isGone = try await store.write { tx in
      // Deleting what is not there succeeds.
      guard let record = try tx.get(LoadBalancerRecord.self, call.scope, arn) else { return false }
      guard AttributeTable.loadBalancer.value("deletion_protection.enabled", record.attributes) != "true" else {
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
