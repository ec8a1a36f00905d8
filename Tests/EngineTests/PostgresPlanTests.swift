// The rules of a cluster, without a server.

import AWSCore
import Testing

@testable import PostgresEngine

@Suite("PostgreSQL plan") struct PostgresPlanTests {
  typealias Cluster = PostgresCluster
  let now = Timestamp(seconds: 1_000_000)

  func desired(_ names: [String]) -> Cluster.Specification {
    Cluster.Specification(
      id: "c", dataRoot: "/d",
      instances: names.enumerated().map { .init(name: $1, address: "127.0.0.1", port: 6000 + $0, promotionTier: $0) },
      masterUsername: "owner", masterPassword: "p")
  }

  /// A settled cluster: the first is the writer, the others stream.
  func settled(_ spec: Cluster.Specification) -> Cluster.Observed {
    var observed = Cluster.Observed()
    let writer = spec.instances[0].name
    observed.writer = writer
    observed.isPrepared = true
    for instance in spec.instances {
      var facts = Cluster.InstanceFacts()
      facts.hasData = true
      facts.isRunning = true
      facts.isReady = true
      facts.endpoint = instance.endpoint
      facts.isInRecovery = instance.name != writer
      if instance.name != writer {
        facts.follows = writer
        facts.isStreaming = true
      }
      observed.instances[instance.name] = facts
    }
    observed.synchronous = Set(spec.instances.dropFirst().map(\.name))
    observed.appliedSynchronous = observed.synchronous
    return observed
  }

  func plan(_ spec: Cluster.Specification, _ observed: Cluster.Observed) -> [Cluster.Action] {
    Cluster.Planner.plan(spec, observed, now: now)
  }

  func kill(_ name: String, _ observed: inout Cluster.Observed) {
    observed.instances[name]?.isRunning = false
    observed.instances[name]?.isReady = false
    observed.instances[name]?.isStreaming = false
    observed.instances[name]?.hasCrashed = true
    if name == observed.writer {
      observed.writerLostAt = now
      observed.appliedSynchronous = nil
    }
  }

  @Test("a new cluster begins with the lowest tier as the writer, or with whom it is told")
  func beginning() {
    var spec = desired(["a", "b"])
    #expect(plan(spec, Cluster.Observed()) == [.initialise(writer: "a", replicas: ["b"])])
    spec.firstWriter = "b"
    #expect(plan(spec, Cluster.Observed()) == [.initialise(writer: "b", replicas: ["a"])])
  }

  @Test("a settled cluster is let be")
  func calm() {
    let spec = desired(["a", "b", "c"])
    #expect(plan(spec, settled(spec)) == [])
  }

  @Test("when the writer dies, every replica that commits waited for is asked before one is promoted")
  func failover() {
    let spec = desired(["a", "b", "c"])
    var observed = settled(spec)
    kill("a", &observed)
    #expect(plan(spec, observed) == [.measure(["b", "c"])])

    observed.instances["b"]?.measuredAt = now
    observed.instances["b"]?.received = 100
    #expect(plan(spec, observed) == [.measure(["c"])])

    observed.instances["c"]?.measuredAt = now
    observed.instances["c"]?.received = 101
    #expect(plan(spec, observed) == [.promote("c")])
    observed.instances["c"]?.received = 100
    #expect(plan(spec, observed) == [.promote("b")], "the lower tier among equals")
  }

  @Test("an old measurement does not count")
  func staleMeasure() {
    let spec = desired(["a", "b"])
    var observed = settled(spec)
    kill("a", &observed)
    observed.instances["b"]?.measuredAt = now.adding(seconds: -1)
    #expect(plan(spec, observed) == [.measure(["b"])])
  }

