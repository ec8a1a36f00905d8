// A service's operations: name → method, with what IAM must know to decide.

import AWSCore
import AWSWire
import Synchronization

/// What a call touches, for IAM.
public struct ResourceAccess: Sendable {
  /// The action, when it is not `prefix:Operation`.
  public var action: String?
  public var arn: String
  /// The resource's own policy, as JSON.
  public var policy: String?
  /// How the resource's policy and the caller's policies go together.
  public var kind: Kind
  /// Condition keys that the service adds, such as `kms:ViaService` or `s3:prefix`.
  public var context: [String: [String]]
  /// Principals (ARNs, or a service's host name) to whom a grant of the KMS key gives just this call: its operation and
  /// its encryption context fit. Who is named here needs no policy; explicit denials still hold.
  public var grants: [String] = []
  /// The account that owns the resource, where the ARN does not say (S3); nil takes the ARN's, else the caller's.
  public var account: String?

  public enum Kind: Sendable {
    case ordinary
    /// A KMS key: identity policies count only where the key policy lets them. Grants are in `grants`.
    case kmsKey
    /// A role to be assumed: the trust policy must name the caller.
    case trustPolicy
  }

  public init(
    _ arn: String, action: String? = nil, policy: String? = nil, kind: Kind = .ordinary,
    context: [String: [String]] = [:]
  ) {
    self.arn = arn
    self.action = action
    self.policy = policy
    self.kind = kind
    self.context = context
  }

  /// A resource with its tags, which policies may ask for.
  public init(_ arn: String, tags: [String: String]) {
    self.init(
      arn, context: Dictionary(uniqueKeysWithValues: tags.map { ("aws:ResourceTag/\($0.key)", [$0.value]) }))
  }
}

/// A body that streams in: chunks in order, each read once.
public struct RequestBody: Sendable, AsyncSequence {
  public typealias Element = [UInt8]
  private let make: @Sendable () -> AsyncIterator
  /// The length that the request declared, in decoded bytes.
  public var length: Int?
  /// Trailing fields (checksums), lower-case names; complete once the body was read to its end.
  public let trailers: @Sendable () -> [String: String]

  public struct AsyncIterator: AsyncIteratorProtocol {
    private let step: () async throws -> [UInt8]?
    public init(_ step: @escaping () async throws -> [UInt8]?) { self.step = step }
    public mutating func next() async throws -> [UInt8]? { try await step() }
  }

  public init(
    length: Int?, trailers: @escaping @Sendable () -> [String: String] = { [:] },
    _ make: @escaping @Sendable () -> AsyncIterator
  ) {
    self.length = length
    self.trailers = trailers
    self.make = make
  }

  /// A body that is already here.
  public init(_ bytes: [UInt8]) {
    self.init(length: bytes.count) {
      var rest: [UInt8]? = bytes.isEmpty ? nil : bytes
      return AsyncIterator {
        defer { rest = nil }
        return rest
      }
    }
  }

  public func makeAsyncIterator() -> AsyncIterator { make() }

  /// The whole body.
  /// - Throws: `AWSError` 413 when it is longer than `limit` bytes.
  public func collect(limit: Int) async throws -> [UInt8] {
    var all: [UInt8] = []
    for try await chunk in self {
      guard all.count + chunk.count <= limit else {
        throw AWSError("RequestEntityTooLarge", "The request body is longer than \(limit) bytes.", status: 413)
      }
      if all.isEmpty { all = chunk } else { all += chunk }
    }
    return all
  }
}

/// A body that streams out. The length is sent ahead.
public struct ResponseBody: Sendable {
  public var length: Int
  /// Writes the body, chunk by chunk; throwing closes the connection, so that nobody takes a part for the whole.
  public var write: @Sendable (_ chunk: (ArraySlice<UInt8>) async throws -> Void) async throws -> Void

  public init(length: Int, _ write: @escaping @Sendable ((ArraySlice<UInt8>) async throws -> Void) async throws -> Void)
  {
    self.length = length
    self.write = write
  }

  public init(_ bytes: [UInt8]) {
    self.init(length: bytes.count) { try await $0(bytes[...]) }
  }

