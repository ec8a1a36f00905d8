// DeleteObject, DeleteObjects.

import AWSCore
import AWSWire
import ObjectStore
import S3Model
import ServiceKit

extension S3Service {
  func deleteObject(_ input: S3.DeleteObjectRequest, _ call: CallContext) async throws -> S3.DeleteObjectOutput {
    _ = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let result = try await delete(
      input.bucket, input.key, input.versionId,
      Self.condition(etag: input.ifMatch, modified: input.ifMatchLastModifiedTime, size: input.ifMatchSize), call)
    return .make {
      $0.versionId = result.versionID
      $0.deleteMarker = result.isDeleteMarker ? true : nil
    }
  }

  private func delete(
    _ bucket: String, _ key: String, _ versionID: String?, _ condition: WriteCondition, _ call: CallContext
  ) async throws -> DeleteResult {
    let version = try Self.version(versionID)
    return try await S3Error.translated(bucket: bucket, key: key, version: version) {
      try await objects().delete(bucket: bucket, key: key, versionID: version, condition: condition, at: call.now)
    }
  }

  private static func condition(etag: String?, modified: Timestamp?, size: Int?) -> WriteCondition {
    if etag == nil, modified == nil, size == nil { return .always }
    return .check { record in
      guard let record else { throw ObjectStoreError.noSuchKey(deleteMarker: nil) }
      if let etag, !ETag.matches(etag, record.etag) { throw ObjectStoreError.preconditionFailed }
      if let modified, record.modified.wholeSeconds != modified.wholeSeconds {
        throw ObjectStoreError.preconditionFailed
      }
      if let size, record.size != size { throw ObjectStoreError.preconditionFailed }
    }
  }

  func deleteObjects(_ input: S3.DeleteObjectsRequest, _ call: CallContext) async throws -> S3.DeleteObjectsOutput {
    _ = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let wanted = input.delete.objects
    guard !wanted.isEmpty, wanted.count <= S3Limits.deletesMax else { throw S3Error.malformedXML }
    let results: [Result<DeleteResult, any Error>]
    if wanted.contains(where: { $0.eTag != nil || $0.lastModifiedTime != nil || $0.size != nil }) {
      results = await deleteOneByOne(wanted, input.bucket, call)
    } else {
      results = try await S3Error.translated(bucket: input.bucket) {
        try await objects().delete(
          bucket: input.bucket, wanted.map { (key: $0.key, versionID: $0.versionId) }, at: call.now)
      }
    }
    var deleted: [S3.DeletedObject] = []
    var errors: [S3.ErrorShape] = []
    for (object, result) in zip(wanted, results) {
      switch result {
      case .success(let done):
        if input.delete.quiet == true { continue }
        deleted.append(
          .make {
            $0.key = object.key
            $0.versionId = object.versionId
            if done.isDeleteMarker {
              $0.deleteMarker = true
              $0.deleteMarkerVersionId = done.versionID
            }
          })
      case .failure(let error):
        let known = await Self.known(error, object.key)
        errors.append(
          .make {
            $0.key = object.key
            $0.versionId = object.versionId
            $0.code = known.code
            $0.message = known.message
          })
      }
    }
    return .make {
      $0.deleted = deleted
      $0.errors = errors
    }
  }

  private func deleteOneByOne(
    _ wanted: [S3.ObjectIdentifier], _ bucket: String, _ call: CallContext
  ) async -> [Result<DeleteResult, any Error>] {
    var results: [Result<DeleteResult, any Error>] = []
    for object in wanted {
      let condition = Self.condition(etag: object.eTag, modified: object.lastModifiedTime, size: object.size)
      do {
        results.append(.success(try await delete(bucket, object.key, object.versionId, condition, call)))
      } catch {
        results.append(.failure(error))
      }
    }
    return results
  }

  /// The error as its own element of the answer.
  private static func known(_ error: any Error, _ key: String) async -> AWSError {
    do {
      return try await S3Error.translated(bucket: "", key: key) { throw error }
    } catch {
      return error as? AWSError
        ?? AWSError("InternalError", "We encountered an internal error. Please try again.", status: 500)
    }
  }
}
