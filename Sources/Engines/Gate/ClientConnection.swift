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

  init(loop: EventLoop, descriptor: Int32, listener: ListenerRuntime, address: UInt32) {
    self.listener = listener
    source = address
    expires = loop.now &+ listener.loadBalancer.clientKeepAlive
    super.init(loop: loop, descriptor: descriptor)
    listener.loadBalancer.statistics.newConnections += 1
    listener.loadBalancer.statistics.activeConnections += 1
    touch()
  }

  final var balancer: LoadBalancerRuntime { listener.loadBalancer }

  /// Begins the idle time anew.
  @inline(__always)
  final func touch() { setDeadline(loop.now &+ listener.loadBalancer.idleTimeout) }

  /// Whether nothing is in progress, so that closing takes nothing from anybody.
  var isIdle: Bool { preconditionFailure("abstract") }

  /// Goes on with what is at hand, after the events of a batch.
  func resume() { preconditionFailure("abstract") }
}
