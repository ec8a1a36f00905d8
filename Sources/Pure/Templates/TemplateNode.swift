// A template as it was written: the tree of its text, each node with its place, short-form tags made long.

/// A node of a parsed template. `!Ref X` has become the map `{"Ref": "X"}`, `!Sub …` the map `{"Fn::Sub": …}`, and so
/// on, so that JSON and YAML templates are the same tree.
public struct TemplateNode: Sendable {
  public indirect enum Kind: Sendable {
    case null
    case bool(Bool)
    /// A number, as written (`010.50` stays `010.50`).
    case number(String)
    case string(String)
    case list([TemplateNode])
    /// The entries in the order of the text. Keys are unique.
    case map([Entry])
  }

  /// A key of a map with its value and the key's place.
  public struct Entry: Sendable {
    public let key: String
    public let keyLocation: SourceLocation
    public let value: TemplateNode
  }

  public let kind: Kind
  public let location: SourceLocation

  public init(_ kind: Kind, at location: SourceLocation) {
    self.kind = kind
    self.location = location
  }

  /// The entries when this is a map.
  public var entries: [Entry]? {
    if case .map(let entries) = kind { return entries }
    return nil
  }

  /// The items when this is a list.
  public var items: [TemplateNode]? {
    if case .list(let items) = kind { return items }
    return nil
  }

  /// The text of a string, number or truth value: CloudFormation treats the three alike wherever it wants a string.
  public var scalarText: String? {
    switch kind {
    case .string(let text), .number(let text): return text
    case .bool(let value): return value ? "true" : "false"
    case .null, .list, .map: return nil
    }
  }

  /// The value of a key when this is a map that has it.
  public subscript(key: String) -> TemplateNode? {
    entries?.first { $0.key == key }?.value
  }

  /// The name and argument when this is a call of an intrinsic function: a map of one key, `Ref` or `Fn::…`.
  public var functionCall: (name: String, argument: TemplateNode)? {
    guard case .map(let entries) = kind, entries.count == 1, let only = entries.first else { return nil }
    guard only.key == "Ref" || only.key.hasPrefix("Fn::") else { return nil }
    return (only.key, only.value)
  }

  /// The tree as a plain value, functions left as the maps they are.
  public var value: TemplateValue {
    switch kind {
    case .null: return .null
    case .bool(let value): return .bool(value)
    case .number(let text): return .number(text)
    case .string(let text): return .string(text)
    case .list(let items): return .list(items.map(\.value))
    case .map(let entries): return .map(TemplateMap(entries.map { ($0.key, $0.value.value) }))
    }
  }
}

/// How deep maps and lists of a template may be nested.
let templateDepthMax = 100
