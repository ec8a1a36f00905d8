// What one loop serves with: load balancers, listeners, target groups and targets with their counters. Every loop has
// objects of its own, so nothing here is shared between threads. They keep their identity from snapshot to snapshot.
import CLinux
import GateProtocol
import TrafficBaseline

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
  /// What is added to answers, or taken from them.
  var answerHeaders = AnswerHeaders()
  /// New names of header lines that the load balancer adds, by the standard ones in lower case.
  var requestHeaderNames: [String: String] = [:]
  /// The new names, in lower case.
  var ownNames: [[UInt8]] = []
  var isSecure: Bool { tls != nil }
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
  /// When its slow start began, in microseconds; nil for a target that has its full share.
  var warmsSince: UInt64?
  /// Its Availability Zone; nil when it belongs to all.
  var zone: String?
  /// How it does beside the others, for anomaly mitigation.
  var performance = TargetPerformance()
  /// The cookie that names it, as last sealed.
  var cookie = SealedCookie()
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
    zone = target.zone
    statistics = GateStatistics.Target(targetGroup: group.id, address: target.address, port: target.port)
    statistics.latency = GateHistogram()
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
