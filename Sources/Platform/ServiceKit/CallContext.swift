// What an operation knows besides its input.

import AWSCore
import AWSWire
import Logging
import Store

/// One call of an operation: who, where, when, and the way to the other services.
public struct CallContext: Sendable {
  public var principal: Principal
  /// The account that is called (twelve digits).
  public var account: String
  public var region: String
  public var requestID: String
  /// The time of the call; the same throughout it.
  public var now: Timestamp
  /// The caller's address; `127.0.0.1` for calls from inside.
  public var sourceAddress: String
  public var userAgent: String
  /// The call came over TLS, or from this machine.
  public var isSecure: Bool
  /// The endpoint as the caller addressed it, such as `http://127.0.0.1:4566`.
  public var endpoint: String
  /// A chain of services that call for someone, outermost first (`cloudformation.amazonaws.com`).
  public var calledVia: [String]
  public let environment: ServiceEnvironment

  public init(
    principal: Principal, account: String, region: String, requestID: String, environment: ServiceEnvironment,
    sourceAddress: String = "127.0.0.1", userAgent: String = "castle", isSecure: Bool = true, endpoint: String? = nil,
    calledVia: [String] = []
  ) {
    self.principal = principal
    self.account = account
    self.region = region
    self.requestID = requestID
    self.now = environment.clock.now
    self.sourceAddress = sourceAddress
    self.userAgent = userAgent
    self.isSecure = isSecure
    self.endpoint = endpoint ?? environment.endpoint
    self.calledVia = calledVia
    self.environment = environment
  }

  /// A logger that tells the request. Made when it is asked for: most calls have nothing to say.
  public var logger: Logger {
    var logger = environment.logger
    logger[metadataKey: "request"] = "\(requestID)"
    return logger
  }

  /// The records of this call's account and region.
  public var scope: Scope { Scope(account: account, region: region) }
  /// The records of global services (IAM, Route 53, …).
  public var globalScope: Scope { Scope(account: account, region: "global") }
  public var ids: any IdentifierSource { environment.ids }

  /// `arn:aws:service:region:account:resource`, in this call's region and account.
  public func arn(_ service: String, _ resource: String) -> String {
    "arn:aws:\(service):\(region):\(account):\(resource)"
  }

  /// Calls another service's operation with this caller's identity: IAM decides as if the caller had called it.
  /// - Throws: the `AWSError` that the operation answered.
  public func invoke<I, O>(_ operation: APIOperation<I, O>, _ input: I) async throws -> O {
    try await environment.invoker.invoke(operation, input, self)
  }

  /// The same for an operation whose body streams in, out, or both.
  public func invokeStreaming<I, O>(
    _ operation: APIOperation<I, O>, _ input: I, _ body: RequestBody = RequestBody([])
  ) async throws -> (O, ResponseBody?) {
    try await environment.invoker.invokeStreaming(operation, input, body, self)
  }

  /// The same call made by a service of Castle for itself (a service-linked role).
  public func acting(as service: String) -> CallContext {
    var copy = self
    copy.principal = .service(service, account: account)
    copy.calledVia.append(service)
    return copy
  }

  /// The same caller in another region.
  public func `in`(region: String) -> CallContext {
    var copy = self
    copy.region = region
    return copy
  }
}

/// The way from one service to another.
public protocol Invoker: Sendable {
  /// Validates, authorises and runs an operation.
  func invoke<I, O>(_ operation: APIOperation<I, O>, _ input: I, _ call: CallContext) async throws -> O
  /// The same for an operation whose body streams in, out, or both.
  func invokeStreaming<I, O>(
    _ operation: APIOperation<I, O>, _ input: I, _ body: RequestBody, _ call: CallContext
  ) async throws -> (O, ResponseBody?)
}
