// Where the flows of a network load balancer go: a node for its zone, a target of a group.
import GateProtocol

/// One of a network load balancer's nodes.
struct FlowNode {
  /// nil for a node that belongs to no zone.
  var zone: String?
  /// Taken out by a zonal shift: no flows come in through it.
  var isShifted = false
  var counters: FlowCounters
}

/// A network load balancer's view of a target group: which targets each of its nodes sends flows to.
final class FlowGroupUse {
  let group: TargetGroupRuntime
  private unowned let balancer: NetworkRuntime
  /// By the index of the node; one for all with cross-zone load balancing.
  private var pools: [TargetPool] = []
  /// The nodes through which flows come in.
  private var open: [Int] = []
  private var crossesZones = true
  private var generation = -1

  init(group: TargetGroupRuntime, balancer: NetworkRuntime) {
    self.group = group
    self.balancer = balancer
  }

  /// Works the pools out anew; must be called when zones or attributes of the load balancer changed.
  func refresh() {
    generation = group.generation
    crossesZones = group.crossZone ?? balancer.crossesZones
    let nodes = balancer.nodes
    let wanted = crossesZones ? 1 : nodes.count
    while pools.count < wanted { pools.append(TargetPool(group: group, turn: 0)) }
    pools.removeLast(pools.count - wanted)
    let shifted = Set(nodes.filter(\.isShifted).compactMap(\.zone))
    for (index, pool) in pools.enumerated() {
      pool.update(zone: crossesZones ? nil : nodes[index].zone, shifted: shifted)
    }
    // DNS leaves out a node that is shifted, or whose zone has too few healthy targets; when that would be all of them it
    // leaves out none. Where nodes have the same targets their counters are taken in turn.
    open = crossesZones ? [0] : nodes.indices.filter { !nodes[$0].isShifted && pools[$0].isInDNS }
    if open.isEmpty { open = nodes.indices.filter { !pools[$0].eligible.isEmpty } }
    if open.isEmpty { open = [0] }
  }

  /// The node through which a flow of this hash comes in: in turn, or always the same when clients stay together.
  func node(forFlow hash: UInt64) -> Int {
    if generation != group.generation { refresh() }
    if open.count == 1 { return open[0] }
    let number = group.flow.isSticky ? Int(truncatingIfNeeded: hash >> 33) : balancer.nextTurn()
    return open[number % open.count]
  }

  /// The counters of a flow that comes in through a node.
  func counters(node: Int) -> FlowCounters {
    if !crossesZones, balancer.nodes.indices.contains(node) { return balancer.nodes[node].counters }
    return balancer.nextCounters()
  }

  /// The target of a flow: the same as long as it may be used, whatever happens to others (the one whose address, mixed
  /// with the flow's number, gives the highest number).
  func target(forFlow hash: UInt64, node: Int, now: UInt64, except tried: [TargetRuntime]) -> TargetRuntime? {
    if generation != group.generation { refresh() }
    guard let pool = pool(of: node) else { return nil }
    var best: TargetRuntime?
    var bestScore: UInt64 = 0
    for target in pool.eligible {
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

  private func pool(of node: Int) -> TargetPool? {
    pools.count == 1 ? pools[0] : pools.indices.contains(node) ? pools[node] : nil
  }

  /// Whether too few of a node's targets are healthy, so that all of them get flows.
  func failsOpen(node: Int) -> Bool { pool(of: node)?.failsOpen ?? false }

  /// Whether some node sends new flows to a target.
  func offers(_ target: TargetRuntime) -> Bool {
    if generation != group.generation { refresh() }
    return pools.contains { pool in pool.eligible.contains { $0 === target } }
  }
}

/// The target groups of a network load balancer's listener.
final class FlowGroups {
  private let groups: [(use: FlowGroupUse, weight: Int)]
  private let total: Int

  init(_ groups: [(use: FlowGroupUse, weight: Int)]) {
    self.groups = groups
    total = groups.reduce(0) { $0 + $1.weight }
  }

  /// The group for one flow.
  func choose(_ random: inout Random) -> FlowGroupUse? {
    guard groups.count > 1, total > 0 else { return groups.first?.use }
    var pick = Int(random.next() % UInt64(total))
    for (use, weight) in groups {
      if pick < weight { return use }
      pick -= weight
    }
    return nil
  }

  /// Whether new flows may go to a target.
  func offer(_ target: TargetRuntime) -> Bool {
    groups.contains { $0.use.group === target.group && $0.use.offers(target) }
  }
}
