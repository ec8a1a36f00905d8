// Network load balancers and zones: cross-zone load balancing, zonal shifts, unhealthy targets that drain.
import GateProtocol
import Testing

@testable import GateCore

@Suite("Zones of network load balancers", .timeLimit(.minutes(2)))
struct NetworkZoneTests {
  /// A server that answers health checks while it is not sick; to everybody else it says its name and then echoes.
  private func echo(_ name: String, sick: Flag = Flag()) throws -> TestServer {
    try TestServer { socket, _ in
      var bytes = try socket.receive()
      if bytes.starts(with: "GET".utf8) {
        return try socket.send(sick.isSet ? "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n" : ok(""))
      }
      try socket.send(name)
      while true {
        bytes = try socket.receive()
        if bytes.isEmpty { return }
        try socket.send(bytes)
      }
    }
  }

  /// A connection, and the name of the server that it reached.
  private func connect(_ port: UInt16) throws -> (socket: RawSocket, name: String) {
    let socket = try RawSocket(port: port)
    try socket.send("hello")
    return (socket, String(decoding: try socket.receive(), as: UTF8.self))
  }

  /// A connection to the server of this name.
  private func connect(_ port: UInt16, to name: String) async throws -> RawSocket {
    try await onThread {
      while true {
        let made = try connect(port)
        if made.name == name { return made.socket }
      }
    }
  }

  /// Whether a connection still passes both ways.
  private func echoes(_ socket: RawSocket) async throws -> Bool {
    try await onThread {
      try socket.send("on")
      return try socket.receive() == Array("on".utf8)
    }
  }

  private func snapshot(
    _ version: UInt64, _ targets: [GateSnapshot.Target], transport: GateSnapshot.NetworkListener.Transport = .tcp,
    tls: GateSnapshot.ListenerTLS? = nil, crossZone: Bool = false, groupCrossZone: Bool? = nil,
    shifted: Set<String> = [], check: GateSnapshot.HealthCheck = .init(probe: .none),
    flow: GateSnapshot.FlowAttributes = .init()
  ) throws -> GateSnapshot {
    var group = GateSnapshot.TargetGroup(
      id: "tg", targets: targets, healthCheck: check, transport: transport == .udp ? .udp : .tcp, flow: flow)
    group.crossZone = groupCrossZone
    let zones = ["a", "b"].map { GateSnapshot.Zone(name: $0, isShifted: shifted.contains($0)) }
    return GateSnapshot(
      version: version, targetGroups: [group], certificates: try TestCertificates.shared.get().all,
      networkLoadBalancers: [
        .init(
          id: "nlb", address: "127.0.0.1",
          listeners: [
            .init(id: "l", port: 0, transport: transport, tls: tls, targetGroups: [.init(targetGroup: "tg")])
          ], zones: zones, crossZone: crossZone)
      ])
  }

  private func target(_ server: TestServer, _ zone: String?) -> GateSnapshot.Target {
    .init(address: "127.0.0.1", port: server.port, zone: zone)
  }

  private func apply(_ gate: GateFixture, _ snapshot: GateSnapshot) async throws -> UInt16 {
    try #require(try await gate.client.apply(snapshot).listener("l")?.port)
  }

  /// How many of so many new connections reach which server.
  private func reached(_ port: UInt16, _ count: Int) async throws -> [String: Int] {
    try await onThread {
      var names: [String: Int] = [:]
      for _ in 0..<count { names[try connect(port).name, default: 0] += 1 }
      return names
    }
  }

  @Test("without cross-zone load balancing each zone's node serves its own targets, with it each serves all")
  func crossZone() async throws {
    let (one, two, three) = (try echo("1"), try echo("2"), try echo("3"))
    let targets = [target(one, "a"), target(two, "b"), target(three, "b")]
    try await GateFixture.with(loops: 1) { gate in
      let port = try await apply(gate, try snapshot(1, targets))
      // Half of the flows come in through each node, however many targets its zone has.
      #expect(try await reached(port, 20)["1"] == 10)
      // The target group has the last word.
      _ = try await apply(gate, try snapshot(2, targets, groupCrossZone: true))
      #expect(Set(try await reached(port, 200).values.map { $0 > 20 }) == [true])
      _ = try await apply(gate, try snapshot(3, targets, crossZone: true, groupCrossZone: false))
      #expect(try await reached(port, 20)["1"] == 10)
      // A target that belongs to no zone is each node's.
      _ = try await apply(gate, try snapshot(4, [target(one, nil), target(two, "b")]))
      let shared = try await reached(port, 100)
      #expect((shared["1"] ?? 0) > 50 && (shared["2"] ?? 0) > 5)
    }
  }

