// The counters of all loops, added up.
import GateProtocol
import WebACL

/// Adds the reports of loops.
struct StatisticsMerger {
  private var balancers: [String: GateStatistics.LoadBalancer] = [:]
  /// By load balancer and zone.
  private var nodes: [String: [String: GateStatistics.LoadBalancer]] = [:]
  private var groups: [String: GateStatistics.TargetGroup] = [:]
  /// By target group, load balancer and zone.
  private var groupNodes: [String: [String: GateStatistics.TargetGroup]] = [:]
  private var targets: [String: GateStatistics.Target] = [:]
  private var endpoints: [String: GateStatistics.Endpoint] = [:]
  private var networks: [String: GateStatistics.NetworkLoadBalancer] = [:]
  private var networkNodes: [String: [String: GateStatistics.NetworkLoadBalancer]] = [:]
  private struct WebACLSums {
    var metricName: String?
    var counters: [WebACLCounter] = []
    var places: [WebACLCounter.Key: Int] = [:]
  }

  private var webACLs: [String: WebACLSums] = [:]

  mutating func add(_ report: LoopReport) {
    for item in report.webACLs { add(item) }
    for item in report.loadBalancers {
      balancers[item.id, default: .init(id: item.id)].add(item)
      guard let zone = item.zone else { continue }
      var node = nodes[item.id]?[zone] ?? .init(id: item.id)
      node.zone = zone
      node.add(item)
      nodes[item.id, default: [:]][zone] = node
    }
    for item in report.targetGroups { add(item) }
    for item in report.targets {
      targets[
        Self.key(item.targetGroup, item.address, item.port),
        default: .init(targetGroup: item.targetGroup, address: item.address, port: item.port)
      ].add(item)
    }
    for item in report.endpoints { endpoints[item.id, default: .init(id: item.id)].add(item) }
    for item in report.networkLoadBalancers {
      networks[item.id, default: .init(id: item.id)].add(item)
      guard let zone = item.zone else { continue }
      var node = networkNodes[item.id]?[zone] ?? .init(id: item.id)
      node.zone = zone
      node.add(item)
      networkNodes[item.id, default: [:]][zone] = node
    }
  }

  private mutating func add(_ item: GateStatistics.TargetGroup) {
    groups[item.id, default: .init(id: item.id)].add(item)
    guard let balancer = item.loadBalancer else { return }
    let key = "\(balancer) \(item.zone ?? "")"
    var node = groupNodes[item.id]?[key] ?? .init(id: item.id)
    node.loadBalancer = balancer
    node.zone = item.zone
    node.add(item)
    groupNodes[item.id, default: [:]][key] = node
  }

  private static func key(_ group: String, _ address: String, _ port: UInt16) -> String {
    "\(address):\(port) \(group)"
  }

  /// The sums, in the order of the snapshot.
  func statistics(time: Double, workerStartedAt: Double, in snapshot: GateSnapshot) -> GateStatistics {
    var statistics = GateStatistics(
      time: time, workerStartedAt: workerStartedAt,
      loadBalancers: snapshot.loadBalancers.compactMap { balancers[$0.id] },
      nodes: snapshot.loadBalancers.flatMap { balancer in balancer.zones.compactMap { nodes[balancer.id]?[$0.name] } },
      targetGroups: snapshot.targetGroups.compactMap { groups[$0.id] },
      targets: snapshot.targetGroups.flatMap { group in
        group.targets.compactMap { targets[Self.key(group.id, $0.address, $0.port)] }
      },
      endpoints: snapshot.endpoints.compactMap { endpoints[$0.id] })
    statistics.groupNodes = snapshot.targetGroups.flatMap { group in
      (groupNodes[group.id] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    }
    statistics.networkLoadBalancers = (snapshot.networkLoadBalancers ?? []).compactMap { networks[$0.id] }
    statistics.networkNodes = (snapshot.networkLoadBalancers ?? []).flatMap { balancer in
      (networkNodes[balancer.id] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    }
    if !webACLs.isEmpty {
      statistics.webACLs = webACLs.sorted { $0.key < $1.key }.map {
        GateStatistics.WebACL(id: $0.key, counters: $0.value.counters, metricName: $0.value.metricName)
      }
    }
    return statistics
  }

  private mutating func add(_ acl: GateStatistics.WebACL) {
    var sums = webACLs[acl.id] ?? WebACLSums()
    sums.metricName = acl.metricName
    for counter in acl.counters {
      if let index = sums.places[counter.key] {
        sums.counters[index].add(counter)
      } else {
        sums.places[counter.key] = sums.counters.count
        sums.counters.append(counter)
      }
    }
    webACLs[acl.id] = sums
  }
}

extension GateStatistics.Target {
  fileprivate mutating func add(_ other: Self) {
    requests += other.requests
    codes.add(other.codes)
    zone = other.zone
    isAnomalous = isAnomalous || other.isAnomalous
    isMitigated = isMitigated || other.isMitigated
    connectionErrors += other.connectionErrors
    activeRequests += other.activeRequests
    connections += other.connections
    latency.merge(other.latency)
  }
}

extension GateStatistics.Endpoint {
  fileprivate mutating func add(_ other: Self) {
    connections += other.connections
    activeConnections += other.activeConnections
    refused += other.refused
    bytesIn += other.bytesIn
    bytesOut += other.bytesOut
  }
}
