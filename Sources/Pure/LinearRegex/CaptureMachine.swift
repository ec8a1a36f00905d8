// Pike's machine: all places in the pattern that the text can have led to are followed at once, in order of priority,
// each with the positions of its groups.

final class CaptureMachine {
  private struct Frame {
    var place: Int32
    /// Of a slot to be restored: its number and its old value; -1 for a place to be visited.
    var slot: Int
    var value: Int
  }

  private let program: Program
  private let slotCount: Int
  private var current: PlaceSet
  /// Slots of each place, `slotCount` for each.
  private var currentSlots: [Int]
  private var nextSlots: [Int]
  private var slots: [Int]
  private var stack: [Frame] = []

  init(_ program: Program, groups: Int) {
    self.program = program
    slotCount = 2 * (groups + 1)
    let count = program.instructions.count
    current = PlaceSet(count)
    currentSlots = Array(repeating: -1, count: count * slotCount)
    nextSlots = currentSlots
    slots = Array(repeating: -1, count: slotCount)
  }

  func run(_ text: UnsafeBufferPointer<UInt8>) -> [Range<Int>?]? {
    current.removeAll()
    var found: [Int]?
    var position = 0
    while true {
      if found == nil, position == 0 || !program.isAnchored {
        for index in slots.indices { slots[index] = -1 }
        follow(0, position, text)
      }
      if current.members.isEmpty { break }
      let byte = position < text.count ? text[position] : nil
      // `follow` writes into `current`; what comes next is collected there after the swap.
      let members = current.members
      swap(&currentSlots, &nextSlots)
      current.removeAll()
      for place in members {
        let instruction = program.instructions[Int(place)]
        let base = Int(place) * slotCount
        if instruction.operation == .match {
          found = Array(nextSlots[base..<base + slotCount])
          // What has less priority cannot win any more.
          break
        }
        guard let byte, instruction.operation == .take, program.sets[Int(instruction.x)].contains(byte) else {
          continue
        }
        for index in 0..<slotCount { slots[index] = nextSlots[base + index] }
        follow(place + 1, position + 1, text)
      }
      position += 1
      if position > text.count { break }
    }
    return found.map(Self.ranges)
  }

  private static func ranges(_ slots: [Int]) -> [Range<Int>?] {
    stride(from: 0, to: slots.count, by: 2).map { index in
      slots[index] >= 0 && slots[index + 1] >= slots[index] ? slots[index]..<slots[index + 1] : nil
    }
  }

  /// Adds a place and all that it leads to without a byte, in order of priority.
  private func follow(_ start: Int32, _ position: Int, _ text: UnsafeBufferPointer<UInt8>) {
    let before = position > 0 ? text[position - 1] : nil
    let after = position < text.count ? text[position] : nil
    stack.append(Frame(place: start, slot: -1, value: 0))
    while let frame = stack.popLast() {
      if frame.slot >= 0 {
        slots[frame.slot] = frame.value
        continue
      }
      guard current.insert(frame.place) else { continue }
      let instruction = program.instructions[Int(frame.place)]
      switch instruction.operation {
      case .jump: stack.append(Frame(place: instruction.x, slot: -1, value: 0))
      case .split:
        stack.append(Frame(place: instruction.y, slot: -1, value: 0))
        stack.append(Frame(place: instruction.x, slot: -1, value: 0))
      case .save:
        let slot = Int(instruction.x)
        stack.append(Frame(place: 0, slot: slot, value: slots[slot]))
        slots[slot] = position
        stack.append(Frame(place: frame.place + 1, slot: -1, value: 0))
      case .assertion:
        if let assertion = Assertion(rawValue: UInt8(instruction.x)), assertion.holds(before: before, after: after) {
          stack.append(Frame(place: frame.place + 1, slot: -1, value: 0))
        }
      case .take, .match:
        let base = Int(frame.place) * slotCount
        for index in 0..<slotCount { currentSlots[base + index] = slots[index] }
      }
    }
  }
}
