// A request that came over HTTP/2, and how its answer goes back.
import CLinux
import GateProtocol
import Glibc
import HTTPWire

/// The exchange of a stream of an HTTP/2 client's connection.
final class HTTP2Exchange: Exchange {
  // The stream owns its exchange, the session holds the stream while it is open.
  private unowned(unsafe) let stream: HTTP2Stream
  private unowned(unsafe) var session: HTTP2ServerSession?
  /// The answer is complete, though perhaps not all of it is sent.
  private(set) var isFinished = false
  private var carriesGRPC = false
  private var isPOST = false
  /// Body that the target does not take yet; at most the stream's window.
  private var inbox = Bytes()
  /// The head, while the web ACL waits for more of the body.
  private var heldHead = Bytes()
  /// Trailers of the request, as a head whose line says nothing.
  private var trailers = Bytes()
  private var hasBody = false
  /// Bytes of the body that Content-Length promises and that have not come.
  private var promised: UInt64?

  init(loop: EventLoop, listener: ListenerRuntime, source: UInt32, stream: HTTP2Stream) {
    self.stream = stream
    super.init(loop: loop, listener: listener, source: source, node: listener.loadBalancer.nodes[0])
  }

  override var facts: ConnectionFacts {
    var facts = session?.client.facts() ?? ConnectionFacts()
    // As the access log names them; without TLS they are not Application Load Balancer's.
    if listener.isSecure { facts.type = isGRPC ? "grpcs" : "h2" }
    return facts
  }
  override var isGRPC: Bool { carriesGRPC }
  override var sourcePort: UInt16 { session?.client.port ?? 0 }
  override var protocolName: StaticString { "HTTP/2.0" }

  // MARK: - The request

  func open(_ session: HTTP2ServerSession, listener: ListenerRuntime, source: UInt32, hasBody: Bool) {
    self.session = session
    self.listener = listener
    self.source = source
    self.hasBody = hasBody
    node = session.client.node
    tls = session.connection.tls
    reset()
    noteProtocol()
    isFinished = false
    carriesGRPC = false
    promised = nil
  }

  /// Begins the request whose head, made from its header block, is given.
  func begin(_ bytes: UnsafePointer<UInt8>, _ length: Int, isGRPC: Bool) {
    carriesGRPC = isGRPC
    switch loop.requestHead.parseRequest(bytes, length) {
    case .complete:
      let method = loop.requestHead.method
      isPOST = Token.isExactly(bytes + method.start, method.count, "POST")
      promised = hasBody ? loop.requestHead.contentLength : nil
      if !hasBody, loop.requestHead.contentLength ?? 0 > 0 { return refuse() }
      _ = begin(bytes, length, length)
      if hold != nil { heldHead.append(bytes, length) }
    case .refused(let refusal) where refusal.status != 400: refuse(refusal, received: length)
    case .refused, .incomplete: refuse()
    }
  }

  override func noteProtocol() {
    request.takesChunks = false
    // Whatever the framing towards the target: here the body ends with its stream.
    request.body = BodyReader(hasBody ? .untilClose : .none)
  }

  private func refuse() { session?.refuse(stream, .protocolError) }

  /// Takes a part of the body.
  func take(_ bytes: UnsafePointer<UInt8>, _ count: Int, isEnd: Bool) {
    if isFinished { return session?.discard(stream, count) ?? () }
    if let left = promised {
      if UInt64(count) > left || (isEnd && UInt64(count) != left) {
        session?.creditConnection(count)
        return refuse()
      }
      promised = left - UInt64(count)
    }
    if count == 0 && !isEnd { return }
    countReceived(count)
    if let upstream, upstream.takesBody, inbox.isEmpty {
      if isEnd { request.body = BodyReader(.none) }
      let connection = session
      forward(upstream, bytes, count, isEnd: isEnd)
      // A target that is gone may have ended the stream: then only the connection's window opens again.
      session == nil ? connection?.creditConnection(count) : session?.credit(stream, count)
    } else {
      inbox.append(bytes, count)
      resumeHeld()
    }
  }

  override var canHoldBody: Bool { true }

  override var bodyAtHand: (bytes: UnsafeBufferPointer<UInt8>, isAll: Bool)? {
    let start = inbox.isEmpty ? nil : UnsafePointer(inbox.first)
    return (UnsafeBufferPointer(start: start, count: inbox.count), stream.remoteEnded)
  }

  /// Goes on with a request that waited, once there is as much of the body as the web ACL looks at, or all of it, or as
  /// much as the client may send before it is taken.
  private func resumeHeld() {
    guard let waited = hold,
      stream.remoteEnded || inbox.count >= min(waited.wanted, HTTP2Session.streamWindow)
    else { return }
    guard case .complete(let length) = loop.requestHead.parseRequest(heldHead.first, heldHead.count) else {
      return refuse()
    }
    reset()
    _ = begin(heldHead.first, length, length)
    heldHead.release(keeping: 0)
  }

