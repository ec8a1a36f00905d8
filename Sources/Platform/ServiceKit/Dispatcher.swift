// The heart of the chain: from an operation's input to its output, the same for a call off the wire, from another
// service, or from a stack.

import AWSCore
import AWSWire

/// Finds an operation's handler, checks the input against the model, asks IAM, and runs it.
public struct Dispatcher: Invoker {
  private struct Entry: Sendable {
    let api: ServiceAPI
    let handler: AnyHandler
  }
  private let entries: [ObjectIdentifier: [String: Entry]]
  private let authority: any Authority
  /// The models, in the services' order.
  public let models: [ServiceModel]

  public init(services: [any AWSService], authority: any Authority) {
    var entries: [ObjectIdentifier: [String: Entry]] = [:]
    var models: [ServiceModel] = []
    for api in services.flatMap(\.apis) {
      models.append(api.model)
      entries[ObjectIdentifier(api.model)] = api.handlers.handlers.mapValues { Entry(api: api, handler: $0) }
    }
    self.entries = entries
    self.models = models
    self.authority = authority
  }

  /// The operation reads its body as a stream.
  public func takesStream(_ model: ServiceModel, _ operation: String) -> Bool {
    entries[ObjectIdentifier(model)]?[operation]?.handler.takesStream ?? false
  }

  /// The operation lets callers in without a signature.
  public func isOpen(_ model: ServiceModel, _ operation: String) -> Bool {
    entries[ObjectIdentifier(model)]?[operation]?.handler.isOpen ?? false
  }

  /// The operations that are built, by service.
  public func built(_ model: ServiceModel) -> Set<String> {
    Set(entries[ObjectIdentifier(model)]?.keys.map { $0 } ?? [])
  }

  /// Runs an operation on an input that a protocol has read.
  /// - Throws: `AWSError`: 501 for what is not built, the model's validation errors, IAM's refusal, the service's own.
  public func run(
    _ model: ServiceModel, _ operation: String, _ input: StructureValue, body: RequestBody? = nil, _ call: CallContext
  ) async throws -> (output: StructureValue, body: ResponseBody?) {
    let entry = try entry(model, operation)
    let prepared = entry.handler.operation.call(input)
    try await authorize(entry, operation, prepared, call)
    return try await prepared.run(body, call)
  }

  private func entry(_ model: ServiceModel, _ operation: String) throws(AWSError) -> Entry {
    guard let entry = entries[ObjectIdentifier(model)]?[operation] else {
      throw AWSError.notImplemented(service: model.header.signingName, operation: operation)
    }
    return entry
  }

  private func authorize(
    _ entry: Entry, _ operation: String, _ prepared: some AnyCall, _ call: CallContext
  ) async throws {
    guard !entry.handler.isOpen, call.principal.kind != .service else { return }
    for access in try await prepared.accesses(call) {
      try await authority.authorize(
        call, action: access.action ?? "\(entry.api.actionPrefix):\(operation)", access: access)
    }
  }

  public func invoke<I, O>(_ operation: APIOperation<I, O>, _ input: I, _ call: CallContext) async throws -> O {
    try await invoke(operation, input, nil, call).0
  }

  public func invokeStreaming<I, O>(
    _ operation: APIOperation<I, O>, _ input: I, _ body: RequestBody, _ call: CallContext
  ) async throws -> (O, ResponseBody?) {
    try await invoke(operation, input, body, call)
  }

  /// From type to type: nothing is put into wire values that never sees a wire.
  private func invoke<I, O>(
    _ operation: APIOperation<I, O>, _ input: I, _ body: RequestBody?, _ call: CallContext
  ) async throws -> (O, ResponseBody?) {
    let entry = try entry(operation.service, operation.name)
    guard let typed = entry.handler.operation as? TypedOperation<I, O> else {
      throw AWSError.notImplemented(service: operation.service.header.signingName, operation: operation.name)
    }
    let prepared = TypedCall(operation: typed, input: input)
    try await authorize(entry, operation.name, prepared, call)
    return try await typed.run(input, body, call)
  }
}
