// What CloudWatch is told of a minute: AWS's names and dimensions.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-cloudwatch-metrics.html

import GateProtocol
import MetricsKit

extension MetricPoint {
  /// Requests are samples of one each, as on AWS; other counts are one sample a minute.
  static func count(_ name: String, _ dimensions: [String: String], _ count: UInt64) -> MetricPoint {
    let isOfRequests =
      name == "RequestCount" || name == "GrpcRequestCount" || name.hasPrefix("HTTPCode_Target")
      || name == "HTTPCode_ELB_4XX_Count" || name == "HTTPCode_ELB_5XX_Count"
    if isOfRequests, count > 0 {
      return MetricPoint(name: name, dimensions: dimensions, unit: "Count", values: [1], counts: [Double(count)])
    }
    return MetricPoint(
      name: name, dimensions: dimensions, unit: name.hasPrefix("ProcessedBytes") ? "Bytes" : "Count",
      value: Double(count))
  }
}

extension MetricMinute {
  /// Told even if zero, while there is traffic.
  private static let always: [LoadBalancerKind: Set<String>] = [
    .application: ["RequestCount", "ForwardedInvalidHeaderRequestCount"],
    .network: [
      "NewFlowCount", "ProcessedBytes", "RejectedFlowCount", "TCP_Client_Reset_Count", "TCP_ELB_Reset_Count",
      "TCP_Target_Reset_Count", "PortAllocationErrorCount",
    ],
  ]
  /// Of target groups, what is told of their load balancer as well.
  private static let shared: Set<String> = [
    "GrpcRequestCount", "TargetConnectionErrorCount", "TargetTLSNegotiationErrorCount", "TargetResponseTime",
  ]

  /// The metrics of one load balancer.
  func points(_ balancer: String, _ kind: LoadBalancerKind, _ layout: MetricLayout) -> [MetricPoint] {
    let all = ["LoadBalancer": Names.fullName(loadBalancer: balancer)]
    var points: [MetricPoint] = []
    for place in places(of: balancer) {
      points += self.points(place, kind, all.in(place.zone))
    }
    points += (units[balancer] ?? [:]).sorted { $0.key < $1.key }.filter { $0.value > 0 }.map { name, used in
      MetricPoint(name: name, dimensions: all, unit: "Count", value: used)
    }
    for group in layout.groups(of: balancer) {
      let dimensions = all.merging(["TargetGroup": Names.fullName(targetGroup: group)]) { $1 }
      points += hosts(group, balancer, layout, dimensions)
      if kind == .application {
        points += traffic(group, balancer, layout, dimensions)
        points += health(group, balancer, layout, dimensions)
      }
    }
    return points + (kind == .network ? zonalHealth(balancer, layout, all) : [])
  }

  // MARK: - Of load balancers and their nodes

  private func places(of balancer: String) -> [MetricPlace] {
    balancers.keys.filter { $0.id == balancer }.sorted { $0.zone ?? "" < $1.zone ?? "" }
  }

  private func points(_ place: MetricPlace, _ kind: LoadBalancerKind, _ dimensions: [String: String]) -> [MetricPoint] {
    var delta = balancers[place] ?? MetricDelta()
    if kind == .application {
      // Rules are the whole load balancer's.
      if place.zone != nil { delta.counts["RuleEvaluations"] = nil }
      for group in groups.values { if let own = group[place] { delta.merge(own.only(Self.shared)) } }
    }
    let gauges = (gauges[place] ?? [:]).filter { $0.value > 0 }
    let isBusy = !delta.counts.isEmpty || !gauges.isEmpty
    if isBusy { for name in Self.always[kind] ?? [] { delta.counts[name, default: 0] += 0 } }
    var points = told(delta, dimensions)
    for (name, value) in gauges.sorted(by: { $0.key < $1.key }) {
      points.append(MetricPoint(name: name, dimensions: dimensions, unit: "Count", value: value))
    }
    if kind == .network, isBusy {
      if gauges["ActiveFlowCount"] == nil {
        points.append(MetricPoint(name: "ActiveFlowCount", dimensions: dimensions, unit: "Count", value: 0))
      }
      let peak = Double(bytes[place]?.values.max() ?? 0) / 10
      points.append(
        MetricPoint(name: "PeakBytesPerSecond", dimensions: dimensions, unit: "Bytes/Second", value: peak))
    }
    return points
  }

  /// Whether each zone of a network load balancer has targets enough, and its load.
  private func zonalHealth(_ balancer: String, _ layout: MetricLayout, _ all: [String: String]) -> [MetricPoint] {
    var zones: [String: Bool] = [:]
    for group in (layout.zones[balancer] ?? [:]).values {
      for (zone, health) in group { zones[zone] = (zones[zone] ?? true) && health.isEnoughForDNS }
    }
    for zone in shifted[balancer] ?? [] where zones[zone] != nil { zones[zone] = false }
    return zones.sorted { $0.key < $1.key }.flatMap { zone, isHealthy in
      [all, all.in(zone)].map {
        MetricPoint(name: "ZonalHealthStatus", dimensions: $0, unit: "Count", value: isHealthy ? 1 : 0)
      }
    }
  }

  // MARK: - Of target groups

