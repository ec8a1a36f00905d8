// Documents of a bucket's configuration: kept as they were sent, and given back.

import AWSCore
import AWSWire
import S3Model
import ServiceKit

extension S3Service {
  // MARK: Tags

  func getBucketTagging(
    _ input: S3.GetBucketTaggingRequest, _ call: CallContext
  ) async throws -> S3.GetBucketTaggingOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    guard let tags = bucket.settings.tags, !tags.isEmpty else {
      throw S3Error.unset("NoSuchTagSet", "The TagSet does not exist", bucket.name)
    }
    return .make {
      $0.tagSet = tags.map { tag in
        .make {
          $0.key = tag.key
          $0.value = tag.value
        }
      }
    }
  }

  func putBucketTagging(_ input: S3.PutBucketTaggingRequest, _ call: CallContext) async throws -> Empty {
    let tags = try TagRules.bucket(input.tagging.tagSet, call)
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { settings, _ in settings.tags = tags }
    return Empty()
  }

  func deleteBucketTagging(_ input: S3.DeleteBucketTaggingRequest, _ call: CallContext) async throws -> Empty {
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { settings, _ in settings.tags = nil }
    return Empty()
  }

  // MARK: Encryption

  func getBucketEncryption(
    _ input: S3.GetBucketEncryptionRequest, _ call: CallContext
  ) async throws -> S3.GetBucketEncryptionOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let document: S3.ServerSideEncryptionConfiguration
    if let set = bucket.settings.encryption {
      document = try DocumentCodec.read(set)
    } else {
      // Every bucket is encrypted; this is what AWS says of one that was not told how.
      document = .make {
        $0.rules = [
          .make {
            $0.applyServerSideEncryptionByDefault = .make { $0.sseAlgorithm = "AES256" }
            $0.bucketKeyEnabled = false
          }
        ]
      }
    }
    return .make { $0.serverSideEncryptionConfiguration = document }
  }

  func putBucketEncryption(_ input: S3.PutBucketEncryptionRequest, _ call: CallContext) async throws -> Empty {
    var document = input.serverSideEncryptionConfiguration
    guard document.rules.count == 1, let rule = document.rules.first else { throw S3Error.malformedXML }
    if let wanted = rule.applyServerSideEncryptionByDefault {
      switch wanted.sseAlgorithm {
      case "AES256":
        guard wanted.kmsMasterKeyID == nil else {
          throw S3Error.invalidArgument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            "ApplyServerSideEncryptionByDefault", wanted.kmsMasterKeyID ?? "")
        }
      case "aws:kms": break
      case "aws:kms:dsse": throw AWSError.notImplemented("s3: dual-layer server-side encryption (aws:kms:dsse)")
      default: throw S3Error.malformedXML
      }
    }
    if rule.bucketKeyEnabled == nil { document.rules[0].bucketKeyEnabled = false }
    let json = DocumentCodec.write(document)
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { settings, _ in
      settings.encryption = json
    }
    return Empty()
  }

  func deleteBucketEncryption(_ input: S3.DeleteBucketEncryptionRequest, _ call: CallContext) async throws -> Empty {
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { settings, _ in
      settings.encryption = nil
    }
    return Empty()
  }

  // MARK: CORS

  func getBucketCors(_ input: S3.GetBucketCorsRequest, _ call: CallContext) async throws -> S3.GetBucketCorsOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    guard let cors = bucket.settings.cors else {
      throw S3Error.unset("NoSuchCORSConfiguration", "The CORS configuration does not exist", bucket.name)
    }
    let document = try DocumentCodec.read(cors, as: S3.CORSConfiguration.self)
    return .make { $0.corsRules = document.corsRules }
  }

  func putBucketCors(_ input: S3.PutBucketCorsRequest, _ call: CallContext) async throws -> Empty {
    let rules = input.corsConfiguration.corsRules
    guard !rules.isEmpty, rules.count <= S3Limits.corsRulesMax else { throw S3Error.malformedXML }
    for rule in rules {
      for method in rule.allowedMethods where !["GET", "PUT", "POST", "DELETE", "HEAD"].contains(method) {
        throw S3Error.invalidRequest(
          "Found unsupported HTTP method in CORS config. Unsupported method is \(method)")
      }
      for origin in rule.allowedOrigins where origin.filter({ $0 == "*" }).count > 1 {
        throw S3Error.invalidRequest("AllowedOrigin \"\(origin)\" can not have more than one wildcard.")
      }
    }
    let json = DocumentCodec.write(input.corsConfiguration)
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { settings, _ in settings.cors = json }
    return Empty()
  }

  func deleteBucketCors(_ input: S3.DeleteBucketCorsRequest, _ call: CallContext) async throws -> Empty {
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { settings, _ in settings.cors = nil }
    return Empty()
  }

  // MARK: Ownership controls

  static func ownershipControls(_ ownership: String) -> S3.OwnershipControls {
    .make { $0.rules = [.make { $0.objectOwnership = ownership }] }
  }

  static func checkOwnership(_ ownership: String) throws {
    guard ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"].contains(ownership) else {
      throw S3Error.malformedXML
    }
  }

  func getBucketOwnershipControls(
    _ input: S3.GetBucketOwnershipControlsRequest, _ call: CallContext
  ) async throws -> S3.GetBucketOwnershipControlsOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    guard let ownership = bucket.settings.ownership else {
      throw S3Error.unset(
        "OwnershipControlsNotFoundError", "The bucket ownership controls were not found", bucket.name)
    }
    let document = try DocumentCodec.read(ownership, as: S3.OwnershipControls.self)
    return .make { $0.ownershipControls = document }
  }

  func putBucketOwnershipControls(
    _ input: S3.PutBucketOwnershipControlsRequest, _ call: CallContext
  ) async throws -> Empty {
    guard input.ownershipControls.rules.count == 1, let rule = input.ownershipControls.rules.first else {
      throw S3Error.malformedXML
    }
    try Self.checkOwnership(rule.objectOwnership)
    let json = DocumentCodec.write(input.ownershipControls)
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { settings, _ in
      settings.ownership = json
    }
    return Empty()
  }

  func deleteBucketOwnershipControls(
    _ input: S3.DeleteBucketOwnershipControlsRequest, _ call: CallContext
  ) async throws -> Empty {
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { settings, _ in
      settings.ownership = nil
    }
    return Empty()
  }

  // MARK: Public access block

  func getPublicAccessBlock(
    _ input: S3.GetPublicAccessBlockRequest, _ call: CallContext
  ) async throws -> S3.GetPublicAccessBlockOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    guard let block = bucket.publicAccess else {
      throw S3Error.unset(
        "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found", bucket.name)
    }
    return .make { $0.publicAccessBlockConfiguration = block }
  }

  func putPublicAccessBlock(_ input: S3.PutPublicAccessBlockRequest, _ call: CallContext) async throws -> Empty {
    var block = input.publicAccessBlockConfiguration
    block.blockPublicAcls = block.blockPublicAcls ?? false
    block.blockPublicPolicy = block.blockPublicPolicy ?? false
    block.ignorePublicAcls = block.ignorePublicAcls ?? false
    block.restrictPublicBuckets = block.restrictPublicBuckets ?? false
    let json = DocumentCodec.write(block)
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { settings, _ in
      settings.publicAccess = json
    }
    return Empty()
  }

  func deletePublicAccessBlock(_ input: S3.DeletePublicAccessBlockRequest, _ call: CallContext) async throws -> Empty {
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { settings, _ in
      settings.publicAccess = nil
    }
    return Empty()
  }

  // MARK: Notifications

  func getBucketNotification(
    _ input: S3.GetBucketNotificationConfigurationRequest, _ call: CallContext
  ) async throws -> S3.NotificationConfiguration {
    _ = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    return S3.NotificationConfiguration()
  }

  func putBucketNotification(
    _ input: S3.PutBucketNotificationConfigurationRequest, _ call: CallContext
  ) async throws -> Empty {
    _ = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    let wanted = input.notificationConfiguration
    let isEmpty =
      wanted.eventBridgeConfiguration == nil && wanted.lambdaFunctionConfigurations?.isEmpty ?? true
      && wanted.queueConfigurations?.isEmpty ?? true && wanted.topicConfigurations?.isEmpty ?? true
    guard isEmpty else { throw AWSError.notImplemented("s3: event notifications") }
    return Empty()
  }
}
