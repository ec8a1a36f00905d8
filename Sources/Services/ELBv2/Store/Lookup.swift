// Finding records, or AWS's error that they are not there.

import AWSCore
import Store

extension Snapshot {
  func loadBalancer(_ arn: String, _ scope: Scope) throws -> LoadBalancerRecord {
    guard arn.contains(":loadbalancer/") else { throw ELBv2Error.invalidARN(arn, "load balancer") }
    guard let record = try get(LoadBalancerRecord.self, scope, arn) else { throw ELBv2Error.loadBalancerNotFound(arn) }
    return record
  }

  func listener(_ arn: String, _ scope: Scope) throws -> ListenerRecord {
    guard arn.contains(":listener/") else { throw ELBv2Error.invalidARN(arn, "listener") }
    guard let record = try get(ListenerRecord.self, scope, arn) else { throw ELBv2Error.listenerNotFound(arn) }
    return record
  }

  /// A rule that is not a default one.
  func rule(_ arn: String, _ scope: Scope) throws -> RuleRecord {
    guard arn.contains(":listener-rule/") else { throw ELBv2Error.invalidARN(arn, "rule") }
    guard let record = try get(RuleRecord.self, scope, arn) else { throw ELBv2Error.ruleNotFound(arn) }
    return record
  }

  func targetGroup(_ arn: String, _ scope: Scope) throws -> TargetGroupRecord {
    guard arn.contains(":targetgroup/") else { throw ELBv2Error.invalidARN(arn, "target group") }
    guard let record = try get(TargetGroupRecord.self, scope, arn) else { throw ELBv2Error.targetGroupNotFound(arn) }
    return record
  }

  func trustStore(_ arn: String, _ scope: Scope) throws -> TrustStoreRecord {
    guard arn.contains(":truststore/") else { throw ELBv2Error.invalidARN(arn, "trust store") }
    guard let record = try get(TrustStoreRecord.self, scope, arn) else { throw ELBv2Error.trustStoreNotFound(arn) }
    return record
  }

  /// The listener whose default rule has this ARN.
  func listener(defaultRule arn: String, _ scope: Scope) throws -> ListenerRecord? {
    try list(ListenerRecord.self, scope).first { $0.defaultRule == arn }
  }

  func listeners(of balancer: String, _ scope: Scope) throws -> [ListenerRecord] {
    try find(ListenerRecord.self, scope, index: "loadBalancer", balancer).sorted { $0.port < $1.port }
  }

  func rules(of listener: String, _ scope: Scope) throws -> [RuleRecord] {
    try find(RuleRecord.self, scope, index: "listener", listener).sorted { $0.priority < $1.priority }
  }

  /// Which load balancers use which target groups: target group → load balancers, by ARN.
  func usersOfTargetGroups(_ scope: Scope) throws -> [String: Set<String>] {
    var users: [String: Set<String>] = [:]
    var balancers: [String: String] = [:]
    for listener in try list(ListenerRecord.self, scope) {
      balancers[listener.arn] = listener.loadBalancer
      for group in listener.defaultAction.targetGroups { users[group, default: []].insert(listener.loadBalancer) }
    }
    for rule in try list(RuleRecord.self, scope) {
      guard let balancer = balancers[rule.listener] else { continue }
      for group in rule.action.targetGroups { users[group, default: []].insert(balancer) }
    }
    return users
  }
}
