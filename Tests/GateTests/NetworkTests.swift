// Network load balancers: TCP, TLS and UDP flows.
import GateProtocol
import Glibc
import Synchronization
import Testing

@testable import GateCore

@Suite("Network load balancers", .timeLimit(.minutes(2)))
struct NetworkTests {
  /// A server that says its name and then echoes.
  private func echo(_ name: String) throws -> TestServer {
    try TestServer { socket, _ in
      try socket.send(name + "\n")
      while true {
        let bytes = try socket.receive()
        if bytes.isEmpty { return }
        try socket.send(bytes)
      }
    }
  }

  private func apply(
    _ gate: GateFixture, _ transport: GateSnapshot.NetworkListener.Transport, version: UInt64 = 1,
    targets: [GateSnapshot.Target], group: GateSnapshot.TargetTransport = .tcp,
    flow: GateSnapshot.FlowAttributes = .init(), tls: GateSnapshot.ListenerTLS? = nil, idle: Double = 350,
    check: GateSnapshot.HealthCheck = .init(probe: .none), delay: Double = 300
  ) async throws -> UInt16 {
    let made = try TestCertificates.shared.get()
    let status = try await gate.client.apply(
      GateSnapshot(
        version: version,
        targetGroups: [
          .init(
            id: "tg", targets: targets, healthCheck: check, deregistrationDelay: delay, transport: group, flow: flow)
        ],
        certificates: made.all,
        networkLoadBalancers: [
          .init(
            id: "nlb", address: "127.0.0.1",
            listeners: [
              .init(
                id: "l", port: 0, transport: transport, tls: tls, targetGroups: [.init(targetGroup: "tg")],
                idleTimeout: idle)
            ])
        ]))
    guard let port = status.listener("l")?.port else { throw TestFailure("not bound: \(status)") }
    return port
  }

  private func statistics(_ gate: GateFixture) async throws -> GateStatistics.NetworkLoadBalancer {
    let all = try await gate.client.statistics().networkLoadBalancers
    guard let first = all.first else { throw TestFailure("no statistics") }
    return first
  }

  private func name(_ port: UInt16, from address: String? = nil) async throws -> String {
    try await onThread {
      let socket = try RawSocket(port: port)
      return String(decoding: try socket.receive(), as: UTF8.self)
    }
  }

  @Test("TCP passes both ways, ends half by half, and is counted")
  func tcp() async throws {
    let server = try echo("a")
    try await GateFixture.with { gate in
      let port = try await apply(gate, .tcp, targets: [target(server)])
      try await onThread {
        let socket = try RawSocket(port: port)
        #expect(try socket.receive() == Array("a\n".utf8))
        try socket.send(String(repeating: "x", count: 200_000))
        socket.endWriting()
        #expect(try socket.receiveToEnd().count == 200_000)
      }
      let arrived = try await eventually { try await statistics(gate).activeFlows == 0 }
      #expect(arrived)
      let counts = try await statistics(gate)
      #expect(counts.newFlows == 1)
      #expect(counts.bytesIn == 200_000)
      #expect(counts.bytesOut == 200_002)
    }
  }

  @Test("a long stream from a target arrives whole, ends with it, and is counted")
  func longStream() async throws {
    let data = String(repeating: "0123456789abcdef-", count: 300_000)
    let server = try TestServer { socket, _ in try socket.send(data) }
    try await GateFixture.with { gate in
      let port = try await apply(gate, .tcp, targets: [target(server)])
      let arrived = try await onThread {
        let socket = try RawSocket(port: port)
        socket.endWriting()
        return try socket.receiveToEnd()
      }
      #expect(arrived == data)
      #expect(try await statistics(gate).bytesOut == UInt64(data.utf8.count))
    }
  }

  @Test("with stickiness all connections of a client reach one target, without they spread")
  func sticky() async throws {
    let servers = try (0..<4).map { try echo("\($0)") }
    try await GateFixture.with { gate in
      let port = try await apply(gate, .tcp, targets: servers.map { target($0) }, flow: .init(isSticky: true))
      var names: Set<String> = []
      for _ in 0..<12 { names.insert(try await name(port)) }
      #expect(names.count == 1)
      _ = try await apply(gate, .tcp, version: 2, targets: servers.map { target($0) })
      for _ in 0..<24 { names.insert(try await name(port)) }
      #expect(names.count > 1)
    }
  }

