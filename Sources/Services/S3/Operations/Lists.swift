// ListObjects, ListObjectsV2, ListObjectVersions.

import AWSCore
import AWSWire
import ObjectStore
import S3Model
import ServiceKit
import SigV4

/// How a list's names are written.
struct ListText {
  let encodes: Bool

  /// - Throws: `InvalidArgument` for an encoding that is not `url`.
  init(_ encoding: String?) throws {
    if let encoding, encoding != "url" {
      throw S3Error.invalidArgument("Invalid Encoding Method specified in Request", "encoding-type", encoding)
    }
    encodes = encoding != nil
  }

  func callAsFunction(_ name: String) -> String { encodes ? PercentEncoding.encode(name, keepingSlash: true) : name }
  func optional(_ name: String?) -> String? { name.map { self($0) } }
  func prefixes(_ names: [String]) -> [S3.CommonPrefix] { names.map { name in .make { $0.prefix = self(name) } } }
}

extension S3Service {
  /// - Throws: `InvalidArgument`.
  static func pageSize(_ asked: Int?, _ name: String) throws -> Int {
    guard let asked else { return S3Limits.pageMax }
    guard asked >= 0 else {
      throw S3Error.invalidArgument(
        "Argument \(name) must be an integer between 0 and 2147483647", name, String(asked))
    }
    return min(asked, S3Limits.pageMax)
  }

  func listObjects(_ input: S3.ListObjectsRequest, _ call: CallContext) async throws -> S3.ListObjectsOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let text = try ListText(input.encodingType)
    let limit = try Self.pageSize(input.maxKeys, "maxKeys")
    let page = try await S3Error.translated(bucket: input.bucket) {
      try await objects().list(
        bucket: input.bucket, prefix: input.prefix ?? "", delimiter: input.delimiter ?? "", after: input.marker,
        limit: limit)
    }
    let owner = Self.owner(bucket.account)
    return .make {
      $0.name = input.bucket
      $0.prefix = text(input.prefix ?? "")
      $0.delimiter = text.optional(input.delimiter)
      $0.marker = text(input.marker ?? "")
      $0.maxKeys = limit
      $0.encodingType = input.encodingType
      $0.isTruncated = page.next != nil
      // Without a delimiter the last key is the marker, and AWS does not repeat it.
      if input.delimiter?.isEmpty == false { $0.nextMarker = text.optional(page.next) }
      $0.contents = page.objects.map { Self.told($0, text, owner) }
      $0.commonPrefixes = text.prefixes(page.commonPrefixes)
    }
  }

  func listObjectsV2(_ input: S3.ListObjectsV2Request, _ call: CallContext) async throws -> S3.ListObjectsV2Output {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let text = try ListText(input.encodingType)
    let limit = try Self.pageSize(input.maxKeys, "maxKeys")
    let after = try input.continuationToken.map(ListToken.read) ?? input.startAfter
    let page = try await S3Error.translated(bucket: input.bucket) {
      try await objects().list(
        bucket: input.bucket, prefix: input.prefix ?? "", delimiter: input.delimiter ?? "", after: after, limit: limit)
    }
    let owner = input.fetchOwner == true ? Self.owner(bucket.account) : nil
    return .make {
      $0.name = input.bucket
      $0.prefix = text(input.prefix ?? "")
      $0.delimiter = text.optional(input.delimiter)
      $0.startAfter = text.optional(input.startAfter)
      $0.continuationToken = input.continuationToken
      $0.nextContinuationToken = page.next.map(ListToken.write)
      $0.maxKeys = limit
      $0.keyCount = page.objects.count + page.commonPrefixes.count
      $0.encodingType = input.encodingType
      $0.isTruncated = page.next != nil
      $0.contents = page.objects.map { Self.told($0, text, owner) }
      $0.commonPrefixes = text.prefixes(page.commonPrefixes)
    }
  }

  private static func told(_ record: ObjectRecord, _ text: ListText, _ owner: S3.Owner?) -> S3.Object {
    .make {
      $0.key = text(record.key)
      $0.eTag = ETag.quoted(record.etag)
      $0.size = record.size
      $0.lastModified = record.modified.wholeSeconds
      $0.storageClass = record.attributes.storageClass
      $0.checksumAlgorithm = checksumNames(record)
      $0.checksumType = record.attributes.checksums.isEmpty ? nil : record.attributes.checksumType
      $0.owner = owner
    }
  }

  private static func checksumNames(_ record: ObjectRecord) -> [String]? {
    record.attributes.checksums.isEmpty ? nil : record.attributes.checksums.keys.sorted()
  }

  func listObjectVersions(
    _ input: S3.ListObjectVersionsRequest, _ call: CallContext
  ) async throws -> S3.ListObjectVersionsOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let text = try ListText(input.encodingType)
    let limit = try Self.pageSize(input.maxKeys, "maxKeys")
    let key = input.keyMarker.flatMap { $0.isEmpty ? nil : $0 }
    let version = input.versionIdMarker.flatMap { $0.isEmpty ? nil : $0 }
    if let version, key == nil {
      throw S3Error.invalidArgument(
        "A version-id marker cannot be specified without a key marker.", "version-id-marker", version)
    }
    let page = try await S3Error.translated(bucket: input.bucket) {
      try await objects().listVersions(
        bucket: input.bucket, prefix: input.prefix ?? "", delimiter: input.delimiter ?? "",
        after: key.map { .init(key: $0, versionID: version) }, limit: limit)
    }
    let owner = Self.owner(bucket.account)
    return .make {
      $0.name = input.bucket
      $0.prefix = text(input.prefix ?? "")
      $0.delimiter = text.optional(input.delimiter)
      $0.keyMarker = text(input.keyMarker ?? "")
      $0.versionIdMarker = input.versionIdMarker ?? ""
      $0.maxKeys = limit
      $0.encodingType = input.encodingType
      $0.isTruncated = page.next != nil
      $0.nextKeyMarker = text.optional(page.next?.key)
      $0.nextVersionIdMarker = page.next?.versionID
      $0.versions = page.versions.filter { !$0.isDeleteMarker }.map { record in
        .make {
          $0.key = text(record.key)
          $0.versionId = record.versionID
          $0.isLatest = record.isLatest
          $0.eTag = ETag.quoted(record.etag)
          $0.size = record.size
          $0.lastModified = record.modified.wholeSeconds
          $0.storageClass = record.attributes.storageClass
          $0.checksumAlgorithm = Self.checksumNames(record)
          $0.checksumType = record.attributes.checksums.isEmpty ? nil : record.attributes.checksumType
          $0.owner = owner
        }
      }
      $0.deleteMarkers = page.versions.filter(\.isDeleteMarker).map { record in
        .make {
          $0.key = text(record.key)
          $0.versionId = record.versionID
          $0.isLatest = record.isLatest
          $0.lastModified = record.modified.wholeSeconds
          $0.owner = owner
        }
      }
      $0.commonPrefixes = text.prefixes(page.commonPrefixes)
    }
  }
}
