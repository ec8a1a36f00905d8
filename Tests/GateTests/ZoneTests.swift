// Zones, minimum healthy targets, and weights by failures.
import GateProtocol
import Testing

@testable import GateCore

@Suite("Zones and choice of targets", .timeLimit(.minutes(2)))
struct ZoneTests {
  private func group(_ count: Int, _ change: (inout GateSnapshot.TargetGroup) -> Void = { _ in }) -> TargetGroupRuntime
  {
    var description = GateSnapshot.TargetGroup(id: "tg")
    description.targets = (0..<count).map {
      .init(address: "127.0.0.1", port: UInt16(1000 + $0), zone: ["a", "b"][$0 % 2])
    }
    change(&description)
    let group = TargetGroupRuntime(id: "tg", algorithm: description.algorithm, turn: 0)
    _ = group.update(description)
    return group
  }

  private func chosen(_ pool: TargetPool, _ count: Int = 1000) -> [UInt16: Int] {
    var random = Random(seed: 1)
    var result: [UInt16: Int] = [:]
    for _ in 0..<count {
      if let target = pool.choose(now: 10_000_000, except: nil, &random) {
        result[target.address.port, default: 0] += 1
      }
    }
    return result
  }

  @Test("fewer healthy targets than the minimum, as a count or a share, and all get requests")
  func minimum() {
    let group = group(4) { $0.minimumHealthy.count = 2 }
    let pool = TargetPool(group: group, turn: 0)
    func eligible(healthy: Int) -> Int {
      for (index, target) in group.targets.enumerated() { target.isHealthy = index < healthy }
      pool.update(zone: nil, shifted: [])
      return pool.eligible.count
    }
    #expect(
      eligible(healthy: 3) == 3 && eligible(healthy: 2) == 2 && eligible(healthy: 1) == 4 && eligible(healthy: 0) == 4)
    var description = GateSnapshot.TargetGroup(
      id: "tg", targets: (0..<4).map { .init(address: "127.0.0.1", port: UInt16(1000 + $0)) })
    description.minimumHealthy.percentage = 75
    _ = group.update(description)
    #expect(eligible(healthy: 3) == 3 && eligible(healthy: 2) == 4)
  }

  @Test("a node uses the targets of its zone, and those of a shifted zone get nothing")
  func zones() {
    let group = group(4)
    for target in group.targets { target.isHealthy = true }
    let pool = TargetPool(group: group, turn: 0)
    pool.update(zone: "a", shifted: [])
    #expect(Set(chosen(pool).keys) == [1000, 1002])
    pool.update(zone: nil, shifted: ["a"])
    #expect(Set(chosen(pool).keys) == [1001, 1003])
    pool.update(zone: nil, shifted: ["a", "b"])
    #expect(chosen(pool).count == 4)
    // All of the zone's targets unhealthy: its node fails open, within its zone.
    for target in group.targets where target.zone == "a" { target.isHealthy = false }
    pool.update(zone: "a", shifted: [])
    #expect(Set(chosen(pool).keys) == [1000, 1002])
  }

  @Test("random choice is even until one target fails more than the others, and is even again when it recovers")
  func anomalies() {
    let group = group(4) {
      $0.algorithm = .weightedRandom
      $0.mitigatesAnomalies = true
    }
    for target in group.targets { target.isHealthy = true }
    let pool = TargetPool(group: group, turn: 0)
    pool.update(zone: nil, shifted: [])
    #expect(chosen(pool).values.allSatisfy { $0 > 180 && $0 < 320 })
    func second(failing: Bool) {
      for target in group.targets {
        for _ in 0..<50 { target.performance.record(isFailure: failing && target.address.port == 1002) }
      }
      TargetPerformance.compare(group.targets, mitigates: true)
    }
    for _ in 0..<8 { second(failing: true) }
    #expect(group.targets[2].performance.isAnomalous && group.targets[2].performance.isMitigated)
    #expect(chosen(pool)[1002] ?? 0 < 40)
    for _ in 0..<20 { second(failing: false) }
    #expect(!group.targets[2].performance.isMitigated)
    #expect(chosen(pool).values.allSatisfy { $0 > 180 && $0 < 320 })
  }

  @Test("without cross-zone balancing connections take turns over zones, and each zone's counters are its own")
  func nodes() async throws {
    let servers = try (0..<2).map { number in try TestServer { _ in ok("\(number)") } }
    func snapshot(_ version: UInt64, crossZone: Bool, shifted: Bool) -> GateSnapshot {
      let targets = servers.enumerated().map { index, server in
        GateSnapshot.Target(address: "127.0.0.1", port: server.port, zone: ["a", "b"][index])
      }
      let listener = GateSnapshot.Listener(id: "l", port: 0, defaultAction: .forward(to: "tg"))
      return GateSnapshot(
        version: version,
        loadBalancers: [
          .init(
            id: "lb", address: "127.0.0.1", listeners: [listener], attributes: .init(crossZone: crossZone),
            zones: [.init(name: "a"), .init(name: "b", isShifted: shifted)])
        ], targetGroups: [.init(id: "tg", targets: targets, healthCheck: .init(probe: .none))])
    }
    try await GateFixture.with(loops: 1) { gate in
      let applied = try await gate.client.apply(snapshot(1, crossZone: false, shifted: false)).listener("l")?.port
      let port = try #require(applied)
      var answers: [String] = []
      for _ in 0..<8 { answers.append(try await get(port).text) }
      #expect(answers.filter { $0 == "0" }.count == 4)
      // One connection stays with its node, and so with its zone.
      let same = try await onThread {
        let socket = try RawSocket(port: port)
        let reader = MessageReader(socket)
        return try (0..<4).map { _ in
          try socket.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
          return try reader.next()?.text ?? ""
        }
      }
      #expect(Set(same).count == 1)
      let nodes = try await gate.client.statistics().nodes
      #expect(nodes.map(\.zone) == ["a", "b"])
      #expect(nodes.allSatisfy { $0.newConnections >= 4 } && nodes.reduce(0) { $0 + $1.requests } == 12)
      try await gate.client.apply(snapshot(2, crossZone: true, shifted: true))
      for _ in 0..<6 { #expect(try await get(port).text == "0") }
    }
  }

  @Test("a target in a zone without a node is unused, and says why")
  func outOfZone() async throws {
    let server = try TestServer { _ in ok("") }
    try await GateFixture.with { gate in
      let listener = GateSnapshot.Listener(id: "l", port: 0, defaultAction: .forward(to: "tg"))
      let targets = [("a", "127.0.0.1"), ("c", "127.0.0.2")].map { zone, address in
        GateSnapshot.Target(address: address, port: server.port, zone: zone)
      }
      try await gate.client.apply(
        GateSnapshot(
          version: 1,
          loadBalancers: [.init(id: "lb", address: "127.0.0.1", listeners: [listener], zones: [.init(name: "a")])],
          targetGroups: [.init(id: "tg", targets: targets, healthCheck: .init(probe: .none))]))
      let health = try await gate.client.health()
      #expect(health.map(\.state) == [.healthy, .unused])
      #expect(health[1].reason == .notInUse && health[1].description?.contains("Availability Zone") == true)
    }
  }
}
