// Floods through real sockets, one after another: each needs the machine for itself to be one.
import GateProtocol
import Glibc
import Synchronization
import Testing

@testable import GateCore

@Suite("Floods", .serialized, .timeLimit(.minutes(2)))
struct FloodTests {
  @Test("a flood of requests is recognised and held back while clients known before are served, and it is told of")
  func requests() async throws {
    let bounds = GateSnapshot.Shield.Bounds(
      requests: 400, connections: 4000, slow: 4000, learningTime: 2, quietTime: 1)
    try await ShieldTests.with(.init(bounds: bounds), loops: 2) { gate, port in
      let events = try await gate.client.events()
      let stopping = Mutex(false)
      // Clients that were there before, at an even pace that does not depend on what happens.
      let failures = Mutex(0)
      let clients = (1...3).map { number in
        Pump(every: 20) {
          if status(port, from: "127.1.0.\(number)") != 200 { failures.withLock { $0 += 1 } }
        }
      }
      defer { for client in clients { client.stop() } }
      // Known and learned: three seconds of service and two of learning are behind them.
      try await gate.waitForServed(500)
      let attackers = (0..<8).map { number in
        Pump(every: 0) {
          if stopping.withLock({ $0 }) { return }
          // Being refused is what it is for.
          do { try flood(port, from: "127.2.\(number).\(Int.random(in: 1...20))") } catch {}
        }
      }
      defer { for attacker in attackers { attacker.stop() } }
      var attack: GateAttack?
      for await event in events {
        guard case .attack(let told) = event else { continue }
        attack = told
        if told.phase == .began {
          #expect(told.loadBalancer == "lb")
          #expect(told.vectors.contains { $0.name == "REQUEST_FLOOD" })
        }
        if told.heldSources > 0 { stopping.withLock { $0 = true } }
        if told.phase == .ended { break }
      }
      let last = try #require(attack)
      #expect(last.isMitigated)
      #expect(last.refused > 0)
      #expect(last.sources.allSatisfy { $0.name.hasPrefix("127.2.") })
      #expect(failures.withLock { $0 } == 0)
      // A control plane that was away learns of it.
      let other = try GateClient.connect(toSocketAt: gate.socketPath)
      let remembered = try await other.attacks()
      other.close()
      #expect(remembered.map(\.id) == [last.id])
      #expect(remembered.first?.phase == .ended)
    }
  }

  enum Shortage: CaseIterable {
    case nothing, loops, targets
  }

  @Test(
    "a second address at a high rate is served while nothing runs short, and held back when loops or targets are busy",
    arguments: Shortage.allCases)
  func secondAddress(_ shortage: Shortage) async throws {
    // Busy is what exceeds nothing, or what nothing exceeds: how busy this machine is does not matter here.
    let bounds = GateSnapshot.Shield.Bounds(
      requests: 150, connections: 4000, slow: 4000, learningTime: 2, quietTime: 1, load: shortage == .loops ? -1 : 2,
      waitMargin: shortage == .targets ? 0.02 : 1000)
    let server = try TestServer { request in
      if shortage == .targets, request.target == "/test" { usleep(100_000) }
      return ok("fine")
    }
    try await ShieldTests.with(.init(bounds: bounds), loops: 2, server: server) { gate, port in
      let events = try await gate.client.events()
      let failures = Mutex(0)
      let clients = (1...3).map { number in
        Pump(every: 50) {
          if status(port, from: "127.1.0.\(number)") != 200 { failures.withLock { $0 += 1 } }
        }
      }
      defer { for client in clients { client.stop() } }
      try await gate.waitForServed(240)
      let isStopping = Mutex(false)
      let refused = Mutex(0)
      // Ten requests a second over each connection are all that slow targets answer.
      let testers = (0..<(shortage == .targets ? 40 : 4)).map { _ in
        Pump(every: 20) {
          if isStopping.withLock({ $0 }) { return }
          do {
            let count = try loadTest(port, from: "127.3.0.1")
            refused.withLock { $0 += count }
          } catch {
            // Reset: held.
            refused.withLock { $0 += 1 }
          }
        }
      }
      defer { for tester in testers { tester.stop() } }
      let isShort = shortage != .nothing
      var told = 0
      for await event in events {
        guard case .attack(let attack) = event else { continue }
        #expect(attack.vectors.contains { $0.name == "REQUEST_FLOOD" })
        told += 1
        if told < 3, !isShort { continue }
        if isShort, attack.refused == 0 { continue }
        #expect(attack.isMitigated == isShort)
        break
      }
      isStopping.withLock { $0 = true }
      #expect((refused.withLock { $0 } > 0) == isShort)
      #expect(failures.withLock { $0 } == 0)
    }
  }

