// A client that speaks HTTP/1.1: its requests one after another, its life from accept to close.
import CLinux
import GateProtocol
import Glibc
import HTTPWire

/// An HTTP/1.1 client's connection.
final class HTTP1Connection: ClientConnection {
  enum Phase {
    /// Waits for a request, or has part of a head.
    case head
    /// A target is working on the request.
    case proxying
    /// The last answer is sent; what still comes is thrown away so that the client can read it.
    case lingering
    /// Upgraded: bytes pass both ways.
    case tunnel
  }

  private static let lingerTime: UInt64 = 2_000_000

  var phase = Phase.head
  /// The request in progress; used again for the next.
  let exchange: HTTP1Exchange
  /// Bytes read but not yet used: part of a head, or requests sent ahead of their turn.
  var inbox = Bytes()
  private var scannedForEnd = 0
  private var headBegan = false
  private var hasHadRequest = false

  override init(loop: EventLoop, descriptor: Int32, listener: ListenerRuntime, address: UInt32, slot: Int32) {
    exchange = HTTP1Exchange(loop: loop, listener: listener, source: address)
    super.init(loop: loop, descriptor: descriptor, listener: listener, address: address, slot: slot)
    exchange.owner = self
    exchange.node = node
  }

  override var isIdle: Bool { phase == .head && inbox.isEmpty && out.isEmpty }

  override var waiting: Waiting {
    switch phase {
    case .head:
      if !out.isEmpty { return .answer }
      if exchange.hold != nil { return .body }
      return headBegan ? .head : turn == 0 ? .first : .idle
    case .proxying:
      if !out.isEmpty { return .answer }
      return !exchange.request.body.isDone && exchange.upstream?.takesBody ?? false ? .body : .nothing
    case .lingering: return out.isEmpty ? .nothing : .answer
    case .tunnel: return .nothing
    }
  }

  override func expirePace(_ offence: Offence) {
    // Who sends too slowly is told, as after the idle time; who does not read would not read that either.
    if offence == .slowRead || waiting == .first { reset() } else { onDeadline() }
  }

  // MARK: - Events

  override func onReadable() {
    while mayRead, !isClosed {
      switch phase {
      case .head:
        // The next request waits until the last answer is on its way: a client that does not read gets no more.
        if !out.isEmpty { return }
        readHead()
      case .proxying:
        if sawEnd && exchange.request.body.isDone { return clientLeft() }
        guard !exchange.request.body.isDone, let upstream = exchange.upstream, upstream.takesBody else { return }
        readBody(upstream)
      case .lingering:
        let count = receive()
        if count == 0 || count == -2 { return close() }
      case .tunnel: return relay()
      }
    }
  }

  override func onDrained() {
    switch phase {
    case .head:
      touch()
      if !inbox.isEmpty { parseInbox() }
      if mayRead, !isClosed { onReadable() }
    case .proxying: exchange.upstream?.resumeReading()
    case .lingering: setDeadline(loop.now &+ Self.lingerTime)
    case .tunnel: peer?.relay()
    }
  }

  override func onFailure() {
    if phase == .proxying { return clientLeft() }
    if phase == .tunnel { return closeTunnel() }
    close()
  }

  override func onDeadline() {
    switch phase {
    case .head:
      if inbox.isEmpty { return close() }
      exchange.reset()
      node.statistics.requests += 1
      exchange.beginRecord()
      exchange.answer(LocalAnswer(status: 408), closing: true)
    case .proxying:
      guard let upstream = exchange.upstream, !exchange.request.hasAnswered else { return close() }
      let clientIsSlow = !exchange.request.body.isDone && upstream.hasSentAll
      exchange.abandonUpstream()
      exchange.answer(LocalAnswer(status: clientIsSlow ? 408 : 504), closing: true)
    case .tunnel: closeTunnel()
    case .lingering: close()
    }
  }

  override func onClose() {
    node.statistics.activeConnections -= 1
    exchange.abandonUpstream()
    exchange.endRecord()
  }

  override func relayed(_ count: Int) {
    exchange.countReceived(count)
    touch()
  }

  /// The client went away before its answer was complete (ALB's 460).
  private func clientLeft() {
    node.statistics.clientAborts += 1
    if exchange.request.status == 0 { node.statistics.elb.count(460) }
    close()
  }

  override func retire() { if isIdle { close() } }

  /// After an answer, or when the target takes the request's body.
  override func resume() {
    if phase == .head, out.isEmpty, !inbox.isEmpty { parseInbox() }
    if !isClosed, mayRead { onReadable() }
  }

  // MARK: - Heads