  @Test("when one that commits waited for cannot be asked, the old writer comes back instead")
  func unsafe() {
    let spec = desired(["a", "b", "c"])
    var observed = settled(spec)
    kill("a", &observed)
    kill("c", &observed)
    #expect(plan(spec, observed) == [.start("a")])

    observed = settled(spec)
    kill("a", &observed)
    observed.instances["c"]?.measureFailedAt = now
    #expect(plan(spec, observed) == [.start("a")])

    observed = settled(spec)
    observed.synchronous = []
    kill("a", &observed)
    #expect(plan(spec, observed) == [.start("a")])
  }

  @Test("a writer that fails to start again and again is replaced after all")
  func desperate() {
    let spec = desired(["a", "b"])
    var observed = settled(spec)
    observed.synchronous = []
    kill("a", &observed)
    observed.instances["a"]?.failures = Cluster.Planner.mostWriterFailures
    #expect(plan(spec, observed) == [.measure(["b"])])
  }

  @Test("a writer that was stopped on purpose is started again, not replaced")
  func cleanStop() {
    let spec = desired(["a", "b"])
    var observed = settled(spec)
    kill("a", &observed)
    observed.instances["a"]?.hasCrashed = false
    #expect(plan(spec, observed) == [.start("a")])
  }

  @Test("after a failover the others follow, the old writer is rewound, and commits wait for who streams")
  func afterFailover() {
    let spec = desired(["a", "b", "c"])
    var observed = settled(spec)
    kill("a", &observed)
    observed.instances["a"]?.needsRewind = true
    observed.writer = "b"
    observed.writerLostAt = nil
    observed.synchronous = []
    observed.appliedSynchronous = []
    observed.instances["b"]?.isInRecovery = false
    observed.instances["b"]?.follows = nil
    observed.instances["c"]?.isStreaming = false
    #expect(plan(spec, observed) == [.rejoin("a"), .follow("c")])

    observed.instances["c"]?.follows = "b"
    observed.instances["c"]?.isStreaming = true
    observed.instances["a"]?.isBusy = true
    #expect(plan(spec, observed) == [.setSynchronous(["c"])])
  }

  @Test("a promotion that was cut short is done again, and the old writer stays down until then")
  func interrupted() {
    let spec = desired(["a", "b"])
    var observed = settled(spec)
    kill("a", &observed)
    observed.instances["a"]?.needsRewind = true
    observed.writer = "b"
    #expect(plan(spec, observed) == [.promote("b")])
  }

  @Test("when the last replica dies, commits stop waiting at once")
  func lastReplica() {
    let spec = desired(["a", "b"])
    var observed = settled(spec)
    kill("b", &observed)
    #expect(plan(spec, observed) == [.start("b"), .setSynchronous([])])
  }

  @Test("stopping takes the writer down first, and starts nothing")
  func stopping() {
    var spec = desired(["a", "b"])
    var observed = settled(spec)
    spec.isRunning = false
    #expect(plan(spec, observed) == [.stop("a")])
    observed.instances["a"]?.isRunning = false
    #expect(plan(spec, observed) == [.stop("b")])
    observed.instances["b"]?.isRunning = false
    #expect(plan(spec, observed) == [])
    spec.isRunning = true
    #expect(plan(spec, observed) == [.start("a")])
  }

  @Test("a new replica is copied from the writer; one that is not wanted any more is stopped and removed")
  func members() {
    var spec = desired(["a", "b"])
    let observed = settled(spec)
    spec.instances.append(.init(name: "c", address: "127.0.0.1", port: 6002))
    #expect(plan(spec, observed) == [.clone("c")])

    spec = desired(["a"])
    var leaving = observed
    #expect(plan(spec, leaving) == [.stop("b"), .setSynchronous([])])
    leaving.instances["b"]?.isRunning = false
    leaving.appliedSynchronous = []
    #expect(plan(spec, leaving) == [.remove("b")])
  }

