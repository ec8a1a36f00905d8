// Groups of real Redis servers: made, stopped, killed, rejoined, adopted; and the rules without a server.

import AWSCore
import Glibc
import Supervisor
import Testing

@testable import RedisEngine

@Suite("Redis group", .timeLimit(.minutes(2))) struct RedisGroupTests {
  func specification(_ f: EngineFixture, _ id: String, nodes count: Int) throws -> RedisGroup.Specification {
    RedisGroup.Specification(
      id: id, dataRoot: f.data,
      nodes: try (1...count).map { number in
        let address = "\(f.network).\(number)"
        return .init(name: "\(id)-\(number)", address: address, port: try FreePort.on(address))
      }, authTokens: ["first-token"])
  }

  func open(
    _ f: EngineFixture, _ spec: RedisGroup.Specification, _ body: (RedisGroup) async throws -> Void
  ) async throws {
    let group = try await RedisGroup.open(spec, supervisor: f.supervisor)
    do { try await body(group) } catch {
      await group.close()
      throw error
    }
    await group.close()
  }

  func client(_ spec: RedisGroup.Specification, _ name: String, token: String? = "first-token") throws -> RedisClient {
    let node = try #require(spec.nodes.first { $0.name == name })
    return RedisClient(.init(address: node.address, port: node.port, user: nil, password: token))
  }

  /// Returns when a node gives a value.
  func sees(_ client: RedisClient, _ key: String, _ value: String) async throws {
    while (try? await client.command(["GET", key])) != .text(value) { try await Task.sleep(for: .milliseconds(3)) }
  }

  @Test("a new group comes up, writes reach the replica, tokens rotate, and data outlives a stop")
  func life() async throws {
    try await EngineFixture.with { f in
      let spec = try specification(f, "life", nodes: 2)
      let began = ContinuousClock.now
      try await open(f, spec) { group in
        try await group.wait(timeout: 30) { $0.isSettled }
        print("redis: new group with a replica after \(milliseconds(ContinuousClock.now - began)) ms")
        let primary = try client(spec, "life-1")
        try await primary.command(["SET", "cart", "full"])
        try await sees(try client(spec, "life-2"), "cart", "full")
        await #expect(throws: RedisError.self) { try await client(spec, "life-2").command(["SET", "a", "b"]) }
        await #expect(throws: RedisError.self) {
          try await client(spec, "life-1", token: nil).command(["GET", "cart"])
        }
        for command in [["CONFIG", "GET", "*"], ["REPLICAOF", "NO", "ONE"], ["ACL", "LIST"], ["SHUTDOWN"]] {
          do {
            try await primary.command(command)
            Issue.record("\(command) was allowed")
          } catch RedisError.reply(let text) { #expect(text.hasPrefix("NOPERM")) }
        }

        try await group.setAuthTokens(["first-token", "second-token"])
        try await client(spec, "life-1", token: "second-token").command(["PING"])
        try await client(spec, "life-2", token: "first-token").command(["PING"])
        try await group.setAuthTokens(["second-token"])
        await #expect(throws: RedisError.self) { try await client(spec, "life-2").command(["PING"]) }

        try await group.stop()
        #expect(await f.supervisor.adopt().isEmpty)
        let restarting = ContinuousClock.now
        try await group.start()
        try await group.wait(timeout: 30) { $0.isSettled }
        print("redis: stopped group settled after \(milliseconds(ContinuousClock.now - restarting)) ms")
        let value = try await client(spec, "life-1", token: "second-token").command(["GET", "cart"])
        #expect(value == .text("full"))
      }
    }
  }

  @Test("a killed primary is replaced by the replica that has received most, and comes back as a replica")
  func failover() async throws {
    try await EngineFixture.with { f in
      let spec = try specification(f, "over", nodes: 3)
      try await open(f, spec) { group in
        let before = try await group.wait(timeout: 30) { $0.isSettled }
        let primary = try client(spec, "over-1")
        for number in 0..<200 { try await primary.command(["SET", "key\(number)", "\(number)"]) }
        try await primary.command(["WAIT", "2", "5000"])
        let killed = ContinuousClock.now
        Glibc.kill(try #require(before.availablePrimary?.pid), SIGKILL)
        let after = try await group.wait(timeout: 30) { $0.failovers == 1 && $0.availablePrimary != nil }
        let replaced = ContinuousClock.now
        let next = try client(spec, try #require(after.primary))
        try await next.command(["SET", "after", "yes"])
        try await group.wait(timeout: 30) { $0.isSettled }
        print(
          "redis: killed primary replaced after \(milliseconds(replaced - killed)) ms, all three again after "
            + "\(milliseconds(ContinuousClock.now - killed)) ms")
        let size = try await next.command(["DBSIZE"])
        #expect(size == .integer(201))
        try await sees(try client(spec, "over-1"), "after", "yes")

        let again = ContinuousClock.now
        try await group.failOver(to: "over-1")
        print("redis: planned failover \(milliseconds(ContinuousClock.now - again)) ms")
        let state = try await group.wait(timeout: 30) { $0.isSettled }
        #expect(state.primary == "over-1")
        try await client(spec, "over-1").command(["SET", "back", "yes"])
      }
    }
  }

  @Test("a group is adopted as it runs; one node alone starts again in place with its data")
  func adoption() async throws {
    try await EngineFixture.with { f in
      let spec = try specification(f, "adopt", nodes: 1)
      let first = try await RedisGroup.open(spec, supervisor: f.supervisor)
      let before = try await first.wait(timeout: 30) { $0.isSettled }
      try await client(spec, "adopt-1").command(["SET", "kept", "yes"])
      await first.close()
      let second = try await RedisGroup.open(
        spec, supervisor: try Supervisor(stateDirectory: f.supervisor.stateDirectory))
      let adopted = try await second.wait(timeout: 30) { $0.isSettled }
      #expect(adopted.nodes.map(\.pid) == before.nodes.map(\.pid))
      try await second.restart("adopt-1")
      try await sees(try client(spec, "adopt-1"), "kept", "yes")
      try await second.destroy()
      #expect(!PrivateFiles.exists(spec.directory))
    }
  }
}

@Suite("Redis plan") struct RedisPlanTests {
  typealias Group = RedisGroup
  let now = Timestamp(seconds: 1000)

  func desired(_ names: [String]) -> Group.Specification {
    Group.Specification(
      id: "g", dataRoot: "/d",
      nodes: names.enumerated().map { .init(name: $1, address: "127.0.0.1", port: 7000 + $0) })
  }

  func settled(_ spec: Group.Specification) -> Group.Observed {
    var observed = Group.Observed()
    observed.primary = spec.nodes[0].name
    for node in spec.nodes {
      var facts = Group.NodeFacts()
      facts.isRunning = true
      facts.isReady = true
      facts.endpoint = node.endpoint
      facts.isPrimary = node.name == observed.primary
      facts.follows = node.name == observed.primary ? nil : observed.primary
      facts.isInStep = node.name != observed.primary
      facts.applied = .init(tokens: [], isRestricted: true, parameters: [:])
      observed.nodes[node.name] = facts
    }
    return observed
  }

  func plan(_ spec: Group.Specification, _ observed: Group.Observed) -> [Group.Action] {
    Group.Planner.plan(spec, observed, now: now)
  }

  func kill(_ name: String, _ observed: inout Group.Observed) {
    observed.nodes[name]?.isRunning = false
    observed.nodes[name]?.isReady = false
    observed.nodes[name]?.isInStep = false
    observed.nodes[name]?.hasCrashed = true
    if name == observed.primary { observed.primaryLostAt = now }
  }

  @Test("a new group elects its first node; a settled one is let be")
  func beginning() {
    let spec = desired(["a", "b"])
    #expect(plan(spec, Group.Observed()) == [.elect("a")])
    #expect(plan(spec, settled(spec)) == [])
  }

  @Test("a dead primary is replaced by the replica that has received most; others then follow it")
  func failover() {
    let spec = desired(["a", "b", "c"])
    var observed = settled(spec)
    kill("a", &observed)
    #expect(plan(spec, observed) == [.measure(["b", "c"])])
    for (name, offset) in [("b", Int64(10)), ("c", 11)] {
      observed.nodes[name]?.measuredAt = now
      observed.nodes[name]?.offset = offset
    }
    #expect(plan(spec, observed) == [.promote("c")])
    observed.primary = "c"
    observed.nodes["c"]?.isPrimary = true
    observed.nodes["c"]?.follows = nil
    #expect(plan(spec, observed) == [.start("a"), .follow("b")])
  }

  @Test("without a replica in step the primary starts again in place")
  func alone() {
    let spec = desired(["a", "b"])
    var observed = settled(spec)
    observed.nodes["b"]?.isInStep = false
    kill("a", &observed)
    #expect(plan(spec, observed) == [.start("a")])
  }

  @Test("changed tokens are told to every node, a primary that leaves hands over, stopping takes replicas first")
  func changes() {
    var spec = desired(["a", "b"])
    let observed = settled(spec)
    spec.authTokens = ["token"]
    #expect(plan(spec, observed) == [.configure("a"), .configure("b")])
    spec = desired(["a", "b"])
    spec.nodes.removeFirst()
    #expect(plan(spec, observed) == [.handOver(from: "a", to: "b")])
    spec = desired(["a", "b"])
    spec.isRunning = false
    #expect(plan(spec, observed) == [.stop("b")])
  }
}
