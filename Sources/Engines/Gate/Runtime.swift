// What one loop serves with: load balancers, listeners, target groups and targets with their counters. Every loop has
// objects of its own, so nothing here is shared between threads. They keep their identity from snapshot to snapshot.
import CLinux
import GateProtocol
import TrafficBaseline

/// A load balancer as one loop sees it.
final class LoadBalancerRuntime {
  let id: String
  var attributes: GateSnapshot.Attributes
  var statistics: GateStatistics.LoadBalancer
  /// Microseconds.
  var idleTimeout: UInt64
  var clientKeepAlive: UInt64
  /// Its clients by address.
  let sources = SourceTable(seed: UInt64.random(in: 0...UInt64.max))
  var paceLimits: PaceLimits

  init(_ description: GateSnapshot.LoadBalancer) {
    id = description.id
    attributes = description.attributes
    statistics = GateStatistics.LoadBalancer(id: description.id)
    idleTimeout = Self.microseconds(description.attributes.idleTimeout)
    clientKeepAlive = Self.microseconds(description.attributes.clientKeepAlive)
    paceLimits = PaceLimits(description.shield ?? GateSnapshot.Shield())
    configureSources(description)
  }

  func update(_ description: GateSnapshot.LoadBalancer) {
    attributes = description.attributes
    idleTimeout = Self.microseconds(attributes.idleTimeout)
    clientKeepAlive = Self.microseconds(attributes.clientKeepAlive)
    paceLimits = PaceLimits(description.shield ?? GateSnapshot.Shield())
    configureSources(description)
  }

  private func configureSources(_ description: GateSnapshot.LoadBalancer) {
    guard let shield = description.shield else { return sources.configure(SourceLimit(), now: 0) }
    let limit = SourceLimit(
      requestsPerSecond: shield.requestsPerSource, connectionsPerSecond: shield.newConnectionsPerSource,
      connectionsMax: shield.connectionsPerSource)
    sources.configure(limit, now: gate_now())
  }

  static func microseconds(_ seconds: Double) -> UInt64 { UInt64(max(0.001, min(seconds, 1e9)) * 1e6) }
}

/// A listening socket of a load balancer.
final class ListenerRuntime {
  let descriptor: Int32
  let loadBalancer: LoadBalancerRuntime
  let port: UInt16
  let address: UInt32
  var rules: CompiledRules
  /// nil for plain text. New handshakes take the newest.
  var tls: TLSServerContext?
  var scheme: String { tls == nil ? "http" : "https" }
  /// False once it is gone from the snapshot; its connections then end after their request.
  var isOpen = true
  /// Clients may speak HTTP/2 without TLS, if they know it beforehand.
  var acceptsCleartextHTTP2 = false
  /// The header lines every request gets: X-Forwarded-Proto and -Port.
  let forwardedLines: [UInt8]

  init(
    descriptor: Int32, loadBalancer: LoadBalancerRuntime, address: UInt32, port: UInt16, rules: CompiledRules,
    tls: TLSServerContext? = nil
  ) {
    self.descriptor = descriptor
    self.loadBalancer = loadBalancer
    self.address = address
    self.port = port
    self.rules = rules
    self.tls = tls
    forwardedLines = Array(
      "X-Forwarded-Proto: \(tls == nil ? "http" : "https")\r\nX-Forwarded-Port: \(port)\r\n".utf8)
  }
}

/// What a rule does, with its target groups found.
enum CompiledAction {
  case forward(WeightedGroups)
  case redirect(GateSnapshot.Redirect)
  case fixedResponse(GateSnapshot.FixedResponse)
}

/// The target groups of a forward action.
final class WeightedGroups {
  private let groups: [(group: TargetGroupRuntime, weight: Int)]
  private let total: Int

  init(_ groups: [(group: TargetGroupRuntime, weight: Int)]) {
    self.groups = groups
    total = groups.reduce(0) { $0 + $1.weight }
  }

  /// The group for one request.
  @inline(__always)
  func choose(_ random: inout Random) -> TargetGroupRuntime? {
    if groups.count == 1 { return groups[0].group }
    guard total > 0 else { return groups.first?.group }
    var pick = Int(random.next() % UInt64(total))
    for (group, weight) in groups {
      if pick < weight { return group }
      pick -= weight
    }
    return nil
  }
}

/// A target of one group, with this loop's connections to it.
final class TargetRuntime {
  let address: SocketAddress
  let group: TargetGroupRuntime
  var state: GateSnapshot.Target.State
  /// False once it is gone from the snapshot.
  var isKnown = true
  var isHealthy = false
  /// Set when a connection was refused: the loop passes it over for a moment. Microseconds.
  var suspectUntil: UInt64 = 0
  /// When it became healthy, for slow start. Microseconds.
  var healthySince: UInt64 = 0
  /// Established connections without a request, the last used at the end.
  var idle: [UpstreamConnection] = []
  /// TLS sessions to take up again.
  private(set) lazy var sessions = TLSSessionStore()
  /// Connections that carry many requests each, for groups that speak HTTP/2 with their targets.
  var multiplexed: [HTTP2TargetConnection] = []
  var statistics: GateStatistics.Target

