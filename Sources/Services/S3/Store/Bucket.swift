// A bucket as the service sees it: the engine's record, and the settings that hang on it.

import AWSCore
import AWSWire
import FoundationEssentials
import ObjectStore
import Policy
import S3Model
import ServiceKit
import Synchronization

/// What the service keeps with a bucket; the document in the engine's record.
struct BucketSettings: Codable, Sendable {
  struct Tag: Codable, Sendable, Hashable {
    var key: String
    var value: String
  }

  /// The owner.
  var account: String
  var region: String
  var tags: [Tag]?
  /// The bucket policy, as it was sent.
  var policy: String?
  var encryption: JSONValue?
  var lifecycle: JSONValue?
  /// `x-amz-transition-default-minimum-object-size`.
  var lifecycleMinimumSize: String?
  var cors: JSONValue?
  var ownership: JSONValue?
  var publicAccess: JSONValue?

  init(account: String, region: String) {
    self.account = account
    self.region = region
  }

  init(_ bytes: [UInt8]) throws { self = try JSONDecoder().decode(BucketSettings.self, from: Data(bytes)) }

  func bytes() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return Array(try encoder.encode(self))
  }
}

/// A bucket, decoded.
final class Bucket: Sendable {
  let record: BucketRecord
  let settings: BucketSettings
  /// The policy lets everyone in.
  let policyIsPublic: Bool
  let publicAccess: S3.PublicAccessBlockConfiguration?
  /// How objects are encrypted when the request does not say.
  let defaultEncryption: EncryptionChoice
  /// `BucketOwnerEnforced`, …; nil when the controls were deleted.
  let ownership: String?

  var name: String { record.name }
  var account: String { settings.account }
  var region: String { settings.region }
  var arn: String { "arn:aws:s3:::\(name)" }
  func arn(_ key: String) -> String { "arn:aws:s3:::\(name)/\(key)" }

  init(_ record: BucketRecord) throws {
    self.record = record
    settings = try BucketSettings(record.configuration)
    policyIsPublic =
      try settings.policy.map { policy throws -> Bool in try PolicyDocument(policy, kind: .resource).isPublic } ?? false
    publicAccess = try settings.publicAccess.map { try DocumentCodec.read($0) }
    let encryption = try settings.encryption.map {
      try DocumentCodec.read($0, as: S3.ServerSideEncryptionConfiguration.self)
    }
    defaultEncryption = EncryptionChoice(encryption?.rules.first)
    let controls = try settings.ownership.map { try DocumentCodec.read($0, as: S3.OwnershipControls.self) }
    ownership = controls?.rules.first?.objectOwnership
  }
}

/// Buckets that were decoded lately, by name; each is used only while the engine's record is still the same.
final class BucketShelf: Sendable {
  private let buckets = Mutex<[String: Bucket]>([:])

  func bucket(_ record: BucketRecord) throws -> Bucket {
    if let known = buckets.withLock({ $0[record.name] }), known.record == record { return known }
    let bucket = try Bucket(record)
    buckets.withLock { buckets in
      if buckets.count >= 1000 { buckets = [:] }
      buckets[record.name] = bucket
    }
    return bucket
  }
}

extension S3Service {
  /// A bucket by name.
  /// - Parameter expectedOwner: `x-amz-expected-bucket-owner`.
  /// - Throws: `NoSuchBucket`, `AccessDenied`.
  func bucket(_ name: String, expectedOwner: String? = nil) async throws -> Bucket {
    guard let record = try await objects().bucket(name) else { throw S3Error.noSuchBucket(name) }
    let bucket = try shelf.bucket(record)
    if let expectedOwner, expectedOwner != bucket.account { throw S3Error.accessDenied }
    return bucket
  }

  /// Changes a bucket's settings in one transaction.
  func change(
    _ name: String, expectedOwner: String?,
    _ body: @escaping @Sendable (inout BucketSettings, inout BucketRecord) throws -> Void
  ) async throws {
    try await S3Error.translated(bucket: name) {
      _ = try await objects().updateBucket(name) { record in
        var settings = try BucketSettings(record.configuration)
        if let expectedOwner, expectedOwner != settings.account { throw S3Error.accessDenied }
        try body(&settings, &record)
        record.configuration = try settings.bytes()
      }
    }
  }
}
