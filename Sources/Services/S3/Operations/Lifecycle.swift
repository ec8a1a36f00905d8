// GetBucketLifecycleConfiguration, PutBucketLifecycleConfiguration, DeleteBucketLifecycle.

import AWSCore
import AWSWire
import S3Model
import ServiceKit

extension S3Service {
  static let defaultMinimumSize = "all_storage_classes_128K"

  func getBucketLifecycle(
    _ input: S3.GetBucketLifecycleConfigurationRequest, _ call: CallContext
  ) async throws -> S3.GetBucketLifecycleConfigurationOutput {
    let bucket = try await bucket(input.bucket, expectedOwner: input.expectedBucketOwner)
    guard let lifecycle = bucket.settings.lifecycle else {
      throw S3Error.unset(
        "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", bucket.name)
    }
    let document = try DocumentCodec.read(lifecycle, as: S3.BucketLifecycleConfiguration.self)
    return .make {
      $0.rules = document.rules
      $0.transitionDefaultMinimumObjectSize = bucket.settings.lifecycleMinimumSize ?? Self.defaultMinimumSize
    }
  }

  func putBucketLifecycle(
    _ input: S3.PutBucketLifecycleConfigurationRequest, _ call: CallContext
  ) async throws -> S3.PutBucketLifecycleConfigurationOutput {
    guard var document = input.lifecycleConfiguration, !document.rules.isEmpty,
      document.rules.count <= S3Limits.lifecycleRulesMax
    else { throw S3Error.malformedXML }
    let minimum = input.transitionDefaultMinimumObjectSize ?? Self.defaultMinimumSize
    guard [Self.defaultMinimumSize, "varies_by_storage_class"].contains(minimum) else {
      throw S3Error.invalidRequest("The transition default minimum object size is not valid: \(minimum)")
    }
    for index in document.rules.indices where document.rules[index].id?.isEmpty ?? true {
      document.rules[index].id = call.ids.alphanumeric(48)
    }
    try LifecycleRules.validate(document.rules)
    let json = DocumentCodec.write(document)
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { settings, _ in
      settings.lifecycle = json
      settings.lifecycleMinimumSize = minimum
    }
    return .make { $0.transitionDefaultMinimumObjectSize = minimum }
  }

  func deleteBucketLifecycle(_ input: S3.DeleteBucketLifecycleRequest, _ call: CallContext) async throws -> Empty {
    try await change(input.bucket, expectedOwner: input.expectedBucketOwner) { settings, _ in
      settings.lifecycle = nil
      settings.lifecycleMinimumSize = nil
    }
    return Empty()
  }
}
