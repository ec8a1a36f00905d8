// Change sets: what an update would do, and doing it.

import AWSCore
import AWSWire
import CloudFormationModel
import ServiceKit
import Store
import Templates

extension CloudFormationService {
  /// What it takes to get from a stack to an evaluated template.
  func plan(_ stack: StackRecord, _ evaluator: TemplateEvaluator, tags: [String: String]) throws -> [PlannedChange] {
    let session = StackSession(self, Scope(account: "", region: ""), stack)
    let known = session.lookup()
    let lookup: ResourceLookup = { known($0) ?? TemplateEvaluator.knownAfterApply }
    var changes: [PlannedChange] = []
    for resource in evaluator.resources {
      guard let old = stack.resources[resource.logicalId], old.handle != nil else {
        changes.append(
          PlannedChange(action: "Add", logicalID: resource.logicalId, type: resource.type, scope: [], properties: []))
        continue
      }
      let new: JSONValue
      switch Result(catching: { () throws(TemplateError) in try evaluator.evaluate(resource, lookup: lookup) }) {
      case .success(let evaluated): new = evaluated.properties.json
      case .failure(let error): throw error.awsError
      }
      let before = try session.properties(old)
      let changed = StackEngine.changed(before, new)
      let tagsChanged = tags != stack.input.tags
      guard old.type != resource.type || !changed.isEmpty || tagsChanged else { continue }
      let replaces = old.type != resource.type || !changed.isDisjoint(with: providers[resource.type]?.replacedBy ?? [])
      changes.append(
        PlannedChange(
          action: "Modify", logicalID: resource.logicalId, physicalID: old.handle?.physicalID, type: resource.type,
          replacement: replaces ? "True" : "False", scope: changed.isEmpty ? ["Tags"] : ["Properties"],
          properties: changed.sorted()))
    }
    let kept = Set(evaluator.graph.logicalIds)
    for old in stack.resources.values.sorted(by: { $0.logicalID < $1.logicalID }) where !kept.contains(old.logicalID) {
      changes.append(
        PlannedChange(
          action: "Remove", logicalID: old.logicalID, physicalID: old.handle?.physicalID, type: old.type, scope: [],
          properties: []))
    }
    return changes
  }

