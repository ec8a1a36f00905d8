// From a pattern's text to its tree.

struct Parser {
  private struct Flags {
    var ignoresCase: Bool
    var dotTakesAll = false
    var isMultiline = false
    var isExtended = false
  }

  private let bytes: [UInt8]
  private var position = 0
  private var depth = 0
  private var flags: Flags
  private(set) var groupCount: Int
  private(set) var groupNames: [String: Int] = [:]

  init(_ pattern: String, ignoresCase: Bool, firstGroup: Int) throws(LinearRegexError) {
    bytes = Array(pattern.utf8)
    flags = Flags(ignoresCase: ignoresCase)
    groupCount = firstGroup
    if bytes.count > LinearRegexLimits.patternMax {
      throw LinearRegexError("the pattern is too long", at: LinearRegexLimits.patternMax)
    }
  }

  mutating func parse() throws(LinearRegexError) -> Node {
    let node = try alternation()
    if position < bytes.count { throw failure("there is no group that ) could end") }
    return node
  }

  private func failure(_ reason: String) -> LinearRegexError { LinearRegexError(reason, at: position) }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard peek == byte else { return false }
    position += 1
    return true
  }

  private mutating func take(_ text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard position + count <= bytes.count else { return false }
    for index in 0..<count where bytes[position + index] != text.utf8Start[index] { return false }
    position += count
    return true
  }

  // MARK: - Structure

  private mutating func alternation() throws(LinearRegexError) -> Node {
    var branches = [try sequence()]
    while take(UInt8(ascii: "|")) { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .alternation(branches)
  }

  private mutating func sequence() throws(LinearRegexError) -> Node {
    var parts: [Node] = []
    while let byte = peek, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
      if flags.isExtended, skipExtended() { continue }
      guard let atom = try atom() else { continue }
      parts.append(try quantified(atom))
    }
    return parts.isEmpty ? .empty : parts.count == 1 ? parts[0] : .concatenation(parts)
  }

  /// White space and comments of `(?x)`.
  private mutating func skipExtended() -> Bool {
    guard let byte = peek else { return false }
    if byte == UInt8(ascii: "#") {
      while let next = peek, next != 0x0A {
        _ = next
        position += 1
      }
      return true
    }
    if ByteSet.space.contains(byte) {
      position += 1
      return true
    }
    return false
  }

  /// One piece without its quantifier; nil for a setting of flags.
  private mutating func atom() throws(LinearRegexError) -> Node? {
    let byte = bytes[position]
    switch byte {
    case UInt8(ascii: "("): return try group()
    case UInt8(ascii: "["): return .set(try characterClass())
    case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"): throw failure("there is nothing to repeat")
    case UInt8(ascii: "."):
      position += 1
      return .set(flags.dotTakesAll ? .all : ByteSet(0x0A...0x0A).inverted)
    case UInt8(ascii: "^"):
      position += 1
      return .assertion(flags.isMultiline ? .lineStart : .textStart)
    case UInt8(ascii: "$"):
      position += 1
      return .assertion(flags.isMultiline ? .lineEnd : .textEnd)
    case UInt8(ascii: "\\"): return try escape()
    default: return literal()
    }
  }

  /// A character; one of several bytes is one piece, so that a quantifier behind it repeats all of it.
  private mutating func literal() -> Node {
    let first = bytes[position]
    position += 1
    guard first >= 0xC0 else { return set(first) }
    var parts = [set(first)]
    while let next = peek, next & 0xC0 == 0x80 {
      parts.append(set(next))
      position += 1
    }
    return .concatenation(parts)
  }

  private func set(_ byte: UInt8) -> Node {
    let set = ByteSet(byte...byte)
    return .set(flags.ignoresCase ? set.ignoringCase : set)
  }

  private mutating func group() throws(LinearRegexError) -> Node? {
    position += 1
    depth += 1
    defer { depth -= 1 }
    if depth > LinearRegexLimits.nestingMax { throw failure("groups are nested too deep") }
    let outer = flags
    guard take(UInt8(ascii: "?")) else { return try capture(nil, outer) }
    if take("#") {
      while let byte = peek, byte != UInt8(ascii: ")") {
        _ = byte
        position += 1
      }
      guard take(UInt8(ascii: ")")) else { throw failure("the comment does not end") }
      return nil
    }
    if take(":") { return try rest(outer) }
    if take("=") || take("!") { throw failure("looking ahead is not supported") }
    if take("<=") || take("<!") { throw failure("looking behind is not supported") }
    if take(">") || take("|") { throw failure("atomic and branch reset groups are not supported") }
    if take("P<") || take("<") { return try capture(try name(UInt8(ascii: ">")), outer) }
    if take("'") { return try capture(try name(UInt8(ascii: "'")), outer) }
    if take("P") || take("R") || take("&") || take("(") {
      throw failure("recursion, back references and conditions are not supported")
    }
    return try flagGroup(outer)
  }

  private mutating func rest(_ outer: Flags) throws(LinearRegexError) -> Node {
    let node = try alternation()
    guard take(UInt8(ascii: ")")) else { throw failure("a group does not end") }
    flags = outer
    return node
  }

  private mutating func capture(_ name: String?, _ outer: Flags) throws(LinearRegexError) -> Node {
    groupCount += 1
    let index = groupCount
    if index > 99 { throw failure("there are more than 99 groups") }
    if let name { groupNames[name] = index }
    return .group(try rest(outer), index: index)
  }

  private mutating func name(_ end: UInt8) throws(LinearRegexError) -> String {
    let start = position
    while let byte = peek, ByteSet.word.contains(byte) { position += 1 }
    let name = String(decoding: bytes[start..<position], as: UTF8.self)
    guard !name.isEmpty, take(end) else { throw failure("a group's name is not valid") }
    return name
  }

  private mutating func flagGroup(_ outer: Flags) throws(LinearRegexError) -> Node? {
    var isOn = true
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "i"): flags.ignoresCase = isOn
      case UInt8(ascii: "s"): flags.dotTakesAll = isOn
      case UInt8(ascii: "m"): flags.isMultiline = isOn
      case UInt8(ascii: "x"): flags.isExtended = isOn
      case UInt8(ascii: "-"): isOn = false
      case UInt8(ascii: ":"): return try rest(outer)
      // Holds to the end of the group around it, which restores its own.
      case UInt8(ascii: ")"): return nil
      default:
        position -= 1
        throw failure("this flag or group is not supported")
      }
    }
    throw failure("a group does not end")
  }

  // MARK: - Quantifiers

  private mutating func quantified(_ atom: Node) throws(LinearRegexError) -> Node {
    var node = atom
    while true {
      if flags.isExtended { while skipExtended() {} }
      guard let (low, high) = try quantifier() else { return node }
      var isGreedy = true
      if take(UInt8(ascii: "?")) {
        isGreedy = false
      } else if peek == UInt8(ascii: "+") {
        throw failure("possessive quantifiers are not supported")
      }
      node = .repetition(node, min: low, max: high, isGreedy: isGreedy)
      if let next = peek, next == UInt8(ascii: "*") || next == UInt8(ascii: "?") {
        throw failure("there is nothing to repeat")
      }
    }
  }

  private mutating func quantifier() throws(LinearRegexError) -> (Int, Int?)? {
    if take(UInt8(ascii: "*")) { return (0, nil) }
    if take(UInt8(ascii: "+")) { return (1, nil) }
    if take(UInt8(ascii: "?")) { return (0, 1) }
    guard peek == UInt8(ascii: "{") else { return nil }
    let start = position
    position += 1
    // A brace that begins no count is a character of its own, as in Perl.
    guard let low = number() else {
      position = start
      return nil
    }
    var high: Int? = low
    if take(UInt8(ascii: ",")) { high = number() }
    guard take(UInt8(ascii: "}")) else {
      position = start
      return nil
    }
    if low > LinearRegexLimits.repeatMax || (high ?? 0) > LinearRegexLimits.repeatMax {
      throw failure("a count is above \(LinearRegexLimits.repeatMax)")
    }
    if let high, high < low { throw failure("a count's bounds are in the wrong order") }
    return (low, high)
  }

  private mutating func number() -> Int? {
    var value: Int?
    while let byte = peek, ByteSet.digits.contains(byte) {
      value = min((value ?? 0) * 10 + Int(byte - 0x30), 1_000_000)
      position += 1
    }
    return value
  }

  // MARK: - Escapes and classes

  private mutating func escape() throws(LinearRegexError) -> Node {
    let start = position
    position += 1
    guard let byte = peek else { throw failure("the pattern ends with a backslash") }
    let assertion: Assertion? =
      switch byte {
      case UInt8(ascii: "b"): .wordBoundary
      case UInt8(ascii: "B"): .notWordBoundary
      case UInt8(ascii: "A"): .textStart
      case UInt8(ascii: "z"), UInt8(ascii: "Z"): .textEnd
      default: nil
      }
    if let assertion {
      position += 1
      return .assertion(assertion)
    }
    if byte == UInt8(ascii: "Q") { return quoted() }
    if byte == UInt8(ascii: "E") {
      position += 1
      return .empty
    }
    position = start
    let set = try escapedSet()
    return .set(flags.ignoresCase ? set.ignoringCase : set)
  }

  /// `\Q…\E`: characters as they are.
  private mutating func quoted() -> Node {
    position += 1
    var parts: [Node] = []
    while position < bytes.count {
      if take("\\E") { break }
      parts.append(set(bytes[position]))
      position += 1
    }
    return .concatenation(parts)
  }

  /// An escape that stands for one byte or a class, inside or outside of brackets.
  private mutating func escapedSet() throws(LinearRegexError) -> ByteSet {
    position += 1
    guard let byte = peek else { throw failure("the pattern ends with a backslash") }
    position += 1
    switch byte {
    case UInt8(ascii: "d"): return .digits
    case UInt8(ascii: "D"): return ByteSet.digits.inverted
    case UInt8(ascii: "w"): return .word
    case UInt8(ascii: "W"): return ByteSet.word.inverted
    case UInt8(ascii: "s"): return .space
    case UInt8(ascii: "S"): return ByteSet.space.inverted
    case UInt8(ascii: "h"): return ByteSet(0x09...0x09, 0x20...0x20)
    case UInt8(ascii: "N"): return ByteSet(0x0A...0x0A).inverted
    case UInt8(ascii: "t"): return ByteSet(0x09...0x09)
    case UInt8(ascii: "n"): return ByteSet(0x0A...0x0A)
    case UInt8(ascii: "v"): return ByteSet(0x0A...0x0D)
    case UInt8(ascii: "f"): return ByteSet(0x0C...0x0C)
    case UInt8(ascii: "r"): return ByteSet(0x0D...0x0D)
    case UInt8(ascii: "a"): return ByteSet(0x07...0x07)
    case UInt8(ascii: "e"): return ByteSet(0x1B...0x1B)
    case UInt8(ascii: "0"): return ByteSet(0...0)
    case UInt8(ascii: "x"): return try hexadecimal()
    case UInt8(ascii: "1")...UInt8(ascii: "9"), UInt8(ascii: "k"), UInt8(ascii: "g"):
      throw failure("back references are not supported")
    case UInt8(ascii: "p"), UInt8(ascii: "P"), UInt8(ascii: "X"), UInt8(ascii: "C"):
      throw failure("Unicode classes are not supported")
    default:
      if ByteSet.word.contains(byte) { throw failure("this escape is not supported") }
      return ByteSet(byte...byte)
    }
  }

  private mutating func hexadecimal() throws(LinearRegexError) -> ByteSet {
    let isBraced = take(UInt8(ascii: "{"))
    var value = 0
    var digits = 0
    while let byte = peek, let digit = Self.hexDigit(byte), digits < (isBraced ? 6 : 2) {
      value = value * 16 + digit
      digits += 1
      position += 1
    }
    if isBraced, digits == 0 || !take(UInt8(ascii: "}")) { throw failure("\\x{…} is not valid") }
    guard let byte = UInt8(exactly: value) else { throw failure("\\x{…} above FF is not supported") }
    return ByteSet(byte...byte)
  }

  private static func hexDigit(_ byte: UInt8) -> Int? {
    switch byte {
    case 0x30...0x39: Int(byte) - 0x30
    case 0x41...0x46: Int(byte) - 0x37
    case 0x61...0x66: Int(byte) - 0x57
    default: nil
    }
  }

  private mutating func characterClass() throws(LinearRegexError) -> ByteSet {
    position += 1
    let isNegated = take(UInt8(ascii: "^"))
    var set = ByteSet()
    var isFirst = true
    while true {
      guard let byte = peek else { throw failure("a class does not end") }
      if byte == UInt8(ascii: "]"), !isFirst {
        position += 1
        break
      }
      isFirst = false
      if take("[:") {
        set.formUnion(try posixClass())
        continue
      }
      let (members, single) = try classMember()
      guard let low = single, peek == UInt8(ascii: "-"), position + 1 < bytes.count,
        bytes[position + 1] != UInt8(ascii: "]")
      else {
        set.formUnion(members)
        continue
      }
      position += 1
      guard let high = try classMember().single else { throw failure("a range ends with a class") }
      guard low <= high else { throw failure("a range's bounds are in the wrong order") }
      set.insert(low...high)
    }
    if flags.ignoresCase { set = set.ignoringCase }
    return isNegated ? set.inverted : set
  }

  private mutating func classMember() throws(LinearRegexError) -> (set: ByteSet, single: UInt8?) {
    guard let byte = peek else { throw failure("a class does not end") }
    if byte >= 0x80 { throw failure("classes take ASCII characters and \\x escapes only") }
    guard byte == UInt8(ascii: "\\") else {
      position += 1
      return (ByteSet(byte...byte), byte)
    }
    if position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "b") {
      position += 2
      return (ByteSet(0x08...0x08), 0x08)
    }
    let set = try escapedSet()
    var single: UInt8?
    for byte in UInt8.min...UInt8.max where set.contains(byte) {
      if single != nil { return (set, nil) }
      single = byte
    }
    return (set, single)
  }

  private mutating func posixClass() throws(LinearRegexError) -> ByteSet {
    let isNegated = take(UInt8(ascii: "^"))
    let start = position
    while let byte = peek, byte != UInt8(ascii: ":") {
      _ = byte
      position += 1
    }
    let name = String(decoding: bytes[start..<position], as: UTF8.self)
    guard take(":]") else { throw failure("a class does not end") }
    let set: ByteSet? =
      switch name {
      case "alpha": ByteSet(0x41...0x5A, 0x61...0x7A)
      case "digit": .digits
      case "alnum": ByteSet(0x30...0x39, 0x41...0x5A, 0x61...0x7A)
      case "upper": ByteSet(0x41...0x5A)
      case "lower": ByteSet(0x61...0x7A)
      case "space": .space
      case "blank": ByteSet(0x09...0x09, 0x20...0x20)
      case "punct": ByteSet(0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E)
      case "xdigit": ByteSet(0x30...0x39, 0x41...0x46, 0x61...0x66)
      case "word": .word
      case "cntrl": ByteSet(0x00...0x1F, 0x7F...0x7F)
      case "print": ByteSet(0x20...0x7E)
      case "graph": ByteSet(0x21...0x7E)
      case "ascii": ByteSet(0x00...0x7F)
      default: nil
      }
    guard let set else { throw failure("there is no class [:\(name):]") }
    return isNegated ? set.inverted : set
  }
}
