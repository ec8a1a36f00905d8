// The connection of one probe: asks as soon as it can, reads as much as decides, keeps the time limits.

import HTTPWire
import NIOCore
import NIOSSL
import NIOTLS

final class ProbeHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let probe: Probe
  private let started: NIODeadline
  private let promise: EventLoopPromise<ProbeAnswer>
  private var answer = ProbeAnswer(.failed(.closed))
  private var isDone = false
  private var asked: NIODeadline?
  private var limit: Scheduled<Void>?

  /// What came and is not yet taken apart: the head, later nothing.
  private var bytes: [UInt8] = []
  private var head = MessageHead()
  /// The final status, once its head is whole.
  private var status: Int?
  private var body: BodyReader?
  /// What is searched.
  private var text: [UInt8] = []

  init(_ probe: Probe, _ started: NIODeadline, _ promise: EventLoopPromise<ProbeAnswer>) {
    self.probe = probe
    self.started = started
    self.promise = promise
  }

  func channelActive(context: ChannelHandlerContext) {
    answer.connectTime = Self.milliseconds(since: started)
    switch probe.kind {
    case .tcp: finish(.connected, context)
    case .http:
      expect(.answerTimeout, within: probe.limits.answer, context)
      ask(context)
    case .https: expect(.answerTimeout, within: probe.limits.answer, context)
    }
    context.fireChannelActive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? TLSUserEvent, case .handshakeCompleted = event {
      answer.handshakeTime = Self.milliseconds(since: started) - (answer.connectTime ?? 0)
      ask(context)
    }
    context.fireUserInboundEventTriggered(event)
  }

  private func ask(_ context: ChannelHandlerContext) {
    asked = .now()
    let request =
      "GET \(probe.path) HTTP/1.1\r\nHost: \(probe.hostHeader)\r\nUser-Agent: \(probe.userAgent)\r\n"
      + "Accept: */*\r\nConnection: close\r\n\r\n"
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isDone else { return }
    if let asked, answer.firstByteTime == nil { answer.firstByteTime = Self.milliseconds(since: asked) }
    bytes += unwrapInboundIn(data).readableBytesView
    while !isDone, status == nil {
      guard takeHead(context) else { return }
    }
    if !isDone { takeBody(context) }
  }

  /// - Returns: false when more is needed.
  private func takeHead(_ context: ChannelHandlerContext) -> Bool {
    let result = bytes.withUnsafeBufferPointer { buffer in
      buffer.baseAddress.map { head.parseResponse($0, buffer.count) } ?? .incomplete
    }
    switch result {
    case .incomplete: return false
    case .refused:
      finish(.failed(.malformed), context)
    case .complete(let length):
      bytes.removeFirst(length)
      // Interim answers (100 Continue, 103 Early Hints) come before the real one.
      guard head.status >= 200 else { return true }
      status = head.status
      guard probe.searchString != nil, (200..<400).contains(head.status) else {
        finish(.status(head.status), context)
        return true
      }
      body = BodyReader(framing)
      expect(.bodyTimeout, within: probe.limits.body, context)
    }
    return true
  }

  /// How the end of the body is told (RFC 9112, section 6.3).
  private var framing: BodyFraming {
    if [204, 304].contains(head.status) { return .none }
    if head.isChunked { return .chunked }
    if let length = head.contentLength { return .length(length) }
    return .untilClose
  }

  private func takeBody(_ context: ChannelHandlerContext) {
    guard var reader = body, let status else { return }
    let room = probe.limits.bodyMax
    let outcome = bytes.withUnsafeBufferPointer { buffer -> BodyReader.Outcome in
      guard let start = buffer.baseAddress else { return .body(count: 0, isEnd: reader.isDone) }
      return reader.unwrap(start, buffer.count) { data, count in
        text += UnsafeBufferPointer(start: data, count: min(count, room - text.count))
      }
    }
    bytes.removeAll()
    body = reader
    switch outcome {
    case .invalid: finish(.failed(.malformed), context)
    case .body(_, let isEnd):
      if isFound {
        finish(.status(status), context)
      } else if isEnd || text.count >= room {
        finish(.notFound(status: status), context)
      }
    }
  }

  private var isFound: Bool { text.firstRange(of: Array((probe.searchString ?? "").utf8)) != nil }

  func channelInactive(context: ChannelHandlerContext) {
    if !isDone, answer.connectTime != nil {
      if let status, body?.endsWithConnection == true {
        finish(.notFound(status: status), context)
      } else {
        finish(.failed(.closed), context)
      }
    }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A peer that closes without TLS's goodbye has answered all the same.
    if let error = error as? NIOSSLError, case .uncleanShutdown = error { return }
    finish(.failed(asked == nil && probe.kind == .https ? .tls("\(error)") : .closed), context)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    // Of a connection that never stood, whoever asked for it is told why.
    if !isDone, answer.connectTime != nil { finish(.failed(.closed), context) }
  }

  // MARK: - Time limits and the end

  private func expect(_ failure: ProbeAnswer.Failure, within milliseconds: Int, _ context: ChannelHandlerContext) {
    limit?.cancel()
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    limit = context.eventLoop.scheduleTask(in: .milliseconds(Int64(milliseconds))) {
      let (handler, context) = bound.value
      handler.finish(.failed(failure), context)
    }
  }

  private func finish(_ outcome: ProbeAnswer.Outcome, _ context: ChannelHandlerContext) {
    guard !isDone else { return }
    isDone = true
    limit?.cancel()
    answer.outcome = outcome
    promise.succeed(answer)
    context.close(promise: nil)
  }

  private static func milliseconds(since start: NIODeadline) -> Double {
    Double((NIODeadline.now() - start).nanoseconds) / 1_000_000
  }
}
