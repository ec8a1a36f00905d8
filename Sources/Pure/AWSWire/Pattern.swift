// The regular expressions of the models: a subset, compiled to a small machine that runs in linear time (Pike's).
// No groups are captured and nothing is tried twice, so no pattern and no input can make it slow.

/// A compiled pattern, matched against a whole string.
struct Pattern: Sendable {
  private enum Step: Sendable {
    case set(CharacterSet)
    case split(Int, Int)
    case jump(Int)
    case start, end, wordBoundary
    case accept
  }

  /// Ranges and properties of scalars.
  struct CharacterSet: Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    var properties: [Property] = []
    var isNegated = false

    enum Property: Sendable { case letter, number, separator, word, notWord, digit, notDigit, space, notSpace }

    func contains(_ scalar: Unicode.Scalar) -> Bool {
      for range in ranges where range.contains(scalar.value) { return !isNegated }
      for property in properties where Self.has(scalar, property) { return !isNegated }
      return isNegated
    }

    private static func isWord(_ v: UInt32) -> Bool {
      v >= 48 && v <= 57 || v >= 65 && v <= 90 || v >= 97 && v <= 122 || v == 95
    }

    private static func isSpace(_ v: UInt32) -> Bool { v == 32 || v >= 9 && v <= 13 }

    private static func has(_ scalar: Unicode.Scalar, _ property: Property) -> Bool {
      let v = scalar.value
      switch property {
      case .word: return isWord(v)
      case .notWord: return !isWord(v)
      case .digit: return v >= 48 && v <= 57
      case .notDigit: return v < 48 || v > 57
      case .space: return isSpace(v)
      case .notSpace: return !isSpace(v)
      case .letter: return scalar.properties.isAlphabetic
      case .number: return scalar.properties.numericType != nil
      case .separator:
        switch scalar.properties.generalCategory {
        case .spaceSeparator, .lineSeparator, .paragraphSeparator: return true
        default: return false
        }
      }
    }
  }

  private static let maximumSteps = 6000
  /// Steps times characters beyond which a value is let through unchecked rather than make a caller wait.
  private static let maximumWork = 20_000_000

  private var steps: [Step] = []

  /// Nil when the pattern holds something that is not known here (look-ahead), or is too large.
  init?(_ text: String) {
    var parser = PatternParser(text)
    guard let node = parser.parse(), emit(node), steps.count < Self.maximumSteps else { return nil }
    steps.append(.accept)
  }

  private mutating func emit(_ node: PatternNode) -> Bool {
    guard steps.count < Self.maximumSteps else { return false }
    switch node {
    case .empty: break
    case .set(let set): steps.append(.set(set))
    case .start: steps.append(.start)
    case .end: steps.append(.end)
    case .wordBoundary: steps.append(.wordBoundary)
    case .sequence(let nodes): for node in nodes { guard emit(node) else { return false } }
    case .choice(let nodes):
      var ends: [Int] = []
      for (index, node) in nodes.enumerated() {
        guard index < nodes.count - 1 else { return emit(node) && close(ends) }
        let split = steps.count
        steps.append(.split(split + 1, 0))
        guard emit(node) else { return false }
        ends.append(steps.count)
        steps.append(.jump(0))
        steps[split] = .split(split + 1, steps.count)
      }
    case .repeated(let node, let least, let most):
      for _ in 0..<least { guard emit(node) else { return false } }
      guard let most else {
        let split = steps.count
        steps.append(.split(split + 1, 0))
        guard emit(node) else { return false }
        steps.append(.jump(split))
        steps[split] = .split(split + 1, steps.count)
        return true
      }
      var splits: [Int] = []
      for _ in least..<max(least, most) {
        splits.append(steps.count)
        steps.append(.split(steps.count + 1, 0))
        guard emit(node) else { return false }
      }
      for split in splits { steps[split] = .split(split + 1, steps.count) }
    }
    return true
  }

  private mutating func close(_ jumps: [Int]) -> Bool {
    for jump in jumps { steps[jump] = .jump(steps.count) }
    return true
  }

  /// True when the whole of the text is of the pattern's form, and also when finding out would take too long.
  func matches(_ text: String) -> Bool {
    let scalars = Array(text.unicodeScalars)
    guard scalars.count * steps.count <= Self.maximumWork else { return true }
    var current = Threads(steps.count)
    var next = Threads(steps.count)
    add(0, 0, scalars, &current)
    for (at, scalar) in scalars.enumerated() {
      guard !current.list.isEmpty else { return false }
      next.clear()
      for pc in current.list {
        if case .set(let set) = steps[pc], set.contains(scalar) { add(pc + 1, at + 1, scalars, &next) }
      }
      swap(&current, &next)
    }
    return current.list.contains { if case .accept = steps[$0] { true } else { false } }
  }

  /// A set of places in the program, each once.
  private struct Threads {
    var list: [Int] = []
    var seen: [Int]
    var generation = 1
    init(_ count: Int) { seen = [Int](repeating: 0, count: count) }
    mutating func clear() {
      list.removeAll(keepingCapacity: true)
      generation += 1
    }
  }

  private func add(_ start: Int, _ at: Int, _ scalars: [Unicode.Scalar], _ threads: inout Threads) {
    var open = [start]
    while let pc = open.popLast() {
      guard threads.seen[pc] != threads.generation else { continue }
      threads.seen[pc] = threads.generation
      switch steps[pc] {
      case .jump(let to): open.append(to)
      case .split(let a, let b):
        open.append(b)
        open.append(a)
      case .start: if at == 0 { open.append(pc + 1) }
      case .end: if at == scalars.count { open.append(pc + 1) }
      case .wordBoundary:
        let word = CharacterSet(properties: [.word])
        let before = at > 0 && word.contains(scalars[at - 1])
        let after = at < scalars.count && word.contains(scalars[at])
        if before != after { open.append(pc + 1) }
      case .set, .accept: threads.list.append(pc)
      }
    }
  }
}

