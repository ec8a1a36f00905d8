// The endpoints of all replication groups, as one part of the Gate's configuration.

import GateProtocol
import Logging

/// Collects endpoints and keeps the Gate told. One at a time goes to the Gate, and always the newest.
actor EndpointBoard {
  static let part = "elasticache"
  private let gate: GateController
  private let logger: Logger
  private var endpoints: [String: [GateSnapshot.TCPEndpoint]] = [:]
  private var bindings: [String: GateStatus.Binding] = [:]
  private var isDirty = false
  private var sending: Task<Void, Never>?

  init(gate: GateController, logger: Logger) {
    self.gate = gate
    self.logger = logger
  }

  /// Begins with all endpoints at once: a Gate that runs must not lose any, not for a moment.
  func begin(_ all: [String: [GateSnapshot.TCPEndpoint]]) async {
    endpoints = all
    await flush()
  }

  /// Sets a group's endpoints (by its ARN); returns when the Gate has them, or is seen to be away.
  func set(_ group: String, _ new: [GateSnapshot.TCPEndpoint]?) async {
    guard endpoints[group] != new else { return }
    endpoints[group] = new
    await flush()
  }

  func removeAll() async {
    endpoints = [:]
    await flush()
  }

  /// Where an endpoint really listens; nil while the Gate has not said so.
  func binding(_ id: String) -> (address: String, port: Int)? {
    guard let binding = bindings[id], let address = binding.address, let port = binding.port else { return nil }
    return (address, Int(port))
  }

  /// What a Gate that came back has applied.
  func note(_ status: GateStatus) {
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
      let part = GateController.Part(endpoints: endpoints.sorted { $0.key < $1.key }.flatMap(\.value))
      do {
        if let status = try await gate.set(part, for: Self.part) { note(status) }
      } catch {
        // The controller keeps the part and applies it when the Gate is back.
        logger.info("the Gate did not take the cache endpoints yet", metadata: ["error": "\(error)"])
      }
    }
    sending = nil
  }
}
