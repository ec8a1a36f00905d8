// Finds the leftmost match and what its groups took: all threads of the automaton run side by side over the text, in
// the order in which a backtracking matcher would try them.

extension ByteRegex {
  /// Where the groups of a match are; the whole match is number 0, a group that took no part is nil.
  public typealias Match = [Range<Int>?]

  /// The leftmost match, of those the one that Perl would find.
  public func firstMatch(in text: UnsafeBufferPointer<UInt8>) -> Match? {
    var current = ThreadList(instructions.count)
    var following = ThreadList(instructions.count)
    let slots = (captureCount + 1) * 2
    var best: [Int]?
    var position = 0
    while true {
      if best == nil { follow(0, position, text, Array(repeating: -1, count: slots), &current) }
      if current.isEmpty, best != nil { break }
      following.clear()
      for index in 0..<current.count {
        let (instruction, places) = current[index]
        switch instructions[instruction] {
        case .bytes(let set, let next):
          if position < text.count, sets[set].contains(text[position]) {
            follow(next, position + 1, text, places, &following)
          }
        case .match: best = places
        case .split, .assertion, .save: break
        }
        // What comes after a match in the list is less preferred than it.
        if case .match = instructions[instruction] { break }
      }
      swap(&current, &following)
      if position >= text.count { break }
      position += 1
    }
    return best.map { places in
      (0...captureCount).map { group in
        let (start, end) = (places[group * 2], places[group * 2 + 1])
        return start >= 0 && end >= start ? start..<end : nil
      }
    }
  }

  /// Adds a thread and all that it reaches without taking a byte.
  private func follow(
    _ start: Int, _ position: Int, _ text: UnsafeBufferPointer<UInt8>, _ places: [Int], _ list: inout ThreadList
  ) {
    var pending: [(Int, [Int])] = [(start, places)]
    while let (instruction, places) = pending.popLast() {
      guard list.mark(instruction) else { continue }
      switch instructions[instruction] {
      case .split(let first, let second):
        pending.append((second, places))
        pending.append((first, places))
      case .assertion(let assertion, let next):
        if Self.holds(assertion, position, text) { pending.append((next, places)) }
      case .save(let slot, let next):
        var changed = places
        changed[slot] = position
        pending.append((next, changed))
      case .bytes, .match: list.append(instruction, places)
      }
    }
  }

  private static func holds(_ assertion: RegexAssertion, _ position: Int, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
    let before = position > 0 && ByteSet.word.contains(text[position - 1])
    let after = position < text.count && ByteSet.word.contains(text[position])
    switch assertion {
    case .start: return position == 0
    case .end: return position == text.count
    case .wordBoundary: return before != after
    case .notWordBoundary: return before == after
    }
  }
}

/// Threads in order of preference, each instruction at most once.
private struct ThreadList {
  private var threads: [(instruction: Int, places: [Int])] = []
  private var marks: [UInt32]
  private var round: UInt32 = 1

  init(_ count: Int) { marks = Array(repeating: 0, count: count) }

  var isEmpty: Bool { threads.isEmpty }
  var count: Int { threads.count }
  subscript(index: Int) -> (Int, [Int]) { threads[index] }

  mutating func mark(_ instruction: Int) -> Bool {
    if marks[instruction] == round { return false }
    marks[instruction] = round
    return true
  }

  mutating func append(_ instruction: Int, _ places: [Int]) { threads.append((instruction, places)) }

  mutating func clear() {
    threads.removeAll(keepingCapacity: true)
    round += 1
  }
}
