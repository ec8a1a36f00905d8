// Lifecycle rules, enforced by the clock.

import AWSCore
import S3Model
import ServiceKit
import Testing

@testable import S3Service

@Suite("S3: lifecycle") struct S3LifecycleTests {
  private func set(_ s3: S3Fixture, _ rules: [S3.LifecycleRule], minimum: String? = nil) async throws {
    try await s3.run(S3.putBucketLifecycleConfiguration) {
      $0.bucket = "shop"
      $0.lifecycleConfiguration = .make { $0.rules = rules }
      $0.transitionDefaultMinimumObjectSize = minimum
    }
  }

  private func rule(_ prefix: String = "", _ configure: (inout S3.LifecycleRule) -> Void) -> S3.LifecycleRule {
    .make {
      $0.id = "\(prefix)rule"
      $0.status = "Enabled"
      $0.filter = .make { $0.prefix = prefix }
      configure(&$0)
    }
  }

  private func pass(_ days: Double, _ s3: S3Fixture) async throws {
    s3.clock.advance(seconds: days * 86_400)
    try await s3.service.enforceLifecycle(now: s3.clock.now)
  }

  @Test("objects under the rule's prefix expire at midnight after their days, others stay")
  func expiration() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      s3.clock.advance(seconds: 3600)
      try await s3.put("logs/a", "x")
      try await s3.put("kept", "x")
      try await set(s3, [rule("logs/") { $0.expiration = .make { $0.days = 2 } }])
      try await pass(2, s3)
      #expect(try await s3.keys() == ["kept", "logs/a"])
      try await pass(1, s3)
      #expect(try await s3.keys() == ["kept"])
    }
  }

  @Test("in a versioned bucket expiry leaves a marker, old versions go, and then the lonely marker")
  func versions() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket(versioning: true)
      try await s3.put("a", "1")
      try await s3.put("a", "2")
      try await set(
        s3,
        [
          rule {
            $0.expiration = .make { $0.days = 10 }
            $0.noncurrentVersionExpiration = .make { $0.noncurrentDays = 3 }
          }
        ])
      func counts() async throws -> [Int] {
        let list = try await s3.run(S3.listObjectVersions) { $0.bucket = "shop" }
        return [list.versions?.count ?? 0, list.deleteMarkers?.count ?? 0]
      }
      try await pass(4, s3)
      #expect(try await counts() == [1, 0])
      try await pass(7, s3)
      #expect(try await counts() == [1, 1])
      try await pass(4, s3)
      #expect(try await counts() == [0, 1])
      try await pass(11, s3)
      #expect(try await counts() == [0, 0])
    }
  }

  @Test("transitions change the storage class of large objects, and of small ones only where that is asked for")
  func transitions() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      try await s3.put("large", [UInt8](repeating: 1, count: 200_000))
      try await s3.put("small", "x")
      let rules = [
        rule {
          $0.transitions = [
            .make {
              $0.days = 30
              $0.storageClass = "STANDARD_IA"
            },
            .make {
              $0.days = 90
              $0.storageClass = "GLACIER"
            },
          ]
        }
      ]
      func classes() async throws -> [String] {
        (try await s3.run(S3.listObjectsV2) { $0.bucket = "shop" }.contents ?? []).compactMap(\.storageClass)
      }
      try await set(s3, rules)
      try await pass(31, s3)
      #expect(try await classes() == ["STANDARD_IA", "STANDARD"])
      try await pass(60, s3)
      #expect(try await classes() == ["GLACIER", "STANDARD"])
      try await set(s3, rules, minimum: "varies_by_storage_class")
      try await pass(1, s3)
      #expect(try await classes() == ["GLACIER", "GLACIER"])
      #expect(try await s3.text("small") == "x")
    }
  }

  @Test("unfinished uploads are thrown away")
  func uploads() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      try await s3.run(S3.createMultipartUpload) { ($0.bucket, $0.key) = ("shop", "a") }
      try await set(s3, [rule { $0.abortIncompleteMultipartUpload = .make { $0.daysAfterInitiation = 7 } }])
      try await pass(6, s3)
      #expect(try await s3.run(S3.listMultipartUploads) { $0.bucket = "shop" }.uploads?.count == 1)
      try await pass(2, s3)
      #expect(try await s3.run(S3.listMultipartUploads) { $0.bucket = "shop" }.uploads?.isEmpty == true)
    }
  }

  @Test("rules that say nothing or nonsense are refused")
  func validation() async throws {
    try await S3Fixture.with { s3 in
      try await s3.bucket()
      #expect(await s3.failure { try await set(s3, [rule { _ in }]) }?.code == "InvalidRequest")
      #expect(
        await s3.failure { try await set(s3, [rule { $0.expiration = .make { $0.days = 0 } }]) }?.code
          == "InvalidArgument")
      let twice = rule { $0.expiration = .make { $0.days = 1 } }
      #expect(await s3.failure { try await set(s3, [twice, twice]) }?.code == "InvalidArgument")
    }
  }
}
