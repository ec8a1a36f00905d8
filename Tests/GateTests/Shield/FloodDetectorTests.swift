// The detector with a clock of the tests' own: samples five times a second, as the Gate makes them.
import Testing
import TrafficBaseline

@testable import TrafficBaseline

/// Feeds a detector and answers to its mitigations as the Gate's loops would.
private struct Scene {
  var detector: FloodDetector
  var now = 1000.0
  var reports: [FloodReport] = []
  /// Requests that each source was served, and how many it offered, since the last reset.
  var served: [UInt32: Double] = [:]
  var offered: [UInt32: Double] = [:]
  private var buckets: [UInt32: Double] = [:]

  init(_ settings: FloodDetector.Settings = .init()) { detector = FloodDetector(settings: settings) }

  /// One sample of 200 ms. Rates are requests a second by source; connections come with every tenth request.
  mutating func tick(
    _ rates: [UInt32: Double], slow: [UInt32: UInt64] = [:], connections: [UInt32: Double] = [:], load: Double = 0.1,
    wait: Double = 0.002
  ) {
    now += 0.2
    var activities: [SourceActivity] = []
    for address in Set(rates.keys).union(slow.keys) {
      let rate = rates[address] ?? 0
      var activity = SourceActivity(address: address)
      let wanted = rate * 0.2
      var taken = wanted
      let mitigations = detector.mitigations
      if mitigations.held[address] ?? 0 > now {
        // The kernel drops it: not even seen.
        offered[address, default: 0] += wanted
        continue
      }
      if let limit = mitigations.limit(of: address)?.requestsPerSecond {
        let bucket = min(20, (buckets[address] ?? 20) + limit * 0.2)
        taken = min(wanted, bucket)
        buckets[address] = bucket - taken
      }
      activity.requests = UInt64(wanted.rounded())
      activity.connections = UInt64((wanted * (connections[address] ?? 0.1)).rounded())
      activity.refused = UInt64((wanted - taken).rounded())
      activity.open = 2
      activity.slow = slow[address] ?? 0
      served[address, default: 0] += taken
      offered[address, default: 0] += wanted
      activities.append(activity)
    }
    let assessment = detector.observe(
      TrafficSample(seconds: 0.2, sources: activities, load: load, wait: wait), now: now)
    if let report = assessment.report { reports.append(report) }
  }

  mutating func run(_ seconds: Double, _ rates: [UInt32: Double], load: Double = 0.1, wait: Double = 0.002) {
    for _ in 0..<Int(seconds * 5) { tick(rates, load: load, wait: wait) }
  }

  /// Seconds until the attack was told of.
  mutating func untilBegan(_ rates: [UInt32: Double], slow: [UInt32: UInt64] = [:], limit: Double = 10) throws -> Double
  {
    let start = now
    while now - start < limit {
      tick(rates, slow: slow)
      if reports.last?.phase == .began { return now - start }
    }
    throw TestFailure("no attack was told of")
  }
}

@Suite("Flood detection")
struct FloodDetectorTests {
  private let clients: [UInt32: Double] = Dictionary(uniqueKeysWithValues: (1...20).map { (0x7F01_0000 + $0, 25) })
  private let attackers = (0..<300).map { 0x7F50_0000 + UInt32($0) * 977 }

  private func flood(_ each: Double) -> [UInt32: Double] {
    Dictionary(uniqueKeysWithValues: attackers.map { ($0, each) })
  }

  @Test("a flood of ten times the usual load is recognised within a second, and known clients lose nothing")
  func requestFlood() throws {
    var scene = Scene()
    scene.run(30, clients)
    #expect(scene.reports.isEmpty)
    #expect(scene.detector.isLearned)
    // Each attacker asks less often than each client: only the past tells them apart.
    let all = clients.merging(flood(17)) { first, _ in first }
    let seconds = try scene.untilBegan(all)
    #expect(seconds <= 1)
    let report = try #require(scene.reports.last)
    #expect(report.vectors.map(\.measure.vector) == ["REQUEST_FLOOD"])
    scene.served = [:]
    scene.offered = [:]
    scene.run(20, all)
    for address in clients.keys {
      #expect(scene.served[address] == scene.offered[address], "a known client was held back")
    }
    let through = attackers.reduce(0.0) { $0 + (scene.served[$1] ?? 0) }
    let tried = attackers.reduce(0.0) { $0 + (scene.offered[$1] ?? 0) }
    #expect(through < 0.15 * tried)
    #expect(scene.reports.last?.heldSources == attackers.count)
    let top = try #require(scene.reports.last?.sources)
    #expect(top.allSatisfy { attackers.contains($0.address) })
    #expect(top.count == 20)
  }

