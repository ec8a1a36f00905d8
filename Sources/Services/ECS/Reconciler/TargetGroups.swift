// Tasks as targets of load balancers: registered, watched, drained. All through ELBv2's API.

import AWSCore
import ELBv2Model
import Logging
import ServiceKit
import Store

/// What ECS asks of ELBv2.
struct TargetGroups: Sendable {
  let environment: ServiceEnvironment

  func call(_ scope: Scope) -> CallContext {
    environment.call(as: "ecs.amazonaws.com", account: scope.account, region: scope.region)
  }

  private func target(_ address: String, _ port: Int, zone: String? = nil) -> ELBv2.TargetDescription {
    .make {
      $0.id = address
      $0.port = port
      $0.availabilityZone = zone
    }
  }

  /// - Parameter place: where the task is: the address, unlike those in a VPC, does not tell its zone.
  func register(
    _ target: TargetRecord, address: String, _ place: DeploymentRecord.Place, _ scope: Scope
  ) async throws {
    _ = try await call(scope).invoke(
      ELBv2.registerTargets,
      .make {
        $0.targetGroupArn = target.group
        $0.targets = [
          self.target(address, target.port, zone: place.subnet == nil ? nil : place.zone)
        ]
      })
  }

  /// Deregistering what is not registered, or from a group that is gone, is no error.
  func deregister(_ target: TargetRecord, address: String, _ scope: Scope) async throws {
    do {
      _ = try await call(scope).invoke(
        ELBv2.deregisterTargets,
        .make {
          $0.targetGroupArn = target.group
          $0.targets = [self.target(address, target.port)]
        })
    } catch let error as AWSError where ["TargetGroupNotFound", "InvalidTarget"].contains(error.code) {}
  }

  /// Whether the target is still draining.
  func isDraining(_ target: TargetRecord, address: String, _ scope: Scope) async throws -> Bool {
    do {
      let health = try await call(scope).invoke(
        ELBv2.describeTargetHealth,
        .make {
          $0.targetGroupArn = target.group
          $0.targets = [self.target(address, target.port)]
        })
      return (health.targetHealthDescriptions ?? []).contains { $0.targetHealth?.state == "draining" }
    } catch let error as AWSError where ["TargetGroupNotFound", "InvalidTarget"].contains(error.code) {
      return false
    }
  }

  /// How long the group lets a target drain, in seconds.
  func deregistrationDelay(_ group: String, _ scope: Scope) async -> Double {
    do {
      let attributes = try await call(scope).invoke(
        ELBv2.describeTargetGroupAttributes, .make { $0.targetGroupArn = group })
      let delay = attributes.attributes?.first { $0.key == "deregistration_delay.timeout_seconds" }?.value
      return delay.flatMap { Double($0) } ?? Limits.deregistrationDelay
    } catch {
      // The group may be gone; then nothing drains.
      return Limits.deregistrationDelay
    }
  }

  /// The states of a group's targets, by `address:port`.
  func health(_ group: String, _ scope: Scope) async throws -> [String: TargetState] {
    let health = try await call(scope).invoke(ELBv2.describeTargetHealth, .make { $0.targetGroupArn = group })
    var states: [String: TargetState] = [:]
    for description in health.targetHealthDescriptions ?? [] {
      guard let target = description.target else { continue }
      states["\(target.id):\(target.port ?? 0)"] = Self.state(description.targetHealth?.state)
    }
    return states
  }

  private static func state(_ text: String?) -> TargetState {
    switch text {
    // Health checks are off: what is registered is used.
    case "healthy", "unavailable": .healthy
    case "unhealthy", "unhealthy.draining": .unhealthy
    case "initial": .initial
    default: .unknown
    }
  }

  /// A task's state from those of its targets: the worst counts.
  static func combined(_ states: [TargetState]) -> TargetState {
    for state in [TargetState.unhealthy, .unknown, .initial] where states.contains(state) { return state }
    return states.isEmpty ? .unknown : .healthy
  }
}
