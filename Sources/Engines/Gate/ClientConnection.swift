// A client of a load balancer: its requests one after another, its life from accept to close.
import CLinux
import GateProtocol
import Glibc
import HTTPWire

/// A connection that a listener accepted.
final class ClientConnection: Connection {
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

  /// What is remembered of the request in progress.
  struct Request {
    var isHEAD = false
    var keepsAlive = true
    /// An HTTP/1.0 client: it gets no chunks.
    var isOldVersion = false
    /// Sending it twice is harmless (RFC 9110, section 9.2.2).
    var isIdempotent = false
    var wantsUpgrade = false
    /// All of it that was read is still in `outgoing`, so that it can be sent to another target.
    var isReplayable = true
    /// Part of the answer has gone to the client.
    var hasAnswered = false
    var attempts = 0
    var body = BodyReader(.none)
  }

  static let attemptsMax = 3
  private static let lingerTime: UInt64 = 2_000_000

  let listener: ListenerRuntime
  let source: UInt32
  var phase = Phase.head
  var request = Request()
  /// Bytes read but not yet used: part of a head, or requests sent ahead of their turn.
  var inbox = Bytes()
  /// The request as the target gets it, kept until the target answers.
  var outgoing = Bytes()
  var upstream: UpstreamConnection?
  var group: TargetGroupRuntime?
  private var expires: UInt64
  private var scannedForEnd = 0
  private var headBegan = false

  init(loop: EventLoop, descriptor: Int32, listener: ListenerRuntime, address: UInt32) {
    self.listener = listener
    source = address
    expires = loop.now &+ listener.loadBalancer.clientKeepAlive
    super.init(loop: loop, descriptor: descriptor)
    listener.loadBalancer.statistics.newConnections += 1
    listener.loadBalancer.statistics.activeConnections += 1
    touch()
  }

  var isIdle: Bool { phase == .head && inbox.isEmpty && out.isEmpty }
  var balancer: LoadBalancerRuntime { listener.loadBalancer }

  /// Begins the idle time anew.
  @inline(__always)
  func touch() { setDeadline(loop.now &+ listener.loadBalancer.idleTimeout) }

  // MARK: - Events

  override func onReadable() {
    while mayRead, !isClosed {
      switch phase {
      case .head:
        // The next request waits until the last answer is on its way: a client that does not read gets no more.
        if !out.isEmpty { return }
        readHead()
      case .proxying:
        if sawEnd && request.body.isDone { return clientLeft() }
        guard !request.body.isDone, let upstream, upstream.takesBody else { return }
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
    case .proxying: upstream?.resumeReading()
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
      request = Request()
      answer(LocalAnswer(status: 408), closing: true)
    case .proxying:
      if request.hasAnswered || upstream == nil { return close() }
      let clientIsSlow = !request.body.isDone && upstream?.out.isEmpty ?? true
      abandonUpstream()
      answer(LocalAnswer(status: clientIsSlow ? 408 : 504), closing: true)
    case .tunnel: closeTunnel()
    case .lingering: close()
    }
  }

  override func onClose() {
    balancer.statistics.activeConnections -= 1
    abandonUpstream()
  }

  override func relayed(_ count: Int) {
    balancer.statistics.requestBytes += UInt64(count)
    touch()
  }

  /// The client went away before its answer was complete (ALB's 460).
  private func clientLeft() {
    balancer.statistics.clientAborts += 1
    close()
  }

  /// Goes on with what is at hand: after an answer, or when the target takes the request's body.
  func resume() {
    if phase == .head, out.isEmpty, !inbox.isEmpty { parseInbox() }
    if !isClosed, mayRead { onReadable() }
  }

  // MARK: - Heads

  private func readHead() {
    let count = receive()
    if count == 0 || count == -2 { return close() }
    if count < 0 { return }
    if inbox.isEmpty {
      let used = parse(loop.readBuffer, count)
      if used < count, !isClosed, phase != .lingering { inbox.append(loop.readBuffer + used, count - used) }
      if headBegan { scannedForEnd = inbox.count }
    } else {
      inbox.append(loop.readBuffer, count)
      parseInbox()
    }
  }

  private func parseInbox() {
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
    request = Request()
    switch loop.requestHead.parseRequest(bytes, count) {
    case .incomplete:
      if !headBegan {
        // The time for a head runs from its first byte and is not prolonged by more of them.
        headBegan = true
        touch()
      }
      return 0
    case .refused(let refusal):
      balancer.statistics.requests += 1
      request.keepsAlive = false
      answer(LocalAnswer(status: refusal.status), closing: true)
      return count
    case .complete(let length):
      headBegan = false
      balancer.statistics.requests += 1
      balancer.statistics.requestBytes += UInt64(length)
      return begin(bytes, length, count)
    }
  }

  // MARK: - Ends

  /// The answer is complete; the target's connection has been given back.
  func finishRequest() {
    upstream = nil
    group = nil
    outgoing.release(keeping: 16 << 10)
    let canGoOn =
      request.keepsAlive && request.body.isDone && listener.isOpen && !loop.isDraining && loop.now < expires
    if !canGoOn { return endAfterAnswer() }
    phase = .head
    if inbox.isEmpty { inbox.release(keeping: 4 << 10) }
    touch()
    if !inbox.isEmpty || mayRead { loop.enqueue(self) }
  }

  /// Whether the answer being made will be this connection's last.
  var isLastAnswer: Bool {
    !request.keepsAlive || !listener.isOpen || loop.isDraining || loop.now >= expires
  }

  /// Closes when all is sent. What the client still sends is read for a while: closing on it would reset the
  /// connection and could destroy the answer on its way.
  func endAfterAnswer() {
    inbox.clear()
    if request.body.isDone && !mayRead && out.isEmpty { return close() }
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

  /// Takes the request away from its target, whose connection cannot be used again.
  func abandonUpstream() {
    guard let upstream else { return }
    self.upstream = nil
    upstream.client = nil
    upstream.close()
  }
}
