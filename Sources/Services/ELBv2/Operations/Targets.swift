// Registering and deregistering targets.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit
import Store

extension ELBv2Service {
  func registerTargets(
    _ input: ELBv2.RegisterTargetsInput, _ call: CallContext
  ) async throws -> ELBv2.RegisterTargetsOutput {
    guard !input.targets.isEmpty else { throw ELBv2Error.validation("At least one target must be specified") }
    let type = try await store.read { try $0.targetGroup(input.targetGroupArn, call.scope).targetType }
    let instances = type == "instance" ? try await instances(input.targets.map(\.id), call) : [:]
    try await store.write { tx in
      var group = try tx.targetGroup(input.targetGroupArn, call.scope)
      for target in input.targets {
        try Self.check(target, group, tx, call.scope)
        let port = target.port ?? group.port
        if let at = group.targets.firstIndex(where: { $0.isSame(target.id, port) }) {
          group.targets[at].drainingSince = nil
          if let zone = target.availabilityZone { group.targets[at].zone = zone }
        } else {
          let instance = instances[target.id]
          group.targets.append(
            TargetRecord(
              id: target.id, port: port, zone: instance?.zone ?? target.availabilityZone, address: instance?.address))
        }
      }
      guard group.targets.count <= ELBv2Limits.targetsPerTargetGroupMax else {
        throw AWSError(
          "TooManyTargets",
          "The maximum number of targets per target group is '\(ELBv2Limits.targetsPerTargetGroupMax)'")
      }
      try tx.put(group, call.scope)
    }
    await reconciler.applyIfThere()
    return .init()
  }

  private static func check(
    _ target: ELBv2.TargetDescription, _ group: TargetGroupRecord, _ snapshot: Snapshot, _ scope: Scope
  ) throws {
    if target.quicServerId != nil { throw AWSError.notImplemented("QUIC server IDs of targets") }
    if group.targetType == "alb" { return try checkBalancer(target, group, snapshot, scope) }
    if let port = target.port, !(1...65_535).contains(port) {
      throw ELBv2Error.validation("The target port '\(port)' must be between '1' and '65535'")
    }
    if group.targetType == "instance" {
      guard target.availabilityZone == nil else {
        throw ELBv2Error.validation("An Availability Zone cannot be specified for targets of target type 'instance'")
      }
      // Which ones there are was asked of EC2.
      return
    }
    guard let address = Addresses.ipv4(target.id) else {
      throw ELBv2Error.validation("The IP address '\(target.id)' is not a valid IPv4 address")
    }
    guard Addresses.mayBeTarget(address) else {
      throw AWSError(
        "InvalidTarget",
        "The IP address '\(target.id)' is not within a range allowed for targets: publicly routable addresses cannot be registered"
      )
    }
  }

  /// An application load balancer behind a network load balancer: one, that has a listener on the port.
  private static func checkBalancer(
    _ target: ELBv2.TargetDescription, _ group: TargetGroupRecord, _ snapshot: Snapshot, _ scope: Scope
  ) throws {
    let balancer = try snapshot.loadBalancer(target.id, scope)
    guard balancer.kind == .application, balancer.vpc == group.vpc else {
      throw AWSError(
        "InvalidTarget", "'\(target.id)' is not an Application Load Balancer of the target group's VPC")
    }
    let port = target.port ?? group.port
    guard port == group.port else {
      throw ELBv2Error.validation("The target port '\(port)' must be the target group's port '\(group.port)'")
    }
    guard try snapshot.listeners(of: balancer.arn, scope).contains(where: { $0.port == port }) else {
      throw AWSError("InvalidTarget", "The load balancer '\(target.id)' has no listener on port '\(port)'")
    }
    guard group.targets.allSatisfy({ $0.id == target.id }) else {
      throw AWSError("TooManyTargets", "A target group of target type 'alb' can have only one target")
    }
  }

  /// A target of a load balancer drains first; one that gets no traffic is gone at once.
  func deregisterTargets(
    _ input: ELBv2.DeregisterTargetsInput, _ call: CallContext
  ) async throws -> ELBv2.DeregisterTargetsOutput {
    try await store.write { tx in
      var group = try tx.targetGroup(input.targetGroupArn, call.scope)
      let isUsed = try tx.usersOfTargetGroups(call.scope)[group.arn] != nil
      for target in input.targets {
        let isMeant: (TargetRecord) -> Bool = { record in
          record.id == target.id && (target.port == nil || record.port == target.port)
        }
        guard group.targets.contains(where: isMeant) else {
          throw AWSError(
            "InvalidTarget", "The following targets are not registered in the target group: '\(target.id)'")
        }
        if isUsed {
          for at in group.targets.indices where isMeant(group.targets[at]) {
            group.targets[at].drainingSince = group.targets[at].drainingSince ?? call.now
          }
        } else {
          group.targets.removeAll(where: isMeant)
        }
      }
      try tx.put(group, call.scope)
    }
    await reconciler.applyIfThere()
    return .init()
  }
}
