// Protections: CreateProtection, DescribeProtection, ListProtections, DeleteProtection.

import AWSCore
import AWSWire
import ServiceKit
import ShieldModel
import Store

extension ShieldService {
  func createProtection(
    _ input: Shield.CreateProtectionRequest, _ call: CallContext
  ) async throws -> Shield.CreateProtectionResponse {
    guard let type = Self.resourceType(input.resourceArn) else { throw ShieldError.unknownResource(input.resourceArn) }
    let tags = try Self.tags(input.tags)
    let id = call.ids.uuid()
    try await store.write { tx in
      _ = try Self.subscription(tx, call)
      guard try tx.find(ProtectionRecord.self, call.globalScope, index: "resource", input.resourceArn).isEmpty else {
        throw ShieldError.exists("referenced protection")
      }
      let same = try tx.list(ProtectionRecord.self, call.globalScope).filter { Self.resourceType($0.resource) == type }
      guard same.count < ShieldLimits.protectionsPerTypeMax else {
        throw ShieldError.limit("protections of type \(type)", ShieldLimits.protectionsPerTypeMax)
      }
      let record = ProtectionRecord(
        id: id, name: input.name, resource: input.resourceArn, created: call.now, tags: tags)
      try tx.put(record, call.globalScope)
    }
    return .make { $0.protectionId = id }
  }

  func describeProtection(
    _ input: Shield.DescribeProtectionRequest, _ call: CallContext
  ) async throws -> Shield.DescribeProtectionResponse {
    guard (input.protectionId == nil) != (input.resourceArn == nil) else {
      throw ShieldError.parameter("Exactly one of the protection ID and the resource ARN must be specified.")
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
    let (items, next) = try Self.page(kept, token: input.nextToken, size: input.maxResults) { $0.id }
    return .make {
      $0.protections = items.map { Self.answer($0, call) }
      $0.nextToken = next
    }
  }

  func deleteProtection(
    _ input: Shield.DeleteProtectionRequest, _ call: CallContext
  ) async throws -> Shield.DeleteProtectionResponse {
    let gone = try await store.write { tx in
      guard let record = try tx.get(ProtectionRecord.self, call.globalScope, input.protectionId) else {
        throw ShieldError.noProtection
      }
      try tx.delete(ProtectionRecord.self, call.globalScope, input.protectionId)
      return record
    }
    if gone.automaticResponse != nil { try await placeGroups(near: gone.resource, call) }
    return .init()
  }

  private static func answer(_ record: ProtectionRecord, _ call: CallContext) -> Shield.Protection {
    .make {
      $0.id = record.id
      $0.name = record.name
      $0.resourceArn = record.resource
      $0.protectionArn = arn(protection: record.id, call)
      $0.healthCheckIds = record.healthChecks ?? []
      if let action = record.automaticResponse {
        $0.applicationLayerAutomaticResponseConfiguration = .make {
          $0.status = "ENABLED"
          $0.action = .make { if action == "BLOCK" { $0.block = .init() } else { $0.count = .init() } }
        }
      }
    }
  }
}
