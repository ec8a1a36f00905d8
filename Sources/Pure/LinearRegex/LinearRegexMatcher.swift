// Matching. Whether there is a match is told by an automaton of sets of places, made as the text demands and kept;
// where the match and its groups are is told by following all places at once (Pike's machine).

/// Matches texts against one pattern, with memory that is used again and grows to a bound. For one thread.
public final class LinearRegexMatcher {
  public let regex: LinearRegex
  private let program: Program
  /// Where each remembered state goes with each class of bytes and, in the last column, with the end of the text.
  private var table: [Int32] = []
  private var states: [State] = []
  private var numbers: [State: Int32] = [:]
  private var cachedPlaces = 0
  private let width: Int
  private var places: PlaceSet
  private var next: PlaceSet
  private var stack: [Int32] = []
  private var machine: CaptureMachine?

  private static let unknown: Int32 = -1
  private static let matched: Int32 = -2
  private static let dead: Int32 = -3

  /// Places in the pattern, before what needs no byte is followed, and the byte that came before them.
  private struct State: Hashable {
    var places: [Int32]
    /// 0 or the byte's representative plus one; always 0 where the pattern does not look back, but for the start.
    var before: Int16
  }

  public init(_ regex: LinearRegex) {
    self.regex = regex
    program = regex.program
    width = program.classCount + 1
    places = PlaceSet(program.instructions.count)
    next = PlaceSet(program.instructions.count)
    begin()
  }

  private func begin() {
    table.removeAll(keepingCapacity: true)
    states.removeAll(keepingCapacity: true)
    numbers.removeAll(keepingCapacity: true)
    cachedPlaces = 0
    _ = number(State(places: [0], before: 0))
  }

  private func number(_ state: State) -> Int32 {
    if let known = numbers[state] { return known }
    let number = Int32(states.count)
    states.append(state)
    cachedPlaces += state.places.count
    numbers[state] = number
    table.append(contentsOf: repeatElement(Self.unknown, count: width))
    return number
  }

  // MARK: - Is there a match

  /// Whether the pattern matches anywhere in the text.
  public func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    var state: Int32 = 0
    let count = text.count
    var position = 0
    while position < count {
      let column = Int(program.classes[Int(text[position])])
      var target = table[Int(state) * width + column]
      if target < 0 {
        if target == Self.matched { return true }
        if target == Self.dead { return false }
        target = follow(state, column)
        if target == Self.matched { return true }
        if target == Self.dead { return false }
      }
      state = target
      position += 1
    }
    var target = table[Int(state) * width + width - 1]
    if target == Self.unknown { target = follow(state, width - 1) }
    return target == Self.matched
  }

  /// Whether the pattern matches anywhere in the bytes.
  public func matches(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBufferPointer { matches($0) } }

  /// Whether the pattern matches anywhere in the text's UTF-8.
  public func matches(_ text: String) -> Bool { matches(Array(text.utf8)) }

  /// Makes the transition of a state over a class of bytes, or over the end of the text.
  private func follow(_ number: Int32, _ column: Int) -> Int32 {
    let state = states[Int(number)]
    let isEnd = column == width - 1
    let after: UInt8? = isEnd ? nil : program.representatives[column]
    let before: UInt8? = state.before > 1 ? UInt8(state.before - 2) : state.before == 1 ? UInt8(0) : nil
    places.removeAll()
    var hasMatched = false
    for place in state.places { if close(place, before, after) { hasMatched = true } }
    let target: Int32
    if hasMatched {
      target = Self.matched
    } else if isEnd {
      target = Self.dead
    } else {
      target = step(after ?? 0)
    }
    // Remembering a state may have begun the table anew, and then this number says nothing any more.
    if Int(number) < states.count, states[Int(number)] == state { table[Int(number) * width + column] = target }
    return target
  }

  private func step(_ byte: UInt8) -> Int32 {
    next.removeAll()
    for place in places.members {
      let instruction = program.instructions[Int(place)]
      if instruction.operation == .take, program.sets[Int(instruction.x)].contains(byte) { next.insert(place + 1) }
    }
    if !program.isAnchored { next.insert(0) }
    if next.members.isEmpty { return Self.dead }
    if states.count >= LinearRegexLimits.cachedStatesMax || cachedPlaces >= LinearRegexLimits.cachedPlacesMax {
      begin()
    }
    return self.number(
      State(places: next.members.sorted(), before: program.looksBack ? Int16(byte) + 2 : 1))
  }

  /// Follows from a place what takes no byte; true when the end of the pattern is reached.
  private func close(_ place: Int32, _ before: UInt8?, _ after: UInt8?) -> Bool {
    stack.removeAll(keepingCapacity: true)
    stack.append(place)
    while let place = stack.popLast() {
      guard places.insert(place) else { continue }
      let instruction = program.instructions[Int(place)]
      switch instruction.operation {
      case .match: return true
      case .take: break
      case .jump: stack.append(instruction.x)
      case .split:
        stack.append(instruction.y)
        stack.append(instruction.x)
      case .save: stack.append(place + 1)
      case .assertion:
        if let assertion = Assertion(rawValue: UInt8(instruction.x)), assertion.holds(before: before, after: after) {
          stack.append(place + 1)
        }
      }
    }
    return false
  }

  // MARK: - Where is the match

  /// The leftmost match, Perl's choice among those that begin there: the ranges of the whole and of every group; nil
  /// for a group that took no part. Nil when there is no match.
  public func firstMatch(in text: UnsafeBufferPointer<UInt8>) -> [Range<Int>?]? {
    let machine = self.machine ?? CaptureMachine(program, groups: regex.groupCount)
    self.machine = machine
    return machine.run(text)
  }

  /// As with a buffer.
  public func firstMatch(in bytes: [UInt8]) -> [Range<Int>?]? { bytes.withUnsafeBufferPointer { firstMatch(in: $0) } }
}

/// Places in a program, each at most once, in the order they came; emptied in no time.
struct PlaceSet {
  private(set) var members: [Int32] = []
  private var positions: [Int32]

  init(_ capacity: Int) {
    positions = Array(repeating: 0, count: capacity)
    members.reserveCapacity(capacity)
  }

  mutating func removeAll() { members.removeAll(keepingCapacity: true) }

  /// False when it was there.
  @discardableResult
  mutating func insert(_ place: Int32) -> Bool {
    let position = Int(positions[Int(place)])
    if position < members.count, members[position] == place { return false }
    positions[Int(place)] = Int32(members.count)
    members.append(place)
    return true
  }
}
