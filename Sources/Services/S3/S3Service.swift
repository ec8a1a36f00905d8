// Amazon S3: buckets and objects over the object store.

import AWSCore
import AWSWire
import Crypto
import ObjectStore
import S3Model
import ServiceKit
import Store

/// S3. Everything it knows is in the object store, which opens with the first call.
public final class S3Service: AWSService {
  let environment: ServiceEnvironment
  let objects: LazyObjectStore
  let shelf = BucketShelf()
  let bucketKeys = BucketKeys()

  public init(_ environment: ServiceEnvironment) throws {
    self.environment = environment
    objects = LazyObjectStore(folder: environment.directory + "/s3")
  }

  public var resourceProviders: [ResourceProvider] { [bucketProvider, bucketPolicyProvider] }

  public var apis: [ServiceAPI] {
    var table = HandlerTable()
    addBuckets(&table)
    addDocuments(&table)
    addUnsetDocuments(&table)
    addObjects(&table)
    addLists(&table)
    addMultipart(&table)
    return [ServiceAPI(S3.model, actionPrefix: "s3", table)]
  }

  /// Enforces lifecycle rules, hour by hour.
  public func run() async throws {
    while true {
      try await enforceLifecycle(now: environment.clock.now)
      try await environment.clock.sleep(seconds: S3Limits.lifecycleSeconds)
    }
  }

  public func removeEverything() async throws {
    bucketKeys.removeAll()
    try await objects().removeEverything()
  }

  /// S3's 64-digit id of an account.
  static func canonicalID(_ account: String) -> String {
    hexadecimal(SHA256.hash(data: Array("castle/canonical-user/\(account)".utf8)))
  }

  static func owner(_ account: String) -> S3.Owner { .make { $0.id = canonicalID(account) } }

  // MARK: - The operations

  private func addBuckets(_ table: inout HandlerTable) {
    table.on(
      S3.listBuckets, access: { _, _ in [ResourceAccess("arn:aws:s3:::*", action: "s3:ListAllMyBuckets")] },
      listBuckets)
    table.on(
      S3.createBucket,
      access: { input, call in
        var access = ResourceAccess("arn:aws:s3:::\(input.bucket)", action: "s3:CreateBucket")
        access.account = call.account
        return [access]
      }, createBucket)
    table.on(S3.headBucket, access: { try await self.access("s3:ListBucket", $0.bucket, $1) }, headBucket)
    table.on(S3.deleteBucket, access: { try await self.access("s3:DeleteBucket", $0.bucket, $1) }, deleteBucket)
    table.on(
      S3.getBucketLocation, access: { try await self.access("s3:GetBucketLocation", $0.bucket, $1) },
      getBucketLocation)
    table.on(
      S3.getBucketVersioning, access: { try await self.access("s3:GetBucketVersioning", $0.bucket, $1) },
      getBucketVersioning)
    table.on(
      S3.putBucketVersioning, access: { try await self.access("s3:PutBucketVersioning", $0.bucket, $1) },
      putBucketVersioning)
    table.on(S3.getBucketAcl, access: { try await self.access("s3:GetBucketAcl", $0.bucket, $1) }, getBucketAcl)
    table.on(S3.putBucketAcl, access: { try await self.access("s3:PutBucketAcl", $0.bucket, $1) }, putBucketAcl)
    table.on(
      S3.getBucketPolicy, access: { try await self.access("s3:GetBucketPolicy", $0.bucket, $1) }, getBucketPolicy)
    table.on(
      S3.putBucketPolicy, access: { try await self.access("s3:PutBucketPolicy", $0.bucket, $1) }, putBucketPolicy)
    table.on(
      S3.deleteBucketPolicy, access: { try await self.access("s3:DeleteBucketPolicy", $0.bucket, $1) },
      deleteBucketPolicy)
    table.on(
      S3.getBucketPolicyStatus, access: { try await self.access("s3:GetBucketPolicyStatus", $0.bucket, $1) },
      getBucketPolicyStatus)
  }

