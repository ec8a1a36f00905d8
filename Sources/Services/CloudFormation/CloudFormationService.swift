// AWS CloudFormation: the one way in which a castle is made.

import AWSCore
import AWSWire
import CloudFormationModel
import Foundation
import Logging
import S3Model
import SecretsManagerModel
import ServiceKit
import Store
import Synchronization
import Templates

public final class CloudFormationService: AWSService {
  let environment: ServiceEnvironment
  /// The resource types that the services provide, by name.
  let providers: [String: ResourceProvider]
  var store: Store { environment.store }
  private let events = Mutex(0)
  /// The stacks that are being worked on.
  private let working = Mutex<Set<String>>([])

  public static let collections: [any Record.Type] = [StackRecord.self, StackEventRecord.self, ChangeSetRecord.self]

  public init(_ environment: ServiceEnvironment, providers: [ResourceProvider]) {
    self.environment = environment
    self.providers = Dictionary(providers.map { ($0.type, $0) }, uniquingKeysWith: { $1 })
  }

  public var apis: [ServiceAPI] { [ServiceAPI(CloudFormation.model, actionPrefix: "cloudformation", table)] }

  private var table: HandlerTable {
    var table = HandlerTable()
    table.on(CloudFormation.createStack, access: { Self.access($1, $0.stackName) }, createStack)
    table.on(CloudFormation.updateStack, access: { Self.access($1, $0.stackName) }, updateStack)
    table.on(CloudFormation.deleteStack, access: { Self.access($1, $0.stackName) }, deleteStack)
    table.on(CloudFormation.continueUpdateRollback, access: { Self.access($1, $0.stackName) }, continueUpdateRollback)
    table.on(CloudFormation.describeStacks, access: { Self.access($1, $0.stackName ?? "*") }, describeStacks)
    table.on(CloudFormation.listStacks, listStacks)
    table.on(CloudFormation.describeStackEvents, access: { Self.access($1, $0.stackName) }, describeStackEvents)
    table.on(CloudFormation.describeStackResource, access: { Self.access($1, $0.stackName) }, describeStackResource)
    table.on(CloudFormation.describeStackResources, describeStackResources)
    table.on(CloudFormation.listStackResources, access: { Self.access($1, $0.stackName) }, listStackResources)
    table.on(CloudFormation.getTemplate, access: { Self.access($1, $0.stackName ?? "*") }, getTemplate)
    table.on(CloudFormation.getTemplateSummary, getTemplateSummary)
    table.on(CloudFormation.validateTemplate, validateTemplate)
    table.on(CloudFormation.listExports, listExports)
    table.on(CloudFormation.listImports, listImports)
    table.on(
      CloudFormation.updateTerminationProtection, access: { Self.access($1, $0.stackName) }, updateTerminationProtection
    )
    table.on(CloudFormation.createChangeSet, access: { Self.access($1, $0.stackName) }, createChangeSet)
    table.on(CloudFormation.describeChangeSet, describeChangeSet)
    table.on(CloudFormation.executeChangeSet, executeChangeSet)
    table.on(CloudFormation.deleteChangeSet, deleteChangeSet)
    table.on(CloudFormation.listChangeSets, access: { Self.access($1, $0.stackName) }, listChangeSets)
    return table
  }

  private static func access(_ call: CallContext, _ name: String) -> [ResourceAccess] {
    [ResourceAccess(name.hasPrefix("arn:") ? name : call.arn("cloudformation", "stack/\(name)/*"))]
  }

  func nextEventNumber() -> Int {
    events.withLock {
      $0 += 1
      return $0
    }
  }

  // MARK: - Stacks in the store

  /// A stack by name or ARN; by name only those that are not deleted.
  func find(_ name: String, _ snapshot: Snapshot, _ scope: Scope) throws -> StackRecord {
    let found =
      name.hasPrefix("arn:")
      ? try snapshot.get(StackRecord.self, scope, name)
      : try snapshot.find(StackRecord.self, scope, index: "name", name).first
    guard let found else { throw CFNError.noStack(name) }
    return found
  }

  /// Exported values by name.
  func exports(_ scope: Scope, except stackID: String? = nil) async throws -> [String: String] {
    let stacks = try await store.read { try $0.list(StackRecord.self, scope) }
    var exports: [String: String] = [:]
    for stack in stacks where !stack.isGone && stack.id != stackID {
      for output in stack.outputs { if let name = output.exportName { exports[name] = output.value } }
    }
    return exports
  }

  // MARK: - Templates

  func parse(_ text: String) throws -> Template {
    switch Result(catching: { () throws(TemplateError) in try Template.parse(text) }) {
    case .success(let template): return template
    case .failure(let error): throw error.awsError
    }
  }

  func evaluator(
    _ template: Template, parameters: [String: String], stackName: String, stackID: String, scope: Scope,
    exports: [String: String]
  ) throws -> TemplateEvaluator {
    let zones: @Sendable (String) -> [String] = { region in ["a", "b", "c"].map { "\(region)\($0)" } }
    let context = TemplateContext(
      accountId: scope.account, region: scope.region, stackName: stackName, stackId: stackID,
      availabilityZones: zones, exportedValue: { exports[$0] })
    switch Result(catching: { () throws(TemplateError) in
      try TemplateEvaluator(template: template, parameters: parameters, context: context)
    }) {
    case .success(let evaluator): return evaluator
    case .failure(let error): throw error.awsError
    }
  }

