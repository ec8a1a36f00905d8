// A set of bytes, as 256 bits.

/// Which bytes a place in a pattern takes.
public struct ByteSet: Hashable, Sendable {
  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  public init() {}

  init(_ byte: UInt8) { insert(byte) }

  init(_ ranges: [ClosedRange<UInt8>]) { for range in ranges { insert(range) } }

  public static func == (left: ByteSet, right: ByteSet) -> Bool { left.words == right.words }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
    hasher.combine(words.2)
    hasher.combine(words.3)
  }

  func contains(_ byte: UInt8) -> Bool {
    let bit = UInt64(1) << UInt64(byte & 63)
    switch byte >> 6 {
    case 0: return words.0 & bit != 0
    case 1: return words.1 & bit != 0
    case 2: return words.2 & bit != 0
    default: return words.3 & bit != 0
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
    words.0 |= other.words.0
    words.1 |= other.words.1
    words.2 |= other.words.2
    words.3 |= other.words.3
  }

  var inverted: ByteSet {
    var result = ByteSet()
    result.words = (~words.0, ~words.1, ~words.2, ~words.3)
    return result
  }

  /// With both cases of every ASCII letter in it.
  var ignoringCase: ByteSet {
    var result = self
    for letter in UInt8(ascii: "a")...UInt8(ascii: "z") {
      if contains(letter) { result.insert(letter ^ 0x20) }
      if contains(letter ^ 0x20) { result.insert(letter) }
    }
    return result
  }

  static let digit = ByteSet([0x30...0x39])
  static let word = ByteSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
  static let space = ByteSet([0x09...0x0D, 0x20...0x20])
  static let newline = ByteSet(0x0A)

  /// The sets that `[[:name:]]` names.
  static let named: [String: ByteSet] = [
    "alnum": ByteSet([0x30...0x39, 0x41...0x5A, 0x61...0x7A]), "alpha": ByteSet([0x41...0x5A, 0x61...0x7A]),
    "ascii": ByteSet([0x00...0x7F]), "blank": ByteSet([0x09...0x09, 0x20...0x20]),
    "cntrl": ByteSet([0x00...0x1F, 0x7F...0x7F]), "digit": digit, "graph": ByteSet([0x21...0x7E]),
    "lower": ByteSet([0x61...0x7A]), "print": ByteSet([0x20...0x7E]),
    "punct": ByteSet([0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E]), "space": space,
    "upper": ByteSet([0x41...0x5A]), "word": word, "xdigit": ByteSet([0x30...0x39, 0x41...0x46, 0x61...0x66]),
  ]
}