  @Test(
    "a flood of connections to a network load balancer is recognised and held back while clients known before are served, and it is told of"
  )
  func connections() async throws {
    let server = try NetworkShieldTests.echo()
    let bounds = GateSnapshot.Shield.Bounds(connections: 150, slow: 4000, learningTime: 2, quietTime: 1)
    try await NetworkShieldTests.with(.init(bounds: bounds), targets: [target(server)], loops: 2) { gate, port in
      let events = try await gate.client.events()
      let failures = Mutex(0)
      let clients = (1...3).map { number in
        Pump(every: 50) {
          if !NetworkShieldTests.isServed(port, from: "127.1.0.\(number)") { failures.withLock { $0 += 1 } }
        }
      }
      defer { for client in clients { client.stop() } }
      // Known and learned: at most sixty a second.
      for await event in events {
        if case .statistics(let all) = event, all.networkLoadBalancers.first?.newFlows ?? 0 >= 240 { break }
      }
      let isStopping = Mutex(false)
      let attackers = (0..<8).map { number in
        Pump(every: 10) {
          if isStopping.withLock({ $0 }) { return }
          // Being refused is what it is for.
          for _ in 0..<10 { _ = try? connection(port, from: "127.2.\(number).\(Int.random(in: 1...20))", seconds: 1) }
        }
      }
      defer { for attacker in attackers { attacker.stop() } }
      let last = try await Self.attack(events) { if $0.heldSources > 0 { isStopping.withLock { $0 = true } } }
      #expect(last.loadBalancer == "nlb")
      #expect(last.vectors.contains { $0.name == "CONNECTION_FLOOD" })
      #expect(last.isMitigated)
      #expect(last.refused > 0)
      #expect(last.sources.allSatisfy { $0.name.hasPrefix("127.2.") })
      #expect(failures.withLock { $0 } == 0)
    }
  }

  @Test("a flood of datagrams is recognised and its sources are held, while a client known before gets its answers")
  func datagrams() async throws {
    let server = try DatagramServer("d")
    let target = GateSnapshot.Target(address: "127.0.0.1", port: server.port)
    let bounds = GateSnapshot.Shield.Bounds(
      connections: 100_000, learningTime: 2, quietTime: 1, datagrams: 1000)
    try await NetworkShieldTests.with(.init(bounds: bounds), .udp, targets: [target], loops: 2) { gate, port in
      let events = try await gate.client.events()
      let counts = Mutex((asked: 0, lost: 0))
      let client = try DatagramClient(port: port, from: "127.1.0.1")
      let pump = Pump(every: 20) {
        let isAnswered = (try? client.ask("x", milliseconds: 500)) != nil
        counts.withLock { counts in
          counts.asked += 1
          if !isAnswered { counts.lost += 1 }
        }
      }
      defer { pump.stop() }
      for await event in events {
        // Fifty a second at most.
        if case .statistics = event, counts.withLock({ $0.asked }) >= 200 { break }
      }
      let isStopping = Mutex(false)
      let attackers = try (0..<40).map { try DatagramClient(port: port, from: "127.2.\($0).1") }
      let attack = Pump(every: 10) {
        if isStopping.withLock({ $0 }) { return }
        for attacker in attackers { for _ in 0..<4 { try attacker.tell([1, 2, 3]) } }
      }
      defer { attack.stop() }
      let last = try await Self.attack(events) { if $0.heldSources > 0 { isStopping.withLock { $0 = true } } }
      #expect(last.vectors.map(\.name) == ["UDP_TRAFFIC"])
      #expect(last.isMitigated && last.refused > 0 && last.bytes > 0)
      #expect(last.sources.allSatisfy { $0.name.hasPrefix("127.2.") })
      // Sockets have room for so much only: what the kernel lost before we saw it is not ours.
      let (asked, lost) = counts.withLock { $0 }
      #expect(lost * 5 < asked)
    }
  }

  /// The last that is told of an attack, which must end.
  private static func attack(
    _ events: AsyncStream<GateEvent>, _ look: (GateAttack) -> Void
  ) async throws -> GateAttack {
    for await event in events {
      guard case .attack(let told) = event else { continue }
      look(told)
      if told.phase == .ended { return told }
    }
    throw TestFailure("the events ended")
  }
}

/// Ten requests over one connection, as fast as they go.
private func flood(_ port: UInt16, from source: String) throws {
  let socket = try connection(port, from: source, seconds: 1)
  let request = "GET /flood HTTP/1.1\r\nHost: shop.test\r\n\r\n"
  try socket.send(String(repeating: request, count: 20))
  let reader = MessageReader(socket)
  for _ in 0..<20 { if try reader.next() == nil { return } }
}

/// Twenty requests over one connection; how many of them were refused.
private func loadTest(_ port: UInt16, from source: String) throws -> Int {
  let socket = try connection(port, from: source, seconds: 5)
  try socket.send(String(repeating: "GET /test HTTP/1.1\r\nHost: shop.test\r\n\r\n", count: 20))
  let reader = MessageReader(socket)
  var refused = 0
  for _ in 0..<20 { if try reader.next()?.status != 200 { refused += 1 } }
  return refused
}