  func createChangeSet(
    _ input: CloudFormation.CreateChangeSetInput, _ call: CallContext
  ) async throws -> CloudFormation.CreateChangeSetOutput {
    try refuse(input.resourcesToImport?.first?.resourceType, "resource imports")
    let scope = call.scope
    let kind = input.changeSetType ?? "UPDATE"
    if kind == "IMPORT" { throw AWSError.notImplemented("CloudFormation's resource imports") }
    let existing = try await store.read { snapshot in
      input.stackName.hasPrefix("arn:")
        ? try snapshot.get(StackRecord.self, scope, input.stackName)
        : try snapshot.find(StackRecord.self, scope, index: "name", input.stackName).first
    }
    if kind == "UPDATE", existing == nil || existing?.status == "REVIEW_IN_PROGRESS" {
      throw CFNError.validation("Stack [\(input.stackName)] does not exist")
    }
    if kind == "CREATE", let existing, existing.status != "REVIEW_IN_PROGRESS" {
      throw CFNError.validation(
        "Stack [\(existing.name)] already exists and cannot be created again with the changeSet [\(input.changeSetName)]."
      )
    }
    let given = try await templateText(input.templateBody, input.templateURL, call)
    guard let text = given ?? (input.usePreviousTemplate == true ? existing?.input.template : nil) else {
      throw CFNError.validation("Either Template URL or Template Body must be specified.")
    }
    let prepared = try prepare(
      text: text, given: input.parameters, previous: try existing.map { try open($0.input) } ?? [:],
      tags: input.tags ?? existing?.input.tags.cfn, capabilities: input.capabilities)
    let stack =
      existing
      ?? StackRecord(
        id: call.arn("cloudformation", "stack/\(input.stackName)/\(call.ids.uuid())"), name: input.stackName,
        status: "REVIEW_IN_PROGRESS", reason: "User Initiated", description: prepared.template.description,
        input: prepared.input, created: call.now)
    let evaluator = try evaluator(
      prepared.template, parameters: prepared.parameters, stackName: stack.name, stackID: stack.id, scope: scope,
      exports: try await exports(scope))
    let changes = try plan(stack, evaluator, tags: prepared.input.tags)
    var set = ChangeSetRecord(
      id: call.arn("cloudformation", "changeSet/\(input.changeSetName)/\(call.ids.uuid())"), name: input.changeSetName,
      stack: stack.id, stackName: stack.name, kind: kind, status: "CREATE_COMPLETE", executionStatus: "AVAILABLE",
      description: input.description, input: prepared.input, changes: changes, created: call.now,
      onFailure: input.onStackFailure)
    let isSame = kind == "UPDATE" && changes.isEmpty
    if try isSame
      && (stack.input.template == prepared.input.template
        || parse(stack.input.template).outputs.count == prepared.template.outputs.count)
    {
      set.status = "FAILED"
      set.reason =
        "The submitted information didn't contain changes. Submit different information to create a change set."
      set.executionStatus = "UNAVAILABLE"
    }
    let new = set
    let event = StackSession(self, scope, stack).event(
      stack.name, stack.id, "AWS::CloudFormation::Stack", stack.status, stack.reason)
    try await store.write { tx in
      for other in try tx.find(ChangeSetRecord.self, scope, index: "stack", stack.id) where other.name == new.name {
        throw AWSError(
          "AlreadyExistsException",
          "ChangeSet \(new.name) cannot be created due to a mismatch with existing attribute ChangeSetName")
      }
      if existing == nil {
        try tx.put(stack, scope)
        try tx.put(event, scope)
      }
      try tx.put(new, scope)
    }
    return .make {
      $0.id = new.id
      $0.stackId = stack.id
    }
  }

  /// A change set by ARN, or by its name and its stack's.
  private func findChangeSet(_ name: String, _ stack: String?, _ snapshot: Snapshot, _ scope: Scope) throws
    -> ChangeSetRecord
  {
    if name.hasPrefix("arn:") {
      guard let found = try snapshot.get(ChangeSetRecord.self, scope, name) else { throw CFNError.noChangeSet(name) }
      return found
    }
    guard let stack else {
      throw CFNError.validation("StackName must be specified if ChangeSetName is not specified as an ARN.")
    }
    let owner: StackRecord
    do {
      owner = try find(stack, snapshot, scope)
    } catch { throw CFNError.noChangeSet(name) }
    guard
      let found = try snapshot.find(ChangeSetRecord.self, scope, index: "stack", owner.id).first(where: {
        $0.name == name
      })
    else { throw CFNError.noChangeSet(name) }
    return found
  }

  func describeChangeSet(
    _ input: CloudFormation.DescribeChangeSetInput, _ call: CallContext
  ) async throws -> CloudFormation.DescribeChangeSetOutput {
    let set = try await store.read { try self.findChangeSet(input.changeSetName, input.stackName, $0, call.scope) }
    let parameters = try shownParameters(set.input)
    return .make {
      $0.changeSetId = set.id
      $0.changeSetName = set.name
      $0.stackId = set.stack
      $0.stackName = set.stackName
      $0.status = set.status
      $0.statusReason = set.reason
      $0.executionStatus = set.executionStatus
      $0.description = set.description
      $0.creationTime = set.created
      $0.parameters = parameters
      $0.capabilities = set.input.capabilities
      $0.tags = set.input.tags.cfn
      $0.includeNestedStacks = false
      $0.changes = set.changes.map { change in
        .make {
          $0.type = "Resource"
          $0.resourceChange = .make {
            $0.action = change.action
            $0.logicalResourceId = change.logicalID
            $0.physicalResourceId = change.physicalID
            $0.resourceType = change.type
            $0.replacement = change.replacement
            $0.scope = change.scope
            $0.details = change.properties.map { name in
              .make {
                $0.changeSource = "DirectModification"
                $0.evaluation = "Static"
                $0.target = .make {
                  $0.attribute = "Properties"
                  $0.name = name
                  $0.requiresRecreation =
                    providers[change.type]?.replacedBy.contains(name) == true ? "Always" : "Never"
                }
              }
            }
          }
        }
      }
    }
  }

