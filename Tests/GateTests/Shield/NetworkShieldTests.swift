// The shield in front of network load balancers, through real sockets.
import GateProtocol
import Glibc
import Synchronization
import Testing

@testable import GateCore

@Suite("The shield of network load balancers", .timeLimit(.minutes(1)))
struct NetworkShieldTests {
  /// Runs a Gate with one network load balancer, "nlb", in front of the targets; the body gets its port.
  static func with(
    _ shield: GateSnapshot.Shield, _ transport: GateSnapshot.NetworkListener.Transport = .tcp,
    targets: [GateSnapshot.Target], loops: Int = 1, _ body: (GateFixture, UInt16) async throws -> Void
  ) async throws {
    let group: GateSnapshot.TargetTransport = transport == .udp ? .udp : .tcp
    let material = transport == .tls ? try TestCertificates.shared.get().all : nil
    let tls: GateSnapshot.ListenerTLS? =
      transport == .tls
      ? .init(certificates: ["rsa"], securityPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06") : nil
    let listener = GateSnapshot.NetworkListener(
      id: "l", port: 0, transport: transport, tls: tls, targetGroups: [.init(targetGroup: "tg")])
    try await GateFixture.with(loops: loops) { gate in
      let status = try await gate.client.apply(
        GateSnapshot(
          version: 1,
          targetGroups: [.init(id: "tg", targets: targets, healthCheck: .init(probe: .none), transport: group)],
          certificates: material,
          networkLoadBalancers: [.init(id: "nlb", address: "127.0.0.1", listeners: [listener], shield: shield)]))
      try await body(gate, try #require(status.listener("l")?.port))
    }
  }

  static func echo() throws -> TestServer {
    try TestServer { socket, _ in
      while true {
        let bytes = try socket.receive()
        if bytes.isEmpty { return }
        try socket.send(bytes)
      }
    }
  }

  /// Whether a word comes back over a new connection.
  static func isServed(_ port: UInt16, from source: String) -> Bool {
    do {
      let socket = try connection(port, from: source)
      try socket.send("ping")
      return try socket.receive() == Array("ping".utf8)
    } catch {
      return false
    }
  }

  private static func statistics(_ gate: GateFixture) async throws -> GateStatistics.NetworkLoadBalancer {
    guard let first = try await gate.client.statistics().networkLoadBalancers.first else {
      throw TestFailure("no statistics")
    }
    return first
  }

  @Test("a source gets no more connections than its limit, and others are not concerned")
  func connectionLimit() async throws {
    let server = try Self.echo()
    try await Self.with(.init(connectionsPerSource: 3), targets: [target(server)]) { gate, port in
      try await onThread {
        let held = try (0..<3).map { _ in try connection(port, from: "127.1.0.1") }
        #expect(!Self.isServed(port, from: "127.1.0.1"))
        #expect(Self.isServed(port, from: "127.1.0.2"))
        try held[0].send("still")
        #expect(try held[0].receive() == Array("still".utf8))
      }
      let isFree = try await eventually(seconds: 30) { try await Self.statistics(gate).activeFlows == 0 }
      #expect(isFree)
      let word = try await onThread {
        let socket = try connection(port, from: "127.1.0.1")
        try socket.send("again")
        return try socket.receive()
      }
      #expect(word == Array("again".utf8))
      #expect(try await Self.statistics(gate).rejectedFlows >= 1)
    }
  }

  @Test("clients of TLS count before their handshake: a source gets no more of them than its limit")
  func handshakes() async throws {
    let server = try TestServer { _ in ok("fine") }
    try await Self.with(.init(connectionsPerSource: 2), .tls, targets: [target(server)]) { gate, port in
      try await onThread {
        let held = try (0..<2).map { _ in try connection(port, from: "127.0.0.1") }
        let third = try connection(port, from: "127.0.0.1")
        // Reset or ended without a word.
        #expect(((try? third.receive()) ?? []).isEmpty)
        _ = held.count
      }
      // Those that are gone make room.
      let isFree = try await eventually(seconds: 30) { (try? await getTLS(port).text) == "fine" }
      #expect(isFree)
    }
  }

  @Test("new connections beyond a source's rate are reset")
  func connectionRate() async throws {
    let server = try Self.echo()
    try await Self.with(.init(newConnectionsPerSource: 0.001), targets: [target(server)]) { _, port in
      try await onThread {
        let results = (0..<12).map { _ in Self.isServed(port, from: "127.1.0.1") }
        #expect(results == Array(repeating: true, count: 10) + [false, false])
        #expect(Self.isServed(port, from: "127.1.0.2"))
      }
    }
  }

  @Test("datagrams beyond a source's rate do not pass, also in a flow that is there; those of others do")
  func datagramRate() async throws {
    let server = try DatagramServer("d")
    let target = GateSnapshot.Target(address: "127.0.0.1", port: server.port)
    try await Self.with(.init(datagramsPerSource: 0.001), .udp, targets: [target]) { gate, port in
      try await onThread {
        let client = try DatagramClient(port: port, from: "127.1.0.1")
        for _ in 0..<100 { #expect(try client.ask("x") == "d x") }
        #expect(throws: TestFailure.self) { try client.ask("x", milliseconds: 100) }
        // Another port is the same source.
        let second = try DatagramClient(port: port, from: "127.1.0.1")
        #expect(throws: TestFailure.self) { try second.ask("x", milliseconds: 100) }
        #expect(try DatagramClient(port: port, from: "127.1.0.2").ask("x") == "d x")
      }
      #expect(try await Self.statistics(gate).newFlowsUDP == 2)
    }
  }

  @Test("a connection over which nobody says anything counts as slow, one with bytes as served")
  func pace() async throws {
    let server = try Self.echo()
    let bounds = GateSnapshot.Shield.Bounds(slow: 2, learningTime: 1000, quietTime: 1)
    try await Self.with(.init(bounds: bounds), targets: [target(server)]) { gate, port in
      let events = try await gate.client.events()
      let sockets = try await onThread {
        let talking = try connection(port, from: "127.1.0.9")
        try talking.send("x")
        _ = try talking.receive()
        return [talking] + (try (0..<4).map { try connection(port, from: "127.1.0.\($0)") })
      }
      for await event in events {
        guard case .attack(let attack) = event else { continue }
        #expect(attack.loadBalancer == "nlb")
        #expect(attack.vectors.map(\.name) == ["SLOWLORIS"])
        #expect(attack.vectors.first?.max == 4)
        break
      }
      _ = sockets.count
    }
  }

  @Test("when descriptors run short the heaviest source's quiet connections are closed first")
  func makesRoom() throws {
    let control = try Mailbox<ControlMessage>()
    let loop = try EventLoop(index: 0, control: control, mailbox: try Mailbox<LoopMessage>(), logs: try LogWriter())
    let balancer = NetworkRuntime(id: "nlb")
    loop.bounds.openMax = 8
    var clients: [FlowConnection] = []
    let listener = NetworkListenerRuntime(
      id: "l", socket: BoundSocket(descriptor: -1, address: 0x7F00_0001, port: 1), balancer: balancer,
      isDatagram: false, groups: FlowGroups([]), idleTimeout: 1_000_000)
    for number in 0..<8 {
      let slot = try #require(loop.admit(UInt32(number < 5 ? 1 : 100 + number), to: balancer.sources))
      let client = FlowConnection(
        loop: loop, descriptor: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0), listener: listener,
        source: FlowSource(address: 1, port: UInt16(number)), slot: slot)
      client.setDeadline(loop.now &- 1_000_000)
      loop.add(client)
      clients.append(client)
    }
    let newcomer = try #require(loop.admit(9, to: balancer.sources))
    balancer.sources.leave(newcomer)
    #expect(clients.prefix(5).contains { $0.isClosed })
    #expect(clients.dropFirst(5).allSatisfy { !$0.isClosed })
    #expect(balancer.statistics.resets > 0)
    for client in clients { client.close() }
    #expect(balancer.sources.sourcesOpen == 0)
  }

  @Test("a loop with more work than time lets in who was served before, and strangers a few at a time")
  func overloaded() throws {
    let loop = try EventLoop(
      index: 0, control: try Mailbox<ControlMessage>(), mailbox: try Mailbox<LoopMessage>(), logs: try LogWriter())
    for sources in [NetworkRuntime(id: "nlb").sources, SourceTable(seed: 1)] {
      let known = try #require(loop.admit(1, to: sources))
      sources.countFlow(known, now: loop.now)
      sources.leave(known)
      // The question waited for the loop for longer than a tenth of a second.
      _ = loop.look(openElsewhere: 0, sentAt: gateNow() - 200_000)
      #expect(loop.bounds.isOverloaded)
      let strangers = (0..<100).filter { loop.admit(UInt32(1000 + $0), to: sources) != nil }
      #expect(strangers == Array(0..<64))
      #expect((0..<100).allSatisfy { _ in loop.admit(1, to: sources) != nil })
      // The next look gives some more, and a loop that is in time again everybody.
      _ = loop.look(openElsewhere: 0, sentAt: gateNow() - 200_000)
      #expect(loop.admit(2000, to: sources) != nil)
      _ = loop.look(openElsewhere: 0, sentAt: gateNow())
      #expect((0..<100).allSatisfy { loop.admit(UInt32(3000 + $0), to: sources) != nil })
    }
  }
}
