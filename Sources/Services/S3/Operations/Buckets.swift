// CreateBucket, DeleteBucket, HeadBucket, ListBuckets, GetBucketLocation, versioning, ACLs.

import AWSCore
import AWSWire
import ObjectStore
import S3Model
import ServiceKit

extension S3Service {
  func createBucket(_ input: S3.CreateBucketRequest, _ call: CallContext) async throws -> S3.CreateBucketOutput {
    let name = input.bucket
    guard BucketName.isValid(name) else { throw S3Error.invalidBucketName(name) }
    if input.objectLockEnabledForBucket == true { throw AWSError.notImplemented("s3: Object Lock") }
    let configuration = input.createBucketConfiguration
    if configuration?.location != nil || configuration?.bucket != nil {
      throw AWSError.notImplemented("s3: directory buckets")
    }
    if input.bucketNamespace == "account-regional" {
      throw AWSError.notImplemented("s3: bucket names of an account and region")
    }
    let region = try Self.region(configuration?.locationConstraint, call)
    if let ownership = input.objectOwnership { try Self.checkOwnership(ownership) }
    try Self.checkBucketACL(input)
    var settings = BucketSettings(account: call.account, region: region)
    settings.tags = try configuration?.tags.map { try TagRules.bucket($0, call) }
    settings.ownership = DocumentCodec.write(Self.ownershipControls(input.objectOwnership ?? "BucketOwnerEnforced"))
    // What AWS gives every new bucket since April 2023.
    settings.publicAccess = DocumentCodec.write(
      S3.PublicAccessBlockConfiguration.make {
        $0.blockPublicAcls = true
        $0.blockPublicPolicy = true
        $0.ignorePublicAcls = true
        $0.restrictPublicBuckets = true
      })
    do {
      try await objects().createBucket(name, configuration: settings.bytes(), at: call.now)
    } catch ObjectStoreError.bucketExists {
      let present = try await bucket(name)
      guard present.account == call.account else { throw S3Error.bucketExists(name) }
      // In us-east-1, and only there, making one's own bucket again is no error.
      guard present.region == "us-east-1", call.region == "us-east-1" else { throw S3Error.ownedByYou(name) }
    }
    return .make {
      $0.location = region == "us-east-1" ? "/\(name)" : "http://\(name).s3.amazonaws.com/"
      $0.bucketArn = "arn:aws:s3:::\(name)"
    }
  }

  private static func region(_ constraint: String?, _ call: CallContext) throws -> String {
    guard let constraint, !constraint.isEmpty else {
      guard call.region == "us-east-1" || call.region == "aws-global" else {
        throw AWSError(
          "IllegalLocationConstraintException",
          "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to."
        )
      }
      return "us-east-1"
    }
    let region = constraint == "EU" ? "eu-west-1" : constraint
    // The endpoint of us-east-1 makes buckets everywhere.
    guard region == call.region || call.region == "us-east-1" || call.region == "aws-global" else {
      throw AWSError(
        "IllegalLocationConstraintException",
        "The \(constraint) location constraint is incompatible for the region specific endpoint this request was sent to."
      )
    }
    let parts = region.split(separator: "-")
    guard region != "us-east-1" || constraint == "us-east-1" && call.region == region, parts.count >= 3,
      parts.last.flatMap({ Int($0) }) != nil
    else {
      throw AWSError(
        "InvalidLocationConstraint", "The specified location-constraint is not valid",
        fields: ["LocationConstraint": constraint])
    }
    return region
  }

  private static func checkBucketACL(_ input: S3.CreateBucketRequest) throws {
    let hasGrants =
      input.grantFullControl != nil || input.grantRead != nil || input.grantReadACP != nil || input.grantWrite != nil
      || input.grantWriteACP != nil
    guard hasGrants || input.acl.map({ !ACLRules.isHarmless($0) }) ?? false else { return }
    if input.objectOwnership ?? "BucketOwnerEnforced" == "BucketOwnerEnforced" {
      throw AWSError(
        "InvalidBucketAclWithObjectOwnership",
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
    }
    throw AWSError.notImplemented("s3: ACLs other than private")
  }

  func deleteBucket(_ input: S3.DeleteBucketRequest, _ call: CallContext) async throws -> Empty {
    _ = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    try await S3Error.translated(bucket: input.bucket) { try await objects().deleteBucket(input.bucket) }
    return Empty()
  }

  func headBucket(_ input: S3.HeadBucketRequest, _ call: CallContext) async throws -> S3.HeadBucketOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    return .make {
      $0.bucketRegion = bucket.region
      $0.bucketArn = bucket.arn
      $0.accessPointAlias = false
    }
  }