  private func addDocuments(_ table: inout HandlerTable) {
    let readTags = "s3:GetBucketTagging"
    let writeTags = "s3:PutBucketTagging"
    table.on(S3.getBucketTagging, access: { try await self.access(readTags, $0.bucket, $1) }, getBucketTagging)
    table.on(S3.putBucketTagging, access: { try await self.access(writeTags, $0.bucket, $1) }, putBucketTagging)
    table.on(S3.deleteBucketTagging, access: { try await self.access(writeTags, $0.bucket, $1) }, deleteBucketTagging)
    let readEncryption = "s3:GetEncryptionConfiguration"
    let writeEncryption = "s3:PutEncryptionConfiguration"
    table.on(
      S3.getBucketEncryption, access: { try await self.access(readEncryption, $0.bucket, $1) }, getBucketEncryption)
    table.on(
      S3.putBucketEncryption, access: { try await self.access(writeEncryption, $0.bucket, $1) }, putBucketEncryption)
    table.on(
      S3.deleteBucketEncryption, access: { try await self.access(writeEncryption, $0.bucket, $1) },
      deleteBucketEncryption)
    let readLifecycle = "s3:GetLifecycleConfiguration"
    let writeLifecycle = "s3:PutLifecycleConfiguration"
    table.on(
      S3.getBucketLifecycleConfiguration, access: { try await self.access(readLifecycle, $0.bucket, $1) },
      getBucketLifecycle)
    table.on(
      S3.putBucketLifecycleConfiguration, access: { try await self.access(writeLifecycle, $0.bucket, $1) },
      putBucketLifecycle)
    table.on(
      S3.deleteBucketLifecycle, access: { try await self.access(writeLifecycle, $0.bucket, $1) },
      deleteBucketLifecycle)
    table.on(S3.getBucketCors, access: { try await self.access("s3:GetBucketCORS", $0.bucket, $1) }, getBucketCors)
    table.on(S3.putBucketCors, access: { try await self.access("s3:PutBucketCORS", $0.bucket, $1) }, putBucketCors)
    table.on(
      S3.deleteBucketCors, access: { try await self.access("s3:PutBucketCORS", $0.bucket, $1) }, deleteBucketCors)
    let readOwnership = "s3:GetBucketOwnershipControls"
    let writeOwnership = "s3:PutBucketOwnershipControls"
    table.on(
      S3.getBucketOwnershipControls, access: { try await self.access(readOwnership, $0.bucket, $1) },
      getBucketOwnershipControls)
    table.on(
      S3.putBucketOwnershipControls, access: { try await self.access(writeOwnership, $0.bucket, $1) },
      putBucketOwnershipControls)
    table.on(
      S3.deleteBucketOwnershipControls, access: { try await self.access(writeOwnership, $0.bucket, $1) },
      deleteBucketOwnershipControls)
    let readPublic = "s3:GetBucketPublicAccessBlock"
    let writePublic = "s3:PutBucketPublicAccessBlock"
    table.on(
      S3.getPublicAccessBlock, access: { try await self.access(readPublic, $0.bucket, $1) }, getPublicAccessBlock)
    table.on(
      S3.putPublicAccessBlock, access: { try await self.access(writePublic, $0.bucket, $1) }, putPublicAccessBlock)
    table.on(
      S3.deletePublicAccessBlock, access: { try await self.access(writePublic, $0.bucket, $1) },
      deletePublicAccessBlock)
    table.on(
      S3.getBucketNotificationConfiguration,
      access: { try await self.access("s3:GetBucketNotification", $0.bucket, $1) }, getBucketNotification)
    table.on(
      S3.putBucketNotificationConfiguration,
      access: { try await self.access("s3:PutBucketNotification", $0.bucket, $1) }, putBucketNotification)
  }

  private func addUnsetDocuments(_ table: inout HandlerTable) {
    table.on(
      S3.getBucketWebsite, access: { try await self.access("s3:GetBucketWebsite", $0.bucket, $1) }, getBucketWebsite)
    table.on(
      S3.deleteBucketWebsite, access: { try await self.access("s3:DeleteBucketWebsite", $0.bucket, $1) },
      deleteBucketWebsite)
    table.on(
      S3.getBucketReplication, access: { try await self.access("s3:GetReplicationConfiguration", $0.bucket, $1) },
      getBucketReplication)
    table.on(
      S3.getBucketLogging, access: { try await self.access("s3:GetBucketLogging", $0.bucket, $1) }, getBucketLogging)
    table.on(
      S3.getBucketAccelerateConfiguration,
      access: { try await self.access("s3:GetAccelerateConfiguration", $0.bucket, $1) }, getBucketAccelerate)
    table.on(
      S3.getBucketRequestPayment, access: { try await self.access("s3:GetBucketRequestPayment", $0.bucket, $1) },
      getBucketRequestPayment)
    table.on(
      S3.getObjectLockConfiguration,
      access: { try await self.access("s3:GetBucketObjectLockConfiguration", $0.bucket, $1) }, getObjectLock)
  }