  @Test("in peace it stands ready what strangers together may have, and who is known")
  func standing() throws {
    var scene = Scene()
    scene.run(5, clients)
    #expect(scene.detector.mitigations.strangersTogether.isUnlimited)
    scene.run(20, clients)
    let mitigations = scene.detector.mitigations
    #expect(mitigations.isEmpty)
    #expect(mitigations.known == Set(clients.keys))
    let together = try #require(mitigations.strangersTogether.requestsPerSecond)
    #expect(abs(together - scene.detector.bound(.requests)) < 0.2 * together)
  }

  @Test("a load test beside others is told of and has all it wants while there is enough for everybody")
  func loadTestBesideOthers() throws {
    var scene = Scene()
    scene.run(20, clients)
    let test: UInt32 = 0x7F40_0001
    let all = clients.merging([test: 9000]) { first, _ in first }
    _ = try scene.untilBegan(all)
    scene.served = [:]
    scene.offered = [:]
    scene.run(20, all)
    #expect(scene.served[test] == scene.offered[test])
    #expect(scene.detector.mitigations.isEmpty)
    #expect(!scene.detector.mitigations.holdsStrangers)
    #expect(scene.reports.last?.isMitigated == false)
  }

  @Test(
    "a load test is held back as soon as the loops are busy, or requests take longer for everybody",
    arguments: [(0.95, 0.002), (0.1, 0.05)])
  func loadTestThatHurts(load: Double, wait: Double) throws {
    var scene = Scene()
    scene.run(20, clients)
    let test: UInt32 = 0x7F40_0001
    let all = clients.merging([test: 9000]) { first, _ in first }
    _ = try scene.untilBegan(all)
    scene.run(2, all, load: load, wait: wait)
    #expect(scene.reports.last?.isMitigated == true)
    scene.served = [:]
    scene.offered = [:]
    scene.run(10, all)
    for address in clients.keys { #expect(scene.served[address] == scene.offered[address]) }
    #expect((scene.served[test] ?? 0) < 0.1 * (scene.offered[test] ?? 0))
  }

  @Test("in peace strangers are held to what is usual only for as long as something runs short, and others are there")
  func pressureInPeace() {
    var scene = Scene()
    scene.run(20, clients)
    #expect(!scene.detector.mitigations.holdsStrangers)
    scene.run(1, clients, load: 0.95)
    #expect(scene.detector.mitigations.holdsStrangers)
    #expect(scene.detector.mitigations.isEmpty)
    scene.run(4, clients)
    #expect(!scene.detector.mitigations.holdsStrangers)
    // A moment is not yet a busy loop.
    scene.run(0.2, clients, load: 1)
    scene.run(0.2, clients)
    #expect(!scene.detector.mitigations.holdsStrangers)
    scene.run(11, [:])
    scene.run(2, [:], load: 1)
    #expect(!scene.detector.mitigations.holdsStrangers)
    #expect(scene.reports.isEmpty)
  }

  @Test("an attack ends when it is over, the limits with it, and what was usual before is usual again")
  func ends() throws {
    var scene = Scene()
    scene.run(20, clients)
    _ = try scene.untilBegan(clients.merging(flood(20)) { first, _ in first })
    scene.run(5, clients.merging(flood(20)) { first, _ in first })
    #expect(!scene.detector.mitigations.isEmpty)
    let bound = scene.detector.bound(.requests)
    scene.run(15, clients)
    let last = try #require(scene.reports.last)
    #expect(last.phase == .ended)
    #expect(last.ended != nil)
    #expect(scene.detector.mitigations.isEmpty)
    #expect(abs(scene.detector.bound(.requests) - bound) < bound * 0.05)
    // The next one has another number.
    _ = try scene.untilBegan(clients.merging(flood(20)) { first, _ in first })
    #expect(scene.reports.last?.number == 2)
  }

  @Test("a client that comes during an attack sees its page: the burst of a stranger is not refused")
  func newcomer() throws {
    var scene = Scene()
    scene.run(20, clients)
    let all = clients.merging(flood(20)) { first, _ in first }
    _ = try scene.untilBegan(all)
    scene.run(5, all)
    scene.served = [:]
    scene.offered = [:]
    let newcomer: UInt32 = 0x7F99_0101
    scene.run(1, all.merging([newcomer: 15]) { first, _ in first })
    scene.run(10, all)
    #expect(scene.served[newcomer] == scene.offered[newcomer])
    #expect(scene.detector.mitigations.held[newcomer] == nil)
  }

  @Test("traffic that doubles, or breathes, is no attack")
  func noFalseAlarm() {
    var scene = Scene()
    scene.run(20, clients)
    scene.run(20, clients.mapValues { $0 * 2 })
    for round in 0..<30 { scene.run(1, clients.mapValues { $0 * (round % 2 == 0 ? 0.4 : 1.8) }) }
    scene.run(5, [:])
    scene.run(10, clients)
    #expect(scene.reports.isEmpty)
  }

  @Test("without a baseline the absolute bounds hold: the heaviest are limited, light sources are not")
  func freshCastle() throws {
    var scene = Scene()
    let light: [UInt32: Double] = [0x7F01_0001: 5, 0x7F01_0002: 5]
    let heavy = Dictionary(uniqueKeysWithValues: attackers.prefix(40).map { ($0, 100.0) })
    let all = light.merging(heavy) { first, _ in first }
    let seconds = try scene.untilBegan(all)
    #expect(seconds <= 1)
    scene.served = [:]
    scene.offered = [:]
    scene.run(20, all)
    for address in light.keys { #expect(scene.served[address] == scene.offered[address]) }
    let through = heavy.keys.reduce(0.0) { $0 + (scene.served[$1] ?? 0) }
    #expect(through < 0.2 * heavy.keys.reduce(0.0) { $0 + (scene.offered[$1] ?? 0) })
  }

  @Test("whoever floods with connections is held to the usual in requests too, though they are no flood by themselves")
  func connectionFlood() throws {
    var scene = Scene()
    scene.run(20, clients)
    let few = Dictionary(uniqueKeysWithValues: attackers.prefix(100).map { ($0, 5.0) })
    let all = clients.merging(few) { first, _ in first }
    for _ in 0..<10 { scene.tick(all, connections: few) }
    let report = try #require(scene.reports.last)
    #expect(report.vectors.map(\.measure.vector) == ["CONNECTION_FLOOD"])
    let mitigations = scene.detector.mitigations
    let together = try #require(mitigations.strangersTogether.requestsPerSecond)
    #expect(together <= 260, "more than what the known leave of one and a half times the usual")
    #expect(mitigations.strangers.requestsPerSecond != nil)
    #expect(clients.keys.allSatisfy { mitigations.limit(of: $0) == nil })
  }

  @Test("whoever is alone with the load balancer is told of and not limited")
  func loadTest() throws {
    var scene = Scene()
    let alone: [UInt32: Double] = [0x7F00_0001: 20_000]
    _ = try scene.untilBegan(alone)
    scene.run(10, alone)
    #expect(scene.detector.mitigations.isEmpty)
    #expect(scene.reports.last?.isMitigated == false)
  }

  @Test("many connections that keep the server waiting are an attack, and get short times")
  func slowloris() throws {
    var scene = Scene()
    scene.run(20, clients)
    let slow = Dictionary(uniqueKeysWithValues: attackers.map { ($0, UInt64(3)) })
    let seconds = try scene.untilBegan(clients, slow: slow)
    #expect(seconds <= 1)
    #expect(scene.reports.last?.vectors.map(\.measure.vector) == ["SLOWLORIS"])
    #expect(scene.detector.mitigations.hurriesStrangers)
    #expect(scene.detector.mitigations.strangers.connectionsMax == 2)
    #expect(scene.detector.mitigations.limit(of: 0x7F01_0001) == nil)
    #expect(scene.detector.mitigations.limit(of: attackers[0]) != nil)
  }

  @Test("many addresses of one network that act together are limited as one")
  func network() throws {
    var scene = Scene()
    scene.run(20, clients)
    let network = Dictionary(uniqueKeysWithValues: (1...200).map { (UInt32(0x7F20_3000 + $0), 25.0) })
    let all = clients.merging(network) { first, _ in first }
    _ = try scene.untilBegan(all)
    scene.run(10, all)
    #expect(Array(scene.detector.mitigations.prefixes.keys) == [0x7F20_3000])
    #expect(scene.reports.last?.prefixes.first?.address == 0x7F20_3000)
  }
}

@Suite("Counting the heaviest")
struct SpaceSavingTests {
  @Test("the heaviest keys of a long stream are found with few counters, and counts are off by no more than told")
  func heavyHitters() {
    var counters = SpaceSaving(capacity: 64)
    var random = TestRandom(state: 7)
    var exact: [UInt32: UInt64] = [:]
    for _ in 0..<100_000 {
      // Every third comes from one of eight, the rest from 50,000.
      let value = random.next()
      let key = value % 3 == 0 ? UInt32(value >> 32 & 7) : UInt32(1000 + value >> 32 % 50_000)
      counters.add(key)
      exact[key, default: 0] += 1
    }
    #expect(counters.count == 64)
    #expect(counters.total == 100_000)
    #expect(Set(counters.top(8).map(\.key)) == Set(0...7))
    for entry in counters.top(64) {
      let truth = exact[entry.key] ?? 0
      #expect(entry.count >= truth)
      #expect(entry.count - entry.error <= truth)
    }
  }

  @Test("a budget is shared evenly: small values whole, large ones cut to one level")
  func waterFill() throws {
    #expect(WaterFill.level([1, 2, 3], budget: 10) == nil)
    let level = try #require(WaterFill.level([1, 2, 30, 40], budget: 23))
    #expect(abs(level - 10) < 0.001)
    #expect(WaterFill.level([5, 5], budget: 0) == 0)
  }
}

private struct TestRandom {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
