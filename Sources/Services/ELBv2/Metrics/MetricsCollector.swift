// Hands the Gate's statistics to CloudWatch, minute by minute.

import AWSCore
import AWSWire
import GateProtocol
import Logging
import MetricsKit
import ServiceKit
import Store

/// One per service.
actor MetricsCollector {
  private let environment: ServiceEnvironment
  private let gate: GateController
  private let ports: PortPlan
  private var last: GateStatistics?
  private var minute = MetricMinute()
  private var health: [GateReconciler.TargetKey: GateTargetHealth] = [:]

  init(_ environment: ServiceEnvironment, gate: GateController, ports: PortPlan) {
    self.environment = environment
    self.gate = gate
    self.ports = ports
  }

  /// Collects until the task is cancelled.
  /// - Parameter shipper: asked each minute to store what logs there are.
  /// - Throws: `StoreError`.
  func run(_ shipper: LogShipper) async throws {
    for await event in await gate.events() {
      switch event {
      case .statistics(let statistics):
        if try await take(statistics) { try await shipper.ship() }
      case .health(let reports):
        for report in reports {
          health[.init(group: report.targetGroup, address: report.address, port: Int(report.port))] = report
        }
      case .applied, .attack, .webACL, .keysWanted: break
      }
    }
  }

  /// - Parameter statistics: of the Gate, every second.
  /// - Returns: whether a minute was over, and told.
  func take(_ statistics: GateStatistics) async throws -> Bool {
    guard let last, Self.minute(last) != Self.minute(statistics) else {
      add(statistics)
      return false
    }
    let done = minute
    minute = MetricMinute()
    add(statistics)
    try await tell(done, Self.minute(last))
    return true
  }

  /// Tells what there is of the minute that goes on; what comes later is added to it.
  func tellNow() async throws {
    let statistics = try await gate.statistics()
    _ = try await take(statistics)
    let done = minute
    minute = MetricMinute()
    try await tell(done, Self.minute(statistics))
  }

  private func add(_ statistics: GateStatistics) {
    // Those that were asked for may overtake the others.
    if let last, last.workerStartedAt == statistics.workerStartedAt, last.time >= statistics.time { return }
    minute.add(statistics, after: last)
    last = statistics
  }

  /// Minutes since 1970.
  private static func minute(_ statistics: GateStatistics) -> Int { Int(statistics.time / 60) }

  private func tell(_ minute: MetricMinute, _ number: Int) async throws {
    let time = Timestamp(seconds: Double(number) * 60)
    let (scopes, desired, users) = try await environment.store.read { snapshot in
      let balancers = try snapshot.list(LoadBalancerRecord.self)
      var desired = DesiredState()
      desired.loadBalancers = balancers.map(\.1)
      desired.listeners = try snapshot.list(ListenerRecord.self).map(\.1)
      desired.targetGroups = try snapshot.list(TargetGroupRecord.self).map(\.1)
      var users: [String: Set<String>] = [:]
      for scope in Set(balancers.map(\.0)) { users.merge(try snapshot.usersOfTargetGroups(scope)) { $1 } }
      return (balancers.map(\.0), desired, users)
    }
    let layout = layout(desired, users)
    for (scope, balancer) in zip(scopes, desired.loadBalancers) {
      var points = minute.points(balancer.arn, balancer.kind, layout)
      if let reserved = balancer.capacity?.units, reserved > 0 {
        points.append(
          MetricPoint(
            name: "ReservedLCUs", dimensions: ["LoadBalancer": Names.fullName(loadBalancer: balancer.arn)],
            unit: "Count", value: Double(reserved)))
      }
      let call = environment.call(as: ELBv2Service.servicePrincipal, account: scope.account, region: scope.region)
      await call.put(points, in: balancer.kind == .network ? "AWS/NetworkELB" : "AWS/ApplicationELB", at: time)
    }
  }

  private func layout(_ desired: DesiredState, _ users: [String: Set<String>]) -> MetricLayout {
    var layout = MetricLayout(users: users)
    let balancers = Dictionary(desired.loadBalancers.map { ($0.arn, $0) }, uniquingKeysWith: { $1 })
    for group in desired.targetGroups where users[group.arn] != nil {
      let known = GroupHealth(group: group) { target in
        guard let place = desired.place(of: target, in: group, self.ports) else { return nil }
        return self.health[.init(group: group.arn, address: place.address, port: place.port)]?.state
      }
      layout.hosts[group.arn] = known.hosts()
      for balancer in (users[group.arn] ?? []).compactMap({ balancers[$0] }) {
        layout.zones[balancer.arn, default: [:]][group.arn] = known.zones(of: balancer)
        if known.crossesZones(of: balancer) { layout.crossesZones[balancer.arn, default: []].insert(group.arn) }
      }
    }
    return layout
  }
}
