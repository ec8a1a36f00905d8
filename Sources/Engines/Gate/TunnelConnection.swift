// Either end of a TCP endpoint's connection: the client that was accepted, or the backend that serves it.
import CLinux
import Glibc

/// A connection whose bytes are passed on untouched.
final class TunnelConnection: Connection {
  private static let connectTimeout: UInt64 = 5_000_000
  private static let retryPause: UInt64 = 50_000

  let endpoint: EndpointRuntime
  /// The backend this is a connection to; nil for clients.
  let backend: SocketAddress?
  private var isConnecting: Bool
  private var attempts = 0
  private var waitsUntil: UInt64 = 0
  private var isWaiting = false

  init(loop: EventLoop, descriptor: Int32, endpoint: EndpointRuntime, backend: SocketAddress?) {
    self.endpoint = endpoint
    self.backend = backend
    isConnecting = backend != nil
    super.init(loop: loop, descriptor: descriptor)
    if backend == nil {
      endpoint.statistics.connections += 1
      endpoint.statistics.activeConnections += 1
    }
  }

  override var isTarget: Bool { backend != nil }

  // MARK: - The client's side

  /// Connects to the next backend; called again after each one that refused.
  func findBackend() {
    guard !isClosed, backend == nil, peer == nil else { return }
    if isWaiting {
      isWaiting = false
      deadline = .max
    }
    while attempts < endpoint.backends.count, let address = endpoint.nextBackend() {
      attempts += 1
      var pending: Int32 = 0
      let descriptor = gate_connect(address.address, address.port, &pending)
      if descriptor < 0 { continue }
      let other = TunnelConnection(loop: loop, descriptor: descriptor, endpoint: endpoint, backend: address)
      peer = other
      other.peer = self
      other.setDeadline(loop.now + Self.connectTimeout)
      loop.add(other)
      return
    }
    waitForBackend()
  }

  /// No backend takes it now: waits a little, if the endpoint says so.
  private func waitForBackend() {
    attempts = 0
    if waitsUntil == 0 { waitsUntil = loop.now + endpoint.waitForBackend }
    guard endpoint.isOpen, loop.now < waitsUntil else { return refuse() }
    isWaiting = true
    if !endpoint.waiting.contains(where: { $0 === self }) { endpoint.waiting.append(self) }
    // A backend that starts again says so to nobody, so those that refused are tried again.
    setDeadline(endpoint.backends.isEmpty ? waitsUntil : min(waitsUntil, loop.now + Self.retryPause))
  }

  private func refuse() {
    endpoint.statistics.refused += 1
    close()
  }

  /// The list of backends changed: failover closes connections to those that are gone.
  func backendsChanged() {
    guard let backend, endpoint.closesRemoved, !endpoint.backends.contains(backend), !isClosed else { return }
    if isConnecting { return failConnecting() }
    closeTunnel()
  }

  // MARK: - Events

  override func onWritable() {
    guard isConnecting else { return flush() }
    if gate_socket_error(descriptor) != 0 { return failConnecting() }
    isConnecting = false
    deadline = .max
    peer?.relay()
    if !isClosed, mayRead { relay() }
  }

  private func failConnecting() {
    let client = peer as? TunnelConnection
    peer = nil
    client?.peer = nil
    close()
    client?.findBackend()
  }

  override func onReadable() {
    if isConnecting { return }
    if let other = peer as? TunnelConnection {
      if !other.isConnecting { relay() }
    } else if sawEnd {
      // A client that leaves before it has a backend.
      close()
    }
  }

  override func onDrained() { peer?.relay() }
  override func onFailure() { isConnecting ? failConnecting() : closeTunnel() }

  override func onDeadline() {
    if isConnecting { return failConnecting() }
    if isWaiting {
      endpoint.waiting.removeAll { $0 === self }
      findBackend()
    }
  }

  override func relayed(_ count: Int) {
    if backend == nil {
      endpoint.statistics.bytesIn += UInt64(count)
    } else {
      endpoint.statistics.bytesOut += UInt64(count)
    }
  }

  override func onClose() {
    guard backend == nil else { return }
    endpoint.statistics.activeConnections -= 1
    if isWaiting { endpoint.waiting.removeAll { $0 === self } }
  }
}
