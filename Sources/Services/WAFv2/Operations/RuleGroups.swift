// Rule groups: create, get, update, delete, list, and the policy that shares one.

import AWSCore
import AWSWire
import ServiceKit
import Store
import WAFv2Model

extension WAFv2Service {
  func createRuleGroup(
    _ input: WAFv2.CreateRuleGroupRequest, _ call: CallContext
  ) async throws -> WAFv2.CreateRuleGroupResponse {
    try Self.requireRegional(input.scope)
    let id = call.ids.uuid()
    let arn = Self.arn("rulegroup", input.name, id, call)
    let group = WAFv2.RuleGroup.make {
      $0.id = id
      $0.name = input.name
      $0.arn = arn
      $0.capacity = input.capacity
      $0.description = input.description
      $0.rules = input.rules ?? []
      $0.visibilityConfig = input.visibilityConfig
      $0.customResponseBodies = input.customResponseBodies
      $0.labelNamespace = "awswaf:\(call.account):rulegroup:\(input.name):"
    }
    let record = RuleGroupRecord(
      id: id, name: input.name, arn: arn, lockToken: call.ids.uuid(), group: Self.shapes.json(group),
      capacity: input.capacity, tags: try Tags.read(input.tags))
    try await store.write { tx in
      guard try tx.find(RuleGroupRecord.self, call.scope, index: "name", record.name).isEmpty else {
        throw WAFError.duplicate
      }
      guard try tx.count(RuleGroupRecord.self, call.scope) < WAFLimits.ruleGroupsMax else { throw WAFError.limit }
      try Self.check(group, record.capacity, tx, call.scope)
      try tx.put(record, call.scope)
    }
    return .make { $0.summary = Self.summary(record) }
  }

  /// - Throws: `WAFInvalidParameterException`, `WAFNonexistentItemException`; `WAFLimitsExceededException` when the
  ///   rules need more than the capacity that the group was made with.
  private static func check(_ group: WAFv2.RuleGroup, _ capacity: Int, _ tx: Transaction, _ scope: Scope) throws {
    let references = try references(group.rules ?? [], group.customResponseBodies, isGroup: true)
    _ = try require(references, tx, scope)
    guard capacity <= WAFLimits.capacityMax, Capacity.of(group.rules ?? []) <= capacity else { throw WAFError.limit }
  }

  static func answer(_ record: RuleGroupRecord) -> WAFv2.RuleGroup {
    var group = shapes.structure(WAFv2.RuleGroup.self, record.group)
    let labels = Set((group.rules ?? []).flatMap { $0.ruleLabels ?? [] }.map(\.name)).sorted()
    if !labels.isEmpty {
      let prefix = group.labelNamespace ?? ""
      group.availableLabels = labels.map { label in .make { $0.name = prefix + label } }
    }
    return group
  }

  func getRuleGroup(
    _ input: WAFv2.GetRuleGroupRequest, _ call: CallContext
  ) async throws -> WAFv2.GetRuleGroupResponse {
    try Self.requireRegional(input.scope)
    let record = try await store.read { snapshot in
      if let arn = input.arn { return try snapshot.find(RuleGroupRecord.self, call.scope, index: "arn", arn).first }
      guard let id = input.id else {
        throw WAFError.invalid("You must specify an id and a name, or an ARN", field: "ENTITY", parameter: "Id")
      }
      return try snapshot.get(RuleGroupRecord.self, call.scope, id)
    }
    guard let record, input.name == nil || input.name == record.name else { throw WAFError.notFound }
    return .make {
      $0.ruleGroup = Self.answer(record)
      $0.lockToken = record.lockToken
    }
  }

  func updateRuleGroup(
    _ input: WAFv2.UpdateRuleGroupRequest, _ call: CallContext
  ) async throws -> WAFv2.UpdateRuleGroupResponse {
    try Self.requireRegional(input.scope)
    let next = call.ids.uuid()
    try await store.write { tx in
      var record = try Self.ruleGroup(input.id, input.name, input.lockToken, tx, call.scope)
      var group = Self.shapes.structure(WAFv2.RuleGroup.self, record.group)
      group.description = input.description
      group.rules = input.rules ?? []
      group.visibilityConfig = input.visibilityConfig
      group.customResponseBodies = input.customResponseBodies
      try Self.check(group, record.capacity, tx, call.scope)
      record.group = Self.shapes.json(group)
      record.lockToken = next
      try tx.put(record, call.scope)
    }
    return .make { $0.nextLockToken = next }
  }

  private static func ruleGroup(
    _ id: String, _ name: String, _ token: String, _ tx: Transaction, _ scope: Scope
  ) throws -> RuleGroupRecord {
    guard let record = try tx.get(RuleGroupRecord.self, scope, id), record.name == name else { throw WAFError.notFound }
    guard record.lockToken == token else { throw WAFError.staleToken }
    return record
  }

  func deleteRuleGroup(
    _ input: WAFv2.DeleteRuleGroupRequest, _ call: CallContext
  ) async throws -> WAFv2.DeleteRuleGroupResponse {
    try Self.requireRegional(input.scope)
    try await store.write { tx in
      let record = try Self.ruleGroup(input.id, input.name, input.lockToken, tx, call.scope)
      guard try !Self.isReferenced(\.ruleGroups, record.arn, tx, call.scope) else { throw WAFError.associated }
      try tx.delete(RuleGroupRecord.self, call.scope, record.id)
    }
    return .init()
  }

  func listRuleGroups(
    _ input: WAFv2.ListRuleGroupsRequest, _ call: CallContext
  ) async throws -> WAFv2.ListRuleGroupsResponse {
    try Self.requireRegional(input.scope)
    let all = try await store.read { try $0.list(RuleGroupRecord.self, call.scope) }
    let (items, next) = try Self.page(all, limit: input.limit, marker: input.nextMarker, id: \.id)
    return .make {
      $0.ruleGroups = items.map(Self.summary)
      $0.nextMarker = next
    }
  }

  private static func summary(_ record: RuleGroupRecord) -> WAFv2.RuleGroupSummary {
    .make {
      $0.id = record.id
      $0.name = record.name
      $0.arn = record.arn
      $0.lockToken = record.lockToken
      $0.description = record.group["Description"]?.text ?? ""
    }
  }

  // MARK: - Policies

  func putPermissionPolicy(
    _ input: WAFv2.PutPermissionPolicyRequest, _ call: CallContext
  ) async throws -> WAFv2.PutPermissionPolicyResponse {
    try await setPolicy(input.resourceArn, input.policy, call)
    return .init()
  }

  func deletePermissionPolicy(
    _ input: WAFv2.DeletePermissionPolicyRequest, _ call: CallContext
  ) async throws -> WAFv2.DeletePermissionPolicyResponse {
    try await setPolicy(input.resourceArn, nil, call)
    return .init()
  }

  private func setPolicy(_ arn: String, _ policy: String?, _ call: CallContext) async throws {
    try await store.write { tx in
      guard var record = try tx.find(RuleGroupRecord.self, call.scope, index: "arn", arn).first,
        policy != nil || record.policy != nil
      else { throw WAFError.notFound }
      record.policy = policy
      try tx.put(record, call.scope)
    }
  }

  func getPermissionPolicy(
    _ input: WAFv2.GetPermissionPolicyRequest, _ call: CallContext
  ) async throws -> WAFv2.GetPermissionPolicyResponse {
    let record = try await store.read {
      try $0.find(RuleGroupRecord.self, call.scope, index: "arn", input.resourceArn).first
    }
    guard let policy = record?.policy else { throw WAFError.notFound }
    return .make { $0.policy = policy }
  }
}
