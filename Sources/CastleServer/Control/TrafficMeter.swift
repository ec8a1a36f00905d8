// Rates out of the Gate's counters, which only rise: the difference between two looks.

import GateProtocol

/// Holds the last looks at the Gate.
struct TrafficMeter: Sendable {
  /// How far back a rate looks, in seconds: long enough to be calm, short enough to be live.
  static let window = 5.0
  private static let looksMax = 32
  private var looks: [GateStatistics] = []

  /// Adds a look. Looks at a Gate that has started again since begin anew: its counters did.
  mutating func add(_ look: GateStatistics) {
    if let last = looks.last, last.workerStartedAt != look.workerStartedAt || last.time > look.time { looks = [] }
    if let last = looks.last, last.time == look.time { return }
    looks.append(look)
    // One look beyond the window stays, as the beginning of the first difference.
    while looks.count > 2, look.time - looks[1].time >= Self.window || looks.count > Self.looksMax {
      looks.removeFirst()
    }
  }

  /// What went through lately; nil before the first look.
  var traffic: Traffic? {
    guard let now = looks.last else { return nil }
    return Traffic(now: now, then: looks.count > 1 ? looks.first : nil)
  }
}

/// What went through the Gate between two looks, by the ids of the Gate's snapshot (ARNs for load balancers).
struct Traffic: Sendable {
  var loadBalancers: [String: CastleState.Flow] = [:]
  var targetGroups: [String: CastleState.Flow] = [:]
  /// By `targetGroup address:port`.
  var targets: [String: CastleState.Flow] = [:]
  /// Open client connections of load balancers and TCP endpoints, by id.
  var connections: [String: Int] = [:]

  static func target(_ group: String, _ address: String, _ port: Int) -> String { "\(group) \(address):\(port)" }

  init(now: GateStatistics, then: GateStatistics?) {
    for balancer in now.loadBalancers { connections[balancer.id] = balancer.activeConnections }
    for endpoint in now.endpoints { connections[endpoint.id] = endpoint.activeConnections }
    guard let then, now.time > then.time else { return }
    let seconds = now.time - then.time
    func rate(_ new: UInt64, _ old: UInt64?) -> Double { Double(new - min(new, old ?? 0)) / seconds }
    func flow(_ requests: Double, _ errors: Double, _ new: GateHistogram, _ old: GateHistogram?) -> CastleState.Flow {
      let latency = old.map { new.since($0) } ?? new
      return CastleState.Flow(rate: requests, errorRate: errors, p99: latency.quantile(0.99).map { $0 * 1000 })
    }
    let oldGroups = Dictionary(then.targetGroups.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
    for group in now.targetGroups {
      let old = oldGroups[group.id]
      targetGroups[group.id] = flow(
        rate(group.requests, old?.requests), rate(group.target.code5xx, old?.target.code5xx), group.latency,
        old?.latency)
    }
    let oldTargets = Dictionary(
      then.targets.map { (Self.target($0.targetGroup, $0.address, Int($0.port)), $0) }, uniquingKeysWith: { $1 })
    for target in now.targets {
      let key = Self.target(target.targetGroup, target.address, Int(target.port))
      let old = oldTargets[key]
      targets[key] = flow(
        rate(target.requests, old?.requests), rate(target.code5xx, old?.code5xx), target.latency, old?.latency)
    }
    let oldBalancers = Dictionary(then.loadBalancers.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
    for balancer in now.loadBalancers {
      let old = oldBalancers[balancer.id]
      // The latency of a load balancer is that of its target groups; the report adds it.
      loadBalancers[balancer.id] = CastleState.Flow(
        rate: rate(balancer.requests, old?.requests),
        errorRate: rate(balancer.target.code5xx, old?.target.code5xx) + rate(balancer.elb.code5xx, old?.elb.code5xx),
        p99: nil)
    }
  }
}
