// TagResource, UntagResource, ListTagsForResource.

import AWSCore
import ECSModel
import ServiceKit
import Store

extension ECSService {
  func tagResource(_ input: ECS.TagResourceRequest, _ call: CallContext) async throws -> ECS.TagResourceResponse {
    let new = try TagRules.map(input.tags)
    _ = try await tags(of: input.resourceArn, call) { $0.merge(new) { _, new in new } }
    return .init()
  }

  func untagResource(_ input: ECS.UntagResourceRequest, _ call: CallContext) async throws -> ECS.UntagResourceResponse {
    _ = try await tags(of: input.resourceArn, call) { tags in for key in input.tagKeys { tags[key] = nil } }
    return .init()
  }

  func listTagsForResource(
    _ input: ECS.ListTagsForResourceRequest, _ call: CallContext
  ) async throws -> ECS.ListTagsForResourceResponse {
    let tags = try await tags(of: input.resourceArn, call) { _ in }
    return .make { $0.tags = TagRules.list(tags) }
  }

  /// Changes a resource's tags.
  private func tags(
    of text: String, _ call: CallContext, _ body: @escaping @Sendable (inout [String: String]) -> Void
  ) async throws -> [String: String] {
    guard let arn = ARN(text), arn.service == "ecs" else { throw ECSError.invalidARN }
    let parts = arn.resource.split(separator: "/").map(String.init)
    let kind = parts.first ?? ""
    return try await store.write { tx in
      func checked(_ tags: [String: String]) throws -> [String: String] {
        var tags = tags
        body(&tags)
        guard tags.count <= Limits.tags else {
          throw ECSError.invalid("The maximum number of tags is \(Limits.tags); \(tags.count) were given.")
        }
        return tags
      }
      switch kind {
      case "cluster":
        var record = try Lookup.activeCluster(text, tx, call.scope)
        record.tags = try checked(record.tags)
        try tx.put(record, call.scope)
        return record.tags
      case "service":
        guard var record = try Lookup.service(text, cluster: nil, tx, call.scope), record.status != .inactive else {
          throw ECSError.invalid("The specified service is inactive. Specify an active service and try again.")
        }
        record.tags = try checked(record.tags)
        try tx.put(record, call.scope)
        return record.tags
      case "task":
        guard var record = try Lookup.task(text, cluster: nil, tx, call.scope) else {
          throw ECSError.invalid("The specified task is stopped. Specify a running task and try again.")
        }
        record.tags = try checked(record.tags)
        try tx.put(record, call.scope)
        return record.tags
      case "task-definition":
        guard var record = try Lookup.taskDefinition(text, tx, call.scope) else {
          throw ECSError.invalid(
            "The specified task definition was not found. Specify a valid task definition and try again.")
        }
        record.tags = try checked(record.tags)
        try tx.put(record, call.scope)
        return record.tags
      default: throw ECSError.invalidARN
      }
    }
  }
}
