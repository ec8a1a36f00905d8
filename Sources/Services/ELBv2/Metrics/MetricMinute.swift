// One minute of every load balancer, and what CloudWatch is told of it.

import AWSCore
import AWSWire
import CloudWatchModel
import GateProtocol

/// Collects the Gate's statistics of one minute.
struct MetricMinute: Sendable {
  var loadBalancers: [String: MetricDelta] = [:]
  /// The same by load balancer and zone.
  var nodes: [String: [String: MetricDelta]] = [:]
  var targetGroups: [String: MetricDelta] = [:]
  /// The most connections that were open at once, by load balancer.
  var activeConnections: [String: Int] = [:]

  /// Adds what happened between two statistics.
  mutating func add(_ now: GateStatistics, after before: GateStatistics?) {
    let old = before.flatMap { $0.workerStartedAt == now.workerStartedAt ? $0 : nil }
    let balancers = Dictionary((old?.loadBalancers ?? []).map { ($0.id, $0) }, uniquingKeysWith: { $1 })
    for balancer in now.loadBalancers {
      // The first statistics of a worker that was there before this control plane tell nothing of this minute.
      if before == nil { continue }
      let earlier = balancers[balancer.id]
      var delta = MetricDelta.of(balancer, before: earlier)
      let seconds = now.time - (old?.time ?? now.time)
      delta.capacityUnits =
        earlier.map { balancer.consumedCapacityUnits(since: $0, seconds: seconds) * seconds / 60 } ?? 0
      loadBalancers[balancer.id, default: MetricDelta()].merge(delta)
      activeConnections[balancer.id] = max(activeConnections[balancer.id] ?? 0, balancer.activeConnections)
    }
    let zones = Dictionary((old?.nodes ?? []).map { ("\($0.id) \($0.zone ?? "")", $0) }, uniquingKeysWith: { $1 })
    for node in now.nodes where before != nil {
      let zone = node.zone ?? ""
      nodes[node.id, default: [:]][zone, default: MetricDelta()].merge(.of(node, before: zones["\(node.id) \(zone)"]))
    }
    let networks = Dictionary((old?.networkLoadBalancers ?? []).map { ($0.id, $0) }, uniquingKeysWith: { $1 })
    for balancer in now.networkLoadBalancers where before != nil {
      loadBalancers[balancer.id, default: MetricDelta()].merge(.of(balancer, before: networks[balancer.id]))
      activeConnections[balancer.id] = max(activeConnections[balancer.id] ?? 0, balancer.activeFlows)
    }
    let groups = Dictionary((old?.targetGroups ?? []).map { ($0.id, $0) }, uniquingKeysWith: { $1 })
    for group in now.targetGroups where before != nil {
      targetGroups[group.id, default: MetricDelta()].merge(.of(group, before: groups[group.id]))
    }
  }
}

/// Healthy and unhealthy targets of a target group, those of a zone apart.
struct HostCount: Sendable, Equatable {
  var healthy = 0
  var unhealthy = 0
}

/// Who is who, when a minute is told.
struct MetricLayout: Sendable {
  /// Target group → its load balancers.
  var users: [String: Set<String>] = [:]
  /// Target group → zone (nil for all) → its hosts; only of groups whose targets are probed.
  var hosts: [String: [String?: HostCount]] = [:]
}

/// A metric, before it is CloudWatch's shape.
struct MetricPoint: Sendable, Equatable {
  var name: String
  var dimensions: [String: String]
  var unit: String
  var value: Double?
  var values: [Double] = []
  var counts: [Double] = []

  /// - Parameter time: the minute's begin.
  func datum(_ time: Timestamp) -> CloudWatch.MetricDatum {
    .make {
      $0.metricName = name
      $0.dimensions = dimensions.sorted { $0.key < $1.key }.map { key, value in
        .make {
          $0.name = key
          $0.value = value
        }
      }
      $0.timestamp = time
      $0.unit = unit
      $0.value = value
      if value == nil {
        $0.values = values
        $0.counts = counts
      }
    }
  }
}

