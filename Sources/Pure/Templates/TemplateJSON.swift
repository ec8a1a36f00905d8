// Values as JSON text, for policy documents, stored stack states and people.

extension TemplateValue {
  /// The value as JSON (RFC 8259). Numbers that JSON cannot spell (`+1`, `.5`, `0x10`) become strings.
  /// - Parameter pretty: two spaces of indentation, one entry a line; otherwise no white space.
  public func json(pretty: Bool = false) -> String {
    var out = ""
    writeJSON(to: &out, pretty: pretty, depth: 0)
    return out
  }

  private func writeJSON(to out: inout String, pretty: Bool, depth: Int) {
    func newline(_ depth: Int) {
      guard pretty else { return }
      out += "\n" + String(repeating: "  ", count: depth)
    }
    switch self {
    case .null: out += "null"
    case .bool(let value): out += value ? "true" : "false"
    case .number(let text): out += isJSONNumber(text) ? text : jsonQuoted(text)
    case .string(let text): out += jsonQuoted(text)
    case .list(let items):
      if items.isEmpty {
        out += "[]"
        return
      }
      out += "["
      for (index, item) in items.enumerated() {
        if index > 0 { out += "," }
        newline(depth + 1)
        item.writeJSON(to: &out, pretty: pretty, depth: depth + 1)
      }
      newline(depth)
      out += "]"
    case .map(let map):
      if map.isEmpty {
        out += "{}"
        return
      }
      out += "{"
      for (index, entry) in map.enumerated() {
        if index > 0 { out += "," }
        newline(depth + 1)
        out += jsonQuoted(entry.key) + (pretty ? ": " : ":")
        entry.value.writeJSON(to: &out, pretty: pretty, depth: depth + 1)
      }
      newline(depth)
      out += "}"
    }
  }
}

/// A JSON string with its quotes.
func jsonQuoted(_ text: String) -> String {
  var out = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": out += "\\\""
    case "\\": out += "\\\\"
    case "\n": out += "\\n"
    case "\r": out += "\\r"
    case "\t": out += "\\t"
    case let control where control.value < 0x20:
      let hex = String(control.value, radix: 16)
      out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
    default: out.unicodeScalars.append(scalar)
    }
  }
  return out + "\""
}

/// Whether some text is a number by JSON's grammar.
func isJSONNumber(_ text: String) -> Bool {
  var bytes = Array(text.utf8)[...]
  func digits() -> Int {
    var count = 0
    while let byte = bytes.first, (48...57).contains(byte) {
      bytes.removeFirst()
      count += 1
    }
    return count
  }
  if bytes.first == UInt8(ascii: "-") { bytes.removeFirst() }
  let startsWithZero = bytes.first == UInt8(ascii: "0")
  let whole = digits()
  guard whole > 0, !(startsWithZero && whole > 1) else { return false }
  if bytes.first == UInt8(ascii: ".") {
    bytes.removeFirst()
    guard digits() > 0 else { return false }
  }
  if let byte = bytes.first, byte | 0x20 == UInt8(ascii: "e") {
    bytes.removeFirst()
    if let sign = bytes.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { bytes.removeFirst() }
    guard digits() > 0 else { return false }
  }
  return bytes.isEmpty
}
