// The shield's watch on the control thread: puts together what the loops saw, lets each load balancer's detector judge
// it, and remembers attacks. While nothing moves it sleeps.
import CLinux
import GateProtocol
import Glibc
import TrafficBaseline

/// What follows from a look at all loops.
struct WatchOutcome {
  /// For the loops, by load balancer.
  var mitigations: [String: Mitigations] = [:]
  var attacks: [GateAttack] = []
  /// Nothing moves: the loops are to tell when something does.
  var sleeps = false
}

final class ShieldWatch {
  private static let interval: UInt64 = 100_000
  /// Quiet looks before the watch sleeps.
  private static let quietLooksMax = 30
  private static let attacksMax = 100
  /// Attacks are remembered here, the oldest first, for a control plane that was away.
  private(set) var attacks: [GateAttack] = []
  /// Microseconds; `.max` while asleep or while loops are asked.
  private(set) var nextLook: UInt64 = .max

  private struct Watched {
    var shield: GateSnapshot.Shield
    var detector: FloodDetector
    /// The attack in progress.
    var attackID: String?
    var listeners: [Int32] = []
    var places: [NetfilterTable.Place] = []
    /// Sources that the kernel refuses for us.
    var filtered: Set<UInt32> = []
    var filteredAt: UInt64 = 0
    /// Seconds for which many requests have waited and none was answered.
    var stalled = 0.0
  }

  private let startedAt: Double
  private let loops: Int
  private var watched: [String: Watched] = [:]
  private var samples: [Int: LoopSample] = [:]
  private var open: [Int]
  private var lookedAt: UInt64 = 0
  private var isAsking = false
  private var quietLooks = 0
  private var attackCount = 0
  private var hasNewHeld = false

  private let netfilter: Netfilter?

  init(loops: Int, startedAt: Double, netfilter: Netfilter? = nil) {
    self.netfilter = netfilter
    self.loops = loops
    self.startedAt = startedAt
    open = Array(repeating: 0, count: loops)
    Self.checkSystem()
  }

  /// SYN cookies keep the listeners reachable in a SYN flood; the system's own bound cuts our backlog of 4096.
  private static func checkSystem() {
    if number("/proc/sys/net/ipv4/tcp_syncookies") == 0 {
      GateLog.error(
        "SYN cookies are off: a SYN flood can fill the listeners' queues", [("set", "net.ipv4.tcp_syncookies=1")])
    }
    if let most = number("/proc/sys/net/core/somaxconn"), most < 4096 {
      GateLog.error("listeners' queues are short", [("net.core.somaxconn", "\(most)"), ("wanted", "4096")])
    }
  }

  private static func number(_ path: String) -> Int? {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = read(descriptor, &bytes, bytes.count)
    guard count > 0 else { return nil }
    return Int(String(decoding: bytes[0..<count].prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self))
  }

  /// - Parameter listeners: the listening sockets by listener.
  /// - Parameter datagrams: the UDP sockets by listener: one for each loop.
  func configure(
    _ snapshot: GateSnapshot, listeners: [String: BoundSocket], datagrams: [String: [BoundSocket]] = [:]
  ) {
    var kept: [String: Watched] = [:]
    for balancer in snapshot.loadBalancers {
      kept[balancer.id] = entry(
        balancer.id, balancer.shield, streams: balancer.listeners.compactMap { listeners[$0.id] }, datagrams: [])
    }
    for balancer in snapshot.networkLoadBalancers ?? [] {
      kept[balancer.id] = entry(
        balancer.id, balancer.shield, streams: balancer.listeners.compactMap { listeners[$0.id] },
        datagrams: balancer.listeners.flatMap { datagrams[$0.id] ?? [] })
    }
    watched = kept
    writeNetfilter(now: gate_now())
  }

  private func entry(
    _ id: String, _ shield: GateSnapshot.Shield?, streams: [BoundSocket], datagrams: [BoundSocket]
  ) -> Watched {
    let shield = shield ?? GateSnapshot.Shield()
    var entry = Watched(shield: shield, detector: FloodDetector(settings: Self.settings(shield)))
    if let old = watched[id], old.shield == shield { entry = old }
    let sockets = (streams + datagrams).map(\.descriptor)
    let places =
      streams.map { NetfilterTable.Place(address: $0.address, port: $0.port) }
      + datagrams.map { NetfilterTable.Place(address: $0.address, port: $0.port, isDatagram: true) }
    // The loops' UDP sockets share their places.
    entry.places = Array(Set(places))
    // A worker that died may have left a filter on a socket that it had from the master.
    for descriptor in sockets where !entry.listeners.contains(descriptor) { _ = gate_filter_none(descriptor) }
    if sockets != entry.listeners { entry.filtered = [] }
    entry.listeners = sockets
    return entry
  }