  func listBuckets(_ input: S3.ListBucketsRequest, _ call: CallContext) async throws -> S3.ListBucketsOutput {
    let limit = min(max(1, input.maxBuckets ?? S3Limits.bucketsPageMax), S3Limits.bucketsPageMax)
    let after = try input.continuationToken.map(ListToken.read) ?? ""
    var found: [Bucket] = []
    for record in try await objects().buckets() where record.name > after {
      if let prefix = input.prefix, !record.name.hasPrefix(prefix) { continue }
      let bucket = try shelf.bucket(record)
      guard bucket.account == call.account, input.bucketRegion == nil || input.bucketRegion == bucket.region else {
        continue
      }
      found.append(bucket)
      if found.count > limit { break }
    }
    let page = found.prefix(limit)
    return .make {
      $0.buckets = page.map { bucket in
        .make {
          $0.name = bucket.name
          $0.creationDate = bucket.record.created.wholeSeconds
          $0.bucketRegion = bucket.region
          $0.bucketArn = bucket.arn
        }
      }
      $0.owner = Self.owner(call.account)
      $0.prefix = input.prefix
      $0.continuationToken = found.count > limit ? page.last.map { ListToken.write($0.name) } : nil
    }
  }

  func getBucketLocation(
    _ input: S3.GetBucketLocationRequest, _ call: CallContext
  ) async throws -> S3.GetBucketLocationOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    return .make { $0.locationConstraint = bucket.region == "us-east-1" ? nil : bucket.region }
  }

  // MARK: Versioning

  func getBucketVersioning(
    _ input: S3.GetBucketVersioningRequest, _ call: CallContext
  ) async throws -> S3.GetBucketVersioningOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    return .make {
      switch bucket.record.versioning {
      case .off: break
      case .enabled: $0.status = "Enabled"
      case .suspended: $0.status = "Suspended"
      }
    }
  }

  func putBucketVersioning(_ input: S3.PutBucketVersioningRequest, _ call: CallContext) async throws -> Empty {
    if input.versioningConfiguration.mfaDelete == "Enabled" { throw AWSError.notImplemented("s3: MFA delete") }
    let versioning: Versioning
    switch input.versioningConfiguration.status {
    case "Enabled": versioning = .enabled
    case "Suspended": versioning = .suspended
    case nil:
      throw AWSError(
        "IllegalVersioningConfigurationException",
        "The Versioning element must be specified")
    default: throw S3Error.malformedXML
    }
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { _, record in
      record.versioning = versioning
    }
    return Empty()
  }

  // MARK: ACLs

  func getBucketAcl(_ input: S3.GetBucketAclRequest, _ call: CallContext) async throws -> S3.GetBucketAclOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    return .make {
      $0.owner = Self.owner(bucket.account)
      $0.grants = [Self.fullControl(bucket.account)]
    }
  }

  func putBucketAcl(_ input: S3.PutBucketAclRequest, _ call: CallContext) async throws -> Empty {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    if let acl = input.acl, !ACLRules.isHarmless(acl) { throw ACLRules.refused(bucket, "the ACL \(acl)") }
    if let policy = input.accessControlPolicy, !ACLRules.isHarmless(policy, owner: Self.canonicalID(bucket.account)) {
      throw ACLRules.refused(bucket, "access control lists")
    }
    if input.grantFullControl != nil || input.grantRead != nil || input.grantReadACP != nil || input.grantWrite != nil
      || input.grantWriteACP != nil
    {
      throw ACLRules.refused(bucket, "grants")
    }
    return Empty()
  }

  static func fullControl(_ account: String) -> S3.Grant {
    .make {
      $0.permission = "FULL_CONTROL"
      $0.grantee = .make {
        $0.id = canonicalID(account)
        $0.type = "CanonicalUser"
      }
    }
  }
}
