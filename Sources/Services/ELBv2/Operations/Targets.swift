// Registering and deregistering targets, and their health.

import AWSCore
import AWSWire
import ELBv2Model
import GateProtocol
import ServiceKit
import Store

extension ELBv2Service {
  func registerTargets(
    _ input: ELBv2.RegisterTargetsInput, _ call: CallContext
  ) async throws -> ELBv2.RegisterTargetsOutput {
    guard !input.targets.isEmpty else { throw ELBv2Error.validation("At least one target must be specified") }
    try await store.write { tx in
      var group = try tx.targetGroup(input.targetGroupArn, call.scope)
      for target in input.targets {
        try Self.check(target, group, tx, call.scope)
        let port = target.port ?? group.port
        if let at = group.targets.firstIndex(where: { $0.isSame(target.id, port) }) {
          group.targets[at].drainingSince = nil
          if let zone = target.availabilityZone { group.targets[at].zone = zone }
        } else {
          group.targets.append(TargetRecord(id: target.id, port: port, zone: target.availabilityZone))
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
    guard group.targetType == "ip" else {
      throw AWSError(
        "InvalidTarget", "The following targets are not valid instances: '\(target.id)' (Castle runs no EC2 instances)")
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

  func describeTargetHealth(
    _ input: ELBv2.DescribeTargetHealthInput, _ call: CallContext
  ) async throws -> ELBv2.DescribeTargetHealthOutput {
    let ports = ports
    let (group, isUsed, places) = try await store.read { snapshot in
      let group = try snapshot.targetGroup(input.targetGroupArn, call.scope)
      let state = DesiredState(
        loadBalancers: try snapshot.list(LoadBalancerRecord.self, call.scope),
        listeners: try snapshot.list(ListenerRecord.self, call.scope))
      let places = group.targets.map { state.place(of: $0, in: group, ports) }
      return (group, try snapshot.usersOfTargetGroups(call.scope)[group.arn] != nil, places)
    }
    var keys: [TargetRecord: GateReconciler.TargetKey] = [:]
    for (target, place) in zip(group.targets, places) {
      if let place { keys[target] = .init(group: group.arn, address: place.address, port: place.port) }
    }
    let known = keys
    let health = isUsed ? await reconciler.health(of: group.arn) : [:]
    var wanted = group.targets
    var strangers: [ELBv2.TargetDescription] = []
    if let targets = input.targets, !targets.isEmpty {
      wanted = group.targets.filter { record in
        targets.contains { $0.id == record.id && ($0.port == nil || $0.port == record.port) }
      }
      strangers = targets.filter { target in
        !group.targets.contains { $0.id == target.id && (target.port == nil || $0.port == target.port) }
      }
    }
    return .make {
      $0.targetHealthDescriptions =
        wanted.map { target in
          Self.answer(target, group, isUsed: isUsed, known[target].flatMap { health[$0] })
        } + strangers.map { Self.stranger($0, group) }
    }
  }

  private static func answer(
    _ target: TargetRecord, _ group: TargetGroupRecord, isUsed: Bool, _ health: GateTargetHealth?
  ) -> ELBv2.TargetHealthDescription {
    .make {
      $0.target = .make {
        $0.id = target.id
        $0.port = target.port
        $0.availabilityZone = target.zone
      }
      $0.healthCheckPort = group.healthCheck.port == "traffic-port" ? "\(target.port)" : group.healthCheck.port
      $0.targetHealth = .make {
        if !isUsed {
          $0.state = "unused"
          $0.reason = "Target.NotInUse"
          $0.description = "Target group is not configured to receive traffic from the load balancer"
        } else if target.drainingSince != nil {
          $0.state = "draining"
          $0.reason = "Target.DeregistrationInProgress"
          $0.description = "Target deregistration is in progress"
        } else if let health, health.state != .draining, health.reason != .notRegistered {
          $0.state = health.state.rawValue
          $0.reason = health.reason?.rawValue
          $0.description = health.description
        } else {
          // The Gate has not heard of it yet.
          $0.state = "initial"
          $0.reason = "Elb.RegistrationInProgress"
          $0.description = "Target registration is in progress"
        }
      }
    }
  }

  private static func stranger(
    _ target: ELBv2.TargetDescription, _ group: TargetGroupRecord
  ) -> ELBv2.TargetHealthDescription {
    .make {
      $0.target = .make {
        $0.id = target.id
        $0.port = target.port ?? group.port
      }
      $0.targetHealth = .make {
        $0.state = "unused"
        $0.reason = "Target.NotRegistered"
        $0.description = "Target is not registered to the target group"
      }
    }
  }
}
