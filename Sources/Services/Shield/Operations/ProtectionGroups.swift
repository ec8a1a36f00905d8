// Protection groups: several protections looked at as one.

import AWSCore
import AWSWire
import ServiceKit
import ShieldModel
import Store

extension ShieldService {
  func createProtectionGroup(
    _ input: Shield.CreateProtectionGroupRequest, _ call: CallContext
  ) async throws -> Shield.CreateProtectionGroupResponse {
    try Self.checkGroup(input.pattern, input.resourceType, input.members)
    var record = ProtectionGroupRecord(
      id: input.protectionGroupId, aggregation: input.aggregation, pattern: input.pattern,
      resourceType: input.resourceType, created: call.now)
    record.members = input.members ?? []
    record.tags = try Self.tags(input.tags)
    let fresh = record
    // AWS wants a subscription first. Here a group may come before it: Terraform makes both at the same moment where a
    // configuration draws no edge between them. Without protections, which do need one, a group has no members.
    try await store.write { tx in
      let all = try tx.list(ProtectionGroupRecord.self, call.globalScope)
      if all.contains(where: { $0.id == fresh.id }) { throw ShieldError.exists("protection group") }
      guard all.count < ShieldLimits.protectionGroupsMax else {
        throw ShieldError.limit("protection groups", ShieldLimits.protectionGroupsMax)
      }
      try tx.put(fresh, call.globalScope)
    }
    return .init()
  }

  func updateProtectionGroup(
    _ input: Shield.UpdateProtectionGroupRequest, _ call: CallContext
  ) async throws -> Shield.UpdateProtectionGroupResponse {
    try Self.checkGroup(input.pattern, input.resourceType, input.members)
    try await store.write { tx in
      var record = try Self.group(input.protectionGroupId, tx, call)
      record.aggregation = input.aggregation
      record.pattern = input.pattern
      record.resourceType = input.resourceType
      record.members = input.members ?? []
      try tx.put(record, call.globalScope)
    }
    return .init()
  }

  func describeProtectionGroup(
    _ input: Shield.DescribeProtectionGroupRequest, _ call: CallContext
  ) async throws -> Shield.DescribeProtectionGroupResponse {
    let record = try await store.read { try Self.group(input.protectionGroupId, $0, call) }
    return .make { $0.protectionGroup = Self.answer(record, call) }
  }

  func deleteProtectionGroup(
    _ input: Shield.DeleteProtectionGroupRequest, _ call: CallContext
  ) async throws -> Shield.DeleteProtectionGroupResponse {
    try await store.write { tx in
      guard try tx.delete(ProtectionGroupRecord.self, call.globalScope, input.protectionGroupId) else {
        throw ShieldError.noGroup
      }
    }
    return .init()
  }

  func listProtectionGroups(
    _ input: Shield.ListProtectionGroupsRequest, _ call: CallContext
  ) async throws -> Shield.ListProtectionGroupsResponse {
    let filters = input.inclusionFilters
    let all = try await store.read { try $0.list(ProtectionGroupRecord.self, call.globalScope) }
    let kept = all.filter { record in
      (filters?.protectionGroupIds?.contains(record.id) ?? true)
        && (filters?.patterns?.contains(record.pattern) ?? true)
        && (filters?.aggregations?.contains(record.aggregation) ?? true)
        && (filters?.resourceTypes?.contains(record.resourceType ?? "") ?? true)
    }
    let (items, next) = try Self.page(kept, token: input.nextToken, size: input.maxResults) { $0.id }
    return .make {
      $0.protectionGroups = items.map { Self.answer($0, call) }
      $0.nextToken = next
    }
  }

  func listResourcesInProtectionGroup(
    _ input: Shield.ListResourcesInProtectionGroupRequest, _ call: CallContext
  ) async throws -> Shield.ListResourcesInProtectionGroupResponse {
    let (group, protections) = try await store.read { snapshot in
      (
        try Self.group(input.protectionGroupId, snapshot, call),
        try snapshot.list(ProtectionRecord.self, call.globalScope)
      )
    }
    let resources = protections.map(\.resource).filter { Self.belongs($0, to: group) }.sorted()
    let (items, next) = try Self.page(resources, token: input.nextToken, size: input.maxResults) { $0 }
    return .make {
      $0.resourceArns = items
      $0.nextToken = next
    }
  }

  /// Whether a protected resource is one of a group's.
  static func belongs(_ resource: String, to group: ProtectionGroupRecord) -> Bool {
    switch group.pattern {
    case "ARBITRARY": group.members.contains(resource)
    case "BY_RESOURCE_TYPE": resourceType(resource) == group.resourceType
    default: true
    }
  }

  private static func group(_ id: String, _ snapshot: Snapshot, _ call: CallContext) throws -> ProtectionGroupRecord {
    guard let record = try snapshot.get(ProtectionGroupRecord.self, call.globalScope, id) else {
      throw ShieldError.noGroup
    }
    return record
  }

  /// What goes with which pattern.
  private static func checkGroup(_ pattern: String, _ resourceType: String?, _ members: [String]?) throws {
    if pattern == "BY_RESOURCE_TYPE" {
      guard resourceType != nil else {
        throw ShieldError.parameter("A resource type is required with the pattern BY_RESOURCE_TYPE.")
      }
    } else if resourceType != nil {
      throw ShieldError.parameter("A resource type goes with the pattern BY_RESOURCE_TYPE only.")
    }
    let members = members ?? []
    if pattern == "ARBITRARY" {
      guard !members.isEmpty else { throw ShieldError.parameter("Members are required with the pattern ARBITRARY.") }
      guard members.count <= ShieldLimits.groupMembersMax else {
        throw ShieldError.limit("members of a protection group", ShieldLimits.groupMembersMax)
      }
      for member in members where Self.resourceType(member) == nil {
        throw ShieldError.parameter("Unrecognized resource '\(member)'.")
      }
    } else if !members.isEmpty {
      throw ShieldError.parameter("Members go with the pattern ARBITRARY only.")
    }
  }

  private static func answer(_ record: ProtectionGroupRecord, _ call: CallContext) -> Shield.ProtectionGroup {
    .make {
      $0.protectionGroupId = record.id
      $0.protectionGroupArn = arn(group: record.id, call)
      $0.aggregation = record.aggregation
      $0.pattern = record.pattern
      $0.resourceType = record.resourceType
      $0.members = record.members
    }
  }
}