  @Test("TLS flows and UDP flows keep to the zone they came in through")
  func protocols() async throws {
    let (one, two) = (try TestServer { _ in ok("1") }, try TestServer { _ in ok("2") })
    try await GateFixture.with(loops: 1) { gate in
      let targets = [target(one, "a"), target(two, "b")]
      let tls = GateSnapshot.ListenerTLS(
        certificates: ["rsa"], securityPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06")
      let port = try await apply(gate, try snapshot(1, targets, transport: .tls, tls: tls))
      var answers: [String] = []
      for _ in 0..<8 { answers.append(try await getTLS(port).text) }
      #expect(answers.filter { $0 == "1" }.count == 4)
      _ = try await gate.client.apply(try snapshot(2, targets, transport: .tls, tls: tls, shifted: ["a"]))
      for _ in 0..<6 { #expect(try await getTLS(port).text == "2") }
    }
    let (first, second) = (try DatagramServer("1"), try DatagramServer("2"))
    try await GateFixture.with(loops: 1) { gate in
      let targets = [(first.port, "a"), (second.port, "b")].map {
        GateSnapshot.Target(address: "127.0.0.1", port: $0, zone: $1)
      }
      func asked(_ port: UInt16) async throws -> [String] {
        try await onThread { try (0..<8).map { _ in String(try DatagramClient(port: port).ask("x").prefix(1)) } }
      }
      let port = try await apply(gate, try snapshot(1, targets, transport: .udp))
      #expect(try await asked(port).filter { $0 == "1" }.count == 4)
      _ = try await gate.client.apply(try snapshot(2, targets, transport: .udp, shifted: ["b"]))
      #expect(Set(try await asked(port)) == ["1"])
    }
  }

  @Test("a sticky client stays with its zone, and with its target there")
  func sticky() async throws {
    let servers = try (0..<4).map { try echo("\($0)") }
    let targets = servers.enumerated().map { target($1, ["a", "b"][$0 % 2]) }
    try await GateFixture.with(loops: 2) { gate in
      let port = try await apply(gate, try snapshot(1, targets, flow: .init(isSticky: true)))
      #expect(try await reached(port, 12).count == 1)
    }
  }

  @Test("a zonal shift sends new flows elsewhere, tells so, and leaves the old ones alone", arguments: [false, true])
  func shift(crossZone: Bool) async throws {
    let (one, two) = (try echo("1"), try echo("2"))
    let targets = [target(one, "a"), target(two, "b")]
    try await GateFixture.with { gate in
      let port = try await apply(gate, try snapshot(1, targets, crossZone: crossZone))
      let old = try await connect(port, to: "1")
      _ = try await apply(gate, try snapshot(2, targets, crossZone: crossZone, shifted: ["a"]))
      #expect(try await reached(port, 12) == ["2": 12])
      #expect(try await echoes(old))
      let health = try await gate.client.health()
      #expect(health.map(\.state) == [.healthy, .healthy])
      #expect(health.map(\.override) == [crossZone ? .zonalShiftActive : .zonalShiftDelegatedToDNS, nil])
      // What is shifted away from everywhere is not shifted at all.
      _ = try await apply(gate, try snapshot(3, targets, crossZone: crossZone, shifted: ["a", "b"]))
      #expect(try await reached(port, 100).count == 2)
      _ = try await apply(gate, try snapshot(4, targets, crossZone: crossZone))
      #expect(try await gate.client.health().allSatisfy { $0.override == nil })
      #expect(try await reached(port, 100).count == 2)
    }
  }

  @Test("a zone without a healthy target gets no flows; when no zone has one, all targets get them")
  func failover() throws {
    let (one, two) = (try echo("1"), try echo("2"))
    let targets = [target(one, "a"), target(two, "b")]
    let group = TargetGroupRuntime(id: "tg", algorithm: .roundRobin, turn: 0)
    _ = group.update(try snapshot(1, targets).targetGroups[0])
    let balancer = NetworkRuntime(id: "nlb")
    let description = try #require(try snapshot(1, targets, shifted: ["b"]).networkLoadBalancers?.first)
    balancer.update(description, try LogWriter())
    let use = balancer.use(of: group)
    func offered() -> Set<UInt16> {
      Set(
        (0..<50).compactMap { number in
          let hash = FlowSource(address: 1, port: UInt16(number)).hash(isSticky: false)
          return use.target(forFlow: hash, node: use.node(forFlow: hash), now: 1, except: [])?.address.port
        })
    }
    func set(_ healthy: Bool...) {
      group.update(now: 0) { target in zip(group.targets, healthy).contains { $0 === target && $1 } }
    }
    set(true, true)
    #expect(offered() == [one.port])
    // The zone that is left has no healthy target: DNS would leave out no node then.
    set(false, true)
    #expect(offered() == [one.port, two.port])
    set(false, false)
    #expect(offered() == [one.port, two.port])
    // A zone with fewer healthy targets than DNS is to lead to.
    var wanted = try snapshot(1, targets + [GateSnapshot.Target(address: "127.0.0.2", port: 1, zone: "a")])
    wanted.targetGroups[0].minimumHealthyForDNS.percentage = 60
    _ = group.update(wanted.targetGroups[0])
    balancer.update(try #require(wanted.networkLoadBalancers?.first), try LogWriter())
    set(true, true, false)
    #expect(offered() == [two.port])
    set(true, true, true)
    #expect(offered().count == 3)
  }

  private static let check = GateSnapshot.HealthCheck(
    interval: 0.1, timeout: 1, healthyThreshold: 1, unhealthyThreshold: 1)

  private func are(_ gate: GateFixture, _ states: GateTargetHealth.State...) async throws -> Bool {
    try await eventually(seconds: 20) { try await gate.client.health().map(\.state) == states }
  }

  @Test("connections to a target that becomes unhealthy end, unless the load balancer fails open")
  func unhealthy() async throws {
    let sick = (Flag(), Flag())
    let (one, two) = (try echo("1", sick: sick.0), try echo("2", sick: sick.1))
    let targets = [target(one, "a"), target(two, "b")]
    try await GateFixture.with { gate in
      let port = try await apply(gate, try snapshot(1, targets, crossZone: true, check: Self.check))
      #expect(try await are(gate, .healthy, .healthy))
      let (first, last) = (try await connect(port, to: "1"), try await connect(port, to: "2"))
      sick.0.set()
      let rest = try await onThread { (try? first.receiveToEnd()) ?? "" }
      #expect(rest.isEmpty)
      #expect(try await reached(port, 6) == ["2": 6])
      sick.1.set()
      #expect(try await are(gate, .unhealthy, .unhealthy))
      #expect(try await reached(port, 100).count == 2)
      #expect(try await echoes(last))
    }
  }

  @Test("a target in a zone without a node is unused, and says why")
  func outOfZone() async throws {
    let (one, two) = (try echo("1"), try echo("2"))
    try await GateFixture.with { gate in
      let port = try await apply(gate, try snapshot(1, [target(one, "a"), target(two, "c")]))
      let health = try await gate.client.health()
      #expect(health.map(\.state) == [.healthy, .unused])
      #expect(health[1].description?.contains("Availability Zone") == true)
      #expect(try await reached(port, 8) == ["1": 8])
    }
  }

  @Test("an unhealthy target drains: no new flows, the old ones until the interval is over")
  func unhealthyDraining() async throws {
    let sick = Flag()
    let (one, two) = (try echo("1", sick: sick), try echo("2"))
    let targets = [target(one, "a"), target(two, "b")]
    func described(_ version: UInt64, interval: Double) throws -> GateSnapshot {
      try snapshot(
        version, targets, crossZone: true, check: Self.check,
        flow: .init(endsWhenUnhealthy: false, unhealthyDraining: interval))
    }
    try await GateFixture.with { gate in
      let port = try await apply(gate, try described(1, interval: 600))
      #expect(try await are(gate, .healthy, .healthy))
      let old = try await connect(port, to: "1")
      sick.set()
      #expect(try await are(gate, .unhealthyDraining, .healthy))
      #expect(try await gate.client.health()[0].reason == .responseCodeMismatch)
      #expect(try await echoes(old))
      #expect(try await reached(port, 6) == ["2": 6])
      // Then it is unhealthy, and the connection ends.
      _ = try await apply(gate, try described(2, interval: 0.1))
      let rest = try await onThread { (try? old.receiveToEnd()) ?? "" }
      #expect(rest.isEmpty)
      #expect(try await are(gate, .unhealthy, .healthy))
    }
  }
}