indirect enum PatternNode {
  case empty
  case set(Pattern.CharacterSet)
  case start, end, wordBoundary
  case sequence([PatternNode])
  case choice([PatternNode])
  case repeated(PatternNode, Int, Int?)
}

/// Reads the syntax; every function gives nil for what it does not know.
struct PatternParser {
  private let text: [Unicode.Scalar]
  private var at = 0
  private var depth = 0

  init(_ text: String) { self.text = Array(text.unicodeScalars) }

  mutating func parse() -> PatternNode? {
    guard let node = choice(), at == text.count else { return nil }
    return node
  }

  private var peek: Unicode.Scalar? { at < text.count ? text[at] : nil }

  private mutating func choice() -> PatternNode? {
    depth += 1
    defer { depth -= 1 }
    guard depth < 32 else { return nil }
    var branches: [PatternNode] = []
    while true {
      var parts: [PatternNode] = []
      while let next = peek, next != "|", next != ")" {
        guard let atom = atom(), let part = repetition(atom) else { return nil }
        parts.append(part)
      }
      branches.append(parts.isEmpty ? .empty : .sequence(parts))
      guard peek == "|" else { return branches.count == 1 ? branches[0] : .choice(branches) }
      at += 1
    }
  }

  private mutating func repetition(_ atom: PatternNode) -> PatternNode? {
    var result = atom
    while let next = peek {
      switch next {
      case "*": result = .repeated(result, 0, nil)
      case "+": result = .repeated(result, 1, nil)
      case "?": result = .repeated(result, 0, 1)
      case "{":
        guard let (least, most) = bounds() else { return nil }
        result = .repeated(result, least, most)
        continue
      default: return result
      }
      at += 1
      // A reluctant repetition matches the same strings; a possessive one (`++`) does not.
      if peek == "?" { at += 1 } else if peek == "+" { return nil }
    }
    return result
  }

  private mutating func bounds() -> (Int, Int?)? {
    at += 1
    guard let least = number() else { return nil }
    var most: Int? = least
    if peek == "," {
      at += 1
      most = number()
    }
    guard peek == "}", least <= 1000, most ?? 0 <= 1000, most ?? least >= least else { return nil }
    at += 1
    return (least, most)
  }

  private mutating func number() -> Int? {
    var digits = ""
    while let next = peek, next.value >= 48, next.value <= 57, digits.utf8.count < 6 {
      digits.unicodeScalars.append(next)
      at += 1
    }
    return Int(digits)
  }

