// Many patterns looked for in one pass: a deterministic automaton that is made while it runs, one state and one
// transition at a time, and forgotten when it grows too large. A byte of the text costs one look into a table once the
// automaton is warm, however many patterns there are.

/// Looks for patterns in texts. Not for use by several threads at once: the automaton grows while it is used.
public final class ByteRegexSet {
  private enum Kind: UInt8 {
    case edge = 0
    case word, other
  }

  private struct State {
    /// Instructions to go on at, before following what takes no byte.
    var threads: [Int32]
    /// What the byte before was.
    var before: Kind
  }

  private struct Key: Hashable {
    var threads: [Int32]
    var before: UInt8
  }

  private static let stateMax = 1024
  private static let unknown: Int32 = -1

  public let count: Int
  private var instructions: [RegexInstruction] = []
  private var sets: [ByteSet] = []
  /// Where each pattern's program begins, and which pattern a `match` instruction belongs to.
  private var starts: [Int32] = []
  private var owners: [Int32: Int] = [:]
  private var classOf = [UInt8](repeating: 0, count: 256)
  private var samples: [UInt8] = []
  private var width = 0

  private var states: [State] = []
  private var numbers: [Key: Int32] = [:]
  /// For each state and class of byte (and the end): the next state.
  private var transitions: [Int32] = []
  /// For each of them: which entry of `found` holds the patterns that match there; 0 for none.
  private var outputs: [Int32] = []
  private var found: [[Int]] = [[]]
  private var marks: [UInt32] = []
  private var round: UInt32 = 0
  private var pending: [Int32] = []

  public init(_ patterns: [ByteRegex]) {
    count = patterns.count
    for (index, pattern) in patterns.enumerated() { append(pattern, index) }
    marks = Array(repeating: 0, count: instructions.count)
    divideBytes()
    reset()
  }

  private func append(_ pattern: ByteRegex, _ index: Int) {
    let base = instructions.count
    let setBase = sets.count
    starts.append(Int32(base))
    sets += pattern.sets
    for instruction in pattern.instructions {
      switch instruction {
      case .bytes(let set, let next): instructions.append(.bytes(set + setBase, next: next + base))
      case .split(let first, let second): instructions.append(.split(first + base, second + base))
      case .assertion(let assertion, let next): instructions.append(.assertion(assertion, next: next + base))
      case .save(let slot, let next): instructions.append(.save(slot, next: next + base))
      case .match:
        owners[Int32(instructions.count)] = index
        instructions.append(.match)
      }
    }
  }

  /// Puts bytes that no pattern tells apart into one class.
  private func divideBytes() {
    var classes: [[Bool]: UInt8] = [:]
    let distinct = Array(Set(sets + [ByteSet.word]))
    for byte in UInt8.min...UInt8.max {
      let signature = distinct.map { $0.contains(byte) }
      if let number = classes[signature] {
        classOf[Int(byte)] = number
      } else {
        let number = UInt8(samples.count)
        classes[signature] = number
        classOf[Int(byte)] = number
        samples.append(byte)
      }
    }
    width = samples.count + 1
  }

  private func reset() {
    states = []
    numbers = [:]
    transitions = []
    outputs = []
    found = [[]]
    _ = state([], .edge)
  }

  private func state(_ threads: [Int32], _ before: Kind) -> Int32 {
    let key = Key(threads: threads, before: before.rawValue)
    if let number = numbers[key] { return number }
    let number = Int32(states.count)
    states.append(State(threads: threads, before: before))
    numbers[key] = number
    transitions.append(contentsOf: repeatElement(Self.unknown, count: width))
    outputs.append(contentsOf: repeatElement(0, count: width))
    return number
  }

  // MARK: - Matching

  /// Calls the closure with the number of each pattern that is found in the text, with some perhaps more than once.
  public func match(_ text: UnsafePointer<UInt8>, _ length: Int, _ body: (Int) -> Void) {
    if count == 0 { return }
    var current: Int32 = 0
    for position in 0...length {
      let column = position < length ? Int(classOf[Int(text[position])]) : width - 1
      var slot = Int(current) * width + column
      if transitions[slot] == Self.unknown {
        if states.count >= Self.stateMax {
          let kept = states[Int(current)]
          reset()
          current = state(kept.threads, kept.before)
          slot = Int(current) * width + column
        }
        step(Int(current), column)
      }
      let output = outputs[slot]
      if output != 0 { for pattern in found[Int(output)] { body(pattern) } }
      current = transitions[slot]
    }
  }

  /// Whether any of the patterns is found in the text.
  public func isAnyFound(_ text: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    var result = false
    match(text, length) { _ in result = true }
    return result
  }

  /// Works out one transition.
  private func step(_ number: Int, _ column: Int) {
    let state = states[number]
    let isEnd = column == width - 1
    let byte = isEnd ? 0 : samples[column]
    let after: Kind = isEnd ? .edge : ByteSet.word.contains(byte) ? .word : .other
    var threads: Set<Int32> = []
    var matches: Set<Int> = []
    round &+= 1
    // A match may begin at every place.
    pending.removeAll(keepingCapacity: true)
    pending.append(contentsOf: starts)
    pending.append(contentsOf: state.threads)
    while let thread = pending.popLast() {
      if marks[Int(thread)] == round { continue }
      marks[Int(thread)] = round
      switch instructions[Int(thread)] {
      case .bytes(let set, let next): if !isEnd, sets[set].contains(byte) { threads.insert(Int32(next)) }
      case .split(let first, let second):
        pending.append(Int32(first))
        pending.append(Int32(second))
      case .assertion(let assertion, let next):
        if Self.holds(assertion, state.before, after, isStart: number == 0 && state.before == .edge) {
          pending.append(Int32(next))
        }
      case .save(_, let next): pending.append(Int32(next))
      case .match: if let owner = owners[thread] { matches.insert(owner) }
      }
    }
    let next = isEnd ? 0 : self.state(threads.sorted(), after)
    let slot = number * width + column
    transitions[slot] = next
    if !matches.isEmpty {
      found.append(matches.sorted())
      outputs[slot] = Int32(found.count - 1)
    }
  }

  private static func holds(_ assertion: RegexAssertion, _ before: Kind, _ after: Kind, isStart: Bool) -> Bool {
    switch assertion {
    case .start: isStart
    case .end: after == .edge
    case .wordBoundary: (before == .word) != (after == .word)
    case .notWordBoundary: (before == .word) == (after == .word)
    }
  }
}
