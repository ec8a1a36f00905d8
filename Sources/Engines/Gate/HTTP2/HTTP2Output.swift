// What an HTTP/2 connection sends: frames, split as the other side wants them and held back by its windows.
import Glibc
import HTTPWire

extension HTTP2Session {
  /// Less than this is not sent while the window will open further.
  private static let worthwhile = 1024

  /// Appends a frame's head and room for its payload, which is returned.
  @discardableResult
  final func frame(
    _ type: HTTP2.FrameType, _ flags: UInt8, _ stream: UInt32, _ length: Int
  ) -> UnsafeMutablePointer<UInt8> {
    let bytes = out.reserve(HTTP2.frameHeadLength + length)
    HTTP2.FrameHead(length: length, type: type.rawValue, flags: flags, stream: stream).write(to: bytes)
    out.advanceEnd(HTTP2.frameHeadLength + length)
    scheduleFlush()
    return bytes + HTTP2.frameHeadLength
  }

  final func reset(_ id: UInt32, _ code: HTTP2.ErrorCode) {
    HTTP2.write(code.rawValue, to: frame(.resetStream, 0, id, 4))
  }

  final func goAway(_ last: UInt32, _ code: HTTP2.ErrorCode) {
    // Streams that were opened behind a GOAWAY stay unanswered, so a later one must not name them (section 6.8).
    goAwayLast = min(goAwayLast, last)
    let payload = frame(.goAway, 0, 0, 8)
    HTTP2.write(goAwayLast, to: payload)
    HTTP2.write(code.rawValue, to: payload + 4)
  }

  final func setting(_ setting: HTTP2.Setting, _ value: Int, _ payload: UnsafeMutablePointer<UInt8>) {
    payload[0] = 0
    payload[1] = UInt8(truncatingIfNeeded: setting.rawValue)
    HTTP2.write(UInt32(value), to: payload + 2)
  }

  /// Opens the window of the whole connection to what we take.
  final func openConnectionWindow() {
    HTTP2.write(UInt32(Self.connectionWindow - HTTP2.initialWindow), to: frame(.windowUpdate, 0, 0, 4))
  }

  /// Sends a header block, in as many frames as it needs.
  final func sendHeaders(_ stream: HTTP2Stream, _ block: UnsafePointer<UInt8>, _ count: Int, endStream: Bool) {
    let most = HTTP2.initialFrameMax
    let prefix = announcesTableSize ? 1 : 0
    let first = min(count, most - prefix)
    let flags = (endStream ? HTTP2.Flag.endStream : 0) | (first == count ? HTTP2.Flag.endHeaders : 0)
    let payload = frame(.headers, flags, stream.id, prefix + first)
    if announcesTableSize {
      payload[0] = HPACKEncoder.emptyTable
      announcesTableSize = false
    }
    (payload + prefix).update(from: block, count: first)
    var position = first
    while position < count {
      let part = min(count - position, most)
      let isLast = position + part == count
      frame(.continuation, isLast ? HTTP2.Flag.endHeaders : 0, stream.id, part).update(
        from: block + position, count: part)
      position += part
    }
    if endStream { end(stream) }
  }

  /// Sends data as far as the windows and the socket allow, and keeps the rest.
  final func sendData(_ stream: HTTP2Stream, _ bytes: UnsafePointer<UInt8>, _ count: Int, endStream: Bool) {
    if stream.localEnded || stream.endsAfterPending { return }
    var sent = 0
    if stream.hasSentAll { sent = sendNow(stream, bytes, count, most: count, endStream: endStream) }
    if sent == count, stream.hasSentAll { return }
    stream.pending.append(bytes + sent, count - sent)
    stream.endsAfterPending = endStream
    mark(stream)
  }

  /// Says that the stream's body is complete.
  final func endData(_ stream: HTTP2Stream) {
    if stream.localEnded || stream.endsAfterPending { return }
    if stream.hasSentAll {
      frame(.data, HTTP2.Flag.endStream, stream.id, 0)
      end(stream)
    } else {
      stream.endsAfterPending = true
    }
  }

  /// Sends a block of trailers behind the data.
  final func sendTrailers(_ stream: HTTP2Stream, _ block: UnsafePointer<UInt8>, _ count: Int) {
    if stream.localEnded || stream.endsAfterPending { return }
    if stream.hasSentAll { return sendHeaders(stream, block, count, endStream: true) }
    stream.trailers.append(block, count)
    stream.endsAfterPending = true
  }

