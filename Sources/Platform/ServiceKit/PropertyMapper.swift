// Stack properties to an operation's input. CloudFormation's names are the API's but for the first letter's case in
// most services, so the model can lead; what differs is renamed or taken out by the provider first.

import AWSCore
import AWSWire

/// Reads JSON properties as a structure of a service's model.
public struct PropertyMapper: Sendable {
  public let model: ServiceModel
  /// Names that differ, property → member, at any depth.
  public let renames: [String: String]

  public init(_ model: ServiceModel, renames: [String: String] = [:]) {
    self.model = model
    self.renames = renames
  }

  /// The input of an operation from properties.
  /// - Parameter ignoring: top-level properties that the provider deals with itself.
  /// - Throws: `AWSError` naming the property that is not known or has the wrong type.
  public func input<I, O>(
    _ operation: APIOperation<I, O>, _ properties: JSONValue, ignoring: Set<String> = []
  ) throws -> I {
    try structure(I.self, properties, ignoring: ignoring)
  }

  /// A structure of the model from JSON.
  public func structure<S: WireStructure>(
    _ type: S.Type, _ json: JSONValue, ignoring: Set<String> = []
  ) throws -> S {
    guard let shape = model.shape(named: S.shapeName) else {
      preconditionFailure("\(model.name) has no shape \(S.shapeName)")
    }
    var top = json
    if !ignoring.isEmpty, case .object(let members) = json {
      top = .object(members.filter { !ignoring.contains($0.key) })
    }
    guard case .structure(let value) = try read(top, shape, path: "") else { return S() }
    return S(wireMembers: value)
  }

  private func failure(_ path: String, _ what: String) -> AWSError {
    AWSError.validation("Properties validation failed: #\(path): \(what)")
  }

  private func read(_ json: JSONValue, _ shapeIndex: Int, path: String) throws -> WireValue {
    let shape = model.shape(shapeIndex)
    switch shape.kind {
    case .structure(let members):
      guard let object = json.object else { throw failure(path, "expected type: JSONObject") }
      var value = StructureValue(count: members.count)
      for (key, item) in object.sorted(by: { $0.key < $1.key }) where item != .null {
        let name = renames[key] ?? key
        guard let at = members.firstIndex(where: { Self.same($0.name, name) }) else {
          throw failure(path, "extraneous key [\(key)] is not permitted")
        }
        value.members[at] = try read(item, members[at].shape, path: "\(path)/\(key)")
      }
      return .structure(value)
    case .list(let element):
      // A single value where a list is expected is taken as a list of one, as CloudFormation does.
      let items = json.array ?? [json]
      return .list(try items.enumerated().map { try read($1, element, path: "\(path)/\($0)") })
    case .map(_, let valueShape):
      guard let object = json.object else { throw failure(path, "expected type: JSONObject") }
      return .map(
        try object.sorted { $0.key < $1.key }.map {
          .init($0.key, try read($0.value, valueShape, path: "\(path)/\($0.key)"))
        })
    case .string:
      if case .object = json { return .string(json.description) }
      guard let text = json.text else { throw failure(path, "expected type: String") }
      return .string(text)
    case .integer:
      guard let number = json.integer else { throw failure(path, "expected type: Integer") }
      return .integer(number)
    case .double:
      if case .number(let number) = json { return .double(number) }
      guard let number = json.text.flatMap({ Double($0) }) else { throw failure(path, "expected type: Number") }
      return .double(number)
    case .boolean:
      guard let flag = json.boolean else { throw failure(path, "expected type: Boolean") }
      return .boolean(flag)
    case .blob:
      guard let text = json.text else { throw failure(path, "expected type: String") }
      return .blob(Array(text.utf8))
    case .timestamp:
      guard let time = json.text.flatMap({ Timestamp(iso8601: $0) }) else { throw failure(path, "expected a date") }
      return .timestamp(time)
    }
  }

  private static func same(_ member: String, _ property: String) -> Bool {
    member == property
      || (member.dropFirst() == property.dropFirst() && member.first?.lowercased() == property.first?.lowercased())
  }
}
