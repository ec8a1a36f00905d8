// Configuration that no bucket can have here yet: what AWS answers where it is not set.

import AWSCore
import AWSWire
import S3Model
import ServiceKit

extension S3Service {
  func getBucketWebsite(
    _ input: S3.GetBucketWebsiteRequest, _ call: CallContext
  ) async throws -> S3.GetBucketWebsiteOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    throw S3Error.unset(
      "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration", bucket.name)
  }

  func deleteBucketWebsite(_ input: S3.DeleteBucketWebsiteRequest, _ call: CallContext) async throws -> Empty {
    _ = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    return Empty()
  }

  func getBucketReplication(
    _ input: S3.GetBucketReplicationRequest, _ call: CallContext
  ) async throws -> S3.GetBucketReplicationOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    throw S3Error.unset(
      "ReplicationConfigurationNotFoundError", "The replication configuration was not found", bucket.name)
  }

  func getObjectLock(
    _ input: S3.GetObjectLockConfigurationRequest, _ call: CallContext
  ) async throws -> S3.GetObjectLockConfigurationOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    throw S3Error.unset(
      "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket", bucket.name)
  }

  func getBucketLogging(
    _ input: S3.GetBucketLoggingRequest, _ call: CallContext
  ) async throws -> S3.GetBucketLoggingOutput {
    _ = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    return S3.GetBucketLoggingOutput()
  }

  func getBucketAccelerate(
    _ input: S3.GetBucketAccelerateConfigurationRequest, _ call: CallContext
  ) async throws -> S3.GetBucketAccelerateConfigurationOutput {
    _ = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    return S3.GetBucketAccelerateConfigurationOutput()
  }

  func getBucketRequestPayment(
    _ input: S3.GetBucketRequestPaymentRequest, _ call: CallContext
  ) async throws -> S3.GetBucketRequestPaymentOutput {
    _ = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    return .make { $0.payer = "BucketOwner" }
  }
}
