// What goes together with zonal shift.

import AWSCore
import Store

extension ELBv2Service {
  /// What the target groups of a network load balancer must be for zonal shift together with cross-zone load balancing.
  /// https://docs.aws.amazon.com/r53recovery/latest/dg/arc-zonal-shift.resource-types.network-load-balancers.html
  static func checkShift(of record: LoadBalancerRecord, _ snapshot: Snapshot, _ scope: Scope) throws {
    let table = AttributeTable.loadBalancer(record.kind)
    func isOn(_ key: String) -> Bool { table.value(key, record.attributes) == "true" }
    guard record.kind == .network, isOn("zonal_shift.config.enabled"), isOn("load_balancing.cross_zone.enabled") else {
      return
    }
    for arn in Set(try snapshot.listeners(of: record.arn, scope).flatMap(\.defaultAction.targetGroups)) {
      guard let group = try snapshot.get(TargetGroupRecord.self, scope, arn) else { continue }
      let table = AttributeTable.targetGroup(group)
      func value(_ key: String) -> String { table.value(key, group.attributes) }
      guard value("load_balancing.cross_zone.enabled") != "false", ["TCP", "TLS"].contains(group.protocolName),
        value(AttributeChecks.unhealthyTermination) == "false", group.targetType != "alb"
      else {
        throw ELBv2Error.invalidConfiguration(
          "Zonal shift with cross-zone load balancing needs target groups with the protocol TCP or TLS, cross-zone load "
            + "balancing, no termination of connections to unhealthy targets and no Application Load Balancer as target; "
            + "'\(arn)' is not one")
      }
    }
  }

  /// The same for the load balancers that use a target group.
  static func checkShift(ofUsersOf group: TargetGroupRecord, _ snapshot: Snapshot, _ scope: Scope) throws {
    guard group.kind == .network else { return }
    for balancer in try snapshot.usersOfTargetGroups(scope)[group.arn] ?? [] {
      try checkShift(of: try snapshot.loadBalancer(balancer, scope), snapshot, scope)
    }
  }
}
