// Reads patterns. The dialect is the part of Perl's that can be matched in time linear to the text, over bytes:
// literals, `.`, classes (`[a-z]`, `[^…]`, `[[:alpha:]]`, \d \w \s and their opposites), groups (capturing, `(?:…)`,
// named, `(?i)` and `(?i:…)`), `|`, `*` `+` `?` `{n}` `{n,}` `{n,m}` and their lazy forms, `^` `$` \A \z \b \B,
// escapes \t \n \r \f \v \a \xHH. Look-around, backreferences, atomic groups, possessive quantifiers, recursion and
// Unicode classes are refused, as by Application Load Balancers and WAF.

struct RegexParser {
  private let pattern: [UInt8]
  private var position = 0
  private var depth = 0
  private var ignoresCase: Bool
  private(set) var captureCount = 0

  init(_ pattern: String, ignoresCase: Bool) {
    self.pattern = Array(pattern.utf8)
    self.ignoresCase = ignoresCase
  }

  mutating func parse() throws(RegexError) -> RegexNode {
    let node = try alternatives()
    if position < pattern.count { throw .syntax("a parenthesis is closed that was not opened") }
    return node
  }

  private var next: UInt8? { position < pattern.count ? pattern[position] : nil }

  private mutating func take(_ byte: Character) -> Bool {
    guard let value = byte.asciiValue, next == value else { return false }
    position += 1
    return true
  }

  private func follows(_ text: StaticString) -> Bool {
    guard pattern.count - position >= text.utf8CodeUnitCount else { return false }
    for index in 0..<text.utf8CodeUnitCount where pattern[position + index] != text.utf8Start[index] { return false }
    return true
  }

  // MARK: - Structure

  private mutating func alternatives() throws(RegexError) -> RegexNode {
    depth += 1
    defer { depth -= 1 }
    if depth > RegexLimits.depthMax { throw .tooLarge }
    let outerCase = ignoresCase
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    ignoresCase = outerCase
    return branches.count == 1 ? branches[0] : .alternatives(branches)
  }

