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
  private(set) var phase: Phase
  var client: ClientConnection?
  private var inbox = Bytes()
  private var body = BodyReader(.none)
  private var keepsAlive = true
  private var unwrapsChunks = false
  /// Bytes sent before the request in progress.
  private var sentBefore: UInt64 = 0
  private var sentTotal: UInt64 = 0
  private var sentAt: UInt64 = 0
  private var isCounted = false

  init(loop: EventLoop, descriptor: Int32, target: TargetRuntime, isConnecting: Bool) {
    self.target = target
    phase = isConnecting ? .connecting : .head
    super.init(loop: loop, descriptor: descriptor)
    target.statistics.connections += 1
    if isConnecting { setDeadline(loop.now + Self.connectTimeout) }
  }

  /// Whether more of a request's body can be given now.
  var takesBody: Bool { phase != .connecting && out.isEmpty }

  // MARK: - A client's request

  /// Counts bytes of a request's body that follow its first part.
  func countBody(_ count: Int) { sentTotal += UInt64(count) }

  /// Makes this connection the client's for one request.
  func attach(_ client: ClientConnection) {
    self.client = client
    client.upstream = self
    isCounted = true
    target.statistics.activeRequests += 1
    target.group.statistics.activeRequests += 1
  }

  private func detach() {
    client = nil
    guard isCounted else { return }
    isCounted = false
    target.statistics.activeRequests -= 1
    target.group.statistics.activeRequests -= 1
  }

  /// Sends the client's request as far as it is known.
  func sendRequest() {
    guard let client else { return close() }
    phase = .head
    deadline = .max
    sentBefore = sentTotal
    sentTotal += UInt64(client.outgoing.count)
    unwrapsChunks = false
    sentAt = loop.now
    if !write(client.outgoing.first, client.outgoing.count) { return fail() }
    if out.isEmpty, !client.request.body.isDone, client.mayRead { loop.enqueue(client) }
  }

  // MARK: - Events

  override func onWritable() {
    guard phase == .connecting else { return flush() }
    let error = gate_socket_error(descriptor)
    if error != 0 { return connectFailed() }
    sendRequest()
  }

  private func connectFailed() {
    let client = client
    detach()
    close()
    client?.connectionRefused(target)
  }

  override func onDrained() {
    if phase == .tunnel {
      peer?.relay()
      return
    }
    if let client, client.mayRead, !client.request.body.isDone { client.onReadable() }
  }

  override func onDeadline() {
    if phase == .connecting {
      target.statistics.connectionErrors += 1
      target.group.statistics.connectionErrors += 1
      target.suspectUntil = loop.now + 1_000_000
      let client = client
      detach()
      close()
      client?.upstream = nil
      client?.answer(LocalAnswer(status: 504), closing: true)
      return
    }
    close()
  }

  override func onFailure() { fail() }

  override func onReadable() {
    while mayRead, !isClosed {
      switch phase {
      case .connecting: return
      case .idle:
        // The target closed it, or speaks without being asked: neither can be used.
        return closeIdle()
      case .tunnel: return relay()
      case .head, .body:
        guard let client else { return close() }
        // A client that does not take the answer stops the target.
        if !client.out.isEmpty { return }
        let count = receive()
        if count == -1 { return }
        if count <= 0 { return ended(count == 0) }
        if phase == .body {
          forwardBody(client, loop.readBuffer, count)
        } else if inbox.isEmpty {
          let used = parse(client, loop.readBuffer, count)
          if used < count, phase == .head, !isClosed { inbox.append(loop.readBuffer + used, count - used) }
        } else {
          inbox.append(loop.readBuffer, count)
          let used = parse(client, inbox.first, inbox.count)
          if phase == .head, !isClosed { inbox.consume(used) } else { inbox.release(keeping: 0) }
        }
      }
    }
  }

  func resumeReading() { if mayRead, !isClosed { onReadable() } }

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
    guard let client else { return close() }
    if phase == .body, body.endsWithConnection, isOrderly {
      keepsAlive = false
      return finish(client)
    }
    let gotNothing = phase == .head && inbox.isEmpty && !client.request.hasAnswered
    let wasNotTaken = gotNothing && gate_nothing_taken(descriptor, sentBefore) != 0
    detach()
    close()
    if gotNothing {
      client.upstreamBroke(target, wasNotTaken: wasNotTaken)
    } else {
      client.upstream = nil
      answerBroken(client)
    }
  }

  /// The answer cannot be completed: 502 while the client has seen nothing of it, else its connection is cut.
  private func answerBroken(_ client: ClientConnection) {
    if client.request.hasAnswered { return client.close() }
    client.answer(LocalAnswer(status: 502), closing: !client.request.body.isDone)
  }

  private func refuseAnswer(_ client: ClientConnection) {
    detach()
    close()
    client.upstream = nil
    answerBroken(client)
  }

  override func onClose() {
    target.statistics.connections -= 1
    if phase == .idle, let index = target.idle.lastIndex(where: { $0 === self }) { target.idle.remove(at: index) }
    detach()
    inbox.release(keeping: 0)
  }

  override func relayed(_ count: Int) {
    guard let client = peer as? ClientConnection else { return }
    client.balancer.statistics.responseBytes += UInt64(count)
    client.touch()
  }

  /// The deregistration delay of the target is over.
  func expire() {
    guard let client else { return phase == .idle ? closeIdle() : closeTunnel() }
    detach()
    close()
    client.upstream = nil
    answerBroken(client)
  }
}

