// Text transformations: what attackers put around their words is taken away before the words are looked for.

import Digests

/// Where a transformation writes.
struct TextWriter {
  let memory: UnsafeMutablePointer<UInt8>
  private(set) var count = 0

  init(_ arena: Arena, _ capacity: Int) { memory = arena.allocate(max(capacity, 1)) }

  @inline(__always)
  mutating func append(_ byte: UInt8) {
    memory[count] = byte
    count += 1
  }

  /// A code point as UTF-8.
  mutating func append(scalar value: UInt32) {
    guard let scalar = Unicode.Scalar(value) else { return append(UInt8(truncatingIfNeeded: value)) }
    for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { append(byte) }
  }

  mutating func removeLast() { count -= 1 }

  var last: UInt8? { count > 0 ? memory[count - 1] : nil }
  var view: ByteView { ByteView(start: memory, count: count) }
}

enum Transformer {
  /// The text after a transformation: in the arena, or the text itself when nothing changes.
  static func apply(_ transformation: WebACL.Transformation, _ text: ByteView, _ arena: Arena) -> ByteView {
    switch transformation {
    case .none: return text
    case .lowercase:
      guard text.contains(where: { $0 &- 65 < 26 }) else { return text }
      return map(text, arena, lowercased)
    case .replaceNulls: return text.contains(0) ? map(text, arena) { $0 == 0 ? 0x20 : $0 } : text
    case .removeNulls: return text.contains(0) ? filter(text, arena) { $0 != 0 } : text
    case .compressWhiteSpace: return compress(text, arena)
    case .urlDecode: return urlDecode(text, arena, unicode: false)
    case .urlDecodeUnicode: return urlDecode(text, arena, unicode: true)
    case .htmlEntityDecode: return text.contains(0x26) ? htmlDecode(text, arena) : text
    case .commandLine: return commandLine(text, arena)
    case .base64Decode: return base64(text, arena, isLenient: false)
    case .base64DecodeExtended: return base64(text, arena, isLenient: true)
    case .hexDecode: return hexDecode(text, arena)
    case .md5: return arena.copy(MD5.hash(text))
    case .replaceComments: return text.contains(0x2F) ? replaceComments(text, arena) : text
    case .sqlHexDecode: return sqlHexDecode(text, arena)
    case .escapeSequenceDecode: return text.contains(0x5C) ? EscapeDecoder.ansiC(text, arena) : text
    case .cssDecode: return text.contains(0x5C) ? EscapeDecoder.css(text, arena) : text
    case .jsDecode: return text.contains(0x5C) ? EscapeDecoder.javaScript(text, arena) : text
    case .normalizePath: return normalizePath(text, arena)
    case .normalizePathWindows:
      return normalizePath(text.contains(0x5C) ? map(text, arena) { $0 == 0x5C ? 0x2F : $0 } : text, arena)
    case .utf8ToUnicode: return text.contains(where: { $0 >= 0x80 }) ? utf8ToUnicode(text, arena) : text
    }
  }

  private static func map(_ text: ByteView, _ arena: Arena, _ change: (UInt8) -> UInt8) -> ByteView {
    var out = TextWriter(arena, text.count)
    for byte in text { out.append(change(byte)) }
    return out.view
  }

  private static func filter(_ text: ByteView, _ arena: Arena, _ keeps: (UInt8) -> Bool) -> ByteView {
    var out = TextWriter(arena, text.count)
    for byte in text where keeps(byte) { out.append(byte) }
    return out.view
  }

  /// White space, no-break spaces among it, as single spaces.
  private static func compress(_ text: ByteView, _ arena: Arena) -> ByteView {
    var out = TextWriter(arena, text.count)
    var index = 0
    while index < text.count {
      var byte = text[index]
      index += 1
      if byte == 0xC2, index < text.count, text[index] == 0xA0 {
        byte = 0x20
        index += 1
      }
      if isSpace(byte) || byte == 0xA0 {
        if out.last != 0x20 || out.count == 0 { out.append(0x20) }
      } else {
        out.append(byte)
      }
    }
    return out.view
  }