  init(_ target: GateSnapshot.Target, address: SocketAddress, group: TargetGroupRuntime) {
    self.address = address
    self.group = group
    state = target.state
    statistics = GateStatistics.Target(targetGroup: group.id, address: target.address, port: target.port)
    statistics.latency = GateHistogram()
  }
}

/// A target group as one loop sees it.
final class TargetGroupRuntime {
  let id: String
  var algorithm: GateSnapshot.TargetGroup.Algorithm
  /// What is spoken with the targets.
  private(set) var protocolVersion = GateSnapshot.TargetGroup.ProtocolVersion.http1
  /// Microseconds.
  var slowStart: UInt64 = 0
  private(set) var usesTLS = false
  /// What matters to network load balancers.
  private(set) var flow = GateSnapshot.FlowAttributes()
  private(set) var targets: [TargetRuntime] = []
  /// Those that get requests.
  private(set) var eligible: [TargetRuntime] = []
  private var turn: Int
  var statistics: GateStatistics.TargetGroup

  /// - Parameter turn: where round robin begins; loops begin at different targets.
  init(id: String, algorithm: GateSnapshot.TargetGroup.Algorithm, turn: Int) {
    self.id = id
    self.algorithm = algorithm
    self.turn = turn
    statistics = GateStatistics.TargetGroup(id: id)
  }

  /// Takes over the targets of a snapshot; returns those that are gone.
  func update(_ description: GateSnapshot.TargetGroup) -> [TargetRuntime] {
    algorithm = description.algorithm
    usesTLS = description.transport?.usesTLS ?? false
    flow = description.flow ?? GateSnapshot.FlowAttributes()
    protocolVersion = description.protocolVersion ?? .http1
    slowStart = description.slowStart > 0 ? LoadBalancerRuntime.microseconds(description.slowStart) : 0
    var old = Dictionary(targets.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
    var fresh: [TargetRuntime] = []
    for target in description.targets {
      guard let number = IPv4.parse(target.address) else { continue }
      let address = SocketAddress(address: number, port: target.port)
      let runtime = old.removeValue(forKey: address) ?? TargetRuntime(target, address: address, group: self)
      runtime.state = target.state
      fresh.append(runtime)
    }
    for target in old.values { target.isKnown = false }
    targets = fresh
    recompute()
    return Array(old.values)
  }

  /// Works out who gets requests: healthy registered targets; all registered ones when none is healthy (fail open).
  func recompute() {
    let registered = targets.filter { $0.state == .registered }
    let healthy = registered.filter(\.isHealthy)
    eligible = healthy.isEmpty ? registered : healthy
  }

  /// The target for a request, passing over those that refused a moment ago while there are others.
  func choose(now: UInt64, except tried: TargetRuntime?, _ random: inout Random) -> TargetRuntime? {
    let count = eligible.count
    if count == 0 { return nil }
    if count == 1 { return eligible[0] }
    if algorithm == .leastOutstandingRequests { return leastLoaded(now: now, except: tried) }
    var fallback: TargetRuntime?
    for _ in 0..<count {
      turn &+= 1
      if turn >= count { turn = 0 }
      let target = eligible[turn]
      if target === tried || target.suspectUntil > now {
        if fallback == nil || fallback === tried { fallback = target }
        continue
      }
      if slowStart > 0, isWarmingUp(target, now, &random) {
        fallback = target
        continue
      }
      return target
    }
    return fallback
  }

  private func leastLoaded(now: UInt64, except tried: TargetRuntime?) -> TargetRuntime? {
    turn &+= 1
    var best: TargetRuntime?
    var bestLoad = Int.max
    for offset in eligible.indices {
      let target = eligible[(turn &+ offset) % eligible.count]
      var load = target.statistics.activeRequests
      if target === tried || target.suspectUntil > now { load += 1 << 30 }
      if load < bestLoad {
        best = target
        bestLoad = load
      }
    }
    return best
  }

  /// Whether a target in slow start is passed over this time: its share grows with the time since it became healthy.
  private func isWarmingUp(_ target: TargetRuntime, _ now: UInt64, _ random: inout Random) -> Bool {
    let age = now &- target.healthySince
    if age >= slowStart { return false }
    return random.next() % 1000 >= max(30, age * 1000 / slowStart)
  }
}

/// A TCP endpoint as one loop sees it.
final class EndpointRuntime {
  let id: String
  let descriptor: Int32
  var backends: [SocketAddress] = []
  var closesRemoved = true
  /// Microseconds.
  var waitForBackend: UInt64 = 0
  var isOpen = true
  var statistics: GateStatistics.Endpoint
  private var turn: Int
  /// Clients that wait for a backend.
  var waiting: [TunnelConnection] = []

  init(id: String, descriptor: Int32, turn: Int) {
    self.id = id
    self.descriptor = descriptor
    self.turn = turn
    statistics = GateStatistics.Endpoint(id: id)
  }

  func nextBackend() -> SocketAddress? {
    guard !backends.isEmpty else { return nil }
    turn = (turn &+ 1) % backends.count
    return backends[turn]
  }
}

/// A small fast generator (splitmix64); nothing secret depends on it.
struct Random {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
