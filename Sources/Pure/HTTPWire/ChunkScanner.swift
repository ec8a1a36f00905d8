// Where the pieces of a chunked body lie (RFC 9112, section 7.1), strictly: whoever comes next must see the same ends.

/// Follows a chunked body through any division into reads.
public struct ChunkScanner: Sendable {
  public enum Step: Equatable, Sendable {
    /// Data of the body: offset and count within the bytes given.
    case data(start: Int, count: Int)
    /// All bytes given belong to the body, and more must come.
    case needsMore
    /// The body ended; the offset behind its last byte.
    case end(Int)
    case invalid
  }

  private enum State: Sendable {
    case size, sizeDigits, chunkExtension, sizeLineFeed, data, dataReturn, dataLineFeed
    case trailerStart, trailerName, trailerValue, trailerLineFeed, endLineFeed, done
  }

  /// Bytes in a chunk's size line beyond the digits.
  public static let extensionMax = 1 << 10
  /// Bytes in all trailer lines.
  public static let trailersMax = 16 << 10

  private var state = State.size
  private var remaining: UInt64 = 0
  private var digits = 0
  private var lineBytes = 0
  private var trailerBytes = 0

  public init() {}

  public var isDone: Bool { state == .done }

  /// How many of the bytes that come next are data of the chunk.
  var dataLeft: Int { state == .data ? Int(clamping: remaining) : 0 }

  /// Counts data that nobody looked at, no more than `dataLeft`.
  mutating func skip(_ count: Int) {
    remaining -= UInt64(count)
    if remaining == 0 { state = .dataReturn }
  }

  /// Goes on from `position`, which is moved behind what the step covers.
  public mutating func next(_ bytes: UnsafePointer<UInt8>, _ position: inout Int, _ count: Int) -> Step {
    while position < count {
      if state == .data {
        let available = UInt64(count - position)
        let taken = min(available, remaining)
        let start = position
        position += Int(taken)
        remaining -= taken
        if remaining == 0 { state = .dataReturn }
        return .data(start: start, count: Int(taken))
      }
      let byte = bytes[position]
      position += 1
      guard advance(byte) else { return .invalid }
      if state == .done { return .end(position) }
    }
    return state == .done ? .end(position) : .needsMore
  }

  /// One byte outside of data; false when it may not stand there.
  private mutating func advance(_ byte: UInt8) -> Bool {
    switch state {
    case .size, .sizeDigits: return advanceSize(byte)
    case .chunkExtension:
      lineBytes += 1
      if byte == 0x0D {
        state = .sizeLineFeed
        return true
      }
      return lineBytes <= Self.extensionMax && Self.isText(byte)
    case .sizeLineFeed:
      state = remaining == 0 ? .trailerStart : .data
      return byte == 0x0A
    case .dataReturn:
      state = .dataLineFeed
      return byte == 0x0D
    case .dataLineFeed:
      state = .size
      digits = 0
      return byte == 0x0A
    case .trailerStart, .trailerName, .trailerValue, .trailerLineFeed, .endLineFeed: return advanceTrailer(byte)
    case .data, .done: return false
    }
  }

  private mutating func advanceSize(_ byte: UInt8) -> Bool {
    if let digit = Self.hexadecimal(byte) {
      digits += 1
      // Fifteen digits cannot overflow, and no body is that long.
      guard digits <= 15 else { return false }
      remaining = (digits == 1 ? 0 : remaining << 4) | UInt64(digit)
      state = .sizeDigits
      return true
    }
    guard digits > 0 else { return false }
    lineBytes = 0
    if byte == 0x0D {
      state = .sizeLineFeed
      return true
    }
    state = .chunkExtension
    return byte == 0x3B
  }

  private mutating func advanceTrailer(_ byte: UInt8) -> Bool {
    trailerBytes += 1
    guard trailerBytes <= Self.trailersMax else { return false }
    switch state {
    case .trailerStart:
      if byte == 0x0D {
        state = .endLineFeed
        return true
      }
      state = .trailerName
      return Token.contains(byte)
    case .trailerName:
      if byte == 0x3A {
        state = .trailerValue
        return true
      }
      return Token.contains(byte)
    case .trailerValue:
      if byte == 0x0D {
        state = .trailerLineFeed
        return true
      }
      return Self.isText(byte)
    case .trailerLineFeed:
      state = .trailerStart
      return byte == 0x0A
    default:
      state = .done
      return byte == 0x0A
    }
  }

  private static func isText(_ byte: UInt8) -> Bool { byte == 0x09 || (byte >= 0x20 && byte != 0x7F) }

  private static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
  }
}
