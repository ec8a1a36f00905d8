// Keeps the Gate at what the store says, and the store at what the Gate did: bound ports, drained targets.

import AWSCore
import FoundationEssentials
import GateProtocol
import Logging
import ServiceKit
import Store

/// One per service. Rounds are serialised: a caller of `apply` gets the outcome of a round that began after its call.
actor GateReconciler {
  private let store: Store
  private let gate: GateController
  private let certificates: [any CertificateVault]
  private let authority: TrustedAuthority?
  private let places: ProviderPlaces
  private let ports: PortPlan
  private let logger: Logger
  private let ids: any IdentifierSource
  private let logDirectory: String
  private var requested = 0
  private var running: (upTo: Int, task: Task<GateStatus?, any Error>)?
  /// What was heard last, for when the Gate is away.
  private var lastHealth: [TargetKey: GateTargetHealth] = [:]

  struct TargetKey: Hashable, Sendable {
    var group: String
    var address: String
    var port: Int
  }

  /// The name of ELBv2's part at the controller.
  static let partName = "elbv2"

  init(
    _ environment: ServiceEnvironment, gate: GateController, certificates: [any CertificateVault],
    authority: TrustedAuthority?, places: ProviderPlaces, ports: PortPlan, logDirectory: String
  ) {
    self.places = places
    self.authority = authority
    store = environment.store
    ids = environment.ids
    logger = environment.logger
    self.logDirectory = logDirectory
    self.gate = gate
    self.certificates = certificates
    self.ports = ports
  }

  // MARK: - Applying

  /// Brings the Gate to the store's state.
  /// - Returns: where things are bound; nil while the parts of other services are awaited.
  /// - Throws: `GateError`.
  @discardableResult
  func apply() async throws -> GateStatus? {
    requested += 1
    let mine = requested
    while true {
      if let running {
        if running.upTo >= mine { return try await running.task.value }
        _ = await running.task.result
        continue
      }
      let task = Task {
        // Cleared before anybody who waits for this task goes on.
        defer { self.running = nil }
        return try await self.round()
      }
      running = (requested, task)
    }
  }

  /// The same for operations, which have done their work when the store has it: a Gate that is away is told later.
  func applyIfThere() async {
    do {
      try await apply()
    } catch GateError.disconnected {
      logger.debug("the gate is away; the change is applied when it comes back")
    } catch {
      logger.error("the gate refused the load balancers' configuration", metadata: ["error": "\(error)"])
    }
  }

  private func round() async throws -> GateStatus? {
    var desired = try await store.read { snapshot in
      DesiredState(
        loadBalancers: try snapshot.list(LoadBalancerRecord.self).map(\.1),
        listeners: try snapshot.list(ListenerRecord.self).map(\.1),
        rules: try snapshot.list(RuleRecord.self).map(\.1),
        targetGroups: try snapshot.list(TargetGroupRecord.self).map(\.1),
        trustStores: try snapshot.list(TrustStoreRecord.self).map(\.1))
    }
    desired.keySets = try await store.read { snapshot in
      Dictionary(try snapshot.list(KeySetRecord.self).map { ($0.1.endpoint, $0.1.document) }) { $1 }
    }
    desired.authority = try authority?()
    desired.certificates = try await keyed(Set(desired.listeners.flatMap { $0.certificates ?? [] }))
    desired.clientSecrets = try clientSecrets(desired)
    desired.places = try await places(desired)
    desired.cookieKey = try await cookieKey()
    desired.logDirectory = logDirectory
    for folder in desired.logFolders {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }
    guard let status = try await gate.set(desired.gatePart(ports), for: Self.partName) else { return nil }
    try await note(status, desired)
    if desired.targetGroups.contains(where: { $0.targets.contains { $0.drainingSince != nil } }) {
      try await removeDrained(desired)
    }
    return status
  }

  private func places(_ desired: DesiredState) async throws -> [String: GateSnapshot.Place] {
    var found: [String: GateSnapshot.Place] = [:]
    for case .oidc(let oidc) in desired.checks {
      for endpoint in [oidc.tokenEndpoint, oidc.userInfoEndpoint] where found[endpoint] == nil {
        found[endpoint] = try await places.place(of: endpoint)
      }
    }
    return found
  }

  private func clientSecrets(_ desired: DesiredState) throws -> [SealedBytes: String] {
    var secrets: [SealedBytes: String] = [:]
    for case .oidc(let oidc) in desired.checks where secrets[oidc.clientSecret] == nil {
      let bytes = try oidc.clientSecret.open(store.sealer, context: OIDCRecord.secretContext(oidc.clientID))
      secrets[oidc.clientSecret] = String(decoding: bytes, as: UTF8.self)
    }
    return secrets
  }

  /// The key that seals cookies: made once, so that clients stay where they are whatever starts again.
  private func cookieKey() async throws -> [UInt8] {
    let (scope, context) = (CookieKeyRecord.scope, CookieKeyRecord.context)
    if let found = try await store.get(CookieKeyRecord.self, scope, CookieKeyRecord.id) {
      return try found.key.open(store.sealer, context: context)
    }
    let fresh = CookieKeyRecord(key: try SealedBytes(ids.randomBytes(32), sealer: store.sealer, context: context))
    let kept = try await store.write { tx in
      if let found = try tx.get(CookieKeyRecord.self, scope, CookieKeyRecord.id) { return found }
      try tx.put(fresh, scope)
      return fresh
    }
    return try kept.key.open(store.sealer, context: context)
  }

  /// The certificates with their keys; one that is gone is left out, and said.
  private func keyed(_ arns: Set<String>) async throws -> [String: KeyedCertificate] {
    var found: [String: KeyedCertificate] = [:]
    for arn in arns {
      for vault in certificates where found[arn] == nil { found[arn] = try await vault.keyedCertificate(arn) }
      if found[arn] == nil {
        logger.warning("a listener names a certificate that is gone", metadata: ["certificate": "\(arn)"])
      }
    }
    return found
  }

  /// Records where listeners are bound and which load balancers have become active.
  private func note(_ status: GateStatus, _ desired: DesiredState) async throws {
    var bound: [String: BoundRecord] = [:]
    for binding in status.listeners {
      bound[binding.id] = BoundRecord(
        address: binding.address, port: binding.port.map(Int.init), problem: binding.error)
    }
    let moved = desired.listeners.filter { bound[$0.arn] != nil && bound[$0.arn] != $0.bound }.map(\.arn)
    let fresh = desired.loadBalancers.filter { !$0.isActive }.map(\.arn)
    guard !moved.isEmpty || !fresh.isEmpty else { return }
    let places = bound
    try await store.write { tx in
      for (scope, var listener) in try tx.list(ListenerRecord.self) where moved.contains(listener.arn) {
        listener.bound = places[listener.arn]
        try tx.put(listener, scope)
      }
      for (scope, var balancer) in try tx.list(LoadBalancerRecord.self) where fresh.contains(balancer.arn) {
        balancer.isActive = true
        try tx.put(balancer, scope)
      }
    }
    for listener in desired.listeners where moved.contains(listener.arn) {
      guard let problem = bound[listener.arn]?.problem else { continue }
      let place = bound[listener.arn].map { "\($0.address ?? "nowhere"):\($0.port ?? 0)" } ?? ""
      logger.warning(
        "a listener is not where it was wanted",
        metadata: ["listener": "\(listener.arn)", "bound": "\(place)", "reason": "\(problem)"])
    }
  }

  /// Removes the draining targets that the Gate has drained. The Gate has just applied `desired`, so what it calls
  /// drained are the targets that drained there; one that was registered again since then is left alone.
  private func removeDrained(_ desired: DesiredState) async throws {
    let reports = try await health()
    let drained = Set(
      reports.filter { $0.state == .unused && $0.reason == .notRegistered }
        .map { TargetKey(group: $0.targetGroup, address: $0.address, port: Int($0.port)) })
    var gone: [String: [TargetRecord]] = [:]
    for group in desired.targetGroups {
      let targets = group.targets.filter { target in
        guard target.drainingSince != nil else { return false }
        // What has no place any more is in the Gate no more.
        guard let place = desired.place(of: target, in: group, ports) else { return true }
        return drained.contains(TargetKey(group: group.arn, address: place.address, port: place.port))
      }
      if !targets.isEmpty { gone[group.arn] = targets }
    }
    guard !gone.isEmpty else { return }
    let removed = gone
    try await store.write { tx in
      for (scope, var group) in try tx.list(TargetGroupRecord.self) {
        guard let targets = removed[group.arn] else { continue }
        group.targets.removeAll { targets.contains($0) }
        try tx.put(group, scope)
      }
    }
  }

  // MARK: - Binding

  /// Applies and waits until the Gate has bound the listener, at most so long.
  /// - Returns: nil when the Gate was away all the time.
  /// - Throws: `InternalFailure` when the Gate refuses the configuration.
  func bind(_ listener: String, within limit: Duration) async throws -> GateStatus.Binding? {
    let events = await gate.events()
    do {
      if let binding = try await apply()?.listener(listener) { return binding }
    } catch GateError.disconnected {
      // It comes back, or the limit ends the wait.
    } catch let error as GateError {
      throw AWSError("InternalFailure", "The Gate refused the listener: \(error)", status: 500)
    }
    let binding = await withTaskGroup(of: GateStatus.Binding?.self) { group in
      group.addTask {
        for await event in events {
          if case .applied(let status) = event, let binding = status.listener(listener) { return binding }
        }
        return nil
      }
      group.addTask {
        // Cancelled when the binding was told in time.
        try? await Task.sleep(for: limit)
        return nil
      }
      defer { group.cancelAll() }
      return await group.next() ?? nil
    }
    if binding != nil { await applyIfThere() }
    return binding
  }

  // MARK: - Health

  /// The health of all targets: the Gate's word now.
  private func health() async throws -> [GateTargetHealth] {
    let reports = try await gate.health()
    lastHealth = [:]
    remember(reports)
    return reports
  }

  /// The health of a target group's targets; what was heard last while the Gate is away.
  func health(of group: String) async -> [TargetKey: GateTargetHealth] {
    do {
      _ = try await health()
    } catch {
      logger.debug("the gate told no health", metadata: ["error": "\(error)"])
    }
    return lastHealth.filter { $0.key.group == group }
  }

  /// What is known of a target group's targets beside each other; nothing while the Gate is away.
  func anomalies(of group: String) async -> [TargetKey: GateStatistics.Target] {
    do {
      let targets = try await gate.statistics().targets.filter { $0.targetGroup == group }
      return Dictionary(targets.map { (TargetKey(group: group, address: $0.address, port: Int($0.port)), $0) }) { $1 }
    } catch {
      logger.debug("the gate told no statistics", metadata: ["error": "\(error)"])
      return [:]
    }
  }

  private func remember(_ reports: [GateTargetHealth]) {
    for report in reports {
      lastHealth[TargetKey(group: report.targetGroup, address: report.address, port: Int(report.port))] = report
    }
  }

  // MARK: - The loop

  /// Applies at the start and whenever the store or the Gate has news, until the task is cancelled.
  func run() async throws {
    var collections: Set<String> = [
      LoadBalancerRecord.collection, ListenerRecord.collection, RuleRecord.collection, TargetGroupRecord.collection,
      TrustStoreRecord.collection, KeySetRecord.collection,
    ]
    for vault in certificates { collections.formUnion(vault.certificateCollections) }
    collections.formUnion(places.names?.nameCollections ?? [])
    let changes = store.changes(in: collections)
    let events = await gate.events()
    await applyIfThere()
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for await _ in changes { await self.applyIfThere() } }
      group.addTask { for await event in events { await self.take(event) } }
      await group.next()
      group.cancelAll()
    }
  }

  private func take(_ event: GateEvent) async {
    switch event {
    case .applied: await applyIfThere()
    case .health(let reports):
      remember(reports)
      if reports.contains(where: { $0.state == .unused && $0.reason == .notRegistered }) { await applyIfThere() }
    case .statistics, .attack, .webACL, .keysWanted: break
    }
  }
}
