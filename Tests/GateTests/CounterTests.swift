// What the Gate counts for CloudWatch, with numbers that are known beforehand.
import GateProtocol
import Glibc
import Testing

@testable import GateCore

@Suite("Counters", .timeLimit(.minutes(2)))
struct CounterTests {
  private func apply(
    _ gate: GateFixture, _ version: UInt64, _ group: GateSnapshot.TargetGroup,
    zones: [GateSnapshot.Zone] = [.init(name: "a"), .init(name: "b")]
  ) async throws -> UInt16 {
    let fixed = GateSnapshot.Rule(
      priority: 1, conditions: [.pathPattern(["/fixed"])], action: .fixedResponse(.init(statusCode: 404)))
    let status = try await gate.client.apply(
      GateSnapshot(
        version: version,
        loadBalancers: [
          .init(
            id: "lb", address: "127.0.0.1",
            listeners: [.init(id: "l", port: 0, rules: [fixed], defaultAction: .forward(to: "tg"))],
            attributes: .init(crossZone: true), zones: zones)
        ], targetGroups: [group]))
    guard let port = status.listener("l")?.port else { throw TestFailure("not bound: \(status)") }
    return port
  }

  @Test("requests are counted where a target was chosen: by node, by target group, and by target group and node")
  func routed() async throws {
    let server = try TestServer { message in
      message.target == "/no" ? "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n" : ok("")
    }
    try await GateFixture.with(loops: 1) { gate in
      var group = GateSnapshot.TargetGroup(id: "tg", healthCheck: .init(probe: .none))
      group.targets = [target(server)]
      let port = try await apply(gate, 1, group)
      for path in ["/", "/fixed", "/", "/no", "/fixed", "/no", "/", "/"] { _ = try await get(port, path) }
      let counts = try await gate.client.statistics()
      let balancer = counts.loadBalancers[0]
      #expect(balancer.requests == 8 && balancer.routedRequests == 6 && balancer.fixedResponses == 2)
      #expect(balancer.newConnections == 8)
      // One connection to the target served all of them and is kept.
      #expect(balancer.newTargetConnections == 1 && balancer.targetConnections == 1)
      #expect(counts.nodes.map(\.zone) == ["a", "b"])
      #expect(counts.nodes.map(\.requests) == [4, 4], "nodes take turns")
      #expect(counts.nodes.reduce(0) { $0 + $1.targetConnections } == 1)
      #expect(counts.targetGroups[0].requests == 6 && counts.targetGroups[0].routedRequests == 6)
      #expect(counts.groupNodes.map(\.zone) == ["a", "b"])
      #expect(counts.groupNodes.allSatisfy { $0.loadBalancer == "lb" && $0.failOpenRequests == 0 })
      for (node, group) in zip(counts.nodes, counts.groupNodes) {
        #expect(node.routedRequests == group.routedRequests && group.latency.count == group.requests)
        #expect(node.target == group.target)
      }
      #expect(counts.groupNodes.reduce(0) { $0 + $1.target.code4xx } == 2)
      // More healthy targets are wanted than there are: all requests fail open.
      group.minimumHealthy.count = 2
      let again = try await apply(gate, 2, group, zones: [.init(name: "b"), .init(name: "c", isShifted: true)])
      for _ in 0..<3 { _ = try await get(again) }
      let later = try await gate.client.statistics()
      #expect(later.targetGroups[0].failOpenRequests == 3)
      #expect(later.loadBalancers[0].routedRequests == 9, "nodes that are gone keep their counts")
      #expect(later.nodes.map(\.isShifted) == [false, true])
      #expect(later.nodes[0].requests == 7, "a shifted zone takes nothing in")
    }
  }

