// What travels between a protocol and a typed shape: a tree of values laid out by a service's model.
//
// A protocol reads bytes into a tree and writes a tree as bytes, led by the model; a generated shape reads itself from a
// tree and writes itself to one. So each of the six protocols is written once, and so is each shape.

import AWSCore

/// A value of an API shape.
public enum WireValue: Sendable, Hashable {
  case string(String)
  case integer(Int)
  case double(Double)
  case boolean(Bool)
  case blob([UInt8])
  case timestamp(Timestamp)
  case list([WireValue])
  /// Entries in the order they came.
  case map([MapEntry])
  case structure(StructureValue)

  public struct MapEntry: Sendable, Hashable {
    public var key: String
    /// Nil where the map is sparse and the entry is null.
    public var value: WireValue
    public init(_ key: String, _ value: WireValue) {
      self.key = key
      self.value = value
    }
  }
}

/// A structure's members, by their index in the model.
public struct StructureValue: Sendable, Hashable {
  public var members: [WireValue?]

  /// - Parameter count: how many members the model gives the structure.
  public init(count: Int) { members = Array(repeating: nil, count: count) }

  /// The member as the type that is asked for; nil when it is absent.
  @inlinable
  public func get<T: WireConvertible>(_ index: Int, as type: T.Type = T.self) -> T? {
    guard index < members.count, let value = members[index] else { return nil }
    return T(wire: value)
  }

  /// A required member. Validation against the model comes before, so the default is only seen when that was skipped.
  @inlinable
  public func get<T: WireConvertible>(_ index: Int, default value: @autoclosure () -> T) -> T {
    get(index) ?? value()
  }

  /// Sets a member; nil leaves it out.
  @inlinable
  public mutating func set<T: WireConvertible>(_ index: Int, _ value: T?) {
    members[index] = value?.wire
  }
}

/// A Swift type that a wire value can become and come from.
public protocol WireConvertible: Sendable {
  /// Nil when the value is of another kind.
  init?(wire: WireValue)
  var wire: WireValue { get }
}

/// A generated structure.
public protocol WireStructure: WireConvertible {
  /// The structure's name in the model.
  static var shapeName: String { get }
  /// All members absent, or empty where they are required.
  init()
  init(wireMembers: StructureValue)
  var wireMembers: StructureValue { get }
}

extension WireStructure {
  /// A structure with some members set: `.make { $0.name = "x" }`.
  public static func make(_ configure: (inout Self) throws -> Void) rethrows -> Self {
    var new = Self()
    try configure(&new)
    return new
  }

  public init?(wire: WireValue) {
    guard case .structure(let value) = wire else { return nil }
    self.init(wireMembers: value)
  }
  public var wire: WireValue { .structure(wireMembers) }
}

/// Bytes, base64 on most wires.
public struct Blob: Sendable, Hashable, WireConvertible, ExpressibleByArrayLiteral {
  public var bytes: [UInt8]
  public init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }
  public init(arrayLiteral elements: UInt8...) { bytes = elements }
  public init?(wire: WireValue) {
    guard case .blob(let bytes) = wire else { return nil }
    self.bytes = bytes
  }
  public var wire: WireValue { .blob(bytes) }
}

/// No input, or nothing to answer.
public struct Empty: WireStructure {
  public static var shapeName: String { "" }
  public init() {}
  public init(wireMembers: StructureValue) {}
  public var wireMembers: StructureValue { StructureValue(count: 0) }
}

/// A structure that contains itself (WAF's statements): the loop needs a place on the heap.
public struct Indirect<T: WireStructure>: Sendable, WireConvertible {
  private var box: [T]
  public init(_ value: T) { box = [value] }
  public var value: T {
    get { box[0] }
    set { box[0] = newValue }
  }
  public init?(wire: WireValue) {
    guard let value = T(wire: wire) else { return nil }
    box = [value]
  }
  public var wire: WireValue { value.wire }
}

extension String: WireConvertible {
  public init?(wire: WireValue) {
    guard case .string(let value) = wire else { return nil }
    self = value
  }
  public var wire: WireValue { .string(self) }
}

extension Int: WireConvertible {
  public init?(wire: WireValue) {
    guard case .integer(let value) = wire else { return nil }
    self = value
  }
  public var wire: WireValue { .integer(self) }
}

extension Double: WireConvertible {
  public init?(wire: WireValue) {
    switch wire {
    case .double(let value): self = value
    case .integer(let value): self = Double(value)
    default: return nil
    }
  }
  public var wire: WireValue { .double(self) }
}

extension Bool: WireConvertible {
  public init?(wire: WireValue) {
    guard case .boolean(let value) = wire else { return nil }
    self = value
  }
  public var wire: WireValue { .boolean(self) }
}

extension Timestamp: WireConvertible {
  public init?(wire: WireValue) {
    guard case .timestamp(let value) = wire else { return nil }
    self = value
  }
  public var wire: WireValue { .timestamp(self) }
}

extension Array: WireConvertible where Element: WireConvertible {
  public init?(wire: WireValue) {
    guard case .list(let values) = wire else { return nil }
    self = values.compactMap { Element(wire: $0) }
  }
  // A closure: a key path would be made anew each time, as its type is only known at run time.
  public var wire: WireValue { .list(map { $0.wire }) }
}

extension Dictionary: WireConvertible where Key == String, Value: WireConvertible {
  public init?(wire: WireValue) {
    guard case .map(let entries) = wire else { return nil }
    self.init(minimumCapacity: entries.count)
    for entry in entries { if let value = Value(wire: entry.value) { self[entry.key] = value } }
  }
  // Sorted, so that the same answer has the same bytes.
  public var wire: WireValue { .map(keys.sorted().map { .init($0, self[$0]!.wire) }) }
}

/// An operation of a service, with the types of its input and output.
public struct APIOperation<Input: WireStructure, Output: WireStructure>: Sendable {
  public let service: ServiceModel
  /// The name in the model, such as `CreateSecret`.
  public let name: String
  public init(_ service: ServiceModel, _ name: String) {
    self.service = service
    self.name = name
  }
}
