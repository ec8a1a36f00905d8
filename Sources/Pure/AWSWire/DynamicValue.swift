// A value whose type only the bytes know: what JSON and CBOR are read into, and a JSON document of no known shape.

import AWSCore

/// A JSON or CBOR value. `bytes` and `timestamp` come from CBOR only.
public enum DynamicValue: Sendable, Hashable {
  case null
  case boolean(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
  case bytes([UInt8])
  case timestamp(Timestamp)
  case array([DynamicValue])
  /// In the order they came; a repeated key stands twice.
  case object([Entry])

  public struct Entry: Sendable, Hashable {
    public var key: String
    public var value: DynamicValue
    public init(_ key: String, _ value: DynamicValue) {
      self.key = key
      self.value = value
    }
  }

  /// The member of an object; of a repeated key the last one.
  public subscript(_ key: String) -> DynamicValue? {
    guard case .object(let entries) = self else { return nil }
    return entries.last { $0.key == key }?.value
  }

  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  public var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }
  public var array: [DynamicValue]? { if case .array(let value) = self { value } else { nil } }
  public var object: [Entry]? { if case .object(let value) = self { value } else { nil } }

  /// What it is in the words of AWS's messages about wrong types.
  var typeWord: String {
    switch self {
    case .null: "NULL_VALUE"
    case .boolean(true): "TRUE_VALUE"
    case .boolean(false): "FALSE_VALUE"
    case .integer: "NUMBER_VALUE"
    case .double: "DECIMAL_VALUE"
    case .string: "STRING_VALUE"
    case .bytes: "BYTES_VALUE"
    case .timestamp: "TIMESTAMP_VALUE"
    case .array: "START_ARRAY"
    case .object: "START_OBJECT"
    }
  }
}
