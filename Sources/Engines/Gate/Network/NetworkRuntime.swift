// What one loop serves network load balancers with.
import CLinux
import GateProtocol
import Glibc

/// A network load balancer as one loop sees it.
final class NetworkRuntime {
  let id: String
  var statistics: GateStatistics.NetworkLoadBalancer
  /// `net/NAME/ID`, for lines in logs.
  private(set) var logName = "-"
  /// Where lines about TLS connections go; nil for nowhere.
  private(set) var accessLog: LogSink?

  init(id: String) {
    self.id = id
    statistics = GateStatistics.NetworkLoadBalancer(id: id)
  }

  /// Takes over where logs are written.
  func update(_ logs: GateSnapshot.Logs?, _ writer: LogWriter) {
    logName = logs?.name ?? "-"
    accessLog = .replacing(accessLog, folder: logs?.accessFolder, logs, writer)
  }
}

/// A client's address and port.
struct FlowSource: Hashable {
  var address: UInt32
  var port: UInt16

  /// The same for all flows of an address when they are to stay together.
  func hash(isSticky: Bool) -> UInt64 {
    var random = Random(seed: UInt64(address) << 16 | (isSticky ? 0 : UInt64(port)))
    return random.next()
  }
}

/// A TCP or UDP socket of a network load balancer's listener.
final class NetworkListenerRuntime {
  /// Flows of one UDP socket that are remembered at once. Sources of datagrams can be forged, so there must be an end.
  static let datagramFlowsMax = 8192
  static let datagramIdleTime: UInt64 = 120_000_000

  let id: String
  let descriptor: Int32
  let balancer: NetworkRuntime
  let address: UInt32
  let port: UInt16
  let isDatagram: Bool
  /// The name in lines of logs.
  var name = "-"
  var tls: TLSServerContext?
  var groups: FlowGroups
  /// Microseconds.
  var idleTimeout: UInt64
  /// The flows of a UDP socket.
  var flows: [FlowSource: DatagramFlow] = [:]

  init(
    id: String, socket: BoundSocket, balancer: NetworkRuntime, isDatagram: Bool, groups: FlowGroups,
    idleTimeout: UInt64
  ) {
    self.id = id
    descriptor = socket.descriptor
    address = socket.address
    port = socket.port
    self.balancer = balancer
    self.isDatagram = isDatagram
    self.groups = groups
    self.idleTimeout = idleTimeout
  }
}

/// The target groups of a network load balancer's listener.
final class FlowGroups {
  private let groups: [(group: TargetGroupRuntime, weight: Int)]
  private let total: Int

  init(_ groups: [(group: TargetGroupRuntime, weight: Int)]) {
    self.groups = groups
    total = groups.reduce(0) { $0 + $1.weight }
  }

  /// The group for one flow.
  func choose(_ random: inout Random) -> TargetGroupRuntime? {
    guard groups.count > 1, total > 0 else { return groups.first?.group }
    var pick = Int(random.next() % UInt64(total))
    for (group, weight) in groups {
      if pick < weight { return group }
      pick -= weight
    }
    return nil
  }
}

extension TargetGroupRuntime {
  /// The target of a flow: the same as long as it is eligible, whatever happens to others (the one whose address,
  /// mixed with the flow's number, gives the highest number).
  func target(forFlow hash: UInt64, now: UInt64, except tried: [TargetRuntime]) -> TargetRuntime? {
    var best: TargetRuntime?
    var bestScore: UInt64 = 0
    for target in eligible {
      if tried.contains(where: { $0 === target }) { continue }
      var random = Random(seed: hash ^ (UInt64(target.address.address) << 16 | UInt64(target.address.port)))
      // One that refused a moment ago comes last.
      let score = random.next() >> 1 | (target.suspectUntil > now ? 0 : 1 << 63)
      if best == nil || score > bestScore {
        best = target
        bestScore = score
      }
    }
    return best
  }
}
