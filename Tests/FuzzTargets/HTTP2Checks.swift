// HTTP/2: header blocks as heads of HTTP/1.1, where a disagreement between the two would be a smuggled request.
import HTTPWire

enum HTTP2Checks {
  typealias Bytes = UnsafeBufferPointer<UInt8>

  /// The first byte: whether a body follows. The same decoder then reads the block again: its table has changed.
  static func headerBlock(_ bytes: Bytes) {
    guard let base = bytes.baseAddress, bytes.count > 1 else { return }
    let block = base + 1
    let count = bytes.count - 1
    var reader = HTTP2HeadReader()
    var decoder = HPACKDecoder()
    for _ in 0..<2 {
      let outcome = reader.readRequest(block, count, &decoder, hasBody: bytes[0] & 1 == 1)
      if case .head(let length) = outcome { checkRequest(reader.head, length) }
      precondition(decoder.tableSize <= HTTP2.tableSizeDefault)
      if case .head(let length) = reader.readResponse(block, count, &decoder) {
        var head = MessageHead()
        if case .complete(let used) = head.parseResponse(reader.head, length) { precondition(used == length) }
      }
      _ = reader.readTrailers(block, count, &decoder)
    }
    writeAgain(block, count)
  }

  /// The whole of it is one head, or it is refused; never part of it.
  private static func checkRequest(_ bytes: UnsafeMutablePointer<UInt8>, _ length: Int) {
    var head = MessageHead()
    switch head.parseRequest(bytes, length) {
    case .complete(let used): precondition(used == length, "a head with something behind it")
    case .incomplete: preconditionFailure("half a head")
    case .refused: break
    }
  }

  /// What was read, written and read again, is the same.
  private static func writeAgain(_ block: UnsafePointer<UInt8>, _ count: Int) {
    var first = HPACKDecoder()
    var second = HPACKDecoder()
    let encoder = HPACKEncoder()
    let room = HPACKDecoder.roomNeeded(count)
    let field = UnsafeMutablePointer<UInt8>.allocate(capacity: room + 4)
    defer { field.deallocate() }
    var position = 0
    while case .field(let read) = first.next(block, &position, count, field) {
      // The encoder's names are lower case and not empty.
      guard read.isGood, read.nameLength > 0 else { continue }
      let size = HPACKEncoder.roomNeeded(read.nameLength, read.valueLength)
      let written = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
      let again = UnsafeMutablePointer<UInt8>.allocate(capacity: HPACKDecoder.roomNeeded(size))
      defer {
        written.deallocate()
        again.deallocate()
      }
      let value = field + read.nameLength + 2
      let length = encoder.write(field, read.nameLength, value, read.valueLength, written)
      precondition(length <= size)
      var at = 0
      guard case .field(let back) = second.next(written, &at, length, again) else {
        preconditionFailure("what we wrote is refused")
      }
      precondition(back.nameLength == read.nameLength && back.valueLength == read.valueLength)
      for index in 0..<read.nameLength { precondition(again[index] == field[index]) }
      let backValue = again + back.nameLength + 2
      for index in 0..<read.valueLength { precondition(backValue[index] == value[index]) }
    }
  }

  static func frames(_ bytes: Bytes) {
    guard let base = bytes.baseAddress else { return }
    var settings = HTTP2Settings()
    var decoder = HPACKDecoder()
    var reader = HTTP2HeadReader()
    var position = 0
    while bytes.count - position >= HTTP2.frameHeadLength {
      let head = HTTP2.FrameHead(base + position)
      precondition(head.length >= 0 && head.length < 1 << 24 && head.stream <= HTTP2.streamMax)
      position += HTTP2.frameHeadLength
      let length = min(head.length, bytes.count - position)
      let payload = base + position
      position += length
      switch HTTP2.FrameType(rawValue: head.type) {
      case .settings:
        if settings.apply(payload, length) == nil {
          precondition(settings.initialWindow <= HTTP2.windowMax)
          precondition((HTTP2.initialFrameMax...0xFF_FFFF).contains(settings.frameMax))
        }
      case .data, .headers:
        guard length > 0, let body = HTTP2.unpadded(payload, length, head.flags) else { continue }
        precondition(body.start >= 0 && body.count >= 0 && body.end <= length)
        if head.type == HTTP2.FrameType.headers.rawValue, body.count > 0 {
          let outcome = reader.readRequest(
            payload + body.start, body.count, &decoder, hasBody: !head.has(HTTP2.Flag.endStream))
          if case .head(let length) = outcome { checkRequest(reader.head, length) }
        }
      default: continue
      }
    }
  }
}