  private static func urlDecode(_ text: ByteView, _ arena: Arena, unicode: Bool) -> ByteView {
    guard text.contains(where: { $0 == 0x25 || $0 == 0x2B }) else { return text }
    var out = TextWriter(arena, text.count)
    var index = 0
    while index < text.count {
      let byte = text[index]
      if byte == 0x2B {
        out.append(0x20)
      } else if byte == 0x25, index + 2 < text.count, let high = Hex.value(text[index + 1]),
        let low = Hex.value(text[index + 2])
      {
        out.append(high << 4 | low)
        index += 2
      } else if unicode, byte == 0x25, index + 5 < text.count, text[index + 1] | 0x20 == 0x75,
        let value = fourDigits(text, index + 2)
      {
        out.append(folded(value))
        index += 5
      } else {
        out.append(byte)
      }
      index += 1
    }
    return out.view
  }

  /// Four hexadecimal digits.
  static func fourDigits(_ text: ByteView, _ start: Int) -> UInt32? {
    guard start + 4 <= text.count else { return nil }
    var value: UInt32 = 0
    for index in start..<start + 4 {
      guard let digit = Hex.value(text[index]) else { return nil }
      value = value << 4 | UInt32(digit)
    }
    return value
  }

  /// A code unit as one byte: full-width characters as their narrow ones, of others the low byte.
  static func folded(_ value: UInt32) -> UInt8 {
    if (0xFF01...0xFF5E).contains(value) { return UInt8(truncatingIfNeeded: value - 0xFF00 + 0x20) }
    return UInt8(truncatingIfNeeded: value)
  }

  private static func htmlDecode(_ text: ByteView, _ arena: Arena) -> ByteView {
    var out = TextWriter(arena, text.count)
    var index = 0
    while index < text.count {
      if text[index] == 0x26, let (value, length) = entity(text, index) {
        out.append(scalar: value)
        index += length
      } else {
        out.append(text[index])
        index += 1
      }
    }
    return out.view
  }

  private static let entities: [(StaticString, UInt32)] = [
    ("quot", 0x22), ("amp", 0x26), ("lt", 0x3C), ("gt", 0x3E), ("nbsp", 0xA0), ("apos", 0x27), ("colon", 0x3A),
    ("lpar", 0x28), ("rpar", 0x29), ("tab", 0x09), ("newline", 0x0A), ("sol", 0x2F), ("equals", 0x3D),
  ]

  /// The character of an entity, and how many bytes it takes; the semicolon may be missing, as browsers have it.
  static func entity(_ text: ByteView, _ start: Int) -> (UInt32, Int)? {
    var index = start + 1
    guard index < text.count else { return nil }
    if text[index] == 0x23 {
      index += 1
      let isHex = index < text.count && text[index] | 0x20 == 0x78
      if isHex { index += 1 }
      var value: UInt32 = 0
      var digits = 0
      while index < text.count, digits < 10, let digit = Hex.value(text[index]), isHex || digit < 10 {
        value = min(value &* (isHex ? 16 : 10) &+ UInt32(digit), 0x11_0000)
        digits += 1
        index += 1
      }
      // A character never takes more bytes than its entity.
      guard digits > 0 else { return nil }
      if index < text.count, text[index] == 0x3B { index += 1 }
      return (value < 0x11_0000 ? value : 0x3F, index - start)
    }
    for (name, value) in entities where text.hasText(name, at: index) {
      let end = index + name.utf8CodeUnitCount
      return (value, (end < text.count && text[end] == 0x3B ? end + 1 : end) - start)
    }
    return nil
  }

  /// What shells ignore: quotes, backslashes and carets go, separators become single spaces, letters small.
  private static func commandLine(_ text: ByteView, _ arena: Arena) -> ByteView {
    var out = TextWriter(arena, text.count)
    for byte in text {
      switch byte {
      case 0x5C, 0x22, 0x27, 0x5E: break
      case 0x2C, 0x3B, 0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D: if out.last != 0x20 { out.append(0x20) }
      case 0x2F, 0x28:
        if out.last == 0x20 { out.removeLast() }
        out.append(byte)
      default: out.append(lowercased(byte))
      }
    }
    return out.view
  }

