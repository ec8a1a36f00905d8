// Reads JSON (RFC 8259) into nodes, keeping the order of keys, the spelling of numbers, and places.

/// A recursive-descent reader over the bytes of one JSON text.
struct JSONReader {
  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var column = 1

  /// Reads one JSON value that is the whole text.
  /// - Throws: `Template format error: JSON not well-formed.` with the place.
  static func read(_ text: String) throws(TemplateError) -> TemplateNode {
    var reader = JSONReader(text)
    reader.skipSpace()
    let node = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.position == reader.bytes.count else { throw reader.malformed() }
    return node
  }

  private init(_ text: String) {
    bytes = Array(text.utf8)
  }

  private var location: SourceLocation { SourceLocation(line: line, column: column) }
  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private func malformed() -> TemplateError {
    .format("JSON not well-formed. (line \(line), column \(column))", at: location)
  }

  private mutating func advance() {
    let byte = bytes[position]
    position += 1
    if byte == UInt8(ascii: "\n") {
      line += 1
      column = 1
    } else if byte & 0xC0 != 0x80 {
      column += 1  // continuation bytes of UTF-8 belong to the column of their first byte
    }
  }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { advance() }
  }

  private mutating func expect(_ byte: UInt8) throws(TemplateError) {
    guard next == byte else { throw malformed() }
    advance()
  }

  private mutating func value(depth: Int) throws(TemplateError) -> TemplateNode {
    guard depth < templateDepthMax else {
      throw .format("Template is nested more than \(templateDepthMax) levels deep.", at: location)
    }
    let start = location
    guard let byte = next else { throw malformed() }
    switch byte {
    case UInt8(ascii: "{"): return TemplateNode(.map(try entries(depth: depth)), at: start)
    case UInt8(ascii: "["): return TemplateNode(.list(try items(depth: depth)), at: start)
    case UInt8(ascii: "\""): return TemplateNode(.string(try string()), at: start)
    case UInt8(ascii: "t"): return TemplateNode(try word("true", .bool(true)), at: start)
    case UInt8(ascii: "f"): return TemplateNode(try word("false", .bool(false)), at: start)
    case UInt8(ascii: "n"): return TemplateNode(try word("null", .null), at: start)
    default: return TemplateNode(.number(try number()), at: start)
    }
  }

  private mutating func word(_ word: StaticString, _ kind: TemplateNode.Kind) throws(TemplateError)
    -> TemplateNode.Kind
  {
    for byte in Array("\(word)".utf8) { try expect(byte) }
    return kind
  }

  private mutating func number() throws(TemplateError) -> String {
    let start = position
    while let byte = next, (48...57).contains(byte) || "+-.eE".utf8.contains(byte) { advance() }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    guard isJSONNumber(text) else { throw malformed() }
    return text
  }

  private mutating func entries(depth: Int) throws(TemplateError) -> [TemplateNode.Entry] {
    try expect(UInt8(ascii: "{"))
    skipSpace()
    var entries: [TemplateNode.Entry] = []
    var seen: Set<String> = []
    if next == UInt8(ascii: "}") {
      advance()
      return entries
    }
    while true {
      skipSpace()
      let keyLocation = location
      let key = try string()
      guard seen.insert(key).inserted else {
        throw .format("Duplicate key \"\(key)\" (\(keyLocation))", at: keyLocation)
      }
      skipSpace()
      try expect(UInt8(ascii: ":"))
      skipSpace()
      entries.append(.init(key: key, keyLocation: keyLocation, value: try value(depth: depth + 1)))
      skipSpace()
      if next == UInt8(ascii: "}") {
        advance()
        return entries
      }
      try expect(UInt8(ascii: ","))
    }
  }

  private mutating func items(depth: Int) throws(TemplateError) -> [TemplateNode] {
    try expect(UInt8(ascii: "["))
    skipSpace()
    var items: [TemplateNode] = []
    if next == UInt8(ascii: "]") {
      advance()
      return items
    }
    while true {
      skipSpace()
      items.append(try value(depth: depth + 1))
      skipSpace()
      if next == UInt8(ascii: "]") {
        advance()
        return items
      }
      try expect(UInt8(ascii: ","))
    }
  }

  private mutating func string() throws(TemplateError) -> String {
    try expect(UInt8(ascii: "\""))
    var out: [UInt8] = []
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        advance()
        return String(decoding: out, as: UTF8.self)
      case UInt8(ascii: "\\"):
        advance()
        out.append(contentsOf: String(try escape()).utf8)
      case 0..<0x20:
        throw malformed()
      default:
        out.append(byte)
        advance()
      }
    }
    throw malformed()
  }

  private mutating func escape() throws(TemplateError) -> Unicode.Scalar {
    guard let byte = next else { throw malformed() }
    let simple: [UInt8: Unicode.Scalar] = [
      UInt8(ascii: "\""): "\"", UInt8(ascii: "\\"): "\\", UInt8(ascii: "/"): "/", UInt8(ascii: "b"): "\u{8}",
      UInt8(ascii: "f"): "\u{c}", UInt8(ascii: "n"): "\n", UInt8(ascii: "r"): "\r", UInt8(ascii: "t"): "\t",
    ]
    if let scalar = simple[byte] {
      advance()
      return scalar
    }
    guard byte == UInt8(ascii: "u") else { throw malformed() }
    advance()
    var code = try hexFour()
    if (0xD800..<0xDC00).contains(code), next == UInt8(ascii: "\\") {
      advance()
      try expect(UInt8(ascii: "u"))
      let low = try hexFour()
      guard (0xDC00..<0xE000).contains(low) else { throw malformed() }
      code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
    }
    return Unicode.Scalar(code) ?? "\u{FFFD}"  // a lone surrogate has no scalar
  }

  private mutating func hexFour() throws(TemplateError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw malformed() }
      code = code << 4 | UInt32(digit)
      advance()
    }
    return code
  }
}
