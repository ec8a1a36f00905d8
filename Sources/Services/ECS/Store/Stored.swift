// A shape of the API as a part of a record: kept as JSON under the model's member names, so that a regenerated model
// with more members still reads it.

import AWSCore
import AWSWire
import ECSModel

/// A shape of ECS's model inside a record.
struct Stored<Value: WireStructure>: Codable, Sendable {
  var value: Value

  init(_ value: Value) { self.value = value }

  init(from decoder: any Decoder) throws {
    let json = try JSONValue(from: decoder)
    let shapes = ECS.model.shapes
    guard let index = ECS.model.shape(named: Value.shapeName),
      case .structure(let wire)? = ShapeJSON.read(json, shapes[index], shapes)
    else {
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "not a \(Value.self)"))
    }
    value = Value(wireMembers: wire)
  }

  func encode(to encoder: any Encoder) throws {
    let shapes = ECS.model.shapes
    guard let index = ECS.model.shape(named: Value.shapeName) else {
      throw EncodingError.invalidValue(
        value, .init(codingPath: encoder.codingPath, debugDescription: "no shape \(Value.shapeName)"))
    }
    try ShapeJSON.write(.structure(value.wireMembers), shapes[index], shapes).encode(to: encoder)
  }
}

/// Trees of a shape to JSON and back.
enum ShapeJSON {
  static func write(_ value: WireValue, _ shape: Shape, _ shapes: [Shape]) -> JSONValue {
    switch (value, shape.kind) {
    case (.string(let text), _): return .string(text)
    case (.integer(let number), _): return .integer(number)
    case (.double(let number), _): return .number(number)
    case (.boolean(let flag), _): return .boolean(flag)
    case (.timestamp(let time), _): return .integer(Int(time.milliseconds))
    case (.blob(let bytes), _): return .array(bytes.map { .integer(Int($0)) })
    case (.list(let items), .list(let element)):
      return .array(items.map { write($0, shapes[element], shapes) })
    case (.map(let entries), .map(_, let element)):
      return .object(
        Dictionary(entries.map { ($0.key, write($0.value, shapes[element], shapes)) }) { _, last in last })
    case (.structure(let structure), .structure(let members)):
      var object: [String: JSONValue] = [:]
      for (member, value) in zip(members, structure.members) {
        if let value { object[member.name] = write(value, shapes[member.shape], shapes) }
      }
      return .object(object)
    default: return .null
    }
  }

  /// Nil for what does not fit, which is then absent.
  static func read(_ json: JSONValue, _ shape: Shape, _ shapes: [Shape]) -> WireValue? {
    switch shape.kind {
    case .string: if case .string(let text) = json { return .string(text) }
    case .integer: return json.integer.map { .integer($0) }
    case .double:
      if case .number(let number) = json { return .double(number) }
      return json.integer.map { .double(Double($0)) }
    case .boolean: if case .boolean(let flag) = json { return .boolean(flag) }
    case .timestamp: return json.integer.map { .timestamp(Timestamp(milliseconds: Int64($0))) }
    case .blob: return json.array.map { .blob($0.compactMap { $0.integer.flatMap { UInt8(exactly: $0) } }) }
    case .list(let element): return json.array.map { .list($0.compactMap { read($0, shapes[element], shapes) }) }
    case .map(_, let element):
      return json.object.map { object in
        .map(
          object.sorted { $0.key < $1.key }.compactMap { key, value in
            read(value, shapes[element], shapes).map { .init(key, $0) }
          })
      }
    case .structure(let members):
      guard let object = json.object else { return nil }
      var structure = StructureValue(count: members.count)
      for (index, member) in members.enumerated() {
        if let value = object[member.name] { structure.members[index] = read(value, shapes[member.shape], shapes) }
      }
      return .structure(structure)
    }
    return nil
  }
}
