// CopyObject.

import AWSCore
import AWSWire
import ObjectStore
import S3Model
import ServiceKit

extension S3Service {
  func copyObject(_ input: S3.CopyObjectRequest, _ call: CallContext) async throws -> S3.CopyObjectOutput {
    let target = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let (source, from, handle) = try await copySource(
      input.copySource, expectedOwner: input.expectedSourceBucketOwner,
      customerAlgorithm: input.copySourceSSECustomerAlgorithm,
      ReadConditions(
        match: input.copySourceIfMatch, noneMatch: input.copySourceIfNoneMatch,
        modifiedSince: input.copySourceIfModifiedSince, unmodifiedSince: input.copySourceIfUnmodifiedSince,
        prefix: "x-amz-copy-source-", isCopy: true))
    if input.key.utf8.count > S3Limits.keyBytesMax { throw S3Error.keyTooLong(input.key) }
    guard handle.record.size <= S3Limits.objectBytesMax else {
      throw S3Error.invalidRequest(
        "The specified copy source is larger than the maximum allowable size for a copy source: "
          + "\(S3Limits.objectBytesMax)")
    }
    let attributes = try Self.copied(handle.record.attributes, input, target)
    try Self.checkChanges(input, source)
    let choice = try EncryptionChoice(input, bucket: target)
    let condition = try ETag.writeCondition(match: input.ifMatch, noneMatch: input.ifNoneMatch)
    let sourceKey = try await openDataKey(handle.record.attributes.encryption, from, source.key, call)
    let record: ObjectRecord
    let wanted = try input.checksumAlgorithm.map(StatedChecksums.algorithm)
    let hasChecksum =
      wanted.map {
        attributes.checksums[$0.rawValue] != nil && attributes.checksumType == "FULL_OBJECT"
      } ?? true
    if let sourceKey, hasChecksum {
      // The content stays where it is: the copy shares it, and seals its key anew.
      var attributes = attributes
      attributes.encryption = try await seal(sourceKey, choice, target, input.key, call).bytes
      record = try await S3Error.translated(
        bucket: input.bucket, key: input.key, condition: input.ifNoneMatch == nil ? "If-Match" : "If-None-Match"
      ) { [attributes] in
        try await objects().copy(
          handle, bucket: input.bucket, key: input.key, attributes: attributes, condition: condition, at: call.now)
      }
    } else {
      let checksums = try StatedChecksums(
        S3.PutObjectRequest(), chosen: input.checksumAlgorithm, md5: nil)
      let (key, _, envelope) = try await newDataKey(choice, target, input.key, call)
      let writer = try await objects().writer(digests: checksums.digests, key: key)
      try await writer.append(contentsOf: handle.body(key: sourceKey.map { try DataKey($0) }))
      let content = try await writer.finish()
      var attributes = attributes
      attributes.checksums = [:]
      attributes.checksumType = "FULL_OBJECT"
      attributes.encryption = envelope.bytes
      record = try await S3Error.translated(
        bucket: input.bucket, key: input.key, condition: input.ifNoneMatch == nil ? "If-Match" : "If-None-Match"
      ) { [attributes] in
        try await objects().put(
          content, bucket: input.bucket, key: input.key, attributes: attributes, condition: condition, at: call.now)
      }
    }
    return try Self.told(record, target, input, handle, from)
  }

  private static func told(
    _ record: ObjectRecord, _ target: Bucket, _ input: S3.CopyObjectRequest, _ handle: ObjectHandle, _ from: Bucket
  ) throws -> S3.CopyObjectOutput {
    try .make {
      $0.copyObjectResult = .make {
        $0.eTag = ETag.quoted(record.etag)
        $0.lastModified = record.modified.wholeSeconds
        $0.set(record.attributes.checksums)
        $0.checksumType = record.attributes.checksumType
      }
      $0.versionId = target.record.versioning == .off ? nil : record.versionID
      $0.copySourceVersionId = from.record.versioning == .off ? nil : handle.record.versionID
      $0.set(try Envelope(record.attributes.encryption))
      $0.ssekmsEncryptionContext = input.ssekmsEncryptionContext
    }
  }

  /// The source of a copy, found, and its conditions checked.
  func copySource(
    _ header: String, expectedOwner: String?, customerAlgorithm: String?, _ conditions: ReadConditions
  ) async throws -> (CopySource, Bucket, ObjectHandle) {
    if customerAlgorithm != nil {
      throw AWSError.notImplemented("s3: server-side encryption with keys of the customer (SSE-C)")
    }
    let source = try CopySource(header)
    let bucket = try await bucket(source.bucket, expectedOwner: expectedOwner)
    let version = try Self.version(source.versionID)
    let handle: ObjectHandle
    do {
      handle = try await S3Error.translated(bucket: source.bucket, key: source.key, version: version) {
        try await objects().get(bucket: source.bucket, key: source.key, versionID: version)
      }
    } catch let error as AWSError where error.code == "MethodNotAllowed" {
      throw S3Error.invalidRequest(
        "The source of a copy request may not specifically refer to a delete marker by version id.")
    }
    try conditions.check(handle.record)
    return (source, bucket, handle)
  }

  /// The attributes of the copy.
  private static func copied(
    _ source: ObjectAttributes, _ input: S3.CopyObjectRequest, _ target: Bucket
  ) throws -> ObjectAttributes {
    let asked = try ObjectHeaders.attributes(input, bucket: target)
    var result = source
    switch input.metadataDirective {
    case nil, "", "COPY":
      result.system["website-redirect-location"] = asked.system["website-redirect-location"]
    case "REPLACE":
      result.contentType = asked.contentType
      result.system = asked.system
      result.user = asked.user
    case let other?: throw S3Error.invalidArgument("Unknown metadata directive.", "x-amz-metadata-directive", other)
    }
    switch input.taggingDirective {
    case nil, "", "COPY": break
    case "REPLACE": result.tags = asked.tags
    case let other?: throw S3Error.invalidArgument("Unknown tagging directive.", "x-amz-tagging-directive", other)
    }
    result.storageClass = asked.storageClass
    return result
  }

  /// - Throws: `InvalidRequest` for a copy onto itself that changes nothing.
  private static func checkChanges(_ input: S3.CopyObjectRequest, _ source: CopySource) throws {
    guard source.bucket == input.bucket, source.key == input.key, source.versionID == nil,
      input.metadataDirective ?? "COPY" == "COPY", input.taggingDirective ?? "COPY" == "COPY",
      input.storageClass == nil, input.serverSideEncryption == nil, input.websiteRedirectLocation == nil,
      input.checksumAlgorithm == nil
    else { return }
    throw S3Error.invalidRequest(
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
        + "metadata, storage class, website redirect location or encryption attributes.")
  }
}
