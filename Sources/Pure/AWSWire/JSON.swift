// JSON (RFC 8259) on bytes: a bounded reader and a writer.

import AWSCore

/// Why a JSON document was refused, and at which byte.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
  public var message: String
  /// Offset in the document, in bytes.
  public var offset: Int
  public var description: String { "\(message) at byte \(offset)" }
}

/// JSON on bytes. Depth is bounded by `WireLimits.depth`.
public enum JSON {
  /// Reads one document; nothing but white space may follow it.
  public static func parse(_ bytes: [UInt8]) throws(JSONError) -> DynamicValue {
    var reader = JSONReader(bytes: bytes)
    return try reader.document()
  }

  /// Writes a document without white space. Bytes become base64, timestamps seconds.
  public static func write(_ value: DynamicValue) -> [UInt8] {
    var out: [UInt8] = []
    write(value, to: &out)
    return out
  }

  private static func write(_ value: DynamicValue, to out: inout [UInt8]) {
    switch value {
    case .null: out.append(contentsOf: "null".utf8)
    case .boolean(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
    case .integer(let value): out.append(contentsOf: String(value).utf8)
    case .double(let value): number(value, to: &out)
    case .string(let value): string(value, to: &out)
    case .bytes(let value):
      out.append(UInt8(ascii: "\""))
      out.append(contentsOf: Base64.encodeBytes(value))
      out.append(UInt8(ascii: "\""))
    case .timestamp(let value): number(value.seconds, to: &out)
    case .array(let values):
      out.append(UInt8(ascii: "["))
      for (index, value) in values.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        write(value, to: &out)
      }
      out.append(UInt8(ascii: "]"))
    case .object(let entries):
      out.append(UInt8(ascii: "{"))
      for (index, entry) in entries.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        string(entry.key, to: &out)
        out.append(UInt8(ascii: ":"))
        write(entry.value, to: &out)
      }
      out.append(UInt8(ascii: "}"))
    }
  }

  /// Numbers that JSON has no words for become AWS's strings.
  static func number(_ value: Double, to out: inout [UInt8]) {
    if value.isNaN {
      out.append(contentsOf: "\"NaN\"".utf8)
    } else if value.isInfinite {
      out.append(contentsOf: (value < 0 ? "\"-Infinity\"" : "\"Infinity\"").utf8)
    } else {
      out.append(contentsOf: "\(value)".utf8)
    }
  }

  static func string(_ text: String, to out: inout [UInt8]) {
    out.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        out.append(UInt8(ascii: "\\"))
        out.append(byte)
      case 10: out.append(contentsOf: "\\n".utf8)
      case 13: out.append(contentsOf: "\\r".utf8)
      case 9: out.append(contentsOf: "\\t".utf8)
      case 0..<32:
        let digits = Array("0123456789abcdef".utf8)
        out.append(contentsOf: "\\u00".utf8)
        out.append(digits[Int(byte >> 4)])
        out.append(digits[Int(byte & 15)])
      default: out.append(byte)
      }
    }
    out.append(UInt8(ascii: "\""))
  }
}

private struct JSONReader {
  let bytes: [UInt8]
  var at = 0

  mutating func document() throws(JSONError) -> DynamicValue {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
    let value = try value(depth: 0)
    skipSpace()
    guard at == bytes.count else { throw fault("something follows the document") }
    return value
  }

  private func fault(_ message: String) -> JSONError { JSONError(message: message, offset: at) }

  private mutating func skipSpace() {
    while at < bytes.count, bytes[at] == 32 || bytes[at] == 10 || bytes[at] == 13 || bytes[at] == 9 { at += 1 }
  }

