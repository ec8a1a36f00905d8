// One side of an HTTP/2 connection (RFC 9113): frames come in and are checked here, whoever the other side is. What
// differs between a client's connection and a target's is overridden.
import CLinux
import Glibc
import HTTPWire

class HTTP2Session {
  /// What the other side may have under way on the whole connection.
  static let connectionWindow = 1 << 20
  /// What it may have under way on a stream.
  static let streamWindow = HTTP2.initialWindow
  /// While this much waits for the socket, nothing more is read: neither from the other side nor for it.
  static let outMax = 128 << 10
  private static let lingerTime: UInt64 = 1_000_000

  // The loop outlives its connections, and a connection owns its session.
  unowned(unsafe) final let loop: EventLoop
  unowned(unsafe) final let connection: Connection
  final let tools: HTTP2Tools
  final var decoder = HPACKDecoder()
  final var peer = HTTP2Settings()
  final var limits = HTTP2Limits()
  /// Frames written in this batch of events, which leave together at its end.
  final var out = Bytes()
  /// What the other side takes on the whole connection.
  final var sendWindow = HTTP2.initialWindow
  final var receiveWindow = HTTP2Session.connectionWindow
  /// Bytes taken on the connection that the other side has not been told of.
  final private(set) var uncredited = 0
  /// The streams that are open, in no order, and their numbers.
  final private(set) var streams: ContiguousArray<HTTP2Stream> = []
  private var numbers: ContiguousArray<UInt32> = []
  /// Streams that wait for a window or for the socket.
  final var waiting = 0
  /// The highest stream that the other side opened.
  final var lastPeerStream: UInt32 = 0
  /// The last stream that the other side was promised to have looked at.
  final var goAwayLast = HTTP2.streamMax
  final var needsPreface: Bool
  /// The table that the other side believes our header blocks to use, though they use none.
  private var tableSize = HTTP2.tableSizeDefault
  /// The next header block says that there is none.
  final var announcesTableSize = false
  private var needsSettings = true
  /// Part of a frame.
  private var inbox = Bytes()
  /// A header block in several frames, and the stream it is for.
  private var block = Bytes()
  private var blockStream: UInt32 = 0
  private var blockEndsStream = false
  private var blockFrames = 0
  private var isTaking = false
  private var isQueued = false
  private var failure: HTTP2.ErrorCode?
  /// An error ended the connection; what still comes is thrown away.
  final private(set) var isLingering = false

  init(loop: EventLoop, connection: Connection, needsPreface: Bool) {
    self.loop = loop
    self.connection = connection
    self.needsPreface = needsPreface
    tools = loop.http2
  }

  // MARK: - What differs

  /// A whole header block.
  func onHeaders(_ id: UInt32, _ block: UnsafePointer<UInt8>, _ count: Int, endStream: Bool) {}
  func onData(_ stream: HTTP2Stream, _ bytes: UnsafePointer<UInt8>, _ count: Int, endStream: Bool) {}
  /// Data for a stream that is not open. It has been counted already.
  func onStrayData(_ id: UInt32) {}
  func onReset(_ stream: HTTP2Stream, _ code: UInt32) {}
  /// A frame other than HEADERS for a stream that is not open; false when it never was.
  func isKnown(_ id: UInt32) -> Bool { false }
  func onGoAway(_ last: UInt32, _ code: UInt32) {}
  func onPingAnswer(_ payload: UnsafePointer<UInt8>) {}
  /// Whether the other side may say that it takes pushed answers: clients may, though nobody pushes (section 6.5.2).
  var allowsPush: Bool { true }
  /// The settings of the other side have come, first or later.
  func onSettings() {}
  /// All of this side's has been sent on the stream.
  func onStreamSent(_ stream: HTTP2Stream) {}
  /// There is room again for more on the stream.
  func onStreamRoom(_ stream: HTTP2Stream) {}
  /// The connection ends: what is under way is taken from the stream.
  func onStreamLost(_ stream: HTTP2Stream) {}

  // MARK: - Reading

  final func onReadable() {
    while connection.mayRead, !connection.isClosed {
      // A side that does not read what it asked for gets no more, and is not heard.
      if unsent >= Self.outMax, !isLingering { return }
      let count = connection.receive()
      if count == -1 { return }
      if count <= 0 { return connection.onFailure() }
      if isLingering { continue }
      take(loop.readBuffer, count)
    }
  }

