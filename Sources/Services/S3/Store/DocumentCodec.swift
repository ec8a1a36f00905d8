// The API's structures as JSON, by the names of their members: how a bucket's configuration documents are kept.

import AWSCore
import AWSWire
import S3Model
import ServiceKit

/// Writes structures of the S3 model as JSON and reads them back, nothing lost.
enum DocumentCodec {
  static func write<S: WireStructure>(_ document: S) -> JSONValue {
    guard let shape = S3.model.shape(named: S.shapeName) else { return .null }
    return json(.structure(document.wireMembers), shape)
  }

  static func read<S: WireStructure>(_ json: JSONValue, as type: S.Type = S.self) throws -> S {
    try PropertyMapper(S3.model).structure(type, json)
  }

  private static func json(_ value: WireValue, _ shapeIndex: Int) -> JSONValue {
    switch (value, S3.model.shape(shapeIndex).kind) {
    case (.structure(let structure), .structure(let members)):
      var object: [String: JSONValue] = [:]
      for (member, value) in zip(members, structure.members) {
        if let value { object[member.name] = json(value, member.shape) }
      }
      return .object(object)
    case (.list(let items), .list(let element)): return .array(items.map { json($0, element) })
    case (.map(let entries), .map(_, let shape)):
      return .object(
        Dictionary(entries.map { ($0.key, json($0.value, shape)) }, uniquingKeysWith: { _, last in last }))
    case (.string(let text), _): return .string(text)
    case (.integer(let number), _): return .integer(number)
    case (.double(let number), _): return .number(number)
    case (.boolean(let flag), _): return .boolean(flag)
    case (.timestamp(let time), _): return .string(time.iso8601)
    default: return .null
    }
  }
}
