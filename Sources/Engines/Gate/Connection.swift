// What every connection of a loop has: a descriptor, bytes that wait to be sent, a deadline, and a peer in a tunnel.
import CLinux
import Glibc

/// A socket in a loop. Registered once, edge-triggered, for reading and writing; `mayRead` remembers an edge that was
/// not yet read to its end, so that a paused reader can go on without a new event.
class Connection {
  unowned(unsafe) let loop: EventLoop
  let descriptor: Int32
  /// Changed only when a connection takes over another's descriptor.
  final var generation: UInt32
  /// What waits to be sent; with TLS it is encrypted already.
  final var out = Bytes()
  /// nil for plain text, which pays one comparison for it.
  final var tls: TLSSession?
  /// Microseconds on the loop's clock; `.max` for none.
  final var deadline: UInt64 = .max
  final var mayRead = false
  /// The other side hung up, so a short read does not mean that there is no more to read.
  final var sawEnd = false
  final var isClosed = false
  /// Bytes that came, and bytes that had to wait before they could be sent: how fast the other side is.
  final var receivedBytes: UInt64 = 0
  final var drainedBytes: UInt64 = 0
  final var plenty = Plenty()
  /// The tunnel's other end.
  final var peer: Connection?
  /// Nothing more will be written once `out` is empty.
  final var endsWriting = false
  private var hasEndedWriting = false
  private var hasReadEnd = false

  // The loop outlives its connections: it closes all of them before it ends.
  init(loop: EventLoop, descriptor: Int32) {
    self.loop = loop
    self.descriptor = descriptor
    generation = loop.nextGeneration()
  }

  /// Reads what there is, as far as the state lets it.
  func onReadable() { preconditionFailure("abstract") }
  /// All that waited has been sent.
  func onDrained() {}
  func onDeadline() { close() }
  /// The socket has an error or was reset.
  func onFailure() { close() }
  /// The socket became writable: connections that are being made look here.
  func onWritable() { flush() }
  /// Goes on with what is at hand, after the events of a batch (`EventLoop.enqueue`).
  func resume() {}
  /// Called once, before the socket of the connection is closed by whomever.
  func willClose() {}
  /// Called once, when the connection is closed by whomever.
  func onClose() {}

  /// Whose client this is; nil for connections that are nobody's.
  var origin: Origin? { nil }
  /// The other side is a target's, so that what comes from here is an answer.
  var isTarget: Bool { false }
  /// What a client's connection waits for and since when: whether it goes first when room is short.
  var dispensable: (Waiting, since: UInt64)? { nil }
  /// Closes at once, by the shield's will.
  func cutOff() { reset() }

  final func handle(_ flags: UInt32) {
    if flags & (GATE_EPOLLRDHUP | GATE_EPOLLHUP | GATE_EPOLLERR) != 0 { sawEnd = true }
    if flags & (GATE_EPOLLIN | GATE_EPOLLRDHUP | GATE_EPOLLHUP | GATE_EPOLLERR) != 0 { mayRead = true }
    if flags & GATE_EPOLLOUT != 0 { onWritable() }
    if isClosed { return }
    if flags & GATE_EPOLLERR != 0 { return onFailure() }
    if mayRead { onReadable() }
  }

  /// Reads into the loop's buffer. Positive: bytes. 0: the end. -1: nothing now. -2: the connection failed.
  @inline(__always)
  final func receive() -> Int {
    if let tls { return receiveDecrypted(tls) }
    let count = gate_recv(descriptor, loop.readBuffer, EventLoop.readSize)
    if count > 0 {
      receivedBytes &+= UInt64(count)
      // A short read empties the socket; the next bytes bring a new event.
      if count == EventLoop.readSize { plenty.expect() } else if !sawEnd { mayRead = false }
      return count
    }
    mayRead = false
    if count == 0 { return 0 }
    return count == -Int(EAGAIN) || count == -Int(EINTR) ? -1 : -2
  }