  func executeChangeSet(
    _ input: CloudFormation.ExecuteChangeSetInput, _ call: CallContext
  ) async throws -> CloudFormation.ExecuteChangeSetOutput {
    let scope = call.scope
    let set = try await store.read { try self.findChangeSet(input.changeSetName, input.stackName, $0, scope) }
    guard set.executionStatus == "AVAILABLE" else {
      throw AWSError(
        "InvalidChangeSetStatus",
        "ChangeSet [\(set.id)] cannot be executed in its current status of [\(set.status)]")
    }
    if set.kind == "UPDATE" {
      let prepared = Prepared(
        input: set.input, template: try parse(set.input.template), parameters: try open(set.input))
      try await begin(update: set.stack, to: prepared, call, token: input.clientRequestToken, changeSet: set.id)
    }
    try await store.write { tx in
      var done = set
      done.executionStatus = "EXECUTE_COMPLETE"
      try tx.put(done, scope)
      guard set.kind == "CREATE" else { return }
      var stack = try self.find(set.stack, tx, scope)
      guard stack.status == "REVIEW_IN_PROGRESS" else {
        throw CFNError.validation("Stack:\(stack.id) is in \(stack.status) state and can not be created.")
      }
      stack.input = set.input
      stack.status = "CREATE_IN_PROGRESS"
      stack.reason = "User Initiated"
      stack.changeSet = set.id
      var pending = PendingOperation(kind: .create, caller: StackCaller(call.principal))
      pending.onFailure = set.onFailure ?? (input.disableRollback == true ? "DO_NOTHING" : "ROLLBACK")
      pending.token = input.clientRequestToken
      stack.pending = pending
      let event = StackSession(self, scope, stack).event(
        stack.name, stack.id, "AWS::CloudFormation::Stack", stack.status, stack.reason)
      try tx.put(stack, scope)
      try tx.put(event, scope)
    }
    return .init()
  }

  func deleteChangeSet(
    _ input: CloudFormation.DeleteChangeSetInput, _ call: CallContext
  ) async throws -> CloudFormation.DeleteChangeSetOutput {
    let scope = call.scope
    try await store.write { tx in
      let set: ChangeSetRecord
      do {
        set = try self.findChangeSet(input.changeSetName, input.stackName, tx, scope)
      } catch let error as AWSError where error.code == "ChangeSetNotFound" {
        // As on AWS, deleting a change set that is gone is well.
        return
      }
      _ = try tx.delete(ChangeSetRecord.self, scope, set.id)
    }
    return .init()
  }

  func listChangeSets(
    _ input: CloudFormation.ListChangeSetsInput, _ call: CallContext
  ) async throws -> CloudFormation.ListChangeSetsOutput {
    let sets = try await store.read { snapshot in
      let stack = try self.find(input.stackName, snapshot, call.scope)
      return try snapshot.find(ChangeSetRecord.self, call.scope, index: "stack", stack.id)
    }
    return .make {
      $0.summaries = sets.map { set in
        .make {
          $0.changeSetId = set.id
          $0.changeSetName = set.name
          $0.stackId = set.stack
          $0.stackName = set.stackName
          $0.status = set.status
          $0.statusReason = set.reason
          $0.executionStatus = set.executionStatus
          $0.creationTime = set.created
          $0.description = set.description
        }
      }
    }
  }
}