  /// Takes what came behind the body, which ends it.
  func takeTrailers(_ bytes: UnsafePointer<UInt8>, _ length: Int) {
    if isFinished { return session?.discard(stream, 0) ?? () }
    if let promised, promised > 0 { return refuse() }
    trailers.append(bytes, length)
    if hold != nil { return resumeHeld() }
    if upstream?.takesBody ?? false { resumeBody() }
  }

  override func resumeBodyLater() { resumeBody() }

  override func resumeBody() {
    guard let upstream, upstream.takesBody, !request.body.isDone else { return }
    let isEnd = stream.remoteEnded
    let count = inbox.count
    if count == 0 && !isEnd { return }
    if isEnd { request.body = BodyReader(.none) }
    if count == 0 {
      forward(upstream, loop.readBuffer, 0, isEnd: true)
    } else {
      forward(upstream, inbox.first, count, isEnd: isEnd)
      // Whatever ended the request meanwhile has let go of it, and credited it.
      if inbox.isEmpty { return }
      inbox.release(keeping: 0)
      session?.credit(stream, count)
    }
  }

  /// Gives body to the target, in chunks when its head says so.
  private func forward(_ upstream: any TargetLink, _ bytes: UnsafePointer<UInt8>, _ count: Int, isEnd: Bool) {
    request.isReplayable = false
    outgoing.clear()
    if upstream.framesBodies {
      if isEnd, !trailers.isEmpty { upstream.holdTrailers(trailers.first, trailers.count) }
      return upstream.sendBody(bytes, count, isEnd: isEnd)
    }
    if promised != nil {
      if count > 0 { upstream.sendBody(bytes, count, isEnd: isEnd) }
      return
    }
    loop.scratch.clear()
    if count > 0 {
      loop.scratch.append(hexadecimal: UInt64(count), digits: 5)
      loop.scratch.append("\r\n")
      loop.scratch.append(bytes, count)
      loop.scratch.append("\r\n")
    }
    if isEnd { loop.scratch.append("0\r\n\r\n") }
    upstream.sendBody(loop.scratch.first, loop.scratch.count, isEnd: isEnd)
  }

  // MARK: - The client's side

  /// Application Load Balancer's table of what may be sent where (its error 464).
  override func suits(_ group: TargetGroupRuntime) -> Bool {
    switch group.protocolVersion {
    case .http1: !isGRPC
    case .http2: true
    case .grpc: isGRPC && isPOST
    }
  }

  override var takesAnswer: Bool { session?.takesMore(stream) ?? false }

  override func touch() { stream.lastProgress = loop.now }

  override func sendInterim(_ bytes: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    buildAnswer(bytes, length, .none)
    sendBlock(endStream: false)
    return true
  }

  /// The header block, in the loop's memory for such.
  override func buildAnswer(_ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ framing: BodyFraming) {
    let tools = loop.http2
    tools.block.clear()
    tools.block.advanceEnd(tools.encoder.writeStatus(loop.responseHead.status, tools.block.reserve(8)))
    let changes = listener.answerHeaders
    tools.appendFields(loop.responseHead, bytes) { changes.replaces($0, $1) }
    guard !changes.isEmpty || sticky != nil || !sessionLines.isEmpty else { return }
    loop.scratch.clear()
    appendAnswerLines(bytes, to: &loop.scratch)
    tools.append(lines: UnsafeBufferPointer(start: loop.scratch.first, count: loop.scratch.count))
  }

  private func sendBlock(endStream: Bool) {
    let tools = loop.http2
    countSent(tools.block.count)
    session?.sendHeaders(stream, tools.block.first, tools.block.count, endStream: endStream)
  }

  override func sendFirst(_ bytes: UnsafePointer<UInt8>, _ count: Int, isEnd: Bool) -> Bool {
    sendBlock(endStream: isEnd && count == 0)
    return count == 0 || sendBody(bytes, count, isEnd: isEnd)
  }

  override func sendBody(_ bytes: UnsafePointer<UInt8>, _ count: Int, isEnd: Bool) -> Bool {
    countSent(count)
    session?.sendData(stream, bytes, count, endStream: isEnd)
    return true
  }

  /// What came behind the answer's body, as a head in `loop.responseHead`.
  override func sendTrailers(_ bytes: UnsafePointer<UInt8>) {
    let tools = loop.http2
    tools.block.clear()
    tools.appendFields(loop.responseHead, bytes)
    if tools.block.isEmpty { return }
    session?.sendTrailers(stream, tools.block.first, tools.block.count)
  }

  override func finish() {
    group = nil
    endRecord()
    outgoing.release(keeping: 4 << 10)
    isFinished = true
    if !inbox.isEmpty, !stream.remoteEnded {
      // The rest of an unwanted body can come only when its window opens again.
      let count = inbox.count
      inbox.release(keeping: 0)
      session?.credit(stream, count)
    }
    session?.endData(stream)
    if stream.localEnded, let session, isFinished { session.complete(stream) }
  }

