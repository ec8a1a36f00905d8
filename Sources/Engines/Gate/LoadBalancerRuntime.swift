// A load balancer as one loop sees it: its attributes, its nodes with their counters, and the target groups it uses.
import CLinux
import GateProtocol
import TrafficBaseline

final class LoadBalancerRuntime {
  let id: String
  var attributes: GateSnapshot.Attributes
  /// What judges its requests; nil for nobody.
  var webACL: WebACLRuntime?
  /// Microseconds.
  var idleTimeout: UInt64
  var clientKeepAlive: UInt64
  /// Its clients by address.
  let sources = SourceTable(seed: UInt64.random(in: 0...UInt64.max))
  var paceLimits: PaceLimits
  private(set) var nodes: [NodeRuntime] = []
  /// Those through which connections come in.
  private var open: [NodeRuntime] = []
  private var turn: Int
  private(set) var uses: [String: GroupUse] = [:]
  /// What its targets had done when the shield looked last.
  var toldWait = TargetWait()
  /// `app/NAME/ID`, for lines in logs.
  private(set) var logName = "-"
  /// Where lines about requests and about connections go; nil for nowhere.
  private(set) var accessLog: LogSink?
  private(set) var connectionLog: LogSink?

  /// - Parameter turn: at which node to begin; loops begin at different ones.
  init(_ description: GateSnapshot.LoadBalancer, turn: Int) {
    id = description.id
    attributes = description.attributes
    idleTimeout = 0
    clientKeepAlive = 0
    paceLimits = PaceLimits(description.shield ?? GateSnapshot.Shield())
    self.turn = turn
    update(description)
  }

  func update(_ description: GateSnapshot.LoadBalancer) {
    attributes = description.attributes
    idleTimeout = Self.microseconds(attributes.idleTimeout)
    clientKeepAlive = Self.microseconds(attributes.clientKeepAlive)
    paceLimits = PaceLimits(description.shield ?? GateSnapshot.Shield())
    sources.configure(description.shield?.sourceLimit ?? SourceLimit(), now: gate_now())
    var old = Dictionary(nodes.map { ($0.zone ?? "", $0) }, uniquingKeysWith: { first, _ in first })
    let zones: [GateSnapshot.Zone?] = description.zones.isEmpty ? [nil] : description.zones
    var fresh: [NodeRuntime] = zones.map { zone in
      let node = old.removeValue(forKey: zone?.name ?? "") ?? NodeRuntime(balancer: self, zone: zone?.name)
      node.isShifted = zone?.isShifted ?? false
      node.isKnown = true
      return node
    }
    // Nodes that are gone stay with their counters, which must not fall, and for their open connections.
    for node in nodes where old[node.zone ?? ""] != nil {
      node.isKnown = false
      fresh.append(node)
    }
    nodes = fresh
    for (index, node) in nodes.enumerated() { node.index = index }
    open = nodes.filter { $0.isKnown && !$0.isShifted }
    if open.isEmpty { open = nodes.filter(\.isKnown) }
  }

  /// The counters of what belongs to no node of its own: they are the first one's.
  var statistics: GateStatistics.LoadBalancer {
    _read { yield nodes[0].statistics }
    _modify { yield &nodes[0].statistics }
  }

  /// The node through which a new connection comes in.
  @inline(__always)
  func nextNode() -> NodeRuntime {
    if open.count == 1 { return open[0] }
    turn &+= 1
    if turn >= open.count { turn = 0 }
    return open[turn]
  }

  /// Zones whose targets get no requests.
  var shiftedZones: Set<String> { Set(nodes.filter(\.isShifted).compactMap(\.zone)) }

  /// This load balancer's view of a target group.
  func use(of group: TargetGroupRuntime) -> GroupUse {
    if let use = uses[group.id], use.group === group { return use }
    let use = GroupUse(group: group, balancer: self)
    uses[group.id] = use
    return use
  }

  /// Takes over where logs are written.
  func update(_ logs: GateSnapshot.Logs, _ writer: LogWriter) {
    logName = logs.name
    accessLog = .replacing(accessLog, folder: logs.accessFolder, logs, writer)
    connectionLog = .replacing(connectionLog, folder: logs.connectionFolder, logs, writer)
  }

