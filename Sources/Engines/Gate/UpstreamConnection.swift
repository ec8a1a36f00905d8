// A connection to a target: made for one client's request, kept idle between requests, given to the next client.
import CLinux
import GateProtocol
import Glibc
import HTTPWire

/// A connection of one loop to one target.
final class UpstreamConnection: Connection {
  enum Phase {
    case connecting
    /// In the target's list of idle connections.
    case idle
    /// The request is sent, or being sent; the head of the answer is awaited.
    case head
    case body
    case tunnel
  }

  private static let connectTimeout: UInt64 = 10_000_000
  /// Shorter than most servers' own time for idle connections, so that they seldom close one under a request.
  private static let idleTime: UInt64 = 30_000_000

  let target: TargetRuntime
  /// The load balancer's node whose request it was made for: it counts the connection.
  private let node: NodeRuntime
  private(set) var phase: Phase
  var exchange: Exchange?
  private var inbox = Bytes()
  private var body = BodyReader(.none)
  private var keepsAlive = true
  private var unwrapsChunks = false
  /// Bytes sent before the request in progress.
  private var sentBefore: UInt64 = 0
  private var sentTotal: UInt64 = 0
  private var sentAt: UInt64 = 0
  private var isCounted = false
  /// Connected; what may still be missing is TLS.
  private var hasConnected = false

  init(loop: EventLoop, descriptor: Int32, target: TargetRuntime, node: NodeRuntime, isConnecting: Bool) {
    self.target = target
    self.node = node
    phase = isConnecting ? .connecting : .head
    super.init(loop: loop, descriptor: descriptor)
    target.statistics.connections += 1
    if isConnecting { setDeadline(loop.now + Self.connectTimeout) }
  }

  override var isTarget: Bool { true }

  // MARK: - A client's request

  /// Makes this connection the exchange's for one request.
  func attach(_ exchange: Exchange) {
    self.exchange = exchange
    exchange.upstream = self
    isCounted = true
    target.statistics.activeRequests += 1
    target.group.statistics.activeRequests += 1
  }

  private func detach() {
    exchange = nil
    guard isCounted else { return }
    isCounted = false
    target.statistics.activeRequests -= 1
    target.group.statistics.activeRequests -= 1
  }

  /// Sends the client's request as far as it is known.
  func sendRequest() {
    guard let exchange else { return close() }
    phase = .head
    deadline = .max
    sentBefore = tls?.wireBytes ?? sentTotal
    sentTotal += UInt64(exchange.outgoing.count)
    unwrapsChunks = false
    sentAt = loop.now
    if let record = exchange.record { record.noteSent(to: target, at: loop.now) }
    if !write(exchange.outgoing.first, exchange.outgoing.count) { return fail() }
    if out.isEmpty, !exchange.request.body.isDone { exchange.resumeBodyLater() }
  }

  // MARK: - Events

  override func onWritable() {
    guard phase == .connecting, !hasConnected else { return flush() }
    let error = gate_socket_error(descriptor)
    if error != 0 { return connectFailed() }
    connected()
  }

  /// Goes on after the connection is made: to TLS, or to the request.
  func connected() {
    hasConnected = true
    node.statistics.newTargetConnections += 1
    node.statistics.targetConnections += 1
    guard let tls else { return sendRequest() }
    shakeHandsWithTarget(tls)
  }

  /// Makes the connection one with TLS, before it is connected.
  func prepareTLS() -> Bool {
    guard let client = loop.tlsClient,
      case .success(let session) = Result(catching: { () throws(TLSFailure) in
        try client.session(loop.tlsEngine, sessions: target.sessions)
      })
    else { return false }
    tls = session
    return true
  }

  private func shakeHandsWithTarget(_ tls: TLSSession) {
    let progress = shakeHands(tls)
    if progress == .done { return sendRequest() }
    if progress == .wantsMore, !sawEnd || mayRead { return }
    node.counters(of: target.group).statistics.targetTLSErrors += 1
    TLSFailure.forget()
    connectFailed()
  }

  private func connectFailed() {
    let exchange = exchange
    detach()
    close()
    exchange?.connectionRefused(target)
  }

  override func onDrained() {
    if phase == .tunnel {
      peer?.relay()
      return
    }
    if let exchange, !exchange.request.body.isDone { exchange.resumeBody() }
  }

  override func onDeadline() {
    if phase == .connecting {
      target.statistics.connectionErrors += 1
      node.counters(of: target.group).statistics.connectionErrors += 1
      target.suspectUntil = loop.now + 1_000_000
      let exchange = exchange
      detach()
      close()
      exchange?.upstream = nil
      exchange?.answer(LocalAnswer(status: 504), closing: true)
      return
    }
    close()
  }

  override func onFailure() { fail() }