  override func breakOff() { session?.breakOff(stream, stream.localEnded ? .noError : .internalError) }
  override func clientFailed() { session?.connection.onFailure() }

  /// Nothing moved for the idle time.
  func timeOut() {
    if isFinished || request.hasAnswered || upstream == nil { return breakOff() }
    let clientIsSlow = !request.body.isDone && upstream?.hasSentAll ?? false
    abandonUpstream()
    answer(LocalAnswer(status: clientIsSlow ? 408 : 504), closing: true)
  }

  /// The stream is closed.
  func close() {
    abandonUpstream()
    endRecord()
    group = nil
    isFinished = true
    session?.creditConnection(inbox.count)
    session = nil
    tls = nil
    hold = nil
    heldHead.release(keeping: 0)
    inbox.release(keeping: 0)
    trailers.release(keeping: 0)
    outgoing.release(keeping: 4 << 10)
  }

  // MARK: - Answers of the load balancer's own

  override func answer(_ local: LocalAnswer, closing: Bool) {
    node.statistics.elb.count(local.status)
    request.status = local.status
    request.hasAnswered = true
    let tools = loop.http2
    tools.block.clear()
    tools.block.advanceEnd(tools.encoder.writeStatus(local.status, tools.block.reserve(8)))
    if listener.answerHeaders.sendsServer { tools.append("server", Array("awselb/2.0".utf8)) }
    tools.append("date", loop.dateLine())
    if local.hasBody {
      if !local.body.isEmpty || local.contentType != "text/html" {
        tools.append("content-type", Array(local.contentType.utf8))
      }
      tools.append("content-length", Array("\(local.body.count)".utf8))
    }
    if let location = local.location { tools.append("location", Array(location.utf8)) }
    listener.answerHeaders.lines.withUnsafeBufferPointer { tools.append(lines: $0) }
    sessionLines.withUnsafeBufferPointer { tools.append(lines: $0) }
    for (name, value) in local.headers { tools.append(line: Array(name.utf8), Array(value.utf8)) }
    let body = local.hasBody && !request.isHEAD ? local.body : []
    sendBlock(endStream: body.isEmpty)
    body.withUnsafeBufferPointer { bytes in
      if let base = bytes.baseAddress, bytes.count > 0 { _ = sendBody(base, bytes.count, isEnd: true) }
    }
    finish()
  }
}

extension HTTP2Tools {
  /// Appends the fields of a head in lower case, but for those that belong to one connection.
  /// - Parameter isReplaced: tells of a name whether the listener has another value for it.
  func appendFields(
    _ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>,
    except isReplaced: (UnsafePointer<UInt8>, Int) -> Bool = { _, _ in false }
  ) {
    let fields = head.fields
    for index in 0..<head.fieldCount {
      let field = fields[index]
      switch field.kind {
      case .connection, .keepAlive, .proxyConnection, .upgrade, .transferEncoding, .te, .host: continue
      case .other:
        if head.nominatesFields && head.nominates(field, in: bytes) { continue }
        if isReplaced(bytes + Int(field.start), Int(field.nameLength)) { continue }
      default: break
      }
      let nameLength = Int(field.nameLength)
      let valueLength = Int(field.valueLength)
      let room = block.reserve(HPACKEncoder.roomNeeded(nameLength, valueLength))
      block.advanceEnd(
        encoder.write(bytes + Int(field.start), nameLength, bytes + Int(field.valueStart), valueLength, room))
    }
  }

  /// Appends the lines of an HTTP/1.1 head, each with its end.
  func append(lines: UnsafeBufferPointer<UInt8>) {
    for line in lines.split(separator: 0x0A) {
      guard let colon = line.firstIndex(of: 0x3A) else { continue }
      let value = line[line.index(after: colon)...].drop { $0 == 0x20 }.filter { $0 != 0x0D }
      append(line: Array(line[..<colon]), value)
    }
  }

  func append(line name: [UInt8], _ value: [UInt8]) {
    let room = block.reserve(HPACKEncoder.roomNeeded(name.count, value.count))
    name.withUnsafeBufferPointer { name in
      value.withUnsafeBufferPointer { value in
        guard let start = name.baseAddress else { return }
        block.advanceEnd(encoder.write(start, name.count, value.baseAddress ?? start, value.count, room))
      }
    }
  }

  func append(_ name: StaticString, _ value: [UInt8]) {
    value.withUnsafeBufferPointer { bytes in
      if let base = bytes.baseAddress { append(name, base, bytes.count) }
    }
  }

  func append(_ name: StaticString, _ value: StaticString) { append(name, value.utf8Start, value.utf8CodeUnitCount) }

  func append(_ name: StaticString, _ value: UnsafePointer<UInt8>, _ count: Int) {
    let room = block.reserve(HPACKEncoder.roomNeeded(name.utf8CodeUnitCount, count))
    block.advanceEnd(encoder.write(name.utf8Start, name.utf8CodeUnitCount, value, count, room))
  }
}
