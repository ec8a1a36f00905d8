// Keeps the attacks that the Gate tells of. The Gate remembers its own, so none is lost while the control plane
// is away.

import AWSCore
import ELBv2Model
import GateProtocol
import Logging
import ServiceKit
import Store

struct AttackRecorder: Sendable {
  let environment: ServiceEnvironment
  let gate: GateController
  let metrics: AttackMetrics
  private var store: Store { environment.store }

  init(_ environment: ServiceEnvironment, gate: GateController) {
    metrics = AttackMetrics(environment)
    self.environment = environment
    self.gate = gate
  }

  /// Until the task is cancelled.
  func run() async throws {
    let events = await gate.events()
    do {
      for attack in try await gate.attacks() { try await keep(attack) }
    } catch is GateError {
      // The Gate is away. When it comes back it tells of everything that it remembers.
    }
    for await event in events {
      if case .attack(let attack) = event { try await keep(attack) }
    }
  }

  func keep(_ attack: GateAttack) async throws {
    guard let told = Self.record(attack), let arn = ARN(attack.loadBalancer) else { return }
    let scope = Scope(account: arn.account, region: "global")
    let addresses = told.isNetwork ? await addresses(of: arn) : []
    let news: AttackRecord? = try await store.write { tx in
      var record = told
      let known = try tx.get(AttackRecord.self, scope, record.id)
      if let known, known.updated >= record.updated { return nil }
      if let known {
        // What it is called does not change while it goes on.
        (record.resource, record.loadBalancer) = (known.resource, known.loadBalancer)
      } else if let address = try addresses.first(where: { address in
        try !tx.find(ProtectionRecord.self, scope, index: "resource", address).isEmpty
      }) {
        record.loadBalancer = record.resource
        record.resource = address
      }
      try tx.put(record, scope)
      // A year is kept.
      let old = record.updated.adding(seconds: -Double(ShieldLimits.attackMemorySeconds))
      for other in try tx.list(AttackRecord.self, scope) where other.updated < old {
        _ = try tx.delete(AttackRecord.self, scope, other.id)
      }
      return record
    }
    if let news { try await metrics.tell(news, scope) }
  }

  /// The Elastic IP addresses of a network load balancer: what Shield protects it by. None of one that is gone.
  private func addresses(of balancer: ARN) async -> [String] {
    let call = environment.call(as: Self.servicePrincipal, account: balancer.account, region: balancer.region)
    do {
      let found = try await call.invoke(
        ELBv2.describeLoadBalancers, .make { $0.loadBalancerArns = [balancer.description] })
      let zones = found.loadBalancers?.first?.availabilityZones ?? []
      return zones.flatMap { $0.loadBalancerAddresses ?? [] }.compactMap(\.allocationId).map { allocation in
        "arn:aws:ec2:\(balancer.region):\(balancer.account):eip-allocation/\(allocation)"
      }
    } catch let error as AWSError {
      environment.logger.info("a load balancer under attack is not known", metadata: ["error": "\(error.message)"])
      return []
    } catch {
      environment.logger.warning("a load balancer under attack is not known", metadata: ["error": "\(error)"])
      return []
    }
  }

  static let servicePrincipal = "shield.amazonaws.com"

  /// nil for load balancers that are not resources of an account.
  static func record(_ attack: GateAttack) -> AttackRecord? {
    guard ARN(attack.loadBalancer) != nil else { return nil }
    func contributors(_ list: [GateAttack.Contributor]) -> [AttackRecord.Contributor] {
      list.map { AttackRecord.Contributor(name: $0.name, count: Int(clamping: $0.count)) }
    }
    return AttackRecord(
      id: attack.id, resource: attack.loadBalancer, started: Timestamp(seconds: attack.beganAt),
      updated: Timestamp(seconds: attack.updatedAt), ended: attack.endedAt.map { Timestamp(seconds: $0) },
      vectors: attack.vectors.map { vector in
        AttackRecord.Vector(
          name: vector.name, counter: vector.counter, max: vector.max, average: vector.average, sum: vector.sum,
          samples: vector.samples)
      }, sources: contributors(attack.sources), networks: contributors(attack.networks),
      offered: Int(clamping: attack.offered), refused: Int(clamping: attack.refused),
      requests: Int(clamping: attack.requests), heldSources: attack.heldSources, isMitigated: attack.isMitigated,
      bytes: Int(clamping: attack.bytes))
  }
}
