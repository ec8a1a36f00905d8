// GetObject, HeadObject.

import AWSCore
import AWSWire
import ObjectStore
import S3Model
import ServiceKit

extension S3Service {
  func getObject(
    _ input: S3.GetObjectRequest, _ body: RequestBody, _ call: CallContext
  ) async throws -> (S3.GetObjectOutput, ResponseBody?) {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let handle = try await find(input, method: "GET")
    try Self.conditions(input).check(handle.record)
    let part = try Self.part(input, handle)
    let range = try part ?? Self.range(input.range, size: handle.record.size)
    let answer = try ObjectHeaders.answer(
      handle.record, input, bucket: bucket, range: range, partsCount: Self.partsCount(input, handle),
      as: S3.GetObjectOutput.self)
    let key = try await openDataKey(handle.record.attributes.encryption, bucket, input.key, call)
    let content = try handle.body(range, key: key.map { try DataKey($0) })
    return (answer, ResponseBody(content))
  }

  func headObject(_ input: S3.HeadObjectRequest, _ call: CallContext) async throws -> S3.HeadObjectOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let handle = try await find(input, method: "HEAD")
    try Self.conditions(input).check(handle.record)
    let range = try Self.part(input, handle) ?? Self.range(input.range, size: handle.record.size)
    return try ObjectHeaders.answer(
      handle.record, input, bucket: bucket, range: range, partsCount: Self.partsCount(input, handle))
  }

  private func find(_ input: some ObjectReadRequest, method: String) async throws -> ObjectHandle {
    if input.sseCustomerAlgorithm != nil {
      throw AWSError.notImplemented("s3: server-side encryption with keys of the customer (SSE-C)")
    }
    let version = try Self.version(input.versionId)
    let (bucket, key) = (input.bucket, input.key)
    return try await S3Error.translated(bucket: bucket, key: key, version: version, method: method) {
      try await objects().get(bucket: bucket, key: key, versionID: version)
    }
  }

  /// - Throws: `InvalidArgument` for what no version id looks like.
  static func version(_ id: String?) throws -> String? {
    guard let id else { return nil }
    guard id == "null" || id.utf8.count == 32 else {
      throw S3Error.invalidArgument(
        id.isEmpty ? "Version id cannot be the empty string" : "Invalid version id specified", "versionId", id)
    }
    return id
  }

  private static func conditions(_ input: some ObjectReadRequest) -> ReadConditions {
    ReadConditions(
      match: input.ifMatch, noneMatch: input.ifNoneMatch, modifiedSince: input.ifModifiedSince,
      unmodifiedSince: input.ifUnmodifiedSince)
  }

  private static func partsCount(_ input: some ObjectReadRequest, _ handle: ObjectHandle) -> Int? {
    input.partNumber != nil && !handle.parts.isEmpty ? handle.parts.count : nil
  }

  /// The range of the part that is asked for; nil when none is.
  private static func part(_ input: some ObjectReadRequest, _ handle: ObjectHandle) throws -> Range<Int>? {
    guard let number = input.partNumber else { return nil }
    if input.range != nil {
      throw S3Error.invalidRequest("Cannot specify both Range header and partNumber query parameter")
    }
    if handle.parts.isEmpty {
      guard number == 1 else { throw S3Error.invalidPartNumber(number, count: 1) }
      return handle.record.size == 0 ? nil : 0..<handle.record.size
    }
    guard let range = handle.range(ofPartAt: number - 1) else {
      throw S3Error.invalidPartNumber(number, count: handle.parts.count)
    }
    return range.isEmpty ? nil : range
  }

  static func range(_ header: String?, size: Int) throws -> Range<Int>? {
    guard let header, let range = ByteRange(header) else { return nil }
    guard let offsets = range.offsets(in: size) else { throw S3Error.invalidRange(header, size: size) }
    return offsets
  }
}

extension ResponseBody {
  /// An object's bytes.
  init(_ content: ObjectBody) {
    self.init(length: content.count) { write in
      for try await chunk in content { try await write(chunk[...]) }
    }
  }
}
