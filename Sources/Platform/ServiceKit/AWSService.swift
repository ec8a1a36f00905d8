// What a service is to the rest of the house.

import AWSCore
import AWSWire
import Store

/// One AWS service.
public protocol AWSService: Sendable {
  /// The models it answers for: one, or two where AWS split what is one here (IAM and STS).
  var apis: [ServiceAPI] { get }
  /// The collections that it keeps in the store.
  static var collections: [any Record.Type] { get }
  /// The CloudFormation resource types that it provides.
  var resourceProviders: [ResourceProvider] { get }
  /// Makes what a fresh account has (a default VPC). Called once for an empty store, and after a reset.
  func prepareAccount(_ account: String, region: String) async throws
  /// Moves the engines to the desired state until the task is cancelled. Returns at once where there is nothing to do.
  func run() async throws
  /// Ends and removes what lies outside the store (processes, files): `castle reset`, `castle destroy`.
  func removeEverything() async throws
  /// Stops the engines that `castle down` ends. What is stopped starts again with `run`.
  func stopEngines() async throws
  /// Tries what failed at once, without the rest of its wait: somebody says that the cause has gone (`castle up`).
  func retryFailed() async
  /// Tells CloudWatch at once what was counted in the minute that goes on, rather than at its end.
  func publishMetrics() async throws
  /// True when `removeEverything` has engines to end, which takes its time.
  var hasEngines: Bool { get async }
}

extension AWSService {
  public static var collections: [any Record.Type] { [] }
  public var resourceProviders: [ResourceProvider] { [] }
  public func prepareAccount(_ account: String, region: String) async throws {}
  public func run() async throws {}
  public func removeEverything() async throws {}
  public func stopEngines() async throws {}
  public func retryFailed() async {}
  public func publishMetrics() async throws {}
  public var hasEngines: Bool { get async { false } }
}

/// One API of a service: the model, IAM's prefix for its actions, and the operations.
public struct ServiceAPI: Sendable {
  public var model: ServiceModel
  /// `kms` in `kms:Encrypt`.
  public var actionPrefix: String
  public var handlers: HandlerTable

  public init(_ model: ServiceModel, actionPrefix: String, _ handlers: HandlerTable) {
    self.model = model
    self.actionPrefix = actionPrefix
    self.handlers = handlers
  }
}
