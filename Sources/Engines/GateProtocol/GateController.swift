// One configuration out of what several services want, kept applied to a Gate that may come and go.

import WebACL

/// Holds what each service wants of the Gate, sends the whole as one snapshot whenever a part changes, and connects
/// again (and applies again) whenever the Gate comes back. Services share one controller.
public actor GateController {
  /// What one service puts into the snapshot. Ids must be unique over all services.
  public struct Part: Sendable, Equatable {
    public var loadBalancers: [GateSnapshot.LoadBalancer]
    public var targetGroups: [GateSnapshot.TargetGroup]
    public var endpoints: [GateSnapshot.TCPEndpoint]
    public var certificates: [GateSnapshot.Certificate]
    public var trustStores: [GateSnapshot.TrustStore]
    public var networkLoadBalancers: [GateSnapshot.NetworkLoadBalancer]
    /// See `GateSnapshot.cookieKey`; one part has it.
    public var cookieKey: [UInt8]?
    public var webACLs: [WebACL] = []
    public var addressSources: AddressSources?
    /// Zones that are taken out of load balancers of any part, by the load balancers' ids.
    public var shiftedZones: [String: Set<String>] = [:]

    public init(
      loadBalancers: [GateSnapshot.LoadBalancer] = [], targetGroups: [GateSnapshot.TargetGroup] = [],
      endpoints: [GateSnapshot.TCPEndpoint] = [], certificates: [GateSnapshot.Certificate] = [],
      trustStores: [GateSnapshot.TrustStore] = [],
      networkLoadBalancers: [GateSnapshot.NetworkLoadBalancer] = [], cookieKey: [UInt8]? = nil
    ) {
      self.cookieKey = cookieKey
      self.loadBalancers = loadBalancers
      self.targetGroups = targetGroups
      self.endpoints = endpoints
      self.certificates = certificates
      self.trustStores = trustStores
      self.networkLoadBalancers = networkLoadBalancers
    }
  }

  private let socketPath: String
  private var parts: [String: Part] = [:]
  private var revision: UInt64 = 0
  private var client: GateClient?
  private var lastVersion: UInt64 = 0
  private var appliedRevision: UInt64?
  private var status: GateStatus?
  private var applying: Task<GateStatus, any Error>?
  private var listeners: [UInt64: AsyncStream<GateEvent>.Continuation] = [:]
  private var nextListener: UInt64 = 0

  /// Services whose parts have not been set yet. Until they are, nothing is applied: a control plane that has just
  /// started must not take from a running Gate what it has not read yet.
  private var awaited: Set<String>

  /// - Parameters:
  ///   - socketPath: where castle-gate listens.
  ///   - awaiting: the services that must each have set a part before the first snapshot is applied.
  public init(socketPath: String, awaiting: Set<String> = []) {
    self.socketPath = socketPath
    awaited = awaiting
  }

  /// Sets what the named service wants and applies it. Returns where everything is bound.
  /// Throws `GateError.disconnected` when the Gate is away; the part is kept and applied when it comes back.
  /// Nil while other services' parts are still awaited; the part is then applied with theirs.
  @discardableResult
  public func set(_ part: Part, for service: String) async throws -> GateStatus? {
    awaited.remove(service)
    if parts[service] != part || status == nil {
      parts[service] = part
      revision += 1
    }
    guard awaited.isEmpty else { return nil }
    return try await flush()
  }

  /// The last known status: where listeners and endpoints are bound.
  public var currentStatus: GateStatus? { status }

  /// The health of every target.
  public func health() async throws -> [GateTargetHealth] { try await connected().health() }

  /// The attacks that the Gate remembers, the oldest first.
  public func attacks() async throws -> [GateAttack] { try await connected().attacks() }

  public func statistics() async throws -> GateStatistics { try await connected().statistics() }

  /// Health changes and statistics, over all connections to the Gate. Fed while `run()` runs; never ends by itself.
  public func events() -> AsyncStream<GateEvent> {
    let (stream, continuation) = AsyncStream.makeStream(of: GateEvent.self, bufferingPolicy: .bufferingNewest(256))
    let id = nextListener
    nextListener += 1
    listeners[id] = continuation
    continuation.onTermination = { [weak self] _ in Task { await self?.removeListener(id) } }
    return stream
  }

  /// Keeps connected until the task is cancelled: adopts a Gate that already runs, applies what is wanted after each
  /// connection, and passes events on.
  public func run() async {
    while !Task.isCancelled {
      do {
        let client = try connected()
        let events = try await client.events()
        if revision > 0, awaited.isEmpty { _ = try await flush() }
        await withTaskCancellationHandler {
          for await event in events { publish(event) }
        } onCancel: {
          client.close()
        }
        disconnect(client)
      } catch {
        // The Gate is away: its supervisor starts it again, and there is no event to await for that.
        disconnect(client)
        do { try await Task.sleep(for: .milliseconds(100)) } catch { return }
      }
    }
  }

  // MARK: - Applying

  /// Applies until the Gate has the newest revision; callers that come meanwhile share the next round.
  private func flush() async throws -> GateStatus {
    while true {
      if let applying {
        _ = try await applying.value
        continue
      }
      if appliedRevision == revision, client != nil, let status { return status }
      let task = Task { try await self.applyOnce() }
      applying = task
      _ = try await task.value
    }
  }

  private func applyOnce() async throws -> GateStatus {
    // Cleared before anybody who waits for this task goes on.
    defer { applying = nil }
    let client = try connected()
    do {
      if lastVersion == 0 { lastVersion = try await client.status().appliedVersion }
      let wanted = revision
      lastVersion += 1
      let status = try await client.apply(snapshot(version: lastVersion))
      self.status = status
      appliedRevision = wanted
      return status
    } catch GateError.staleVersion(let applied) {
      lastVersion = applied
      throw GateError.staleVersion(applied: applied)
    } catch {
      if case GateError.disconnected = error { disconnect(client) }
      throw error
    }
  }

  private func snapshot(version: UInt64) -> GateSnapshot {
    var snapshot = GateSnapshot(version: version)
    for (_, part) in parts.sorted(by: { $0.key < $1.key }) {
      snapshot.loadBalancers += part.loadBalancers
      snapshot.targetGroups += part.targetGroups
      snapshot.endpoints += part.endpoints
      if let key = part.cookieKey { snapshot.cookieKey = key }
      if !part.certificates.isEmpty { snapshot.certificates = (snapshot.certificates ?? []) + part.certificates }
      if !part.networkLoadBalancers.isEmpty {
        snapshot.networkLoadBalancers = (snapshot.networkLoadBalancers ?? []) + part.networkLoadBalancers
      }
      if !part.trustStores.isEmpty { snapshot.trustStores = (snapshot.trustStores ?? []) + part.trustStores }
      if !part.webACLs.isEmpty { snapshot.webACLs = (snapshot.webACLs ?? []) + part.webACLs }
      snapshot.addressSources = snapshot.addressSources ?? part.addressSources
    }
    for (id, zones) in parts.values.flatMap(\.shiftedZones) { snapshot.shift(zones, of: id) }
    return snapshot
  }

  private func connected() throws -> GateClient {
    if let client { return client }
    let made = try GateClient.connect(toSocketAt: socketPath)
    client = made
    appliedRevision = nil
    lastVersion = 0
    return made
  }

  private func disconnect(_ old: GateClient?) {
    guard let old, client === old else { return }
    old.close()
    client = nil
    appliedRevision = nil
  }

  private func publish(_ event: GateEvent) {
    if case .applied(let applied) = event { status = applied }
    for listener in listeners.values { listener.yield(event) }
  }

  private func removeListener(_ id: UInt64) { listeners[id] = nil }
}
