// How connections come into a loop.
import CLinux
import GateProtocol
import Glibc

extension EventLoop {
  func accept(_ listener: ListenerRuntime) {
    // A few at a time, so that the other loops get their share of a burst.
    for _ in 0..<4 {
      if leavesToOthers() { return }
      var address: UInt32 = 0
      var port: UInt16 = 0
      let descriptor = gate_accept(listener.descriptor, &address, &port)
      if descriptor < 0 { return acceptFailed(descriptor, listener.descriptor) }
      guard let slot = admit(address, to: listener.loadBalancer.sources) else {
        listener.loadBalancer.nextNode().statistics.rejectedConnections += 1
        gate_reset(descriptor)
        continue
      }
      if listener.loadBalancer.sources.isFiltering { _ = gate_filter_none(descriptor) }
      if let context = listener.tls {
        shakeHands(context, descriptor, listener, FlowSource(address: address, port: port), slot: slot)
      } else {
        let client = HTTP1Connection(
          loop: self, descriptor: descriptor, listener: listener, address: address, slot: slot)
        client.port = port
        client.log()
        add(client)
      }
    }
  }

  /// - Parameter slot: the source's entry.
  func shakeHands(
    _ context: TLSServerContext, _ descriptor: Int32, _ acceptor: any TLSAcceptor, _ source: FlowSource,
    slot: Int32
  ) {
    switch Result(catching: { () throws(TLSFailure) in try context.session(tlsEngine) }) {
    case .success(let session):
      add(
        TLSHandshakeConnection(
          loop: self, descriptor: descriptor, acceptor: acceptor, source: source, slot: slot, tls: session))
    case .failure:
      // No memory for it.
      acceptor.shielded.sources.leave(slot)
      acceptor.countTLSError()
      gate_reset(descriptor)
    }
  }

  func accept(_ endpoint: EndpointRuntime) {
    for _ in 0..<4 {
      if leavesToOthers() { return }
      var address: UInt32 = 0
      var port: UInt16 = 0
      let descriptor = gate_accept(endpoint.descriptor, &address, &port)
      if descriptor < 0 { return acceptFailed(descriptor, endpoint.descriptor) }
      let client = TunnelConnection(loop: self, descriptor: descriptor, endpoint: endpoint, backend: nil)
      add(client)
      client.findBackend()
    }
  }

  /// Out of descriptors, a waiting connection would wake the loop for ever: another loop takes it, or room is made, or the
  /// spare descriptor is used to refuse it.
  func acceptFailed(_ error: Int32, _ listener: Int32) {
    guard error == -EMFILE || error == -ENFILE else { return }
    if error == -EMFILE, ownsDescriptors, stepAside() { return }
    if let balancer = balancer(ofListener: listener), makeRoom(for: 0, of: balancer.sources) { return }
    refuse(listener)
  }
}