  override func onReadable() {
    while mayRead, !isClosed {
      switch phase {
      case .connecting:
        guard let tls, hasConnected else { return }
        shakeHandsWithTarget(tls)
        if phase == .connecting { return }
      case .idle:
        // Nothing new after all, or what TLS has to say of its own, such as tickets.
        if receive() == -1 { continue }
        // The target closed it, or speaks without being asked: neither can be used.
        return closeIdle()
      case .tunnel: return relay()
      case .head, .body:
        guard let exchange else { return close() }
        // A client that does not take the answer stops the target.
        if !exchange.takesAnswer { return }
        if phase == .body, passUnseen(exchange) { continue }
        let count = receive()
        if count == -1 { return }
        if count <= 0 { return ended(count == 0) }
        if phase == .body {
          forward(exchange, loop.readBuffer, count, isFirst: false)
        } else if inbox.isEmpty {
          let used = parse(exchange, loop.readBuffer, count)
          if used < count, phase == .head, !isClosed { inbox.append(loop.readBuffer + used, count - used) }
        } else {
          inbox.append(loop.readBuffer, count)
          let used = parse(exchange, inbox.first, inbox.count)
          if phase == .head, !isClosed { inbox.consume(used) } else { inbox.release(keeping: 0) }
        }
      }
    }
  }

  private func closeIdle() {
    if let index = target.idle.lastIndex(where: { $0 === self }) { target.idle.remove(at: index) }
    close()
  }

  /// The connection cannot go on.
  func fail() {
    if phase == .connecting { return connectFailed() }
    if phase == .idle { return closeIdle() }
    if phase == .tunnel { return closeTunnel() }
    ended(false)
  }

  /// The target closed the connection, orderly or not.
  private func ended(_ isOrderly: Bool) {
    guard let exchange else { return close() }
    if phase == .body, body.endsWithConnection, isOrderly {
      keepsAlive = false
      return finish(exchange)
    }
    let gotNothing = phase == .head && inbox.isEmpty && !exchange.request.hasAnswered
    let wasNotTaken = gotNothing && gate_nothing_taken(descriptor, sentBefore) != 0
    detach()
    close()
    if gotNothing {
      exchange.upstreamBroke(target, wasNotTaken: wasNotTaken)
    } else {
      exchange.upstream = nil
      exchange.answerBroken()
    }
  }

  private func refuseAnswer(_ exchange: Exchange) {
    detach()
    close()
    exchange.upstream = nil
    exchange.answerBroken()
  }

  override func onClose() {
    target.statistics.connections -= 1
    if hasConnected { node.statistics.targetConnections -= 1 }
    if phase == .idle, let index = target.idle.lastIndex(where: { $0 === self }) { target.idle.remove(at: index) }
    detach()
    inbox.release(keeping: 0)
  }

  override func relayed(_ count: Int) {
    guard let client = peer as? ClientConnection else { return }
    if let client = client as? HTTP1Connection {
      client.exchange.countSent(count)
    } else {
      client.node.statistics.responseBytes += UInt64(count)
    }
    client.touch()
  }

  /// The deregistration delay of the target is over.
  func expire() {
    guard let exchange else { return phase == .idle ? closeIdle() : closeTunnel() }
    refuseAnswer(exchange)
  }
}

// MARK: - What the exchange asks for

extension UpstreamConnection: TargetLink {
  var takesBody: Bool { phase != .connecting && out.isEmpty }
  var hasSentAll: Bool { out.isEmpty }
  var framesBodies: Bool { false }

  /// What stands behind a chunked body may be left out (RFC 9112, section 7.1.2), and few servers look at it.
  func holdTrailers(_ bytes: UnsafePointer<UInt8>, _ count: Int) {}

  func sendBody(_ bytes: UnsafePointer<UInt8>, _ count: Int, isEnd: Bool) {
    sentTotal += UInt64(count)
    if !write(bytes, count) { fail() }
  }

  func resumeReading() { if mayRead, !isClosed { onReadable() } }

  /// A connection in the middle of an exchange is of no use to another.
  func abandon() {
    exchange = nil
    close()
  }
}

// MARK: - The answer

extension UpstreamConnection {
  /// Parses the head of an answer; returns how many bytes were used.
  private func parse(_ exchange: Exchange, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var position = 0
    while phase == .head, !isClosed {
      switch loop.responseHead.parseResponse(bytes + position, count - position) {
      case .incomplete: return position
      case .refused:
        refuseAnswer(exchange)
        return count
      case .complete(let length):
        let status = loop.responseHead.status
        if status == 101 {
          upgrade(exchange, bytes + position, length, count - position)
          return count
        }
        if status < 200 {
          if !forwardInterim(exchange, bytes + position, length) { return count }
          position += length
          if position == count { return count }
          continue
        }
        begin(exchange, status, bytes + position, length, count - position)
        return count
      }
    }
    return count
  }

