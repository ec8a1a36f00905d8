// Tags of scalable targets.

import AWSCore
import AWSWire
import ApplicationAutoScalingModel
import ServiceKit
import Store

extension ApplicationAutoScalingService {
  func tagResource(_ input: API.TagResourceRequest, _ call: CallContext) async throws -> API.TagResourceResponse {
    try await retag(input.resourceARN, call) { $0.merge(input.tags) { $1 } }
    return .init()
  }

  func untagResource(_ input: API.UntagResourceRequest, _ call: CallContext) async throws -> API.UntagResourceResponse {
    try await retag(input.resourceARN, call) { tags in for key in input.tagKeys { tags[key] = nil } }
    return .init()
  }

  func listTagsForResource(
    _ input: API.ListTagsForResourceRequest, _ call: CallContext
  ) async throws -> API.ListTagsForResourceResponse {
    let record = try await store.read {
      try $0.find(ScalableTargetRecord.self, call.scope, index: "arn", input.resourceARN).first
    }
    guard let record else { throw AutoScalingError.notFound(arn: input.resourceARN) }
    return .make { $0.tags = record.tags }
  }

  private func retag(
    _ arn: String, _ call: CallContext, _ change: @escaping @Sendable (inout [String: String]) -> Void
  ) async throws {
    try await store.write { tx in
      guard var record = try tx.find(ScalableTargetRecord.self, call.scope, index: "arn", arn).first else {
        throw AutoScalingError.notFound(arn: arn)
      }
      change(&record.tags)
      guard record.tags.count <= Self.tagsMax else { throw Self.tooManyTags }
      try tx.put(record, call.scope)
    }
  }
}
