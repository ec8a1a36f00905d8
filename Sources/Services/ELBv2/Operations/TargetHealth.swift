// DescribeTargetHealth: the Gate's word on each target.

import AWSCore
import AWSWire
import ELBv2Model
import GateProtocol
import ServiceKit
import Store

extension ELBv2Service {
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
    let includes = Set(input.include ?? [])
    // Only what is spoken over HTTP has answers to compare.
    let compares = !includes.isDisjoint(with: ["AnomalyDetection", "All"]) && group.kind == .application
    let anomalies = compares && isUsed ? await reconciler.anomalies(of: group.arn) : [:]
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
          var answer = Self.answer(target, group, isUsed: isUsed, known[target].flatMap { health[$0] })
          if compares { answer.anomalyDetection = Self.answer(known[target].flatMap { anomalies[$0] }) }
          return answer
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
        // An instance is where it is; only of addresses AWS tells the zone.
        $0.availabilityZone = group.targetType == "instance" ? nil : target.zone
      }
      $0.healthCheckPort = group.healthCheck.port == "traffic-port" ? "\(target.port)" : group.healthCheck.port
      $0.administrativeOverride = override(isUsed: isUsed, health)
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

  /// What a zonal shift does to a target.
  private static func override(isUsed: Bool, _ health: GateTargetHealth?) -> ELBv2.AdministrativeOverride {
    .make {
      switch health?.override {
      case .zonalShiftActive:
        $0.state = "zonal_shift_active"
        $0.reason = "AdministrativeOverride.ZonalShiftActive"
        $0.description = "Zonal shift is active in the target's Availability Zone"
      case .zonalShiftDelegatedToDNS:
        $0.state = "zonal_shift_delegated_to_dns"
        $0.reason = "AdministrativeOverride.ZonalShiftDelegatedToDns"
        $0.description = "Zonal shift is in effect in DNS, for the load balancer's node in the Availability Zone"
      case nil where isUsed && health == nil:
        $0.state = "unknown"
        $0.reason = "AdministrativeOverride.Unknown"
        $0.description = "The state of the override is not known yet"
      case nil:
        $0.state = "no_override"
        $0.reason = "AdministrativeOverride.NoOverride"
        $0.description = "No override is currently active on target"
      }
    }
  }

  private static func answer(_ target: GateStatistics.Target?) -> ELBv2.AnomalyDetection {
    .make {
      $0.result = target?.isAnomalous ?? false ? "anomalous" : "normal"
      $0.mitigationInEffect = target?.isMitigated ?? false ? "yes" : "no"
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
