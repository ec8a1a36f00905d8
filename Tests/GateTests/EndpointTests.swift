// TCP endpoints: the writer and reader addresses of databases and caches.
import GateProtocol
import Testing

@testable import GateCore

@Suite("TCP endpoints", .timeLimit(.minutes(2)))
struct EndpointTests {
  private func echo(_ name: String) throws -> TestServer {
    try TestServer { socket, _ in
      try socket.send("\(name)\n")
      while true {
        let bytes = try socket.receive()
        if bytes.isEmpty { return }
        try socket.send(bytes)
      }
    }
  }

  private func apply(
    _ gate: GateFixture, _ version: UInt64, _ backends: [TestServer], wait: Double = 0, closes: Bool = true
  ) async throws -> UInt16 {
    let endpoint = GateSnapshot.TCPEndpoint(
      id: "writer", address: "127.0.0.1", port: 0,
      backends: backends.map { .init(address: "127.0.0.1", port: $0.port) },
      closesConnectionsOfRemovedBackends: closes, waitForBackend: wait)
    let status = try await gate.client.apply(GateSnapshot(version: version, endpoints: [endpoint]))
    guard let port = status.endpoint("writer")?.port else { throw TestFailure("not bound") }
    return port
  }

  @Test("bytes pass both ways, large ones too, and are counted")
  func passes() async throws {
    let server = try echo("a")
    try await GateFixture.with { gate in
      let port = try await apply(gate, 1, [server])
      try await onThread {
        let socket = try RawSocket(port: port)
        let reader = MessageReader(socket)
        #expect(try reader.take(2) == Array("a\n".utf8))
        let data = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        startThread { try? socket.send(data) }
        #expect(try reader.take(300_000) == data)
      }
      let statistics = try await gate.client.statistics().endpoints[0]
      #expect(statistics.connections == 1)
      #expect(statistics.bytesIn == 300_000)
      #expect(statistics.bytesOut == 300_002)
    }
  }

  @Test("a long stream from a backend arrives whole, and is counted")
  func longStream() async throws {
    let data = (0..<6_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    let server = try TestServer { socket, _ in try socket.send(data) }
    try await GateFixture.with { gate in
      let port = try await apply(gate, 1, [server])
      let arrived = try await onThread {
        let socket = try RawSocket(port: port)
        return try MessageReader(socket).take(data.count)
      }
      #expect(arrived == data)
      #expect(try await gate.client.statistics().endpoints[0].bytesOut == UInt64(data.count))
    }
  }

  @Test("failover closes the old backend's connections at once, and new ones go to the new backend")
  func failover() async throws {
    let old = try echo("old")
    let new = try echo("new")
    try await GateFixture.with { gate in
      let port = try await apply(gate, 1, [old])
      let socket = try await onThread {
        let socket = try RawSocket(port: port)
        _ = try socket.receive()
        return socket
      }
      #expect(try await apply(gate, 2, [new]) == port)
      let rest = try await onThread { try socket.receiveToEnd() }
      #expect(rest.isEmpty)
      let name = try await onThread { String(decoding: try RawSocket(port: port).receive(), as: UTF8.self) }
      #expect(name == "new\n")
    }
  }

  @Test("with the flag off connections outlive their backend's removal")
  func stays() async throws {
    let old = try echo("old")
    let new = try echo("new")
    try await GateFixture.with { gate in
      let port = try await apply(gate, 1, [old], closes: false)
      let socket = try await onThread {
        let socket = try RawSocket(port: port)
        _ = try socket.receive()
        return socket
      }
      _ = try await apply(gate, 2, [new], closes: false)
      let echoed = try await onThread {
        try socket.send("x")
        return try socket.receive()
      }
      #expect(echoed == [120])
    }
  }

  @Test("a backend that refuses is passed over; without any the connection waits, or is closed")
  func refusing() async throws {
    let dead = try echo("dead")
    dead.kill()
    let alive = try echo("alive")
    try await GateFixture.with { gate in
      let port = try await apply(gate, 1, [dead, alive])
      for _ in 0..<4 {
        let name = try await onThread { String(decoding: try RawSocket(port: port).receive(), as: UTF8.self) }
        #expect(name == "alive\n")
      }
      #expect(try await apply(gate, 2, []) == port)
      #expect(try await onThread { try RawSocket(port: port).receiveToEnd() }.isEmpty)
      #expect(try await apply(gate, 3, [dead], wait: 10) == port)
      async let waiting = onThread { String(decoding: try RawSocket(port: port).receive(), as: UTF8.self) }
      #expect(try await eventually { try await gate.client.statistics().endpoints[0].activeConnections == 1 })
      _ = try await apply(gate, 4, [alive], wait: 10)
      #expect(try await waiting == "alive\n")
    }
  }
}