  @Test("a writer that is not wanted any more hands over first; its data is never dropped while it is the only one")
  func leavingWriter() {
    let both = desired(["a", "b"])
    var spec = both
    spec.instances.removeFirst()
    #expect(plan(spec, settled(both)) == [.stop("a")])

    spec.instances = []
    var observed = settled(desired(["a"]))
    #expect(plan(spec, observed) == [.stop("a")])
    observed.instances["a"]?.isRunning = false
    #expect(plan(spec, observed) == [])
    #expect(plan(desired(["z"]), observed) == [.takeOver(from: "a", by: "z")])
  }

  @Test("a planned failover stops the writer and prefers the one that was asked for")
  func planned() {
    let spec = desired(["a", "b", "c"])
    var observed = settled(spec)
    observed.switchTo = "c"
    #expect(plan(spec, observed) == [.stop("a")])
    kill("a", &observed)
    observed.instances["a"]?.hasCrashed = false
    for name in ["b", "c"] {
      observed.instances[name]?.measuredAt = now
      observed.instances[name]?.received = 7
    }
    #expect(plan(spec, observed) == [.promote("c")])
  }

  @Test("a server that hangs is killed after a while; one that never answered yet is waited for")
  func hanging() {
    let spec = desired(["a", "b"])
    var observed = settled(spec)
    observed.instances["a"]?.isReady = false
    #expect(plan(spec, observed) == [])
    observed.instances["a"]?.silentSince = now
    let due = now.adding(seconds: Cluster.Planner.killAfter)
    #expect(plan(spec, observed) == [.wake(due)])
    #expect(Cluster.Planner.plan(spec, observed, now: due) == [.kill("a")])
  }

  @Test("failed starts wait")
  func backoff() {
    let spec = desired(["a"])
    var observed = settled(spec)
    kill("a", &observed)
    observed.instances["a"]?.notBefore = now.adding(seconds: 1)
    #expect(plan(spec, observed) == [.wake(now.adding(seconds: 1))])
  }

  @Test("a replica that does not get to stream is copied anew after a while")
  func rebuild() {
    let spec = desired(["a", "b"])
    var observed = settled(spec)
    observed.instances["b"]?.isStreaming = false
    observed.instances["b"]?.notStreamingSince = now
    let due = now.adding(seconds: Cluster.Planner.rebuildAfter)
    #expect(plan(spec, observed) == [.wake(due), .setSynchronous([])])
    #expect(Cluster.Planner.plan(spec, observed, now: due).first == .clone("b"))
  }

  @Test("settings are quoted, the engine's own win, and passwords are in no configuration")
  func configuration() {
    let text = PostgresConfiguration.server(
      instance: .init(name: "a-1", address: "127.0.0.9", port: 5432), parameters: ["work_mem": "8MB", "x.y": "it's"],
      upstream: .init(address: "127.0.0.8", port: 5433, slot: "castle_a_1", passwordFile: "/d/c/pgpass"),
      synchronous: ["b", "c"])
    #expect(text.contains("work_mem = '8MB'\n"))
    #expect(text.contains("x.y = 'it''s'\n"))
    #expect(text.contains("synchronous_standby_names = 'ANY 1 (\"b\", \"c\")'\n"))
    #expect(text.contains("host=127.0.0.8 port=5433") && text.contains("passfile=''/d/c/pgpass''"))
    #expect(!text.contains("password="))
    #expect(PostgresConfiguration.slot("Orders-1.x") == "castle_orders_1_x")
    #expect(logPosition("1/A0") == 0x1_0000_00A0)
  }

  @Test("a specification that cannot be run is refused with the reason")
  func validation() throws {
    var spec = desired(["a"])
    try spec.validate()
    spec.parameters = ["port": "1"]
    #expect(throws: PostgresError.invalid("the parameter 'port' belongs to the engine")) { try spec.validate() }
    spec = desired(["a", "a"])
    #expect(throws: PostgresError.invalid("two instances have the same name")) { try spec.validate() }
    spec = desired(["a"])
    spec.instances[0].address = "10.0.0.1"
    #expect(throws: PostgresError.invalid("10.0.0.1 is not a loopback address")) { try spec.validate() }
  }
}
