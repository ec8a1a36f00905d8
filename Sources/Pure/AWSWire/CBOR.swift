// CBOR (RFC 8949) on bytes, as far as Smithy's RPC v2 protocol goes: a bounded reader and the writer's items.

import AWSCore

struct CBORError: Error { var message: String }

enum CBOR {
  /// Reads one item; nothing may follow it.
  static func parse(_ bytes: [UInt8]) throws(CBORError) -> DynamicValue {
    var reader = CBORReader(bytes: bytes)
    let value = try reader.item(depth: 0)
    guard reader.at == bytes.count else { throw CBORError(message: "something follows the item") }
    return value
  }

  // MARK: - Writing

  /// The first bytes of an item: its major type (0-7) and its argument, as short as it goes.
  static func head(_ major: UInt8, _ argument: UInt64, to out: inout [UInt8]) {
    let type = major << 5
    switch argument {
    case 0..<24: out.append(type | UInt8(argument))
    case 24..<256:
      out.append(type | 24)
      out.append(UInt8(argument))
    case 256..<65_536:
      out.append(type | 25)
      big(argument, 2, to: &out)
    case 65_536..<4_294_967_296:
      out.append(type | 26)
      big(argument, 4, to: &out)
    default:
      out.append(type | 27)
      big(argument, 8, to: &out)
    }
  }

  private static func big(_ value: UInt64, _ count: Int, to out: inout [UInt8]) {
    for i in stride(from: (count - 1) * 8, through: 0, by: -8) { out.append(UInt8(truncatingIfNeeded: value >> i)) }
  }

  static func string(_ text: String, to out: inout [UInt8]) {
    head(3, UInt64(text.utf8.count), to: &out)
    out.append(contentsOf: text.utf8)
  }

  static func integer(_ value: Int, to out: inout [UInt8]) {
    if value >= 0 { head(0, UInt64(value), to: &out) } else { head(1, UInt64(-1 - value), to: &out) }
  }

  static func double(_ value: Double, to out: inout [UInt8]) {
    out.append(7 << 5 | 27)
    big(value.bitPattern, 8, to: &out)
  }

  static func timestamp(_ value: Timestamp, to out: inout [UInt8]) {
    head(6, 1, to: &out)
    if value.milliseconds % 1000 == 0 {
      integer(Int(value.milliseconds / 1000), to: &out)
    } else {
      double(value.seconds, to: &out)
    }
  }
}

private struct CBORReader {
  let bytes: [UInt8]
  var at = 0

  private var isBreak: Bool { at < bytes.count && bytes[at] == 0xFF }

  private mutating func byte() throws(CBORError) -> UInt8 {
    guard at < bytes.count else { throw CBORError(message: "the item ends early") }
    at += 1
    return bytes[at - 1]
  }

  /// The argument of a head; nil for an item of indefinite length.
  private mutating func argument(_ info: UInt8) throws(CBORError) -> UInt64? {
    switch info {
    case 0..<24: return UInt64(info)
    case 24...27:
      var value: UInt64 = 0
      for _ in 0..<(1 << (info - 24)) { value = value << 8 | UInt64(try byte()) }
      return value
    case 31: return nil
    default: throw CBORError(message: "a reserved length")
    }
  }

  mutating func item(depth: Int) throws(CBORError) -> DynamicValue {
    guard depth < WireLimits.depth else { throw CBORError(message: "nested too deep") }
    let first = try byte()
    let info = first & 31
    switch first >> 5 {
    case 0:
      let value = try definite(info)
      return value <= UInt64(Int.max) ? .integer(Int(value)) : .double(Double(value))
    case 1:
      let value = try definite(info)
      return value <= UInt64(Int.max) ? .integer(-1 - Int(value)) : .double(-1 - Double(value))
    case 2: return .bytes(try chunks(2, info))
    case 3:
      guard let text = String(validating: try chunks(3, info), as: UTF8.self) else {
        throw CBORError(message: "text that is not UTF-8")
      }
      return .string(text)
    case 4: return try array(info, depth)
    case 5: return try map(info, depth)
    case 6: return try tagged(info, depth)
    default: return try simple(info)
    }
  }

