// Children under real shims: ends, ladders, limits, and the death of the control plane.

import CLinux
import FoundationEssentials
import Glibc
import Testing

@testable import Supervisor

/// A folder of a test's own, and the supervisor in it.
struct SupervisorFixture {
  let directory: String
  let supervisor: Supervisor

  init() throws {
    var template = Array("/tmp/castle-supervisor-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw SupervisorError.file(path: "/tmp", errno: errno) }
    directory = String(cString: made)
    chmod(directory, 0o711)
    supervisor = try Supervisor(stateDirectory: directory + "/state", shim: Self.shim)
  }

  static var shim: String { EngineProbe.besideExecutable("castle-shim") }

  static func with(_ body: (SupervisorFixture) async throws -> Void) async throws {
    let fixture = try SupervisorFixture()
    do { try await body(fixture) } catch {
      await fixture.clean()
      throw error
    }
    await fixture.clean()
  }

  func clean() async {
    for process in await supervisor.adopt() { await process.stop(signal: SIGKILL, grace: 0) }
    try? PrivateFiles.remove(directory)
  }

  func shell(_ id: String, _ script: String) -> ProcessSpecification {
    ProcessSpecification(id: id, executable: "/bin/sh", arguments: ["-c", script], logFile: log(id))
  }

  func log(_ id: String) -> String { directory + "/" + Supervisor.fileName(id) + ".log" }

  /// Returns when a child has written a text.
  func written(_ id: String, _ text: String) async throws {
    for _ in 0..<2000 {
      if PrivateFiles.tail(log(id)).contains(text) { return }
      try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record("\(id) did not write \(text): \(PrivateFiles.tail(log(id)))")
  }
}

@Suite("Supervisor") struct SupervisorTests {
  @Test("a child's exit code and the signal that ended it are seen")
  func exits() async throws {
    try await SupervisorFixture.with { f in
      let coded = try await f.supervisor.start(f.shell("test/code", "exit 7"))
      let exit = try await coded.exit
      #expect(exit.reason == .code(7))
      #expect(exit.endedAt != nil)
      #expect(exit.shellCode == 7)

      let killed = try await f.supervisor.start(f.shell("test/signal", "kill -9 $$"))
      #expect(try await killed.exit.reason == .signal(9, coreDumped: false))
      #expect(try await killed.exit.shellCode == 137)
      #expect(await f.supervisor.record(of: "test/signal")?.exit?.reason == .signal(9, coreDumped: false))
      f.supervisor.forget("test/signal")
      #expect(await f.supervisor.record(of: "test/signal") == nil)
    }
  }

  @Test("a program that cannot be started is reported with the step and the error, and leaves nothing")
  func startFailures() async throws {
    try await SupervisorFixture.with { f in
      var spec = f.shell("missing", "")
      spec.executable = "/nowhere/at/all"
      await #expect(throws: SupervisorError.startFailed(id: "missing", stage: "exec", errno: ENOENT)) {
        try await f.supervisor.start(spec)
      }
      spec = f.shell("directory", "true")
      spec.workingDirectory = "/nowhere"
      await #expect(throws: SupervisorError.startFailed(id: "directory", stage: "directory", errno: ENOENT)) {
        try await f.supervisor.start(spec)
      }
      spec = f.shell("log", "true")
      spec.logFile = "/nowhere/log"
      await #expect(throws: SupervisorError.startFailed(id: "log", stage: "log", errno: ENOENT)) {
        try await f.supervisor.start(spec)
      }
      spec = f.shell("label", "true")
      spec.labels = ["bad key": "x"]
      await #expect(throws: SupervisorError.invalid(id: "label", "label 'bad key'")) {
        try await f.supervisor.start(spec)
      }
      #expect(await f.supervisor.records().isEmpty)
      #expect(throws: SupervisorError.shimMissing("/nowhere/castle-shim")) {
        try Supervisor(stateDirectory: f.directory + "/other", shim: "/nowhere/castle-shim")
      }
    }
  }

  @Test("the stop ladder lets a program end by itself, and kills one that does not in time")
  func stopLadder() async throws {
    try await SupervisorFixture.with { f in
      let polite = try await f.supervisor.start(
        f.shell("polite", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"))
      try await f.written("polite", "ready")
      #expect(await polite.stop(grace: 20).reason == .code(3))

      let deaf = try await f.supervisor.start(f.shell("deaf", "trap '' TERM; echo ready; while :; do sleep 1; done"))
      try await f.written("deaf", "ready")
      #expect(await deaf.stop(grace: 0.2).reason == .signal(9, coreDumped: false))
      #expect(!deaf.isRunning)

      let reluctant = try await f.supervisor.start(
        f.shell("reluctant", "trap 'trap \"exit 4\" TERM' TERM; echo ready; while :; do sleep 0.02; done"))
      try await f.written("reluctant", "ready")
      #expect(await reluctant.stop(grace: 20, repeatEvery: 0.1).reason == .code(4))
      #expect(deaf.resourceUse() == nil)
    }
  }

  @Test("what a child started, in whatever session, ends with it, before its end is reported")
  func descendants() async throws {
    try await SupervisorFixture.with { f in
      let process = try await f.supervisor.start(
        f.shell("family", "setsid sleep 1000 & echo pid $!; sleep 1000 & echo pid $!; echo ready; wait"))
      try await f.written("family", "ready")
      let use = try #require(process.resourceUse())
      #expect(use.processes == 3)
      #expect(use.residentBytes > 100_000)
      let pids = PrivateFiles.tail(f.log("family")).split(separator: "\n")
        .compactMap { $0.hasPrefix("pid ") ? Int32($0.dropFirst(4)) : nil }
      #expect(pids.count == 2)
      process.kill()
      _ = try await process.exit
      for pid in pids { #expect(Glibc.kill(pid, 0) == -1 && errno == ESRCH) }
    }
  }

  @Test("a child gets its own environment, directory, limits, input and a session of its own; output is appended")
  func surroundings() async throws {
    try await SupervisorFixture.with { f in
      var spec = f.shell("self", "env | grep -c . ; echo $GREETING; pwd; ulimit -n; cat; ps -o sid= -p $$; echo $$ >&2")
      spec.environment["GREETING"] = "hello\nworld"
      spec.workingDirectory = "/usr"
      spec.limits.openFiles = 64
      let process = try await f.supervisor.start(spec, input: Array("from input\n".utf8))
      #expect(try await process.exit.isSuccess)
      let text = PrivateFiles.tail(f.log("self"))
      #expect(text.contains("hello world\n/usr\n64\nfrom input\n"))
      #expect(text.split(separator: "\n").suffix(2).allSatisfy { $0.trimmed == "\(process.pid)" })
      let again = try await f.supervisor.start(f.shell("self", "echo more"))
      _ = try await again.exit
      #expect(PrivateFiles.tail(f.log("self")) == text + "more\n")
      #expect(again.pid != process.pid)
    }
  }

  @Test("privileges are dropped for good when the supervisor is root", .enabled(if: SystemUser.isRoot))
  func user() async throws {
    try await SupervisorFixture.with { f in
      var spec = f.shell(
        "nobody", "id -u; id -G; grep NoNewPrivs /proc/self/status; cat /proc/self/status | grep CapEff")
      spec.user = SystemUser.toDropTo(preferring: ["no-such-user", "nobody"])
      let process = try await f.supervisor.start(spec)
      _ = try await process.exit
      let lines = PrivateFiles.tail(f.log("nobody")).split(separator: "\n").map(String.init)
      #expect(lines == ["65534", "65534", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"])
    }
  }

  @Test("an id runs once at a time")
  func onceAtATime() async throws {
    try await SupervisorFixture.with { f in
      let first = try await f.supervisor.start(f.shell("one", "sleep 1000"))
      await #expect(throws: SupervisorError.alreadyRunning(id: "one", pid: first.pid)) {
        try await f.supervisor.start(f.shell("one", "true"))
      }
      // Nor does another supervisor of the same directory, that has not adopted it, start it.
      let other = try Supervisor(stateDirectory: f.supervisor.stateDirectory, shim: f.supervisor.shim)
      await #expect(throws: SupervisorError.alreadyRunning(id: "one", pid: first.pid)) {
        try await other.start(f.shell("one", "true"))
      }
      #expect(await other.adopt("one")?.pid == first.pid)
      await first.stop(signal: SIGKILL, grace: 0)
      #expect(try await f.supervisor.start(f.shell("one", "true")).exit.isSuccess)
    }
  }

  @Test("waiting for an end can be cancelled, and can have a limit")
  func waiting() async throws {
    try await SupervisorFixture.with { f in
      let process = try await f.supervisor.start(f.shell("sleeper", "sleep 1000"))
      let waiter = Task { try await process.exit }
      waiter.cancel()
      await #expect(throws: CancellationError.self) { try await waiter.value }
      #expect(try await process.exit(within: 0.05) == nil)
      async let seen = process.exit
      process.kill()
      #expect(try await seen.reason == .signal(9, coreDumped: false))
    }
  }

  @Test("helper programs give their output, or an error with it")
  func tools() async throws {
    try await SupervisorFixture.with { f in
      let output = try await f.supervisor.run(f.shell("tool", "tr a-z A-Z"), input: Array("words".utf8))
      #expect(output == "WORDS")
      await #expect(throws: SupervisorError.self) { try await f.supervisor.run(f.shell("tool", "echo why; exit 2")) }
      await #expect(throws: SupervisorError.toolTimedOut(id: "tool", seconds: 0.2, output: "")) {
        try await f.supervisor.run(f.shell("tool", "sleep 100"), timeout: 0.2)
      }
      #expect(await f.supervisor.records().isEmpty)
    }
  }

  @Test("children live on when the control plane is killed, and the next one adopts them and sees their ends")
  func controlPlaneDeath() async throws {
    // The body runs in a process of its own, whose parent is this one.
    await #expect(processExitsWith: .signal(SIGKILL)) {
      let directory = "/tmp/castle-supervisor-death-\(getppid())"
      let supervisor = try Supervisor(stateDirectory: directory, shim: EngineProbe.besideExecutable("castle-shim"))
      func spec(_ id: String, _ script: String) -> ProcessSpecification {
        ProcessSpecification(
          id: id, executable: "/bin/sh", arguments: ["-c", script], logFile: "\(directory)/\(id).log",
          labels: ["port": "5432", "name": "with a space"])
      }
      _ = try await supervisor.start(spec("survivor", "trap 'exit 5' TERM; while :; do echo alive; sleep 0.02; done"))
      _ = try await supervisor.start(spec("brief", "sleep 0.3; exit 9"))
      kill(getpid(), SIGKILL)
    }
    let directory = "/tmp/castle-supervisor-death-\(getpid())"
    defer { try? PrivateFiles.remove(directory) }
    let supervisor = try Supervisor(stateDirectory: directory, shim: SupervisorFixture.shim)
    let adopted = await supervisor.adopt()
    let survivor = try #require(adopted.first { $0.id == "survivor" })
    #expect(survivor.isAdopted && survivor.isRunning)
    #expect(survivor.labels == ["port": "5432", "name": "with a space"])

    // It still writes: its output does not hang on the control plane that died.
    let size = PrivateFiles.tail(survivor.logFile, bytes: 100_000).utf8.count
    while PrivateFiles.tail(survivor.logFile, bytes: 100_000).utf8.count <= size {
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(await survivor.stop(grace: 20).reason == .code(5))
    // The other's end is known, whether it was adopted or had ended by then.
    if let brief = adopted.first(where: { $0.id == "brief" }) { _ = try await brief.exit }
    #expect(await supervisor.record(of: "brief")?.exit?.reason == .code(9))
    #expect(await supervisor.adopt().isEmpty)
  }

  @Test("a child whose shim was killed too is adopted; its end is seen, though not how it ended")
  func shimDeath() async throws {
    try await SupervisorFixture.with { f in
      let first = try await f.supervisor.start(f.shell("orphan", "sleep 1000"))
      let record = try #require(await f.supervisor.record(of: "orphan"))
      Glibc.kill(record.shim, SIGKILL)
      let other = try Supervisor(stateDirectory: f.supervisor.stateDirectory, shim: f.supervisor.shim)
      let orphan = try #require(await other.adopt("orphan"))
      #expect(orphan.pid == first.pid)
      orphan.kill()
      #expect(try await orphan.exit.reason == .unknown)
      #expect(try await first.exit.reason == .unknown)
    }
  }

  @Test("a kept process is started again when it is killed, and connections wait for it meanwhile")
  func respawn() async throws {
    try await SupervisorFixture.with { f in
      // Answers each connection with its pid; told to, it waits before it takes any.
      let server = """
        import os, socket
        assert os.environ["LISTEN_FDS"] == "1" and int(os.environ["LISTEN_PID"]) == os.getpid()
        listener = socket.socket(fileno=3)
        print(f"up {os.getpid()} on {listener.getsockname()[1]}.", flush=True)
        while True:
            connection = listener.accept()[0]
            if connection.recv(16) == b"leave": os._exit(5)
            connection.sendall(str(os.getpid()).encode())
            connection.close()
        """
      var spec = ProcessSpecification(id: "kept", executable: "python3", logFile: f.log("kept"))
      spec.arguments = ["-c", server]
      spec.environment["PATH"] = ProcessInfo.processInfo.environment["PATH"]
      spec.respawns = true
      spec.listener = .init(host: "127.0.0.1", port: 0)
      let process = try await f.supervisor.start(spec)
      try await f.written("kept", "up \(process.pid) on")
      let port = try #require(PrivateFiles.tail(f.log("kept")).firstMatch(of: #/on (\d+)\./#).flatMap { UInt16($0.1) })
      #expect(try Self.ask(port, "who") == "\(process.pid)")
      let killed = castle_pidfd_open(process.pid)
      try #require(killed >= 0)
      process.kill()
      // Until it is gone it might still take a connection. From then on nobody may be there to answer, and nobody is
      // refused.
      #expect(castle_poll(killed, 1, 10_000) == 1)
      close(killed)
      let next = try Self.ask(port, "who")
      #expect(Int32(next) != nil && next != "\(process.pid)")
      #expect(process.isRunning, "it stands for the next one too")
      #expect(await f.supervisor.adopt("kept")?.pid == process.pid)
      let record = try #require(await f.supervisor.record(of: "kept"))
      #expect("\(record.child)" == next && record.exit == nil)
      // One that ends by itself has said that it is done.
      #expect(try Self.ask(port, "leave") == "")
      #expect(try await process.exit.reason == .code(5))
    }
  }

  @Test("a kept process that dies again and again is given up") func respawnBudget() async throws {
    try await SupervisorFixture.with { f in
      var spec = f.shell("broken", "echo again; kill -9 $$")
      spec.respawns = true
      let process = try await f.supervisor.start(spec)
      #expect(try await process.exit.reason == .signal(9, coreDumped: false))
      #expect(PrivateFiles.tail(f.log("broken")).split(separator: "\n").count == 11)
    }
  }

  @Test("a kept process's port that is taken is told by its error") func listenFails() async throws {
    try await SupervisorFixture.with { f in
      let holder = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(holder) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = inet_addr("127.0.0.1")
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          #expect(bind(holder, $0, length) == 0 && listen(holder, 1) == 0 && getsockname(holder, $0, &length) == 0)
        }
      }
      var spec = f.shell("late", "true")
      spec.listener = .init(host: "127.0.0.1", port: UInt16(bigEndian: address.sin_port))
      await #expect(throws: SupervisorError.startFailed(id: "late", stage: "listen", errno: EADDRINUSE)) {
        try await f.supervisor.start(spec)
      }
      spec.listener = .init(host: "nowhere", port: 0)
      await #expect(throws: SupervisorError.startFailed(id: "late", stage: "listen", errno: EADDRNOTAVAIL)) {
        try await f.supervisor.start(spec)
      }
    }
  }

  /// Sends a word to a loopback port; what comes back until the connection ends.
  private static func ask(_ port: UInt16, _ word: String) throws -> String {
    let descriptor = castle_tcp_connect("127.0.0.1", port, 5000)
    try #require(descriptor >= 0, "connect: \(-descriptor)")
    defer { close(descriptor) }
    #expect(word.utf8CString.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count - 1) } == word.utf8.count)
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64)
    while castle_poll(descriptor, 1, 10_000) == 1 {
      let count = read(descriptor, &buffer, buffer.count)
      guard count > 0 else { break }
      answer += buffer[..<count]
    }
    return String(decoding: answer, as: UTF8.self)
  }

  @Test("a shim is small")
  func size() async throws {
    try await SupervisorFixture.with { f in
      let process = try await f.supervisor.start(f.shell("small", "sleep 1000"))
      let record = try #require(await f.supervisor.record(of: "small"))
      let resident = try #require(ProcFS.memory(record.shim)).resident
      print("shim: \(resident / 1024) KiB resident")
      #expect(resident < 4_000_000, "\(resident) bytes")
      process.kill()
      _ = try await process.exit
    }
  }
}

extension StringProtocol {
  var trimmed: String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