  /// The packet filter drops what is held before it costs anything, and bounds each source by itself.
  private func writeNetfilter(now: UInt64) {
    guard let netfilter else { return }
    var table = NetfilterTable(name: netfilter.name)
    for entry in watched.values {
      table.places += entry.places
      for (address, until) in entry.detector.mitigations.held {
        table.held[address] = Int(max(1, until - Double(now) / 1e6))
      }
    }
    netfilter.set(table)
  }

  /// Takes away what would outlive the Gate.
  func end() { netfilter?.remove() }

  private static func settings(_ shield: GateSnapshot.Shield) -> FloodDetector.Settings {
    var settings = FloodDetector.Settings()
    guard let bounds = shield.bounds else { return settings }
    func bound(_ value: Double, _ factor: Double) -> FloodDetector.Bound {
      FloodDetector.Bound(fresh: value, learned: value, factor: factor)
    }
    if let value = bounds.requests { settings.requests = bound(value, settings.requests.factor) }
    if let value = bounds.connections { settings.connections = bound(value, settings.connections.factor) }
    if let value = bounds.datagrams { settings.datagrams = bound(value, settings.datagrams.factor) }
    if let value = bounds.slow { settings.slow = bound(value, settings.slow.factor) }
    if let value = bounds.load { settings.load = value }
    if let value = bounds.waitMargin { settings.waitMargin = value }
    if let value = bounds.learningTime { settings.learningTime = value }
    if let value = bounds.quietTime { settings.quietTime = value }
    return settings
  }

  // MARK: - Looks

  /// A loop has something to do again.
  func wake(now: UInt64) {
    quietLooks = 0
    guard nextLook == .max, !isAsking else { return }
    lookedAt = now
    nextLook = now + Self.interval
  }

  /// Asks the loops when it is time.
  func lookIfDue(_ mailboxes: [Mailbox<LoopMessage>], now: UInt64) {
    guard now >= nextLook else { return }
    nextLook = .max
    isAsking = true
    samples = [:]
    let total = open.reduce(0, +)
    for (loop, mailbox) in mailboxes.enumerated() {
      mailbox.post(.look(openElsewhere: total - open[loop], sentAt: now))
    }
  }

  /// Takes a loop's sample; when it is the last, the outcome.
  func collect(_ sample: LoopSample, of loop: Int, now: UInt64) -> WatchOutcome? {
    samples[loop] = sample
    open[loop] = sample.open
    guard isAsking, samples.count == loops else { return nil }
    isAsking = false
    let seconds = min(max(Double(now &- lookedAt) / 1e6, 0.02), 2)
    lookedAt = now
    var outcome = WatchOutcome()
    hasNewHeld = false
    for id in watched.keys { judge(id, seconds: seconds, now: now, &outcome) }
    if hasNewHeld { writeNetfilter(now: now) }
    let isUnderAttack = watched.values.contains { $0.detector.isUnderAttack || !$0.filtered.isEmpty }
    quietLooks = samples.values.contains(where: \.isActive) || isUnderAttack ? 0 : quietLooks + 1
    if quietLooks >= Self.quietLooksMax {
      outcome.sleeps = true
    } else {
      nextLook = now + Self.interval
    }
    return outcome
  }

  private func judge(_ id: String, seconds: Double, now: UInt64, _ outcome: inout WatchOutcome) {
    guard var entry = watched[id], entry.shield.detectsFloods else { return }
    var merged: [UInt32: SourceActivity] = [:]
    for sample in samples.values {
      for activity in sample.sources[id] ?? [] {
        merged[activity.address, default: SourceActivity(address: activity.address)].add(activity)
      }
    }
    // Of what the kernel refuses one in so many is seen.
    for address in entry.filtered where merged[address] != nil {
      merged[address]?.connections *= UInt64(GATE_FILTER_PROBE)
      merged[address]?.datagrams *= UInt64(GATE_FILTER_PROBE)
      merged[address]?.refused *= UInt64(GATE_FILTER_PROBE)
    }
    let used = Double(open.reduce(0, +)) / Double(max(1, samples.values.reduce(0) { $0 + $1.openMax }))
    let lag = Double(samples.values.map(\.lag).max() ?? 0) / 200_000
    let sample = TrafficSample(
      seconds: seconds, sources: Array(merged.values), pressure: min(1, max(used, lag)),
      load: samples.values.map(\.load).max() ?? 0, wait: wait(id, &entry, seconds: seconds))
    let assessment = entry.detector.observe(sample, now: Double(now) / 1e6)
    if var mitigations = assessment.mitigations {
      // Each loop gives out its part of what is shared.
      let share = 1 / Double(loops)
      let together = mitigations.strangersTogether
      mitigations.strangersTogether.requestsPerSecond = together.requestsPerSecond.map { $0 * share }
      mitigations.strangersTogether.connectionsPerSecond = together.connectionsPerSecond.map { $0 * share }
      mitigations.strangersTogether.datagramsPerSecond = together.datagramsPerSecond.map { $0 * share }
      outcome.mitigations[id] = mitigations
    }
    filter(&entry, entry.detector.mitigations, now: now)
    if let report = assessment.report {
      let attack = attack(report, of: id, &entry, now: now)
      remember(attack)
      outcome.attacks.append(attack)
    }
    watched[id] = entry
  }