  private func readHead() {
    let count = receive()
    if count == 0 || count == -2 { return close() }
    if count < 0 { return }
    if inbox.isEmpty {
      if beginsHTTP2(loop.readBuffer, count) { return becomeHTTP2(count) }
      let used = parse(loop.readBuffer, count)
      if used < count, !isClosed, phase != .lingering { inbox.append(loop.readBuffer + used, count - used) }
      if headBegan { scannedForEnd = inbox.count }
    } else {
      inbox.append(loop.readBuffer, count)
      parseInbox()
    }
  }

  /// Whether the client speaks HTTP/2 without having asked (RFC 9113, section 3.3), on a listener that knows it. The
  /// first eight bytes decide; they never come alone.
  private func beginsHTTP2(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    guard listener.acceptsCleartextHTTP2, !hasHadRequest, count >= 8 else { return false }
    for index in 0..<8 where bytes[index] != HTTP2.preface.utf8Start[index] { return false }
    return true
  }

  private func becomeHTTP2(_ count: Int) {
    let successor = HTTP2ClientConnection(continuing: self)
    successor.take(loop.readBuffer, count)
    loop.replace(self, by: successor)
  }

  private func parseInbox() {
    if exchange.hold != nil, !exchange.hasEnoughBody(inbox.first, inbox.count) { return touch() }
    // A head that trickles in is parsed when its end is there, not again with every byte.
    if scannedForEnd > 0, inbox.count < HeadLimits.headMax {
      if !Scan.containsEndOfHead(inbox.first, from: scannedForEnd, inbox.count) {
        scannedForEnd = inbox.count
        return
      }
    }
    scannedForEnd = 0
    let used = parse(inbox.first, inbox.count)
    if isClosed || phase == .lingering { return inbox.clear() }
    inbox.consume(used)
    if headBegan { scannedForEnd = inbox.count }
  }

  /// Parses a head and begins its request; returns how many bytes were used, body included.
  private func parse(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
    exchange.reset()
    switch loop.requestHead.parseRequest(bytes, count) {
    case .incomplete:
      if !headBegan {
        // The time for a head runs from its first byte and is not prolonged by more of them.
        headBegan = true
        touch()
      }
      return 0
    case .refused(let refusal):
      node.statistics.requests += 1
      balancer.sources.penalise(slot, .malformed, now: loop.now)
      exchange.request.keepsAlive = false
      exchange.refuse(refusal, received: count)
      return count
    case .complete(let length):
      headBegan = false
      hasHadRequest = true
      if exchange.hold == nil {
        node.statistics.requests += 1
        if !admitsRequest() { return refuse(count) }
      }
      return exchange.begin(bytes, length, count)
    }
  }

  /// A request beyond its source's limit: answered as a web ACL's rate rule does. One that goes on all the same is cut.
  private func refuse(_ count: Int) -> Int {
    if balancer.sources.isHeld(slot, now: loop.now) || turn > 8 {
      reset()
    } else {
      exchange.answer(LocalAnswer(status: 403), closing: true)
    }
    return count
  }

  // MARK: - The body

  /// Reads more of the body and passes it on.
  private func readBody(_ upstream: any TargetLink) {
    let count = receive()
    if count == 0 || count == -2 { return onFailure() }
    if count < 0 { return }
    guard case .body(let taken, let isEnd) = exchange.request.body.read(loop.readBuffer, count) else {
      exchange.abandonUpstream()
      if exchange.request.hasAnswered { return close() }
      return exchange.answer(LocalAnswer(status: 400), closing: true)
    }
    if isEnd && taken < count { inbox.append(loop.readBuffer + taken, count - taken) }
    exchange.countReceived(taken)
    touch()
    exchange.request.isReplayable = false
    exchange.outgoing.clear()
    upstream.sendBody(loop.readBuffer, taken, isEnd: isEnd)
  }

  // MARK: - Ends

  /// The answer is complete.
  func finishRequest() {
    exchange.outgoing.release(keeping: 16 << 10)
    let canGoOn = !isLastAnswer && exchange.request.body.isDone
    if !canGoOn { return endAfterAnswer() }
    phase = .head
    if inbox.isEmpty { inbox.release(keeping: 4 << 10) }
    touch()
    if !inbox.isEmpty || mayRead { loop.enqueue(self) }
  }

  /// Whether the answer being made will be this connection's last.
  var isLastAnswer: Bool {
    !exchange.request.keepsAlive || isPastItsTime
  }

  /// Closes when all is sent. What the client still sends is read for a while: closing on it would reset the
  /// connection and could destroy the answer on its way.
  private func endAfterAnswer() {
    inbox.clear()
    if exchange.request.body.isDone && !mayRead && out.isEmpty { return close() }
    phase = .lingering
    endsWriting = true
    if out.isEmpty {
      setDeadline(loop.now &+ Self.lingerTime)
      shutDownWriting()
    } else {
      touch()
    }
    if mayRead, !isClosed { onReadable() }
  }
}
