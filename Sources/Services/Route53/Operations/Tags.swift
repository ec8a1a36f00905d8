// Tags of hosted zones and health checks.

import AWSCore
import AWSWire
import Route53Model
import ServiceKit
import Store

extension Route53Service {
  private static func tags(_ type: String, _ id: String, _ tx: Snapshot, _ scope: Scope) throws -> [String: String] {
    switch type {
    case "hostedzone":
      guard let zone = try tx.get(ZoneRecord.self, scope, id) else { throw Route53Error.noSuchZone(id) }
      return zone.tags
    default:
      guard let check = try tx.get(HealthCheckRecord.self, scope, id) else { throw Route53Error.noSuchHealthCheck(id) }
      return check.tags
    }
  }

  func changeTagsForResource(
    _ input: Route53.ChangeTagsForResourceRequest, _ call: CallContext
  ) async throws -> Route53.ChangeTagsForResourceResponse {
    let id = ZoneRecord.plain(input.resourceId)
    let scope = call.globalScope
    try await store.write { tx in
      var tags = try Self.tags(input.resourceType, id, tx, scope)
      for key in input.removeTagKeys ?? [] { tags[key] = nil }
      for tag in input.addTags ?? [] { tags[tag.key ?? ""] = tag.value ?? "" }
      if input.resourceType == "hostedzone", var zone = try tx.get(ZoneRecord.self, scope, id) {
        zone.tags = tags
        try tx.put(zone, scope)
      } else if var check = try tx.get(HealthCheckRecord.self, scope, id) {
        check.tags = tags
        try tx.put(check, scope)
      }
    }
    return .init()
  }

  func listTagsForResource(
    _ input: Route53.ListTagsForResourceRequest, _ call: CallContext
  ) async throws -> Route53.ListTagsForResourceResponse {
    let sets = try await tagSets(input.resourceType, [input.resourceId], call)
    return .make { $0.resourceTagSet = sets[0] }
  }

  func listTagsForResources(
    _ input: Route53.ListTagsForResourcesRequest, _ call: CallContext
  ) async throws -> Route53.ListTagsForResourcesResponse {
    let sets = try await tagSets(input.resourceType, input.resourceIds, call)
    return .make { $0.resourceTagSets = sets }
  }

  private func tagSets(_ type: String, _ ids: [String], _ call: CallContext) async throws -> [Route53.ResourceTagSet] {
    let scope = call.globalScope
    let ids = ids.map(ZoneRecord.plain)
    let found = try await store.read { snapshot in try ids.map { try Self.tags(type, $0, snapshot, scope) } }
    return zip(ids, found).map { id, tags in
      .make {
        $0.resourceType = type
        $0.resourceId = id
        $0.tags = tags.sorted { $0.key < $1.key }.map { key, value in .make { ($0.key, $0.value) = (key, value) } }
      }
    }
  }
}
