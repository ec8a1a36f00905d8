// Clusters of real servers: made, stopped, killed, rejoined, adopted.

import Glibc
import Logging
import Supervisor
import Synchronization
import Testing

@testable import PostgresEngine

@Suite("PostgreSQL cluster", .timeLimit(.minutes(5))) struct PostgresClusterTests {
  /// Opens a cluster and gives it to the body; it is closed afterwards.
  func open(
    _ f: EngineFixture, _ spec: PostgresCluster.Specification, _ body: (PostgresCluster) async throws -> Void
  ) async throws {
    let cluster = try await PostgresCluster.open(
      spec, supervisor: f.supervisor, installation: try await PostgresInstallation.find())
    do { try await body(cluster) } catch {
      await cluster.close()
      throw error
    }
    await cluster.close()
  }

  /// Inserts numbers one by one through whoever is the writer, until told to end; gives those that were acknowledged.
  final class Load: Sendable {
    private let acknowledged = Mutex<[Int]>([])
    private let isOver = Mutex(false)

    func run(_ cluster: PostgresCluster, _ f: EngineFixture, _ spec: PostgresCluster.Specification) async {
      var number = 0
      var client: PostgresClient?
      while !isOver.withLock({ $0 }) {
        guard let writer = await cluster.state.availableWriter?.name else {
          await Task.yield()
          try? await Task.sleep(for: .milliseconds(2))
          continue
        }
        if client == nil || client?.target.port != spec.instances.first(where: { $0.name == writer })?.port {
          client = try? f.client(spec, writer)
        }
        number += 1
        let done = (try? await client?.query("INSERT INTO log VALUES ($1)", [String(number)], timeout: 2)) != nil
        if done { acknowledged.withLock { $0.append(number) } }
      }
    }

    var count: Int { acknowledged.withLock { $0.count } }
    func end() -> [Int] {
      isOver.withLock { $0 = true }
      return acknowledged.withLock { $0 }
    }
    /// Returns when so many more have been acknowledged.
    func more(_ count: Int) async throws {
      let goal = self.count + count
      while self.count < goal { try await Task.sleep(for: .milliseconds(5)) }
    }
  }

  @Test("a new cluster with a replica comes up, writes reach the replica, and data outlives a stop")
  func life() async throws {
    try await EngineFixture.with { f in
      let spec = try f.postgres("life", instances: 2)
      // The template is made once for all clusters of a data root; it is not part of what is measured.
      let began = ContinuousClock.now
      _ = try await PostgresTemplates.shared.data(
        try await PostgresInstallation.find(), root: spec.dataRoot, user: SystemUser.toDropTo(preferring: ["postgres"]),
        supervisor: f.supervisor)
      let templated = ContinuousClock.now
      try await open(f, spec) { cluster in
        try await cluster.wait(timeout: 60) { $0.availableWriter != nil }
        let writable = ContinuousClock.now
        let state = try await cluster.wait(timeout: 60) { $0.isSettled }
        print(
          "postgres: template \(milliseconds(templated - began)) ms, writer after \(milliseconds(writable - templated))"
            + " ms, with its replica \(milliseconds(ContinuousClock.now - templated)) ms")
        #expect(state.writer == "life-1")
        #expect(state["life-2"]?.role == .reader)

        let writer = try f.client(spec, "life-1")
        let reader = try f.client(spec, "life-2")
        try await writer.query("CREATE TABLE words (word text)")
        try await writer.query("INSERT INTO words VALUES ('kept')")
        while (try? await reader.query("SELECT word FROM words").first) != ["kept"] { await Task.yield() }
        await #expect(
          throws: PostgresError.statement(
            state: "25006", message: "ERROR:  cannot execute INSERT in a read-only transaction")
        ) {
          try await reader.query("INSERT INTO words VALUES ('no')")
        }
        #expect(try await writer.query("SELECT usesuper FROM pg_user WHERE usename = current_user") == [["f"]])
        #expect(try await writer.query("SHOW synchronous_standby_names") == [["ANY 1 (\"life-2\")"]])

        try await cluster.setMasterPassword("second password")
        let renewed = try f.client(spec, "life-1", password: "second password")
        try await renewed.query("SELECT 1")
        try await writer.query("SELECT 1")
        let refused = try f.client(spec, "life-1")
        await #expect(throws: PostgresError.self) { try await refused.query("SELECT 1") }

        try await cluster.stop()
        let isStopped = await cluster.state.isStopped
        #expect(isStopped)
        #expect(await f.supervisor.adopt().isEmpty)
        let restarting = ContinuousClock.now
        try await cluster.start()
        try await cluster.wait(timeout: 60) { $0.isSettled }
        print("postgres: stopped cluster settled after \(milliseconds(ContinuousClock.now - restarting)) ms")
        #expect(
          try await f.client(spec, "life-1", password: "second password").query("SELECT word FROM words") == [["kept"]])
        #expect(await cluster.state.failovers == 0)
      }
    }
  }

  @Test("a killed writer is replaced without losing an acknowledged commit, and comes back as a replica")
  func failover() async throws {
    try await EngineFixture.with { f in
      let spec = try f.postgres("over", instances: 3)
      try await open(f, spec) { cluster in
        let before = try await cluster.wait(timeout: 90) { $0.isSettled }
        try await f.client(spec, "over-1").query("CREATE TABLE log (n int PRIMARY KEY)")
        let load = Load()
        async let running: Void = load.run(cluster, f, spec)
        try await load.more(50)

        let killed = ContinuousClock.now
        Glibc.kill(try #require(before.availableWriter?.pid), SIGKILL)
        let after = try await cluster.wait(timeout: 60) { $0.failovers == 1 && $0.availableWriter != nil }
        let replaced = ContinuousClock.now
        try await load.more(1)
        let written = ContinuousClock.now
        #expect(after.writer != "over-1")
        try await load.more(30)
        try await cluster.wait(timeout: 90) { $0.isSettled }
        print(
          "postgres: killed writer replaced after \(milliseconds(replaced - killed)) ms, next commit after "
            + "\(milliseconds(written - killed)) ms, all three again after \(milliseconds(ContinuousClock.now - killed)) ms"
        )
        try await load.more(30)
        let acknowledged = load.end()
        await running

        let writer = try #require(after.writer)
        let kept = Set(
          try await f.client(spec, writer).query("SELECT n FROM log").compactMap { $0[0].flatMap { Int($0) } })
        #expect(acknowledged.filter { !kept.contains($0) } == [], "of \(acknowledged.count)")
        // The old writer has the same history again.
        let old = try f.client(spec, "over-1")
        let position = try await f.client(spec, writer).query("SELECT count(*), sum(n) FROM log")
        while try await old.query("SELECT count(*), sum(n) FROM log") != position {
          try await Task.sleep(for: .milliseconds(10))
        }
        #expect(try await old.query("SELECT pg_is_in_recovery()") == [["t"]])
      }
    }
  }

  @Test("a planned failover loses nothing; a replica that is added and one that is removed leave the others alone")
  func members() async throws {
    try await EngineFixture.with { f in
      var spec = try f.postgres("plan", instances: 2)
      let third = try f.postgres("plan", instances: 3).instances[2]
      try await open(f, spec) { cluster in
        try await cluster.wait(timeout: 90) { $0.isSettled }
        try await f.client(spec, "plan-1").query("CREATE TABLE log (n int PRIMARY KEY)")
        let load = Load()
        let initial = spec
        async let running: Void = load.run(cluster, f, initial)
        try await load.more(20)
        let began = ContinuousClock.now
        try await cluster.failOver(to: "plan-2")
        print("postgres: planned failover \(milliseconds(ContinuousClock.now - began)) ms")
        try await load.more(20)
        let acknowledged = load.end()
        await running
        #expect(await cluster.state.writer == "plan-2")
        try await cluster.wait(timeout: 60) { $0.isSettled }
        let count = try await f.client(spec, "plan-2").query("SELECT count(*) FROM log")[0][0].flatMap { Int($0) } ?? 0
        #expect(count >= acknowledged.count)

        spec.instances.append(third)
        let adding = ContinuousClock.now
        try await cluster.apply(spec)
        try await cluster.wait(timeout: 90) { $0.isSettled && $0.instances.count == 3 }
        print("postgres: replica added after \(milliseconds(ContinuousClock.now - adding)) ms")
        #expect(try await f.client(spec, "plan-3").query("SELECT count(*) FROM log") == [["\(count)"]])

        spec.instances.removeFirst()
        try await cluster.apply(spec)
        let left = try await cluster.wait(timeout: 60) { $0.isSettled && $0.instances.count == 2 }
        #expect(left.writer == "plan-2" && left["plan-1"] == nil)
        while PrivateFiles.exists(spec.directory + "/plan-1") { try await Task.sleep(for: .milliseconds(10)) }
        await #expect(throws: PostgresError.unavailable("no replica of plan can take over now")) {
          try await cluster.failOver(to: "plan-1")
        }
      }
    }
  }

  @Test("a cluster whose control plane went away is adopted as it runs; a writer that died meanwhile is replaced")
  func adoption() async throws {
    try await EngineFixture.with { f in
      let spec = try f.postgres("adopt", instances: 2)
      let installation = try await PostgresInstallation.find()
      let first = try await PostgresCluster.open(spec, supervisor: f.supervisor, installation: installation)
      let before = try await first.wait(timeout: 90) { $0.isSettled }
      try await f.client(spec, "adopt-1").query("CREATE TABLE log AS SELECT 1 AS n")
      await first.close()

      // Another supervisor of the same directory is what a new control plane has.
      let supervisor = try Supervisor(stateDirectory: f.supervisor.stateDirectory)
      let second = try await PostgresCluster.open(spec, supervisor: supervisor, installation: installation)
      let adopted = try await second.wait(timeout: 30) { $0.isSettled }
      #expect(adopted.instances.map(\.pid) == before.instances.map(\.pid))
      #expect(adopted.failovers == 0)
      await second.close()

      let writer = try #require(supervisor.process("postgres/adopt/adopt-1"))
      writer.kill()
      _ = try await writer.exit
      let third = try await PostgresCluster.open(
        spec, supervisor: try Supervisor(stateDirectory: f.supervisor.stateDirectory), installation: installation)
      let replaced = try await third.wait(timeout: 60) { $0.isSettled }
      #expect(replaced.writer == "adopt-2")
      #expect(try await f.client(spec, "adopt-2").query("SELECT n FROM log") == [["1"]])
      try await third.destroy()
      #expect(!PrivateFiles.exists(spec.directory))
    }
  }

  @Test("a cluster of one starts its killed writer again in place; parameters and a restart change it")
  func single() async throws {
    try await EngineFixture.with { f in
      var spec = try f.postgres("single", instances: 1)
      try await open(f, spec) { cluster in
        let before = try await cluster.wait(timeout: 90) { $0.isSettled }
        try await f.client(spec, "single-1").query("CREATE TABLE log AS SELECT 1 AS n")
        let killed = ContinuousClock.now
        let pid = try #require(before.availableWriter?.pid)
        Glibc.kill(pid, SIGKILL)
        try await cluster.wait(timeout: 60) { $0.availableWriter.map { $0.pid != pid } ?? false }
        print("postgres: single writer back after \(milliseconds(ContinuousClock.now - killed)) ms")
        #expect(try await f.client(spec, "single-1").query("SELECT n FROM log") == [["1"]])

        spec.parameters = ["max_connections": "77", "work_mem": "9MB"]
        try await cluster.apply(spec)
        try await cluster.wait(timeout: 30) { $0["single-1"]?.needsRestart == true }
        #expect(try await f.client(spec, "single-1").query("SHOW work_mem") == [["9MB"]])
        try await cluster.restart("single-1")
        let state = try await cluster.wait(timeout: 30) { $0["single-1"]?.needsRestart == false && $0.isSettled }
        #expect(state.failovers == 0)
        #expect(try await f.client(spec, "single-1").query("SHOW max_connections") == [["77"]])
      }
    }
  }
}
