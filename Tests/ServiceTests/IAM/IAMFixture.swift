// IAM and STS over a store of their own, with IAM itself deciding who may call.

import AWSCore
import AWSWire
import CastleTesting
import IAMModel
import IAMService
import STSModel
import ServiceKit
import Store

/// A service harness whose authority is the real one.
struct IAMFixture {
  static let account = "000000000000"
  let harness: ServiceHarness
  let iam: IAMService
  let dispatcher: Dispatcher
  let clock = ManualClock()

  init() throws {
    let owner = AccessKey(id: "AKIAOWNER00000000000", secret: "owner", principal: .root(account: Self.account))
    var made: IAMService?
    harness = try ServiceHarness(clock: clock, collections: IAMService.collections) { environment in
      let iam = IAMService(environment, owner: owner)
      made = iam
      return [iam]
    }
    guard let made else { preconditionFailure("the harness makes its services") }
    iam = made
    dispatcher = Dispatcher(services: [iam], authority: iam)
    harness.environment.connect(invoker: dispatcher)
  }

  /// Runs the test's body and removes the store.
  static func with(_ body: (IAMFixture) async throws -> Void) async throws {
    let fixture = try IAMFixture()
    defer { fixture.harness.remove() }
    try await body(fixture)
    try await fixture.harness.environment.store.close()
  }

  var call: CallContext { harness.call() }

  /// As the owner.
  func run<I, O>(_ operation: APIOperation<I, O>, _ configure: (inout I) -> Void = { _ in }) async throws -> O {
    try await run(as: .root(account: Self.account), operation, configure)
  }

  func run<I, O>(
    as principal: Principal, _ operation: APIOperation<I, O>, _ configure: (inout I) -> Void = { _ in }
  ) async throws -> O {
    var input = I()
    configure(&input)
    var call = harness.call(account: principal.account)
    call.principal = principal
    return try await dispatcher.invoke(operation, input, call)
  }

  /// A user with an inline policy, and the principal behind a key of its own.
  func user(_ name: String, policy: String? = nil) async throws -> Principal {
    _ = try await run(IAM.createUser) { $0.userName = name }
    if let policy {
      _ = try await run(IAM.putUserPolicy) { ($0.userName, $0.policyName, $0.policyDocument) = (name, "own", policy) }
    }
    let key = try await run(IAM.createAccessKey) { $0.userName = name }.accessKey
    return try await principal(key?.accessKeyId)
  }

  func principal(_ id: String?) async throws -> Principal {
    guard let id, let key = try await iam.accessKey(id) else { throw AWSError("NoKey", "no such key") }
    return key.principal
  }

  func role(_ name: String, trusts principal: String, path: String = "/", condition: String? = nil) async throws
    -> String
  {
    let when = condition.map { #","Condition":\#($0)"# } ?? ""
    let trust =
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":\#(principal),"Action":["sts:AssumeRole","sts:TagSession"]\#(when)}]}"#
    return try await run(IAM.createRole) {
      ($0.roleName, $0.path, $0.assumeRolePolicyDocument) = (name, path, trust)
    }.role?.arn ?? ""
  }

  static func policy(_ actions: String..., resource: String = "*", effect: String = "Allow") -> String {
    let list = actions.map { "\"\($0)\"" }.joined(separator: ",")
    return
      #"{"Version":"2012-10-17","Statement":[{"Effect":"\#(effect)","Action":[\#(list)],"Resource":"\#(resource)"}]}"#
  }
}