  /// Takes bytes that were read. Nothing in here reads from a socket, for they may lie in the loop's buffer.
  final func take(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
    isTaking = true
    if inbox.isEmpty {
      let used = parse(bytes, count)
      if used < count { inbox.append(bytes + used, count - used) }
    } else {
      inbox.append(bytes, count)
      inbox.consume(parse(inbox.first, inbox.count))
    }
    isTaking = false
    if inbox.isEmpty || connection.isClosed || isLingering { inbox.release(keeping: 0) }
  }

  private func parse(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var position = 0
    if needsPreface {
      let length = min(count, HTTP2.prefaceLength)
      for index in 0..<length where bytes[index] != HTTP2.preface.utf8Start[index] {
        fail(.protocolError)
        return count
      }
      if length < HTTP2.prefaceLength { return 0 }
      needsPreface = false
      position = length
    }
    while count - position >= HTTP2.frameHeadLength, !connection.isClosed, !isLingering {
      let head = HTTP2.FrameHead(bytes + position)
      if head.length > HTTP2.initialFrameMax {
        fail(.frameSizeError)
        return count
      }
      let end = position + HTTP2.frameHeadLength + head.length
      if end > count { return position }
      handle(head, bytes + position + HTTP2.frameHeadLength)
      position = end
    }
    return isLingering || connection.isClosed ? count : position
  }

  private func handle(_ head: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) {
    let type = HTTP2.FrameType(rawValue: head.type)
    if needsSettings {
      guard type == .settings, !head.has(HTTP2.Flag.ack) else { return fail(.protocolError) }
      needsSettings = false
    }
    // Nothing may come between the frames of a header block (section 6.10).
    if blockStream != 0, type != .continuation || head.stream != blockStream { return fail(.protocolError) }
    switch type {
    case .data: takeData(head, payload)
    case .headers: takeHeaders(head, payload)
    case .continuation: takeContinuation(head, payload)
    case .priority: takePriority(head)
    case .resetStream: takeReset(head, payload)
    case .settings: takeSettings(head, payload)
    case .ping: takePing(head, payload)
    case .goAway: takeGoAway(head, payload)
    case .windowUpdate: takeWindowUpdate(head, payload)
    case .pushPromise: fail(.protocolError)
    case nil: if !limits.allowsControlFrame(loop.now) { fail(.enhanceYourCalm) }
    }
  }

  // MARK: - Messages

  private func takeHeaders(_ head: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) {
    guard head.stream != 0, let slice = HTTP2.unpadded(payload, head.length, head.flags) else {
      return fail(.protocolError)
    }
    var fragment = slice
    if head.has(HTTP2.Flag.priority) {
      if fragment.count < 5 { return fail(.frameSizeError) }
      fragment = Slice(fragment.start + 5, fragment.count - 5)
    }
    let endStream = head.has(HTTP2.Flag.endStream)
    if head.has(HTTP2.Flag.endHeaders) {
      return onHeaders(head.stream, payload + fragment.start, fragment.count, endStream: endStream)
    }
    block.clear()
    block.append(payload + fragment.start, fragment.count)
    blockStream = head.stream
    blockEndsStream = endStream
    blockFrames = 1
    onBlockBegun()
  }

  /// Whether a header block has begun and not ended.
  final var isInsideBlock: Bool { blockStream != 0 }

  /// The first part of a block has come, the rest has not.
  func onBlockBegun() {}

  private func takeContinuation(_ head: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) {
    if blockStream == 0 { return fail(.protocolError) }
    blockFrames += 1
    block.append(payload, head.length)
    if block.count > HTTP2HeadReader.blockMax || blockFrames > HTTP2Limits.blockFramesMax {
      return fail(.enhanceYourCalm)
    }
    guard head.has(HTTP2.Flag.endHeaders) else { return }
    let id = blockStream
    blockStream = 0
    if block.isEmpty {
      onHeaders(id, payload, 0, endStream: blockEndsStream)
    } else {
      onHeaders(id, block.first, block.count, endStream: blockEndsStream)
    }
    block.release(keeping: 0)
  }

