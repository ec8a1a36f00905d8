// ListParts, ListMultipartUploads.

import AWSCore
import AWSWire
import ObjectStore
import S3Model
import ServiceKit

extension S3Service {
  func listParts(_ input: S3.ListPartsRequest, _ call: CallContext) async throws -> S3.ListPartsOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let limit = try Self.pageSize(input.maxParts, "max-parts")
    let marker = input.partNumberMarker ?? 0
    let (upload, parts) = try await S3Error.translated(bucket: input.bucket, key: input.key, upload: input.uploadId) {
      let store = try await objects()
      return (
        try await store.upload(bucket: input.bucket, key: input.key, uploadID: input.uploadId),
        try await store.parts(
          bucket: input.bucket, key: input.key, uploadID: input.uploadId, after: marker, limit: limit + 1)
      )
    }
    let page = parts.prefix(limit)
    let notes = UploadNotes(upload.attributes.notes)
    return .make {
      $0.bucket = input.bucket
      $0.key = input.key
      $0.uploadId = input.uploadId
      $0.partNumberMarker = marker
      $0.nextPartNumberMarker = page.last?.number ?? 0
      $0.maxParts = limit
      $0.isTruncated = parts.count > limit
      $0.owner = Self.owner(bucket.account)
      $0.initiator = .make { $0.id = Self.canonicalID(bucket.account) }
      $0.storageClass = upload.attributes.storageClass
      if notes.isChosenByCaller {
        $0.checksumAlgorithm = notes.algorithm.rawValue
        $0.checksumType = notes.type
      }
      $0.parts = page.map { part in
        .make {
          $0.partNumber = part.number
          $0.eTag = ETag.quoted(part.etag)
          $0.size = part.size
          $0.lastModified = part.modified.wholeSeconds
          if notes.isChosenByCaller { $0.set(part.checksums) }
        }
      }
    }
  }

  func listMultipartUploads(
    _ input: S3.ListMultipartUploadsRequest, _ call: CallContext
  ) async throws -> S3.ListMultipartUploadsOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let text = try ListText(input.encodingType)
    let limit = try Self.pageSize(input.maxUploads, "max-uploads")
    let key = input.keyMarker.flatMap { $0.isEmpty ? nil : $0 }
    // Without a key's marker, an upload's is not looked at.
    let uploadID = key == nil ? nil : input.uploadIdMarker.flatMap { $0.isEmpty ? nil : $0 }
    let page = try await S3Error.translated(bucket: input.bucket) {
      try await objects().uploads(
        bucket: input.bucket, prefix: input.prefix ?? "", delimiter: input.delimiter ?? "",
        after: key.map { .init(key: $0, uploadID: uploadID) }, limit: limit)
    }
    let owner = Self.owner(bucket.account)
    return .make {
      $0.bucket = input.bucket
      $0.prefix = text(input.prefix ?? "")
      $0.delimiter = text.optional(input.delimiter)
      $0.keyMarker = text(input.keyMarker ?? "")
      $0.uploadIdMarker = input.uploadIdMarker ?? ""
      $0.nextKeyMarker = text(page.next?.key ?? "")
      $0.nextUploadIdMarker = page.next?.uploadID ?? ""
      $0.maxUploads = limit
      $0.encodingType = input.encodingType
      $0.isTruncated = page.next != nil
      $0.commonPrefixes = text.prefixes(page.commonPrefixes)
      $0.uploads = page.uploads.map { upload in
        let notes = UploadNotes(upload.attributes.notes)
        return .make {
          $0.key = text(upload.key)
          $0.uploadId = upload.uploadID
          $0.initiated = upload.initiated.wholeSeconds
          $0.storageClass = upload.attributes.storageClass
          $0.owner = owner
          $0.initiator = .make { $0.id = owner.id }
          if notes.isChosenByCaller {
            $0.checksumAlgorithm = notes.algorithm.rawValue
            $0.checksumType = notes.type
          }
        }
      }
    }
  }
}
