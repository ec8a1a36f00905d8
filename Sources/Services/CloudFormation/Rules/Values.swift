// Between the template's values and the properties that providers take.

import AWSCore
import Templates

extension TemplateValue {
  var json: JSONValue {
    switch self {
    case .null: .null
    case .bool(let value): .boolean(value)
    case .number(let text): Int(text).map { .integer($0) } ?? Double(text).map { .number($0) } ?? .string(text)
    case .string(let text): .string(text)
    case .list(let items): .array(items.map(\.json))
    case .map(let map): .object(Dictionary(map.map { ($0.key, $0.value.json) }, uniquingKeysWith: { $1 }))
    }
  }
}

extension JSONValue {
  var template: TemplateValue {
    switch self {
    case .null: .null
    case .boolean(let value): .bool(value)
    case .integer(let value): .number(String(value))
    case .number(let value): .number(String(value))
    case .string(let text): .string(text)
    case .array(let items): .list(items.map(\.template))
    case .object(let members): .map(TemplateMap(members.sorted { $0.key < $1.key }.map { ($0.key, $0.value.template) }))
    }
  }
}
