// The load balancer as an HTTP/2 client of a target.
import GateProtocol
import Glibc
import HTTPWire

final class HTTP2TargetSession: HTTP2Session {
  /// Streams on one connection before the target's SETTINGS say how many it takes.
  private static let streamsBeforeSettings = 100
  private static let streamsMax = 1000

  private unowned(unsafe) let target: HTTP2TargetConnection
  private var nextStream: UInt32 = 1
  private var isRetiring = false
  private var hasSettings = false

  init(loop: EventLoop, connection: HTTP2TargetConnection) {
    target = connection
    super.init(loop: loop, connection: connection, needsPreface: false)
    peer.allowsPush = false
    out.append(HTTP2.preface)
    let settings = frame(.settings, 0, 0, 18)
    setting(.enablePush, 0, settings)
    setting(.initialWindowSize, Self.streamWindow, settings + 6)
    setting(.maxHeaderListSize, HTTP2HeadReader.listMax, settings + 12)
    openConnectionWindow()
  }

  private var runtime: TargetRuntime { target.target }

  var hasRoom: Bool {
    let most = hasSettings ? min(peer.maxConcurrentStreams, Self.streamsMax) : Self.streamsBeforeSettings
    return !isRetiring && !isLingering && streams.count < most && nextStream < HTTP2.streamMax - 2
  }

  var isReady: Bool { !target.isConnecting }

  /// The connection is made: the requests that waited for it go on.
  func begin() {
    for stream in streams { stream.link?.exchange?.resumeBody() }
    resume()
  }

  // MARK: - Requests

  func start(_ exchange: Exchange) {
    let stream = tools.targetStream(loop)
    stream.open(nextStream, sendWindow: peer.initialWindow, receiveWindow: Self.streamWindow, now: loop.now)
    nextStream += 2
    add(stream)
    guard let link = stream.link else { return }
    link.attach(exchange, self)
    exchange.record?.noteSent(to: runtime, at: loop.now)
    runtime.statistics.activeRequests += 1
    runtime.group.statistics.activeRequests += 1
    let isWhole = exchange.request.body.isDone
    guard !exchange.outgoing.isEmpty, encodeRequest(exchange.outgoing.first, exchange.outgoing.count) else {
      // Our own making, and checked before.
      _ = take(stream)
      return exchange.answer(LocalAnswer(status: 500), closing: true)
    }
    sendHeaders(stream, tools.block.first, tools.block.count, endStream: isWhole)
    if !isWhole { exchange.resumeBodyLater() }
  }

  /// The header block of a request, from its HTTP/1.1 head.
  private func encodeRequest(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    guard case .complete = tools.head.parseRequest(bytes, count) else { return false }
    tools.block.clear()
    let method = tools.head.method
    let path = tools.head.target
    tools.append(":method", bytes + method.start, method.count)
    tools.append(":scheme", runtime.group.usesTLS ? "https" : "http")
    if tools.head.hostField >= 0 {
      let host = tools.head.fields[tools.head.hostField]
      tools.append(":authority", bytes + Int(host.valueStart), Int(host.valueLength))
    }
    tools.append(":path", bytes + path.start, path.count)
    tools.appendFields(tools.head, bytes)
    if runtime.group.protocolVersion == .grpc { tools.append("te", "trailers") }
    return true
  }

  /// Sends trailers, given as a head whose line says nothing.
  func sendTrailers(_ stream: HTTP2Stream, head: UnsafePointer<UInt8>, _ count: Int) {
    guard case .complete = tools.head.parseResponse(head, count) else { return endData(stream) }
    tools.block.clear()
    tools.appendFields(tools.head, head)
    if tools.block.isEmpty { return endData(stream) }
    sendTrailers(stream, tools.block.first, tools.block.count)
  }

  override func onStreamRoom(_ stream: HTTP2Stream) { stream.link?.exchange?.resumeBody() }

  // MARK: - Answers

  override var allowsPush: Bool { false }

  override func onSettings() { hasSettings = true }

  override func onHeaders(_ id: UInt32, _ block: UnsafePointer<UInt8>, _ count: Int, endStream: Bool) {
    let stream = find(id)
    let isTrailers = stream?.link?.hasHead ?? false
    let outcome =
      isTrailers
      ? tools.heads.readTrailers(block, count, &decoder) : tools.heads.readResponse(block, count, &decoder)
    if outcome == .invalid { return fail(.compressionError) }
    if outcome == .bomb { return fail(.enhanceYourCalm) }
    guard let stream, !stream.remoteEnded else { return isKnown(id) ? () : fail(.protocolError) }
    stream.remoteEnded = endStream
    let bytes = UnsafePointer(tools.heads.head)
    guard case .head(let length) = outcome, case .complete = loop.responseHead.parseResponse(bytes, length),
      let link = stream.link, let exchange = link.exchange
    else { return refuseAnswer(stream) }
    if isTrailers { return takeTrailers(stream, exchange, bytes, endStream) }
    let status = loop.responseHead.status
    if status < 200 {
      // Heads are not held back by windows: a client that reads slowly would have us keep them all.
      link.interimBytes += length
      if endStream || link.interimBytes > HTTP2HeadReader.listMax { return refuseAnswer(stream) }
      _ = exchange.sendInterim(bytes, length)
      return
    }
    link.hasHead = true
    let framing = loop.responseHead.responseFraming(toHEAD: exchange.request.isHEAD)
    switch framing {
    case .length(let length): link.promised = length
    case .none: link.promised = 0
    case .chunked, .untilClose: break
    }
    if endStream, link.promised ?? 0 > 0 { return refuseAnswer(stream) }
    exchange.recordAnswer(of: runtime, status, sentAt: link.sentAt)
    exchange.noteAnswer()
    exchange.buildAnswer(bytes, length, endStream ? .none : framing)
    _ = exchange.sendFirst(bytes, 0, isEnd: endStream)
    if endStream { finish(stream) }
  }

