// A connection to a target that speaks HTTP/2: few of them carry all requests of a loop.
import CLinux
import GateProtocol
import Glibc
import HTTPWire

/// A connection of one loop to one target of a group with protocol version HTTP2 or GRPC.
final class HTTP2TargetConnection: Connection {
  private static let connectTimeout: UInt64 = 10_000_000
  private static let idleTime: UInt64 = 60_000_000

  let target: TargetRuntime
  /// The load balancer's node whose request it was made for: it counts the connection.
  private let node: NodeRuntime
  /// Not to be written to yet: the connection is being made, or its TLS is.
  private(set) var isConnecting: Bool
  private var hasConnected = false
  private(set) var session: HTTP2TargetSession?

  init(loop: EventLoop, descriptor: Int32, target: TargetRuntime, node: NodeRuntime, isConnecting: Bool) {
    self.target = target
    self.node = node
    self.isConnecting = isConnecting
    super.init(loop: loop, descriptor: descriptor)
    target.statistics.connections += 1
    session = HTTP2TargetSession(loop: loop, connection: self)
    setDeadline(loop.now &+ (isConnecting ? Self.connectTimeout : Self.idleTime))
  }

  /// Whether one more request can go over it.
  var hasRoom: Bool { !isClosed && !sawEnd && session?.hasRoom ?? false }

  /// Whether no request is on it.
  var isUnused: Bool { session?.streams.isEmpty ?? true }

  /// Sends an exchange's request; while the connection is being made it waits for that.
  func start(_ exchange: Exchange) { session?.start(exchange) }

  /// Closes when nothing is in progress; takes nothing new.
  func retire() { session?.retire() }

  /// The deregistration delay of the target is over.
  func expire() {
    session?.breakStreams()
    close()
  }

  // MARK: - Events

  override func onReadable() {
    guard isConnecting else { return session?.onReadable() ?? () }
    if hasConnected, let tls { shakeHandsWithTarget(tls) }
  }

  override func onWritable() {
    guard isConnecting, !hasConnected else { return flush() }
    if gate_socket_error(descriptor) != 0 { return refused() }
    connected()
  }

  /// Goes on after the connection is made: to TLS, or to the requests.
  func connected() {
    hasConnected = true
    node.statistics.newTargetConnections += 1
    node.statistics.targetConnections += 1
    guard let tls else { return begin() }
    shakeHandsWithTarget(tls)
  }

  private func begin() {
    isConnecting = false
    setDeadline(loop.now &+ Self.idleTime)
    session?.begin()
  }

  /// Makes the connection one with TLS, before it is connected.
  func prepareTLS() -> Bool {
    guard let client = loop.tlsClient,
      case .success(let session) = Result(catching: { () throws(TLSFailure) in
        try client.session(loop.tlsEngine, sessions: target.sessions, protocols: ["h2"])
      })
    else { return false }
    tls = session
    return true
  }

  private func shakeHandsWithTarget(_ tls: TLSSession) {
    let progress = shakeHands(tls)
    // A target that does not agree on HTTP/2 does not speak it.
    if progress == .done, tls.isHTTP2 { return begin() }
    if progress == .wantsMore, !sawEnd || mayRead { return }
    node.counters(of: target.group).statistics.targetTLSErrors += 1
    TLSFailure.forget()
    refused()
  }

  override func onDrained() { session?.onDrained() }
  override func resume() { if !isConnecting { session?.resume() } }

  private func refused() {
    isConnecting = false
    session?.refused()
    close()
  }

  override func onFailure() { isConnecting ? refused() : close() }

  override func onDeadline() {
    if isConnecting { return refused() }
    guard let session, !session.isLingering, !session.streams.isEmpty else { return close() }
    // The streams' own times are kept by the clients' connections.
    setDeadline(loop.now &+ Self.idleTime)
  }

  override func onClose() {
    target.statistics.connections -= 1
    if hasConnected { node.statistics.targetConnections -= 1 }
    target.multiplexed.removeAll { $0 === self }
    session?.onClose()
  }
}
