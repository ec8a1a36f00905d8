// Slow start: a target that has just become healthy gets its share little by little.
import GateProtocol
import Synchronization
import Testing

@testable import GateCore

@Suite("Slow start", .timeLimit(.minutes(1)))
struct SlowStartTests {
  /// A group of so many targets, and requests to it at moments of the test's own.
  private final class Trial {
    let group = TargetGroupRuntime(id: "tg", algorithm: .roundRobin, turn: 0)
    private var random = Random(seed: 7)

    init(_ states: [GateSnapshot.Target.State], slowStart: Double) { describe(states, slowStart: slowStart) }

    func describe(_ states: [GateSnapshot.Target.State], slowStart: Double) {
      var description = GateSnapshot.TargetGroup(id: "tg")
      description.slowStart = slowStart
      description.targets = states.enumerated().map {
        GateSnapshot.Target(address: "127.0.0.\($0 + 1)", port: 80, state: $1)
      }
      _ = group.update(description)
    }

    func health(_ healthy: Set<Int>, at second: Double) {
      group.update(now: microseconds(second)) { target in
        healthy.contains { group.targets[$0] === target }
      }
    }

    /// How many of a thousand requests each target gets.
    func shares(at second: Double) -> [Int] {
      let pool = TargetPool(group: group, turn: 0)
      pool.update(zone: nil, shifted: [])
      var counts = group.targets.map { _ in 0 }
      for _ in 0..<1000 {
        let chosen = pool.choose(now: microseconds(second), except: nil, &random)
        for (index, target) in group.targets.enumerated() where target === chosen { counts[index] += 1 }
      }
      return counts
    }

    private func microseconds(_ seconds: Double) -> UInt64 { UInt64(seconds * 1_000_000) + 1 }
  }

  @Test("the share grows in a straight line to the full one, and begins anew when the target was unhealthy")
  func grows() {
    let trial = Trial([.registered, .registered], slowStart: 100)
    trial.health([0], at: 0)
    trial.health([0, 1], at: 1000)
    let shares = [0, 25, 50, 75, 100].map { trial.shares(at: 1000 + $0)[1] }
    // Of two, one that takes only part p of its turns gets p of (1 + p).
    for (share, part) in zip(shares, [0.03, 0.25, 0.5, 0.75, 1]) {
      #expect(abs(Double(share) - 1000 * part / (1 + part)) < 60, "\(shares)")
    }
    trial.health([0], at: 1100)
    trial.health([0, 1], at: 1200)
    #expect(trial.shares(at: 1200)[1] < 80)
    trial.describe([.registered, .draining], slowStart: 100)
    trial.describe([.registered, .registered], slowStart: 100)
    #expect(trial.shares(at: 1201)[1] == 500)
  }

  @Test("nobody starts slowly where nobody has a full share, and those who were there when it was turned on do not")
  func fullShare() {
    let trial = Trial([.registered, .registered, .registered], slowStart: 100)
    trial.health([0, 1, 2], at: 10)
    #expect(trial.shares(at: 10).allSatisfy { $0 > 330 })
    trial.health([], at: 20)
    trial.health([2], at: 21)
    #expect(trial.shares(at: 22) == [0, 0, 1000])
    let later = Trial([.registered, .registered], slowStart: 0)
    later.health([0], at: 0)
    later.health([0, 1], at: 10)
    later.describe([.registered, .registered], slowStart: 100)
    #expect(later.shares(at: 11) == [500, 500])
  }

  @Test("when only those are left that start slowly they share evenly")
  func leftAlone() {
    let trial = Trial([.registered, .registered, .registered], slowStart: 100)
    trial.health([0], at: 0)
    trial.health([0, 1, 2], at: 10)
    trial.health([1, 2], at: 11)
    let shares = trial.shares(at: 11)
    #expect(shares[0] == 0 && abs(shares[1] - shares[2]) < 100, "\(shares)")
  }

  @Test("a target that joins a busy group gets few requests at first")
  func joins() async throws {
    let old = try TestServer { _ in ok("old") }
    let new = try TestServer { _ in ok("new") }
    try await GateFixture.with(loops: 1) { gate in
      var group = GateSnapshot.TargetGroup(id: "tg", healthCheck: .init(probe: .none))
      group.slowStart = 900
      let port = try await gate.serve(1, targets: [target(old)], group: group)
      try await gate.serve(2, targets: [target(old), target(new)], group: group)
      var seen = ["old": 0, "new": 0]
      for _ in 0..<100 { seen[try await get(port).text, default: 0] += 1 }
      #expect(seen["old", default: 0] > 80, "\(seen)")
    }
  }
}
