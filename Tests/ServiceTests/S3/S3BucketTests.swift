// Buckets and what is set on them.

import AWSCore
import AWSWire
import S3Model
import ServiceKit
import Testing

@testable import S3Service

@Suite("S3: buckets") struct S3BucketTests {
  @Test(
    "bucket names follow AWS's rules",
    arguments: [
      ("shop", true), ("my.shop-1", true), ("ab", false), ("Shop", false), ("-shop", false), ("shop-", false),
      ("a..b", false), ("192.168.5.4", false), ("xn--shop", false), ("shop-s3alias", false), ("under_score", false),
    ])
  func names(_ name: String, _ valid: Bool) {
    #expect(BucketName.isValid(name) == valid)
  }

  @Test("a bucket is made once, except that us-east-1 lets its owner make it again")
  func creation() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      try await s3.bucket()
      try await s3.run(region: "eu-west-1", S3.createBucket) {
        $0.bucket = "europe"
        $0.createBucketConfiguration = .make { $0.locationConstraint = "eu-west-1" }
      }
      let again = await s3.failure {
        try await s3.run(region: "eu-west-1", S3.createBucket) {
          $0.bucket = "europe"
          $0.createBucketConfiguration = .make { $0.locationConstraint = "eu-west-1" }
        }
      }
      #expect(again?.code == "BucketAlreadyOwnedByYou")
      #expect(try await s3.run(S3.getBucketLocation) { $0.bucket = "europe" }.locationConstraint == "eu-west-1")
      #expect(try await s3.run(S3.getBucketLocation) { $0.bucket = "shop" }.locationConstraint == nil)
      let unsaid = await s3.failure { try await s3.run(region: "eu-west-1", S3.createBucket) { $0.bucket = "other" } }
      #expect(unsaid?.code == "IllegalLocationConstraintException")
      let invalid = await s3.failure { try await s3.run(S3.createBucket) { $0.bucket = "No" } }
      #expect(invalid?.code == "InvalidBucketName")
      let foreign = await s3.failure {
        try await s3.run(as: .root(account: "111111111111"), S3.createBucket) { $0.bucket = "shop" }
      }
      #expect(foreign?.code == "BucketAlreadyExists")
      #expect(try await s3.run(S3.listBuckets).buckets?.compactMap(\.name) == ["europe", "shop"])
      #expect(try await s3.run(as: .root(account: "111111111111"), S3.listBuckets).buckets?.isEmpty == true)
    }
  }

  @Test("a bucket is deleted when it is empty, and then not found")
  func deletion() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      try await s3.put("a", "1")
      let full = await s3.failure { try await s3.run(S3.deleteBucket) { $0.bucket = "shop" } }
      #expect(full?.code == "BucketNotEmpty")
      #expect(full?.fields["BucketName"] == "shop")
      try await s3.run(S3.deleteObject) { ($0.bucket, $0.key) = ("shop", "a") }
      try await s3.run(S3.deleteBucket) { $0.bucket = "shop" }
      let gone = await s3.failure { try await s3.run(S3.headBucket) { $0.bucket = "shop" } }
      #expect(gone?.status == 404)
      #expect(gone?.code == "NoSuchBucket")
    }
  }

  @Test("what is not set is told with AWS's own codes")
  func unset() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      func code<I, O>(_ operation: APIOperation<I, O>, _ configure: (inout I) -> Void) async -> String? {
        let error = await s3.failure { try await s3.run(operation, configure) }
        #expect(error == nil || error?.status == 404)
        return error?.code
      }
      #expect(await code(S3.getBucketPolicy) { $0.bucket = "shop" } == "NoSuchBucketPolicy")
      #expect(await code(S3.getBucketCors) { $0.bucket = "shop" } == "NoSuchCORSConfiguration")
      #expect(await code(S3.getBucketWebsite) { $0.bucket = "shop" } == "NoSuchWebsiteConfiguration")
      #expect(
        await code(S3.getBucketLifecycleConfiguration) { $0.bucket = "shop" } == "NoSuchLifecycleConfiguration")
      #expect(await code(S3.getBucketReplication) { $0.bucket = "shop" } == "ReplicationConfigurationNotFoundError")
      #expect(
        await code(S3.getObjectLockConfiguration) { $0.bucket = "shop" } == "ObjectLockConfigurationNotFoundError")
      #expect(await code(S3.getBucketTagging) { $0.bucket = "shop" } == "NoSuchTagSet")
      #expect(await code(S3.getBucketLogging) { $0.bucket = "shop" } == nil)
      #expect(try await s3.run(S3.getBucketRequestPayment) { $0.bucket = "shop" }.payer == "BucketOwner")
      // New buckets have these.
      #expect(await code(S3.getPublicAccessBlock) { $0.bucket = "shop" } == nil)
      try await s3.run(S3.deletePublicAccessBlock) { $0.bucket = "shop" }
      #expect(await code(S3.getPublicAccessBlock) { $0.bucket = "shop" } == "NoSuchPublicAccessBlockConfiguration")
      try await s3.run(S3.deleteBucketOwnershipControls) { $0.bucket = "shop" }
      #expect(await code(S3.getBucketOwnershipControls) { $0.bucket = "shop" } == "OwnershipControlsNotFoundError")
    }
  }

  @Test("configuration documents come back as they were sent")
  func documents() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      let lifecycle: [S3.LifecycleRule] = [
        .make {
          $0.id = "Glacier"
          $0.status = "Enabled"
          $0.filter = .make {
            $0.and = .make {
              $0.prefix = "logs/"
              $0.tags = [
                .make {
                  $0.key = "a"
                  $0.value = "b"
                }
              ]
              $0.objectSizeGreaterThan = 5
            }
          }
          $0.transitions = [
            .make {
              $0.days = 90
              $0.storageClass = "GLACIER"
            }
          ]
        },
        .make {
          $0.id = "Date"
          $0.status = "Disabled"
          $0.filter = .make { $0.prefix = "" }
          $0.expiration = .make { $0.date = Timestamp(iso8601: "2030-01-01T00:00:00Z") }
        },
      ]
      let put = try await s3.run(S3.putBucketLifecycleConfiguration) {
        $0.bucket = "shop"
        $0.lifecycleConfiguration = .make { $0.rules = lifecycle }
      }
      #expect(put.transitionDefaultMinimumObjectSize == "all_storage_classes_128K")
      let got = try await s3.run(S3.getBucketLifecycleConfiguration) { $0.bucket = "shop" }
      #expect(got.rules?.map(\.wire) == lifecycle.map(\.wire))
      let cors: [S3.CORSRule] = [
        .make {
          $0.allowedMethods = ["GET", "PUT"]
          $0.allowedOrigins = ["https://*.example.com"]
          $0.maxAgeSeconds = 30
        }
      ]
      try await s3.run(S3.putBucketCors) {
        $0.bucket = "shop"
        $0.corsConfiguration = .make { $0.corsRules = cors }
      }
      #expect(try await s3.run(S3.getBucketCors) { $0.bucket = "shop" }.corsRules?.map(\.wire) == cors.map(\.wire))
      try await s3.run(S3.putBucketTagging) {
        $0.bucket = "shop"
        $0.tagging = .make {
          $0.tagSet = TagRules.wire(["team": "shop"])
        }
      }
      #expect(try await s3.run(S3.getBucketTagging) { $0.bucket = "shop" }.tagSet?.first?.value == "shop")
      let notification = await s3.failure {
        try await s3.run(S3.putBucketNotificationConfiguration) {
          $0.bucket = "shop"
          $0.notificationConfiguration = .make { $0.eventBridgeConfiguration = .make { _ in } }
        }
      }
      #expect(notification?.status == 501)
    }
  }

  @Test("a stack makes the storefront's bucket, its policy, changes and removes them")
  func stack() async throws {
    try await S3Fixture.with { s3 in
      let context = ResourceContext(
        stackName: "Shop", stackID: "id", logicalID: "AssetsBucket", tags: ["stack": "shop"], call: s3.call())
      let properties: JSONValue = [
        "BucketEncryption": [
          "ServerSideEncryptionConfiguration": [
            [
              "ServerSideEncryptionByDefault": ["SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/aws/s3"],
              "BucketKeyEnabled": true,
            ]
          ]
        ],
        "LifecycleConfiguration": [
          "Rules": [
            ["Id": "G", "Status": "Enabled", "Transitions": [["StorageClass": "GLACIER", "TransitionInDays": 90]]],
            ["Id": "E", "Status": "Enabled", "ExpirationInDays": 365],
            ["Id": "O", "Status": "Enabled", "NoncurrentVersionExpiration": ["NoncurrentDays": 30]],
            ["Id": "U", "Status": "Enabled", "AbortIncompleteMultipartUpload": ["DaysAfterInitiation": 7]],
          ]
        ],
        "OwnershipControls": ["Rules": [["ObjectOwnership": "BucketOwnerEnforced"]]],
        "PublicAccessBlockConfiguration": ["BlockPublicAcls": true, "RestrictPublicBuckets": true],
        "VersioningConfiguration": ["Status": "Enabled"],
        "CorsConfiguration": ["CorsRules": [["AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAge": 5]]],
      ]
      let provider = s3.service.bucketProvider
      let handle = try await provider.create(properties, context)
      let name = handle.physicalID
      #expect(BucketName.isValid(name))
      #expect(handle.attributes["Arn"] == .string("arn:aws:s3:::\(name)"))
      #expect(try await s3.run(S3.getBucketVersioning) { $0.bucket = name }.status == "Enabled")
      let rules = try await s3.run(S3.getBucketLifecycleConfiguration) { $0.bucket = name }.rules ?? []
      #expect(rules.compactMap(\.id) == ["G", "E", "O", "U"])
      #expect(rules.first?.transitions?.first?.days == 90)
      let encryption = try await s3.run(S3.getBucketEncryption) { $0.bucket = name }
      #expect(encryption.serverSideEncryptionConfiguration?.rules.first?.bucketKeyEnabled == true)
      let block = try await s3.run(S3.getPublicAccessBlock) { $0.bucket = name }.publicAccessBlockConfiguration
      #expect(block?.blockPublicAcls == true)
      #expect(block?.blockPublicPolicy == false)
      #expect(try await s3.run(S3.getBucketCors) { $0.bucket = name }.corsRules?.first?.maxAgeSeconds == 5)
      #expect(try await s3.run(S3.getBucketTagging) { $0.bucket = name }.tagSet?.first?.key == "stack")
      let policy: JSONValue = [
        "Bucket": .string(name),
        "PolicyDocument": [
          "Version": "2012-10-17",
          "Statement": [
            [
              "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": .string("arn:aws:s3:::\(name)/*"),
              "Condition": ["Bool": ["aws:SecureTransport": "false"]],
            ]
          ],
        ],
      ]
      let policyHandle = try await s3.service.bucketPolicyProvider.create(policy, context)
      #expect(policyHandle.physicalID == name)
      #expect(try await s3.run(S3.getBucketPolicy) { $0.bucket = name }.policy?.contains("SecureTransport") == true)
      _ = try await provider.update(handle, properties, [:], context)
      #expect(try await s3.run(S3.getBucketVersioning) { $0.bucket = name }.status == "Suspended")
      #expect(
        await s3.failure { try await s3.run(S3.getBucketLifecycleConfiguration) { $0.bucket = name } }?.code
          == "NoSuchLifecycleConfiguration")
      try await s3.service.bucketPolicyProvider.delete(policyHandle, policy, context)
      try await provider.delete(handle, properties, context)
      try await provider.delete(handle, properties, context)
      #expect(try await s3.run(S3.listBuckets).buckets?.isEmpty == true)
    }
  }

  @Test("removing everything leaves no bucket")
  func reset() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket(versioning: true)
      try await s3.put("a", "1")
      try await s3.service.removeEverything()
      #expect(try await s3.run(S3.listBuckets).buckets?.isEmpty == true)
    }
  }
}
