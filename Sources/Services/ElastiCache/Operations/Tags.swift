// Tags of replication groups and subnet groups; a node has its group's.

import AWSCore
import AWSWire
import ElastiCacheModel
import ServiceKit
import Store

extension ElastiCacheService {
  private static func change(
    _ name: String, _ call: CallContext, _ tx: Snapshot, _ body: (inout [String: String]) throws -> Void
  ) throws -> any Record {
    guard let arn = ARN(name), arn.service == "elasticache", arn.account == call.account, arn.region == call.region
    else {
      throw AWSError("InvalidARN", "\(name) is not a valid ARN of this account and Region.")
    }
    let parts = arn.resource.split(separator: ":", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { throw AWSError("InvalidARN", "\(name) is not a valid ARN.") }
    let id = parts[1].lowercased()
    switch parts[0] {
    case "replicationgroup":
      var it = try group(id, call.scope, tx).0
      try body(&it.tags)
      return it
    case "cluster":
      guard var it = try tx.list(GroupRecord.self, call.scope).first(where: { $0.nodes.contains { $0.id == id } })
      else {
        throw CacheError.clusterNotFound(id)
      }
      try body(&it.tags)
      return it
    case "subnetgroup":
      guard var it = try tx.get(SubnetGroupRecord.self, call.scope, id) else {
        throw CacheError.subnetGroupNotFound(id)
      }
      try body(&it.tags)
      return it
    case "parametergroup":
      guard var it = try tx.get(ParameterGroupRecord.self, call.scope, id) else {
        throw CacheError.parameterGroupNotFound(id)
      }
      try body(&it.tags)
      return it
    default: throw AWSError.notImplemented("tags of the ElastiCache resource \(name)")
    }
  }

  private func tags(_ name: String, _ call: CallContext) async throws -> [String: String] {
    try await store.read { tx in
      var found: [String: String] = [:]
      _ = try Self.change(name, call, tx) { found = $0 }
      return found
    }
  }

  func tagAccess(_ name: String, _ call: CallContext) async throws -> [ResourceAccess] {
    [ResourceAccess(name, tags: try await tags(name, call))]
  }

  func listTags(
    _ input: ElastiCache.ListTagsForResourceMessage, _ call: CallContext
  ) async throws -> ElastiCache.TagListMessage {
    let tags = try await tags(input.resourceName, call)
    return .make { $0.tagList = Self.wire(tags) }
  }

  func addTags(
    _ input: ElastiCache.AddTagsToResourceMessage, _ call: CallContext
  ) async throws -> ElastiCache.TagListMessage {
    let new = try Self.read(input.tags, call)
    return try await write(input.resourceName, call) { tags in
      tags.merge(new) { _, last in last }
      guard tags.count <= CacheLimits.tagsMax else {
        throw AWSError("TagQuotaPerResourceExceeded", "A resource can have at most \(CacheLimits.tagsMax) tags.")
      }
    }
  }

  func removeTags(
    _ input: ElastiCache.RemoveTagsFromResourceMessage, _ call: CallContext
  ) async throws -> ElastiCache.TagListMessage {
    try await write(input.resourceName, call) { tags in for key in input.tagKeys { tags[key] = nil } }
  }

  private func write(
    _ name: String, _ call: CallContext, _ body: @escaping @Sendable (inout [String: String]) throws -> Void
  ) async throws -> ElastiCache.TagListMessage {
    let tags = try await store.write { tx in
      var after: [String: String] = [:]
      let record = try Self.change(name, call, tx) {
        try body(&$0)
        after = $0
      }
      try tx.put(record, call.scope)
      return after
    }
    return .make { $0.tagList = Self.wire(tags) }
  }

  /// - Throws: `InvalidParameterValue`.
  static func read(_ tags: [ElastiCache.Tag]?, _ call: CallContext) throws -> [String: String] {
    var out: [String: String] = [:]
    let isService = call.principal.kind == .service || !call.calledVia.isEmpty
    for tag in tags ?? [] {
      guard let key = tag.key, !key.isEmpty, key.count <= 128, (tag.value ?? "").count <= 256 else {
        throw CacheError.invalid("Tag keys must be 1 to 128 characters long, and values at most 256.")
      }
      guard isService || !key.lowercased().hasPrefix("aws:") else {
        throw CacheError.invalid("Tag keys that begin with aws: are reserved.")
      }
      out[key] = tag.value ?? ""
    }
    return out
  }

  static func wire(_ tags: [String: String]) -> [ElastiCache.Tag] {
    tags.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }
}
