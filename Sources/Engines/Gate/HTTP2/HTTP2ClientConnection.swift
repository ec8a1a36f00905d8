// A client that speaks HTTP/2: many requests at once over one connection.
import CLinux
import GateProtocol
import Glibc
import HTTPWire

/// An HTTP/2 client's connection.
final class HTTP2ClientConnection: ClientConnection {
  private(set) var session: HTTP2ServerSession?

  /// After the handshake agreed on `h2`.
  init(
    loop: EventLoop, descriptor: Int32, listener: ListenerRuntime, address: UInt32, slot: Int32, tls: TLSSession
  ) {
    super.init(loop: loop, descriptor: descriptor, listener: listener, address: address, slot: slot)
    self.tls = tls
    session = HTTP2ServerSession(loop: loop, client: self)
  }

  /// Takes over a connection that turned out to speak HTTP/2, with the bytes read so far.
  init(continuing old: HTTP1Connection) {
    super.init(continuing: old)
    session = HTTP2ServerSession(loop: loop, client: self)
  }

  override var isIdle: Bool { session.map { $0.streams.isEmpty } ?? true && out.isEmpty }

  override var waiting: Waiting {
    if !out.isEmpty { return .answer }
    guard let session, session.streams.isEmpty else { return .nothing }
    return session.isInsideBlock ? .head : turn == 0 ? .first : .idle
  }

  /// Bytes that were read before this connection was in charge.
  func take(_ bytes: UnsafePointer<UInt8>, _ count: Int) { session?.take(bytes, count) }

  override func onReadable() { session?.onReadable() }
  override func onDrained() { session?.onDrained() }
  override func resume() { session?.resume() }
  override func retire() { session?.retire() }

  override func onDeadline() {
    guard let session, !session.isLingering else { return close() }
    session.onDeadline()
  }

  override func onClose() {
    node.statistics.activeConnections -= 1
    session?.onClose()
  }
}
