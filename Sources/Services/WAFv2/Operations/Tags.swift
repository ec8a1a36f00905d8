// Tags of web ACLs, rule groups and sets.

import AWSCore
import AWSWire
import ServiceKit
import Store
import WAFv2Model

enum Tags {
  /// - Throws: `WAFLimitsExceededException`.
  static func read(_ tags: [WAFv2.Tag]?) throws -> [String: String] {
    let read = Dictionary((tags ?? []).map { ($0.key, $0.value) }) { $1 }
    guard read.count <= WAFLimits.tagsMax else { throw WAFError.limit }
    return read
  }
}

extension WAFv2Service {
  func tagResource(_ input: WAFv2.TagResourceRequest, _ call: CallContext) async throws -> WAFv2.TagResourceResponse {
    let new = try Tags.read(input.tags)
    try await retag(input.resourceARN, call) { $0.merge(new) { $1 } }
    return .init()
  }

  func untagResource(_ input: WAFv2.UntagResourceRequest, _ call: CallContext) async throws
    -> WAFv2.UntagResourceResponse
  {
    try await retag(input.resourceARN, call) { tags in for key in input.tagKeys { tags[key] = nil } }
    return .init()
  }

  func listTagsForResource(
    _ input: WAFv2.ListTagsForResourceRequest, _ call: CallContext
  ) async throws -> WAFv2.ListTagsForResourceResponse {
    let arn = input.resourceARN
    let tags = try await store.read { snapshot in
      if let acl = try snapshot.find(WebACLRecord.self, call.scope, index: "arn", arn).first { return acl.tags }
      if let set = try snapshot.find(IPSetRecord.self, call.scope, index: "arn", arn).first { return set.tags }
      if let set = try snapshot.find(PatternSetRecord.self, call.scope, index: "arn", arn).first { return set.tags }
      if let group = try snapshot.find(RuleGroupRecord.self, call.scope, index: "arn", arn).first { return group.tags }
      throw WAFError.notFound
    }
    let sorted = tags.sorted { $0.key < $1.key }
    let (items, next) = try Self.page(sorted, limit: input.limit, marker: input.nextMarker, id: \.key)
    return .make {
      $0.tagInfoForResource = .make {
        $0.resourceARN = arn
        $0.tagList = items.map { key, value in
          .make {
            $0.key = key
            $0.value = value
          }
        }
      }
      $0.nextMarker = next
    }
  }

  private func retag(
    _ arn: String, _ call: CallContext, _ change: @escaping @Sendable (inout [String: String]) -> Void
  ) async throws {
    try await store.write { tx in
      if var acl = try tx.find(WebACLRecord.self, call.scope, index: "arn", arn).first {
        change(&acl.tags)
        guard acl.tags.count <= WAFLimits.tagsMax else { throw WAFError.limit }
        try tx.put(acl, call.scope)
      } else if var set = try tx.find(IPSetRecord.self, call.scope, index: "arn", arn).first {
        change(&set.tags)
        guard set.tags.count <= WAFLimits.tagsMax else { throw WAFError.limit }
        try tx.put(set, call.scope)
      } else if var patterns = try tx.find(PatternSetRecord.self, call.scope, index: "arn", arn).first {
        change(&patterns.tags)
        guard patterns.tags.count <= WAFLimits.tagsMax else { throw WAFError.limit }
        try tx.put(patterns, call.scope)
      } else if var group = try tx.find(RuleGroupRecord.self, call.scope, index: "arn", arn).first {
        change(&group.tags)
        guard group.tags.count <= WAFLimits.tagsMax else { throw WAFError.limit }
        try tx.put(group, call.scope)
      } else {
        throw WAFError.notFound
      }
    }
  }
}
