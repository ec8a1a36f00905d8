// Who may do what: IAM, bucket policies, keys of KMS.

import AWSCore
import IAMModel
import KMSModel
import S3Model
import ServiceKit
import Testing

@testable import S3Service

@Suite("S3: permissions and KMS") struct S3AccessTests {
  @Test("IAM policies decide by IAM's names of actions, and a bucket policy lets others in or out")
  func policies() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      try await s3.put("a", "1")
      let reader = try await s3.user(
        "reader",
        policy: """
          {"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::shop/*"},
            {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::shop",
             "Condition":{"StringEquals":{"s3:prefix":"pub/"}}}]}
          """)
      #expect(try await s3.text(as: reader, "a") == "1")
      #expect(await s3.failure { try await s3.put(as: reader, "a", "2") }?.status == 403)
      #expect(await s3.failure { try await s3.run(as: reader, S3.listObjectsV2) { $0.bucket = "shop" } }?.status == 403)
      try await s3.run(as: reader, S3.listObjectsV2) { ($0.bucket, $0.prefix) = ("shop", "pub/") }
      let other = try await s3.user("other")
      #expect(await s3.failure { try await s3.get(as: other, "a") }?.code == "AccessDenied")
      try await s3.run(S3.putBucketPolicy) {
        $0.bucket = "shop"
        $0.policy = """
          {"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Principal":{"AWS":"\(other.arn)"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::shop/*"},
            {"Effect":"Deny","Principal":{"AWS":"\(reader.arn)"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::shop/*"}]}
          """
      }
      #expect(try await s3.text(as: other, "a") == "1")
      #expect(await s3.failure { try await s3.get(as: reader, "a") }?.status == 403)
    }
  }

  @Test("public policies are blocked by default, and let everyone in once that is lifted")
  func publicAccess() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      try await s3.put("a", "1")
      let policy = """
        {"Version":"2012-10-17","Statement":[
          {"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::shop/*"}]}
        """
      func open() async throws {
        try await s3.run(S3.putBucketPolicy) { ($0.bucket, $0.policy) = ("shop", policy) }
      }
      #expect(await s3.failure { try await open() }?.status == 403)
      try await s3.run(S3.putPublicAccessBlock) {
        $0.bucket = "shop"
        $0.publicAccessBlockConfiguration = .make { $0.restrictPublicBuckets = true }
      }
      try await open()
      #expect(try await s3.run(S3.getBucketPolicyStatus) { $0.bucket = "shop" }.policyStatus?.isPublic == true)
      #expect(await s3.failure { try await s3.get(as: S3Fixture.nobody, "a") }?.status == 403)
      try await s3.run(S3.deletePublicAccessBlock) { $0.bucket = "shop" }
      #expect(try await s3.text(as: S3Fixture.nobody, "a") == "1")
      #expect(await s3.failure { try await s3.put(as: S3Fixture.nobody, "a", "2") }?.status == 403)
    }
  }

  @Test(
    "policies that are none, or speak of another bucket, are refused",
    arguments: [
      "{", #"{"Version":"2012-10-17","Statement":[]}"#,
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::other/*"}]}"#,
      #"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}"#,
    ])
  func malformed(_ policy: String) async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      let error = await s3.failure {
        try await s3.run(S3.putBucketPolicy) { ($0.bucket, $0.policy) = ("shop", policy) }
      }
      #expect(error?.code == "MalformedPolicy")
    }
  }

  @Test("SSE-KMS needs the caller's right to the key, for writing and reading", arguments: [false, true])
  func kms(_ bucketKey: Bool) async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      let key = try #require(try await s3.run(KMS.createKey).keyMetadata?.arn)
      try await s3.run(S3.putBucketEncryption) {
        $0.bucket = "shop"
        $0.serverSideEncryptionConfiguration = .make {
          $0.rules = [
            .make {
              $0.applyServerSideEncryptionByDefault = .make {
                $0.sseAlgorithm = "aws:kms"
                $0.kmsMasterKeyID = key
              }
              $0.bucketKeyEnabled = bucketKey
            }
          ]
        }
      }
      let put = try await s3.put("a", "secret")
      #expect(put.serverSideEncryption == "aws:kms")
      #expect(put.ssekmsKeyId == key)
      #expect(put.bucketKeyEnabled == (bucketKey ? true : nil))
      #expect(try await s3.text("a") == "secret")
      let s3Only = try await s3.user(
        "s3only", policy: #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#)
      #expect(await s3.failure { try await s3.get(as: s3Only, "a") }?.code == "AccessDenied")
      #expect(
        await s3.failure { try await s3.put(as: s3Only, "b", "x") }?.message.contains("kms:GenerateDataKey") == true)
      let both = try await s3.user(
        "both",
        policy: """
          {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},
           {"Effect":"Allow","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"\(key)","Condition":{"StringEquals":
            {"kms:ViaService":"s3.us-east-1.amazonaws.com","kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::shop\(bucketKey ? "" : "/a")"}}}]}
          """)
      #expect(try await s3.text(as: both, "a") == "secret")
      try await s3.put(as: both, "a", "more")
      // Another encryption for the copy: the content's key is sealed anew.
      try await s3.run(S3.copyObject) {
        ($0.bucket, $0.key, $0.copySource, $0.serverSideEncryption) = ("shop", "c", "shop/a", "AES256")
      }
      try await s3.run(KMS.disableKey) { $0.keyId = key }
      s3.clock.advance(seconds: 600)
      #expect(await s3.failure { try await s3.get("a") }?.code == "KMS.DisabledException")
      #expect(try await s3.text("c") == "more")
    }
  }

  @Test("without a key, aws:kms means the key that KMS keeps for S3")
  func managedKey() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      let put = try await s3.put("a", "x") { $0.serverSideEncryption = "aws:kms" }
      #expect(put.ssekmsKeyId?.hasPrefix("arn:aws:kms:us-east-1:000000000000:key/") == true)
      #expect(try await s3.text("a") == "x")
      #expect(
        await s3.failure { try await s3.put("a", "x") { $0.serverSideEncryption = "aws:kms:dsse" } }?.status == 501)
    }
  }
}
