// The parts of supervision that need no processes.

import AWSCore
import Testing

@testable import Supervisor

@Suite("Supervision rules") struct PureTests {
  @Test("a restart waits twice as long after each failure, up to a limit, and a long healthy run starts over")
  func budget() {
    var budget = RestartBudget(firstDelay: 1, longestDelay: 5, healthyAfter: 60)
    let now = Timestamp(seconds: 1000)
    #expect(budget.failed(at: now, startedAt: now) == now.adding(seconds: 1))
    #expect(budget.failed(at: now, startedAt: now) == now.adding(seconds: 2))
    #expect(budget.failed(at: now, startedAt: now) == now.adding(seconds: 4))
    #expect(budget.failed(at: now, startedAt: now) == now.adding(seconds: 5))
    #expect(budget.failed(at: now, startedAt: now.adding(seconds: -61)) == now.adding(seconds: 1))
    #expect(budget.failures == 1)
  }

  @Test("a budget of failures is spent")
  func spent() {
    var budget = RestartBudget(mostFailures: 2)
    let now = Timestamp(seconds: 0)
    #expect(budget.failed(at: now, startedAt: nil) != nil)
    #expect(budget.failed(at: now, startedAt: nil) == nil)
    #expect(budget.isSpent)
    budget.reset()
    #expect(!budget.isSpent)
  }

  @Test("a status file is read, and half a one is not")
  func record() throws {
    let text = """
      castle-shim 1
      boot abc
      shim 10 100
      child 11 101
      started 1767225600000
      log /tmp/x y.log
      id a/b
      label port 5432
      label note two words
      signal 11 1
      ended 1767225601000

      """
    let record = try #require(ProcessRecord(text))
    #expect(record.id == "a/b")
    #expect(record.child == 11 && record.childStart == 101 && record.shim == 10)
    #expect(record.labels == ["port": "5432", "note": "two words"])
    #expect(record.logFile == "/tmp/x y.log")
    #expect(record.exit?.reason == .signal(11, coreDumped: true))
    #expect(record.exit?.endedAt == Timestamp(milliseconds: 1_767_225_601_000))
    #expect(ProcessRecord("") == nil)
    #expect(ProcessRecord("castle-shim 1\nboot abc\n") == nil)
  }

  @Test("ids become file names that cannot collide or climb")
  func fileNames() {
    #expect(Supervisor.fileName("postgres/orders/a-1") == "postgres%2forders%2fa-1")
    #expect(Supervisor.fileName("a%2fb") == "a%252fb")
  }

  @Test("versions are found in what programs print of themselves")
  func versions() {
    #expect(EngineProbe.version(in: "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)") == "15.18")
    #expect(EngineProbe.version(in: "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64") == "7.0.15")
    #expect(EngineProbe.version(in: "nothing") == nil)
  }

  @Test("the engines of this machine are found, with their versions")
  func engines() async throws {
    let postgres = try #require(await EngineProbe.postgres().first)
    #expect((postgres.majorVersion ?? 0) >= 10)
    #expect(PrivateFiles.exists(postgres.directory + "/initdb"))
    #expect((await EngineProbe.redis()?.majorVersion ?? 0) >= 5)
    #expect(EngineProbe.helper("castle-shim") != nil)
    #expect(EngineProbe.helper("castle-nothing") == nil)
  }

  @Test("the kernel gives a free port of an address")
  func ports() throws {
    let port = try FreePort.on("127.9.8.7")
    #expect((1...65_535).contains(port))
    #expect(throws: SupervisorError.self) { try FreePort.on("192.0.2.1") }
  }

  @Test("a file is written for its owner alone, and whole")
  func files() async throws {
    let path = "/tmp/castle-files-\(SystemIdentifiers().hex(12))"
    try PrivateFiles.makeDirectory(path + "/a/b")
    try PrivateFiles.write("secret".utf8, to: path + "/a/b/c")
    #expect(try PrivateFiles.read(path + "/a/b/c") == Array("secret".utf8))
    #expect(try PrivateFiles.list(path + "/a/b") == ["c"])
    #expect(try PrivateFiles.read(path + "/nothing") == nil)
    try PrivateFiles.remove(path)
    #expect(!PrivateFiles.exists(path))
  }
}
