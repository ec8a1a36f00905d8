// TagResource, UntagResource, ListTagsForResource: protections and protection groups have tags.

import AWSCore
import AWSWire
import ServiceKit
import ShieldModel
import Store

extension ShieldService {
  /// The tags of a request.
  static func tags(_ list: [Shield.Tag]?) throws -> [String: String] {
    let tags = Dictionary((list ?? []).map { ($0.key ?? "", $0.value ?? "") }) { $1 }
    try check(tags)
    return tags
  }

  private static func check(_ tags: [String: String]) throws {
    guard tags.count <= ShieldLimits.tagsMax else {
      throw ShieldError.parameter("A resource cannot have more than \(ShieldLimits.tagsMax) tags.")
    }
  }

  func tagResource(_ input: Shield.TagResourceRequest, _ call: CallContext) async throws -> Shield.TagResourceResponse {
    try await retag(input.resourceARN, call) { tags in
      for tag in input.tags { tags[tag.key ?? ""] = tag.value ?? "" }
    }
    return .init()
  }

  func untagResource(
    _ input: Shield.UntagResourceRequest, _ call: CallContext
  ) async throws -> Shield.UntagResourceResponse {
    try await retag(input.resourceARN, call) { tags in for key in input.tagKeys { tags[key] = nil } }
    return .init()
  }

  func listTagsForResource(
    _ input: Shield.ListTagsForResourceRequest, _ call: CallContext
  ) async throws -> Shield.ListTagsForResourceResponse {
    let tags = try await store.read { snapshot in
      switch try Self.tagged(input.resourceARN, snapshot, call) {
      case .protection(let record): record.tags
      case .group(let record): record.tags
      }
    }
    return .make {
      $0.tags = tags.sorted { $0.key < $1.key }.map { key, value in
        .make {
          $0.key = key
          $0.value = value
        }
      }
    }
  }

  private enum Tagged {
    case protection(ProtectionRecord)
    case group(ProtectionGroupRecord)
  }

  private static func tagged(_ arn: String, _ snapshot: Snapshot, _ call: CallContext) throws -> Tagged {
    let protections = Self.arn(protection: "", call)
    let groups = Self.arn(group: "", call)
    if arn.hasPrefix(protections) {
      let id = String(arn.dropFirst(protections.count))
      guard let record = try snapshot.get(ProtectionRecord.self, call.globalScope, id) else {
        throw ShieldError.noProtection
      }
      return .protection(record)
    }
    guard arn.hasPrefix(groups) else { throw ShieldError.unknownResource(arn) }
    let id = String(arn.dropFirst(groups.count))
    guard let record = try snapshot.get(ProtectionGroupRecord.self, call.globalScope, id) else {
      throw ShieldError.noGroup
    }
    return .group(record)
  }

  private func retag(
    _ arn: String, _ call: CallContext, _ change: @escaping @Sendable (inout [String: String]) -> Void
  ) async throws {
    try await store.write { tx in
      switch try Self.tagged(arn, tx, call) {
      case .protection(var record):
        change(&record.tags)
        try Self.check(record.tags)
        try tx.put(record, call.globalScope)
      case .group(var record):
        change(&record.tags)
        try Self.check(record.tags)
        try tx.put(record, call.globalScope)
      }
    }
  }
}
