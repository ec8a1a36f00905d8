// A small strict JSON reader (RFC 8259) that keeps the order of members and refuses duplicates.

/// A JSON value as a policy needs it.
enum JSONValue: Sendable, Hashable {
  case string(String)
  /// A number as it is written.
  case number(String)
  case bool(Bool)
  case null
  case array([JSONValue])
  case object([Member])

  struct Member: Sendable, Hashable {
    var name: String
    var value: JSONValue
  }
}

/// Reads one JSON text. Depth and size are bounded; input never traps.
struct JSONReader {
  static let depthMax = 32
  /// The largest policy of any service is S3's 20 KiB and KMS's 32 KiB; beyond this nothing is read.
  static let bytesMax = 262_144

  struct Malformed: Error, Hashable {
    var why: String
    /// Where, in bytes.
    var offset: Int
  }

  private let bytes: [UInt8]
  private var at = 0
  private var depth = 0

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  static func read(_ text: String) throws(Malformed) -> JSONValue {
    var reader = JSONReader(Array(text.utf8))
    guard reader.bytes.count <= bytesMax else { throw reader.malformed("the text is too long") }
    let value = try reader.value()
    reader.skipSpace()
    guard reader.at == reader.bytes.count else { throw reader.malformed("there is something behind the value") }
    return value
  }

  private func malformed(_ why: String) -> Malformed { Malformed(why: why, offset: at) }

  private var byte: UInt8? { at < bytes.count ? bytes[at] : nil }

  private mutating func skipSpace() {
    while let b = byte, b == 32 || b == 10 || b == 13 || b == 9 { at += 1 }
  }

  private mutating func take(_ expected: UInt8) -> Bool {
    skipSpace()
    guard byte == expected else { return false }
    at += 1
    return true
  }

  private mutating func value() throws(Malformed) -> JSONValue {
    skipSpace()
    guard let b = byte else { throw malformed("the text ends where a value is due") }
    switch b {
    case UInt8(ascii: "{"): return try nested { r throws(Malformed) in try r.object() }
    case UInt8(ascii: "["): return try nested { r throws(Malformed) in try r.array() }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return .number(try number())
    }
  }

  private mutating func nested(_ read: (inout JSONReader) throws(Malformed) -> JSONValue) throws(Malformed) -> JSONValue
  {
    depth += 1
    guard depth <= Self.depthMax else { throw malformed("the nesting is too deep") }
    at += 1
    let result = try read(&self)
    depth -= 1
    return result
  }

  private mutating func object() throws(Malformed) -> JSONValue {
    var members: [JSONValue.Member] = []
    var names: Set<String> = []
    if take(UInt8(ascii: "}")) { return .object([]) }
    repeat {
      skipSpace()
      guard byte == UInt8(ascii: "\"") else { throw malformed("a member has no name") }
      let name = try string()
      guard names.insert(name).inserted else { throw malformed("the member \(name) is there twice") }
      guard take(UInt8(ascii: ":")) else { throw malformed("a colon is missing") }
      members.append(.init(name: name, value: try value()))
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")) else { throw malformed("an object does not end") }
    return .object(members)
  }

  private mutating func array() throws(Malformed) -> JSONValue {
    var items: [JSONValue] = []
    if take(UInt8(ascii: "]")) { return .array([]) }
    repeat { items.append(try value()) } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "]")) else { throw malformed("an array does not end") }
    return .array(items)
  }

  private mutating func word(_ text: String, _ value: JSONValue) throws(Malformed) -> JSONValue {
    guard bytes[at...].starts(with: text.utf8) else { throw malformed("an unknown word") }
    at += text.utf8.count
    return value
  }

  private mutating func number() throws(Malformed) -> String {
    let start = at
    func digits(_ r: inout JSONReader) -> Int {
      let from = r.at
      while let b = r.byte, b >= 48, b <= 57 { r.at += 1 }
      return r.at - from
    }
    if byte == UInt8(ascii: "-") { at += 1 }
    let leadingZero = byte == 48
    let whole = digits(&self)
    guard whole > 0, !(leadingZero && whole > 1) else { throw malformed("not a value") }
    if byte == UInt8(ascii: ".") {
      at += 1
      guard digits(&self) > 0 else { throw malformed("not a number") }
    }
    if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
      at += 1
      if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { at += 1 }
      guard digits(&self) > 0 else { throw malformed("not a number") }
    }
    return String(decoding: bytes[start..<at], as: UTF8.self)
  }

  private mutating func string() throws(Malformed) -> String {
    at += 1
    var out: [UInt8] = []
    while let b = byte {
      at += 1
      switch b {
      case UInt8(ascii: "\""): return String(decoding: out, as: UTF8.self)
      case UInt8(ascii: "\\"): try escape(&out)
      case 0..<32: throw malformed("a control character in a string")
      default: out.append(b)
      }
    }
    throw malformed("a string does not end")
  }

  private mutating func escape(_ out: inout [UInt8]) throws(Malformed) {
    guard let b = byte else { throw malformed("a string does not end") }
    at += 1
    switch b {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(b)
    case UInt8(ascii: "b"): out.append(8)
    case UInt8(ascii: "f"): out.append(12)
    case UInt8(ascii: "n"): out.append(10)
    case UInt8(ascii: "r"): out.append(13)
    case UInt8(ascii: "t"): out.append(9)
    case UInt8(ascii: "u"):
      var code = try hex4()
      if (0xD800..<0xDC00).contains(code), byte == UInt8(ascii: "\\"), at + 1 < bytes.count,
        bytes[at + 1] == UInt8(ascii: "u")
      {
        at += 2
        let low = try hex4()
        guard (0xDC00..<0xE000).contains(low) else { throw malformed("half a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw malformed("half a surrogate pair") }
      out += Array(String(Character(scalar)).utf8)
    default: throw malformed("an unknown escape")
    }
  }

  private mutating func hex4() throws(Malformed) -> UInt32 {
    guard at + 4 <= bytes.count else { throw malformed("a string does not end") }
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(bytes[at])).hexDigitValue else { throw malformed("not a digit") }
      code = code << 4 | UInt32(digit)
      at += 1
    }
    return code
  }
}
