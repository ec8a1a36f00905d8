// Keeps the attacks that the Gate tells of. The Gate remembers its own, so none is lost while the control plane
// is away.

import AWSCore
import GateProtocol
import Logging
import Store

struct AttackRecorder: Sendable {
  let store: Store
  let gate: GateController
  let logger: Logger

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
    guard let record = Self.record(attack), let account = ARN(attack.loadBalancer)?.account else { return }
    let scope = Scope(account: account, region: "global")
    try await store.write { tx in
      if let known = try tx.get(AttackRecord.self, scope, record.id), known.updated >= record.updated { return }
      try tx.put(record, scope)
      // A year is kept.
      let old = record.updated.adding(seconds: -Double(ShieldLimits.attackMemorySeconds))
      for other in try tx.list(AttackRecord.self, scope) where other.updated < old {
        _ = try tx.delete(AttackRecord.self, scope, other.id)
      }
    }
  }

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
      requests: Int(clamping: attack.requests), heldSources: attack.heldSources, isMitigated: attack.isMitigated)
  }
}
