// Who is who when a minute is told: target groups, their load balancers, and how their targets are.

import GateProtocol

/// Healthy and unhealthy targets of a target group, those of a zone apart.
struct HostCount: Sendable, Equatable {
  var healthy = 0
  var unhealthy = 0
}

/// Whether a target group has targets enough in a zone of a load balancer.
struct ZoneHealth: Sendable, Equatable {
  /// Enough for the zone to stay in DNS (`target_group_health.dns_failover.*`).
  var isEnoughForDNS = false
  /// Enough for unhealthy targets to get nothing (`target_group_health.unhealthy_state_routing.*`).
  var isEnoughForRouting = false
}

struct MetricLayout: Sendable {
  /// Target group → its load balancers.
  var users: [String: Set<String>] = [:]
  /// Target group → zone (nil for all) → its hosts; only of groups whose targets are probed.
  var hosts: [String: [String?: HostCount]] = [:]
  /// Load balancer → target group → zone.
  var zones: [String: [String: [String: ZoneHealth]]] = [:]
  /// Nodes use the targets of other zones, too; load balancer → target groups.
  var crossesZones: [String: Set<String>] = [:]

  func groups(of balancer: String) -> [String] { users.filter { $0.value.contains(balancer) }.keys.sorted() }
}

/// A target group and what is known of its targets.
struct GroupHealth {
  var group: TargetGroupRecord
  /// nil for a target that was not probed yet.
  var state: (TargetRecord) -> GateTargetHealth.State?

  private var registered: [TargetRecord] { group.targets.filter { $0.drainingSince == nil } }

  func hosts() -> [String?: HostCount] {
    var counts: [String?: HostCount] = [nil: HostCount()]
    for target in registered {
      let state = state(target)
      for zone in target.isEverywhere ? [nil] : [nil, target.zone] {
        if state == .healthy { counts[zone, default: HostCount()].healthy += 1 }
        if state == .unhealthy || state == .unhealthyDraining { counts[zone, default: HostCount()].unhealthy += 1 }
      }
    }
    return counts
  }

  func zones(of balancer: LoadBalancerRecord) -> [String: ZoneHealth] {
    let crosses = crossesZones(of: balancer)
    let table = AttributeTable.targetGroup(group)
    func isEnough(_ healthy: Int, of all: Int, _ attribute: String) -> Bool {
      let threshold = GateSnapshot.HealthThreshold(attribute: attribute) { table.value($0, group.attributes) }
      return healthy >= max(1, threshold.least(of: all))
    }
    var result: [String: ZoneHealth] = [:]
    for zone in balancer.zones.map(\.zone) {
      let own = registered.filter { crosses || $0.isEverywhere || $0.zone == zone }
      let healthy = own.count { state($0) == .healthy }
      result[zone] = ZoneHealth(
        isEnoughForDNS: isEnough(healthy, of: own.count, "dns_failover"),
        isEnoughForRouting: isEnough(healthy, of: own.count, "unhealthy_state_routing"))
    }
    return result
  }

  func crossesZones(of balancer: LoadBalancerRecord) -> Bool {
    let key = "load_balancing.cross_zone.enabled"
    let own = AttributeTable.targetGroup(group).value(key, group.attributes)
    return Bool(own) ?? (AttributeTable.loadBalancer(balancer.kind).value(key, balancer.attributes) == "true")
  }
}

extension TargetRecord {
  /// It belongs to no zone of its own.
  var isEverywhere: Bool { zone == nil || zone == "all" }
}
