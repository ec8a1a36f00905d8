// What the load balancers that use a target group make of its targets' zones.
import GateProtocol

/// The zones in which a target group is used, and those that are shifted away from.
struct GroupZones {
  /// The zones of the load balancers' nodes; nil for all.
  private var zones: Set<String>? = []
  private var shifted: [String: GateTargetHealth.Override] = [:]

  /// Of the groups that listeners forward to.
  static func used(in snapshot: GateSnapshot) -> [String: GroupZones] {
    var used: [String: GroupZones] = [:]
    let crossZone = Dictionary(snapshot.targetGroups.map { ($0.id, $0.crossZone) }) { $1 }
    for balancer in snapshot.loadBalancers {
      for group in groups(of: balancer) {
        let crosses = (crossZone[group] ?? nil) ?? balancer.attributes.crossZone
        used[group, default: GroupZones()].add(balancer.zones, crossesZones: crosses)
      }
    }
    for balancer in snapshot.networkLoadBalancers ?? [] {
      for group in Set(balancer.listeners.flatMap(\.targetGroups).map(\.targetGroup)) {
        let crosses = (crossZone[group] ?? nil) ?? balancer.crossZone ?? true
        used[group, default: GroupZones()].add(balancer.zones ?? [], crossesZones: crosses)
      }
    }
    return used
  }

  /// The groups that a load balancer's listeners forward to.
  static func groups(of balancer: GateSnapshot.LoadBalancer) -> Set<String> {
    var result: Set<String> = []
    for listener in balancer.listeners {
      for action in [listener.defaultAction] + listener.rules.map(\.action) {
        if case .forward(let groups, _) = action { result.formUnion(groups.map(\.targetGroup)) }
      }
    }
    return result
  }

  private mutating func add(_ new: [GateSnapshot.Zone], crossesZones: Bool) {
    if new.isEmpty { zones = nil } else { zones?.formUnion(new.map(\.name)) }
    for zone in new where zone.isShifted {
      if crossesZones {
        shifted[zone.name] = .zonalShiftActive
      } else {
        shifted[zone.name] = shifted[zone.name] ?? .zonalShiftDelegatedToDNS
      }
    }
  }

  /// Whether a load balancer has a node for targets of this zone; nil is that of a target that belongs to all.
  func serve(_ zone: String?) -> Bool {
    guard let zone, let zones else { return true }
    return zones.contains(zone)
  }

  /// What a zonal shift does to targets of this zone.
  func override(_ zone: String?) -> GateTargetHealth.Override? { zone.flatMap { shifted[$0] } }
}
