// S3 with KMS and IAM beside it, in process.

import AWSCore
import AWSWire
import CastleTesting
import IAMModel
import IAMService
import KMSModel
import KMSService
import S3Model
import ServiceKit
import Testing

@testable import S3Service

/// S3 over a store of its own. IAM decides who may call; the default caller is the owner.
struct S3Fixture {
  static let account = "000000000000"
  let harness: ServiceHarness
  let service: S3Service
  let iam: IAMService
  let dispatcher: Dispatcher
  let clock: ManualClock

  static func with(_ body: (S3Fixture) async throws -> Void) async throws {
    let fixture = try S3Fixture()
    defer { fixture.harness.remove() }
    try await body(fixture)
    try await fixture.service.objects().close()
    try await fixture.harness.environment.store.close()
  }

  private init() throws {
    let clock = ManualClock()
    var s3: S3Service?
    var iam: IAMService?
    var all: [any AWSService] = []
    harness = try ServiceHarness(clock: clock, collections: KMSService.collections + IAMService.collections) {
      let owner = AccessKey(id: "AKIAOWNER00000000000", secret: "owner", principal: .root(account: Self.account))
      let made = (try S3Service($0), IAMService($0, owner: owner))
      (s3, iam) = made
      all = [made.0, made.1, KMSService($0)]
      return all
    }
    service = try #require(s3)
    self.iam = try #require(iam)
    self.clock = clock
    dispatcher = Dispatcher(services: all, authority: self.iam)
    harness.environment.connect(invoker: dispatcher)
  }

  // MARK: Calls

  func call(as principal: Principal? = nil, region: String = "us-east-1") -> CallContext {
    var call = harness.call(region: region)
    if let principal {
      call.principal = principal
      if !principal.account.isEmpty { call.account = principal.account }
    }
    return call
  }

  @discardableResult
  func run<I, O>(
    as principal: Principal? = nil, region: String = "us-east-1", _ operation: APIOperation<I, O>,
    _ configure: (inout I) -> Void = { _ in }
  ) async throws -> O {
    var input = I()
    configure(&input)
    return try await dispatcher.invoke(operation, input, call(as: principal, region: region))
  }

  /// Makes a bucket.
  func bucket(_ name: String = "shop", versioning: Bool = false) async throws {
    try await run(S3.createBucket) { $0.bucket = name }
    if versioning {
      try await run(S3.putBucketVersioning) {
        $0.bucket = name
        $0.versioningConfiguration = .make { $0.status = "Enabled" }
      }
    }
  }

  @discardableResult
  func put(
    as principal: Principal? = nil, _ key: String, _ bytes: [UInt8], bucket: String = "shop",
    _ configure: (inout S3.PutObjectRequest) -> Void = { _ in }
  ) async throws -> S3.PutObjectOutput {
    var input = S3.PutObjectRequest()
    input.bucket = bucket
    input.key = key
    configure(&input)
    return try await dispatcher.invokeStreaming(S3.putObject, input, RequestBody(bytes), call(as: principal)).0
  }

  @discardableResult
  func put(
    as principal: Principal? = nil, _ key: String, _ text: String, bucket: String = "shop",
    _ configure: (inout S3.PutObjectRequest) -> Void = { _ in }
  ) async throws -> S3.PutObjectOutput {
    try await put(as: principal, key, Array(text.utf8), bucket: bucket, configure)
  }

  func get(
    as principal: Principal? = nil, _ key: String, bucket: String = "shop",
    _ configure: (inout S3.GetObjectRequest) -> Void = { _ in }
  ) async throws -> (head: S3.GetObjectOutput, bytes: [UInt8]) {
    var input = S3.GetObjectRequest()
    input.bucket = bucket
    input.key = key
    configure(&input)
    let (head, body) = try await dispatcher.invokeStreaming(S3.getObject, input, RequestBody([]), call(as: principal))
    return (head, try await body?.collect(limit: 1 << 30) ?? [])
  }

  func text(
    as principal: Principal? = nil, _ key: String, bucket: String = "shop",
    _ configure: (inout S3.GetObjectRequest) -> Void = { _ in }
  ) async throws -> String {
    String(decoding: try await get(as: principal, key, bucket: bucket, configure).bytes, as: UTF8.self)
  }

  func keys(bucket: String = "shop", _ configure: (inout S3.ListObjectsV2Request) -> Void = { _ in }) async throws
    -> [String]
  {
    let page = try await run(S3.listObjectsV2) {
      $0.bucket = bucket
      configure(&$0)
    }
    return (page.contents ?? []).compactMap(\.key)
  }

  /// A user with an inline policy.
  func user(_ name: String, policy: String? = nil) async throws -> Principal {
    try await run(IAM.createUser) { $0.userName = name }
    if let policy {
      try await run(IAM.putUserPolicy) { ($0.userName, $0.policyName, $0.policyDocument) = (name, "own", policy) }
    }
    let id = try await run(IAM.createAccessKey) { $0.userName = name }.accessKey?.accessKeyId
    let key = try await iam.accessKey(id ?? "")
    return try #require(key).principal
  }

  static let nobody = Principal(kind: .user, account: "", arn: "anonymous", userID: "anonymous")

  /// The error that a body throws; nil when it throws none.
  func failure(_ body: () async throws -> some Any) async -> AWSError? {
    do {
      _ = try await body()
      return nil
    } catch {
      return error as? AWSError ?? AWSError("Unexpected", "\(error)")
    }
  }
}
