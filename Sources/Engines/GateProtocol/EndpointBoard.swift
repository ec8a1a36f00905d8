// The TCP endpoints of one service, as its part of the Gate's configuration.

/// Collects endpoints and keeps the Gate told. One at a time goes to the Gate, and always the newest.
public actor EndpointBoard {
  private let gate: GateController
  private let part: String
  private let onFailure: @Sendable (any Error) -> Void
  private var endpoints: [String: [GateSnapshot.TCPEndpoint]] = [:]
  private var bindings: [String: GateStatus.Binding] = [:]
  private var isDirty = false
  private var sending: Task<Void, Never>?

  /// - Parameters:
  ///   - part: the service's name at the controller.
  ///   - onFailure: told when the Gate is away; the controller keeps the part and applies it when the Gate is back.
  public init(gate: GateController, part: String, onFailure: @escaping @Sendable (any Error) -> Void) {
    self.gate = gate
    self.part = part
    self.onFailure = onFailure
  }

  /// Begins with all endpoints at once: a Gate that runs must not lose any, not for a moment.
  /// - Returns: what listens to where a Gate that came back has bound them, until it is cancelled.
  public func begin(_ all: [String: [GateSnapshot.TCPEndpoint]]) async -> Task<Void, Never> {
    endpoints = all
    await flush()
    let events = await gate.events()
    return Task {
      for await event in events { if case .applied(let status) = event { note(status) } }
    }
  }

  /// Sets the endpoints of one owner (by its ARN); returns when the Gate has them, or is seen to be away.
  public func set(_ owner: String, _ new: [GateSnapshot.TCPEndpoint]?) async {
    guard endpoints[owner] != new else { return }
    endpoints[owner] = new
    await flush()
  }

  public func removeAll() async {
    endpoints = [:]
    await flush()
  }

  /// Where an endpoint really listens; nil while the Gate has not said so.
  public func binding(_ id: String) -> (address: String, port: Int)? {
    guard let binding = bindings[id], let address = binding.address, let port = binding.port else { return nil }
    return (address, Int(port))
  }

  private func note(_ status: GateStatus) {
    bindings = Dictionary(status.endpoints.map { ($0.id, $0) }, uniquingKeysWith: { _, last in last })
  }

  private func flush() async {
    isDirty = true
    if sending == nil { sending = Task { await self.send() } }
    await sending?.value
  }

  private func send() async {
    while isDirty {
      isDirty = false
      let wanted = GateController.Part(endpoints: endpoints.sorted { $0.key < $1.key }.flatMap(\.value))
      do {
        if let status = try await gate.set(wanted, for: part) { note(status) }
      } catch { onFailure(error) }
    }
    sending = nil
  }
}