  private mutating func atom() -> PatternNode? {
    guard let next = peek else { return nil }
    at += 1
    switch next {
    case "(":
      if peek == "?" {
        guard at + 1 < text.count, text[at + 1] == ":" else { return nil }
        at += 2
      }
      guard let node = choice(), peek == ")" else { return nil }
      at += 1
      return node
    case "[": return characterClass().map(PatternNode.set)
    // Any character, line ends too: AWS's services are not of one mind about those.
    case ".": return .set(.init(ranges: [0...0x10FFFF]))
    case "^": return .start
    case "$": return .end
    case "*", "+", "?", ")": return nil
    case "\\":
      if peek == "b" {
        at += 1
        return .wordBoundary
      }
      return escape().map(PatternNode.set)
    default: return .set(.init(ranges: [next.value...next.value]))
    }
  }

  /// What follows a backslash.
  private mutating func escape() -> Pattern.CharacterSet? {
    guard let next = peek else { return nil }
    at += 1
    func one(_ value: UInt32) -> Pattern.CharacterSet { .init(ranges: [value...value]) }
    switch next {
    case "w": return .init(properties: [.word])
    case "W": return .init(properties: [.notWord])
    case "d": return .init(properties: [.digit])
    case "D": return .init(properties: [.notDigit])
    case "s": return .init(properties: [.space])
    case "S": return .init(properties: [.notSpace])
    case "n": return one(10)
    case "r": return one(13)
    case "t": return one(9)
    case "p": return property()
    case "u":
      guard var code = fourDigits() else { return nil }
      // Two halves of a UTF-16 pair stand for one character.
      if code & 0xFC00 == 0xD800, at + 1 < text.count, text[at] == "\\", text[at + 1] == "u" {
        let back = at
        at += 2
        if let low = fourDigits(), low & 0xFC00 == 0xDC00 {
          code = 0x10000 + (code & 0x3FF) << 10 + (low & 0x3FF)
        } else {
          at = back
        }
      }
      return one(code)
    default:
      guard !next.properties.isAlphabetic, next.value < 48 || next.value > 57 else { return nil }
      return one(next.value)
    }
  }

  private mutating func fourDigits() -> UInt32? {
    guard at + 4 <= text.count else { return nil }
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard text[at].isASCII, let digit = PercentCoding.hex(UInt8(text[at].value)) else { return nil }
      code = code << 4 | UInt32(digit)
      at += 1
    }
    return code
  }

  private mutating func property() -> Pattern.CharacterSet? {
    guard peek == "{" else { return nil }
    var name = ""
    at += 1
    while let next = peek, next != "}", name.utf8.count < 32 {
      name.unicodeScalars.append(next)
      at += 1
    }
    guard peek == "}" else { return nil }
    at += 1
    switch name {
    case "L", "IsL", "Alpha": return .init(properties: [.letter])
    case "N", "IsN": return .init(properties: [.number])
    case "Z", "IsZ": return .init(properties: [.separator])
    case "Print": return .init(ranges: [0x20...0x7E])
    case "Graph": return .init(ranges: [0x21...0x7E])
    case "ASCII": return .init(ranges: [0...0x7F])
    default: return nil
    }
  }

  private mutating func characterClass() -> Pattern.CharacterSet? {
    var set = Pattern.CharacterSet()
    if peek == "^" {
      set.isNegated = true
      at += 1
    }
    var isFirst = true
    while let next = peek, next != "]" || isFirst {
      isFirst = false
      // Classes inside classes and intersections are Java's own.
      if next == "[" || next == "&" && at + 1 < text.count && text[at + 1] == "&" { return nil }
      guard let item = classItem() else { return nil }
      guard item.properties.isEmpty, let low = item.ranges.first, low.count == 1, peek == "-", at + 1 < text.count,
        text[at + 1] != "]"
      else {
        set.ranges += item.ranges
        set.properties += item.properties
        continue
      }
      at += 1
      guard let end = classItem(), end.properties.isEmpty, let high = end.ranges.first, high.count == 1,
        low.lowerBound <= high.lowerBound
      else { return nil }
      set.ranges.append(low.lowerBound...high.lowerBound)
    }
    guard peek == "]" else { return nil }
    at += 1
    return set
  }

  private mutating func classItem() -> Pattern.CharacterSet? {
    guard let next = peek else { return nil }
    at += 1
    return next == "\\" ? escape() : .init(ranges: [next.value...next.value])
  }
}
