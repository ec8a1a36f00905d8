// From a pattern's tree to the instructions of its automaton (Thompson's construction).

struct Instruction: Sendable {
  enum Operation: UInt8, Sendable {
    /// Takes a byte of set `x`, goes on behind.
    case take
    /// Goes on at `x` or, with less priority, at `y`.
    case split
    case jump
    /// Notes the position in slot `x`.
    case save
    /// Goes on behind when assertion `x` holds.
    case assertion
    case match
  }

  var operation: Operation
  var x: Int32 = 0
  var y: Int32 = 0
}

struct Program: Sendable {
  private(set) var instructions: [Instruction] = []
  private(set) var sets: [ByteSet] = []
  /// For every byte, the class of bytes that no part of the pattern tells apart.
  private(set) var classes: [UInt8] = []
  private(set) var classCount = 0
  /// A byte of each class.
  private(set) var representatives: [UInt8] = []
  /// Matches can only begin at the start of the text.
  let isAnchored: Bool
  private var setNumbers: [ByteSet: Int32] = [:]
  private var assertions: Set<Assertion> = []
  private var budget = 10 * LinearRegexLimits.programMax

  init(_ node: Node, groups: Int) throws(LinearRegexError) {
    isAnchored = Self.startsAtTextStart(node)
    try emit(.group(node, index: 0))
    instructions.append(Instruction(operation: .match))
    findClasses()
  }

  private static func startsAtTextStart(_ node: Node) -> Bool {
    switch node {
    case .assertion(.textStart): true
    case .concatenation(let parts): parts.first.map(startsAtTextStart) ?? false
    case .alternation(let branches): branches.allSatisfy(startsAtTextStart)
    case .group(let inner, _): startsAtTextStart(inner)
    case .repetition(let inner, let min, _, _): min > 0 && startsAtTextStart(inner)
    default: false
    }
  }

  // MARK: - Instructions

  private mutating func append(_ operation: Instruction.Operation, _ x: Int = 0, _ y: Int = 0) throws(LinearRegexError)
    -> Int
  {
    if instructions.count >= LinearRegexLimits.programMax { throw LinearRegexError("the pattern is too large", at: 0) }
    instructions.append(Instruction(operation: operation, x: Int32(x), y: Int32(y)))
    return instructions.count - 1
  }

  private mutating func emit(_ node: Node) throws(LinearRegexError) {
    // Repeating nothing emits nothing but takes its time.
    budget -= 1
    if budget < 0 { throw LinearRegexError("the pattern is too large", at: 0) }
    switch node {
    case .empty: return
    case .set(let set): _ = try append(.take, Int(number(set)))
    case .assertion(let assertion):
      assertions.insert(assertion)
      _ = try append(.assertion, Int(assertion.rawValue))
    case .concatenation(let parts): for part in parts { try emit(part) }
    case .alternation(let branches): try emit(branches)
    case .group(let inner, let index):
      _ = try append(.save, 2 * index)
      try emit(inner)
      _ = try append(.save, 2 * index + 1)
    case .repetition(let inner, let min, let max, let isGreedy):
      for _ in 0..<min { try emit(inner) }
      if let max {
        try emitOptional(inner, max - min, isGreedy)
      } else {
        try emitLoop(inner, isGreedy)
      }
    }
  }

  private mutating func number(_ set: ByteSet) -> Int32 {
    if let known = setNumbers[set] { return known }
    let number = Int32(sets.count)
    sets.append(set)
    setNumbers[set] = number
    return number
  }

  private mutating func emit(_ branches: [Node]) throws(LinearRegexError) {
    var jumps: [Int] = []
    for (index, branch) in branches.enumerated() {
      guard index < branches.count - 1 else {
        try emit(branch)
        break
      }
      let split = try append(.split)
      setTargets(split, split + 1, 0, isGreedy: true)
      try emit(branch)
      jumps.append(try append(.jump))
      setTargets(split, split + 1, instructions.count, isGreedy: true)
    }
    for jump in jumps { instructions[jump].x = Int32(instructions.count) }
  }

  private mutating func emitLoop(_ inner: Node, _ isGreedy: Bool) throws(LinearRegexError) {
    let split = try append(.split)
    try emit(inner)
    _ = try append(.jump, split)
    setTargets(split, split + 1, instructions.count, isGreedy: isGreedy)
  }

  private mutating func emitOptional(_ inner: Node, _ count: Int, _ isGreedy: Bool) throws(LinearRegexError) {
    var splits: [Int] = []
    for _ in 0..<count {
      splits.append(try append(.split))
      try emit(inner)
    }
    for split in splits { setTargets(split, split + 1, instructions.count, isGreedy: isGreedy) }
  }

  private mutating func setTargets(_ split: Int, _ into: Int, _ past: Int, isGreedy: Bool) {
    instructions[split].x = Int32(isGreedy ? into : past)
    instructions[split].y = Int32(isGreedy ? past : into)
  }

  // MARK: - Byte classes

  private mutating func findClasses() {
    var deciding = sets
    if assertions.contains(.wordBoundary) || assertions.contains(.notWordBoundary) { deciding.append(.word) }
    if assertions.contains(.lineStart) || assertions.contains(.lineEnd) { deciding.append(ByteSet(0x0A...0x0A)) }
    var numbers: [[UInt8]: UInt8] = [:]
    let width = (deciding.count + 7) / 8
    for byte in UInt8.min...UInt8.max {
      var signature = [UInt8](repeating: 0, count: width)
      for (index, set) in deciding.enumerated() where set.contains(byte) {
        signature[index >> 3] |= 1 << UInt8(index & 7)
      }
      if let known = numbers[signature] {
        classes.append(known)
      } else {
        let number = UInt8(numbers.count)
        numbers[signature] = number
        classes.append(number)
        representatives.append(byte)
      }
    }
    classCount = numbers.count
  }

  /// Whether what follows depends on the byte before.
  var looksBack: Bool { !assertions.isDisjoint(with: [.lineStart, .wordBoundary, .notWordBoundary]) }
}
