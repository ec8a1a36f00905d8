// The load balancer's side of a client's HTTP/2 connection: streams become exchanges, which go their way to targets.
import GateProtocol
import Glibc
import HTTPWire

final class HTTP2ServerSession: HTTP2Session {
  /// Streams that we reset: what the client sent before it knew is not held against it.
  private static let resetsKept = 128
  /// Bytes of a request's body that are taken after its answer.
  private static let discardMax = 16 << 20

  // The connection owns its session.
  unowned(unsafe) let client: HTTP2ClientConnection
  private var recentResets: ContiguousArray<UInt32> = []
  private var nextReset = 0
  /// The client was told that no more requests are taken: first only told, then also held to it.
  private var retirement = Retirement.none
  private var lastActivity: UInt64

  private enum Retirement { case none, announced, final }

  init(loop: EventLoop, client: HTTP2ClientConnection) {
    self.client = client
    lastActivity = loop.now
    super.init(loop: loop, connection: client, needsPreface: true)
    let settings = frame(.settings, 0, 0, 18)
    setting(.maxConcurrentStreams, HTTP2Limits.streamsMax, settings)
    setting(.initialWindowSize, Self.streamWindow, settings + 6)
    setting(.maxHeaderListSize, HTTP2HeadReader.listMax, settings + 12)
    openConnectionWindow()
  }

  private var balancer: LoadBalancerRuntime { client.balancer }

  // MARK: - Requests

  override func onHeaders(_ id: UInt32, _ block: UnsafePointer<UInt8>, _ count: Int, endStream: Bool) {
    if let stream = find(id) { return takeTrailers(stream, block, count, endStream: endStream) }
    if id & 1 == 0 { return fail(.protocolError) }
    let isNew = id > lastPeerStream
    let outcome = tools.heads.readRequest(block, count, &decoder, hasBody: !endStream)
    if outcome == .invalid { return fail(.compressionError) }
    if outcome == .bomb { return fail(.enhanceYourCalm) }
    if !isNew { return wasReset(id) ? () : fail(.streamClosed) }
    lastPeerStream = id
    // After the last word the client knows that this one was not looked at.
    if retirement == .final { return }
    if streams.count >= HTTP2Limits.streamsMax {
      rememberReset(id)
      reset(id, .refusedStream)
      return limits.allowsReset() ? () : fail(.enhanceYourCalm)
    }
    if retirement == .none, client.isPastItsTime { retire() }
    open(id, outcome, endStream: endStream)
  }

  private func open(_ id: UInt32, _ outcome: HTTP2HeadReader.Outcome, endStream: Bool) {
    let stream = tools.clientStream(loop, client.listener)
    stream.open(id, sendWindow: peer.initialWindow, receiveWindow: Self.streamWindow, now: loop.now)
    stream.remoteEnded = endStream
    add(stream)
    lastActivity = loop.now
    if streams.count == 1 { client.touch() }
    guard let exchange = stream.exchange else { return }
    exchange.open(self, listener: client.listener, source: client.source, hasBody: !endStream)
    client.node.statistics.requests += 1
    if !client.admitsRequest() {
      // A request beyond its source's limit: answered as a web ACL's rate rule does.
      if balancer.sources.isHeld(client.slot, now: loop.now) { return fail(.enhanceYourCalm) }
      return exchange.answer(LocalAnswer(status: 403), closing: true)
    }
    switch outcome {
    case .head(let length): exchange.begin(tools.heads.head, length, isGRPC: tools.heads.isGRPC)
    case .tooLarge: exchange.answer(LocalAnswer(status: 431), closing: true)
    case .malformed, .invalid, .bomb:
      balancer.sources.penalise(client.slot, .malformed, now: loop.now)
      refuse(stream, .protocolError)
    }
  }

  private func takeTrailers(_ stream: HTTP2Stream, _ block: UnsafePointer<UInt8>, _ count: Int, endStream: Bool) {
    let outcome = tools.heads.readTrailers(block, count, &decoder)
    if outcome == .invalid { return fail(.compressionError) }
    if outcome == .bomb { return fail(.enhanceYourCalm) }
    if stream.remoteEnded { return fail(.streamClosed) }
    guard endStream, case .head(let length) = outcome, let exchange = stream.exchange else {
      return refuse(stream, .protocolError)
    }
    stream.remoteEnded = true
    exchange.takeTrailers(tools.heads.head, length)
  }

  override func onData(_ stream: HTTP2Stream, _ bytes: UnsafePointer<UInt8>, _ count: Int, endStream: Bool) {
    stream.remoteEnded = endStream
    stream.lastProgress = loop.now
    stream.exchange?.take(bytes, count, isEnd: endStream)
  }

