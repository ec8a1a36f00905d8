// Bodies, whose end is found while they pass.
import HTTPWire

/// Bodies: read at once, in pieces, or passed unseen where that is allowed, the same bytes belong to it.
enum BodyChecks {
  /// The first byte chooses framing and pieces.
  static func run(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard let base = bytes.baseAddress, bytes.count > 1 else { return }
    let framing: BodyFraming = bytes[0] & 1 == 0 ? .chunked : .length(UInt64(bytes[0]))
    let piece = Int(bytes[0] >> 1 & 0x0F) + 1
    let rest = base + 1
    let count = bytes.count - 1
    let whole = follow(framing, rest, count, piece: count)
    let pieces = follow(framing, rest, count, piece: piece)
    let unseen = follow(framing, rest, count, piece: piece, passesUnseen: true)
    for other in [pieces, unseen] {
      precondition(whole.isInvalid == other.isInvalid && whole.isDone == other.isDone)
      if !whole.isInvalid { precondition(whole.taken == other.taken && whole.data == other.data) }
    }
  }

  private struct Followed {
    var taken = 0
    var data: [UInt8] = []
    var isInvalid = false
    var isDone = false
  }

  private static func follow(
    _ framing: BodyFraming, _ bytes: UnsafePointer<UInt8>, _ count: Int, piece: Int, passesUnseen: Bool = false
  ) -> Followed {
    var reader = BodyReader(framing)
    var result = Followed()
    var position = 0
    while position < count, !reader.isDone {
      var length = min(piece, count - position)
      if passesUnseen, reader.unseenMax > 0 {
        length = min(length, reader.unseenMax)
        result.data += UnsafeBufferPointer(start: bytes + position, count: length)
        position += length
        precondition(reader.skip(length) == reader.isDone)
        continue
      }
      let outcome = reader.unwrap(bytes + position, length) { start, size in
        precondition(start >= bytes && start + size <= bytes + count)
        result.data += UnsafeBufferPointer(start: start, count: size)
      }
      guard case .body(let taken, _) = outcome else {
        result.isInvalid = true
        return result
      }
      precondition(taken >= 0 && taken <= length && (taken == length || reader.isDone))
      position += taken
    }
    result.taken = position
    result.isDone = reader.isDone
    return result
  }
}
