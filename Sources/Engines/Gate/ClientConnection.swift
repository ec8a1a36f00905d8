// What the connections of a load balancer's clients have in common, whatever protocol they speak.
import CLinux
import GateProtocol
import Glibc

/// A connection that a listener accepted.
class ClientConnection: Connection {
  final let listener: ListenerRuntime
  final let source: UInt32
  /// The client's port.
  final var port: UInt16 = 0
  /// The node of the load balancer through which it came in.
  final let node: NodeRuntime
  /// 128 random bits by which access log and connection log name it; made when one of them is written.
  private final var traceID: (UInt64, UInt64) = (0, 0)
  /// When the connection has lived long enough and ends after what is in progress. Microseconds on the loop's clock.
  final let expires: UInt64
  /// The source's entry in `balancer.sources`.
  final let slot: Int32
  final var pace = Pace()
  /// Rises with every request.
  final var turn: UInt32 = 0
  /// Bytes received that the source's entry knows of.
  final var countedBytes: UInt64 = 0

  /// - Parameter slot: from `EventLoop.admit`; given back when the loop lets go of the connection.
  init(loop: EventLoop, descriptor: Int32, listener: ListenerRuntime, address: UInt32, slot: Int32) {
    self.listener = listener
    source = address
    node = listener.loadBalancer.nextNode()
    self.slot = slot
    expires = loop.now &+ listener.loadBalancer.clientKeepAlive
    super.init(loop: loop, descriptor: descriptor)
    node.statistics.newConnections += 1
    node.statistics.activeConnections += 1
    touch()
  }

  /// Takes over from a connection whose client turned out to speak another protocol (`EventLoop.replace`).
  init(continuing old: ClientConnection) {
    listener = old.listener
    source = old.source
    port = old.port
    node = old.node
    traceID = old.traceID
    slot = old.slot
    expires = old.expires
    super.init(loop: old.loop, descriptor: old.descriptor)
    touch()
  }

  final var balancer: LoadBalancerRuntime { listener.loadBalancer }

  override final var origin: Origin? { Origin(balancer: balancer, slot: slot) }
  override final var dispensable: (Waiting, since: UInt64)? { (waiting, pace.since) }

  /// Begins the idle time anew.
  @inline(__always)
  final func touch() { setDeadline(loop.now &+ listener.loadBalancer.idleTimeout) }

  /// What lines in logs say of this connection.
  func facts() -> ConnectionFacts {
    if traceID == (0, 0) { traceID = (loop.random.next(), loop.random.next()) }
    var facts = ConnectionFacts()
    facts.clientAddress = source
    facts.clientPort = port
    facts.listenerAddress = listener.address
    facts.listenerPort = listener.port
    facts.traceID = traceID
    if let tls {
      facts.type = "https"
      facts.scheme = "https"
      facts.tlsProtocol = tls.version
      facts.tlsCipher = tls.suite
      (facts.domainName, facts.certificate) = tls.names
    }
    return facts
  }

  /// Writes the connection's line; once its handshake is over, or at once without one.
  final func log(_ tls: TLSSession? = nil) {
    guard let sink = balancer.connectionLog else { return }
    ConnectionLogLine.append(facts(), tls?.handshake ?? HandshakeFacts(), now: loop.wallMicroseconds, to: &sink.lines)
    loop.noteLogLine(sink)
  }

  /// Whether nothing is in progress, so that closing takes nothing from anybody.
  var isIdle: Bool { preconditionFailure("abstract") }

  /// What it waits for from its client. A protocol that does not say is not watched for slow clients.
  var waiting: Waiting { .nothing }

  /// The client kept the Gate waiting for too long.
  func expirePace(_ offence: Offence) { reset() }

  /// No more requests are wanted on this connection than those that are in progress.
  final var isPastItsTime: Bool { !listener.isOpen || loop.isDraining || loop.now >= expires }

  /// Ends the connection as soon as nothing is in progress.
  func retire() { preconditionFailure("abstract") }
}