  private func takeData(_ head: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) {
    guard head.stream != 0 else { return fail(.protocolError) }
    receiveWindow -= head.length
    if receiveWindow < 0 { return fail(.flowControlError) }
    guard let slice = HTTP2.unpadded(payload, head.length, head.flags) else { return fail(.protocolError) }
    guard let stream = find(head.stream), !stream.remoteEnded else {
      creditConnection(head.length)
      return onStrayData(head.stream)
    }
    stream.receiveWindow -= head.length
    if stream.receiveWindow < 0 { return fail(.flowControlError) }
    let endStream = head.has(HTTP2.Flag.endStream)
    if slice.count == 0, !endStream, !limits.allowsControlFrame(loop.now) { return fail(.enhanceYourCalm) }
    if slice.count > 0 { limits.noteWork() }
    let overhead = head.length - slice.count
    if overhead > 0 { credit(stream, overhead) }
    onData(stream, payload + slice.start, slice.count, endStream: endStream)
  }

  private func takeReset(_ head: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) {
    guard head.stream != 0 else { return fail(.protocolError) }
    if head.length != 4 { return fail(.frameSizeError) }
    if let stream = find(head.stream) { return onReset(stream, HTTP2.number(payload)) }
    if !isKnown(head.stream) { return fail(.protocolError) }
    if !limits.allowsControlFrame(loop.now) { fail(.enhanceYourCalm) }
  }

  /// Priorities are not followed, as RFC 9113 (section 5.3) lets everybody choose.
  private func takePriority(_ head: HTTP2.FrameHead) {
    guard head.stream != 0 else { return fail(.protocolError) }
    if head.length != 5 { return fail(.frameSizeError) }
    if !limits.allowsControlFrame(loop.now) { fail(.enhanceYourCalm) }
  }

  // MARK: - The connection

  private func takeSettings(_ head: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) {
    if head.stream != 0 { return fail(.protocolError) }
    if head.has(HTTP2.Flag.ack) { return head.length == 0 ? () : fail(.frameSizeError) }
    if !limits.allowsControlFrame(loop.now) { return fail(.enhanceYourCalm) }
    let before = peer.initialWindow
    if let error = peer.apply(payload, head.length) { return fail(error) }
    if !allowsPush, peer.allowsPush { return fail(.protocolError) }
    noteTableSize()
    // The other side counts with its new values from the acknowledgement on, so what they allow follows it.
    _ = frame(.settings, HTTP2.Flag.ack, 0, 0)
    let difference = peer.initialWindow - before
    if difference != 0 {
      for stream in streams {
        stream.sendWindow += difference
        if stream.sendWindow > HTTP2.windowMax { return fail(.flowControlError) }
      }
      if difference > 0 { sendWaiting() }
    }
    onSettings()
  }

  /// A table made smaller must be agreed to at the front of the next header block (section 4.3.1).
  private func noteTableSize() {
    if peer.headerTableLeast >= tableSize { return }
    tableSize = 0
    announcesTableSize = true
  }

  private func takePing(_ head: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) {
    if head.stream != 0 { return fail(.protocolError) }
    if head.length != 8 { return fail(.frameSizeError) }
    if head.has(HTTP2.Flag.ack) { return onPingAnswer(payload) }
    if !limits.allowsControlFrame(loop.now) { return fail(.enhanceYourCalm) }
    frame(.ping, HTTP2.Flag.ack, 0, 8).update(from: payload, count: 8)
  }

  private func takeGoAway(_ head: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) {
    if head.stream != 0 { return fail(.protocolError) }
    if head.length < 8 { return fail(.frameSizeError) }
    onGoAway(HTTP2.number(payload) & HTTP2.streamMax, HTTP2.number(payload + 4))
  }

  private func takeWindowUpdate(_ head: HTTP2.FrameHead, _ payload: UnsafePointer<UInt8>) {
    if head.length != 4 { return fail(.frameSizeError) }
    let increment = Int(HTTP2.number(payload) & HTTP2.streamMax)
    if !limits.allowsWindowUpdate() { return fail(.enhanceYourCalm) }
    if head.stream == 0 {
      if increment == 0 { return fail(.protocolError) }
      sendWindow += increment
      if sendWindow > HTTP2.windowMax { return fail(.flowControlError) }
      return sendWaiting()
    }
    guard let stream = find(head.stream) else {
      if !isKnown(head.stream) { fail(.protocolError) }
      return
    }
    if increment == 0 { return refuse(stream, .protocolError) }
    stream.sendWindow += increment
    if stream.sendWindow > HTTP2.windowMax { return refuse(stream, .flowControlError) }
    if !stream.hasSentAll { sendPending(stream) }
  }

  // MARK: - Streams

