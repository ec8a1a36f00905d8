// Tags of load balancers, target groups, listeners and rules.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit
import Store

enum Tags {
  /// The tags of a request.
  /// - Throws: `DuplicateTagKeys`, `TooManyTags`, `ValidationError`.
  static func read(_ tags: [ELBv2.Tag]?, _ call: CallContext) throws -> [String: String] {
    var read: [String: String] = [:]
    let isService = call.principal.kind == .service || !call.calledVia.isEmpty
    for tag in tags ?? [] {
      // Only services write tags of this prefix; CloudFormation marks what it made.
      guard isService || !tag.key.lowercased().hasPrefix("aws:") else {
        throw ELBv2Error.validation("The tag key '\(tag.key)' is reserved: it begins with 'aws:'")
      }
      guard read.updateValue(tag.value ?? "", forKey: tag.key) == nil else {
        throw AWSError("DuplicateTagKeys", "Tag key '\(tag.key)' was specified more than once")
      }
    }
    return try checked(read)
  }

  static func checked(_ tags: [String: String]) throws -> [String: String] {
    guard tags.count <= ELBv2Limits.tagsMax else {
      throw AWSError("TooManyTags", "The maximum number of tags per resource is '\(ELBv2Limits.tagsMax)'")
    }
    return tags
  }

  static func answer(_ tags: [String: String]) -> [ELBv2.Tag] {
    tags.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }
}

extension ELBv2Service {
  func addTags(_ input: ELBv2.AddTagsInput, _ call: CallContext) async throws -> ELBv2.AddTagsOutput {
    let new = try Tags.read(input.tags, call)
    try await store.write { tx in
      for arn in input.resourceArns {
        try Self.retag(arn, tx, call.scope) { try Tags.checked($0.merging(new) { $1 }) }
      }
    }
    if new.keys.contains(where: { $0.hasPrefix(ShieldTags.prefix) }) { await reconciler.applyIfThere() }
    return .init()
  }

  func removeTags(_ input: ELBv2.RemoveTagsInput, _ call: CallContext) async throws -> ELBv2.RemoveTagsOutput {
    try await store.write { tx in
      for arn in input.resourceArns {
        try Self.retag(arn, tx, call.scope) { tags in tags.filter { !input.tagKeys.contains($0.key) } }
      }
    }
    if input.tagKeys.contains(where: { $0.hasPrefix(ShieldTags.prefix) }) { await reconciler.applyIfThere() }
    return .init()
  }

  func describeTags(_ input: ELBv2.DescribeTagsInput, _ call: CallContext) async throws -> ELBv2.DescribeTagsOutput {
    guard input.resourceArns.count <= 20 else {
      throw ELBv2Error.validation("At most '20' resources can be specified")
    }
    let all = try await store.read { snapshot in
      try input.resourceArns.map { ($0, try Self.tags($0, snapshot, call.scope)) }
    }
    return .make {
      $0.tagDescriptions = all.map { arn, tags in
        .make {
          $0.resourceArn = arn
          $0.tags = Tags.answer(tags)
        }
      }
    }
  }

  private static func tags(_ arn: String, _ snapshot: Snapshot, _ scope: Scope) throws -> [String: String] {
    if arn.contains(":loadbalancer/") { return try snapshot.loadBalancer(arn, scope).tags }
    if arn.contains(":targetgroup/") { return try snapshot.targetGroup(arn, scope).tags }
    if arn.contains(":listener/") { return try snapshot.listener(arn, scope).tags }
    if arn.contains(":truststore/") { return try snapshot.trustStore(arn, scope).tags }
    if arn.contains(":listener-rule/") {
      if let listener = try snapshot.listener(defaultRule: arn, scope) { return listener.defaultRuleTags }
      return try snapshot.rule(arn, scope).tags
    }
    throw ELBv2Error.invalidARN(arn, "resource")
  }

  private static func retag(
    _ arn: String, _ tx: Transaction, _ scope: Scope, _ change: ([String: String]) throws -> [String: String]
  ) throws {
    if arn.contains(":loadbalancer/") {
      var record = try tx.loadBalancer(arn, scope)
      record.tags = try change(record.tags)
      _ = try ShieldTags.read(record.tags, record.kind)
      try tx.put(record, scope)
    } else if arn.contains(":targetgroup/") {
      var record = try tx.targetGroup(arn, scope)
      record.tags = try change(record.tags)
      try tx.put(record, scope)
    } else if arn.contains(":listener/") {
      var record = try tx.listener(arn, scope)
      record.tags = try change(record.tags)
      try tx.put(record, scope)
    } else if arn.contains(":truststore/") {
      var record = try tx.trustStore(arn, scope)
      record.tags = try change(record.tags)
      try tx.put(record, scope)
    } else if var listener = try tx.listener(defaultRule: arn, scope) {
      listener.defaultRuleTags = try change(listener.defaultRuleTags)
      try tx.put(listener, scope)
    } else {
      var record = try tx.rule(arn, scope)
      record.tags = try change(record.tags)
      try tx.put(record, scope)
    }
  }
}