  private mutating func definite(_ info: UInt8) throws(CBORError) -> UInt64 {
    guard let value = try argument(info) else { throw CBORError(message: "an indefinite number") }
    return value
  }

  private mutating func take(_ count: UInt64) throws(CBORError) -> ArraySlice<UInt8> {
    guard count <= UInt64(bytes.count - at) else { throw CBORError(message: "the item ends early") }
    defer { at += Int(count) }
    return bytes[at..<(at + Int(count))]
  }

  private mutating func chunks(_ major: UInt8, _ info: UInt8) throws(CBORError) -> [UInt8] {
    if let count = try argument(info) { return Array(try take(count)) }
    var out: [UInt8] = []
    while !isBreak {
      let first = try byte()
      guard first >> 5 == major, first & 31 != 31 else { throw CBORError(message: "a chunk of another type") }
      out.append(contentsOf: try take(try definite(first & 31)))
    }
    at += 1
    return out
  }

  private mutating func array(_ info: UInt8, _ depth: Int) throws(CBORError) -> DynamicValue {
    var values: [DynamicValue] = []
    if let count = try argument(info) {
      // Each element takes a byte at least, so a count beyond the rest is a lie that must not cost memory.
      guard count <= UInt64(bytes.count - at) else { throw CBORError(message: "the item ends early") }
      for _ in 0..<count { values.append(try item(depth: depth + 1)) }
    } else {
      while !isBreak { values.append(try item(depth: depth + 1)) }
      at += 1
    }
    return .array(values)
  }

  private mutating func map(_ info: UInt8, _ depth: Int) throws(CBORError) -> DynamicValue {
    var entries: [DynamicValue.Entry] = []
    let count = try argument(info)
    if let count, count > UInt64(bytes.count - at) { throw CBORError(message: "the item ends early") }
    var left = count ?? UInt64.max
    while left > 0 {
      if count == nil, isBreak {
        at += 1
        break
      }
      guard case .string(let key) = try item(depth: depth + 1) else {
        throw CBORError(message: "a key that is no text")
      }
      entries.append(.init(key, try item(depth: depth + 1)))
      left -= 1
    }
    return .object(entries)
  }

  private mutating func tagged(_ info: UInt8, _ depth: Int) throws(CBORError) -> DynamicValue {
    let tag = try definite(info)
    let value = try item(depth: depth + 1)
    guard tag == 1 else { return value }
    switch value {
    case .integer(let seconds): return .timestamp(Timestamp(seconds: Double(seconds)))
    case .double(let seconds): return .timestamp(Timestamp(seconds: seconds))
    default: throw CBORError(message: "a time that is no number")
    }
  }

  private mutating func simple(_ info: UInt8) throws(CBORError) -> DynamicValue {
    switch info {
    case 20: return .boolean(false)
    case 21: return .boolean(true)
    case 22, 23: return .null
    case 25: return .double(half(UInt16(try definite(25))))
    case 26: return .double(Double(Float(bitPattern: UInt32(try definite(26)))))
    case 27: return .double(Double(bitPattern: try definite(27)))
    default: throw CBORError(message: "an unknown simple value")
    }
  }

  private func half(_ bits: UInt16) -> Double {
    let exponent = Int(bits >> 10 & 31)
    let fraction = Double(bits & 1023)
    let size: Double
    switch exponent {
    case 0: size = fraction * 0x1p-24
    case 31: size = fraction == 0 ? .infinity : .nan
    default: size = Double(sign: .plus, exponent: exponent - 25, significand: fraction + 1024)
    }
    return bits >> 15 == 1 ? -size : size
  }
}