// MARK: - The answer

extension UpstreamConnection {
  /// Parses the head of an answer; returns how many bytes were used.
  private func parse(_ client: ClientConnection, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var position = 0
    while phase == .head, !isClosed {
      switch loop.responseHead.parseResponse(bytes + position, count - position) {
      case .incomplete: return position
      case .refused:
        refuseAnswer(client)
        return count
      case .complete(let length):
        let status = loop.responseHead.status
        if status == 101 {
          upgrade(client, bytes + position, length, count - position)
          return count
        }
        if status < 200 {
          if !forwardInterim(client, bytes + position, length) { return count }
          position += length
          if position == count { return count }
          continue
        }
        begin(client, status, bytes + position, length, count - position)
        return count
      }
    }
    return count
  }

  /// 100 Continue and its like pass through; HTTP/1.0 clients do not know them.
  private func forwardInterim(_ client: ClientConnection, _ bytes: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    if client.request.isOldVersion { return true }
    if client.write(bytes, length) { return true }
    client.onFailure()
    return false
  }

  /// The final head: sends it to the client with what has come of the body.
  private func begin(
    _ client: ClientConnection, _ status: Int, _ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ count: Int
  ) {
    record(client, status)
    let framing = loop.responseHead.responseFraming(toHEAD: client.request.isHEAD)
    body = BodyReader(framing)
    keepsAlive = loop.responseHead.keepsAlive
    client.request.hasAnswered = true
    client.outgoing.clear()
    // Without length or chunks the client, too, learns the end of the body from the end of the connection.
    unwrapsChunks = client.request.isOldVersion && framing == .chunked
    if framing == .untilClose || unwrapsChunks || !client.request.body.isDone { client.request.keepsAlive = false }
    buildHead(client, bytes, headLength)
    phase = .body
    forwardFirst(client, bytes + headLength, count - headLength)
  }

  private func record(_ client: ClientConnection, _ status: Int) {
    let elapsed = loop.now &- sentAt
    let group = target.group
    client.balancer.statistics.target.count(status)
    group.statistics.target.count(status)
    group.statistics.requests += 1
    group.statistics.latency.record(microseconds: elapsed)
    target.statistics.requests += 1
    if status >= 500 { target.statistics.code5xx += 1 }
    target.statistics.latency.record(microseconds: elapsed)
    target.suspectUntil = 0
  }

  /// The head for the client, in the loop's scratch buffer.
  private func buildHead(_ client: ClientConnection, _ bytes: UnsafePointer<UInt8>, _ headLength: Int) {
    loop.scratch.clear()
    _ = loop.scratch.reserve(headLength + 64)
    var run = 0
    let fields = loop.responseHead.fields
    for index in 0..<loop.responseHead.fieldCount {
      let field = fields[index]
      let drops: Bool
      switch field.kind {
      case .connection, .keepAlive, .proxyConnection, .upgrade: drops = true
      case .transferEncoding: drops = unwrapsChunks
      case .other: drops = loop.responseHead.nominatesFields && loop.responseHead.nominates(field, in: bytes)
      default: drops = false
      }
      if drops {
        loop.scratch.append(bytes + run, Int(field.start) - run)
        run = Int(field.end)
      }
    }
    // All but the empty line.
    loop.scratch.append(bytes + run, headLength - 2 - run)
    if loop.responseHead.minorVersion == 0 {
      (loop.scratch.first + loop.responseHead.minorVersionOffset).pointee = 0x31
    }
    if client.isLastAnswer {
      loop.scratch.append("Connection: close\r\n\r\n")
      client.request.keepsAlive = false
    } else if client.request.isOldVersion {
      loop.scratch.append("Connection: keep-alive\r\n\r\n")
    } else {
      loop.scratch.append("\r\n")
    }
  }

