// The shield through real sockets, from several addresses of 127.0.0.0/8.
import GateProtocol
import Glibc
import Synchronization
import Testing

@testable import GateCore

/// A connection from an address of the test's choice. With a limit in seconds for each operation.
func connection(_ port: UInt16, from source: String, seconds: Int = 10) throws -> RawSocket {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  guard descriptor >= 0 else { throw TestFailure("socket") }
  let result = RawSocket(descriptor: descriptor)
  var limit = timeval(tv_sec: seconds, tv_usec: 0)
  setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  for (address, number) in [(source, UInt16(0)), ("127.0.0.1", port)] {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = number.bigEndian
    name.sin_addr.s_addr = inet_addr(address)
    let outcome = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        number == 0
          ? Glibc.bind(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
          : Glibc.connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard outcome == 0 else { throw TestFailure("\(source): \(String(cString: strerror(errno)))") }
  }
  return result
}

/// The status of a request's answer; 0 when the connection is refused, reset or closed without one.
func status(_ port: UInt16, from source: String, _ request: String = "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n") -> Int
{
  do {
    let socket = try connection(port, from: source)
    try socket.send(request)
    return try MessageReader(socket).next()?.status ?? 0
  } catch {
    return 0
  }
}

@Suite("The shield", .timeLimit(.minutes(1)))
struct ShieldTests {
  static func snapshot(_ server: TestServer, _ shield: GateSnapshot.Shield) -> GateSnapshot {
    let listener = GateSnapshot.Listener(id: "listener", port: 0, defaultAction: .forward(to: "tg"))
    var group = GateSnapshot.TargetGroup(id: "tg", healthCheck: .init(probe: .none))
    group.targets = [target(server)]
    let balancer = GateSnapshot.LoadBalancer(id: "lb", address: "127.0.0.1", listeners: [listener], shield: shield)
    return GateSnapshot(version: 1, loadBalancers: [balancer], targetGroups: [group])
  }

  static func with(
    _ shield: GateSnapshot.Shield, loops: Int = 1, server: TestServer? = nil,
    _ body: (GateFixture, UInt16) async throws -> Void
  ) async throws {
    let server = try server ?? TestServer { _ in ok("fine") }
    try await GateFixture.with(loops: loops) { gate in
      let status = try await gate.client.apply(snapshot(server, shield))
      try await body(gate, try #require(status.listener("listener")?.port))
    }
  }

  @Test("a source gets no more connections than its limit, and others are not concerned")
  func connectionLimit() async throws {
    try await Self.with(.init(connectionsPerSource: 3)) { _, port in
      try await onThread {
        let held = try (0..<3).map { _ in try connection(port, from: "127.1.0.1") }
        #expect(status(port, from: "127.1.0.1") == 0)
        #expect(status(port, from: "127.1.0.2") == 200)
        try held[0].send("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        #expect(try MessageReader(held[0]).next()?.status == 200)
      }
      #expect(try await eventually { status(port, from: "127.1.0.1") == 200 })
    }
  }

  @Test("requests beyond a source's rate are answered with 403, and others are not concerned")
  func requestLimit() async throws {
    try await Self.with(.init(requestsPerSource: 0.001)) { _, port in
      try await onThread {
        let results = (0..<25).map { _ in status(port, from: "127.1.0.1") }
        #expect(results == Array(repeating: 200, count: 20) + Array(repeating: 403, count: 5))
        #expect(status(port, from: "127.1.0.2") == 200)
      }
    }
  }

  @Test("new connections beyond a source's rate are reset")
  func connectionRate() async throws {
    try await Self.with(.init(newConnectionsPerSource: 0.001)) { _, port in
      try await onThread {
        let results = (0..<12).map { _ in status(port, from: "127.1.0.1") }
        #expect(results == Array(repeating: 200, count: 10) + [0, 0])
        #expect(status(port, from: "127.1.0.2") == 200)
      }
    }
  }

  @Test("a head that trickles in is answered with 408 when its time is over, however often a byte comes")
  func slowHead() async throws {
    try await Self.with(.init(headTime: 0.5)) { _, port in
      let status = try await onThread {
        let socket = try connection(port, from: "127.1.0.1")
        try socket.send("GET / HTTP/1.1\r\nHost: shop.test\r\n")
        let trickle = Pump { try socket.send("X-Slow: yes\r\n") }
        defer { trickle.stop() }
        return try MessageReader(socket).next()?.status
      }
      #expect(status == 408)
    }
  }

  @Test("a body slower than the least rate is answered with 408, however often a byte comes")
  func slowBody() async throws {
    try await Self.with(.init(paceTime: 0.6, bytesPerSecondMin: 1000)) { _, port in
      let status = try await onThread {
        let socket = try connection(port, from: "127.1.0.1")
        try socket.send("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 100000\r\n\r\n")
        let trickle = Pump { try socket.send("x") }
        defer { trickle.stop() }
        return try MessageReader(socket).next()?.status
      }
      #expect(status == 408)
    }
  }

  @Test("a body that keeps the least rate is taken whole, however long it takes")
  func steadyBody() async throws {
    try await Self.with(.init(paceTime: 0.4, bytesPerSecondMin: 100)) { _, port in
      let status = try await onThread {
        let socket = try connection(port, from: "127.1.0.1")
        try socket.send("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 6000\r\n\r\n")
        let sent = Mutex(0)
        let done = Semaphore()
        let pump = Pump {
          let count = sent.withLock { value in
            defer { value += 100 }
            return value
          }
          if count < 6000 { try socket.send(String(repeating: "x", count: 100)) }
          if count == 6000 { done.signal() }
        }
        defer { pump.stop() }
        done.wait()
        return try MessageReader(socket).next()?.status
      }
      #expect(status == 200)
    }
  }

  @Test("a client that does not read its answer is reset")
  func slowRead() async throws {
    let body = String(repeating: "x", count: 32 << 20)
    let server = try TestServer { _ in ok(body) }
    try await GateFixture.with(loops: 1) { gate in
      let status = try await gate.client.apply(
        Self.snapshot(server, .init(paceTime: 0.5, bytesPerSecondMin: 1_000_000)))
      let port = try #require(status.listener("listener")?.port)
      let error = try await onThread {
        let socket = try connection(port, from: "127.1.0.1")
        try socket.send("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        var polled = pollfd(fd: socket.descriptor, events: 0, revents: 0)
        poll(&polled, 1, 10_000)
        return polled.revents & Int16(POLLERR | POLLHUP)
      }
      #expect(error != 0)
    }
  }

  @Test("a loop's load is the share of time that it did not wait for events")
  func loopLoad() throws {
    var load = LoopLoad()
    defer { load.close() }
    #expect(load.share(now: gateNow()) == 0)
    // What is done counts, however long the machine takes for it.
    let end = gateNow() + 50_000
    var number: UInt64 = 1
    while gateNow() < end { number = number &* 6_364_136_223_846_793_005 &+ 1 }
    #expect(number != 0)
    let busy = load.share(now: gateNow())
    #expect(busy > 0.2)
    var nothing = pollfd(fd: -1, events: 0, revents: 0)
    poll(&nothing, 1, 100)
    #expect(load.share(now: gateNow()) < busy)
  }

  @Test("when descriptors run short the heaviest source's idle connections are closed first")
  func makesRoom() throws {
    let control = try Mailbox<ControlMessage>()
    let loop = try EventLoop(index: 0, control: control, mailbox: try Mailbox<LoopMessage>(), logs: try LogWriter())
    let description = GateSnapshot.LoadBalancer(id: "lb", address: "127.0.0.1", listeners: [])
    let balancer = LoadBalancerRuntime(description, turn: 0)
    let rules = CompiledRules(
      GateSnapshot.Listener(id: "l", port: 0, defaultAction: .fixedResponse(.init(statusCode: 200))),
      { _ in .fixedResponse(.init(statusCode: 200)) })
    let listener = ListenerRuntime(descriptor: -1, loadBalancer: balancer, address: 0x7F00_0001, port: 80, rules: rules)
    func open(_ source: UInt32) throws -> HTTP1Connection? {
      guard let slot = loop.admit(source, to: balancer.sources) else { return nil }
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      let client = HTTP1Connection(loop: loop, descriptor: descriptor, listener: listener, address: source, slot: slot)
      loop.add(client)
      return client
    }
    loop.bounds.openMax = 20
    let heavy = try (0..<12).map { _ in try #require(try open(1)) }
    let light = try (0..<8).map { try #require(try open(UInt32(100 + $0))) }
    #expect(loop.openCount == 20)
    let newcomer = try #require(try open(9))
    #expect(heavy.contains { $0.isClosed })
    #expect(light.allSatisfy { !$0.isClosed })
    #expect(!newcomer.isClosed)
    // The heaviest itself finds no room.
    loop.bounds.openMax = loop.openCount
    #expect(try open(1) == nil)
    for client in heavy + light + [newcomer] { client.close() }
  }
}

/// Does something again and again on a thread of its own until stopped, or until it throws.
final class Pump: Sendable {
  private let isStopped = Mutex(false)
  private let ended = Semaphore()

  init(every milliseconds: UInt32 = 20, _ work: @escaping @Sendable () throws -> Void) {
    startThread { [self] in
      while !isStopped.withLock({ $0 }) {
        do { try work() } catch { break }
        usleep(milliseconds * 1000)
      }
      ended.signal()
    }
  }

  func stop() {
    isStopped.withLock { $0 = true }
    ended.wait()
  }
}

extension GateFixture {
  /// Waits until that many requests have been answered.
  func waitForServed(_ count: UInt64) async throws {
    for await event in try await client.events() {
      if case .statistics(let statistics) = event, (statistics.loadBalancers.first?.requests ?? 0) >= count { return }
    }
  }
}
