// One operation on one stack: keeps the record, writes the events, and gives providers their context.

import AWSCore
import Foundation
import ServiceKit
import Store
import Synchronization
import Templates

/// The stack that an operation works on. Changes go through here, each into the store before anything follows from it.
final class StackSession: Sendable {
  let service: CloudFormationService
  let scope: Scope
  let stackID: String
  let stackName: String
  private let state: Mutex<StackRecord>

  init(_ service: CloudFormationService, _ scope: Scope, _ record: StackRecord) {
    self.service = service
    self.scope = scope
    stackID = record.id
    stackName = record.name
    state = Mutex(record)
  }

  var record: StackRecord { state.withLock { $0 } }
  var operation: PendingOperation? { record.pending }
  private var environment: ServiceEnvironment { service.environment }

  /// The call that the stack makes for whoever asked for the operation.
  var call: CallContext {
    let caller = operation?.caller.principal ?? .root(account: scope.account)
    return CallContext(
      principal: caller, account: scope.account, region: scope.region, requestID: environment.ids.uuid(),
      environment: environment, calledVia: ["cloudformation.amazonaws.com"])
  }

  func context(_ logicalID: String, tags: [String: String], policy: String?) -> ResourceContext {
    var all = tags
    all["aws:cloudformation:stack-name"] = stackName
    all["aws:cloudformation:stack-id"] = stackID
    all["aws:cloudformation:logical-id"] = logicalID
    var context = ResourceContext(
      stackName: stackName, stackID: stackID, logicalID: logicalID, tags: all, call: call)
    context.deletionPolicy = policy
    return context
  }

  // MARK: - Changes

  /// Changes the record and stores it, with an event where one is given.
  func change(_ event: StackEventRecord? = nil, _ body: (inout StackRecord) -> Void) async throws {
    let record = state.withLock { record in
      body(&record)
      return record
    }
    let scope = scope
    try await service.store.write { tx in
      try tx.put(record, scope)
      if let event { try tx.put(event, scope) }
    }
  }

  func stackStatus(_ status: String, _ reason: String? = nil, _ body: (inout StackRecord) -> Void = { _ in })
    async throws
  {
    try await change(event(stackName, stackID, "AWS::CloudFormation::Stack", status, reason)) { record in
      record.status = status
      record.reason = reason
      body(&record)
    }
  }

  func resourceStatus(
    _ logicalID: String, _ status: String, _ reason: String? = nil, _ body: (inout ResourceState) -> Void = { _ in }
  ) async throws {
    let now = environment.clock.now
    guard var resource = record.resources[logicalID] else { return }
    resource.status = status
    resource.reason = reason
    resource.changed = now
    body(&resource)
    let changed = resource
    let event = event(logicalID, changed.handle?.physicalID ?? "", changed.type, status, reason)
    try await change(event) { $0.resources[logicalID] = changed }
  }

  func event(_ logicalID: String, _ physicalID: String, _ type: String, _ status: String, _ reason: String?)
    -> StackEventRecord
  {
    let now = environment.clock.now
    let number = service.nextEventNumber()
    // Milliseconds, then a counter: the order in which things happened.
    let order =
      String(now.milliseconds) + "-" + String(repeating: "0", count: max(0, 8 - String(number).count)) + String(number)
    return StackEventRecord(
      id: "\(stackID.split(separator: "/").last ?? "")/\(order)/\(environment.ids.hex(8))", stack: stackID,
      stackName: stackName, logicalID: logicalID, physicalID: physicalID, type: type, status: status, reason: reason,
      time: now, token: operation?.token)
  }

  // MARK: - Templates

  func evaluator(_ input: StackInput, exports: [String: String]) throws -> TemplateEvaluator {
    let template = try service.parse(input.template)
    return try service.evaluator(
      template, parameters: try service.open(input), stackName: stackName, stackID: stackID, scope: scope,
      exports: exports)
  }

  func lookup() -> ResourceLookup {
    { [self] question in
      switch question {
      case .reference(let id): return record.resources[id]?.handle.map { .string($0.physicalID) }
      case .attribute(let id, let name): return record.resources[id]?.handle?.attributes[name]?.template
      }
    }
  }

  /// Properties with their dynamic references replaced by what they stand for.
  func resolved(_ properties: JSONValue) async throws -> JSONValue {
    try await service.resolve(properties.template, call).json
  }

  func seal(_ properties: JSONValue) throws -> SealedBytes {
    try SealedBytes(
      Array(properties.description.utf8), sealer: service.store.sealer, context: "cloudformation.properties")
  }

  func properties(_ state: ResourceState) throws -> JSONValue {
    guard let sealed = state.properties else { return .object([:]) }
    let bytes = try sealed.open(service.store.sealer, context: "cloudformation.properties")
    return try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
  }
}
