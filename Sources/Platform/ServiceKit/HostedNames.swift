// Names of hosts that the castle's own zones answer for, for the services that connect somewhere by name.

/// What a name leads to.
public enum HostedPlace: Sendable, Hashable {
  /// An address, with a port when the name gave one: a load balancer that could not have port 80 has one in its name.
  case address(String, port: Int?)
  /// No zone answers for the name, or for what it is another name of: the machine's resolver is asked for this one.
  case elsewhere(String)
  /// A zone answers for it, and has no address.
  case nowhere
}

/// A service that answers for names: Route 53's public zones. The composition root hands it to those who connect.
public protocol HostedNames: Sendable {
  /// The collections whose changes may change what is answered.
  var nameCollections: Set<String> { get }
  /// Where a host is, by the zones of all accounts, as public DNS has it; through aliases and CNAME records.
  /// - Throws: `StoreError`.
  func place(of host: String) async throws -> HostedPlace
}
