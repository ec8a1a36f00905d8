// An object's headers, on their way in and out.

import AWSCore
import ObjectStore
import S3Model

/// What is known of an object beside its bytes.
enum ObjectHeaders {
  static let defaultContentType = "binary/octet-stream"
  private static let storageClasses: Set<String> = [
    "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE",
    "GLACIER_IR",
  ]

  /// The attributes that a request gives a new object.
  /// - Throws: `MetadataTooLarge`, `InvalidStorageClass`, `InvalidTag`, 501 for ACLs and Object Lock.
  static func attributes(_ request: some ObjectWriteRequest, bucket: Bucket) throws -> ObjectAttributes {
    try checkCanned(request.acl, bucket)
    if request.grantFullControl != nil || request.grantRead != nil || request.grantReadACP != nil
      || request.grantWriteACP != nil
    {
      throw ACLRules.refused(bucket, "grants")
    }
    if request.objectLockMode != nil || request.objectLockRetainUntilDate != nil
      || request.objectLockLegalHoldStatus != nil
    {
      throw S3Error.invalidRequest("Bucket is missing Object Lock Configuration")
    }
    var attributes = ObjectAttributes()
    attributes.tags = try TagRules.header(request.tagging)
    attributes.storageClass = try storageClass(request.storageClass)
    attributes.system = system(request)
    attributes.contentType = request.contentType.flatMap { $0.isEmpty ? nil : $0 }
    attributes.user = try user(request.metadata)
    return attributes
  }

  static func checkCanned(_ acl: String?, _ bucket: Bucket) throws {
    if let acl, !ACLRules.isHarmless(acl) { throw ACLRules.refused(bucket, "the ACL \(acl)") }
  }

  static func storageClass(_ name: String?) throws -> String {
    guard let name, !name.isEmpty else { return "STANDARD" }
    guard storageClasses.contains(name) else {
      throw AWSError(
        "InvalidStorageClass", "The storage class you specified is not valid", fields: ["StorageClassRequested": name])
    }
    return name
  }

  static func user(_ metadata: [String: String]?) throws -> [String: String] {
    let metadata = metadata ?? [:]
    let size = metadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
    guard size <= S3Limits.metadataBytesMax else {
      throw AWSError(
        "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size",
        fields: ["Size": String(size), "MaxSizeAllowed": String(S3Limits.metadataBytesMax)])
    }
    return metadata
  }

  private static func system(_ request: some ObjectWriteRequest) -> [String: String] {
    var system: [String: String] = [:]
    system["cache-control"] = request.cacheControl
    system["content-disposition"] = request.contentDisposition
    // `aws-chunked` tells how the request was sent, and is no property of the object.
    let encodings = (request.contentEncoding ?? "").split(separator: ",").map { $0.filter { $0 != " " } }
      .filter { $0 != "aws-chunked" && !$0.isEmpty }
    if !encodings.isEmpty { system["content-encoding"] = encodings.joined(separator: ",") }
    system["content-language"] = request.contentLanguage
    system["expires"] = request.expires
    system["website-redirect-location"] = request.websiteRedirectLocation
    return system
  }

  /// The headers of an answer that hands out an object.
  static func answer<Answer: ObjectReadAnswer>(
    _ record: ObjectRecord, _ request: some ObjectReadRequest, bucket: Bucket, range: Range<Int>?, partsCount: Int?,
    as type: Answer.Type = Answer.self
  ) throws -> Answer {
    let attributes = record.attributes
    var answer = Answer()
    answer.acceptRanges = "bytes"
    answer.contentLength = range?.count ?? record.size
    if let range { answer.contentRange = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(record.size)" }
    answer.eTag = ETag.quoted(record.etag)
    answer.lastModified = record.modified.wholeSeconds
    answer.cacheControl = request.responseCacheControl ?? attributes.system["cache-control"]
    answer.contentDisposition = request.responseContentDisposition ?? attributes.system["content-disposition"]
    answer.contentEncoding = request.responseContentEncoding ?? attributes.system["content-encoding"]
    answer.contentLanguage = request.responseContentLanguage ?? attributes.system["content-language"]
    answer.contentType = request.responseContentType ?? attributes.contentType ?? defaultContentType
    answer.expires = request.responseExpires?.httpDate ?? attributes.system["expires"]
    answer.websiteRedirectLocation = attributes.system["website-redirect-location"]
    answer.metadata = attributes.user.isEmpty ? nil : attributes.user
    answer.partsCount = partsCount
    answer.storageClass = attributes.storageClass == "STANDARD" ? nil : attributes.storageClass
    answer.tagCount = attributes.tags.isEmpty ? nil : attributes.tags.count
    if bucket.record.versioning != .off { answer.versionId = record.versionID }
    if request.checksumMode?.uppercased() == "ENABLED", range == nil || range == 0..<record.size {
      answer.set(attributes.checksums)
      answer.checksumType = attributes.checksums.isEmpty ? nil : attributes.checksumType
    }
    answer.set(try Envelope(attributes.encryption))
    return answer
  }
}

/// Access control lists: here the owner has full control, and that is all.
enum ACLRules {
  static func isHarmless(_ canned: String) -> Bool {
    ["private", "bucket-owner-full-control", "bucket-owner-read"].contains(canned)
  }

  static func refused(_ bucket: Bucket, _ what: String) -> AWSError {
    bucket.ownership == "BucketOwnerEnforced"
      ? AWSError("AccessControlListNotSupported", "The bucket does not allow ACLs", fields: ["BucketName": bucket.name])
      : AWSError.notImplemented("s3: \(what); buckets and objects are private to their owner")
  }

  /// The list gives the owner full control and nobody else anything.
  static func isHarmless(_ policy: S3.AccessControlPolicy, owner: String) -> Bool {
    (policy.grants ?? []).allSatisfy {
      $0.permission == "FULL_CONTROL" && $0.grantee?.id == owner
    } && policy.grants?.isEmpty == false
  }
}
