// Which port the Gate is asked to bind for a listener, and what a load balancer is therefore called.

/// Ports below `privilegedBelow` are refused to a normal user: such a listener goes to its port plus 8000 (80 → 8080)
/// on the load balancer's own address, which is decided before the listener is made, so that its name is known.
struct PortPlan: Sendable, Hashable {
  static let offset = 8000
  /// The first port that this process may bind.
  var privilegedBelow: Int

  /// The port to bind for a listener's port.
  func bindPort(_ port: Int) -> Int { port < privilegedBelow ? port + Self.offset : port }

  /// What reaches the load balancer when it is put behind `http://`: its own address, with the port that was really
  /// bound wherever that is not the listener's own.
  func dnsName(_ balancer: LoadBalancerRecord, _ listeners: [ListenerRecord]) -> String {
    let sorted = listeners.sorted { $0.port < $1.port }
    guard let main = sorted.first(where: { $0.port == 80 }) else {
      // Port 80 is what a load balancer without listeners is made for.
      if sorted.isEmpty { return name(balancer.address, bindPort(80), 80) }
      let moved = sorted.first { listener in
        guard let bound = listener.bound, let port = bound.port else { return false }
        return port != listener.port || bound.address != balancer.address
      }
      guard let moved, let bound = moved.bound else { return balancer.address }
      return name(bound.address ?? balancer.address, bound.port ?? moved.port, 80)
    }
    guard let bound = main.bound, let address = bound.address, let port = bound.port else {
      return name(balancer.address, bindPort(80), 80)
    }
    return name(address, port, 80)
  }

  private func name(_ address: String, _ port: Int, _ usual: Int) -> String {
    port == usual ? address : "\(address):\(port)"
  }
}
