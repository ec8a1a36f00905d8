// Tags of clusters, instances, groups and snapshots.

import AWSCore
import AWSWire
import RDSModel
import ServiceKit
import Store

extension RDSService {
  /// The kinds of resources that have tags, by the word in their ARN.
  private static func change(
    _ name: String, _ call: CallContext, _ tx: Snapshot, _ body: (inout [String: String]) throws -> Void
  ) throws -> (any Record)? {
    guard let arn = ARN(name), arn.service == "rds", arn.account == call.account, arn.region == call.region else {
      throw RDSError.invalid("Invalid resource name: \(name)")
    }
    let parts = arn.resource.split(separator: ":", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { throw RDSError.invalid("Invalid resource name: \(name)") }
    let id = parts[1].lowercased()
    switch parts[0] {
    case "cluster":
      var it = try facts(id, call.scope, tx).cluster
      try body(&it.tags)
      return it
    case "db":
      var it = try instance(id, call.scope, tx)
      try body(&it.tags)
      return it
    case "subgrp":
      guard var it = try tx.get(SubnetGroupRecord.self, call.scope, id) else { throw RDSError.subnetGroupNotFound(id) }
      try body(&it.tags)
      return it
    case "cluster-pg":
      guard var it = try tx.get(ParameterGroupRecord.self, call.scope, id) else {
        var none: [String: String] = [:]
        guard id.hasPrefix("default.") else { throw RDSError.parameterGroupNotFound(id) }
        try body(&none)
        return nil
      }
      try body(&it.tags)
      return it
    case "cluster-snapshot":
      guard var it = try tx.get(SnapshotRecord.self, call.scope, id) else { throw RDSError.snapshotNotFound(id) }
      try body(&it.tags)
      return it
    default: throw AWSError.notImplemented("tags of the RDS resource \(name)")
    }
  }

  func tagAccess(_ name: String, _ call: CallContext) async throws -> [ResourceAccess] {
    [ResourceAccess(name, tags: try await tags(name, call))]
  }

  private func tags(_ name: String, _ call: CallContext) async throws -> [String: String] {
    try await store.read { tx in
      var found: [String: String] = [:]
      _ = try Self.change(name, call, tx) { found = $0 }
      return found
    }
  }

  func listTags(_ input: RDS.ListTagsForResourceMessage, _ call: CallContext) async throws -> RDS.TagListMessage {
    let tags = try await tags(input.resourceName, call)
    return .make { $0.tagList = Self.wire(tags) }
  }

  func addTags(_ input: RDS.AddTagsToResourceMessage, _ call: CallContext) async throws -> Empty {
    let new = try Self.read(input.tags, call)
    try await write(input.resourceName, call) { tags in
      tags.merge(new) { _, last in last }
      guard tags.count <= RDSLimits.tagsMax else { throw RDSError.invalid("A resource can have at most 50 tags.") }
    }
    return Empty()
  }

  func removeTags(_ input: RDS.RemoveTagsFromResourceMessage, _ call: CallContext) async throws -> Empty {
    try await write(input.resourceName, call) { tags in for key in input.tagKeys { tags[key] = nil } }
    return Empty()
  }

  private func write(
    _ name: String, _ call: CallContext, _ body: @escaping @Sendable (inout [String: String]) throws -> Void
  ) async throws {
    try await store.write { tx in
      guard let record = try Self.change(name, call, tx, body) else {
        throw RDSError.invalid("The default parameter group cannot be tagged.")
      }
      try tx.put(record, call.scope)
    }
  }

  /// - Throws: `InvalidParameterValue`.
  static func read(_ tags: [RDS.Tag]?, _ call: CallContext) throws -> [String: String] {
    var out: [String: String] = [:]
    let isService = call.principal.kind == .service || !call.calledVia.isEmpty
    for tag in tags ?? [] {
      guard let key = tag.key, !key.isEmpty, key.count <= 128, (tag.value ?? "").count <= 256 else {
        throw RDSError.invalid("Tag keys must be 1 to 128 characters long, and values at most 256.")
      }
      guard isService || !key.lowercased().hasPrefix("aws:") else {
        throw RDSError.invalid("Tag keys that begin with aws: are reserved.")
      }
      out[key] = tag.value ?? ""
    }
    guard out.count <= RDSLimits.tagsMax else { throw RDSError.invalid("A resource can have at most 50 tags.") }
    return out
  }

  static func wire(_ tags: [String: String]) -> [RDS.Tag] {
    tags.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }
}