  @Test("requests that no cookie leads to a target of a sticky group are counted")
  func sticky() async throws {
    let server = try TestServer { _ in ok("") }
    try await GateFixture.with(loops: 1) { gate in
      var group = GateSnapshot.TargetGroup(id: "tg", healthCheck: .init(probe: .none))
      group.targets = [target(server)]
      var port = try await apply(gate, 1, group)
      _ = try await get(port)
      #expect(try await gate.client.statistics().loadBalancers[0].nonStickyRequests == 0)
      group.stickiness = .loadBalancerCookie(duration: 60)
      port = try await apply(gate, 2, group)
      let first = try await get(port)
      let cookie = try #require(first["Set-Cookie"]?.split(separator: ";").first)
      _ = try await get(port, "/", "Cookie: \(cookie)\r\n")
      _ = try await get(port, "/", "Cookie: AWSALB=nonsense\r\n")
      #expect(try await gate.client.statistics().loadBalancers[0].nonStickyRequests == 2)
    }
  }

  @Test("targets are compared however they are chosen; only weighted choice holds one back")
  func anomalies() async throws {
    let good = try (0..<3).map { _ in try TestServer { _ in ok("") } }
    let bad = try TestServer { _ in "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" }
    try await GateFixture.with(loops: 1) { gate in
      var group = GateSnapshot.TargetGroup(id: "tg", healthCheck: .init(probe: .none))
      group.targets = (good + [bad]).map { target($0) }
      let port = try await apply(gate, 1, group)
      let found = try await eventually {
        for _ in 0..<20 { _ = try await get(port) }
        return try await gate.client.statistics().targets.contains { $0.isAnomalous }
      }
      #expect(found)
      let targets = try await gate.client.statistics().targets
      #expect(targets.filter(\.isAnomalous).map(\.port) == [bad.port])
      #expect(!targets.contains { $0.isMitigated })
    }
  }

  @Test("who reset a connection of a network load balancer is counted, and the other side is reset, too")
  func resets() async throws {
    let seen = EndBox()
    let server = try TestServer { socket, _ in
      try socket.send("a")
      let asked = try socket.receive()
      if asked == Array("reset".utf8) { return socket.setReset() }
      try socket.send("b")
      // The client's reset comes through.
      if (try? socket.receive()) == nil { seen.end() }
    }
    try await GateFixture.with(loops: 1) { gate in
      let status = try await gate.client.apply(
        GateSnapshot(
          version: 1,
          targetGroups: [
            .init(id: "tg", targets: [target(server)], healthCheck: .init(probe: .none), transport: .tcp)
          ],
          networkLoadBalancers: [
            .init(
              id: "nlb", address: "127.0.0.1",
              listeners: [.init(id: "l", port: 0, transport: .tcp, targetGroups: [.init(targetGroup: "tg")])],
              zones: [.init(name: "a"), .init(name: "b")])
          ]))
      let port = try #require(status.listener("l")?.port)
      try await onThread {
        let first = try RawSocket(port: port)
        #expect(try first.receive() == [97])
        try first.send("hold")
        #expect(try first.receive() == [98])
        first.setReset()
      }
      await seen.wait()
      try await onThread {
        let second = try RawSocket(port: port)
        #expect(try second.receive() == [97])
        try second.send("reset")
        #expect(throws: TestFailure.self) { try second.receive() }
      }
      let ended = try await eventually {
        try await gate.client.statistics().networkLoadBalancers[0].activeFlows == 0
      }
      #expect(ended)
      let statistics = try await gate.client.statistics()
      #expect(statistics.networkNodes.map(\.zone) == ["a", "b"])
      #expect(statistics.networkNodes.map(\.newFlows) == [1, 1], "nodes take turns")
      #expect(statistics.networkNodes.allSatisfy { $0.bytesIn > 0 && $0.clientResets + $0.targetResets == 1 })
      let counts = statistics.networkLoadBalancers[0]
      #expect(counts.clientResets == 1 && counts.targetResets == 1 && counts.resets == 0)
      #expect(counts.newFlowsTCP == 2 && counts.bytesTCP == 12)
      // Two handshakes of three segments, and a segment each way in both.
      #expect(counts.packets >= 10 && counts.packets < 40, "\(counts.packets)")
    }
  }
}
