// A set of bytes: what one position of a pattern takes.

/// A set of bytes, as 256 bits.
struct ByteSet: Hashable, Sendable {
  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  init() {}

  init(_ ranges: ClosedRange<UInt8>...) {
    for range in ranges { insert(range) }
  }

  static let digits = ByteSet(0x30...0x39)
  static let word = ByteSet(0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A)
  /// Space, tab, line feed, vertical tab, form feed, carriage return.
  static let space = ByteSet(0x09...0x0D, 0x20...0x20)
  static let all = ByteSet(0x00...0xFF)

  var inverted: ByteSet {
    var result = ByteSet()
    result.words = (~words.0, ~words.1, ~words.2, ~words.3)
    return result
  }

  /// With the other case of every ASCII letter in it.
  var ignoringCase: ByteSet {
    var result = self
    for letter in UInt8(0x41)...0x5A {
      if contains(letter) { result.insert(letter | 0x20) }
      if contains(letter | 0x20) { result.insert(letter) }
    }
    return result
  }

  @inline(__always)
  func contains(_ byte: UInt8) -> Bool {
    let bit = UInt64(byte & 63)
    switch byte >> 6 {
    case 0: return (words.0 >> bit) & 1 == 1
    case 1: return (words.1 >> bit) & 1 == 1
    case 2: return (words.2 >> bit) & 1 == 1
    default: return (words.3 >> bit) & 1 == 1
    }
  }

  mutating func insert(_ byte: UInt8) {
    let bit = UInt64(1) << UInt64(byte & 63)
    switch byte >> 6 {
    case 0: words.0 |= bit
    case 1: words.1 |= bit
    case 2: words.2 |= bit
    default: words.3 |= bit
    }
  }

  mutating func insert(_ range: ClosedRange<UInt8>) { for byte in range { insert(byte) } }

  mutating func formUnion(_ other: ByteSet) {
    words = (
      words.0 | other.words.0, words.1 | other.words.1, words.2 | other.words.2, words.3 | other.words.3
    )
  }

  static func == (left: ByteSet, right: ByteSet) -> Bool { left.words == right.words }

  func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
    hasher.combine(words.2)
    hasher.combine(words.3)
  }
}
