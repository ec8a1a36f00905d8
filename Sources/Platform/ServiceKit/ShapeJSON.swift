// A generated shape as JSON, for records that keep what they were sent whole: WAF's rules, scaling policies.

import AWSCore
import AWSWire
import FoundationEssentials

/// Turns structures of one model into JSON and back, by the members' names, without loss. Blobs are base64 and
/// timestamps milliseconds. Members that a later model no longer has are passed over.
public struct ShapeJSON: Sendable {
  public let model: ServiceModel

  public init(_ model: ServiceModel) { self.model = model }

  /// The structure as a JSON object.
  public func json<S: WireStructure>(_ structure: S) -> JSONValue {
    guard let shape = model.shape(named: S.shapeName) else {
      preconditionFailure("\(model.name) has no shape \(S.shapeName)")
    }
    return write(structure.wire, shape)
  }

  /// What `json` was made of.
  public func structure<S: WireStructure>(_ type: S.Type, _ json: JSONValue) -> S {
    guard let shape = model.shape(named: S.shapeName) else {
      preconditionFailure("\(model.name) has no shape \(S.shapeName)")
    }
    guard case .structure(let value) = read(json, shape) else { return S() }
    return S(wireMembers: value)
  }

  private func write(_ value: WireValue, _ shapeIndex: Int) -> JSONValue {
    switch (value, model.shape(shapeIndex).kind) {
    case (.structure(let structure), .structure(let members)):
      var object: [String: JSONValue] = [:]
      for (member, value) in zip(members, structure.members) {
        if let value { object[member.name] = write(value, member.shape) }
      }
      return .object(object)
    case (.list(let items), .list(let element)): return .array(items.map { write($0, element) })
    case (.map(let entries), .map(_, let element)):
      return .object(Dictionary(entries.map { ($0.key, write($0.value, element)) }) { $1 })
    case (.string(let text), _): return .string(text)
    case (.integer(let number), _): return .integer(number)
    case (.double(let number), _): return .number(number)
    case (.boolean(let flag), _): return .boolean(flag)
    case (.blob(let bytes), _): return .string(Data(bytes).base64EncodedString())
    case (.timestamp(let time), _): return .integer(Int(time.milliseconds))
    default: return .null
    }
  }

  /// Nil for what has another form than the shape.
  private func read(_ json: JSONValue, _ shapeIndex: Int) -> WireValue? {
    switch (model.shape(shapeIndex).kind, json) {
    case (.structure(let members), .object(let object)):
      var value = StructureValue(count: members.count)
      for (index, member) in members.enumerated() {
        if let item = object[member.name] { value.members[index] = read(item, member.shape) }
      }
      return .structure(value)
    case (.list(let element), .array(let items)): return .list(items.compactMap { read($0, element) })
    case (.map(_, let element), .object(let object)):
      return .map(
        object.sorted { $0.key < $1.key }.compactMap { key, item in read(item, element).map { .init(key, $0) } })
    case (.string, .string(let text)): return .string(text)
    case (.integer, .integer(let number)): return .integer(number)
    case (.double, .number(let number)): return .double(number)
    case (.double, .integer(let number)): return .double(Double(number))
    case (.boolean, .boolean(let flag)): return .boolean(flag)
    case (.blob, .string(let text)): return Data(base64Encoded: text).map { .blob(Array($0)) }
    case (.timestamp, .integer(let milliseconds)): return .timestamp(Timestamp(milliseconds: Int64(milliseconds)))
    default: return nil
    }
  }
}