  @inline(__always)
  final func find(_ id: UInt32) -> HTTP2Stream? {
    // The last one opened is asked for most.
    var index = numbers.count - 1
    while index >= 0 {
      if numbers[index] == id { return streams[index] }
      index -= 1
    }
    return nil
  }

  final func add(_ stream: HTTP2Stream) {
    streams.append(stream)
    numbers.append(stream.id)
  }

  /// Forgets a stream; whose it was lets it go later.
  final func remove(_ stream: HTTP2Stream) {
    guard let index = numbers.lastIndex(of: stream.id), streams[index] === stream else { return }
    if stream.isWaiting { waiting -= 1 }
    stream.isWaiting = false
    let last = streams.count - 1
    if index != last {
      streams[index] = streams[last]
      numbers[index] = numbers[last]
    }
    streams.removeLast()
    numbers.removeLast()
  }

  /// Ends a stream because of what the other side did on it. That it made us end it counts as if it had.
  final func refuse(_ stream: HTTP2Stream, _ code: HTTP2.ErrorCode) {
    reset(stream.id, code)
    onStreamLost(stream)
    if !limits.allowsReset() { fail(.enhanceYourCalm) }
  }

  // MARK: - The end

  /// Ends the connection with an error.
  final func fail(_ code: HTTP2.ErrorCode) {
    if isLingering || connection.isClosed { return }
    onFailing(code)
    loseStreams()
    goAway(lastPeerStream, code)
    linger()
  }

  /// As `fail`, after the events of this batch: for places where a stream is still in somebody's hands.
  final func failLater(_ code: HTTP2.ErrorCode) {
    failure = code
    scheduleFlush()
  }

  func onFailing(_ code: HTTP2.ErrorCode) {}

  /// Sends what waits and closes; what still comes is thrown away for a while, for closing on it would destroy what is
  /// on its way to the other side.
  final func linger() {
    isLingering = true
    connection.setDeadline(loop.now &+ Self.lingerTime)
    scheduleFlush()
  }

  final func loseStreams() {
    while let stream = streams.last { onStreamLost(stream) }
  }

  /// The connection is closed.
  final func onClose() {
    loseStreams()
    out.release(keeping: 0)
    // Frames that are being taken may lie there.
    if isTaking { return }
    inbox.release(keeping: 0)
    block.release(keeping: 0)
  }

  // MARK: - Sending what was written

  /// Bytes that wait for the socket.
  final var unsent: Int { out.count + connection.out.count }

  /// Frames of one batch of events leave together.
  final func scheduleFlush() {
    if isQueued { return }
    isQueued = true
    loop.enqueue(connection)
  }

  /// After the events of a batch.
  final func resume() {
    isQueued = false
    if let code = failure, !isLingering { fail(code) }
    onDrained()
  }

  /// Goes on when the socket took everything, or something new is there.
  final func onDrained() {
    push()
    if connection.isClosed { return }
    if connection.out.isEmpty {
      if isLingering { return connection.shutDownWriting() }
      if waiting > 0 {
        sendWaiting()
        releaseHeld()
      }
      if out.isEmpty { onRest() }
    }
    if !connection.isClosed, connection.mayRead { onReadable() }
  }

  /// Gives the socket what was written, unless it still has enough.
  private func push() {
    if out.isEmpty || !connection.out.isEmpty { return }
    let isSent = connection.write(out.first, out.count)
    out.release(keeping: streams.isEmpty ? 0 : 16 << 10)
    if !isSent { connection.onFailure() }
  }

  /// Nothing waits for the socket.
  func onRest() {}

  // MARK: - Flow control, receiving

  /// Bytes of the stream's body have gone on: the other side may send as many more.
  final func credit(_ stream: HTTP2Stream, _ count: Int) {
    creditConnection(count)
    creditStream(stream, count)
  }

  final func creditStream(_ stream: HTTP2Stream, _ count: Int) {
    if stream.remoteEnded { return }
    stream.uncredited += count
    if stream.uncredited >= Self.streamWindow / 2 {
      HTTP2.write(UInt32(stream.uncredited), to: frame(.windowUpdate, 0, stream.id, 4))
      stream.receiveWindow += stream.uncredited
      stream.uncredited = 0
    }
  }

  final func creditConnection(_ count: Int) {
    uncredited += count
    if uncredited >= Self.connectionWindow / 2, !isLingering {
      HTTP2.write(UInt32(uncredited), to: frame(.windowUpdate, 0, 0, 4))
      receiveWindow += uncredited
      uncredited = 0
    }
  }
}
