// PutBucketPolicy, GetBucketPolicy, DeleteBucketPolicy, GetBucketPolicyStatus.

import AWSCore
import AWSWire
import Policy
import S3Model
import ServiceKit

extension S3Service {
  func getBucketPolicy(
    _ input: S3.GetBucketPolicyRequest, _ call: CallContext
  ) async throws -> S3.GetBucketPolicyOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    guard let policy = bucket.settings.policy else {
      throw S3Error.unset("NoSuchBucketPolicy", "The bucket policy does not exist", bucket.name)
    }
    return .make { $0.policy = policy }
  }

  func putBucketPolicy(_ input: S3.PutBucketPolicyRequest, _ call: CallContext) async throws -> Empty {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    guard input.policy.utf8.count <= S3Limits.policyBytesMax else {
      throw AWSError("PolicyTooLarge", "Policy exceeds the maximum allowed document size.")
    }
    let document: PolicyDocument
    do {
      document = try PolicyDocument(input.policy, kind: .resource)
    } catch {
      throw error.awsError(.s3)
    }
    try Self.checkResources(input.policy, bucket)
    if document.isPublic, bucket.publicAccess?.blockPublicPolicy == true {
      throw AWSError.accessDenied(
        principal: call.principal.arn, action: "s3:PutBucketPolicy", resource: "\"\(bucket.arn)\"",
        reason: "public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.")
    }
    let policy = input.policy
    try await change(bucket.name, expectedOwner: nil) { settings, _ in settings.policy = policy }
    return Empty()
  }

  /// Each resource is this bucket or something in it.
  private static func checkResources(_ policy: String, _ bucket: Bucket) throws {
    guard let json = try? JSON.parse(Array(policy.utf8)) else { return }
    let statements = json["Statement"].map { $0.array ?? [$0] } ?? []
    for statement in statements {
      for name in ["Resource", "NotResource"] {
        guard let value = statement[name] else { continue }
        for resource in (value.array ?? [value]).compactMap(\.string) {
          // A wildcard may stand for the name; what follows the bucket's own must be a path.
          guard let arn = ARN(resource), arn.service == "s3" || arn.service.contains("*") else {
            if resource == "*" { throw invalidResource }
            throw invalidResource
          }
          let pattern = arn.resource.prefix { $0 != "/" }
          guard pattern == bucket.name || pattern.contains("*") || pattern.contains("?") || pattern.contains("$") else {
            throw invalidResource
          }
        }
      }
    }
  }

  private static var invalidResource: AWSError { AWSError("MalformedPolicy", "Policy has invalid resource") }

  func deleteBucketPolicy(_ input: S3.DeleteBucketPolicyRequest, _ call: CallContext) async throws -> Empty {
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { settings, _ in settings.policy = nil }
    return Empty()
  }

  func getBucketPolicyStatus(
    _ input: S3.GetBucketPolicyStatusRequest, _ call: CallContext
  ) async throws -> S3.GetBucketPolicyStatusOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    guard bucket.settings.policy != nil else {
      throw S3Error.unset("NoSuchBucketPolicy", "The bucket policy does not exist", bucket.name)
    }
    return .make { $0.policyStatus = .make { $0.isPublic = bucket.policyIsPublic } }
  }
}
