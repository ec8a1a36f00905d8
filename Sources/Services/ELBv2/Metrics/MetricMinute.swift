// One minute of every load balancer, collected from the Gate's statistics.

import GateProtocol

/// A load balancer or target group, or the part of it in one zone.
struct MetricPlace: Sendable, Hashable {
  var id: String
  /// nil for all of it.
  var zone: String?
}

/// Targets of a group that some loop found unusual (anomaly detection).
struct UnusualHosts: Sendable, Equatable {
  var anomalous = 0
  var mitigated = 0
}

/// Collects the Gate's statistics of one minute.
struct MetricMinute: Sendable {
  private struct GroupNode: Hashable {
    var group: String
    var node: MetricPlace
  }

  private(set) var balancers: [MetricPlace: MetricDelta] = [:]
  /// Target group → load balancer or node.
  private(set) var groups: [String: [MetricPlace: MetricDelta]] = [:]
  /// The most at once, by metric.
  private(set) var gauges: [MetricPlace: [String: Double]] = [:]
  /// Bytes by the ten seconds in which they passed.
  private(set) var bytes: [MetricPlace: [Int: UInt64]] = [:]
  /// Capacity units by metric.
  private(set) var units: [String: [String: Double]] = [:]
  /// By target group, the most at once; only of groups with targets.
  private(set) var unusual: [MetricPlace: UnusualHosts] = [:]
  /// Zones from which load is shifted away, by load balancer.
  private(set) var shifted: [String: Set<String>] = [:]

  /// Adds what happened between two statistics.
  mutating func add(_ now: GateStatistics, after before: GateStatistics?) {
    // The first statistics of a worker that was there before this control plane tell nothing of this minute.
    guard let before else { return }
    let old = before.workerStartedAt == now.workerStartedAt ? before : nil
    let seconds = now.time - (old?.time ?? now.time)
    addApplication(now, old, seconds)
    addNetwork(now, old, seconds)
    addGroups(now, old)
    addHosts(now)
  }

  // MARK: - Load balancers

  private mutating func addApplication(_ now: GateStatistics, _ old: GateStatistics?, _ seconds: Double) {
    let all = now.loadBalancers + now.nodes
    let earlier = Self.table((old?.loadBalancers ?? []) + (old?.nodes ?? []), \.place)
    for item in all {
      balancers[item.place, default: MetricDelta()].merge(.of(item, before: earlier[item.place]))
      raise(item.place, "ActiveConnectionCount", item.activeConnections + item.targetConnections)
      if let zone = item.zone {
        if item.isShifted { shifted[item.id, default: []].insert(zone) }
      } else if let before = earlier[item.place] {
        let used = item.consumedCapacityUnits(since: before, seconds: seconds)
        units[item.id, default: [:]]["ConsumedLCUs", default: 0] += used * seconds / 60
        raiseUnits(item.id, "PeakLCUs", used)
      }
    }
  }

  private mutating func addNetwork(_ now: GateStatistics, _ old: GateStatistics?, _ seconds: Double) {
    let all = now.networkLoadBalancers + now.networkNodes
    let earlier = Self.table((old?.networkLoadBalancers ?? []) + (old?.networkNodes ?? []), \.place)
    for item in all {
      let before = earlier[item.place]
      let delta = MetricDelta.of(item, before: before)
      balancers[item.place, default: MetricDelta()].merge(delta)
      raise(item.place, "ActiveFlowCount", item.activeFlows)
      raise(item.place, "ActiveFlowCount_TCP", item.activeFlows - item.activeFlowsTLS - item.activeFlowsUDP)
      raise(item.place, "ActiveFlowCount_TLS", item.activeFlowsTLS)
      raise(item.place, "ActiveFlowCount_UDP", item.activeFlowsUDP)
      bytes[item.place, default: [:]][Int(now.time / 10), default: 0] += delta.counts["ProcessedBytes"] ?? 0
      if let zone = item.zone {
        if item.isShifted { shifted[item.id, default: []].insert(zone) }
      } else if let before {
        // Each protocol has its own price, and they add up.
        for (name, used) in item.consumedCapacityUnits(since: before, seconds: seconds) where used > 0 {
          units[item.id, default: [:]]["ConsumedLCUs_\(name)", default: 0] += used * seconds / 60
          units[item.id, default: [:]]["ConsumedLCUs", default: 0] += used * seconds / 60
        }
      }
    }
  }

  private mutating func raise(_ place: MetricPlace, _ name: String, _ value: Int) {
    gauges[place, default: [:]][name] = max(gauges[place]?[name] ?? 0, Double(value))
  }

  private mutating func raiseUnits(_ id: String, _ name: String, _ value: Double) {
    units[id, default: [:]][name] = max(units[id]?[name] ?? 0, value)
  }

  // MARK: - Target groups

  private mutating func addGroups(_ now: GateStatistics, _ old: GateStatistics?) {
    func key(_ item: GateStatistics.TargetGroup) -> GroupNode {
      GroupNode(group: item.id, node: MetricPlace(id: item.loadBalancer ?? "", zone: item.zone))
    }
    let earlier = Self.table(old?.groupNodes ?? [], key)
    for item in now.groupNodes {
      let node = key(item).node
      let delta = MetricDelta.of(item, before: earlier[key(item)])
      groups[item.id, default: [:]][MetricPlace(id: node.id, zone: nil), default: MetricDelta()].merge(delta)
      if node.zone != nil { groups[item.id, default: [:]][node, default: MetricDelta()].merge(delta) }
    }
  }

  private mutating func addHosts(_ now: GateStatistics) {
    var hosts: [MetricPlace: UnusualHosts] = [:]
    for target in now.targets {
      for zone in target.zone == nil ? [nil] : [nil, target.zone] {
        let place = MetricPlace(id: target.targetGroup, zone: zone)
        hosts[place, default: UnusualHosts()].anomalous += target.isAnomalous ? 1 : 0
        hosts[place, default: UnusualHosts()].mitigated += target.isMitigated ? 1 : 0
      }
    }
    unusual.merge(hosts) {
      UnusualHosts(anomalous: max($0.anomalous, $1.anomalous), mitigated: max($0.mitigated, $1.mitigated))
    }
  }

  private static func table<Item, Key: Hashable>(_ items: [Item], _ key: (Item) -> Key) -> [Key: Item] {
    Dictionary(items.map { (key($0), $0) }, uniquingKeysWith: { $1 })
  }
}

extension GateStatistics.LoadBalancer {
  fileprivate var place: MetricPlace { MetricPlace(id: id, zone: zone) }
}

extension GateStatistics.NetworkLoadBalancer {
  fileprivate var place: MetricPlace { MetricPlace(id: id, zone: zone) }
}
