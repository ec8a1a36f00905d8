// Protections, their tags, and the attacks on them.

import AWSCore
import AWSWire
import ServiceKit
import ShieldModel
import Store

extension ShieldService {
  func createProtection(
    _ input: Shield.CreateProtectionRequest, _ call: CallContext
  ) async throws -> Shield.CreateProtectionResponse {
    guard Self.resourceType(input.resourceArn) != nil else { throw ShieldError.unknownResource(input.resourceArn) }
    let tags = Dictionary((input.tags ?? []).map { ($0.key ?? "", $0.value ?? "") }) { $1 }
    let id = call.ids.uuid()
    try await store.write { tx in
      guard try tx.get(SubscriptionRecord.self, call.globalScope, "subscription") != nil else {
        throw ShieldError.noSubscription
      }
      guard try tx.find(ProtectionRecord.self, call.globalScope, index: "resource", input.resourceArn).isEmpty else {
        throw AWSError("ResourceAlreadyExistsException", "The referenced protection already exists.")
      }
      let record = ProtectionRecord(
        id: id, name: input.name, resource: input.resourceArn, created: call.now, tags: tags)
      try tx.put(record, call.globalScope)
    }
    return .make { $0.protectionId = id }
  }

  /// The kind of a resource that Shield protects; nil for others.
  static func resourceType(_ text: String) -> String? {
    guard let arn = ARN(text) else { return nil }
    switch arn.service {
    case "elasticloadbalancing" where arn.resource.hasPrefix("loadbalancer/app/"): return "APPLICATION_LOAD_BALANCER"
    case "elasticloadbalancing" where arn.resource.hasPrefix("loadbalancer/"): return "CLASSIC_LOAD_BALANCER"
    case "ec2" where arn.resource.hasPrefix("eip-allocation/"): return "ELASTIC_IP_ALLOCATION"
    case "cloudfront" where arn.resource.hasPrefix("distribution/"): return "CLOUDFRONT_DISTRIBUTION"
    case "route53" where arn.resource.hasPrefix("hostedzone/"): return "ROUTE_53_HOSTED_ZONE"
    case "globalaccelerator" where arn.resource.hasPrefix("accelerator/"): return "GLOBAL_ACCELERATOR"
    default: return nil
    }
  }

  func describeProtection(
    _ input: Shield.DescribeProtectionRequest, _ call: CallContext
  ) async throws -> Shield.DescribeProtectionResponse {
    guard (input.protectionId == nil) != (input.resourceArn == nil) else {
      throw AWSError(
        "InvalidParameterException", "Exactly one of the protection ID and the resource ARN must be specified.")
    }
    let record = try await store.read { snapshot in
      if let id = input.protectionId { return try snapshot.get(ProtectionRecord.self, call.globalScope, id) }
      return try snapshot.find(
        ProtectionRecord.self, call.globalScope, index: "resource", input.resourceArn ?? ""
      ).first
    }
    guard let record else { throw ShieldError.noProtection }
    return .make { $0.protection = Self.answer(record, call) }
  }

  func listProtections(
    _ input: Shield.ListProtectionsRequest, _ call: CallContext
  ) async throws -> Shield.ListProtectionsResponse {
    let filters = input.inclusionFilters
    let all = try await store.read { try $0.list(ProtectionRecord.self, call.globalScope) }
    let kept = all.filter { record in
      (filters?.resourceArns?.contains(record.resource) ?? true)
        && (filters?.protectionNames?.contains(record.name) ?? true)
        && (filters?.resourceTypes?.contains(Self.resourceType(record.resource) ?? "") ?? true)
    }
    var rest = kept[...]
    if let token = input.nextToken {
      guard let at = kept.firstIndex(where: { $0.id == token }) else {
        throw AWSError("InvalidPaginationTokenException", "The pagination token is not valid.")
      }
      rest = kept[(at + 1)...]
    }
    let items = Array(rest.prefix(max(1, input.maxResults ?? 10_000)))
    return .make {
      $0.protections = items.map { Self.answer($0, call) }
      $0.nextToken = rest.count > items.count ? items.last?.id : nil
    }
  }

  func deleteProtection(
    _ input: Shield.DeleteProtectionRequest, _ call: CallContext
  ) async throws -> Shield.DeleteProtectionResponse {
    try await store.write { tx in
      guard try tx.delete(ProtectionRecord.self, call.globalScope, input.protectionId) else {
        throw ShieldError.noProtection
      }
    }
    return .init()
  }

  private static func answer(_ record: ProtectionRecord, _ call: CallContext) -> Shield.Protection {
    .make {
      $0.id = record.id
      $0.name = record.name
      $0.resourceArn = record.resource
      $0.protectionArn = arn(protection: record.id, call)
      $0.healthCheckIds = []
    }
  }

  /// The Gate does not tell of attacks yet, so none is known.
  func listAttacks(_ input: Shield.ListAttacksRequest, _ call: CallContext) async throws -> Shield.ListAttacksResponse {
    .make { $0.attackSummaries = [] }
  }

  // MARK: - Tags

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
    let record = try await store.read { try Self.protection(input.resourceARN, $0, call) }
    return .make {
      $0.tags = record.tags.sorted { $0.key < $1.key }.map { key, value in
        .make {
          $0.key = key
          $0.value = value
        }
      }
    }
  }

  private static func protection(_ arn: String, _ snapshot: Snapshot, _ call: CallContext) throws -> ProtectionRecord {
    let prefix = Self.arn(protection: "", call)
    guard arn.hasPrefix(prefix) else { throw ShieldError.unknownResource(arn) }
    guard let record = try snapshot.get(ProtectionRecord.self, call.globalScope, String(arn.dropFirst(prefix.count)))
    else { throw ShieldError.noProtection }
    return record
  }

  private func retag(
    _ arn: String, _ call: CallContext, _ change: @escaping @Sendable (inout [String: String]) -> Void
  ) async throws {
    try await store.write { tx in
      var record = try Self.protection(arn, tx, call)
      change(&record.tags)
      guard record.tags.count <= Self.tagsMax else {
        throw AWSError("InvalidParameterException", "A resource cannot have more than \(Self.tagsMax) tags.")
      }
      try tx.put(record, call.globalScope)
    }
  }
}
