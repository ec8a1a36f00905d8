// Rules: create, modify, delete, describe, and their priorities.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit
import Store

extension ELBv2Service {
  func createRule(_ input: ELBv2.CreateRuleInput, _ call: CallContext) async throws -> ELBv2.CreateRuleOutput {
    guard (1...50_000).contains(input.priority) else {
      throw ELBv2Error.validation("Priority '\(input.priority)' must be between '1' and '50000' inclusive")
    }
    let conditions = try ConditionRules.read(input.conditions)
    let transforms = try TransformRules.read(input.transforms ?? [])
    let tags = try Tags.read(input.tags, call)
    let id = call.ids.hex(16)
    let sealer = store.sealer
    let record = try await store.write { tx in
      let listener = try tx.listener(input.listenerArn, call.scope)
      let balancer = try tx.loadBalancer(listener.loadBalancer, call.scope)
      guard balancer.kind == .application else {
        throw ELBv2Error.invalidConfiguration("Rules are not supported on \(balancer.kind.plural)")
      }
      let present = try tx.rules(of: listener.arn, call.scope)
      guard !present.contains(where: { $0.priority == input.priority }) else {
        throw ELBv2Error.priorityInUse(input.priority)
      }
      let all = try tx.listeners(of: balancer.arn, call.scope).reduce(0) {
        $0 + (try tx.rules(of: $1.arn, call.scope).count)
      }
      guard all < ELBv2Limits.rulesPerLoadBalancerMax else {
        throw AWSError(
          "TooManyRules", "The maximum number of rules per load balancer is '\(ELBv2Limits.rulesPerLoadBalancerMax)'")
      }
      let list = try ActionRules.read(input.actions, on: listener.wireProtocol, sealer: sealer)
      try Self.checkTargetGroups(list.action, on: listener, balancer, tx, call.scope)
      var record = RuleRecord(
        arn: call.arn("elasticloadbalancing", "listener-rule/\(Names.listenerPath(listener.arn))/\(id)"),
        listener: listener.arn, priority: input.priority, conditions: conditions, action: list.action, tags: tags)
      record.checks = list.checks.isEmpty ? nil : list.checks
      record.transforms = transforms.isEmpty ? nil : transforms
      try tx.put(record, call.scope)
      return record
    }
    await keySets.settle(record.checks)
    await reconciler.applyIfThere()
    return .make { $0.rules = [Self.answer(record)] }
  }

  func modifyRule(_ input: ELBv2.ModifyRuleInput, _ call: CallContext) async throws -> ELBv2.ModifyRuleOutput {
    let conditions = try input.conditions.flatMap { $0.isEmpty ? nil : try ConditionRules.read($0) }
    let transforms = try input.transforms.flatMap { $0.isEmpty ? nil : try TransformRules.read($0) }
    guard transforms == nil || input.resetTransforms != true else {
      throw ELBv2Error.validation("Transforms cannot be specified together with ResetTransforms")
    }
    let sealer = store.sealer
    let record = try await store.write { tx in
      if try tx.listener(defaultRule: input.ruleArn, call.scope) != nil {
        throw ELBv2Error.notPermitted("Default rule '\(input.ruleArn)' cannot be modified")
      }
      var record = try tx.rule(input.ruleArn, call.scope)
      if let conditions { record.conditions = conditions }
      if let transforms { record.transforms = transforms }
      if input.resetTransforms == true { record.transforms = nil }
      if let actions = input.actions, !actions.isEmpty {
        let listener = try tx.listener(record.listener, call.scope)
        let list = try ActionRules.read(
          actions, on: listener.wireProtocol, old: record.checks ?? [], sealer: sealer)
        try Self.checkTargetGroups(
          list.action, on: listener, tx.loadBalancer(listener.loadBalancer, call.scope), tx, call.scope)
        record.action = list.action
        record.checks = list.checks.isEmpty ? nil : list.checks
      }
      try tx.put(record, call.scope)
      return record
    }
    await keySets.settle(record.checks)
    await reconciler.applyIfThere()
    return .make { $0.rules = [Self.answer(record)] }
  }