extension MetricMinute {
  /// The metrics of one load balancer: AWS's names and dimensions. What is zero is not told, as on AWS, but for hosts.
  func points(_ balancer: String, _ kind: LoadBalancerKind, _ layout: MetricLayout) -> [MetricPoint] {
    let dimensions = ["LoadBalancer": Names.fullName(loadBalancer: balancer)]
    var points = counts(loadBalancers[balancer]?.counts ?? [:], dimensions)
    if let active = activeConnections[balancer], active > 0 {
      let name = kind == .application ? "ActiveConnectionCount" : "ActiveFlowCount"
      points.append(.init(name: name, dimensions: dimensions, unit: "Count", value: Double(active)))
    }
    guard kind == .application else { return points + hosts(balancer, layout) }
    if let units = loadBalancers[balancer]?.capacityUnits, units > 0 {
      points.append(.init(name: "ConsumedLCUs", dimensions: dimensions, unit: "Count", value: units))
    }
    for (zone, delta) in (nodes[balancer] ?? [:]).sorted(by: { $0.key < $1.key }) {
      points += counts(delta.counts, dimensions.merging(["AvailabilityZone": zone]) { $1 })
    }
    var all = MetricDelta()
    for group in groups(of: balancer, layout) {
      guard let delta = targetGroups[group] else { continue }
      all.merge(delta)
      let own = ["TargetGroup": Names.fullName(targetGroup: group)]
      let both = own.merging(dimensions) { $1 }
      points += counts(delta.counts, both) + latency(delta.latency, both)
      if let requests = delta.counts["RequestCount"] {
        // Spread over the targets that could take them.
        let healthy = max(1, layout.hosts[group]?[nil]?.healthy ?? 1)
        for place in [own, both] {
          points.append(
            .init(
              name: "RequestCountPerTarget", dimensions: place, unit: "Count",
              value: Double(requests) / Double(healthy)))
        }
      }
    }
    points += latency(all.latency, dimensions)
    for name in ["TargetConnectionErrorCount", "TargetTLSNegotiationErrorCount"] {
      points += counts(all.counts.filter { $0.key == name }, dimensions)
    }
    return points + hosts(balancer, layout)
  }

  private func groups(of balancer: String, _ layout: MetricLayout) -> [String] {
    layout.users.filter { $0.value.contains(balancer) }.keys.sorted()
  }

  private func counts(_ counts: [String: UInt64], _ dimensions: [String: String]) -> [MetricPoint] {
    counts.sorted { $0.key < $1.key }.filter { $0.value > 0 }.map { name, count in
      MetricPoint(
        name: name, dimensions: dimensions, unit: name == "ProcessedBytes" ? "Bytes" : "Count", value: Double(count))
    }
  }

  /// Values and counts out of the histogram's buckets, at most as many to a datum as CloudWatch takes.
  private func latency(_ histogram: GateHistogram, _ dimensions: [String: String]) -> [MetricPoint] {
    let filled = histogram.counts.enumerated().filter { $0.element > 0 }
    return stride(from: 0, to: filled.count, by: 150).map { start in
      let part = filled[start..<min(start + 150, filled.count)]
      return MetricPoint(
        name: "TargetResponseTime", dimensions: dimensions, unit: "Seconds",
        values: part.map { Self.middle($0.offset) }, counts: part.map { Double($0.element) })
    }
  }

  /// The middle of a bucket, in seconds.
  private static func middle(_ bucket: Int) -> Double {
    let upper = GateHistogram.upperBound(of: bucket)
    return bucket == 0 ? upper / 2 : (upper + GateHistogram.upperBound(of: bucket - 1)) / 2
  }

  private func hosts(_ balancer: String, _ layout: MetricLayout) -> [MetricPoint] {
    let dimensions = ["LoadBalancer": Names.fullName(loadBalancer: balancer)]
    return groups(of: balancer, layout).flatMap { group in
      (layout.hosts[group] ?? [:]).sorted { $0.key ?? "" < $1.key ?? "" }.flatMap { zone, hosts in
        var place = dimensions
        place["TargetGroup"] = Names.fullName(targetGroup: group)
        place["AvailabilityZone"] = zone
        return [("HealthyHostCount", hosts.healthy), ("UnHealthyHostCount", hosts.unhealthy)].map { name, count in
          MetricPoint(name: name, dimensions: place, unit: "Count", value: Double(count))
        }
      }
    }
  }
}