  func handOverLogs() {
    accessLog?.handOver()
    connectionLog?.handOver()
  }

  /// Zones or attributes changed: works out anew which targets get requests.
  func refreshUses() { for use in uses.values { use.refresh() } }

  static func microseconds(_ seconds: Double) -> UInt64 { UInt64(max(0.001, min(seconds, 1e9)) * 1e6) }
}

/// One of a load balancer's nodes: what came in through one zone.
final class NodeRuntime {
  unowned let balancer: LoadBalancerRuntime
  let zone: String?
  /// Its place among the load balancer's nodes.
  var index = 0
  var isShifted = false
  var isKnown = true
  var statistics: GateStatistics.LoadBalancer
  /// By target group.
  private(set) var groups: [String: GroupCounters] = [:]

  // Load balancers that are gone are kept by their listeners as long as connections have those.
  init(balancer: LoadBalancerRuntime, zone: String?) {
    self.balancer = balancer
    self.zone = zone
    statistics = GateStatistics.LoadBalancer(id: balancer.id)
    statistics.zone = zone
  }

  /// The counters of what goes to a target group through this node.
  func counters(of group: TargetGroupRuntime) -> GroupCounters {
    if let known = groups[group.id] { return known }
    let made = GroupCounters(group: group.id, loadBalancer: statistics.id, zone: zone)
    groups[group.id] = made
    return made
  }

  var groupStatistics: [GateStatistics.TargetGroup] { groups.values.map(\.statistics) }

  /// Lets go of the counters of groups that are gone.
  func keepGroups(where isKept: (String) -> Bool) {
    for id in groups.keys where !isKept(id) { groups[id] = nil }
  }
}

/// What went to a target group through one node of a load balancer.
final class GroupCounters {
  var statistics: GateStatistics.TargetGroup

  init(group: String, loadBalancer: String, zone: String?) {
    statistics = GateStatistics.TargetGroup(id: group)
    statistics.loadBalancer = loadBalancer
    statistics.zone = zone
  }
}

/// A load balancer's view of a target group: which targets each of its nodes sends requests to.
final class GroupUse {
  let group: TargetGroupRuntime
  private unowned let balancer: LoadBalancerRuntime
  /// By the index of the node; one for all with cross-zone load balancing.
  private var pools: [TargetPool] = []
  private var generation = -1

  init(group: TargetGroupRuntime, balancer: LoadBalancerRuntime) {
    self.group = group
    self.balancer = balancer
  }

  /// The targets for requests that came in through a node.
  @inline(__always)
  func pool(_ node: NodeRuntime) -> TargetPool {
    if generation != group.generation { refresh() }
    return pools.count == 1 ? pools[0] : pools[node.index]
  }

  /// Works the pools out anew; must be called when zones or attributes of the load balancer changed.
  func refresh() {
    generation = group.generation
    let crossesZones = group.crossZone ?? balancer.attributes.crossZone
    let wanted = crossesZones ? 1 : balancer.nodes.count
    while pools.count < wanted { pools.append(TargetPool(group: group, turn: group.turn &+ pools.count)) }
    pools.removeLast(pools.count - wanted)
    let shifted = balancer.shiftedZones
    let counters = balancer.nodes.map { $0.counters(of: group) }
    for (index, pool) in pools.enumerated() {
      pool.update(zone: crossesZones ? nil : balancer.nodes[index].zone, shifted: shifted)
      pool.counters = counters
    }
  }
}

/// The target groups of a forward action.
final class WeightedGroups {
  let groups: [(use: GroupUse, weight: Int)]
  /// Microseconds for which a client stays with a group; nil for not at all.
  let stickiness: UInt64?
  private let total: Int

  init(_ groups: [(use: GroupUse, weight: Int)], stickiness: Double?) {
    self.groups = groups
    self.stickiness = stickiness.map(LoadBalancerRuntime.microseconds)
    total = groups.reduce(0) { $0 + $1.weight }
  }

  /// The group for one request.
  @inline(__always)
  func choose(_ random: inout Random) -> GroupUse? {
    if groups.count == 1 { return groups[0].use }
    guard total > 0 else { return groups.first?.use }
    var pick = Int(random.next() % UInt64(total))
    for (use, weight) in groups {
      if pick < weight { return use }
      pick -= weight
    }
    return nil
  }
}
