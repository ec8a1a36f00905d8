// PutObject.

import AWSCore
import AWSWire
import ObjectStore
import S3Model
import ServiceKit

extension S3Service {
  func putObject(
    _ input: S3.PutObjectRequest, _ body: RequestBody, _ call: CallContext
  ) async throws -> (S3.PutObjectOutput, ResponseBody?) {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    if input.writeOffsetBytes != nil { throw AWSError.notImplemented("s3: appending to objects") }
    try Self.checkLength(body, key: input.key)
    var attributes = try ObjectHeaders.attributes(input, bucket: bucket)
    let condition = try ETag.writeCondition(match: input.ifMatch, noneMatch: input.ifNoneMatch)
    let checksums = try StatedChecksums(input, chosen: input.checksumAlgorithm, md5: input.contentMD5)
    let choice = try EncryptionChoice(input, bucket: bucket)
    let (key, _, envelope) = try await newDataKey(choice, bucket, input.key, call)
    attributes.encryption = envelope.bytes
    attributes.checksumType = "FULL_OBJECT"
    let content = try await stage(body, checksums, key)
    let record = try await S3Error.translated(
      bucket: input.bucket, key: input.key, condition: input.ifNoneMatch == nil ? "If-Match" : "If-None-Match"
    ) { [attributes] in
      try await objects().put(
        content, bucket: input.bucket, key: input.key, attributes: attributes, condition: condition, at: call.now)
    }
    let answer = S3.PutObjectOutput.make {
      $0.eTag = ETag.quoted(record.etag)
      $0.versionId = bucket.record.versioning == .off ? nil : record.versionID
      $0.set(envelope)
      $0.ssekmsEncryptionContext = input.ssekmsEncryptionContext
      $0.set(content.checksums)
      $0.checksumType = "FULL_OBJECT"
    }
    return (answer, nil)
  }

  /// - Throws: `KeyTooLongError`, `EntityTooLarge`, `MissingContentLength`.
  static func checkLength(_ body: RequestBody, key: String) throws {
    if key.utf8.count > S3Limits.keyBytesMax { throw S3Error.keyTooLong(key) }
    guard let length = body.length else {
      throw AWSError("MissingContentLength", "You must provide the Content-Length HTTP header.", status: 411)
    }
    if length > S3Limits.objectBytesMax { throw S3Error.tooLarge(length) }
  }

  /// Takes a body to the disk, checking it as it comes.
  /// - Throws: `BadDigest`, `IncompleteBody`, what the body throws.
  func stage(_ body: RequestBody, _ checksums: StatedChecksums, _ key: DataKey) async throws -> StagedContent {
    let content: StagedContent
    if let length = body.length, length <= ObjectStore.inlineLimit {
      // Small content is taken whole: it never sees the disk before its commit, so nothing has to be written as it comes.
      content = try await objects().stage(
        body.collect(limit: ObjectStore.inlineLimit), digests: checksums.digests, key: key)
    } else {
      let writer = try await objects().writer(digests: checksums.digests, key: key)
      for try await chunk in body { try await writer.append(chunk) }
      content = try await writer.finish()
    }
    if let length = body.length, length != content.size {
      throw AWSError(
        "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header",
        fields: ["NumberBytesExpected": String(length), "NumberBytesProvided": String(content.size)])
    }
    try checksums.verify(content, trailers: body.trailers())
    return content
  }
}
