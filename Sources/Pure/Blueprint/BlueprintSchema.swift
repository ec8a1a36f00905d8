// The JSON Schema of castle.yaml, for editors.

extension Blueprint {
  /// The JSON Schema (draft 2020-12) of castle.yaml, made from the table that the reader itself uses.
  public static var jsonSchema: String {
    var root = schema(BlueprintKeys.root)
    root.insert(("$schema", "https://json-schema.org/draft/2020-12/schema"), at: 0)
    root.insert(("title", "castle.yaml"), at: 1)
    return Piece.map(root).json + "\n"
  }

  private static func schema(_ section: BlueprintSection) -> [(String, Piece)] {
    let required = section.keys.filter(\.isRequired).map { Piece.text($0.name) }
    var fields: [(String, Piece)] = [
      ("type", "object"),
      ("additionalProperties", false),
      (
        "properties", .map(section.keys.map { ($0.name, .map(schema($0.kind) + [("description", .text($0.summary))])) })
      ),
    ]
    if !required.isEmpty { fields.append(("required", .list(required))) }
    return fields
  }

  private static func schema(_ kind: BlueprintKey.Kind) -> [(String, Piece)] {
    func pattern(_ pattern: String) -> [(String, Piece)] { [("type", "string"), ("pattern", .text(pattern))] }
    let number = "[0-9]+(\\.[0-9]+)?"
    switch kind {
    case .text(let pattern): return [("type", "string")] + (pattern.map { [("pattern", .text($0))] } ?? [])
    case .word(let words): return [("enum", .list(words.map { .text($0) }))]
    case .wholeNumber(let range):
      return [("type", "integer"), ("minimum", .number(range.lowerBound)), ("maximum", .number(range.upperBound))]
    case .number(let range):
      return [
        ("type", "number"), ("minimum", .decimal(range.lowerBound)), ("maximum", .decimal(range.upperBound)),
      ]
    case .duration: return pattern("^[0-9]+[smhdw]$")
    case .size: return pattern("^\(number)(MB|GB)$")
    case .percent: return pattern("^[0-9]+%$")
    case .range: return [("type", .list(["string", "number"])), ("pattern", .text("^\(number)(\\.\\.\(number))?$"))]
    case .rate: return pattern("^[0-9]+/[0-9]+[smhdw]$")
    case .texts:
      return [
        ("type", "array"), ("items", .map([("type", "string")])), ("uniqueItems", true),
      ]
    case .textMap:
      return [
        ("type", "object"), ("additionalProperties", .map([("type", .list(["string", "number", "boolean"]))])),
      ]
    case .section(let section): return schema(section)
    case .named(let section):
      return [
        ("type", .list(["object", "null"])),
        ("propertyNames", .map([("pattern", .text(BlueprintKeys.namePattern))])),
        ("additionalProperties", .map(nullable(schema(section)))),
      ]
    }
  }

  /// An entry that needs no key may be left empty: `assets:`.
  private static func nullable(_ fields: [(String, Piece)]) -> [(String, Piece)] {
    if fields.contains(where: { $0.0 == "required" }) { return fields }
    return fields.map { $0.0 == "type" ? ("type", .list(["object", "null"])) : $0 }
  }
}
