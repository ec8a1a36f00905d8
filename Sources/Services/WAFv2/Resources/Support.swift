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

  static func tags(_ properties: JSONValue, _ context: ResourceContext) -> [WAFv2.Tag]? {
    var all = context.tags
    for tag in properties["Tags"]?.array ?? [] {
      if let key = tag["Key"]?.text { all[key] = tag["Value"]?.text ?? "" }
    }
    guard !all.isEmpty else { return nil }
    return all.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }

  static func updateTags(_ arn: String, _ new: JSONValue, _ context: ResourceContext) async throws {
    let wanted = tags(new, context) ?? []
    let present =
      try await context.call.invoke(WAFv2.listTagsForResource, .make { $0.resourceARN = arn }).tagInfoForResource?
      .tagList ?? []
    let obsolete = present.map(\.key).filter { key in !wanted.contains { $0.key == key } }
    if !obsolete.isEmpty {
      _ = try await context.call.invoke(
        WAFv2.untagResource,
        .make {
          $0.resourceARN = arn
          $0.tagKeys = obsolete
        })
    }
    if !wanted.isEmpty {
      _ = try await context.call.invoke(
        WAFv2.tagResource,
        .make {
          $0.resourceARN = arn
          $0.tags = wanted
        })
    }
  }

  /// The parts of a Ref: `name|id|scope`.
  static func reference(_ text: String) throws -> (name: String, id: String, scope: String) {
    let parts = text.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3 else { throw WAFError.notFound }
    return (parts[0], parts[1], parts[2])
  }
}
