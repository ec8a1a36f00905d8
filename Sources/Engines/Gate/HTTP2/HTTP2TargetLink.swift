// A request on its way to a target over HTTP/2: one stream of a connection that many share.
import CLinux
import GateProtocol
import Glibc
import HTTPWire

/// A stream's end of an exchange. Its exchange is always an HTTP/2 client's, as with Application Load Balancer.
final class HTTP2TargetLink {
  unowned(unsafe) private let loop: EventLoop
  // The stream owns its link, the session holds the stream while it is open.
  unowned(unsafe) private let stream: HTTP2Stream
  private unowned(unsafe) var session: HTTP2TargetSession?
  private(set) var exchange: Exchange?
  /// The final head has come: what follows in HEADERS is trailers.
  var hasHead = false
  /// Bytes of the answer that Content-Length promises and that have not come.
  var promised: UInt64?
  /// Of the interim answers so far.
  var interimBytes = 0
  /// Taken from the target, not yet taken by the client.
  var owed = 0
  private(set) var sentAt: UInt64 = 0
  private var trailers = Bytes()

  init(loop: EventLoop, stream: HTTP2Stream) {
    self.loop = loop
    self.stream = stream
  }

  func attach(_ exchange: Exchange, _ session: HTTP2TargetSession) {
    self.exchange = exchange
    self.session = session
    hasHead = false
    promised = nil
    interimBytes = 0
    owed = 0
    sentAt = loop.now
    exchange.upstream = self
  }

  /// Gives the exchange up; returns it.
  func detach() -> Exchange? {
    let exchange = exchange
    self.exchange = nil
    session = nil
    trailers.release(keeping: 0)
    exchange?.upstream = nil
    return exchange
  }
}

extension HTTP2TargetLink: TargetLink {
  /// Not while the connection is being made: what was given could not be sent to another target any more.
  var takesBody: Bool {
    guard let session, session.isReady else { return false }
    return session.takesMore(stream)
  }
  var hasSentAll: Bool { stream.hasSentAll }
  var framesBodies: Bool { true }

  func holdTrailers(_ bytes: UnsafePointer<UInt8>, _ count: Int) { trailers.append(bytes, count) }

  func sendBody(_ bytes: UnsafePointer<UInt8>, _ count: Int, isEnd: Bool) {
    guard let session else { return }
    session.sendData(stream, bytes, count, endStream: isEnd && trailers.isEmpty)
    if isEnd, !trailers.isEmpty {
      session.sendTrailers(stream, head: trailers.first, trailers.count)
      trailers.release(keeping: 0)
    }
  }

  func resumeReading() {
    guard let session, owed > 0 else { return }
    let count = owed
    owed = 0
    session.creditStream(stream, count)
  }

  func abandon() {
    let session = session
    _ = detach()
    session?.cancel(stream)
  }
}
