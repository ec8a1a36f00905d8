// Hands the Gate's statistics to CloudWatch, minute by minute.

import AWSCore
import AWSWire
import CloudWatchModel
import GateProtocol
import Logging
import ServiceKit
import Store

/// One per service.
actor MetricsCollector {
  private let service: ELBv2Service
  private let gate: GateController
  private let shipper: LogShipper
  private var last: GateStatistics?
  private var minute = MetricMinute()
  private var health: [GateReconciler.TargetKey: GateTargetHealth] = [:]

  init(_ service: ELBv2Service, gate: GateController, shipper: LogShipper) {
    self.service = service
    self.gate = gate
    self.shipper = shipper
  }

  /// Collects until the task is cancelled.
  /// - Throws: `StoreError`.
  func run() async throws {
    for await event in await gate.events() {
      switch event {
      case .statistics(let statistics): try await take(statistics)
      case .health(let reports):
        for report in reports {
          health[.init(group: report.targetGroup, address: report.address, port: Int(report.port))] = report
        }
      case .applied, .attack, .webACL, .keysWanted: break
      }
    }
  }

  /// - Parameter statistics: of the Gate, every second.
  func take(_ statistics: GateStatistics) async throws {
    if let last, Self.minute(last) != Self.minute(statistics) {
      let done = minute
      minute = MetricMinute()
      minute.add(statistics, after: last)
      self.last = statistics
      try await tell(done, Timestamp(seconds: Double(Self.minute(last)) * 60))
      try await shipper.ship()
      return
    }
    minute.add(statistics, after: last)
    last = statistics
  }

  private static func minute(_ statistics: GateStatistics) -> Int { Int(statistics.time / 60) }

  private func tell(_ minute: MetricMinute, _ time: Timestamp) async throws {
    let (balancers, groups, users) = try await service.store.read { snapshot in
      let balancers = try snapshot.list(LoadBalancerRecord.self)
      var users: [String: Set<String>] = [:]
      for scope in Set(balancers.map(\.0)) { users.merge(try snapshot.usersOfTargetGroups(scope)) { $1 } }
      return (balancers, try snapshot.list(TargetGroupRecord.self).map(\.1), users)
    }
    var layout = MetricLayout(users: users)
    for group in groups where users[group.arn] != nil { layout.hosts[group.arn] = hosts(group) }
    for (scope, balancer) in balancers {
      let points = minute.points(balancer.arn, balancer.kind, layout)
      try await put(points.map { $0.datum(time) }, balancer.kind, scope)
    }
  }

  private func hosts(_ group: TargetGroupRecord) -> [String?: HostCount] {
    var counts: [String?: HostCount] = [nil: HostCount()]
    for target in group.targets where target.drainingSince == nil {
      let state = health[.init(group: group.arn, address: target.id, port: target.port)]?.state
      let zones: [String?] = target.zone == nil || target.zone == "all" ? [nil] : [nil, target.zone]
      for zone in zones {
        if state == .healthy { counts[zone, default: HostCount()].healthy += 1 }
        if state == .unhealthy || state == .unhealthyDraining { counts[zone, default: HostCount()].unhealthy += 1 }
      }
    }
    return counts
  }

  private func put(_ data: [CloudWatch.MetricDatum], _ kind: LoadBalancerKind, _ scope: Scope) async throws {
    let call = service.environment.call(
      as: ELBv2Service.servicePrincipal, account: scope.account, region: scope.region)
    for start in stride(from: 0, to: data.count, by: 500) {
      do {
        _ = try await call.invoke(
          CloudWatch.putMetricData,
          .make {
            $0.namespace = kind == .network ? "AWS/NetworkELB" : "AWS/ApplicationELB"
            $0.metricData = Array(data[start..<min(start + 500, data.count)])
          })
      } catch let error as AWSError {
        service.environment.logger.warning(
          "no metrics of load balancers", metadata: ["error": "\(error.message)"])
      }
    }
  }
}
