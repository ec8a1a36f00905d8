// The control plane's end of the Gate's Unix socket. All socket work is done by one thread of its own.
import Glibc
import Synchronization

/// A connection to a running Gate. Closes when released, on `close()`, or when the Gate goes away; it does not
/// reconnect: `GateController` does.
public final class GateClient: Sendable {
  private let core: GateClientCore

  private init(core: GateClientCore) { self.core = core }

  deinit { core.close() }

  /// Connects to the Gate that listens on the Unix socket at this path.
  /// Throws `GateError.disconnected` when nobody does.
  public static func connect(toSocketAt path: String) throws -> GateClient {
    GateClient(core: try GateClientCore.connect(path))
  }

  /// Makes the snapshot the Gate's configuration. Returns when its listeners are bound and all loops serve it.
  @discardableResult
  public func apply(_ snapshot: GateSnapshot) async throws -> GateStatus {
    guard case .status(let status) = try await core.call(.apply(snapshot)) else { throw Self.unexpected }
    return status
  }

  public func status() async throws -> GateStatus {
    guard case .status(let status) = try await core.call(.status) else { throw Self.unexpected }
    return status
  }

  /// The health of every target.
  public func health() async throws -> [GateTargetHealth] {
    guard case .health(let health) = try await core.call(.health) else { throw Self.unexpected }
    return health
  }

  public func statistics() async throws -> GateStatistics {
    guard case .statistics(let statistics) = try await core.call(.statistics) else { throw Self.unexpected }
    return statistics
  }

  /// The attacks that the Gate remembers, the oldest first.
  public func attacks() async throws -> [GateAttack] {
    guard case .attacks(let attacks) = try await core.call(.attacks) else { throw Self.unexpected }
    return attacks
  }

  /// Health at once and whenever it changes, statistics every second. Ends when the connection does.
  /// A consumer that falls behind loses the oldest events beyond 256.
  public func events() async throws -> AsyncStream<GateEvent> {
    let stream = core.makeEventStream()
    guard case .subscribed = try await core.call(.subscribe) else { throw Self.unexpected }
    return stream
  }

  public func close() { core.close() }

  private static var unexpected: GateError { .protocolViolation("a reply of another kind") }
}

/// What the caller's side and the socket thread share.
final class GateClientCore: Sendable {
  private struct State {
    var nextID: UInt64 = 1
    var pending: [UInt64: CheckedContinuation<GateReply, any Error>] = [:]
    var outbox: [UInt8] = []
    var streams: [AsyncStream<GateEvent>.Continuation] = []
    /// Set once; the thread sees it, fails everything pending and closes the descriptors.
    var closing: GateError?
    /// Whether the descriptors may still be written to.
    var isOpen = true
  }

  private let state = Mutex(State())
  private let socket: Int32
  private let wakeRead: Int32
  private let wakeWrite: Int32

  private init(socket: Int32, wakeRead: Int32, wakeWrite: Int32) {
    self.socket = socket
    self.wakeRead = wakeRead
    self.wakeWrite = wakeWrite
  }

  static func connect(_ path: String) throws -> GateClientCore {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard path.utf8.count < capacity else { throw GateError.disconnected("the socket's path is too long: \(path)") }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let descriptor = Glibc.socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { throw GateError.disconnected("socket: \(String(cString: strerror(errno)))") }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    var pipes: [Int32] = [-1, -1]
    guard result == 0, pipe(&pipes) == 0 else {
      let reason = String(cString: strerror(errno))
      Glibc.close(descriptor)
      throw GateError.disconnected("\(path): \(reason)")
    }
    for end in pipes {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    let core = GateClientCore(socket: descriptor, wakeRead: pipes[0], wakeWrite: pipes[1])
    core.startThread()
    return core
  }

  private func startThread() {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 512 << 10)
    defer { pthread_attr_destroy(&attributes) }
    var thread = pthread_t()
    // The thread owns this retain; it gives it back when it ends.
    let own = Unmanaged.passRetained(self)
    let body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { raw in
      if let raw { Unmanaged<GateClientCore>.fromOpaque(raw).takeRetainedValue().run() }
      return nil
    }
    if pthread_create(&thread, &attributes, body, own.toOpaque()) != 0 {
      own.release()
      finish(.disconnected("no thread"))
    }
  }

