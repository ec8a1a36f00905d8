// A value without places: what a template evaluates to, and what resource providers are given.

/// A value as CloudFormation knows them. Maps keep their order; numbers keep their spelling.
public indirect enum TemplateValue: Sendable, Hashable {
  case null
  case bool(Bool)
  /// A number, as written.
  case number(String)
  case string(String)
  case list([TemplateValue])
  case map(TemplateMap)

  /// The text of a string, number or truth value (`true`, `false`), which templates use interchangeably.
  public var text: String? {
    switch self {
    case .string(let text), .number(let text): return text
    case .bool(let value): return value ? "true" : "false"
    case .null, .list, .map: return nil
    }
  }

  /// A whole number, from a number or from text that spells one.
  public var int: Int? { text.flatMap { Int($0) } }

  /// A number, from a number or from text that spells one.
  public var double: Double? { text.flatMap { Double($0) } }

  /// A truth value, from one or from the texts `true` and `false` in any case.
  public var bool: Bool? {
    switch text?.lowercased() {
    case "true": return true
    case "false": return false
    default: return nil
    }
  }

  public var list: [TemplateValue]? {
    if case .list(let items) = self { return items }
    return nil
  }

  public var map: TemplateMap? {
    if case .map(let map) = self { return map }
    return nil
  }

  /// The texts of a list of scalars; nil when this is no list or an item is no scalar.
  public var texts: [String]? {
    guard let list else { return nil }
    let texts = list.compactMap(\.text)
    return texts.count == list.count ? texts : nil
  }

  /// The value of a key when this is a map that has it.
  public subscript(key: String) -> TemplateValue? { map?[key] }

  /// A map from pairs in order.
  public static func map(_ pairs: KeyValuePairs<String, TemplateValue>) -> TemplateValue {
    .map(TemplateMap(pairs.map { ($0.key, $0.value) }))
  }

  /// Whether two values say the same: scalars by their text (`80` and `"80"`, `true` and `"true"` are equal, as
  /// CloudFormation coerces them), lists item by item, maps whatever the order.
  public func isEquivalent(to other: TemplateValue) -> Bool {
    switch (self, other) {
    case (.null, .null): return true
    case (.list(let a), .list(let b)):
      return a.count == b.count && zip(a, b).allSatisfy { $0.isEquivalent(to: $1) }
    case (.map(let a), .map(let b)):
      return a.count == b.count
        && a.allSatisfy { entry in b[entry.key].map { entry.value.isEquivalent(to: $0) } ?? false }
    default:
      guard let a = text, let b = other.text else { return false }
      return a == b
    }
  }
}

extension TemplateValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int) { self = .number(String(value)) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(arrayLiteral elements: TemplateValue...) { self = .list(elements) }
  public init(dictionaryLiteral elements: (String, TemplateValue)...) { self = .map(TemplateMap(elements)) }
}

/// A map with unique keys that keeps their order. Two maps are equal when they hold the same entries, in any order.
public struct TemplateMap: Sendable, Hashable, RandomAccessCollection {
  public typealias Element = (key: String, value: TemplateValue)
  private var storedKeys: [String] = []
  private var storedValues: [String: TemplateValue] = [:]

  public init() {}

  /// A later pair replaces an earlier one of the same key, in the earlier one's place.
  public init(_ pairs: some Sequence<(String, TemplateValue)>) {
    for (key, value) in pairs { self[key] = value }
  }

  public var keys: [String] { storedKeys }
  public var startIndex: Int { 0 }
  public var endIndex: Int { storedKeys.count }

  public subscript(position: Int) -> Element {
    let key = storedKeys[position]
    return (key, storedValues[key] ?? .null)
  }

  public subscript(key: String) -> TemplateValue? {
    get { storedValues[key] }
    set {
      if let newValue {
        if storedValues.updateValue(newValue, forKey: key) == nil { storedKeys.append(key) }
      } else if storedValues.removeValue(forKey: key) != nil {
        storedKeys.removeAll { $0 == key }
      }
    }
  }

  public static func == (a: TemplateMap, b: TemplateMap) -> Bool { a.storedValues == b.storedValues }
  public func hash(into hasher: inout Hasher) { hasher.combine(storedValues) }
}
