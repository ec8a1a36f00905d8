// Follows a body of whichever framing to its end.

/// How much of the bytes that arrive belongs to a message's body.
public struct BodyReader: Sendable {
  public enum Outcome: Equatable, Sendable {
    /// This many of the bytes given belong to the body; whether it ended with them.
    case body(count: Int, isEnd: Bool)
    /// The chunked framing is broken.
    case invalid
  }

  private enum Mode: Sendable {
    case done
    case length(UInt64)
    case chunked
    case untilClose
  }

  private var mode: Mode
  private var chunks = ChunkScanner()

  public init(_ framing: BodyFraming) {
    switch framing {
    case .none: mode = .done
    case .length(let length): mode = length == 0 ? .done : .length(length)
    case .chunked: mode = .chunked
    case .untilClose: mode = .untilClose
    }
  }

  public var isDone: Bool {
    if case .done = mode { return true }
    return false
  }

  /// Whether the body ends with the connection.
  public var endsWithConnection: Bool {
    if case .untilClose = mode { return true }
    return false
  }

  /// How many of the bytes that come next are the body's, whatever they are: they need not be looked at.
  public var unseenMax: Int {
    switch mode {
    case .done: 0
    case .length(let remaining): Int(clamping: remaining)
    case .chunked: chunks.dataLeft
    case .untilClose: .max
    }
  }

  /// Counts bytes that were passed on unseen, no more than `unseenMax`; whether the body ended with them.
  public mutating func skip(_ count: Int) -> Bool {
    switch mode {
    case .length(let remaining): mode = remaining == UInt64(count) ? .done : .length(remaining - UInt64(count))
    case .chunked: chunks.skip(count)
    case .done, .untilClose: break
    }
    return isDone
  }

  /// Takes what belongs to the body from the front of the bytes.
  public mutating func read(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Outcome {
    switch mode {
    case .done: return .body(count: 0, isEnd: true)
    case .untilClose: return .body(count: count, isEnd: false)
    case .length(let remaining):
      if UInt64(count) >= remaining {
        mode = .done
        return .body(count: Int(remaining), isEnd: true)
      }
      mode = .length(remaining - UInt64(count))
      return .body(count: count, isEnd: false)
    case .chunked:
      return readChunks(bytes, count) { _, _ in }
    }
  }

  /// As `read`, and hands out the data inside the chunks: for receivers that do not know chunks (HTTP/1.0).
  public mutating func unwrap(
    _ bytes: UnsafePointer<UInt8>, _ count: Int, _ data: (UnsafePointer<UInt8>, Int) -> Void
  ) -> Outcome {
    if case .chunked = mode { return readChunks(bytes, count, data) }
    let outcome = read(bytes, count)
    if case .body(let taken, _) = outcome, taken > 0 { data(bytes, taken) }
    return outcome
  }

  private mutating func readChunks(
    _ bytes: UnsafePointer<UInt8>, _ count: Int, _ data: (UnsafePointer<UInt8>, Int) -> Void
  ) -> Outcome {
    var position = 0
    while true {
      switch chunks.next(bytes, &position, count) {
      case .data(let start, let length): data(bytes + start, length)
      case .needsMore: return .body(count: count, isEnd: false)
      case .end(let offset):
        mode = .done
        return .body(count: offset, isEnd: true)
      case .invalid: return .invalid
      }
      if position == count && !chunks.isDone { return .body(count: count, isEnd: false) }
    }
  }
}