  /// How long requests take at the load balancer's targets.
  private func wait(_ id: String, _ entry: inout Watched, seconds: Double) -> Double? {
    var sum = TargetWait()
    for sample in samples.values { if let wait = sample.waits[id] { sum.add(wait) } }
    if sum.answers > 0 {
      entry.stalled = 0
      return sum.seconds / Double(sum.answers)
    }
    // A few may be long by their nature.
    entry.stalled = sum.active >= 16 ? entry.stalled + seconds : 0
    return entry.stalled > 0 ? entry.stalled : nil
  }

  /// Has the kernel refuse whoever is held.
  private func filter(_ entry: inout Watched, _ mitigations: Mitigations, now: UInt64) {
    let wanted = Set(mitigations.held.keys.sorted().prefix(Int(GATE_FILTER_MAX)))
    // Not with every look: the kernel translates the filter each time.
    guard wanted != entry.filtered, wanted.isEmpty || now &- entry.filteredAt > 500_000 else { return }
    entry.filteredAt = now
    entry.filtered = wanted
    hasNewHeld = true
    let sorted = wanted.sorted()
    for descriptor in entry.listeners {
      let result = gate_filter_sources(descriptor, sorted, sorted.count)
      if result < 0 {
        entry.filtered = []
        GateLog.error("the kernel takes no filter", [("reason", String(cString: strerror(-result)))])
      }
    }
  }

  // MARK: - Attacks

  private func attack(_ report: FloodReport, of id: String, _ entry: inout Watched, now: UInt64) -> GateAttack {
    if report.phase == .began || entry.attackID == nil {
      attackCount += 1
      entry.attackID = String(UInt64(startedAt * 1e6), radix: 16) + "-\(attackCount)"
    }
    // The detector's clock is the monotonic one.
    let offset = Double(gate_wall()) / 1e6 - Double(now) / 1e6
    var attack = GateAttack(
      id: entry.attackID ?? "", loadBalancer: id, phase: GateAttack.Phase(rawValue: report.phase.rawValue) ?? .updated,
      beganAt: report.began + offset, updatedAt: report.updated + offset)
    if let known = attacks.last(where: { $0.id == attack.id }) { attack.beganAt = known.beganAt }
    // The two clocks are not read at one moment.
    attack.endedAt = report.ended.map { max(attack.beganAt, $0 + offset) }
    attack.vectors = report.vectors.map { vector in
      GateAttack.Vector(
        name: vector.measure.vector, counter: Self.counter(vector.measure), max: vector.max, average: vector.average,
        sum: vector.sum, samples: vector.samples)
    }
    attack.offered = report.offered
    attack.refused = report.refused
    attack.requests = report.requests
    attack.bytes = report.bytes
    attack.sources = report.sources.map { GateAttack.Contributor(name: IPv4.text($0.address), count: $0.count) }
    attack.networks = report.prefixes.map {
      GateAttack.Contributor(name: IPv4.text($0.address) + "/24", count: $0.count)
    }
    attack.heldSources = report.heldSources
    attack.isMitigated = report.isMitigated
    if report.phase == .ended { entry.attackID = nil }
    return attack
  }

  private static func counter(_ measure: Measure) -> String {
    switch measure {
    case .requests: "Requests"
    case .connections: "Connections"
    case .slow: "SlowConnections"
    case .offences: "Offences"
    case .datagrams: "Packets"
    }
  }

  private func remember(_ attack: GateAttack) {
    if attack.phase != .updated {
      GateLog.info(
        attack.phase == .began ? "an attack began" : "an attack ended",
        [
          ("loadBalancer", attack.loadBalancer), ("vectors", attack.vectors.map(\.name).joined(separator: " ")),
          ("offered", "\(attack.offered)"), ("refused", "\(attack.refused)"),
        ])
    }
    if let index = attacks.lastIndex(where: { $0.id == attack.id }) {
      attacks[index] = attack
    } else {
      attacks.append(attack)
      if attacks.count > Self.attacksMax { attacks.removeFirst() }
    }
  }
}
