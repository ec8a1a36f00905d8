// A regular expression over bytes, compiled to a program of a nondeterministic automaton: nothing here backtracks, so
// the time to match is at most the length of the text times the size of the pattern, whoever wrote either.

/// One instruction of a pattern's program.
enum RegexInstruction: Sendable {
  /// Takes one byte of the set and goes on behind it.
  case bytes(Int, next: Int)
  /// Goes on at both, the first preferred.
  case split(Int, Int)
  case assertion(RegexAssertion, next: Int)
  /// Remembers the place in the text.
  case save(Int, next: Int)
  case match
}

/// A compiled pattern. See `RegexParser` for the dialect.
public struct ByteRegex: Sendable {
  public let pattern: String
  /// How many groups capture, the whole match not counted.
  public let captureCount: Int
  let instructions: [RegexInstruction]
  let sets: [ByteSet]

  /// - Throws: `RegexError`.
  public init(_ pattern: String, ignoresCase: Bool = false) throws(RegexError) {
    self.pattern = pattern
    var parser = RegexParser(pattern, ignoresCase: ignoresCase)
    let tree = try parser.parse()
    captureCount = parser.captureCount
    var compiler = RegexCompiler()
    try compiler.emit(.group(tree, 0))
    try compiler.add(.match)
    instructions = compiler.instructions
    sets = compiler.sets
  }

  /// Whether the pattern is found anywhere in the text.
  public func isFound(in text: String) -> Bool {
    let bytes = Array(text.utf8)
    return bytes.withUnsafeBufferPointer { firstMatch(in: $0) != nil }
  }
}

/// Turns trees into programs.
struct RegexCompiler {
  private(set) var instructions: [RegexInstruction] = []
  private(set) var sets: [ByteSet] = []
  private var numbers: [ByteSet: Int] = [:]

  mutating func add(_ instruction: RegexInstruction) throws(RegexError) {
    if instructions.count >= RegexLimits.programMax { throw .tooLarge }
    instructions.append(instruction)
  }

  /// Appends a node's instructions; they go on behind themselves.
  mutating func emit(_ node: RegexNode) throws(RegexError) {
    switch node {
    case .empty: break
    case .bytes(let set):
      let number = numbers[set] ?? sets.count
      if number == sets.count {
        numbers[set] = number
        sets.append(set)
      }
      try add(.bytes(number, next: instructions.count + 1))
    case .assertion(let assertion): try add(.assertion(assertion, next: instructions.count + 1))
    case .sequence(let parts): for part in parts { try emit(part) }
    case .alternatives(let branches): try emit(branches[...])
    case .group(let inner, let number):
      try add(.save(number * 2, next: instructions.count + 1))
      try emit(inner)
      try add(.save(number * 2 + 1, next: instructions.count + 1))
    case .repetition(let inner, let low, let high, let isLazy):
      for _ in 0..<low {
        let before = instructions.count
        try emit(inner)
        // What emits nothing matches nothing, however often.
        if instructions.count == before { break }
      }
      guard let high else { return try emitLoop(inner, isLazy) }
      try emitOptional(inner, high - low, isLazy)
    }
  }

  private mutating func emit(_ branches: ArraySlice<RegexNode>) throws(RegexError) {
    guard let first = branches.first else { return }
    if branches.count == 1 { return try emit(first) }
    let split = instructions.count
    try add(.match)
    try emit(first)
    let jump = instructions.count
    try add(.match)
    instructions[split] = .split(split + 1, instructions.count)
    try emit(branches.dropFirst())
    instructions[jump] = .split(instructions.count, instructions.count)
  }

  private mutating func emitLoop(_ inner: RegexNode, _ isLazy: Bool) throws(RegexError) {
    let split = instructions.count
    try add(.match)
    try emit(inner)
    try add(.split(split, split))
    let end = instructions.count
    instructions[split] = isLazy ? .split(end, split + 1) : .split(split + 1, end)
  }

  private mutating func emitOptional(_ inner: RegexNode, _ count: Int, _ isLazy: Bool) throws(RegexError) {
    var splits: [Int] = []
    for _ in 0..<max(0, count) {
      splits.append(instructions.count)
      try add(.match)
      try emit(inner)
    }
    let end = instructions.count
    for split in splits { instructions[split] = isLazy ? .split(end, split + 1) : .split(split + 1, end) }
  }
}
