// A target group as one loop sees it.
import GateProtocol

final class TargetGroupRuntime {
  let id: String
  /// A short name of the id, for cookies.
  let fingerprint: UInt64
  private(set) var algorithm: GateSnapshot.TargetGroup.Algorithm
  /// Microseconds.
  private(set) var slowStart: UInt64 = 0
  private(set) var usesTLS = false
  /// What is spoken with the targets.
  private(set) var protocolVersion = GateSnapshot.TargetGroup.ProtocolVersion.http1
  /// What matters to network load balancers.
  private(set) var flow = GateSnapshot.FlowAttributes()
  private(set) var mitigatesAnomalies = false
  private(set) var stickiness: GateSnapshot.TargetGroup.Stickiness?
  private(set) var crossZone: Bool?
  private(set) var minimumHealthy = GateSnapshot.HealthThreshold()
  private(set) var minimumHealthyForDNS = GateSnapshot.HealthThreshold()
  private(set) var targets: [TargetRuntime] = []
  /// Rises whenever it may have changed which targets get requests.
  private(set) var generation = 0
  /// Where choosing in turn begins.
  let turn: Int
  var statistics: GateStatistics.TargetGroup
  /// The cookie that names it, as last sealed.
  var cookie = SealedCookie()
  /// When the targets are compared next, for anomaly mitigation. Microseconds.
  private var nextComparison: UInt64 = 0

  private static let comparisonInterval: UInt64 = 1_000_000

  /// - Parameter turn: where round robin begins; loops begin at different targets.
  init(id: String, algorithm: GateSnapshot.TargetGroup.Algorithm, turn: Int) {
    self.id = id
    self.algorithm = algorithm
    self.turn = turn
    // FNV-1a: stable over restarts, unlike Swift's hashes.
    fingerprint = id.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    statistics = GateStatistics.TargetGroup(id: id)
  }

  /// Takes over the targets of a snapshot; returns those that are gone.
  func update(_ description: GateSnapshot.TargetGroup) -> [TargetRuntime] {
    algorithm = description.algorithm
    usesTLS = description.transport?.usesTLS ?? false
    flow = description.flow ?? GateSnapshot.FlowAttributes()
    protocolVersion = description.protocolVersion ?? .http1
    slowStart = description.slowStart > 0 ? LoadBalancerRuntime.microseconds(description.slowStart) : 0
    mitigatesAnomalies = description.mitigatesAnomalies && algorithm == .weightedRandom
    stickiness = description.stickiness
    crossZone = description.crossZone
    minimumHealthy = description.minimumHealthy
    minimumHealthyForDNS = description.minimumHealthyForDNS
    var old = Dictionary(targets.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
    var fresh: [TargetRuntime] = []
    for target in description.targets {
      guard let number = IPv4.parse(target.address) else { continue }
      let address = SocketAddress(address: number, port: target.port)
      let runtime = old.removeValue(forKey: address) ?? TargetRuntime(target, address: address, group: self)
      runtime.state = target.state
      runtime.zone = target.zone
      if slowStart == 0 || target.state != .registered { runtime.warmsSince = nil }
      fresh.append(runtime)
    }
    for target in old.values { target.isKnown = false }
    targets = fresh
    generation &+= 1
    return Array(old.values)
  }

  /// Takes over who is healthy. Who becomes so gets its share slowly, but only beside a target that has its full share:
  /// else there would be nobody to take what it does not get.
  func update(now: UInt64, isHealthy: (TargetRuntime) -> Bool) {
    let hasSteady = targets.contains { $0.isHealthy && $0.state == .registered && !isWarming($0, now) }
    for target in targets {
      let isHealthy = isHealthy(target)
      if isHealthy != target.isHealthy {
        target.warmsSince = isHealthy && hasSteady && slowStart > 0 && target.state == .registered ? now : nil
      }
      target.isHealthy = isHealthy
    }
    generation &+= 1
  }

  private func isWarming(_ target: TargetRuntime, _ now: UInt64) -> Bool {
    target.warmsSince.map { now &- $0 < slowStart } ?? false
  }

  /// Compares the targets' failures when it is time to (anomaly detection and mitigation).
  @inline(__always)
  func compareTargets(now: UInt64) {
    if now < nextComparison { return }
    nextComparison = now + Self.comparisonInterval
    TargetPerformance.compare(targets.filter { $0.isHealthy && $0.state == .registered }, mitigates: mitigatesAnomalies)
  }
}
