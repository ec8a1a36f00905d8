// The program castle-gate: its worker is killed, its client is killed, it is started again.
import FoundationEssentials
import GateProtocol
import Glibc
import Testing

@testable import GateCore

@Suite("castle-gate", .timeLimit(.minutes(2)))
struct ProcessTests {
  /// The built program, beside the test bundle.
  private static let program: String? = {
    var folders = [CommandLine.arguments[0]]
    var link = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &link, link.count - 1)
    if count > 0 { folders.append(String(decoding: link[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)) }
    folders += CommandLine.arguments.dropFirst().filter { $0.contains(".xctest") }
    for path in folders {
      var parts = path.split(separator: "/", omittingEmptySubsequences: false)
      while !parts.isEmpty {
        parts.removeLast()
        let candidate = parts.joined(separator: "/") + "/castle-gate"
        if access(candidate, X_OK) == 0 { return candidate }
      }
    }
    return nil
  }()

  /// A running castle-gate; ended and waited for by `end`.
  private final class Program: Sendable {
    let process: pid_t
    let socketPath: String

    /// - Parameter files: how many descriptors a table may have; as many as the test's process without.
    init(folder: String, files: Int? = nil) throws {
      guard let program = ProcessTests.program else { throw TestFailure("castle-gate is not built") }
      socketPath = folder + "/gate.sock"
      var texts = [program, "--socket", socketPath, "--state", folder + "/state", "--drain", "1"]
      if let files { texts = ["/bin/sh", "-c", "ulimit -n \(files) && exec \"$@\"", "sh"] + texts }
      var arguments: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
      arguments.append(nil)
      defer { for argument in arguments { free(argument) } }
      var attributes = posix_spawnattr_t()
      posix_spawnattr_init(&attributes)
      defer { posix_spawnattr_destroy(&attributes) }
      var none = sigset_t()
      sigemptyset(&none)
      posix_spawnattr_setsigmask(&attributes, &none)
      posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
      var child: pid_t = 0
      guard posix_spawn(&child, texts[0], nil, &attributes, arguments, environ) == 0 else {
        throw TestFailure("cannot start castle-gate")
      }
      process = child
    }

    func connect() async throws -> GateClient {
      let path = socketPath
      // The socket's file is there a moment before anybody listens.
      _ = try await eventually(seconds: 10) {
        guard let client = try? GateClient.connect(toSocketAt: path) else { return false }
        client.close()
        return true
      }
      return try GateClient.connect(toSocketAt: path)
    }

    func end(_ signal: Int32 = SIGTERM) async throws {
      let process = process
      try await onThread {
        kill(process, signal)
        var status: Int32 = 0
        waitpid(process, &status, 0)
      }
    }
  }

  private func with(files: Int? = nil, _ body: (Program, String) async throws -> Void) async throws {
    let folder = try temporaryFolder()
    let program = try Program(folder: folder, files: files)
    do {
      try await body(program, folder)
    } catch {
      try await program.end()
      throw error
    }
    try await program.end()
    removeFolder(folder, files: ["gate.sock", "state", "state.new"])
  }

  private func snapshot(_ version: UInt64, _ server: TestServer, port: UInt16 = 0) -> GateSnapshot {
    GateSnapshot(
      version: version,
      loadBalancers: [
        .init(
          id: "lb", address: "127.0.0.1", listeners: [.init(id: "l", port: port, defaultAction: .forward(to: "tg"))])
      ],
      targetGroups: [
        .init(id: "tg", targets: [target(server)], healthCheck: .init(probe: .none))
      ])
  }

  @Test("a killed worker is replaced, on the same port, and waiting connections are served")
  func workerKilled() async throws {
    let server = try TestServer { _ in ok("served") }
    try await with { program, _ in
      let client = try await program.connect()
      let before = try await client.apply(snapshot(7, server))
      let port = try #require(before.listener("l")?.port)
      #expect(try await get(port).text == "served")
      #expect(kill(before.workerProcessID, SIGKILL) == 0)
      // The listening socket never closed: this connection waits in its backlog if the worker is not there yet.
      let began = gateNow()
      var answer: Message?
      while answer == nil { answer = try? await get(port) }
      #expect(answer?.text == "served")
      print("a killed worker was replaced after \((gateNow() - began) / 1000) ms")
      let after = try await program.connect().status()
      #expect(after.appliedVersion == 7)
      #expect(after.listener("l")?.port == port)
      #expect(after.workerProcessID != before.workerProcessID)
    }
  }

  @Test("each loop has as many descriptors as the process may have, and a full one leaves newcomers to the others")
  func fullLoops() async throws {
    let server = try TestServer { _ in ok("served") }
    // 400 descriptors: 247 for the connections of each of two loops, and clients that are neither few nor a flood.
    try await with(files: 400) { program, _ in
      let client = try await program.connect()
      var wanted = snapshot(1, server)
      wanted.loadBalancers[0].shield = .init(detectsFloods: false)
      let port = try #require(try await client.apply(wanted).listener("l")?.port)
      for round in 0..<2 {
        let served = try await onThread {
          var held: [RawSocket] = []
          for number in 0..<460 {
            let socket = try RawSocket(port: port, from: "127.0.0.\(10 + number % 4)")
            try socket.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            guard try MessageReader(socket).next()?.text == "served" else { return (number, 0) }
            held.append(socket)
          }
          var again = 0
          for socket in held {
            try socket.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            if try MessageReader(socket).next()?.text == "served" { again += 1 }
          }
          return (held.count, again)
        }
        #expect(served == (460, 460), "round \(round)")
      }
    }
  }

