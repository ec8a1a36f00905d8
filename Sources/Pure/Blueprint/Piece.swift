// The values that templates are written from, with CloudFormation's short-form functions, as YAML or JSON text.

/// A value to be written. The order of maps is the order of the text.
indirect enum Piece: Sendable {
  case text(String)
  case number(Int)
  case decimal(Double)
  case flag(Bool)
  case list([Piece])
  case map([(String, Piece)])
  /// `!Ref`, `!GetAtt`, `!Sub`, … without the mark.
  case call(String, Piece)

  static func ref(_ name: String) -> Piece { .call("Ref", .text(name)) }
  static func attribute(_ resource: String, _ name: String) -> Piece { .call("GetAtt", .text("\(resource).\(name)")) }
  static func sub(_ text: String) -> Piece { .call("Sub", .text(text)) }
  static func choose(_ condition: String, _ yes: Piece, _ no: Piece) -> Piece {
    .call("If", .list([.text(condition), yes, no]))
  }
}

extension Piece: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  init(stringLiteral value: String) { self = .text(value) }
  init(integerLiteral value: Int) { self = .number(value) }
  init(booleanLiteral value: Bool) { self = .flag(value) }
  init(arrayLiteral elements: Piece...) { self = .list(elements) }
  init(dictionaryLiteral elements: (String, Piece)...) { self = .map(elements) }
}

extension Piece {
  // MARK: - YAML

  /// The lines of the value as a block, each indented by `depth` times two spaces.
  func yamlLines(depth: Int) -> [String] {
    let indent = String(repeating: "  ", count: depth)
    switch self {
    case .map(let entries) where !entries.isEmpty:
      return entries.flatMap { key, value in
        value.yamlEntry(prefix: "\(indent)\(yamlScalar(key)):", depth: depth + 1)
      }
    case .list(let items) where !items.isEmpty:
      return items.flatMap { item -> [String] in
        if case .map(let entries) = item, !entries.isEmpty {
          // The first key stands behind the dash.
          var lines = item.yamlLines(depth: depth + 1)
          lines[0] = indent + "- " + lines[0].dropFirst(indent.count + 2)
          return lines
        }
        return item.yamlEntry(prefix: indent + "-", depth: depth + 1)
      }
    default:
      return [indent + (inlineYAML ?? "")]
    }
  }

  /// The lines of `key:` or `-` with the value behind it or below it.
  func yamlEntry(prefix: String, depth: Int) -> [String] {
    if let inline = inlineYAML { return ["\(prefix) \(inline)"] }
    if case .call(let name, let argument) = self {
      return ["\(prefix) !\(name)"] + argument.yamlLines(depth: depth)
    }
    return [prefix] + yamlLines(depth: depth)
  }

  /// The value when it fits behind its key.
  private var inlineYAML: String? {
    switch self {
    case .text(let text): return yamlScalar(text)
    case .number(let number): return String(number)
    case .decimal(let number): return plainNumber(number)
    case .flag(let flag): return flag ? "true" : "false"
    case .list(let items): return items.isEmpty ? "[]" : nil
    case .map(let entries): return entries.isEmpty ? "{}" : nil
    case .call(let name, let argument):
      switch argument {
      case .text, .number, .flag, .decimal: return argument.inlineYAML.map { "!\(name) \($0)" }
      default: return nil
      }
    }
  }

  // MARK: - JSON

  /// The value as JSON with two spaces of indentation; calls in their long form.
  var json: String {
    var out = ""
    writeJSON(to: &out, depth: 0)
    return out
  }

  private func writeJSON(to out: inout String, depth: Int) {
    let inner = "\n" + String(repeating: "  ", count: depth + 1)
    let outer = "\n" + String(repeating: "  ", count: depth)
    switch self {
    case .text(let text): out += jsonString(text)
    case .number(let number): out += String(number)
    case .decimal(let number): out += plainNumber(number)
    case .flag(let flag): out += flag ? "true" : "false"
    case .list(let items):
      if items.isEmpty {
        out += "[]"
        return
      }
      out += "["
      for (index, item) in items.enumerated() {
        out += (index > 0 ? "," : "") + inner
        item.writeJSON(to: &out, depth: depth + 1)
      }
      out += outer + "]"
    case .map(let entries):
      if entries.isEmpty {
        out += "{}"
        return
      }
      out += "{"
      for (index, entry) in entries.enumerated() {
        out += (index > 0 ? "," : "") + inner + jsonString(entry.0) + ": "
        entry.1.writeJSON(to: &out, depth: depth + 1)
      }
      out += outer + "}"
    case .call(let name, let argument):
      let long = name == "Ref" || name == "Condition" ? name : "Fn::" + name
      Piece.map([(long, argument)]).writeJSON(to: &out, depth: depth)
    }
  }
}

private func plainNumber(_ number: Double) -> String {
  Int(exactly: number).map { String($0) } ?? String(number)
}

private func jsonString(_ text: String) -> String {
  var out = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": out += "\\\""
    case "\\": out += "\\\\"
    case "\n": out += "\\n"
    case "\t": out += "\\t"
    case let control where control.value < 0x20:
      let hex = String(control.value, radix: 16)
      out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
    default: out.unicodeScalars.append(scalar)
    }
  }
  return out + "\""
}

/// A scalar, quoted when plain text would be read as something else.
private func yamlScalar(_ text: String) -> String {
  if text.unicodeScalars.contains(where: { $0.value < 0x20 }) { return jsonString(text) }
  let words: Set<String> = ["true", "false", "yes", "no", "on", "off", "null", "~", "y", "n"]
  let first = text.unicodeScalars.first
  let isPlain =
    first.map { !"-?:,[]{}#&*!|>'\"%@` ".unicodeScalars.contains($0) } ?? false
    && !text.contains(": ") && !text.contains(" #") && !text.hasSuffix(":") && !text.hasSuffix(" ")
    && !words.contains(text.lowercased()) && !looksLikeNumber(text)
  return isPlain
    ? text : "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
}

/// Whether YAML would take text for a number, a date or a time.
private func looksLikeNumber(_ text: String) -> Bool {
  guard let first = text.unicodeScalars.first, "0123456789+.".unicodeScalars.contains(first) else { return false }
  return text.unicodeScalars.allSatisfy { "0123456789.:-+_eExXoOabcdefABCDEF".unicodeScalars.contains($0) }
}
