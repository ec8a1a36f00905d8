// TagResource, UntagResource, ListResourceTags.

import AWSCore
import AWSWire
import KMSModel
import ServiceKit

extension KMSService {
  func tagResource(_ input: KMS.TagResourceRequest, _ call: CallContext) async throws -> Empty {
    let new = input.tags.map { KeyTag(key: $0.tagKey, value: $0.tagValue) }
    try await change(input.keyId, call) { key, _ in
      try key.requireNotPendingDeletion()
      try key.requireCustomerManaged("TagResource")
      key.tags = try Self.merged(key.tags, new, call)
    }
    return Empty()
  }

  func untagResource(_ input: KMS.UntagResourceRequest, _ call: CallContext) async throws -> Empty {
    try await change(input.keyId, call) { key, _ in
      try key.requireNotPendingDeletion()
      try key.requireCustomerManaged("UntagResource")
      key.tags.removeAll { input.tagKeys.contains($0.key) }
    }
    return Empty()
  }

  func listResourceTags(
    _ input: KMS.ListResourceTagsRequest, _ call: CallContext
  ) async throws -> KMS.ListResourceTagsResponse {
    let key = try await key(input.keyId, call)
    let sorted = key.tags.sorted { $0.key < $1.key }
    let page = try Page(sorted, limit: input.limit ?? KMSLimits.tagsMax, marker: input.marker, id: \.key)
    return .make {
      $0.tags = page.items.map { tag in
        .make {
          $0.tagKey = tag.key
          $0.tagValue = tag.value
        }
      }
      $0.truncated = page.next != nil
      $0.nextMarker = page.next
    }
  }

  /// Tags with others put over them.
  /// - Throws: `TagException`, `LimitExceededException`.
  static func merged(_ old: [KeyTag], _ new: [KeyTag], _ call: CallContext) throws -> [KeyTag] {
    guard Set(new.map(\.key)).count == new.count else { throw KMSError.tag("Duplicate tag keys") }
    // Only services write tags of this prefix; CloudFormation marks what it made.
    let isService = call.principal.kind == .service || !call.calledVia.isEmpty
    guard isService || !new.contains(where: { $0.key.lowercased().hasPrefix("aws:") }) else {
      throw KMSError.tag("Tags beginning with aws: are reserved")
    }
    var tags = old
    for tag in new {
      if let at = tags.firstIndex(where: { $0.key == tag.key }) { tags[at] = tag } else { tags.append(tag) }
    }
    guard tags.count <= KMSLimits.tagsMax else { throw KMSError.limitExceeded("Too many tags") }
    return tags
  }
}
