// S3's errors, in AWS's words.

import AWSCore
import ObjectStore

/// The errors that S3 answers. Codes, statuses and messages are AWS's own.
enum S3Error {
  static func noSuchBucket(_ name: String) -> AWSError {
    AWSError(
      "NoSuchBucket", "The specified bucket does not exist", status: 404, fields: ["BucketName": name])
  }
  static func noSuchKey(_ key: String) -> AWSError {
    AWSError("NoSuchKey", "The specified key does not exist.", status: 404, fields: ["Key": key])
  }
  static func noSuchVersion(_ key: String, _ version: String) -> AWSError {
    AWSError(
      "NoSuchVersion", "The specified version does not exist.", status: 404,
      fields: ["Key": key, "VersionId": version])
  }
  static func noSuchUpload(_ id: String) -> AWSError {
    AWSError(
      "NoSuchUpload",
      "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        + "completed.", status: 404, fields: ["UploadId": id])
  }
  static func isDeleteMarker(_ method: String) -> AWSError {
    AWSError(
      "MethodNotAllowed", "The specified method is not allowed against this resource.", status: 405,
      fields: ["Method": method, "ResourceType": "DeleteMarker"])
  }
  static func invalidBucketName(_ name: String) -> AWSError {
    AWSError("InvalidBucketName", "The specified bucket is not valid.", fields: ["BucketName": name])
  }
  static func bucketNotEmpty(_ name: String) -> AWSError {
    AWSError(
      "BucketNotEmpty", "The bucket you tried to delete is not empty", status: 409, fields: ["BucketName": name])
  }
  static func ownedByYou(_ name: String) -> AWSError {
    AWSError(
      "BucketAlreadyOwnedByYou",
      "Your previous request to create the named bucket succeeded and you already own it.", status: 409,
      fields: ["BucketName": name])
  }
  static func bucketExists(_ name: String) -> AWSError {
    AWSError(
      "BucketAlreadyExists",
      "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please "
        + "select a different name and try again.", status: 409, fields: ["BucketName": name])
  }
  static var accessDenied: AWSError { AWSError("AccessDenied", "Access Denied", status: 403) }
  static func invalidArgument(_ message: String, _ name: String, _ value: String) -> AWSError {
    AWSError("InvalidArgument", message, fields: ["ArgumentName": name, "ArgumentValue": value])
  }
  static func invalidRequest(_ message: String) -> AWSError { AWSError("InvalidRequest", message) }
  static var malformedXML: AWSError {
    AWSError(
      "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
  }
  static func invalidTag(_ message: String) -> AWSError { AWSError("InvalidTag", message) }
  static func preconditionFailed(_ condition: String) -> AWSError {
    AWSError(
      "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", status: 412,
      fields: ["Condition": condition])
  }
  static var notModified: AWSError { AWSError("NotModified", "Not Modified", status: 304) }
  static func invalidRange(_ range: String, size: Int) -> AWSError {
    AWSError(
      "InvalidRange", "The requested range is not satisfiable", status: 416,
      fields: ["RangeRequested": range, "ActualObjectSize": String(size)])
  }
  static func invalidPartNumber(_ number: Int, count: Int) -> AWSError {
    AWSError(
      "InvalidPartNumber", "The requested partnumber is not satisfiable", status: 416,
      fields: ["PartNumberRequested": String(number), "ActualPartCount": String(count)])
  }
  static func tooLarge(_ size: Int) -> AWSError {
    AWSError(
      "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size",
      fields: ["ProposedSize": String(size), "MaxSizeAllowed": String(S3Limits.objectBytesMax)])
  }
  static func keyTooLong(_ key: String) -> AWSError {
    AWSError(
      "KeyTooLongError", "Your key is too long",
      fields: ["Size": String(key.utf8.count), "MaxSizeAllowed": String(S3Limits.keyBytesMax)])
  }
  static func badDigest(_ what: String, expected: String, computed: String) -> AWSError {
    AWSError(
      "BadDigest",
      "The \(what) you specified did not match \(what == "Content-MD5" ? "what we received." : "the calculated checksum.")",
      fields: ["ExpectedDigest": expected, "CalculatedDigest": computed])
  }
  static func unset(_ code: String, _ message: String, _ bucket: String) -> AWSError {
    AWSError(code, message, status: 404, fields: ["BucketName": bucket])
  }

  /// An answer of KMS, as S3 passes it on.
  static func kms(_ error: AWSError) -> AWSError {
    switch error.code {
    case "AccessDenied", "AccessDeniedException": AWSError("AccessDenied", error.message, status: 403)
    case "NotImplemented": error
    default: error.status >= 500 ? error : AWSError("KMS.\(error.code)", error.message, status: 400)
    }
  }

  /// What the store says about an object, as the API says it.
  static func translated<T>(
    bucket: String, key: String = "", version: String? = nil, upload: String = "", method: String = "GET",
    condition: String = "If-Match", _ body: () async throws -> T
  ) async throws -> T {
    do {
      return try await body()
    } catch let error as ObjectStoreError {
      throw translate(error, bucket, key, version, upload, method, condition)
    }
  }

  private static func translate(
    _ error: ObjectStoreError, _ bucket: String, _ key: String, _ version: String?, _ upload: String,
    _ method: String, _ condition: String
  ) -> any Error {
    switch error {
    case .noSuchBucket: return noSuchBucket(bucket)
    case .bucketExists: return bucketExists(bucket)
    case .bucketNotEmpty: return bucketNotEmpty(bucket)
    case .noSuchKey: return noSuchKey(key)
    case .noSuchVersion: return noSuchVersion(key, version ?? "")
    case .isDeleteMarker: return isDeleteMarker(method)
    case .invalidKey: return key.isEmpty ? invalidRequest("The key must not be empty.") : keyTooLong(key)
    case .preconditionFailed: return preconditionFailed(condition)
    case .sourceChanged:
      return AWSError(
        "OperationAborted",
        "A conflicting conditional operation is currently in progress against this resource. Please try again.",
        status: 409)
    case .noSuchUpload: return noSuchUpload(upload)
    case .invalidPartNumber:
      return AWSError(
        "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive",
        fields: ["ArgumentName": "partNumber"])
    case .invalidPart(let number):
      return AWSError(
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
          + "specified entity tag may not match the part's entity tag.",
        fields: ["UploadId": upload, "PartNumber": String(number)])
    case .invalidPartOrder:
      return AWSError(
        "InvalidPartOrder",
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
        fields: ["UploadId": upload])
    case .partTooSmall(let number, let size):
      return AWSError(
        "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size",
        fields: [
          "PartNumber": String(number), "ProposedSize": String(size), "MinSizeAllowed": String(S3Limits.partBytesMin),
        ])
    case .inUse, .invalidRange, .corrupt, .keyRequired, .invalidDataKey, .wasReset, .misuse: return error
    }
  }
}