  func call(_ request: GateRequest) async throws -> GateReply {
    let reply = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<GateReply, any Error>) in
      let refusal: (any Error)? = state.withLock { state in
        if let closing = state.closing { return closing }
        do {
          state.outbox += try GateFrame.encode(GateCall(id: state.nextID, request: request))
        } catch {
          return error
        }
        state.pending[state.nextID] = continuation
        state.nextID += 1
        wake(state)
        return nil
      }
      if let refusal { continuation.resume(throwing: refusal) }
    }
    if case .failed(let error) = reply { throw error }
    return reply
  }

  func makeEventStream() -> AsyncStream<GateEvent> {
    let (stream, continuation) = AsyncStream.makeStream(of: GateEvent.self, bufferingPolicy: .bufferingNewest(256))
    let isClosed = state.withLock { state in
      if state.closing == nil { state.streams.append(continuation) }
      return state.closing != nil
    }
    if isClosed { continuation.finish() }
    return stream
  }

  func close() {
    state.withLock { state in
      if state.closing == nil { state.closing = .disconnected("closed") }
      wake(state)
    }
  }

  private func wake(_ state: borrowing State) {
    guard state.isOpen else { return }
    var byte: UInt8 = 1
    _ = write(wakeWrite, &byte, 1)
  }

  // MARK: - The thread

  private func run() {
    var decoder = GateFrame.Decoder()
    var sending: [UInt8] = []
    var sent = 0
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      let closing = state.withLock { state in
        if sent == sending.count {
          sending = state.outbox
          sent = 0
          state.outbox = []
        }
        return state.closing
      }
      if let closing { return finish(closing) }
      var polled = [
        pollfd(fd: socket, events: Int16(POLLIN) | (sent < sending.count ? Int16(POLLOUT) : 0), revents: 0),
        pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0),
      ]
      if poll(&polled, 2, -1) < 0 && errno != EINTR { return finish(.disconnected("poll failed")) }
      if polled[1].revents != 0 { _ = read(wakeRead, buffer.baseAddress, buffer.count) }
      if polled[0].revents & Int16(POLLOUT) != 0 {
        let count = sending.withUnsafeBytes { bytes in
          send(socket, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
        }
        if count > 0 { sent += count }
        if count < 0 && errno != EAGAIN && errno != EINTR { return finish(.disconnected("the Gate went away")) }
      }
      if polled[0].revents & ~Int16(POLLOUT) != 0 {
        let count = recv(socket, buffer.baseAddress, buffer.count, 0)
        if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) {
          return finish(.disconnected("the Gate went away"))
        }
        if count > 0 {
          decoder.append(UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
          do {
            while let body = try decoder.next() { deliver(try GateFrame.decode(GateMessage.self, from: body)) }
          } catch {
            return finish(error as? GateError ?? .protocolViolation("\(error)"))
          }
        }
      }
    }
  }

  private func deliver(_ message: GateMessage) {
    switch message {
    case .reply(let id, let reply):
      state.withLock { $0.pending.removeValue(forKey: id) }?.resume(returning: reply)
    case .event(let event):
      for stream in state.withLock({ $0.streams }) { stream.yield(event) }
    }
  }

  private func finish(_ error: GateError) {
    let (pending, streams) = state.withLock { state in
      state.closing = state.closing ?? error
      defer {
        state.pending = [:]
        state.streams = []
      }
      if state.isOpen {
        state.isOpen = false
        Glibc.close(socket)
        Glibc.close(wakeRead)
        Glibc.close(wakeWrite)
      }
      return (state.pending, state.streams)
    }
    for continuation in pending.values { continuation.resume(throwing: error) }
    for stream in streams { stream.finish() }
  }
}
