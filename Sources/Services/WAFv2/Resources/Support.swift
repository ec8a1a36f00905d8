// What the CloudFormation resource types of WAF share.

import AWSCore
import AWSWire
import FoundationEssentials
import ServiceKit
import WAFv2Model

extension WAFv2Service {
  /// Templates write `Arn` where the API writes `ARN`.
  static let mapper = PropertyMapper(WAFv2.model, renames: ["Arn": "ARN"])

  /// Properties with the search strings that templates give in base64 as plain ones.
  /// - Throws: 501 for search strings that are no text.
  static func plain(_ json: JSONValue) throws -> JSONValue {
    switch json {
    case .object(var object):
      if let encoded = object.removeValue(forKey: "SearchStringBase64")?.text {
        guard let data = Data(base64Encoded: encoded) else {
          throw AWSError.validation("Properties validation failed: SearchStringBase64 is not base64")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
          throw AWSError.notImplemented("SearchStringBase64 of bytes that are not UTF-8 text")
        }
        object["SearchString"] = .string(text)
      }
      return .object(try object.mapValues(plain))
    case .array(let items): return .array(try items.map(plain))
    default: return json
    }
  }

  /// How WAF says that there is none.
  static let gone: Set<String> = ["WAFNonexistentItemException"]

  static func tags(_ properties: JSONValue, _ context: ResourceContext) -> [WAFv2.Tag]? {
    let all = context.allTags(properties)
    return all.isEmpty ? nil : wire(all)
  }

  static func updateTags(_ arn: String, _ new: JSONValue, _ context: ResourceContext) async throws {
    let call = context.call
    let present =
      try await call.invoke(WAFv2.listTagsForResource, .make { $0.resourceARN = arn }).tagInfoForResource?.tagList ?? []
    try await ResourceContext.updateTags(to: context.allTags(new), present: present.map(\.key)) { obsolete in
      _ = try await call.invoke(WAFv2.untagResource, .make { ($0.resourceARN, $0.tagKeys) = (arn, obsolete) })
    } add: { tags in
      _ = try await call.invoke(WAFv2.tagResource, .make { ($0.resourceARN, $0.tags) = (arn, wire(tags)) })
    }
  }

  private static func wire(_ tags: [String: String]) -> [WAFv2.Tag] {
    tags.sorted { $0.key < $1.key }.map { key, value in .make { ($0.key, $0.value) = (key, value) } }
  }

  /// The parts of a Ref: `name|id|scope`.
  static func reference(_ text: String) throws -> (name: String, id: String, scope: String) {
    let parts = text.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3 else { throw WAFError.notFound }
    return (parts[0], parts[1], parts[2])
  }
}
