// One stream of an HTTP/2 connection, client's or target's: its windows, and what waits for them.
import Glibc
import HTTPWire

/// A stream's share of flow control. Streams are used again: a loop keeps those that are done for the next requests.
final class HTTP2Stream {
  private(set) var id: UInt32 = 0
  /// How much the other side takes now; below zero after it made its windows smaller.
  var sendWindow = 0
  /// How much the other side may still send.
  var receiveWindow = 0
  /// Bytes taken that the other side has not been told of.
  var uncredited = 0
  /// Data that waits for a window.
  var pending = Bytes()
  /// An encoded block of trailers, to be sent behind `pending`.
  var trailers = Bytes()
  /// Behind `pending` and `trailers` this side has no more to say.
  var endsAfterPending = false
  /// This side has said END_STREAM.
  var localEnded = false
  /// The other side has.
  var remoteEnded = false
  /// Whoever makes this side's data was stopped, and is told when there is room again.
  var isHeld = false
  /// Bytes of the request that came after its answer.
  var discarded = 0
  /// Counted among those that wait: held, or with something unsent.
  var isWaiting = false
  /// When something last moved, on the loop's clock. Microseconds.
  var lastProgress: UInt64 = 0

  /// The request, on a client's connection.
  private(set) var exchange: HTTP2Exchange?
  /// The request's way to its target, on a target's connection.
  private(set) var link: HTTP2TargetLink?

  init() {}

  /// A stream for client connections, with its exchange.
  static func forClients(_ loop: EventLoop, _ listener: ListenerRuntime) -> HTTP2Stream {
    let stream = HTTP2Stream()
    stream.exchange = HTTP2Exchange(loop: loop, listener: listener, source: 0, stream: stream)
    return stream
  }

  /// A stream for connections to targets.
  static func forTargets(_ loop: EventLoop) -> HTTP2Stream {
    let stream = HTTP2Stream()
    stream.link = HTTP2TargetLink(loop: loop, stream: stream)
    return stream
  }

  func open(_ id: UInt32, sendWindow: Int, receiveWindow: Int, now: UInt64) {
    self.id = id
    self.sendWindow = sendWindow
    self.receiveWindow = receiveWindow
    uncredited = 0
    discarded = 0
    endsAfterPending = false
    localEnded = false
    remoteEnded = false
    isHeld = false
    isWaiting = false
    lastProgress = now
  }

  func clear() {
    pending.release(keeping: 0)
    trailers.release(keeping: 0)
  }

  /// Nothing of this side's waits.
  var hasSentAll: Bool { pending.isEmpty && trailers.isEmpty }
}

/// What a loop needs for HTTP/2, made when the first such connection comes.
final class HTTP2Tools {
  private static let poolMax = 1024

  var heads = HTTP2HeadReader()
  let encoder = HPACKEncoder()
  /// For heads that are translated on their way to a target.
  var head = MessageHead()
  /// Header blocks under construction.
  var block = Bytes()
  private var clientStreams: [HTTP2Stream] = []
  private var targetStreams: [HTTP2Stream] = []
  /// Closed during this batch of events: still in use below us on the stack, perhaps.
  private var closed: [HTTP2Stream] = []

  init() {}

  func clientStream(_ loop: EventLoop, _ listener: ListenerRuntime) -> HTTP2Stream {
    clientStreams.popLast() ?? .forClients(loop, listener)
  }

  func targetStream(_ loop: EventLoop) -> HTTP2Stream { targetStreams.popLast() ?? .forTargets(loop) }

  func release(_ stream: HTTP2Stream) { closed.append(stream) }

  /// Makes the streams closed during the batch available again.
  func collect() {
    if closed.isEmpty { return }
    for stream in closed {
      stream.clear()
      if stream.exchange != nil {
        if clientStreams.count < Self.poolMax { clientStreams.append(stream) }
      } else if targetStreams.count < Self.poolMax {
        targetStreams.append(stream)
      }
    }
    closed.removeAll(keepingCapacity: true)
  }
}
