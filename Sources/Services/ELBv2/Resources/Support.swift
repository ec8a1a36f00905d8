// What the CloudFormation resource types of ELBv2 share.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit

extension ELBv2Service {
  static let mapper = PropertyMapper(ELBv2.model)

  /// A member of a resource's properties as the API's shape.
  static func list<T: WireStructure>(_ type: T.Type, _ json: JSONValue?) throws -> [T]? {
    guard let json else { return nil }
    return try (json.array ?? [json]).map { try mapper.structure(T.self, $0) }
  }

  /// The stack's tags, and over them the resource's own.
  static func tags(_ properties: JSONValue, _ context: ResourceContext) -> [ELBv2.Tag]? {
    var all = context.tags
    for tag in properties["Tags"]?.array ?? [] {
      if let key = tag["Key"]?.text { all[key] = tag["Value"]?.text ?? "" }
    }
    return all.isEmpty ? nil : Tags.answer(all)
  }

  static func updateTags(_ arn: String, _ new: JSONValue, _ context: ResourceContext) async throws {
    let call = context.call.viaCloudFormation
    let wanted = tags(new, context) ?? []
    let present =
      try await call.invoke(ELBv2.describeTags, .make { $0.resourceArns = [arn] }).tagDescriptions?.first?.tags ?? []
    let obsolete = present.map(\.key).filter { key in !wanted.contains { $0.key == key } }
    if !obsolete.isEmpty {
      _ = try await call.invoke(
        ELBv2.removeTags,
        .make {
          $0.resourceArns = [arn]
          $0.tagKeys = obsolete
        })
    }
    if !wanted.isEmpty {
      _ = try await call.invoke(
        ELBv2.addTags,
        .make {
          $0.resourceArns = [arn]
          $0.tags = wanted
        })
    }
  }

  /// Attribute lists of a template: what is set, and what was set before and is now to be as it was.
  static func attributes(
    _ old: JSONValue?, _ new: JSONValue?, _ table: AttributeTable
  ) -> [(key: String, value: String)] {
    func read(_ json: JSONValue?) -> [String: String] {
      var all: [String: String] = [:]
      for item in json?.array ?? [] { all[item["Key"]?.text ?? ""] = item["Value"]?.text ?? "" }
      return all
    }
    let before = read(old)
    var after = read(new)
    for key in before.keys where after[key] == nil { after[key] = table.value(key, [:]) }
    return after.filter { before[$0.key] != $0.value }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}

extension CallContext {
  /// The same call, known to be made by a stack, which may write `aws:` tags.
  var viaCloudFormation: CallContext {
    guard calledVia.last != "cloudformation.amazonaws.com" else { return self }
    var copy = self
    copy.calledVia.append("cloudformation.amazonaws.com")
    return copy
  }
}