  @Test("a target that refuses is passed over; without any the client is reset")
  func refusing() async throws {
    let dead = try echo("dead")
    dead.kill()
    let alive = try echo("alive")
    try await GateFixture.with { gate in
      let port = try await apply(gate, .tcp, targets: [target(dead), target(alive)])
      for _ in 0..<8 { #expect(try await name(port) == "alive\n") }
      _ = try await apply(gate, .tcp, version: 2, targets: [target(dead)])
      await #expect(throws: TestFailure.self) {
        if try await name(port).isEmpty { throw TestFailure("ended") }
      }
      let counts = try await statistics(gate)
      #expect(counts.rejectedFlows == 1)
      #expect(counts.resets == 1)
    }
  }

  @Test("PROXY headers tell targets the client's address, and client addresses of this machine can be kept")
  func addresses() async throws {
    let server = try TestServer { socket, _ in
      var name = sockaddr_in()
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutablePointer(to: &name) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getpeername(socket.descriptor, $0, &length) }
      }
      // All of it: what is left unread when a socket is closed makes the kernel reset the connection.
      var received: [UInt8] = []
      while received.count < 28 + "hello".utf8.count {
        let bytes = try socket.receive()
        if bytes.isEmpty { return }
        received += bytes
      }
      try socket.send(IPv4.text(UInt32(bigEndian: name.sin_addr.s_addr)) + " ")
      try socket.send(Array(received.prefix(28)))
    }
    try await GateFixture.with { gate in
      let port = try await apply(
        gate, .tcp, targets: [target(server)], flow: .init(proxyProtocol: true, preservesClientAddress: true))
      let (answer, own) = try await onThread { () -> ([UInt8], UInt16) in
        let socket = try RawSocket(port: port, from: "127.0.7.9")
        try socket.send("hello")
        var all: [UInt8] = []
        while all.count < 38 {
          let bytes = try socket.receive()
          if bytes.isEmpty { break }
          all += bytes
        }
        return (all, try socket.ownPort())
      }
      try #require(answer.count == 38)
      #expect(String(decoding: answer[0..<10], as: UTF8.self) == "127.0.7.9 ")
      let expected: [UInt8] =
        [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10, 0x21, 0x11, 0, 12, 127, 0, 7, 9, 127, 0, 0, 1]
        + [UInt8(own >> 8), UInt8(own & 255), UInt8(port >> 8), UInt8(port & 255)]
      #expect(Array(answer[10...]) == expected)
    }
  }

  @Test("TLS ends at the load balancer, before plain targets and before targets with TLS", arguments: [false, true])
  func tls(encrypted: Bool) async throws {
    let plain = try TestServer { _ in ok("plain") }
    let secret = try TLSTestServer { _ in ok("secret") }
    try await GateFixture.with { gate in
      let port = try await apply(
        gate, .tls, targets: [target(encrypted ? secret.server : plain)], group: encrypted ? .tls : .tcp,
        tls: .init(certificates: ["rsa"], securityPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06"))
      let expected = encrypted ? "secret" : "plain"
      for _ in 0..<3 { #expect(try await getTLS(port).text == expected) }
      let large = String(repeating: "y", count: 100_000)
      try await onThread {
        let client = try TLSTestClient(port: port)
        let reader = client.reader
        for _ in 0..<3 {
          try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(large.utf8.count)\r\n\r\n" + large)
          #expect(try reader.next()?.text == expected)
        }
        try client.endWriting()
        #expect(try client.receive().isEmpty)
      }
      let counts = try await statistics(gate)
      #expect(counts.newFlowsTLS == 4)
      #expect(counts.clientTLSErrors == 0)
    }
  }

  @Test("datagrams of a client reach one target, and answers come back from the listener's address")
  func udp() async throws {
    let servers = try [DatagramServer("a"), DatagramServer("b")]
    try await GateFixture.with { gate in
      let port = try await apply(
        gate, .udp, targets: servers.map { .init(address: "127.0.0.1", port: $0.port) }, group: .udp)
      try await onThread {
        var seen: Set<String> = []
        for _ in 0..<16 {
          let client = try DatagramClient(port: port)
          let first = try client.ask("one")
          // An empty datagram and a large one are datagrams too.
          #expect(try client.ask("") == first.prefix(2))
          #expect(try client.ask(String(repeating: "z", count: 9000)).count == 9002)
          #expect(try client.ask("two").prefix(2) == first.prefix(2))
          seen.insert(String(first.prefix(1)))
        }
        #expect(seen == ["a", "b"])
      }
      let counts = try await statistics(gate)
      #expect(counts.newFlowsUDP == 16)
      #expect(counts.activeFlows == 16)
      _ = try await gate.client.apply(GateSnapshot(version: 2))
    }
  }

  @Test("a UDP flow whose target refuses finds another")
  func udpRefused() async throws {
    let alive = try DatagramServer("b")
    let dead = try DatagramServer("a")
    let deadPort = dead.port
    dead.end()
    try await GateFixture.with(loops: 1) { gate in
      let port = try await apply(
        gate, .udp,
        targets: [.init(address: "127.0.0.1", port: deadPort), .init(address: "127.0.0.1", port: alive.port)],
        group: .udp)
      try await onThread {
        for _ in 0..<6 {
          let client = try DatagramClient(port: port)
          var answer = ""
          // The first datagram may be lost on the target that is not there.
          for _ in 0..<20 where answer.isEmpty { answer = (try? client.ask("x", milliseconds: 300)) ?? "" }
          #expect(answer == "b x")
        }
      }
    }
  }

  @Test("TCP and UDP share a port")
  func both() async throws {
    let server = try echo("stream")
    let other = try DatagramServer("d")
    try await GateFixture.with { gate in
      let port = try await apply(gate, .tcpUDP, targets: [target(server)], group: .tcpUDP)
      #expect(try await name(port) == "stream\n")
      _ = try await apply(
        gate, .tcpUDP, version: 2, targets: [.init(address: "127.0.0.1", port: other.port)], group: .tcpUDP)
      let answer = try await onThread { try DatagramClient(port: port).ask("x") }
      #expect(answer == "d x")
    }
  }

  @Test("idle connections are closed, and those to a target that becomes unhealthy")
  func ends() async throws {
    let server = try echo("a")
    try await GateFixture.with { gate in
      let port = try await apply(gate, .tcp, targets: [target(server)], idle: 0.1)
      try await onThread {
        let socket = try RawSocket(port: port)
        // Ends or is reset, before or after the first bytes.
        do { while try !socket.receive().isEmpty {} } catch {}
      }
      let isOver = try await eventually { try await statistics(gate).activeFlows == 0 }
      #expect(isOver)
      _ = try await apply(
        gate, .tcp, version: 2, targets: [target(server)],
        check: .init(probe: .tcp, interval: 0.1, timeout: 1, healthyThreshold: 1, unhealthyThreshold: 1))
      let isHealthy = try await eventually { try await gate.client.health().first?.state == .healthy }
      #expect(isHealthy)
      let socket = try await onThread {
        let socket = try RawSocket(port: port)
        _ = try socket.receive()
        return socket
      }
      server.kill()
      let rest = try await onThread { (try? socket.receiveToEnd()) ?? "" }
      #expect(rest.isEmpty)
    }
  }
}

/// Answers each datagram with its name and what it got.
final class DatagramServer: Sendable {
  let port: UInt16
  private let isEnded = Flag()

  init(_ name: String) throws {
    var bound: UInt16 = 0
    let made = Self.bind(&bound)
    guard made >= 0 else { throw TestFailure("no UDP socket") }
    port = bound
    startThread {
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      while true {
        var peer = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = withUnsafeMutablePointer(to: &peer) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(made, &buffer, buffer.count, 0, $0, &length) }
        }
        if count < 0 || buffer[0] == 0 && count == 1 { break }
        let answer = Array((name + " ").utf8) + buffer[0..<count]
        _ = withUnsafePointer(to: &peer) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { sendto(made, answer, answer.count, 0, $0, length) }
        }
      }
      close(made)
    }
  }

  private static func bind(_ port: inout UInt16) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
        Glibc.bind(descriptor, name, length) == 0 && getsockname(descriptor, name, &length) == 0
      }
    }
    port = UInt16(bigEndian: name.sin_port)
    return isBound ? descriptor : -1
  }

  /// Closes the socket; returns when the port is free.
  func end() {
    isEnded.set()
    _ = try? DatagramClient(port: port).tell([0])
    while (try? DatagramClient(port: port).ask("x", milliseconds: 20)) != nil {}
  }

  deinit { if !isEnded.isSet { _ = try? DatagramClient(port: port).tell([0]) } }
}

/// A UDP socket connected to a port.
final class DatagramClient: Sendable {
  private let descriptor: Int32

  init(port: UInt16, from source: String? = nil) throws {
    descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    if let source {
      name.sin_addr.s_addr = inet_addr(source)
      let outcome = withUnsafePointer(to: &name) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      guard outcome == 0 else { throw TestFailure("bind") }
    }
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = inet_addr("127.0.0.1")
    let result = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw TestFailure("connect") }
  }

  deinit { close(descriptor) }

  func tell(_ bytes: [UInt8]) throws {
    guard send(descriptor, bytes, bytes.count, 0) == bytes.count else { throw TestFailure("send") }
  }

  /// Sends a datagram and waits for the answer.
  func ask(_ text: String, milliseconds: Int = 10_000) throws -> String {
    var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    try tell(Array(text.utf8))
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    guard count >= 0 else { throw TestFailure("no answer") }
    return String(decoding: buffer[0..<count], as: UTF8.self)
  }
}
