// Creating, updating and deleting stacks: checked here, carried out by the engine.

import AWSCore
import AWSWire
import CloudFormationModel
import ServiceKit
import Store
import Templates

extension CloudFormationService {
  /// What a request gives, checked: template, parameters, capabilities, types that nobody provides.
  struct Prepared: Sendable {
    var input: StackInput
    var template: Template
    var parameters: [String: String]
  }

  func prepare(
    text: String, given: [CloudFormation.Parameter]?, previous: [String: String], tags: [CloudFormation.Tag]?,
    capabilities: [String]?
  ) throws -> Prepared {
    let template = try parse(text)
    var values: [String: String] = [:]
    for parameter in given ?? [] {
      let key = parameter.parameterKey ?? ""
      if parameter.usePreviousValue == true {
        guard let value = previous[key] else {
          throw CFNError.validation(
            "Invalid input for parameter key \(key). Cannot specify usePreviousValue as true for a parameter key not in the previous template"
          )
        }
        values[key] = value
      } else {
        values[key] = parameter.parameterValue ?? ""
      }
    }
    let all: [String: String]
    switch Result(catching: { () throws(TemplateError) in try template.parameterValues(given: values) }) {
    case .success(let found): all = found
    case .failure(let error): throw error.awsError
    }
    if let missing = Capabilities.missing(template, acknowledged: capabilities ?? []) {
      throw CFNError.insufficient(missing)
    }
    let unknown = Set(template.resources.map(\.type)).filter { providers[$0] == nil }
    if !unknown.isEmpty {
      throw CFNError.validation(
        "Template format error: Unrecognized resource types: [\(unknown.sorted().joined(separator: ", "))] (Castle does not provide them yet)"
      )
    }
    let input = StackInput(
      template: text, parameters: try seal(all),
      tags: Dictionary((tags ?? []).map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }),
      capabilities: capabilities ?? [])
    return Prepared(input: input, template: template, parameters: all)
  }

  func createStack(
    _ input: CloudFormation.CreateStackInput, _ call: CallContext
  ) async throws -> CloudFormation.CreateStackOutput {
    try refuse(input.stackPolicyBody ?? input.stackPolicyURL, "stack policies")
    try refuse(input.rollbackConfiguration?.rollbackTriggers?.first?.arn, "rollback triggers")
    guard let text = try await templateText(input.templateBody, input.templateURL, call) else {
      throw CFNError.validation("Either Template URL or Template Body must be specified.")
    }
    let prepared = try prepare(
      text: text, given: input.parameters, previous: [:], tags: input.tags, capabilities: input.capabilities)
    if input.disableRollback != nil, input.onFailure != nil {
      throw CFNError.validation("You can specify either DisableRollback or OnFailure, but not both.")
    }
    let id = call.arn("cloudformation", "stack/\(input.stackName)/\(call.ids.uuid())")
    _ = try evaluator(
      prepared.template, parameters: prepared.parameters, stackName: input.stackName, stackID: id, scope: call.scope,
      exports: try await exports(call.scope))
    var record = StackRecord(
      id: id, name: input.stackName, status: "CREATE_IN_PROGRESS", reason: "User Initiated",
      description: prepared.template.description, input: prepared.input, created: call.now)
    record.isProtected = input.enableTerminationProtection ?? false
    record.disablesRollback = input.disableRollback ?? false
    record.notificationARNs = input.notificationARNs ?? []
    record.roleARN = input.roleARN
    record.timeoutMinutes = input.timeoutInMinutes
    var pending = PendingOperation(kind: .create, caller: StackCaller(call.principal))
    pending.onFailure = input.onFailure ?? (input.disableRollback == true ? "DO_NOTHING" : "ROLLBACK")
    pending.token = input.clientRequestToken
    record.pending = pending
    let new = record
    let scope = call.scope
    let event = StackSession(self, scope, new).event(
      new.name, new.id, "AWS::CloudFormation::Stack", new.status, new.reason)
    try await store.write { tx in
      guard try tx.find(StackRecord.self, scope, index: "name", new.name).isEmpty else {
        throw CFNError.exists(new.name)
      }
      try tx.put(new, scope)
      try tx.put(event, scope)
    }
    return .make { $0.stackId = id }
  }

  func refuse(_ given: String?, _ what: String) throws {
    if given != nil { throw AWSError.notImplemented("CloudFormation's \(what)") }
  }

  func updateStack(
    _ input: CloudFormation.UpdateStackInput, _ call: CallContext
  ) async throws -> CloudFormation.UpdateStackOutput {
    try refuse(
      input.stackPolicyBody ?? input.stackPolicyURL ?? input.stackPolicyDuringUpdateBody
        ?? input.stackPolicyDuringUpdateURL,
      "stack policies")
    let stack: StackRecord
    do {
      stack = try await store.read { try self.find(input.stackName, $0, call.scope) }
    } catch let error as AWSError where error.code == "ValidationError" {
      throw CFNError.noStackName(input.stackName)
    }
    let given = try await templateText(input.templateBody, input.templateURL, call)
    guard let text = given ?? (input.usePreviousTemplate == true ? stack.input.template : nil) else {
      throw CFNError.validation("Either Template URL or Template Body must be specified.")
    }
    let prepared = try prepare(
      text: text, given: input.parameters, previous: try open(stack.input), tags: input.tags ?? stack.input.tags.cfn,
      capabilities: input.capabilities)
    try await begin(update: stack.id, to: prepared, call, token: input.clientRequestToken)
    return .make { $0.stackId = stack.id }
  }

  /// Makes an update pending, when it changes anything.
  func begin(
    update stackID: String, to prepared: Prepared, _ call: CallContext, token: String?, changeSet: String? = nil
  ) async throws {
    let scope = call.scope
    let current = try await store.read { try self.find(stackID, $0, scope) }
    let evaluator = try evaluator(
      prepared.template, parameters: prepared.parameters, stackName: current.name, stackID: stackID, scope: scope,
      exports: try await exports(scope))
    let hasChanges =
      try current.input.template != prepared.input.template || open(current.input) != prepared.parameters
      || current.input.tags != prepared.input.tags
    if !hasChanges { throw CFNError.noUpdates }
    if try plan(current, evaluator, tags: prepared.input.tags).isEmpty, !outputsDiffer(current, evaluator) {
      throw CFNError.noUpdates
    }
    let now = call.now
    try await store.write { tx in
      var stack = try self.find(stackID, tx, scope)
      guard stack.pending == nil, Self.updatable.contains(stack.status) else {
        throw CFNError.validation(
          "Stack:\(stack.id) is in \(stack.status) state and can not be updated.")
      }
      var pending = PendingOperation(kind: .update, caller: StackCaller(call.principal))
      pending.target = prepared.input
      pending.backup = stack.resources
      pending.token = token
      stack.pending = pending
      stack.status = "UPDATE_IN_PROGRESS"
      stack.reason = "User Initiated"
      stack.updated = now
      if let changeSet { stack.changeSet = changeSet }
      let event = StackSession(self, scope, stack).event(
        stack.name, stack.id, "AWS::CloudFormation::Stack", stack.status, stack.reason)
      try tx.put(stack, scope)
      try tx.put(event, scope)
    }
  }

  static let updatable: Set<String> = [
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE",
  ]

  private func outputsDiffer(_ stack: StackRecord, _ evaluator: TemplateEvaluator) -> Bool {
    let lookup = StackSession(self, Scope(account: "", region: ""), stack).lookup()
    guard let outputs = try? evaluator.outputs(lookup: lookup) else { return true }
    return outputs.map { [$0.name, $0.value, $0.exportName ?? "", $0.description ?? ""] }
      != stack.outputs.map { [$0.name, $0.value, $0.exportName ?? "", $0.description ?? ""] }
  }

  func deleteStack(_ input: CloudFormation.DeleteStackInput, _ call: CallContext) async throws -> Empty {
    let scope = call.scope
    try await store.write { tx in
      var stack: StackRecord
      do {
        stack = try self.find(input.stackName, tx, scope)
      } catch {
        // Deleting what is not there is well.
        return
      }
      if stack.isGone { return }
      if stack.isProtected {
        throw CFNError.validation(
          "Stack [\(stack.name)] cannot be deleted while TerminationProtection is enabled")
      }
      if let pending = stack.pending {
        if pending.kind == .delete { return }
        throw CFNError.validation("Stack [\(stack.name)] cannot be deleted while in status \(stack.status)")
      }
      let exported = Set(stack.outputs.compactMap(\.exportName))
      for other in try tx.list(StackRecord.self, scope) where other.id != stack.id && !other.isGone {
        if let name = other.imports.first(where: { exported.contains($0) }) {
          throw CFNError.validation("Export \(name) cannot be deleted as it is in use by \(other.name)")
        }
      }
      var pending = PendingOperation(kind: .delete, caller: StackCaller(call.principal))
      pending.retain = input.retainResources ?? []
      pending.token = input.clientRequestToken
      stack.pending = pending
      stack.status = "DELETE_IN_PROGRESS"
      stack.reason = "User Initiated"
      let event = StackSession(self, scope, stack).event(
        stack.name, stack.id, "AWS::CloudFormation::Stack", stack.status, stack.reason)
      try tx.put(stack, scope)
      try tx.put(event, scope)
    }
    return Empty()
  }

  func continueUpdateRollback(
    _ input: CloudFormation.ContinueUpdateRollbackInput, _ call: CallContext
  ) async throws -> CloudFormation.ContinueUpdateRollbackOutput {
    let stack = try await store.read { try self.find(input.stackName, $0, call.scope) }
    guard stack.status == "UPDATE_ROLLBACK_FAILED" else {
      throw CFNError.validation("Stack:\(stack.id) is in \(stack.status) state and can not continue its rollback.")
    }
    throw AWSError.notImplemented("cloudformation:ContinueUpdateRollback")
  }

  func updateTerminationProtection(
    _ input: CloudFormation.UpdateTerminationProtectionInput, _ call: CallContext
  ) async throws -> CloudFormation.UpdateTerminationProtectionOutput {
    let scope = call.scope
    let id = try await store.write { tx in
      var stack = try self.find(input.stackName, tx, scope)
      // The engine writes the whole record while it works; a change beside it would be lost.
      guard stack.pending == nil else {
        throw CFNError.validation("Stack [\(stack.name)] is in status \(stack.status); try again when it is done")
      }
      stack.isProtected = input.enableTerminationProtection
      try tx.put(stack, scope)
      return stack.id
    }
    return .make { $0.stackId = id }
  }
}

extension Dictionary where Key == String, Value == String {
  var cfn: [CloudFormation.Tag] {
    sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }
}