  @Test("when all loops are full somebody from elsewhere still gets in")
  func allFull() async throws {
    let server = try TestServer { _ in ok("served") }
    try await with(files: 400) { program, _ in
      let client = try await program.connect()
      var wanted = snapshot(1, server)
      wanted.loadBalancers[0].shield = .init(detectsFloods: false)
      let port = try #require(try await client.apply(wanted).listener("l")?.port)
      let texts = try await onThread {
        // More than both tables hold, none of which asks anything.
        let heavy = try (0..<600).map { _ in try RawSocket(port: port, from: "127.0.0.2") }
        defer { withExtendedLifetime(heavy) {} }
        return try (3..<40).map { source in
          let socket = try RawSocket(port: port, from: "127.0.0.\(source)")
          try socket.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
          return try MessageReader(socket).next()?.text
        }
      }
      #expect(texts.allSatisfy { $0 == "served" })
    }
  }

  @Test("the controlling client's death changes nothing, and the next one finds what was applied")
  func clientKilled() async throws {
    let server = try TestServer { _ in ok("served") }
    try await with { program, _ in
      let client = try await program.connect()
      let port = try #require(try await client.apply(snapshot(3, server)).listener("l")?.port)
      client.close()
      await #expect(throws: GateError.self) { try await client.status() }
      #expect(try await get(port).text == "served")
      let next = try await program.connect()
      let status = try await next.status()
      #expect(status.appliedVersion == 3)
      #expect(status.listener("l")?.port == port)
      await #expect(throws: GateError.staleVersion(applied: 3)) { try await next.apply(snapshot(2, server)) }
      #expect(try await next.apply(snapshot(4, server)).listener("l")?.port == port)
    }
  }

  @Test("a Gate that is started again serves the stored snapshot at once")
  func restarted() async throws {
    let server = try TestServer { _ in ok("served") }
    let folder = try temporaryFolder()
    let first = try Program(folder: folder)
    let client = try await first.connect()
    _ = try await client.apply(snapshot(9, server))
    try await first.end(SIGKILL)
    // The worker notices the master's death and gives up the socket.
    _ = try await eventually { (try? await client.status()) == nil }
    let second = try Program(folder: folder)
    var status: GateStatus?
    _ = try await eventually(seconds: 10) {
      status = try? await second.connect().status()
      return status?.appliedVersion == 9
    }
    let port = try #require(status?.listener("l")?.port)
    #expect(try await get(port).text == "served")
    try await second.end()
    removeFolder(folder, files: ["gate.sock", "state", "state.new"])
  }

  @Test("SIGTERM lets a request in flight finish")
  func drains() async throws {
    let began = EndBox()
    let release = EndBox()
    let server = try TestServer { _ in
      began.end()
      release.waitBlocking()
      return ok("finished")
    }
    let folder = try temporaryFolder()
    let program = try Program(folder: folder)
    let client = try await program.connect()
    let port = try #require(try await client.apply(snapshot(1, server)).listener("l")?.port)
    async let inFlight = get(port)
    await began.wait()
    kill(program.process, SIGTERM)
    release.end()
    let answer = try await inFlight
    #expect(answer.text == "finished")
    #expect(answer["Connection"] == "close" || answer["Connection"] == nil)
    try await program.end()
    removeFolder(folder, files: ["gate.sock", "state", "state.new"])
  }

  @Test("several services share one controller, which applies again when the Gate comes back")
  func controller() async throws {
    let server = try TestServer { _ in ok("served") }
    try await with { program, _ in
      _ = try await program.connect()
      let controller = GateController(socketPath: program.socketPath)
      let running = Task { await controller.run() }
      defer { running.cancel() }
      let part = snapshot(0, server)
      async let first = controller.set(
        .init(loadBalancers: part.loadBalancers, targetGroups: part.targetGroups), for: "elbv2")
      async let second = controller.set(
        .init(endpoints: [
          .init(id: "db", address: "127.0.0.1", port: 0, backends: [.init(address: "127.0.0.1", port: server.port)])
        ]),
        for: "rds")
      _ = try await (first, second)
      let status = try #require(await controller.currentStatus)
      let port = try #require(status.listener("l")?.port)
      #expect(status.endpoint("db")?.port != nil)
      #expect(try await get(port).text == "served")
      let events = await controller.events()
      kill(status.workerProcessID, SIGKILL)
      // The controller connects to the new worker and applies again.
      for await event in events {
        if case .applied(let fresh) = event, fresh.workerProcessID != status.workerProcessID { break }
      }
      #expect(try await get(port).text == "served")
    }
  }
}