  /// Sends up to `most` of the bytes, which may be none when only the end is to be said; returns how many went.
  private final func sendNow(
    _ stream: HTTP2Stream, _ bytes: UnsafePointer<UInt8>, _ count: Int, most: Int, endStream: Bool
  ) -> Int {
    if count == 0 {
      if endStream {
        frame(.data, HTTP2.Flag.endStream, stream.id, 0)
        end(stream)
      }
      return 0
    }
    var position = 0
    while position < most, unsent < Self.outMax {
      let part = min(count - position, stream.sendWindow, sendWindow, HTTP2.initialFrameMax)
      if part <= 0 || (part < Self.worthwhile && part < count - position && expectsMoreWindow(stream)) { break }
      let isLast = endStream && position + part == count
      frame(.data, isLast ? HTTP2.Flag.endStream : 0, stream.id, part).update(from: bytes + position, count: part)
      stream.sendWindow -= part
      sendWindow -= part
      position += part
      stream.lastProgress = loop.now
      limits.noteData(isShort: part < 64 && position < count)
      if isLast { end(stream) }
    }
    if limits.isTooFragmented { failLater(.enhanceYourCalm) }
    return position
  }

  /// The window that holds the stream back is more than half used, so the other side is about to open it: a remainder
  /// that is filled now would come back as just such a remainder, again and again (RFC 1122, section 4.2.3.4).
  private final func expectsMoreWindow(_ stream: HTTP2Stream) -> Bool {
    stream.sendWindow <= sendWindow
      ? stream.sendWindow < peer.initialWindow / 2 : sendWindow < HTTP2.initialWindow / 2
  }

  private final func end(_ stream: HTTP2Stream) {
    stream.localEnded = true
    onStreamSent(stream)
  }

  /// Sends what waits on a stream, as far as it goes; returns whether anything went.
  @discardableResult
  final func sendPending(_ stream: HTTP2Stream, most: Int = .max) -> Bool {
    var hasMoved = false
    if !stream.pending.isEmpty {
      let endsHere = stream.endsAfterPending && stream.trailers.isEmpty
      let count = stream.pending.count
      let sent = sendNow(stream, stream.pending.first, count, most: most, endStream: endsHere)
      // A stream that ended with this keeps its memory to the end of the batch.
      stream.pending.consume(sent)
      hasMoved = sent > 0
    }
    guard stream.pending.isEmpty, !stream.localEnded else { return hasMoved }
    if !stream.trailers.isEmpty {
      sendHeaders(stream, stream.trailers.first, stream.trailers.count, endStream: true)
      stream.trailers.clear()
      return true
    }
    mark(stream)
    return hasMoved
  }

  /// Sends what waits on all streams, each a part in turn.
  final func sendWaiting() {
    if waiting == 0 { return }
    var hasMoved = true
    while hasMoved, waiting > 0, unsent < Self.outMax {
      hasMoved = false
      var index = 0
      while index < streams.count {
        let stream = streams[index]
        if !stream.hasSentAll, sendPending(stream, most: HTTP2.initialFrameMax) { hasMoved = true }
        // Another stream is here now when this one has ended.
        if index < streams.count, streams[index] === stream { index += 1 }
      }
    }
    // What waits for a window brings nothing to send: the loop would come back here again and again.
    if !out.isEmpty { scheduleFlush() }
  }

  /// Lets those go on whose streams have room again; reads from their sockets, so never while frames are taken.
  final func releaseHeld() {
    var index = 0
    while index < streams.count, waiting > 0, unsent < Self.outMax, !connection.isClosed {
      let stream = streams[index]
      if stream.isHeld, stream.hasSentAll {
        stream.isHeld = false
        mark(stream)
        onStreamRoom(stream)
      }
      if index < streams.count, streams[index] === stream { index += 1 }
    }
  }

  /// Whether more can be given for the stream now; when not, its maker is told later.
  final func takesMore(_ stream: HTTP2Stream) -> Bool {
    if stream.hasSentAll, unsent < Self.outMax { return true }
    stream.isHeld = true
    mark(stream)
    return false
  }

  /// Keeps the count of streams that wait.
  private final func mark(_ stream: HTTP2Stream) {
    let isWaiting = stream.isHeld || !stream.hasSentAll
    if isWaiting == stream.isWaiting { return }
    stream.isWaiting = isWaiting
    waiting += isWaiting ? 1 : -1
  }
}
