// How the control thread and the loops talk: values through a locked list, and an eventfd that wakes the receiver.
import CLinux
import GateProtocol
import Glibc
import Synchronization
import TrafficBaseline

/// A queue with one receiver, which waits for `descriptor` to become readable.
final class Mailbox<Message: Sendable>: Sendable {
  let descriptor: Int32
  private let messages = Mutex<[Message]>([])

  init() throws(GateFailure) {
    descriptor = gate_eventfd()
    if descriptor < 0 { throw GateFailure("eventfd", code: -descriptor) }
  }

  deinit { close(descriptor) }

  func post(_ message: Message) {
    messages.withLock { $0.append(message) }
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  func take() -> [Message] {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
    return messages.withLock { list in
      defer { list = [] }
      return list
    }
  }
}

/// A system call that failed where the Gate cannot go on.
public struct GateFailure: Error, CustomStringConvertible, Sendable {
  public let what: String
  public let code: Int32

  init(_ what: String, code: Int32) {
    self.what = what
    self.code = code
  }

  public var description: String { "\(what): \(String(cString: strerror(code)))" }
}

/// A target, over all threads.
struct TargetKey: Hashable, Sendable {
  var group: String
  var address: SocketAddress
}

/// What the control thread tells a loop.
enum LoopMessage: Sendable {
  /// Serve this. Descriptors of listeners and endpoints by id; which targets are healthy.
  case configure(
    GateSnapshot, listeners: [String: BoundSocket], endpoints: [String: BoundSocket], healthy: Set<TargetKey>,
    tls: LoopMaterial)
  /// The keys of TLS sessions' tickets, the newest first.
  case ticketKeys([TLSTicketKey])
  case health([(TargetKey, Bool)])
  /// Requests in flight to this target have had their time.
  case expire(TargetKey)
  /// The connections of this unhealthy target have had their time.
  case unhealthyDrained(TargetKey)
  case report
  /// The outcome of a sign-in that a request waits for.
  case signIn(id: UInt64, SignInOutcome)
  /// Judge requests by these from now on; the next `.configure` says whose.
  case webACLs([LoopWebACL])
  /// Tell rates, samples and log lines.
  case tellWebACLs
  /// Keys that are over the rates of rules, by the rules' ids.
  case limit([String: Set<UInt64>])
  /// Look at all clients and report their sources.
  case look(openElsewhere: Int, sentAt: UInt64)
  /// What is to be done about floods, for the load balancers named.
  case mitigate([String: Mitigations])
  /// Look at the listeners: another loop may have been woken for a connection that it leaves to us.
  case listenAnew
  /// No look will come for a while; the first activity is to be told.
  case sleep
  /// Take no new connections, finish what is in flight, end at the latest after these seconds.
  case drain(seconds: Double)
}

/// What a loop tells the control thread.
enum ControlMessage: Sendable {
  /// The loop's thread runs, in a descriptor table of its own or in the process's.
  case started(loop: Int, ownsDescriptors: Bool)
  case configured(loop: Int)
  case report(loop: Int, LoopReport)
  case webACLs(loop: Int, WebACLNews)
  /// Requests are judged again after a time without any.
  case webACLsActive
  case looked(loop: Int, LoopSample)
  /// A key set lacks a key that a token names.
  case keysWanted(String)
  /// A request waits for an identity provider; the loop is told by this id.
  case signIn(loop: Int, id: UInt64, SignInJob)
  /// A full loop leaves its new connections to the others.
  case steppedAside(loop: Int)
  /// A loop that slept has something to do.
  case active
  case ended(loop: Int)
  case failed(loop: Int, String)
  /// Drain and end.
  case stop
}

/// A listening socket and where it is bound.
struct BoundSocket: Sendable {
  /// Of this socket and no other while the worker runs.
  var id: UInt64 = 0
  /// In the table of the control thread or, in a loop, of that loop.
  var descriptor: Int32
  var address: UInt32
  var port: UInt16
}

/// The counters of one loop.
struct LoopReport: Sendable {
  var loadBalancers: [GateStatistics.LoadBalancer] = []
  var targetGroups: [GateStatistics.TargetGroup] = []
  var targets: [GateStatistics.Target] = []
  var endpoints: [GateStatistics.Endpoint] = []
  var networkLoadBalancers: [GateStatistics.NetworkLoadBalancer] = []
  var webACLs: [GateStatistics.WebACL] = []
}
