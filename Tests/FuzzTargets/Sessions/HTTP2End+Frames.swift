// How an end writes frames.
#if DEBUG
  import HTTPWire

  extension HTTP2End {
    static func frame(_ type: Int, _ flags: Int, _ stream: UInt32, _ payload: [UInt8], length: Int? = nil) -> [UInt8] {
      let head = HTTP2.FrameHead(
        length: length ?? payload.count, type: UInt8(truncatingIfNeeded: type), flags: UInt8(truncatingIfNeeded: flags),
        stream: stream)
      return [UInt8](unsafeUninitializedCapacity: HTTP2.frameHeadLength + payload.count) { room, count in
        guard let base = room.baseAddress else { return }
        head.write(to: base)
        for index in payload.indices { base[HTTP2.frameHeadLength + index] = payload[index] }
        count = HTTP2.frameHeadLength + payload.count
      }
    }

    static func frame(_ type: HTTP2.FrameType, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
      frame(Int(type.rawValue), Int(flags), stream, payload)
    }

    static func number(_ value: UInt32) -> [UInt8] {
      [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    static func settings(_ values: [(id: Int, value: UInt32)]) -> [UInt8] {
      frame(.settings, 0, 0, values.flatMap { [UInt8($0.id >> 8), UInt8($0.id & 255)] + number($0.value) })
    }

    /// A field: 0 never indexed, 1 not indexed, 2 added to the table.
    static func field(_ name: String, _ value: String, indexing: Int = 0) -> [UInt8] {
      var bytes: [UInt8] = [[0x10, 0x00, 0x40][indexing]]
      for text in [name, value] {
        let count = text.utf8.count
        if count < 127 {
          bytes.append(UInt8(count))
        } else {
          bytes.append(127)
          var rest = count - 127
          while rest >= 128 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
          }
          bytes.append(UInt8(rest))
        }
        bytes += Array(text.utf8)
      }
      return bytes
    }

    /// HEADERS and what continues them.
    /// - Parameter pieces: frames that the block is split into.
    static func headers(_ stream: UInt32, _ block: [UInt8], end: Bool, pieces: Int = 1, shape: Int = 0) -> [UInt8] {
      var payload: [UInt8] = []
      var flags: UInt8 = end ? HTTP2.Flag.endStream : 0
      let padding = shape & 1 == 0 ? 0 : shape & 0x70
      if shape & 1 != 0 {
        flags |= HTTP2.Flag.padded
        payload.append(UInt8(padding))
      }
      if shape & 2 != 0 {
        flags |= HTTP2.Flag.priority
        payload += [0, 0, 0, 0, 16]
      }
      let size = max(min(block.count / max(1, pieces) + 1, 16_000), block.isEmpty ? 1 : (block.count + 29) / 30)
      var position = min(size, block.count)
      payload += block[..<position] + [UInt8](repeating: 0, count: padding)
      if position == block.count { flags |= HTTP2.Flag.endHeaders }
      var bytes = frame(.headers, flags, stream, payload)
      while position < block.count {
        let next = min(position + size, block.count)
        bytes += frame(
          .continuation, next == block.count ? HTTP2.Flag.endHeaders : 0, stream, Array(block[position..<next]))
        position = next
      }
      return bytes
    }

    private static let largeFields = (0..<4).flatMap { _ in
      field("x-large", String(repeating: "a", count: 9000), indexing: 1)
    }

    // MARK: - Messages

    /// Opens a stream with a request that the rules allow, as far as its form goes.
    /// - Parameters:
    ///   - shape: method, end, length, padding and more.
    func request(_ id: UInt32, shape: Int, promised: Int?, end: Bool, pieces: Int) {
      let methods = ["GET", "POST", "PUT", "HEAD"]
      let method = methods[shape & 3]
      let number = ledger.requests.count
      var block = Self.field(":method", method) + Self.field(":scheme", "http")
      block += Self.field(":path", Ledger.path(number))
      block += Self.field(":authority", "shop.test", indexing: shape >> 2 & 1)
      if let promised { block += Self.field("content-length", "\(promised)") }
      if shape & 8 != 0 { block += Self.field("x-extra", "value \(number)", indexing: 2) }
      if shape & 16 != 0 { block += Self.field("x-large", String(repeating: "a", count: 3000), indexing: 1) }
      if shape & 32 != 0 { block += Self.field("cookie", "a=b") + Self.field("cookie", "c=d") }
      if isOver || hasEndedWriting { return }
      ledger.requests.append(Ledger.Request(isHEAD: method == "HEAD"))
      nextRequest = number
      send(Self.headers(id, block, end: end, pieces: pieces, shape: shape >> 6))
      nextRequest = nil
    }

    /// The head of an answer.
    func answer(_ id: UInt32, status: Int, promised: Int?, end: Bool, large: Bool, pieces: Int) {
      var block = Self.field(":status", "\(status)", indexing: 1)
      if let attempt = streams[id]?.attempt { block += Self.field("x-attempt", "\(attempt)") }
      if let promised { block += Self.field("content-length", "\(promised)") }
      if large { block += Self.largeFields }
      if status >= 200 { streams[id]?.localHead = true }
      send(Self.headers(id, block, end: end, pieces: pieces))
    }

    /// The next bytes of the stream's body.
    func data(_ id: UInt32, _ count: Int, padding: Int?, end: Bool) {
      let stream = streams[id]
      let tag = role == .client ? stream?.request ?? 0 : Ledger.answerTag(stream?.attempt ?? 0)
      var payload = Ledger.body(tag, from: stream?.sent ?? 0, count)
      var flags: UInt8 = end ? HTTP2.Flag.endStream : 0
      if let padding {
        flags |= HTTP2.Flag.padded
        payload = [UInt8(padding)] + payload + [UInt8](repeating: 0, count: padding)
      }
      send(Self.frame(.data, flags, id, payload))
    }

    func trailers(_ id: UInt32, end: Bool = true) {
      send(Self.headers(id, Self.field("x-trailer", "1", indexing: 2), end: end))
    }

    func reset(_ id: UInt32, _ code: UInt32) { send(Self.frame(.resetStream, 0, id, Self.number(code))) }

    /// Acknowledges what waits for it.
    func acknowledge() {
      for _ in 0..<settingsToAcknowledge { send(Self.frame(.settings, HTTP2.Flag.ack, 0)) }
      settingsToAcknowledge = 0
      for ping in pingsToAcknowledge { send(Self.frame(.ping, HTTP2.Flag.ack, 0, ping)) }
      pingsToAcknowledge.removeAll()
    }

    /// Makes room for all that may still come.
    func openWindows() {
      let wide = 1 << 30
      if window < wide { send(Self.frame(.windowUpdate, 0, 0, Self.number(UInt32(wide - window))), always: true) }
      for id in numbers {
        guard let stream = streams[id], !stream.isClosed, !stream.remoteEnded, stream.window < wide else { continue }
        send(Self.frame(.windowUpdate, 0, id, Self.number(UInt32(wide - stream.window))), always: true)
      }
    }

    /// Opens the windows again for what was taken.
    func credit() {
      if owed > 0 { send(Self.frame(.windowUpdate, 0, 0, Self.number(UInt32(owed)))) }
      owed = 0
      for id in numbers {
        guard let stream = streams[id], stream.owed > 0 else { continue }
        streams[id]?.owed = 0
        if stream.isClosed || stream.remoteEnded { continue }
        send(Self.frame(.windowUpdate, 0, id, Self.number(UInt32(stream.owed))))
      }
    }
  }
#endif