  func deleteRule(_ input: ELBv2.DeleteRuleInput, _ call: CallContext) async throws -> ELBv2.DeleteRuleOutput {
    try await store.write { tx in
      if try tx.listener(defaultRule: input.ruleArn, call.scope) != nil {
        throw ELBv2Error.notPermitted("Default rule '\(input.ruleArn)' cannot be deleted")
      }
      let record = try tx.rule(input.ruleArn, call.scope)
      try tx.delete(RuleRecord.self, call.scope, record.arn)
    }
    await reconciler.applyIfThere()
    return .init()
  }

  /// All priorities change at once, so that rules may swap theirs.
  func setRulePriorities(
    _ input: ELBv2.SetRulePrioritiesInput, _ call: CallContext
  ) async throws -> ELBv2.SetRulePrioritiesOutput {
    let wanted = input.rulePriorities.map { ($0.ruleArn ?? "", $0.priority ?? 0) }
    guard Set(wanted.map(\.0)).count == wanted.count else {
      throw ELBv2Error.validation("The same rule cannot be specified more than once")
    }
    let changed = try await store.write { tx in
      var changed: [RuleRecord] = []
      for (arn, priority) in wanted {
        guard (1...50_000).contains(priority) else {
          throw ELBv2Error.validation("Priority '\(priority)' must be between '1' and '50000' inclusive")
        }
        if try tx.listener(defaultRule: arn, call.scope) != nil {
          throw ELBv2Error.notPermitted("The priority of the default rule '\(arn)' cannot be changed")
        }
        var record = try tx.rule(arn, call.scope)
        record.priority = priority
        changed.append(record)
      }
      for listener in Set(changed.map(\.listener)) {
        var all = Dictionary(try tx.rules(of: listener, call.scope).map { ($0.arn, $0.priority) }) { $1 }
        for record in changed where record.listener == listener { all[record.arn] = record.priority }
        var seen: Set<Int> = []
        for priority in all.values.sorted() where !seen.insert(priority).inserted {
          throw ELBv2Error.priorityInUse(priority)
        }
      }
      for record in changed { try tx.put(record, call.scope) }
      return changed
    }
    await reconciler.applyIfThere()
    return .make { $0.rules = changed.map(Self.answer) }
  }

  func describeRules(_ input: ELBv2.DescribeRulesInput, _ call: CallContext) async throws -> ELBv2.DescribeRulesOutput {
    let arns = input.ruleArns ?? []
    let rules = try await store.read { snapshot in
      if !arns.isEmpty {
        return try arns.map { arn in
          if let listener = try snapshot.listener(defaultRule: arn, call.scope) { return Self.defaultRule(listener) }
          guard arn.contains(":listener-rule/") else { throw ELBv2Error.invalidARN(arn, "rule") }
          guard let found = try snapshot.get(RuleRecord.self, call.scope, arn) else {
            throw AWSError("RuleNotFound", "One or more rules not found")
          }
          return Self.answer(found)
        }
      }
      guard let arn = input.listenerArn else {
        throw ELBv2Error.validation("You must specify either listener ARN or rule ARNs")
      }
      let listener = try snapshot.listener(arn, call.scope)
      return try snapshot.rules(of: arn, call.scope).map(Self.answer) + [Self.defaultRule(listener)]
    }
    let page = try Page(rules, size: input.pageSize, marker: input.marker) { $0.ruleArn ?? "" }
    return .make {
      $0.rules = page.items
      $0.nextMarker = page.next
    }
  }

  static func answer(_ record: RuleRecord) -> ELBv2.Rule {
    .make {
      $0.ruleArn = record.arn
      $0.priority = "\(record.priority)"
      $0.isDefault = false
      $0.conditions = record.conditions.map(ConditionRules.answer)
      $0.actions = ActionRules.answer(record.checks, record.action)
      $0.transforms = (record.transforms ?? []).map(TransformRules.answer)
    }
  }

  private static func defaultRule(_ listener: ListenerRecord) -> ELBv2.Rule {
    .make {
      $0.ruleArn = listener.defaultRule
      $0.priority = "default"
      $0.isDefault = true
      $0.conditions = []
      $0.actions = ActionRules.answer(listener.defaultChecks, listener.defaultAction)
      $0.transforms = []
    }
  }
}