  /// Sends now what the socket takes and keeps the rest. False when the connection failed.
  @inline(__always)
  final func write(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    if let tls { return writeEncrypted(tls, bytes, count) }
    return send(bytes, count)
  }

  /// Sends bytes as they are.
  @inline(__always)
  final func send(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    if !out.isEmpty {
      out.append(bytes, count)
      return true
    }
    let sent = gate_send(descriptor, bytes, count)
    if sent == count { return true }
    return keepRest(sent, bytes, count)
  }

  private final func keepRest(_ sent: Int, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    if sent < 0 && sent != -Int(EAGAIN) && sent != -Int(EINTR) { return false }
    let done = max(0, sent)
    out.append(bytes + done, count - done)
    return true
  }

  /// Two pieces at once.
  final func write(
    _ first: UnsafePointer<UInt8>, _ firstCount: Int, _ second: UnsafePointer<UInt8>, _ secondCount: Int
  ) -> Bool {
    if let tls { return writeEncrypted(tls, first, firstCount, second, secondCount) }
    if !out.isEmpty {
      out.append(first, firstCount)
      out.append(second, secondCount)
      return true
    }
    let sent = gate_send2(descriptor, first, firstCount, second, secondCount)
    if sent == firstCount + secondCount { return true }
    if sent < 0 && sent != -Int(EAGAIN) && sent != -Int(EINTR) { return false }
    let done = max(0, sent)
    if done < firstCount { out.append(first + done, firstCount - done) }
    let secondDone = max(0, done - firstCount)
    out.append(second + secondDone, secondCount - secondDone)
    return true
  }

  /// Sends what waits.
  final func flush() {
    if out.isEmpty { return }
    let sent = gate_send(descriptor, out.first, out.count)
    if sent < 0 {
      if sent != -Int(EAGAIN) && sent != -Int(EINTR) { onFailure() }
      return
    }
    drainedBytes &+= UInt64(sent)
    out.consume(sent)
    // After a partial send the socket is full, and its becoming writable brings an event.
    guard out.isEmpty else { return }
    out.release(keeping: 16 << 10)
    if endsWriting { shutDownWriting() }
    if !isClosed, out.isEmpty { onDrained() }
  }

  final func close() {
    if isClosed { return }
    if let tls, out.isEmpty { sendCloseNotify(tls) }
    isClosed = true
    willClose()
    loop.remove(self)
    onClose()
    peer = nil
  }

  final func setDeadline(_ time: UInt64) {
    deadline = time
    if time < loop.nextSweep { loop.nextSweep = time }
  }

  // MARK: - Tunnels

  /// Passes on what this end has to read to its peer, while the peer takes it.
  final func relay() {
    guard let peer else { return close() }
    while mayRead, peer.out.isEmpty, !hasReadEnd {
      let spliced = plenty.isExpected && isTarget ? splice(to: peer) : nil
      let count = spliced ?? receive()
      if count > 0 {
        relayed(count)
        if spliced == nil, !peer.write(loop.readBuffer, count) { return peer.breakTunnel() }
      } else if count == 0 {
        hasReadEnd = true
        peer.endsWriting = true
        if peer.out.isEmpty { peer.shutDownWriting() }
        return
      } else if count == -2 {
        return breakTunnel()
      } else if count == -3 {
        return peer.breakTunnel()
      }
    }
  }

  /// This end of a tunnel failed.
  func breakTunnel() { closeTunnel() }

  /// Counts what passed through a tunnel from this end.
  func relayed(_ count: Int) {}

  final func closeTunnel() {
    let other = peer
    close()
    other?.close()
  }

  /// The peer is done and all it said is sent.
  final func shutDownWriting() {
    if hasEndedWriting { return }
    if let tls, !tls.hasSentClose {
      sendCloseNotify(tls)
      if !out.isEmpty {
        // Comes back when it is sent.
        endsWriting = true
        return
      }
    }
    hasEndedWriting = true
    shutdown(descriptor, Int32(SHUT_WR))
    if hasReadEnd, let peer, peer.hasReadEnd, peer.hasEndedWriting { closeTunnel() }
  }
}
