// Backslash escapes of C, CSS and JavaScript.

enum EscapeDecoder {
  private static func simple(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "a"): 0x07
    case UInt8(ascii: "b"): 0x08
    case UInt8(ascii: "f"): 0x0C
    case UInt8(ascii: "n"): 0x0A
    case UInt8(ascii: "r"): 0x0D
    case UInt8(ascii: "t"): 0x09
    case UInt8(ascii: "v"): 0x0B
    case UInt8(ascii: "\\"), UInt8(ascii: "?"), UInt8(ascii: "'"), UInt8(ascii: "\""): byte
    default: nil
    }
  }

  /// `\xHH` and octal numbers behind a backslash at `start`: the byte and the length with the backslash.
  private static func number(_ text: ByteView, _ start: Int) -> (UInt8, Int)? {
    if text[start + 1] == UInt8(ascii: "x") {
      guard start + 3 < text.count, let high = Hex.value(text[start + 2]), let low = Hex.value(text[start + 3]) else {
        return nil
      }
      return (high << 4 | low, 4)
    }
    var value: UInt32 = 0
    var length = 0
    while length < 3, start + 1 + length < text.count, text[start + 1 + length] &- 0x30 < 8 {
      value = value << 3 | UInt32(text[start + 1 + length] - 0x30)
      length += 1
    }
    return length > 0 ? (UInt8(truncatingIfNeeded: value), length + 1) : nil
  }

  /// ANSI C's escapes; those that are none stay.
  static func ansiC(_ text: ByteView, _ arena: Arena) -> ByteView {
    var out = TextWriter(arena, text.count)
    var index = 0
    while index < text.count {
      guard text[index] == 0x5C, index + 1 < text.count else {
        out.append(text[index])
        index += 1
        continue
      }
      if let (value, length) = number(text, index) {
        out.append(value)
        index += length
      } else if let value = simple(text[index + 1]) {
        out.append(value)
        index += 2
      } else {
        out.append(text[index])
        index += 1
      }
    }
    return out.view
  }

  /// CSS 2.1: up to six hexadecimal digits and a space behind them, or any other character for itself.
  static func css(_ text: ByteView, _ arena: Arena) -> ByteView {
    var out = TextWriter(arena, text.count)
    var index = 0
    while index < text.count {
      guard text[index] == 0x5C, index + 1 < text.count else {
        out.append(text[index])
        index += 1
        continue
      }
      index += 1
      var value: UInt32 = 0
      var digits = 0
      while digits < 6, index < text.count, let digit = Hex.value(text[index]) {
        value = value << 4 | UInt32(digit)
        digits += 1
        index += 1
      }
      if digits > 0 {
        out.append(Transformer.folded(value))
        if index < text.count, isSpace(text[index]) { index += 1 }
      } else if text[index] == 0x0A {
        // An escaped line end is none.
        index += 1
      } else {
        out.append(text[index])
        index += 1
      }
    }
    return out.view
  }

  /// JavaScript's escapes; `\uHHHH` as one byte.
  static func javaScript(_ text: ByteView, _ arena: Arena) -> ByteView {
    var out = TextWriter(arena, text.count)
    var index = 0
    while index < text.count {
      guard text[index] == 0x5C, index + 1 < text.count else {
        out.append(text[index])
        index += 1
        continue
      }
      if text[index + 1] == UInt8(ascii: "u"), let value = Transformer.fourDigits(text, index + 2) {
        out.append(Transformer.folded(value))
        index += 6
      } else if let (value, length) = number(text, index) {
        out.append(value)
        index += length
      } else {
        out.append(simple(text[index + 1]) ?? text[index + 1])
        index += 2
      }
    }
    return out.view
  }
}