  private mutating func sequence() throws(RegexError) -> RegexNode {
    var parts: [RegexNode] = []
    while let byte = next, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
      let part = try atom()
      parts.append(try repeated(part))
    }
    if parts.isEmpty { return .empty }
    return parts.count == 1 ? parts[0] : .sequence(parts)
  }

  private mutating func repeated(_ atom: RegexNode) throws(RegexError) -> RegexNode {
    var node = atom
    var isRepeated = false
    while let byte = next {
      var bounds: (min: Int, max: Int?)
      switch byte {
      case UInt8(ascii: "*"): bounds = (0, nil)
      case UInt8(ascii: "+"): bounds = (1, nil)
      case UInt8(ascii: "?"): bounds = (0, 1)
      case UInt8(ascii: "{"):
        let start = position
        guard let counted = try counts() else {
          position = start
          return node
        }
        bounds = counted
        position -= 1
      default: return node
      }
      position += 1
      if isRepeated { throw .syntax("a repetition of a repetition needs parentheses") }
      if case .assertion = atom { throw .syntax("an anchor cannot be repeated") }
      if case .empty = atom { throw .syntax("there is nothing to repeat") }
      let isLazy = take("?")
      if !isLazy, next == UInt8(ascii: "+") { throw .unsupported("a possessive quantifier") }
      node = .repetition(node, min: bounds.min, max: bounds.max, isLazy: isLazy)
      isRepeated = true
    }
    return node
  }

  /// `{n}`, `{n,}` or `{n,m}`; nil when the brace is a plain character.
  private mutating func counts() throws(RegexError) -> (min: Int, max: Int?)? {
    position += 1
    guard let low = number() else { return nil }
    var high: Int? = low
    if take(",") { high = number() }
    guard take("}") else { return nil }
    if low > RegexLimits.repetitionMax || (high ?? 0) > RegexLimits.repetitionMax { throw .tooLarge }
    if let high, high < low { throw .syntax("the bounds of a repetition are in the wrong order") }
    return (low, high)
  }

  private mutating func number() -> Int? {
    let start = position
    var value = 0
    while let byte = next, byte &- 0x30 <= 9 {
      value = min(value * 10 + Int(byte - 0x30), 1_000_000)
      position += 1
    }
    return position > start ? value : nil
  }

  // MARK: - Atoms

  private mutating func atom() throws(RegexError) -> RegexNode {
    let byte = pattern[position]
    position += 1
    switch byte {
    case UInt8(ascii: "("): return try group()
    case UInt8(ascii: "["): return .bytes(try characterClass())
    case UInt8(ascii: "."): return .bytes(ByteSet.newline.inverted)
    case UInt8(ascii: "^"): return .assertion(.start)
    case UInt8(ascii: "$"): return .assertion(.end)
    case UInt8(ascii: "\\"): return try escape()
    case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"): throw .syntax("there is nothing to repeat")
    default: return .bytes(literal(byte))
    }
  }

  private func literal(_ byte: UInt8) -> ByteSet { ignoresCase ? ByteSet(byte).ignoringCase : ByteSet(byte) }

  private mutating func group() throws(RegexError) -> RegexNode {
    let outerCase = ignoresCase
    var number: Int?
    if take("?") {
      if follows("=") || follows("!") { throw .unsupported("a lookahead") }
      if follows("<=") || follows("<!") { throw .unsupported("a lookbehind") }
      if follows(">") { throw .unsupported("an atomic group") }
      if follows("P<") || follows("<") {
        try skipName()
        captureCount += 1
        number = captureCount
      } else if follows("P") || follows("R") || follows("&") || follows("0") || follows("1") {
        throw .unsupported("a subroutine or recursion")
      } else if let isScoped = try flags() {
        // `(?i)` holds to the end of the enclosing group, which restores the case itself.
        if !isScoped { return .empty }
      }
    } else {
      captureCount += 1
      number = captureCount
    }
    let node = try alternatives()
    guard take(")") else { throw .syntax("a parenthesis is not closed") }
    ignoresCase = outerCase
    return number.map { .group(node, $0) } ?? node
  }

  private mutating func skipName() throws(RegexError) {
    _ = take("P")
    position += 1
    let start = position
    while let byte = next, ByteSet.word.contains(byte) { position += 1 }
    guard position > start, take(">") else { throw .syntax("the name of a group is not valid") }
  }

  /// Reads `i:`, `-i)` and their like; true when a group's contents follow.
  private mutating func flags() throws(RegexError) -> Bool? {
    var turnsOn = true
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "i"): ignoresCase = turnsOn
      case UInt8(ascii: "-"): turnsOn = false
      case UInt8(ascii: ":"): return true
      case UInt8(ascii: ")"): return false
      default: throw .unsupported("the flag \(String(decoding: [byte], as: UTF8.self))")
      }
    }
    throw .syntax("a parenthesis is not closed")
  }

  private mutating func escape() throws(RegexError) -> RegexNode {
    guard let byte = next else { throw .syntax("it ends with a backslash") }
    if let set = Self.classes[byte] {
      position += 1
      return .bytes(set)
    }
    switch byte {
    case UInt8(ascii: "A"):
      position += 1
      return .assertion(.start)
    case UInt8(ascii: "z"):
      position += 1
      return .assertion(.end)
    case UInt8(ascii: "b"):
      position += 1
      return .assertion(.wordBoundary)
    case UInt8(ascii: "B"):
      position += 1
      return .assertion(.notWordBoundary)
    default: return .bytes(literal(try escapedByte()))
    }
  }

  private static let classes: [UInt8: ByteSet] = [
    UInt8(ascii: "d"): .digit, UInt8(ascii: "D"): ByteSet.digit.inverted, UInt8(ascii: "w"): .word,
    UInt8(ascii: "W"): ByteSet.word.inverted, UInt8(ascii: "s"): .space, UInt8(ascii: "S"): ByteSet.space.inverted,
  ]

  private mutating func escapedByte() throws(RegexError) -> UInt8 {
    let byte = pattern[position]
    position += 1
    switch byte {
    case UInt8(ascii: "t"): return 0x09
    case UInt8(ascii: "n"): return 0x0A
    case UInt8(ascii: "v"): return 0x0B
    case UInt8(ascii: "f"): return 0x0C
    case UInt8(ascii: "r"): return 0x0D
    case UInt8(ascii: "a"): return 0x07
    case UInt8(ascii: "x"): return try hexadecimal()
    case 0x31...0x39, UInt8(ascii: "k"), UInt8(ascii: "g"): throw .unsupported("a backreference")
    case UInt8(ascii: "p"), UInt8(ascii: "P"), UInt8(ascii: "X"): throw .unsupported("a Unicode class")
    case 0x30, 0x41...0x5A, 0x61...0x7A:
      throw .unsupported("the escape \\\(String(decoding: [byte], as: UTF8.self))")
    default: return byte
    }
  }

  private mutating func hexadecimal() throws(RegexError) -> UInt8 {
    let isBraced = take("{")
    var value = 0
    var digits = 0
    while let byte = next, digits < 2 || isBraced, let digit = Self.digit(byte) {
      value = value * 16 + digit
      digits += 1
      position += 1
      if value > 255 { throw .unsupported("a character above 255") }
    }
    guard digits > 0, isBraced || digits == 2, !isBraced || take("}") else { throw .syntax("\\x needs two digits") }
    return UInt8(value)
  }

  private static func digit(_ byte: UInt8) -> Int? {
    switch byte {
    case 0x30...0x39: Int(byte - 0x30)
    case 0x41...0x46: Int(byte - 0x37)
    case 0x61...0x66: Int(byte - 0x57)
    default: nil
    }
  }

  // MARK: - Classes

  private mutating func characterClass() throws(RegexError) -> ByteSet {
    let isNegated = take("^")
    var set = ByteSet()
    var isFirst = true
    while true {
      guard let byte = next else { throw .syntax("a class is not closed") }
      if byte == UInt8(ascii: "]"), !isFirst { break }
      isFirst = false
      if byte == UInt8(ascii: "["), follows("[:") {
        set.formUnion(try namedClass())
        continue
      }
      if byte == UInt8(ascii: "\\"), position + 1 < pattern.count, let named = Self.classes[pattern[position + 1]] {
        position += 2
        set.formUnion(named)
        continue
      }
      let low = try classByte()
      if next == UInt8(ascii: "-"), position + 1 < pattern.count, pattern[position + 1] != UInt8(ascii: "]") {
        position += 1
        let high = try classByte()
        if high < low { throw .syntax("a range in a class is in the wrong order") }
        set.insert(low...high)
      } else {
        set.insert(low)
      }
    }
    position += 1
    if ignoresCase { set = set.ignoringCase }
    return isNegated ? set.inverted : set
  }

  private mutating func classByte() throws(RegexError) -> UInt8 {
    guard let byte = next else { throw .syntax("a class is not closed") }
    position += 1
    if byte >= 0x80 { throw .unsupported("a character in a class that is not ASCII") }
    guard byte == UInt8(ascii: "\\") else { return byte }
    guard let escaped = next else { throw .syntax("a class is not closed") }
    if escaped == UInt8(ascii: "b") {
      position += 1
      return 0x08
    }
    return try escapedByte()
  }

  private mutating func namedClass() throws(RegexError) -> ByteSet {
    var end = position + 2
    while end < pattern.count, pattern[end] != UInt8(ascii: ":") { end += 1 }
    guard end + 1 < pattern.count, pattern[end + 1] == UInt8(ascii: "]") else { throw .syntax("a class is not closed") }
    var name = String(decoding: pattern[position + 2..<end], as: UTF8.self)
    let isNegated = name.hasPrefix("^")
    if isNegated { name.removeFirst() }
    guard let set = ByteSet.named[name] else { throw .syntax("there is no class [:\(name):]") }
    position = end + 2
    return isNegated ? set.inverted : set
  }
}
