// What the connections of a load balancer's clients have in common, whatever protocol they speak.
import CLinux
import GateProtocol
import Glibc

/// A connection that a listener accepted.
class ClientConnection: Connection {
  final let listener: ListenerRuntime
  final let source: UInt32
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
    self.slot = slot
    expires = loop.now &+ listener.loadBalancer.clientKeepAlive
    super.init(loop: loop, descriptor: descriptor)
    listener.loadBalancer.statistics.newConnections += 1
    listener.loadBalancer.statistics.activeConnections += 1
    touch()
  }

  /// Takes over from a connection whose client turned out to speak another protocol (`EventLoop.replace`).
  init(continuing old: ClientConnection) {
    listener = old.listener
    source = old.source
    slot = old.slot
    expires = old.expires
    super.init(loop: old.loop, descriptor: old.descriptor)
    touch()
  }

  final var balancer: LoadBalancerRuntime { listener.loadBalancer }

  /// Begins the idle time anew.
  @inline(__always)
  final func touch() { setDeadline(loop.now &+ listener.loadBalancer.idleTimeout) }

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