  override func onStrayData(_ id: UInt32) {
    if id > lastPeerStream || id & 1 == 0 { return fail(.protocolError) }
    if !wasReset(id) { fail(.streamClosed) }
  }

  override func isKnown(_ id: UInt32) -> Bool { id & 1 == 1 && id <= lastPeerStream }

  /// A header block that trickles in has the time that a head has.
  override func onBlockBegun() { if streams.isEmpty { client.touch() } }

  // MARK: - Ends of streams

  /// The client no longer wants the answer: its target is free.
  override func onReset(_ stream: HTTP2Stream, _ code: UInt32) {
    let isAbort = !(stream.exchange?.isFinished ?? true)
    if isAbort {
      client.node.statistics.clientAborts += 1
      if stream.exchange?.request.status == 0 { client.node.statistics.elb.count(460) }
    }
    let isAllowed = !isAbort || limits.allowsReset()
    if !isAbort { limits.noteCompleted() }
    close(stream)
    if !isAllowed { fail(.enhanceYourCalm) }
  }

  override func onStreamSent(_ stream: HTTP2Stream) {
    if stream.exchange?.isFinished ?? true { complete(stream) }
  }

  /// The answer is sent whole.
  func complete(_ stream: HTTP2Stream) {
    limits.noteCompleted()
    // What is still to come of the request is thrown away: clients take a reset in the middle of an upload for a failure.
    if stream.remoteEnded { close(stream) }
  }

  /// Throws away what comes of a request after its answer, up to a point (section 8.1).
  func discard(_ stream: HTTP2Stream, _ count: Int) {
    stream.discarded += count
    credit(stream, count)
    if stream.remoteEnded { return stream.localEnded ? close(stream) : () }
    if stream.discarded > Self.discardMax { breakOff(stream, .noError) }
  }

  /// Ends a stream whose answer cannot be given, or not to its end.
  func breakOff(_ stream: HTTP2Stream, _ code: HTTP2.ErrorCode) {
    rememberReset(stream.id)
    reset(stream.id, code)
    close(stream)
  }

  override func onStreamLost(_ stream: HTTP2Stream) {
    rememberReset(stream.id)
    close(stream)
  }

  override func onStreamRoom(_ stream: HTTP2Stream) { stream.exchange?.upstream?.resumeReading() }

  private func close(_ stream: HTTP2Stream) {
    remove(stream)
    stream.exchange?.close()
    tools.release(stream)
    lastActivity = loop.now
    if retirement == .final, streams.isEmpty, !isLingering { linger() }
  }

  private func rememberReset(_ id: UInt32) {
    if recentResets.count < Self.resetsKept {
      recentResets.append(id)
    } else {
      recentResets[nextReset] = id
      nextReset = (nextReset + 1) % Self.resetsKept
    }
  }

  private func wasReset(_ id: UInt32) -> Bool { recentResets.contains(id) }

  // MARK: - The end of the connection

  /// Takes no new requests, in two steps (section 6.8): the client is told, and what it sent before it heard is served.
  func retire() {
    if isLingering || connection.isClosed || retirement != .none { return }
    retirement = .announced
    goAway(HTTP2.streamMax, .noError)
    frame(.ping, 0, 0, 8).update(repeating: 0x47, count: 8)
  }

  override func onPingAnswer(_ payload: UnsafePointer<UInt8>) {
    guard retirement == .announced else { return }
    retirement = .final
    goAway(lastPeerStream, .noError)
    if streams.isEmpty { linger() }
  }

  /// A client that goes needs no answer: when its streams are done it closes.
  override func onGoAway(_ last: UInt32, _ code: UInt32) {}

  override func onFailing(_ code: HTTP2.ErrorCode) {
    guard code == .enhanceYourCalm else { return }
    client.node.statistics.http2Abuses += 1
    balancer.sources.penalise(client.slot, limits.hasReset ? .rapidReset : .controlFlood, now: loop.now)
  }

  /// Looks at all streams: those where nothing moved for the idle time end.
  func onDeadline() {
    let idle = balancer.idleTimeout
    if needsPreface || streams.isEmpty, lastActivity &+ idle <= loop.now { return endIdle() }
    var next = streams.isEmpty ? lastActivity : UInt64.max
    for stream in Array(streams) {
      if stream.lastProgress &+ idle <= loop.now {
        stream.exchange?.timeOut()
      } else {
        next = min(next, stream.lastProgress)
      }
    }
    if connection.isClosed || isLingering { return }
    connection.setDeadline(next == .max ? loop.now &+ idle : next &+ idle)
  }

  private func endIdle() {
    goAway(lastPeerStream, .noError)
    linger()
  }
}
