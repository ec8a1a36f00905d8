// What the resource providers share: tags, waiting, deleting what may be gone.

import AWSCore
import AWSWire
import RDSModel
import ServiceKit
import Store

extension RDSService {
  /// The stack's tags, and over them the resource's own.
  static func wireTags(_ properties: JSONValue, _ context: ResourceContext) -> [RDS.Tag] {
    wire(context.allTags(properties))
  }

  /// Makes a resource's tags those of its properties.
  static func updateTags(_ arn: String, _ new: JSONValue, _ context: ResourceContext) async throws {
    let call = context.call.viaCloudFormation
    let wanted = context.allTags(new)
    let present = try await call.invoke(RDS.listTagsForResource, .make { $0.resourceName = arn }).tagList ?? []
    try await ResourceContext.updateTags(to: wanted, present: present.compactMap(\.key)) { obsolete in
      _ = try await call.invoke(RDS.removeTagsFromResource, .make { ($0.resourceName, $0.tagKeys) = (arn, obsolete) })
    } add: { tags in
      _ = try await call.invoke(RDS.addTagsToResource, .make { ($0.resourceName, $0.tags) = (arn, wire(tags)) })
    }
  }

  /// Looks again at each change until `look` has an answer.
  func waitFor<T>(_ look: () async throws -> T?) async throws -> T {
    try await store.wait(
      for: reconciler.family.watched.union([ObservedRecord.collection, SnapshotRecord.collection]), until: look)
  }

  static let mapper = PropertyMapper(RDS.model)
}