  private func takeTrailers(
    _ stream: HTTP2Stream, _ exchange: Exchange, _ bytes: UnsafePointer<UInt8>, _ endStream: Bool
  ) {
    guard endStream, stream.link?.promised ?? 0 == 0 else { return refuseAnswer(stream) }
    exchange.sendTrailers(bytes)
    finish(stream)
  }

  override func onData(_ stream: HTTP2Stream, _ bytes: UnsafePointer<UInt8>, _ count: Int, endStream: Bool) {
    stream.remoteEnded = endStream
    creditConnection(count)
    guard let link = stream.link, let exchange = link.exchange, link.hasHead else { return refuseAnswer(stream) }
    if let left = link.promised {
      if UInt64(count) > left || (endStream && UInt64(count) != left) { return refuseAnswer(stream) }
      link.promised = left - UInt64(count)
    }
    if count > 0 || endStream { _ = exchange.sendBody(bytes, count, isEnd: endStream) }
    exchange.touch()
    if endStream { return finish(stream) }
    // A client that does not take the answer stops this stream, by its window.
    if exchange.takesAnswer, link.owed == 0 { creditStream(stream, count) } else { link.owed += count }
  }

  override func onStrayData(_ id: UInt32) { if !isKnown(id) { fail(.protocolError) } }

  override func isKnown(_ id: UInt32) -> Bool { id & 1 == 1 && id < nextStream }

  // MARK: - Ends of streams

  /// Takes a stream out; returns its exchange.
  private func take(_ stream: HTTP2Stream) -> Exchange? {
    remove(stream)
    let exchange = stream.link?.detach()
    release(stream)
    return exchange
  }

  private func release(_ stream: HTTP2Stream) {
    runtime.statistics.activeRequests -= 1
    runtime.group.statistics.activeRequests -= 1
    tools.release(stream)
    if isRetiring, streams.isEmpty, !isLingering { scheduleFlush() }
  }

  /// The answer is complete.
  private func finish(_ stream: HTTP2Stream) {
    // A target that answers before it has the whole request does not want the rest.
    if !stream.localEnded { reset(stream.id, .cancel) }
    take(stream)?.finish()
  }

  /// The answer breaks the rules: 502, or the client's stream is cut.
  private func refuseAnswer(_ stream: HTTP2Stream) {
    reset(stream.id, .protocolError)
    take(stream)?.answerBroken()
  }

  /// The client does not want the answer any more.
  func cancel(_ stream: HTTP2Stream) {
    reset(stream.id, .cancel)
    remove(stream)
    release(stream)
  }

  override func onReset(_ stream: HTTP2Stream, _ code: UInt32) {
    if code == HTTP2.ErrorCode.refusedStream.rawValue { return giveBack(stream) }
    take(stream)?.answerBroken()
  }

  /// The target says that it did not look at the request, which may go elsewhere, unless it was answered all the same.
  private func giveBack(_ stream: HTTP2Stream) {
    guard let exchange = take(stream) else { return }
    if exchange.request.hasAnswered { return exchange.answerBroken() }
    exchange.upstreamBroke(runtime, wasNotTaken: true)
  }

  /// The connection is gone under the stream.
  override func onStreamLost(_ stream: HTTP2Stream) {
    guard let exchange = take(stream) else { return }
    if exchange.request.hasAnswered { return exchange.answerBroken() }
    exchange.upstreamBroke(runtime, wasNotTaken: false)
  }

  /// The target ends the connection; what it did not look at goes elsewhere.
  override func onGoAway(_ last: UInt32, _ code: UInt32) {
    retire()
    for stream in Array(streams) where stream.id > last { giveBack(stream) }
  }

  /// No connection could be made: nothing was sent.
  func refused() {
    isRetiring = true
    target.target.multiplexed.removeAll { $0 === target }
    while let stream = streams.last { take(stream)?.connectionRefused(runtime) }
  }

  func breakStreams() {
    isRetiring = true
    while let stream = streams.last { take(stream)?.answerBroken() }
  }

  func retire() {
    isRetiring = true
    target.target.multiplexed.removeAll { $0 === target }
    scheduleFlush()
  }

  override func onRest() { if isRetiring, streams.isEmpty { connection.close() } }

  override func onFailing(_ code: HTTP2.ErrorCode) { retire() }
}
