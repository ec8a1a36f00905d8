// What IAM is told about a call: the bucket or object, the bucket's policy, S3's condition keys.

import AWSCore
import S3Model
import ServiceKit

extension S3Service {
  /// A call that touches a bucket.
  func access(_ action: String, _ name: String, _ call: CallContext) async throws -> [ResourceAccess] {
    let bucket = try await bucket(name)
    return [try access(action, bucket, bucket.arn, call)]
  }

  /// A call that touches an object; for a given version, IAM's name of the action is another one.
  func access(
    _ action: String, _ name: String, key: String, _ version: String?, _ call: CallContext
  ) async throws -> [ResourceAccess] {
    let bucket = try await bucket(name)
    guard let version else { return [try access(action, bucket, bucket.arn(key), call)] }
    return [
      try access(Self.versioned[action] ?? action, bucket, bucket.arn(key), call, ["s3:VersionId": [version]])
    ]
  }

  /// A call that lists.
  func listAccess(
    _ action: String, _ name: String, _ prefix: String?, _ delimiter: String?, _ limit: Int?, _ call: CallContext
  ) async throws -> [ResourceAccess] {
    let bucket = try await bucket(name)
    var context: [String: [String]] = [:]
    if let prefix { context["s3:prefix"] = [prefix] }
    if let delimiter { context["s3:delimiter"] = [delimiter] }
    if let limit { context["s3:max-keys"] = [String(limit)] }
    return [try access(action, bucket, bucket.arn, call, context)]
  }

  /// A call that makes an object.
  func putAccess(
    _ input: some ObjectWriteRequest, _ name: String, _ key: String, _ call: CallContext
  ) async throws -> [ResourceAccess] {
    let bucket = try await bucket(name)
    var context: [String: [String]] = [:]
    if let acl = input.acl { context["s3:x-amz-acl"] = [acl] }
    if let algorithm = input.serverSideEncryption { context["s3:x-amz-server-side-encryption"] = [algorithm] }
    if let kmsKey = input.ssekmsKeyId { context["s3:x-amz-server-side-encryption-aws-kms-key-id"] = [kmsKey] }
    if let storageClass = input.storageClass { context["s3:x-amz-storage-class"] = [storageClass] }
    let tags = try TagRules.header(input.tagging)
    for (key, value) in tags { context["s3:RequestObjectTag/\(key)"] = [value] }
    if !tags.isEmpty { context["s3:RequestObjectTagKeys"] = tags.keys.sorted() }
    var all = [try access("s3:PutObject", bucket, bucket.arn(key), call, context)]
    if !tags.isEmpty { all.append(try access("s3:PutObjectTagging", bucket, bucket.arn(key), call, context)) }
    return all
  }

  private static let versioned = [
    "s3:GetObject": "s3:GetObjectVersion", "s3:DeleteObject": "s3:DeleteObjectVersion",
    "s3:GetObjectAcl": "s3:GetObjectVersionAcl", "s3:GetObjectAttributes": "s3:GetObjectVersionAttributes",
    "s3:GetObjectTagging": "s3:GetObjectVersionTagging", "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
    "s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
  ]

  private func access(
    _ action: String, _ bucket: Bucket, _ arn: String, _ call: CallContext, _ context: [String: [String]] = [:]
  ) throws -> ResourceAccess {
    // A public policy of a restricted bucket lets in services and the owner's account only.
    if bucket.policyIsPublic, bucket.publicAccess?.restrictPublicBuckets == true,
      call.principal.account != bucket.account, call.principal.kind != .service
    {
      throw S3Error.accessDenied
    }
    var access = ResourceAccess(arn, action: action, policy: bucket.settings.policy, context: context)
    access.account = bucket.account
    return access
  }
}