  private func traffic(
    _ group: String, _ balancer: String, _ layout: MetricLayout, _ dimensions: [String: String]
  ) -> [MetricPoint] {
    let own = (groups[group] ?? [:]).filter { $0.key.id == balancer }.sorted { $0.key.zone ?? "" < $1.key.zone ?? "" }
    return own.flatMap { place, delta in
      var points = told(delta, dimensions.in(place.zone))
      guard let requests = delta.counts["RequestCount"] else { return points }
      // Spread over the targets that could take them.
      let reaches = place.zone == nil || (layout.crossesZones[balancer]?.contains(group) ?? false)
      let hosts = layout.hosts[group]?[reaches ? nil : place.zone]
      let each = Double(requests) / Double(max(1, hosts?.healthy ?? 1))
      var wheres = [dimensions.in(place.zone)]
      if place.zone == nil { wheres.append(dimensions.filter { $0.key == "TargetGroup" }) }
      for dimensions in wheres {
        points.append(
          MetricPoint(name: "RequestCountPerTarget", dimensions: dimensions, unit: "Count", value: each))
      }
      return points
    }
  }

  private func hosts(
    _ group: String, _ balancer: String, _ layout: MetricLayout, _ dimensions: [String: String]
  ) -> [MetricPoint] {
    let hosts = (layout.hosts[group] ?? [:]).sorted { $0.key ?? "" < $1.key ?? "" }
    var points = hosts.flatMap { zone, hosts in
      [("HealthyHostCount", hosts.healthy), ("UnHealthyHostCount", hosts.unhealthy)].map { name, count in
        MetricPoint(name: name, dimensions: dimensions.in(zone), unit: "Count", value: Double(count))
      }
    }
    // Targets that get nothing because their zone is shifted away.
    let zones = (shifted[balancer] ?? []).sorted().compactMap { zone in
      layout.hosts[group]?[zone].map { (zone, $0.healthy + $0.unhealthy) }
    }
    for (zone, count) in zones.map({ (Optional($0.0), $0.1) }) + [(nil, zones.reduce(0) { $0 + $1.1 })] where count > 0
    {
      points.append(
        MetricPoint(
          name: "ZonalShiftedHostCount", dimensions: dimensions.in(zone), unit: "Count", value: Double(count)))
    }
    return points
  }

  private func health(
    _ group: String, _ balancer: String, _ layout: MetricLayout, _ dimensions: [String: String]
  ) -> [MetricPoint] {
    var points: [MetricPoint] = []
    func add(_ name: String, _ zone: String?, _ value: Int) {
      points.append(MetricPoint(name: name, dimensions: dimensions.in(zone), unit: "Count", value: Double(value)))
    }
    for (place, hosts) in unusual.filter({ $0.key.id == group }).sorted(by: { $0.key.zone ?? "" < $1.key.zone ?? "" }) {
      add("AnomalousHostCount", place.zone, hosts.anomalous)
      add("MitigatedHostCount", place.zone, hosts.mitigated)
    }
    let zones = (layout.zones[balancer]?[group] ?? [:]).sorted { $0.key < $1.key }
    guard !zones.isEmpty else { return points }
    for (zone, health) in zones {
      add("HealthyStateDNS", zone, health.isEnoughForDNS ? 1 : 0)
      add("UnhealthyStateDNS", zone, health.isEnoughForDNS ? 0 : 1)
      add("HealthyStateRouting", zone, health.isEnoughForRouting ? 1 : 0)
      add("UnhealthyStateRouting", zone, health.isEnoughForRouting ? 0 : 1)
    }
    let dns = zones.count { $0.value.isEnoughForDNS }
    let routing = zones.count { $0.value.isEnoughForRouting }
    add("HealthyStateDNS", nil, dns)
    add("UnhealthyStateDNS", nil, zones.count - dns)
    add("HealthyStateRouting", nil, routing)
    add("UnhealthyStateRouting", nil, zones.count - routing)
    return points
  }

  // MARK: - Shapes

  private func told(_ delta: MetricDelta, _ dimensions: [String: String]) -> [MetricPoint] {
    let counts = delta.counts.sorted { $0.key < $1.key }.map { MetricPoint.count($0, dimensions, $1) }
    return counts + delta.times.sorted { $0.key < $1.key }.flatMap { told($0, $1, dimensions) }
  }

  /// Values and counts out of the histogram's buckets, at most as many to a datum as CloudWatch takes.
  private func told(_ name: String, _ histogram: GateHistogram, _ dimensions: [String: String]) -> [MetricPoint] {
    let isOfProvider = name == "ELBAuthLatency"
    let filled = histogram.counts.enumerated().filter { $0.element > 0 }
    return stride(from: 0, to: filled.count, by: 150).map { start in
      let part = filled[start..<min(start + 150, filled.count)]
      return MetricPoint(
        name: name, dimensions: dimensions, unit: isOfProvider ? "Milliseconds" : "Seconds",
        values: part.map { Self.middle($0.offset) * (isOfProvider ? 1000 : 1) },
        counts: part.map { Double($0.element) })
    }
  }

  /// The middle of a bucket, in seconds.
  private static func middle(_ bucket: Int) -> Double {
    let upper = GateHistogram.upperBound(of: bucket)
    return bucket == 0 ? upper / 2 : (upper + GateHistogram.upperBound(of: bucket - 1)) / 2
  }
}

extension [String: String] {
  /// The same in one zone; nil for all of them.
  fileprivate func `in`(_ zone: String?) -> [String: String] {
    guard let zone else { return self }
    return merging(["AvailabilityZone": zone]) { $1 }
  }
}
