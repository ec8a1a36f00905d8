// TLS from peers that are slow, broken or hostile, and certificates that change under load.
import COpenSSL
import GateProtocol
import Glibc
import Testing

@testable import GateCore

@Suite("TLS under attack and change", .timeLimit(.minutes(2)))
struct TLSHostileTests {
  /// A ClientHello as a real client sends it.
  private func clientHello() throws -> [UInt8] {
    let engine = TLSEngine()
    let context = try TLSClientContext(TLSLibrary())
    let session = try context.session(engine, sessions: nil, protocols: ["h2", "http/1.1"])
    _ = castle_tls_set_host(session.ssl, "shop.test")
    #expect(castle_tls_handshake(session.ssl) == Int32(castle_tls_wants_more.rawValue))
    let bytes = try #require(engine.io.pointee.out)
    return Array(UnsafeBufferPointer(start: bytes, count: engine.io.pointee.out_count))
  }

  /// Sends bytes, ends, and reads what comes back to the end.
  private func poke(_ port: UInt16, _ bytes: [UInt8]) throws {
    let socket = try RawSocket(port: port)
    do {
      try socket.send(bytes)
      socket.endWriting()
      while try !socket.receive().isEmpty {}
    } catch {
      // A reset is as good an answer to nonsense as an alert.
    }
  }

  @Test("truncated, mutated and random ClientHellos never harm the worker")
  func fuzz() async throws {
    let server = try TestServer { _ in ok("alive") }
    let hello = try clientHello()
    let seed = UInt64.random(in: 0...UInt64.max)
    try await GateFixture.with { gate in
      let port = try await gate.serveTLS(
        targets: [target(server)],
        tls: .init(certificates: ["other", "rsa", "ecdsa", "wildcard"], alpn: .http2Preferred))
      try await onThread {
        var random = Random(seed: seed)
        for length in stride(from: 0, to: hello.count, by: 7) { try poke(port, Array(hello.prefix(length))) }
        for _ in 0..<600 {
          var bytes = hello
          for _ in 0..<(1 + random.next() % 8) {
            let at = Int(random.next() % UInt64(bytes.count))
            switch random.next() % 4 {
            case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: at)
            case 2: if bytes.count > 1 { bytes.remove(at: at) }
            default: bytes[at] ^= 1 << UInt8(random.next() % 8)
            }
          }
          try poke(port, bytes)
        }
        for _ in 0..<50 { try poke(port, (0..<300).map { _ in UInt8(truncatingIfNeeded: random.next()) }) }
        try poke(port, Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
      }
      #expect(try await getTLS(port).text == "alive", "seed \(seed)")
      let errors = try await gate.client.statistics().loadBalancers[0].clientTLSErrors
      #expect(errors > 500, "seed \(seed)")
    }
  }

  @Test("broken records after the handshake end the connection and nothing else")
  func brokenRecords() async throws {
    let server = try TestServer { _ in ok("alive") }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveTLS(targets: [target(server)])
      try await onThread {
        let good = try TLSTestClient(port: port)
        let reader = good.reader
        var random = Random(seed: 7)
        for _ in 0..<50 {
          let client = try TLSTestClient(port: port)
          try client.socket.send([23, 3, 3, 0, 40] + (0..<40).map { _ in UInt8(truncatingIfNeeded: random.next()) })
          do { while try !client.socket.receive().isEmpty {} } catch {}
          try good.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
          #expect(try reader.next()?.text == "alive")
        }
      }
    }
  }

  @Test("handshake and request byte by byte are served")
  func trickles() async throws {
    let server = try TestServer { _ in ok("alive") }
    let hello = try clientHello()
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveTLS(targets: [target(server)])
      try await onThread {
        let socket = try RawSocket(port: port)
        for byte in hello { try socket.send([byte]) }
        #expect(try socket.receive().first == 22)
      }
      #expect(try await getTLS(port).text == "alive")
    }
  }

  @Test("a client that says nothing, or stops inside its ClientHello, is closed in time")
  func silent() async throws {
    let hello = try clientHello()
    try await GateFixture.with(handshakeTime: 0.2) { gate in
      let port = try await gate.serveTLS(targets: [])
      for bytes in [[], Array(hello.prefix(100)), hello] {
        try await onThread {
          let socket = try RawSocket(port: port)
          try socket.send(bytes)
          // Ends, or the socket's own limit makes this fail.
          while try !socket.receive().isEmpty {}
        }
      }
      #expect(try await gate.client.statistics().loadBalancers[0].clientTLSErrors == 3)
    }
  }

  @Test("certificates change under load without a failed request, and new handshakes get the new one")
  func swap() async throws {
    let server = try TestServer { _ in ok("served") }
    let made = try TestCertificates.shared.get()
    var first = made.other
    first.id = "one"
    var second = made.ecdsa
    second.id = "one"
    let certificates = [first, second]
    try await GateFixture.with { gate in
      func apply(_ version: UInt64) async throws -> UInt16 {
        try await gate.serveTLS(
          version, targets: [target(server)],
          tls: .init(certificates: ["one"], securityPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06"),
          certificates: [certificates[Int(version % 2)]])
      }
      let port = try await apply(1)
      let isOver = Flag()
      async let kept = onThread { () -> Int in
        let client = try TLSTestClient(port: port)
        let reader = client.reader
        var served = 0
        while !isOver.isSet {
          try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
          guard try reader.next()?.text == "served" else { throw TestFailure("failed after \(served)") }
          served += 1
        }
        return served
      }
      async let fresh = onThread { () -> Set<String> in
        var names: Set<String> = []
        let context = try TLSClientContext(TLSLibrary())
        while !isOver.isSet {
          let client = try TLSTestClient(port: port, context: context)
          names.insert(client.serverName)
          try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
          guard try client.reader.next()?.text == "served" else { throw TestFailure("failed") }
        }
        return names
      }
      for version in 2...40 {
        #expect(try await apply(UInt64(version)) == port)
        let name = try await onThread { try TLSTestClient(port: port).serverName }
        #expect(name == (version % 2 == 0 ? "CN=other" : "CN=ecdsa"))
      }
      isOver.set()
      let (served, names) = try await (kept, fresh)
      #expect(served > 0)
      #expect(names.count == 2)
      #expect(try await gate.client.statistics().loadBalancers[0].clientTLSErrors == 0)
    }
  }
}