  private static func base64(_ text: ByteView, _ arena: Arena, isLenient: Bool) -> ByteView {
    var out = TextWriter(arena, text.count)
    var bits: UInt32 = 0
    var count = 0
    for byte in text {
      let value: UInt32
      switch byte {
      case 0x41...0x5A: value = UInt32(byte) - 0x41
      case 0x61...0x7A: value = UInt32(byte) - 0x61 + 26
      case 0x30...0x39: value = UInt32(byte) - 0x30 + 52
      case 0x2B, 0x2D: value = 62
      case 0x2F, 0x5F: value = 63
      default:
        // The plain one ends at the first byte that does not belong; the other passes over it.
        if isLenient { continue }
        return out.view
      }
      bits = bits << 6 | value
      count += 6
      if count >= 8 {
        count -= 8
        out.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    return out.view
  }

  private static func hexDecode(_ text: ByteView, _ arena: Arena) -> ByteView {
    var out = TextWriter(arena, text.count / 2 + 1)
    var index = 0
    while index + 1 < text.count, let high = Hex.value(text[index]), let low = Hex.value(text[index + 1]) {
      out.append(high << 4 | low)
      index += 2
    }
    return index == 0 ? text : out.view
  }

  /// C comments as one space each, one without end too.
  private static func replaceComments(_ text: ByteView, _ arena: Arena) -> ByteView {
    var out = TextWriter(arena, text.count)
    var index = 0
    while index < text.count {
      guard text[index] == 0x2F, index + 1 < text.count, text[index + 1] == 0x2A else {
        out.append(text[index])
        index += 1
        continue
      }
      out.append(0x20)
      index += 2
      while index < text.count, !(text[index] == 0x2A && index + 1 < text.count && text[index + 1] == 0x2F) {
        index += 1
      }
      index += 2
    }
    return out.view
  }

  /// `0x414243` as `ABC`.
  private static func sqlHexDecode(_ text: ByteView, _ arena: Arena) -> ByteView {
    guard text.contains(where: { $0 | 0x20 == 0x78 }) else { return text }
    var out = TextWriter(arena, text.count)
    var index = 0
    while index < text.count {
      if text[index] == 0x30, index + 3 < text.count, text[index + 1] | 0x20 == 0x78, Hex.value(text[index + 2]) != nil,
        Hex.value(text[index + 3]) != nil
      {
        index += 2
        while index + 1 < text.count, let high = Hex.value(text[index]), let low = Hex.value(text[index + 1]) {
          out.append(high << 4 | low)
          index += 2
        }
      } else {
        out.append(text[index])
        index += 1
      }
    }
    return out.view
  }

  /// Without empty and `.` parts; `..` takes the part before with it.
  private static func normalizePath(_ text: ByteView, _ arena: Arena) -> ByteView {
    var out = TextWriter(arena, text.count + 1)
    var starts: [Int] = []
    let isAbsolute = text.first == 0x2F
    var index = 0
    if isAbsolute { out.append(0x2F) }
    let root = out.count
    while index < text.count {
      var end = index
      while end < text.count, text[end] != 0x2F { end += 1 }
      let length = end - index
      let isLast = end == text.count
      if length == 0 || (length == 1 && text[index] == 0x2E) {
        // Nothing.
      } else if length == 2, text[index] == 0x2E, text[index + 1] == 0x2E {
        let start = starts.popLast() ?? root
        while out.count > start { out.removeLast() }
      } else {
        starts.append(out.count)
        for position in index..<end { out.append(text[position]) }
        if !isLast { out.append(0x2F) }
      }
      index = end + 1
    }
    return out.view
  }

  private static func utf8ToUnicode(_ text: ByteView, _ arena: Arena) -> ByteView {
    // A character of two bytes becomes six.
    var out = TextWriter(arena, 3 * text.count)
    var index = 0
    while index < text.count {
      let first = text[index]
      let length = first < 0xC2 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 1
      var value = UInt32(first) & (length == 2 ? 0x1F : length == 3 ? 0x0F : 0x07)
      let isWhole =
        length > 1 && index + length <= text.count
        && (1..<length).allSatisfy { text[index + $0] & 0xC0 == 0x80 }
      guard isWhole else {
        out.append(first)
        index += 1
        continue
      }
      for offset in 1..<length { value = value << 6 | UInt32(text[index + offset] & 0x3F) }
      out.append(0x25)
      out.append(0x75)
      for shift in stride(from: length == 4 ? 20 : 12, through: 0, by: -4) {
        let digit = UInt8(truncatingIfNeeded: value >> UInt32(shift)) & 15
        out.append(digit < 10 ? digit + 0x30 : digit + 0x57)
      }
      index += length
    }
    return out.view
  }
}
