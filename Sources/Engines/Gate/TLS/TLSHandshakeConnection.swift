// A client whose TLS handshake is not complete. When it is, the connection of the agreed protocol takes its place.
import CLinux
import GateProtocol

/// Clients that wait for the answer to their ClientHello, in the order they came. A signature takes as long as twenty
/// requests: a loop makes one when nobody who is connected wants anything, or at the third look at them at the latest, so
/// that a storm of handshakes delays them by one, not by the whole storm, and they do not keep it waiting.
struct HandshakeQueue {
  /// One look made p99 of requests in a storm of handshakes 5 % higher, sixteen 8 % (Benchmarks/gate, handshake).
  private static let looksMax = 3

  private var waiting: [TLSHandshakeConnection] = []
  private var first = 0
  private var looks = 0

  var isEmpty: Bool { first == waiting.count }

  mutating func add(_ connection: TLSHandshakeConnection) { waiting.append(connection) }

  /// The next one that is still there, when it is time for it.
  /// - Parameter isQuiet: there was nothing to do for those who are connected.
  mutating func next(isQuiet: Bool) -> TLSHandshakeConnection? {
    looks += 1
    guard isQuiet || looks >= Self.looksMax else { return nil }
    looks = 0
    defer {
      if first == waiting.count || first > 1024 {
        waiting.removeFirst(first)
        first = 0
      }
    }
    while first < waiting.count {
      first += 1
      if !waiting[first - 1].isClosed { return waiting[first - 1] }
    }
    return nil
  }
}

/// A listener that takes TLS, of whatever load balancer.
protocol TLSAcceptor: AnyObject {
  /// The load balancer, whose sources its clients are.
  var shielded: any Shielded { get }
  /// Somebody wants to know clients by the fingerprints of their hello.
  var wantsFingerprints: Bool { get }
  /// A client did not complete its handshake.
  func countTLSError()
  /// The connection that serves a client whose handshake is complete; its source's entry is given back with it.
  func makeClient(loop: EventLoop, descriptor: Int32, source: FlowSource, slot: Int32, tls: TLSSession) -> Connection
}

/// An accepted connection that has not said what it speaks.
final class TLSHandshakeConnection: Connection {
  let acceptor: any TLSAcceptor
  let source: FlowSource
  /// The source's entry, handed over with the descriptor.
  let slot: Int32
  let began: UInt64

  init(
    loop: EventLoop, descriptor: Int32, acceptor: any TLSAcceptor, source: FlowSource, slot: Int32, tls: TLSSession
  ) {
    self.acceptor = acceptor
    self.source = source
    self.slot = slot
    began = loop.now
    super.init(loop: loop, descriptor: descriptor)
    self.tls = tls
    if (acceptor as? NetworkListenerRuntime)?.balancer.accessLog != nil { tls.watchAlerts() }
    if acceptor.wantsFingerprints { tls.watchHello() }
    setDeadline(loop.now &+ loop.handshakeTime)
  }

  private var isWaiting = false

  override var origin: Origin? { Origin(balancer: acceptor.shielded, slot: slot) }
  override var dispensable: (Waiting, since: UInt64)? { (.first, began) }

  override func onReadable() {
    guard let tls else { return close() }
    if tls.wireBytes == 0 {
      // Nothing was answered yet: that costs a signature.
      if !isWaiting { loop.handshakes.add(self) }
      isWaiting = true
      return
    }
    goOn(tls)
  }

  /// Its turn to be answered has come.
  func takeTurn() {
    isWaiting = false
    guard let tls else { return close() }
    goOn(tls)
  }

  private func goOn(_ tls: TLSSession) {
    switch shakeHands(tls) {
    case .wantsMore: if sawEnd, !mayRead { fail() }
    case .failed: fail()
    case .done: handOver(tls)
    }
  }

  override func onDeadline() { fail() }
  override func onFailure() { fail() }

  private func fail() {
    if isClosed { return }
    acceptor.countTLSError()
    if let listener = acceptor as? ListenerRuntime {
      listener.logFailure(loop, source, tls)
    } else if let listener = acceptor as? NetworkListenerRuntime, let tls {
      listener.log(FlowLogLine(source: source, connectionTime: loop.now &- began), tls, loop)
    }
    TLSFailure.forget()
    close()
  }

  private func handOver(_ tls: TLSSession) {
    tls.handshakeTime = loop.now &- began
    if case .off = tls.server?.mutual ?? .off {} else { tls.identityLines = MutualTLS.lines(tls) }
    let client = acceptor.makeClient(loop: loop, descriptor: descriptor, source: source, slot: slot, tls: tls)
    // Its lines in logs needed the client's certificate.
    tls.settle()
    loop.replace(self, by: client)
  }
}

extension ListenerRuntime: TLSAcceptor {
  var shielded: any Shielded { loadBalancer }
  var wantsFingerprints: Bool { loadBalancer.webACL?.evaluator?.acl.needsFingerprints ?? false }

  func countTLSError() { loadBalancer.nextNode().statistics.clientTLSErrors += 1 }

  /// The connection of the protocol that was agreed on (ALPN).
  func makeClient(
    loop: EventLoop, descriptor: Int32, source: FlowSource, slot: Int32, tls: TLSSession
  ) -> Connection {
    if tls.isHTTP2 {
      let client = HTTP2ClientConnection(
        loop: loop, descriptor: descriptor, listener: self, address: source.address, slot: slot, tls: tls)
      client.port = source.port
      client.log(tls)
      return client
    }
    let client = HTTP1Connection(
      loop: loop, descriptor: descriptor, listener: self, address: source.address, slot: slot)
    client.port = source.port
    client.tls = tls
    client.exchange.tls = tls
    client.log(tls)
    return client
  }
}

extension NetworkListenerRuntime: TLSAcceptor {
  var shielded: any Shielded { balancer }
  var wantsFingerprints: Bool { false }

  func countTLSError() { balancer.statistics.clientTLSErrors += 1 }

  func makeClient(loop: EventLoop, descriptor: Int32, source: FlowSource, slot: Int32, tls: TLSSession) -> Connection {
    let client = FlowConnection(loop: loop, descriptor: descriptor, listener: self, source: source, slot: slot)
    client.tls = tls
    return client
  }
}
