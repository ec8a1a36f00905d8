// What comes in on a connection, on its way from the event loop to the connection's task.

import AWSCore
import NIOCore
import NIOHTTP1
import Synchronization

/// Parts of requests in the order they came. The loop puts them in, the connection's one task takes them out.
///
/// A request's parts mostly come in one piece, and are all here when the task wakes for the first: then it takes the
/// rest without waiting again.
final class RequestParts: Sendable {
  /// Bytes of bodies that may wait here before the socket is left alone.
  private static let bytesMax = 256 << 10
  /// Parts that may wait: requests that a client sends ahead.
  private static let partsMax = 64

  private struct State {
    var parts: [HTTPServerRequestPart] = []
    /// Those before it are taken.
    var first = 0
    var bytes = 0
    var end: Result<Void, any Error>?
    var waiter: CheckedContinuation<HTTPServerRequestPart?, any Error>?
    /// The loop wanted to read and was told not to.
    var isHeld = false

    var isFull: Bool { bytes >= bytesMax || parts.count - first >= partsMax }

    mutating func take() -> HTTPServerRequestPart? {
      guard first < parts.count else { return nil }
      let part = parts[first]
      first += 1
      if first == parts.count {
        parts.removeAll(keepingCapacity: true)
        first = 0
      }
      if case .body(let buffer) = part { bytes -= buffer.readableBytes }
      return part
    }
  }

  private let state = Mutex(State())
  private let channel: any Channel

  init(_ channel: any Channel) { self.channel = channel }

  /// The next part; nil when nothing more will come.
  /// - Throws: what the client sent that is not HTTP.
  func next() async throws -> HTTPServerRequestPart? {
    let (found, mayRead) = state.withLock { state -> (Result<HTTPServerRequestPart?, any Error>?, Bool) in
      if let part = state.take() {
        defer { if !state.isFull { state.isHeld = false } }
        return (.success(part), state.isHeld && !state.isFull)
      }
      return (state.end.map { $0.map { nil } }, false)
    }
    if mayRead { channel.read() }
    if let found { return try found.get() }
    return try await withCheckedThrowingContinuation { continuation in
      let found = state.withLock { state -> Result<HTTPServerRequestPart?, any Error>? in
        if let part = state.take() { return .success(part) }
        if let end = state.end { return end.map { nil } }
        state.waiter = continuation
        return nil
      }
      if let found { continuation.resume(with: found) }
    }
  }

  // MARK: The loop's side

  func push(_ part: HTTPServerRequestPart) {
    let waiter = state.withLock { state -> CheckedContinuation<HTTPServerRequestPart?, any Error>? in
      guard state.end == nil else { return nil }
      if let waiter = state.waiter {
        state.waiter = nil
        return waiter
      }
      state.parts.append(part)
      if case .body(let buffer) = part { state.bytes += buffer.readableBytes }
      return nil
    }
    waiter?.resume(returning: part)
  }

  /// Nothing more will come; what is here can still be taken.
  func finish(_ end: Result<Void, any Error> = .success(())) {
    let waiter = state.withLock { state in
      if state.end == nil { state.end = end }
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume(with: end.map { nil })
  }

  /// Whether the loop may read on. When not, it is asked to once there is room.
  func mayRead() -> Bool {
    state.withLock { state in
      state.isHeld = state.isFull
      return !state.isFull
    }
  }
}

/// Puts what the HTTP parser makes of a connection's bytes into its `RequestParts`.
final class RequestPartsHandler: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  private let parts: RequestParts

  init(_ parts: RequestParts) { self.parts = parts }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { parts.push(unwrapInboundIn(data)) }

  func read(context: ChannelHandlerContext) { if parts.mayRead() { context.read() } }

  func channelInactive(context: ChannelHandlerContext) {
    parts.finish()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { parts.finish() }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent { parts.finish() }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // The parser minds a client that leaves in the middle of something; its body's reader finds out by itself.
    let isCut = error as? HTTPParserError == .invalidEOFState
    parts.finish(isCut ? .success(()) : .failure(error))
    // Its other complaints are answered; after anything else the connection is of no more use.
    if !(error is HTTPParserError) { context.close(promise: nil) }
  }
}

/// The body of one request: chunks until its end. Iterated once.
struct IncomingBody: AsyncSequence, Sendable {
  typealias Element = ByteBuffer
  let parts: RequestParts
  /// Whether the request's end has been taken from its connection.
  let ended = Ended()

  final class Ended: Sendable {
    private let flag = Atomic(false)
    var value: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
  }

  struct AsyncIterator: AsyncIteratorProtocol {
    let body: IncomingBody

    mutating func next() async throws -> ByteBuffer? {
      if body.ended.value { return nil }
      let part: HTTPServerRequestPart?
      do { part = try await body.parts.next() } catch is HTTPParserError {
        throw AWSError("IncompleteBody", "The request's body is not proper HTTP.")
      }
      switch part {
      case .body(let buffer): return buffer
      case .end, .head, nil:
        // A connection that is cut in the middle ends the body too: lengths and hashes tell that it is not whole.
        body.ended.set()
        return nil
      }
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self) }
}
