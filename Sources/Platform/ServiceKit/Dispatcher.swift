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
    guard let entry = entries[ObjectIdentifier(model)]?[operation] else {
      throw AWSError.notImplemented(service: model.header.signingName, operation: operation)
    }
    if !entry.handler.isOpen, call.principal.kind != .service {
      for access in try await entry.handler.authorize(input, call) {
        try await authority.authorize(
          call, action: access.action ?? "\(entry.api.actionPrefix):\(operation)", access: access)
      }
    }
    return try await entry.handler.run(input, body, call)
  }

  public func invoke<I, O>(_ operation: APIOperation<I, O>, _ input: I, _ call: CallContext) async throws -> O {
    O(wireMembers: try await run(operation.service, operation.name, input.wireMembers, call).output)
  }

  public func invokeStreaming<I, O>(
    _ operation: APIOperation<I, O>, _ input: I, _ body: RequestBody, _ call: CallContext
  ) async throws -> (O, ResponseBody?) {
    let (output, stream) = try await run(operation.service, operation.name, input.wireMembers, body: body, call)
    return (O(wireMembers: output), stream)
  }
}
