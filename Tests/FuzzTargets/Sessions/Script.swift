// An input as a sequence of instructions: numbers taken from its front, so that a byte changed changes one step.

/// What is left of an input. Behind its end there are zeros.
struct Script {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  var isDone: Bool { position >= bytes.count }

  mutating func byte() -> Int {
    guard position < bytes.count else { return 0 }
    position += 1
    return Int(bytes[position - 1])
  }

  mutating func short() -> Int { byte() << 8 | byte() }

  mutating func number() -> UInt32 { UInt32(short()) << 16 | UInt32(short()) }

  /// As many as are there, up to `count`.
  mutating func take(_ count: Int) -> [UInt8] {
    let end = min(bytes.count, position + count)
    defer { position = end }
    return Array(bytes[position..<end])
  }

  /// One of a few numbers that matter.
  mutating func pick(_ values: [Int]) -> Int { values[byte() % values.count] }
}
