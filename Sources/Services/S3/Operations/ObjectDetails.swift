// Tags, ACL and attributes of an object.

import AWSCore
import AWSWire
import ObjectStore
import S3Model
import ServiceKit

extension S3Service {
  // MARK: Tags

  func getObjectTagging(
    _ input: S3.GetObjectTaggingRequest, _ call: CallContext
  ) async throws -> S3.GetObjectTaggingOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let record = try await head(input.bucket, input.key, input.versionId)
    return .make {
      $0.tagSet = TagRules.wire(record.attributes.tags)
      $0.versionId = bucket.record.versioning == .off ? nil : record.versionID
    }
  }

  func putObjectTagging(
    _ input: S3.PutObjectTaggingRequest, _ call: CallContext
  ) async throws -> S3.PutObjectTaggingOutput {
    let tags = try TagRules.object(input.tagging.tagSet)
    let version = try await setTags(tags, input.bucket, input.key, input.versionId, input.expectedBucketOwner)
    return .make { $0.versionId = version }
  }

  func deleteObjectTagging(
    _ input: S3.DeleteObjectTaggingRequest, _ call: CallContext
  ) async throws -> S3.DeleteObjectTaggingOutput {
    let version = try await setTags([:], input.bucket, input.key, input.versionId, input.expectedBucketOwner)
    return .make { $0.versionId = version }
  }

  private func setTags(
    _ tags: [String: String], _ name: String, _ key: String, _ versionID: String?, _ expectedOwner: String?
  ) async throws -> String? {
    let bucket = try await bucket(name, expectedOwner: expectedOwner)
    let version = try Self.version(versionID)
    let record = try await S3Error.translated(bucket: name, key: key, version: version, method: "PUT") {
      try await objects().update(bucket: name, key: key, versionID: version) { $0.tags = tags }
    }
    return bucket.record.versioning == .off ? nil : record.versionID
  }

  func head(_ bucket: String, _ key: String, _ versionID: String?) async throws -> ObjectRecord {
    let version = try Self.version(versionID)
    return try await S3Error.translated(bucket: bucket, key: key, version: version) {
      try await objects().head(bucket: bucket, key: key, versionID: version)
    }
  }

  // MARK: ACL

  func getObjectAcl(_ input: S3.GetObjectAclRequest, _ call: CallContext) async throws -> S3.GetObjectAclOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    _ = try await head(input.bucket, input.key, input.versionId)
    return .make {
      $0.owner = Self.owner(bucket.account)
      $0.grants = [Self.fullControl(bucket.account)]
    }
  }

  // MARK: Attributes

  func getObjectAttributes(
    _ input: S3.GetObjectAttributesRequest, _ call: CallContext
  ) async throws -> S3.GetObjectAttributesOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    if input.sseCustomerAlgorithm != nil {
      throw AWSError.notImplemented("s3: server-side encryption with keys of the customer (SSE-C)")
    }
    let version = try Self.version(input.versionId)
    let handle = try await S3Error.translated(bucket: input.bucket, key: input.key, version: version) {
      try await objects().get(bucket: input.bucket, key: input.key, versionID: version)
    }
    let record = handle.record
    let wanted = Set(input.objectAttributes)
    guard !wanted.isEmpty, wanted.isSubset(of: ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]) else {
      throw S3Error.invalidArgument(
        "Invalid attribute name specified.", "x-amz-object-attributes", input.objectAttributes.joined(separator: ","))
    }
    return .make {
      $0.lastModified = record.modified.wholeSeconds
      $0.versionId = bucket.record.versioning == .off ? nil : record.versionID
      // The one place where AWS gives the tag without quotes.
      if wanted.contains("ETag") { $0.eTag = record.etag }
      if wanted.contains("ObjectSize") { $0.objectSize = record.size }
      if wanted.contains("StorageClass") { $0.storageClass = record.attributes.storageClass }
      if wanted.contains("Checksum"), !record.attributes.checksums.isEmpty {
        $0.checksum = .make {
          $0.set(record.attributes.checksums)
          $0.checksumType = record.attributes.checksumType
        }
      }
      if wanted.contains("ObjectParts"), !handle.parts.isEmpty { $0.objectParts = Self.parts(handle, input) }
    }
  }

  private static func parts(
    _ handle: ObjectHandle, _ input: S3.GetObjectAttributesRequest
  ) -> S3.GetObjectAttributesParts {
    let limit = min(max(0, input.maxParts ?? S3Limits.pageMax), S3Limits.pageMax)
    let marker = input.partNumberMarker ?? 0
    let rest = handle.parts.filter { $0.number > marker }
    let page = rest.prefix(limit)
    return .make {
      $0.totalPartsCount = handle.parts.count
      $0.maxParts = limit
      $0.partNumberMarker = marker
      $0.isTruncated = page.count < rest.count
      $0.nextPartNumberMarker = page.last?.number ?? 0
      $0.parts = page.map { part in
        .make {
          $0.partNumber = part.number
          $0.size = part.size
          $0.set(part.checksums)
        }
      }
    }
  }
}