  func open(_ input: StackInput) throws -> [String: String] {
    let bytes = try input.parameters.open(store.sealer, context: "cloudformation.parameters")
    return try JSONDecoder().decode([String: String].self, from: Data(bytes))
  }

  func seal(_ parameters: [String: String]) throws -> SealedBytes {
    let bytes = [UInt8](try JSONEncoder().encode(parameters))
    return try SealedBytes(bytes, sealer: store.sealer, context: "cloudformation.parameters")
  }

  /// A value with its dynamic references replaced: secrets by Secrets Manager, as the caller may read them.
  func resolve(_ value: TemplateValue, _ call: CallContext) async throws -> TemplateValue {
    let references: [DynamicReference]
    switch Result(catching: { () throws(TemplateError) in try DynamicReference.all(in: value) }) {
    case .success(let found): references = found
    case .failure(let error): throw error.awsError
    }
    guard !references.isEmpty else { return value }
    var answers: [DynamicReference: String] = [:]
    for reference in references {
      guard case .secret(let id, let key, let stage, let version) = reference.target else {
        throw AWSError.notImplemented("dynamic references to Systems Manager (\(reference.text))")
      }
      let secret =
        try await call.invoke(
          SecretsManager.getSecretValue,
          .make {
            $0.secretId = id
            $0.versionStage = stage
            $0.versionId = version
          }
        ).secretString ?? ""
      guard let key else {
        answers[reference] = secret
        continue
      }
      let members = (try? JSONDecoder().decode(JSONValue.self, from: Data(secret.utf8)))?.object
      guard let text = members?[key]?.text else {
        throw CFNError.validation("Could not find a value associated with JSONKey in SecretString: \(key)")
      }
      answers[reference] = text
    }
    // Twice: a secret may itself be made of references.
    return value.substituting(answers)
  }

  /// The template of a request: its text, or an object in S3.
  func templateText(_ body: String?, _ url: String?, _ call: CallContext) async throws -> String? {
    if let body { return body }
    guard let url else { return nil }
    // https://host/bucket/key, https://bucket.s3.region.amazonaws.com/key, s3 on this endpoint in either form.
    guard let parsed = URLComponents(string: url), let host = parsed.host else {
      throw CFNError.validation("TemplateURL must be a supported URL.")
    }
    var path = parsed.path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
    let isVirtual = host.contains(".s3.") || host.contains(".s3-") || host.hasSuffix(".localhost")
    let bucket = isVirtual ? String(host.prefix { $0 != "." }) : path.isEmpty ? "" : path.removeFirst()
    let key = path.joined(separator: "/")
    let (_, stream) = try await call.environment.invoker.invokeStreaming(
      S3.getObject,
      .make {
        $0.bucket = bucket
        $0.key = key
      }, RequestBody([]), call)
    guard let stream else { throw CFNError.validation("TemplateURL could not be read.") }
    return String(decoding: try await stream.collect(limit: 1 << 20), as: UTF8.self)
  }

  // MARK: - Operations under way

  /// Runs pending operations until the task is cancelled: those left from before, then each as it is asked for.
  public func run() async throws {
    let changes = store.changes(in: [StackRecord.collection])
    try await withThrowingDiscardingTaskGroup { group in
      try await beginPending(&group)
      for await _ in changes { try await beginPending(&group) }
    }
  }

  private func beginPending(_ group: inout ThrowingDiscardingTaskGroup<any Error>) async throws {
    let stacks = try await store.read { try $0.list(StackRecord.self) }
    for (scope, stack) in stacks where stack.pending != nil && claim(stack.id) {
      group.addTask { await self.work(on: stack.id, scope) }
    }
  }

  private func claim(_ stackID: String) -> Bool { working.withLock { $0.insert(stackID).inserted } }

  private func work(on stackID: String, _ scope: Scope) async {
    // Read only once the stack is claimed: what was seen before may have been carried out by then, and doing it again
    // from an old record would delete twice and write the old state back.
    repeat {
      while let stack = await pendingStack(stackID, scope) {
        guard await carryOut(stack, scope) else {
          _ = working.withLock { $0.remove(stackID) }
          return
        }
      }
      _ = working.withLock { $0.remove(stackID) }
      // What was asked for while the last step finished found the stack taken: it is looked for once more.
    } while await pendingStack(stackID, scope) != nil && claim(stackID)
  }

  private func pendingStack(_ stackID: String, _ scope: Scope) async -> StackRecord? {
    do {
      let stack = try await store.get(StackRecord.self, scope, stackID)
      return stack?.pending == nil ? nil : stack
    } catch {
      environment.logger.error("a stack could not be read", metadata: ["stack": "\(stackID)", "error": "\(error)"])
      return nil
    }
  }

  /// Carries out what is pending on a stack. False when it could not go on.
  private func carryOut(_ stack: StackRecord, _ scope: Scope) async -> Bool {
    do {
      try await StackEngine(session: StackSession(self, scope, stack)).run()
      return true
    } catch is CancellationError {
      // The castle stops; the operation stands in the store and goes on at the next start.
      return false
    } catch {
      environment.logger.error(
        "a stack operation stopped", metadata: ["stack": "\(stack.name)", "error": "\(error)"])
      return false
    }
  }
}