  /// 100 Continue and its like pass through.
  private func forwardInterim(_ exchange: Exchange, _ bytes: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    if exchange.sendInterim(bytes, length) { return true }
    exchange.clientFailed()
    return false
  }

  /// The final head: sends it to the client with what has come of the body.
  private func begin(
    _ exchange: Exchange, _ status: Int, _ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ count: Int
  ) {
    exchange.recordAnswer(of: target, status, sentAt: sentAt)
    let framing = loop.responseHead.responseFraming(toHEAD: exchange.request.isHEAD)
    body = BodyReader(framing)
    keepsAlive = loop.responseHead.keepsAlive
    unwrapsChunks = framing == .chunked && !exchange.request.takesChunks
    exchange.noteAnswer()
    exchange.buildAnswer(bytes, headLength, framing)
    phase = .body
    if body.unseenMax >= EventLoop.readSize { plenty.expect() }
    forward(exchange, bytes + headLength, count - headLength, isFirst: true)
  }

  /// Passes on what belongs to the body.
  @inline(__always)
  private func forward(_ exchange: Exchange, _ bytes: UnsafePointer<UInt8>, _ count: Int, isFirst: Bool) {
    if unwrapsChunks { return forwardUnwrapped(exchange, bytes, count, isFirst: isFirst) }
    let outcome = body.read(bytes, count)
    let (taken, isEnd) = Self.parts(outcome)
    let sent =
      isFirst ? exchange.sendFirst(bytes, taken, isEnd: isEnd) : exchange.sendBody(bytes, taken, isEnd: isEnd)
    if !isFirst { exchange.touch() }
    proceed(exchange, outcome, sent, count)
  }

  /// Passes on a part of the body in which no framing stands; false when bytes must be read.
  @inline(__always)
  private func passUnseen(_ exchange: Exchange) -> Bool {
    guard plenty.isExpected, !unwrapsChunks, let client = exchange.answersTo,
      let count = splice(to: client, atMost: body.unseenMax)
    else { return false }
    if count > 0 {
      exchange.countSent(count)
      exchange.touch()
      if body.skip(count) { finish(exchange) }
    } else if count == -3 {
      exchange.clientFailed()
    } else if count != -1 {
      ended(count == 0)
    }
    return true
  }

  @inline(__always)
  private static func parts(_ outcome: BodyReader.Outcome) -> (taken: Int, isEnd: Bool) {
    if case .body(let taken, let isEnd) = outcome { return (taken, isEnd) }
    return (0, false)
  }

  /// Passes on what the chunks hold, for clients whose protocol has none.
  private func forwardUnwrapped(_ exchange: Exchange, _ bytes: UnsafePointer<UInt8>, _ count: Int, isFirst: Bool) {
    loop.unwrapped.clear()
    let outcome = body.unwrap(bytes, count) { loop.unwrapped.append($0, $1) }
    let (_, isEnd) = Self.parts(outcome)
    let length = loop.unwrapped.count
    let data = length == 0 ? bytes : UnsafePointer(loop.unwrapped.first)
    let sent =
      isFirst ? exchange.sendFirst(data, length, isEnd: isEnd) : exchange.sendBody(data, length, isEnd: isEnd)
    exchange.touch()
    proceed(exchange, outcome, sent, count)
  }

  /// After a part of the body: goes on, ends, or gives up.
  private func proceed(_ exchange: Exchange, _ outcome: BodyReader.Outcome, _ sent: Bool, _ count: Int) {
    if !sent { return exchange.clientFailed() }
    switch outcome {
    case .invalid: refuseAnswer(exchange)
    case .body(let taken, let isEnd):
      if !isEnd { return }
      // Bytes behind the answer belong to nothing that was asked.
      if taken < count { keepsAlive = false }
      finish(exchange)
    }
  }

  /// The answer is complete: keeps this connection for another request if both sides allow, and lets the client go on.
  private func finish(_ exchange: Exchange) {
    let canBeKept =
      keepsAlive && exchange.request.body.isDone && out.isEmpty && !sawEnd && !exchange.request.isAmbiguous
    detach()
    exchange.upstream = nil
    if canBeKept && target.isKnown && target.state == .registered && !loop.isDraining {
      phase = .idle
      inbox.release(keeping: 0)
      setDeadline(loop.now + Self.idleTime)
      target.idle.append(self)
    } else {
      close()
    }
    exchange.finish()
  }

  // MARK: - Upgrade

  private func upgrade(_ exchange: Exchange, _ bytes: UnsafePointer<UInt8>, _ length: Int, _ count: Int) {
    guard exchange.request.wantsUpgrade, exchange.request.body.isDone else { return refuseAnswer(exchange) }
    exchange.recordAnswer(of: target, 101, sentAt: sentAt)
    exchange.request.hasAnswered = true
    exchange.request.status = 101
    phase = .tunnel
    if !exchange.becomeTunnel(with: self, bytes, count) { return closeTunnel() }
    peer?.relay()
  }
}