  /// Sends the head in the scratch buffer and the first bytes of the body in one packet.
  private func forwardFirst(_ client: ClientConnection, _ bytes: UnsafePointer<UInt8>, _ count: Int) {
    let outcome: BodyReader.Outcome
    let sent: Bool
    var rest = 0
    if unwrapsChunks {
      outcome = body.unwrap(bytes, count) { loop.scratch.append($0, $1) }
      sent = client.write(loop.scratch.first, loop.scratch.count)
      client.balancer.statistics.responseBytes += UInt64(loop.scratch.count)
    } else {
      outcome = body.read(bytes, count)
      if case .body(let taken, _) = outcome { rest = taken }
      client.balancer.statistics.responseBytes += UInt64(loop.scratch.count + rest)
      if rest <= 4096 {
        loop.scratch.append(bytes, rest)
        sent = client.write(loop.scratch.first, loop.scratch.count)
      } else {
        sent = client.write(loop.scratch.first, loop.scratch.count, bytes, rest)
      }
    }
    proceed(client, outcome, sent, count)
  }

  private func forwardBody(_ client: ClientConnection, _ bytes: UnsafePointer<UInt8>, _ count: Int) {
    let outcome: BodyReader.Outcome
    var sent = true
    if unwrapsChunks {
      loop.scratch.clear()
      outcome = body.unwrap(bytes, count) { loop.scratch.append($0, $1) }
      if !loop.scratch.isEmpty { sent = client.write(loop.scratch.first, loop.scratch.count) }
      client.balancer.statistics.responseBytes += UInt64(loop.scratch.count)
    } else {
      outcome = body.read(bytes, count)
      if case .body(let taken, _) = outcome, taken > 0 {
        sent = client.write(bytes, taken)
        client.balancer.statistics.responseBytes += UInt64(taken)
      }
    }
    client.touch()
    proceed(client, outcome, sent, count)
  }

  /// After a part of the body: goes on, ends, or gives up.
  private func proceed(_ client: ClientConnection, _ outcome: BodyReader.Outcome, _ sent: Bool, _ count: Int) {
    if !sent { return client.onFailure() }
    switch outcome {
    case .invalid: refuseAnswer(client)
    case .body(let taken, let isEnd):
      if !isEnd { return }
      // Bytes behind the answer belong to nothing that was asked.
      if taken < count { keepsAlive = false }
      finish(client)
    }
  }

  /// The answer is complete: keeps this connection for another request if both sides allow, and lets the client go on.
  private func finish(_ client: ClientConnection) {
    let canBeKept = keepsAlive && client.request.body.isDone && out.isEmpty && !sawEnd
    detach()
    client.upstream = nil
    if canBeKept && target.isKnown && target.state == .registered && !loop.isDraining {
      phase = .idle
      inbox.release(keeping: 0)
      setDeadline(loop.now + Self.idleTime)
      target.idle.append(self)
    } else {
      close()
    }
    client.finishRequest()
  }

  // MARK: - Upgrade

  private func upgrade(_ client: ClientConnection, _ bytes: UnsafePointer<UInt8>, _ length: Int, _ count: Int) {
    guard client.request.wantsUpgrade, client.request.body.isDone else { return refuseAnswer(client) }
    record(client, 101)
    client.request.hasAnswered = true
    phase = .tunnel
    client.phase = .tunnel
    peer = client
    client.peer = self
    client.balancer.statistics.responseBytes += UInt64(count)
    let early = client.inbox.count
    // Head and first frames together, untouched: Connection and Upgrade belong to this answer.
    if !client.write(bytes, count) { return closeTunnel() }
    if early > 0 {
      let sent = write(client.inbox.first, early)
      client.inbox.release(keeping: 0)
      if !sent { return closeTunnel() }
    }
    client.touch()
    client.relay()
  }
}
