// What the resource providers share: tags, names, waiting, deleting what may be gone.

import AWSCore
import AWSWire
import ElastiCacheModel
import ServiceKit
import Store

extension ElastiCacheService {
  static let mapper = PropertyMapper(ElastiCache.model)

  /// Makes a resource's tags those of its properties.
  static func updateTags(_ arn: String, _ new: JSONValue, _ context: ResourceContext) async throws {
    let call = context.call.viaCloudFormation
    let wanted = context.allTags(new)
    let present = try await call.invoke(ElastiCache.listTagsForResource, .make { $0.resourceName = arn }).tagList ?? []
    try await ResourceContext.updateTags(to: wanted, present: present.compactMap(\.key)) { obsolete in
      _ = try await call.invoke(
        ElastiCache.removeTagsFromResource, .make { ($0.resourceName, $0.tagKeys) = (arn, obsolete) })
    } add: { tags in
      _ = try await call.invoke(ElastiCache.addTagsToResource, .make { ($0.resourceName, $0.tags) = (arn, wire(tags)) })
    }
  }

  /// A generated name: letters, digits and single hyphens, beginning with a letter.
  static func name(_ context: ResourceContext, maxLength: Int) -> String {
    var name = context.generatedName(maxLength: maxLength, lowercase: true)
    while name.contains("--") { name = name.replacing("--", with: "-") }
    return name.first?.isLetter == true ? name : "c" + name.dropFirst()
  }

  /// Looks again at each change until `look` has an answer.
  func waitFor<T>(_ look: () async throws -> T?) async throws -> T {
    try await store.wait(for: reconciler.family.watched.union([ObservedRecord.collection]), until: look)
  }
}
