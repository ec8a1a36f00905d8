// What one loop serves network load balancers with.
import CLinux
import GateProtocol
import Glibc
import TrafficBaseline

/// A network load balancer as one loop sees it.
final class NetworkRuntime {
  let id: String
  let sources = SourceTable(seed: UInt64.random(in: 0...UInt64.max))
  private(set) var paceLimits = PaceLimits(GateSnapshot.Shield())
  /// `net/NAME/ID`, for lines in logs.
  private(set) var logName = "-"
  /// Where lines about TLS connections go; nil for nowhere.
  private(set) var accessLog: LogSink?
  /// Its nodes, one for each zone.
  private(set) var nodes: [FlowNode]
  private(set) var crossesZones = true
  /// Of all nodes, those that are gone included; the first is of no zone.
  private var counters: [FlowCounters]
  private var uses: [String: FlowGroupUse] = [:]
  private var turn = 0

  init(id: String) {
    self.id = id
    counters = [FlowCounters(id: id, zone: nil)]
    nodes = [FlowNode(counters: counters[0])]
  }

  /// Takes over what its clients are held to.
  func update(_ shield: GateSnapshot.Shield?, now: UInt64) {
    paceLimits = PaceLimits(shield ?? GateSnapshot.Shield())
    sources.configure(shield?.sourceLimit ?? SourceLimit(), now: now)
  }

  /// Takes over zones and where logs are written.
  func update(_ description: GateSnapshot.NetworkLoadBalancer, _ writer: LogWriter) {
    nodes = (description.zones ?? []).map { zone in
      FlowNode(zone: zone.name, isShifted: zone.isShifted, counters: counters(of: zone.name))
    }
    if nodes.isEmpty { nodes = [FlowNode(counters: counters[0])] }
    crossesZones = description.crossZone ?? true
    for use in uses.values { use.refresh() }
    let logs = description.logs
    logName = logs?.name ?? "-"
    accessLog = .replacing(accessLog, folder: logs?.accessFolder, logs, writer)
  }

  private func counters(of zone: String) -> FlowCounters {
    if let known = counters.first(where: { $0.statistics.zone == zone }) { return known }
    let made = FlowCounters(id: id, zone: zone)
    counters.append(made)
    return made
  }

  // MARK: - Counters

  /// The counters of what belongs to no node of its own: they are the first one's.
  var statistics: GateStatistics.NetworkLoadBalancer {
    _read { yield nodes[0].counters.statistics }
    _modify { yield &nodes[0].counters.statistics }
  }

  /// The counters of every node.
  var allStatistics: [GateStatistics.NetworkLoadBalancer] {
    let shifted = Set(nodes.filter(\.isShifted).compactMap(\.zone))
    return counters.map { counters in
      var statistics = counters.statistics
      statistics.isShifted = statistics.zone.map(shifted.contains) ?? false
      return statistics
    }
  }

  /// The counters of the next flow's node, where nodes have the same targets: those that take flows in, in turn.
  func nextCounters() -> FlowCounters {
    let first = nextTurn() % nodes.count
    for offset in nodes.indices where !nodes[(first + offset) % nodes.count].isShifted {
      return nodes[(first + offset) % nodes.count].counters
    }
    return nodes[first].counters
  }
}

/// What came in through one node of a network load balancer.
final class FlowCounters {
  var statistics: GateStatistics.NetworkLoadBalancer

  init(id: String, zone: String?) {
    statistics = GateStatistics.NetworkLoadBalancer(id: id)
    statistics.zone = zone
  }

  /// There is no target, or no room, for a new UDP flow.
  func countRejectedDatagram() {
    statistics.rejectedFlows += 1
    statistics.rejectedFlowsUDP += 1
  }
}

extension NetworkRuntime {
  /// This load balancer's view of a target group.
  func use(of group: TargetGroupRuntime) -> FlowGroupUse {
    if let use = uses[group.id], use.group === group { return use }
    let use = FlowGroupUse(group: group, balancer: self)
    uses[group.id] = use
    return use
  }

  /// A number that rises with each flow, for nodes in turn.
  func nextTurn() -> Int {
    turn = turn == .max ? 0 : turn + 1
    return turn
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
  /// When flows may be looked for again that can go.
  var nextClearing: UInt64 = 0

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
