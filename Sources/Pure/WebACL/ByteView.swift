// Pieces of a request, in place.

/// Bytes that somebody else keeps.
public typealias ByteView = UnsafeBufferPointer<UInt8>

enum Hex {
  @inline(__always)
  static func value(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
  }

  /// Two lower-case digits a byte.
  static func text(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}

@inline(__always)
func lowercased(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 0x20 : byte }

@inline(__always)
func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 }

@inline(__always)
func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

@inline(__always)
func isWordByte(_ byte: UInt8) -> Bool { isLetter(byte) || isDigit(byte) || byte == 0x5F }

@inline(__always)
func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte &- 9 < 5 }

extension UnsafeBufferPointer<UInt8> {
  /// The bytes of a range of this view.
  @inline(__always)
  func piece(_ start: Int, _ end: Int) -> ByteView { UnsafeBufferPointer(rebasing: self[start..<end]) }

  /// Whether these are the bytes of a lower-case text, in any case.
  func equalsIgnoringCase(_ text: [UInt8]) -> Bool {
    guard count == text.count else { return false }
    for index in 0..<count where lowercased(self[index]) != text[index] { return false }
    return true
  }

  /// Whether a lower-case text stands at this place, in any case.
  func hasText(_ text: StaticString, at start: Int) -> Bool {
    let length = text.utf8CodeUnitCount
    guard start >= 0, start + length <= count else { return false }
    for index in 0..<length where lowercased(self[start + index]) != text.utf8Start[index] { return false }
    return true
  }

  /// Where the bytes first stand, from a place on.
  func find(_ bytes: [UInt8], from start: Int = 0) -> Int? {
    guard let first = bytes.first else { return start }
    let last = count - bytes.count
    var index = start
    while index <= last {
      if self[index] == first {
        var length = 1
        while length < bytes.count, self[index + length] == bytes[length] { length += 1 }
        if length == bytes.count { return index }
      }
      index += 1
    }
    return nil
  }

  var text: String { String(decoding: self, as: UTF8.self) }
}

/// Memory for the texts made while a request is looked at: given out in pieces, taken back all at once. What it gave
/// stays where it is until then.
final class Arena {
  private static let blockSize = 32 << 10
  private var blocks: [UnsafeMutableBufferPointer<UInt8>] = []
  private var block = 0
  private var used = 0

  deinit { for block in blocks { block.deallocate() } }

  /// Takes everything back; memory beyond a few blocks is given up.
  func reset() {
    while blocks.count > 8 { blocks.removeLast().deallocate() }
    block = 0
    used = 0
  }

  func allocate(_ count: Int) -> UnsafeMutablePointer<UInt8> {
    while block < blocks.count, blocks[block].count - used < count {
      block += 1
      used = 0
    }
    if block == blocks.count {
      blocks.append(.allocate(capacity: Swift.max(Self.blockSize, count)))
      used = 0
    }
    defer { used += count }
    // A block always has a base: it is never of no bytes.
    return blocks[block].baseAddress.unsafelyUnwrapped + used
  }

  func copy(_ bytes: [UInt8]) -> ByteView {
    let memory = allocate(Swift.max(bytes.count, 1))
    for (index, byte) in bytes.enumerated() { memory[index] = byte }
    return ByteView(start: memory, count: bytes.count)
  }
}