  private mutating func value(depth: Int) throws(JSONError) -> DynamicValue {
    guard depth < WireLimits.depth else { throw fault("nested too deep") }
    skipSpace()
    guard at < bytes.count else { throw fault("the document ends early") }
    switch bytes[at] {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .boolean(true))
    case UInt8(ascii: "f"): return try word("false", .boolean(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"), 48...57: return try number()
    default: throw fault("no value")
    }
  }

  private mutating func word(_ word: StaticString, _ value: DynamicValue) throws(JSONError) -> DynamicValue {
    let count = word.utf8CodeUnitCount
    guard at + count <= bytes.count else { throw fault("the document ends early") }
    for i in 0..<count where word.utf8Start[i] != bytes[at + i] { throw fault("no value") }
    at += count
    return value
  }

  private mutating func object(depth: Int) throws(JSONError) -> DynamicValue {
    at += 1
    var entries: [DynamicValue.Entry] = []
    skipSpace()
    if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
      at += 1
      return .object(entries)
    }
    while true {
      skipSpace()
      guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw fault("no key") }
      let key = try string()
      skipSpace()
      guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else { throw fault("no colon") }
      at += 1
      entries.append(.init(key, try value(depth: depth + 1)))
      if try end(UInt8(ascii: "}")) { return .object(entries) }
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> DynamicValue {
    at += 1
    var values: [DynamicValue] = []
    skipSpace()
    if at < bytes.count, bytes[at] == UInt8(ascii: "]") {
      at += 1
      return .array(values)
    }
    while true {
      values.append(try value(depth: depth + 1))
      if try end(UInt8(ascii: "]")) { return .array(values) }
    }
  }

  /// Steps over a comma or the closing byte; true for the latter.
  private mutating func end(_ close: UInt8) throws(JSONError) -> Bool {
    skipSpace()
    guard at < bytes.count else { throw fault("the document ends early") }
    let byte = bytes[at]
    guard byte == close || byte == UInt8(ascii: ",") else { throw fault("no comma") }
    at += 1
    return byte == close
  }

  private mutating func string() throws(JSONError) -> String {
    at += 1
    let start = at
    while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\"), bytes[at] >= 32 {
      at += 1
    }
    guard at < bytes.count else { throw fault("a string does not end") }
    if bytes[at] == UInt8(ascii: "\"") {
      at += 1
      return String(decoding: bytes[start..<(at - 1)], as: UTF8.self)
    }
    var out = Array(bytes[start..<at])
    while at < bytes.count {
      let byte = bytes[at]
      if byte == UInt8(ascii: "\"") {
        at += 1
        return String(decoding: out, as: UTF8.self)
      }
      guard byte >= 32 else { throw fault("a control character in a string") }
      at += 1
      if byte == UInt8(ascii: "\\") { try escape(into: &out) } else { out.append(byte) }
    }
    throw fault("a string does not end")
  }

  private mutating func escape(into out: inout [UInt8]) throws(JSONError) {
    guard at < bytes.count else { throw fault("a string does not end") }
    let byte = bytes[at]
    at += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(byte)
    case UInt8(ascii: "b"): out.append(8)
    case UInt8(ascii: "f"): out.append(12)
    case UInt8(ascii: "n"): out.append(10)
    case UInt8(ascii: "r"): out.append(13)
    case UInt8(ascii: "t"): out.append(9)
    case UInt8(ascii: "u"):
      var code = try fourDigits()
      if code & 0xFC00 == 0xD800, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
        bytes[at + 1] == UInt8(ascii: "u")
      {
        let back = at
        at += 2
        let low = try fourDigits()
        if low & 0xFC00 == 0xDC00 { code = 0x10000 + (code & 0x3FF) << 10 + (low & 0x3FF) } else { at = back }
      }
      // Half a pair alone has no UTF-8; it becomes the replacement character.
      out.append(contentsOf: String(Character(Unicode.Scalar(code) ?? "\u{FFFD}")).utf8)
    default: throw fault("no such escape")
    }
  }

  private mutating func fourDigits() throws(JSONError) -> UInt32 {
    guard at + 4 <= bytes.count else { throw fault("a string does not end") }
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = PercentCoding.hex(bytes[at]) else { throw fault("no such escape") }
      code = code << 4 | UInt32(digit)
      at += 1
    }
    return code
  }

  private mutating func number() throws(JSONError) -> DynamicValue {
    let start = at
    if bytes[at] == UInt8(ascii: "-") { at += 1 }
    let digits = at
    skipDigits()
    guard at > digits, at - digits == 1 || bytes[digits] != 48 else { throw fault("no number") }
    var isInteger = true
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      isInteger = false
      at += 1
      let fraction = at
      skipDigits()
      guard at > fraction else { throw fault("no number") }
    }
    if at < bytes.count, bytes[at] | 32 == UInt8(ascii: "e") {
      isInteger = false
      at += 1
      if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
      let exponent = at
      skipDigits()
      guard at > exponent else { throw fault("no number") }
    }
    let text = String(decoding: bytes[start..<at], as: UTF8.self)
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text) else { throw fault("no number") }
    return .double(value)
  }

  private mutating func skipDigits() { while at < bytes.count, bytes[at] >= 48, bytes[at] <= 57 { at += 1 } }
}
