// The targets among which one is chosen for a request, and how it is chosen.
import GateProtocol

/// The targets that get the requests of a node, or of all nodes.
final class TargetPool {
  let group: TargetGroupRuntime
  /// Those that get requests.
  private(set) var eligible: [TargetRuntime] = []
  /// Whether enough are healthy, and one at least is there, for DNS to lead to them.
  private(set) var isInDNS = false
  /// Too few are healthy, so that all of them get requests.
  private(set) var failsOpen = false
  /// By the index of the load balancer's node.
  var counters: [GroupCounters] = []
  private var turn: Int

  init(group: TargetGroupRuntime, turn: Int) {
    self.group = group
    self.turn = turn
  }

  /// Works out who gets requests: the healthy registered targets of the zone; all registered ones when fewer than the
  /// group's minimum are healthy (fail open). Those of shifted zones get none, unless there are no others or none is
  /// healthy at all: then nothing is shifted, as with AWS.
  /// - Parameter zone: nil for all zones.
  func update(zone: String?, shifted: Set<String>) {
    var registered = group.targets.filter { target in
      target.state == .registered && (zone == nil || target.zone == nil || target.zone == zone)
    }
    if !shifted.isEmpty, registered.contains(where: \.isHealthy) {
      let unshifted = registered.filter { !shifted.contains($0.zone ?? "") }
      if !unshifted.isEmpty { registered = unshifted }
    }
    let healthy = registered.filter(\.isHealthy)
    isInDNS = !registered.isEmpty && healthy.count >= group.minimumHealthyForDNS.least(of: registered.count)
    failsOpen = healthy.count < group.minimumHealthy.least(of: registered.count) || healthy.isEmpty
    eligible = failsOpen ? registered : healthy
  }

  /// The counters of what a node sends to the group. A pool that is no longer its load balancer's knows none of new nodes.
  @inline(__always)
  func counters(of node: NodeRuntime) -> GroupCounters {
    node.index < counters.count ? counters[node.index] : node.counters(of: group)
  }

  /// The target for a request, passing over those that refused a moment ago while there are others.
  func choose(now: UInt64, except tried: TargetRuntime?, _ random: inout Random) -> TargetRuntime? {
    let count = eligible.count
    if count == 0 { return nil }
    if count == 1 { return eligible[0] }
    switch group.algorithm {
    case .roundRobin: return inTurn(now: now, except: tried, &random)
    case .leastOutstandingRequests: return leastLoaded(now: now, except: tried)
    case .weightedRandom: return atRandom(now: now, except: tried, &random)
    }
  }

  /// A target that a cookie names, when it may get requests.
  func target(at address: SocketAddress) -> TargetRuntime? { eligible.first { $0.address == address } }

  private func inTurn(now: UInt64, except tried: TargetRuntime?, _ random: inout Random) -> TargetRuntime? {
    let count = eligible.count
    // Whom to take when nobody else is left, and how much better that is than another.
    var spare = (place: -1, rank: 0)
    for _ in 0..<count {
      turn &+= 1
      if turn >= count { turn = 0 }
      let target = eligible[turn]
      let rank: Int
      if target === tried || target.suspectUntil > now {
        rank = target === tried ? 1 : 2
      } else if isWarmingUp(target, now, &random) {
        rank = 3
      } else {
        return target
      }
      if rank > spare.rank { spare = (turn, rank) }
    }
    // The next one has the next turn.
    turn = spare.place
    return eligible[spare.place]
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

  /// Each target by its weight, which is the same for all while nothing is mitigated.
  private func atRandom(now: UInt64, except tried: TargetRuntime?, _ random: inout Random) -> TargetRuntime? {
    group.compareTargets(now: now)
    var total: UInt64 = 0
    for target in eligible where target !== tried && target.suspectUntil <= now {
      total += UInt64(target.performance.weight)
    }
    if total == 0 { return eligible.first { $0 !== tried } ?? eligible[0] }
    var pick = random.next() % total
    for target in eligible where target !== tried && target.suspectUntil <= now {
      if pick < UInt64(target.performance.weight) { return target }
      pick -= UInt64(target.performance.weight)
    }
    return eligible[0]
  }

  /// Whether a target in slow start is passed over this time: its share grows with the time since it became healthy.
  private func isWarmingUp(_ target: TargetRuntime, _ now: UInt64, _ random: inout Random) -> Bool {
    guard let since = target.warmsSince else { return false }
    let age = now &- since
    if age >= group.slowStart { return false }
    return random.next() % 1000 >= max(30, age * 1000 / group.slowStart)
  }
}

/// How a target does: requests and failures (5xx answers and broken connections), and the weight that follows.
///
/// Every second a target is compared with the others of its group: with at least three of them, one whose share of
/// failures is well above that of the rest is anomalous. With mitigation its weight is halved each time it is found
/// so, down to a fiftieth, and grows back by a tenth each second in which it is not.
struct TargetPerformance {
  static let weightMax = 100
  private static let weightMin = 2
  /// Fewer failures than this in a second say nothing.
  private static let failuresMin = 3.0

  private(set) var weight = weightMax
  private(set) var isAnomalous = false
  private var requests = 0.0
  private var failures = 0.0

  var isMitigated: Bool { weight < Self.weightMax }

  /// Counts an answer, or a connection that could not be made or broke.
  @inline(__always)
  mutating func record(isFailure: Bool) {
    requests += 1
    if isFailure { failures += 1 }
  }

  static func compare(_ targets: [TargetRuntime], mitigates: Bool) {
    let requests = targets.reduce(0) { $0 + $1.performance.requests }
    let failures = targets.reduce(0) { $0 + $1.performance.failures }
    for target in targets {
      target.performance.judge(
        othersRequests: requests - target.performance.requests, othersFailures: failures - target.performance.failures,
        mitigates: mitigates, isComparable: targets.count >= 3)
    }
    // The past fades, so that a target with little weight is still judged by several seconds.
    for target in targets { target.performance.fade() }
  }

  private mutating func judge(othersRequests: Double, othersFailures: Double, mitigates: Bool, isComparable: Bool) {
    let share = requests > 0 ? failures / requests : 0
    let others = othersRequests > 0 ? othersFailures / othersRequests : 0
    isAnomalous = isComparable && failures >= Self.failuresMin && share > others * 3 && share > others + 0.1
    if !mitigates {
      weight = Self.weightMax
    } else if isAnomalous {
      weight = max(Self.weightMin, weight / 2)
    } else {
      weight = min(Self.weightMax, weight + Self.weightMax / 10)
    }
  }

  private mutating func fade() {
    requests /= 2
    failures /= 2
  }
}