  /// The whole body.
  /// - Throws: `AWSError` when it is longer than `limit` bytes.
  public func collect(limit: Int) async throws -> [UInt8] {
    guard length <= limit else {
      throw AWSError("RequestEntityTooLarge", "The body is longer than \(limit) bytes.", status: 413)
    }
    let all = Mutex<[UInt8]>([])
    try await write { chunk in all.withLock { $0 += chunk } }
    return all.withLock { $0 }
  }
}

/// An operation's way in, without its types.
public struct AnyHandler: Sendable {
  let operation: any AnyOperation
  /// The operation reads its body as a stream.
  public var takesStream: Bool
  /// The call is let in without an identity check (STS AssumeRoleWithWebIdentity), or decides itself (GetCallerIdentity).
  public var isOpen: Bool
}

/// What the dispatcher does with an operation whose types it does not know.
protocol AnyOperation: Sendable {
  /// A call off the wire, its input read into the operation's own type once.
  func call(_ input: StructureValue) -> any AnyCall
}

/// One call, its input in the operation's own type.
protocol AnyCall: Sendable {
  func accesses(_ call: CallContext) async throws -> [ResourceAccess]
  func run(_ body: RequestBody?, _ call: CallContext) async throws -> (output: StructureValue, body: ResponseBody?)
}

/// An operation with its types: what calls between services use, with nothing in between.
struct TypedOperation<I: WireStructure, O: WireStructure>: AnyOperation {
  let access: HandlerTable.Access<I>
  let run: @Sendable (I, RequestBody?, CallContext) async throws -> (O, ResponseBody?)

  func call(_ input: StructureValue) -> any AnyCall { TypedCall(operation: self, input: I(wireMembers: input)) }
}

struct TypedCall<I: WireStructure, O: WireStructure>: AnyCall {
  let operation: TypedOperation<I, O>
  let input: I

  func accesses(_ call: CallContext) async throws -> [ResourceAccess] { try await operation.access(input, call) }

  func run(_ body: RequestBody?, _ call: CallContext) async throws -> (output: StructureValue, body: ResponseBody?) {
    let (output, stream) = try await operation.run(input, body, call)
    return (output: output.wireMembers, body: stream)
  }
}

/// The table of a service's operations. Written out once, in the service's main file.
public struct HandlerTable: Sendable {
  public private(set) var handlers: [String: AnyHandler] = [:]

  public init() {}

  public typealias Access<I> = @Sendable (I, CallContext) async throws -> [ResourceAccess]

  /// Adds an operation.
  /// - Parameters:
  ///   - isOpen: IAM is not asked.
  ///   - access: the resources that the call touches; all (`*`) when nothing is said. What it throws is the answer,
  ///     so a missing resource is reported before IAM is asked, as on AWS for most services.
  public mutating func on<I, O>(
    _ operation: APIOperation<I, O>, isOpen: Bool = false,
    access: @escaping Access<I> = { _, _ in [ResourceAccess("*")] },
    _ handler: @escaping @Sendable (I, CallContext) async throws -> O
  ) {
    add(
      operation.name, takesStream: false, isOpen: isOpen,
      TypedOperation<I, O>(access: access) { input, _, call in (try await handler(input, call), nil) })
  }

  /// Adds an operation whose body streams in, out, or both.
  public mutating func stream<I, O>(
    _ operation: APIOperation<I, O>, access: @escaping Access<I>,
    _ handler: @escaping @Sendable (I, RequestBody, CallContext) async throws -> (O, ResponseBody?)
  ) {
    add(
      operation.name, takesStream: true, isOpen: false,
      TypedOperation<I, O>(access: access) { input, body, call in
        try await handler(input, body ?? RequestBody([]), call)
      })
  }

  private mutating func add(_ name: String, takesStream: Bool, isOpen: Bool, _ operation: any AnyOperation) {
    precondition(handlers[name] == nil, "\(name) is in the table twice")
    handlers[name] = AnyHandler(operation: operation, takesStream: takesStream, isOpen: isOpen)
  }
}
