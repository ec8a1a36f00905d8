// The members of a JSON body, as far as it is JSON: keys and values as texts, with the path that leads to each.

struct JSONScanner {
  private let text: ByteView
  private let arena: Arena
  private var position = 0
  private var depth = 0
  /// Where each included path has been followed to, by depth; nil when everything is taken.
  private let paths: [[[UInt8]]]?
  private let takesKeys: Bool
  private let takesValues: Bool
  private(set) var values: [ByteView] = []

  static let depthMax = 64

  /// - Parameter pointers: JSON pointers to what is taken, nil for all.
  init(_ text: ByteView, pointers: [String]?, scope: WebACL.Scope, arena: Arena) {
    self.text = text
    self.arena = arena
    takesKeys = scope != .values
    takesValues = scope != .keys
    paths = pointers.map { pointers in
      pointers.map { pointer in
        pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { part in
          Self.unescaped(Array(part.utf8))
        }
      }
    }
  }

  /// `~1` as `/` and `~0` as `~`.
  private static func unescaped(_ part: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var index = 0
    while index < part.count {
      if part[index] == 0x7E, index + 1 < part.count, part[index + 1] == 0x30 || part[index + 1] == 0x31 {
        result.append(part[index + 1] == 0x30 ? 0x7E : 0x2F)
        index += 2
      } else {
        result.append(part[index])
        index += 1
      }
    }
    return result
  }

  /// Reads all of it; false when it is no JSON. What was read before the fault is in `values`.
  mutating func scan() -> Bool {
    let open = paths.map { Array($0.indices) } ?? []
    guard value(open, isTaken: paths?.contains(where: \.isEmpty) ?? true) else { return false }
    skipSpace()
    return position == text.count
  }

  private mutating func skipSpace() { while position < text.count, isSpace(text[position]) { position += 1 } }

  /// - Parameters:
  ///   - open: the paths that lead through here.
  ///   - isTaken: a path ends here or above.
  private mutating func value(_ open: [Int], isTaken: Bool) -> Bool {
    skipSpace()
    guard position < text.count else { return false }
    switch text[position] {
    case UInt8(ascii: "{"): return object(open, isTaken)
    case UInt8(ascii: "["): return array(open, isTaken)
    case UInt8(ascii: "\""):
      guard let string = string() else { return false }
      if isTaken, takesValues { values.append(string) }
      return true
    default: return literal(isTaken)
    }
  }

  private mutating func literal(_ isTaken: Bool) -> Bool {
    let start = position
    while position < text.count, isWordByte(text[position]) || "+-.".utf8.contains(text[position]) { position += 1 }
    let piece = text.piece(start, position)
    let first = piece.first ?? 0
    let isNumber = isDigit(first) || (first == 0x2D && piece.count > 1 && isDigit(piece[1]))
    guard isNumber || piece.text == "true" || piece.text == "false" || piece.text == "null" else { return false }
    if isTaken, takesValues { values.append(piece) }
    return true
  }

  private mutating func object(_ open: [Int], _ isTaken: Bool) -> Bool {
    depth += 1
    defer { depth -= 1 }
    position += 1
    guard depth <= Self.depthMax else { return false }
    var isFirst = true
    while true {
      skipSpace()
      guard position < text.count else { return false }
      if text[position] == UInt8(ascii: "}") {
        position += 1
        return true
      }
      if !isFirst {
        guard text[position] == UInt8(ascii: ",") else { return false }
        position += 1
        skipSpace()
      }
      isFirst = false
      guard position < text.count, text[position] == UInt8(ascii: "\""), let key = string() else { return false }
      skipSpace()
      guard position < text.count, text[position] == UInt8(ascii: ":") else { return false }
      position += 1
      let (inner, ends) = follow(open) { $0.count == key.count && $0.elementsEqual(key) }
      if isTaken || ends, takesKeys { values.append(key) }
      guard value(inner, isTaken: isTaken || ends) else { return false }
    }
  }

  private mutating func array(_ open: [Int], _ isTaken: Bool) -> Bool {
    depth += 1
    defer { depth -= 1 }
    position += 1
    guard depth <= Self.depthMax else { return false }
    var index = 0
    while true {
      skipSpace()
      guard position < text.count else { return false }
      if text[position] == UInt8(ascii: "]") {
        position += 1
        return true
      }
      if index > 0 {
        guard text[position] == UInt8(ascii: ",") else { return false }
        position += 1
      }
      let (inner, ends) = follow(open) { $0.elementsEqual(String(index).utf8) }
      guard value(inner, isTaken: isTaken || ends) else { return false }
      index += 1
    }
  }

  /// The paths that go on through a member, and whether one ends there.
  private func follow(_ open: [Int], _ matches: ([UInt8]) -> Bool) -> (open: [Int], ends: Bool) {
    guard let paths, !open.isEmpty else { return ([], false) }
    var inner: [Int] = []
    var ends = false
    for index in open where depth <= paths[index].count && matches(paths[index][depth - 1]) {
      if paths[index].count == depth { ends = true } else { inner.append(index) }
    }
    return (inner, ends)
  }

  /// A string without its quotes and escapes.
  private mutating func string() -> ByteView? {
    position += 1
    let start = position
    var isPlain = true
    while position < text.count, text[position] != UInt8(ascii: "\"") {
      if text[position] == 0x5C {
        isPlain = false
        position += 1
      }
      position += 1
    }
    guard position < text.count else { return nil }
    let raw = text.piece(start, position)
    position += 1
    return isPlain ? raw : unescape(raw)
  }

  private func unescape(_ raw: ByteView) -> ByteView {
    var out = TextWriter(arena, raw.count)
    var index = 0
    while index < raw.count {
      guard raw[index] == 0x5C, index + 1 < raw.count else {
        out.append(raw[index])
        index += 1
        continue
      }
      let next = raw[index + 1]
      index += 2
      switch next {
      case UInt8(ascii: "b"): out.append(0x08)
      case UInt8(ascii: "f"): out.append(0x0C)
      case UInt8(ascii: "n"): out.append(0x0A)
      case UInt8(ascii: "r"): out.append(0x0D)
      case UInt8(ascii: "t"): out.append(0x09)
      case UInt8(ascii: "u"):
        guard var value = Transformer.fourDigits(raw, index) else {
          out.append(next)
          continue
        }
        index += 4
        if (0xD800..<0xDC00).contains(value), index + 6 <= raw.count, raw[index] == 0x5C, raw[index + 1] == 0x75,
          let low = Transformer.fourDigits(raw, index + 2), (0xDC00..<0xE000).contains(low)
        {
          value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
          index += 6
        }
        out.append(scalar: value)
      default: out.append(next)
      }
    }
    return out.view
  }
}
