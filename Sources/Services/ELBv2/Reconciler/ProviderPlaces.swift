// Where the endpoints of identity providers are whose hosts the castle's own zones answer for.

import Fetch
import GateProtocol
import ServiceKit
import Store

/// Looks up endpoints: the Gate and the keeper of key sets connect to what is found here.
struct ProviderPlaces: Sendable {
  let names: (any HostedNames)?
  let ports: PortPlan
  let store: Store

  /// Nil where the machine's resolver is asked for the endpoint's host, as it is in the URL.
  /// - Throws: `StoreError`.
  func place(of url: String) async throws -> GateSnapshot.Place? {
    guard let names, let wanted = FetchPlace(url) else { return nil }
    switch try await names.place(of: wanted.host) {
    case .nowhere: return .nowhere
    case .elsewhere(let host): return host == wanted.host ? nil : .at(host: host, port: wanted.port)
    case .address(let address, let own):
      if let bound = try await bound(address, Int(wanted.port)) { return bound }
      let port = wanted.port == 80 ? own.map { UInt16(clamping: $0) } ?? 80 : wanted.port
      return .at(host: address, port: port)
    }
  }

  /// Of a load balancer of the castle, where its listener really is.
  private func bound(_ address: String, _ port: Int) async throws -> GateSnapshot.Place? {
    try await store.read { snapshot in
      let balancers = try snapshot.list(LoadBalancerRecord.self).map(\.1).filter { $0.address == address }
      let listeners = try snapshot.list(ListenerRecord.self).map(\.1)
      guard
        let listener = listeners.first(where: { listener in
          listener.port == port && balancers.contains { $0.arn == listener.loadBalancer }
        })
      else { return nil }
      return .at(
        host: listener.bound?.address ?? address,
        port: UInt16(clamping: listener.bound?.port ?? ports.bindPort(port)))
    }
  }
}
