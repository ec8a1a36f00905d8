// Where listeners end up, and what is refused.
import GateProtocol
import Testing

@testable import GateCore

@Suite("Binding and snapshots", .timeLimit(.minutes(2)))
struct BindingTests {
  private func balancer(_ listeners: [GateSnapshot.Listener], address: String = "127.0.0.1") -> GateSnapshot {
    GateSnapshot(version: 1, loadBalancers: [.init(id: "lb", address: address, listeners: listeners)])
  }

  private let fixed = GateSnapshot.Action.fixedResponse(.init(statusCode: 200, body: "here"))

  @Test("a taken port falls back to one the system picks, and says why")
  func fallback() async throws {
    let taken = try TestServer { _ in ok("other") }
    try await GateFixture.with { gate in
      let status = try await gate.client.apply(
        balancer([.init(id: "l", port: taken.port, defaultAction: fixed)]))
      let binding = try #require(status.listener("l"))
      let port = try #require(binding.port)
      #expect(port != taken.port && port != 0)
      #expect(binding.error?.contains("in use") == true)
      #expect(try await get(port).text == "here")
    }
  }

  @Test("each load balancer has its own loopback address")
  func addresses() async throws {
    try await GateFixture.with { gate in
      let status = try await gate.client.apply(
        balancer([.init(id: "l", port: 0, defaultAction: fixed)], address: "127.9.8.7"))
      let binding = try #require(status.listener("l"))
      #expect(binding.address == "127.9.8.7" && binding.error == nil)
      let port = try #require(binding.port)
      let text = try await onThread {
        let socket = try RawSocket(port: port, address: "127.9.8.7")
        try socket.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return try MessageReader(socket).next()?.text
      }
      #expect(text == "here")
    }
  }

  @Test("an HTTPS listener without TLS settings is reported, contradictions are refused whole")
  func refusals() async throws {
    try await GateFixture.with { gate in
      let status = try await gate.client.apply(
        balancer([.init(id: "l", port: 0, transport: .https, defaultAction: fixed)]))
      #expect(status.listener("l")?.error?.contains("TLS") == true)
      #expect(status.listener("l")?.port == nil)
      await #expect(throws: GateError.self) {
        try await gate.client.apply(balancer([.init(id: "l", port: 0, defaultAction: .forward(to: "nowhere"))]))
      }
      #expect(try await gate.client.status().listeners.count == 1)
    }
  }

  @Test("a removed listener closes its port and its idle connections; a renamed one keeps its socket")
  func removal() async throws {
    try await GateFixture.with { gate in
      let first = try await gate.client.apply(balancer([.init(id: "l", port: 0, defaultAction: fixed)]))
      let port = try #require(first.listener("l")?.port)
      let socket = try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try MessageReader(socket).next()
        return socket
      }
      var renamed = balancer([.init(id: "m", port: port, defaultAction: fixed)])
      renamed.version = 2
      let second = try await gate.client.apply(renamed)
      #expect(second.listener("m")?.port == port && second.listener("m")?.error == nil)
      let rest = try await onThread { try socket.receiveToEnd() }
      #expect(rest.isEmpty)
      #expect(try await get(port).text == "here")
      _ = try await gate.client.apply(GateSnapshot(version: 3))
      await #expect(throws: TestFailure.self) { try await get(port) }
    }
  }
}