  private func addObjects(_ table: inout HandlerTable) {
    table.stream(S3.putObject, access: { try await self.putAccess($0, $0.bucket, $0.key, $1) }, putObject)
    table.stream(
      S3.getObject, access: { try await self.access("s3:GetObject", $0.bucket, key: $0.key, $0.versionId, $1) },
      getObject)
    table.on(
      S3.headObject, access: { try await self.access("s3:GetObject", $0.bucket, key: $0.key, $0.versionId, $1) },
      headObject)
    table.on(
      S3.copyObject,
      access: { input, call in
        let source = try CopySource(input.copySource)
        return try await self.access("s3:GetObject", source.bucket, key: source.key, source.versionID, call)
          + self.putAccess(input, input.bucket, input.key, call)
      }, copyObject)
    table.on(
      S3.deleteObject,
      access: { try await self.access("s3:DeleteObject", $0.bucket, key: $0.key, $0.versionId, $1) }, deleteObject)
    table.on(
      S3.deleteObjects,
      access: { input, call in
        var all: [ResourceAccess] = []
        for object in input.delete.objects {
          all += try await self.access("s3:DeleteObject", input.bucket, key: object.key, object.versionId, call)
        }
        return all
      }, deleteObjects)
    table.on(
      S3.getObjectAttributes,
      access: {
        try await self.access("s3:GetObject", $0.bucket, key: $0.key, $0.versionId, $1)
          + self.access("s3:GetObjectAttributes", $0.bucket, key: $0.key, $0.versionId, $1)
      }, getObjectAttributes)
    table.on(
      S3.getObjectAcl, access: { try await self.access("s3:GetObjectAcl", $0.bucket, key: $0.key, $0.versionId, $1) },
      getObjectAcl)
    table.on(
      S3.getObjectTagging,
      access: { try await self.access("s3:GetObjectTagging", $0.bucket, key: $0.key, $0.versionId, $1) },
      getObjectTagging)
    table.on(
      S3.putObjectTagging,
      access: { try await self.access("s3:PutObjectTagging", $0.bucket, key: $0.key, $0.versionId, $1) },
      putObjectTagging)
    table.on(
      S3.deleteObjectTagging,
      access: { try await self.access("s3:DeleteObjectTagging", $0.bucket, key: $0.key, $0.versionId, $1) },
      deleteObjectTagging)
  }

  private func addLists(_ table: inout HandlerTable) {
    table.on(
      S3.listObjects,
      access: { try await self.listAccess("s3:ListBucket", $0.bucket, $0.prefix, $0.delimiter, $0.maxKeys, $1) },
      listObjects)
    table.on(
      S3.listObjectsV2,
      access: { try await self.listAccess("s3:ListBucket", $0.bucket, $0.prefix, $0.delimiter, $0.maxKeys, $1) },
      listObjectsV2)
    table.on(
      S3.listObjectVersions,
      access: {
        try await self.listAccess("s3:ListBucketVersions", $0.bucket, $0.prefix, $0.delimiter, $0.maxKeys, $1)
      }, listObjectVersions)
    table.on(
      S3.listMultipartUploads,
      access: {
        try await self.listAccess(
          "s3:ListBucketMultipartUploads", $0.bucket, $0.prefix, $0.delimiter, $0.maxUploads, $1)
      }, listMultipartUploads)
  }

  private func addMultipart(_ table: inout HandlerTable) {
    table.on(
      S3.createMultipartUpload, access: { try await self.putAccess($0, $0.bucket, $0.key, $1) }, createMultipartUpload)
    table.stream(
      S3.uploadPart, access: { try await self.access("s3:PutObject", $0.bucket, key: $0.key, nil, $1) }, uploadPart)
    table.on(
      S3.uploadPartCopy,
      access: { input, call in
        let source = try CopySource(input.copySource)
        return try await self.access("s3:GetObject", source.bucket, key: source.key, source.versionID, call)
          + self.access("s3:PutObject", input.bucket, key: input.key, nil, call)
      }, uploadPartCopy)
    table.on(
      S3.completeMultipartUpload, access: { try await self.access("s3:PutObject", $0.bucket, key: $0.key, nil, $1) },
      completeMultipartUpload)
    table.on(
      S3.abortMultipartUpload,
      access: { try await self.access("s3:AbortMultipartUpload", $0.bucket, key: $0.key, nil, $1) },
      abortMultipartUpload)
    table.on(
      S3.listParts,
      access: { try await self.access("s3:ListMultipartUploadParts", $0.bucket, key: $0.key, nil, $1) }, listParts)
  }
}
