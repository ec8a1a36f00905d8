// Keeps one cluster as its records want it: opens the engine, tells it what is wanted, and records what is seen.

import AWSCore
import Logging
import PostgresEngine
import ServiceKit
import Store
import Supervisor

/// One cluster's loop. Woken by changes of the records and by the engine's states.
actor ClusterKeeper {
  let id: String
  let arn: String
  let scope: Scope
  let environment: ServiceEnvironment
  let supervisor: Supervisor
  let board: EndpointBoard
  let root: String
  let snapshots: SnapshotFiles
  var store: Store { environment.store }
  var logger: Logger { environment.logger }

  var engine: PostgresCluster?
  private var states: Task<Void, Never>?
  var observed: ObservedRecord?
  /// Until the servers that were found running have all answered, what is recorded of them stands.
  private var isAdopting = false
  private var isEnding = false
  private var isWriting = false
  private var isDirty = false
  private var retry: Task<Void, Never>?
  private let wakeups: AsyncStream<Void>
  private let bell: AsyncStream<Void>.Continuation

  /// Seconds before a step that failed is tried again.
  private static let retryAfter = 1.0
  /// Seconds that servers which were found running may take to answer.
  private static let adoptionTime = 10.0

  init(
    _ id: String, arn: String, scope: Scope, environment: ServiceEnvironment, supervisor: Supervisor,
    board: EndpointBoard, root: String, snapshots: SnapshotFiles
  ) {
    self.id = id
    self.arn = arn
    self.scope = scope
    self.environment = environment
    self.supervisor = supervisor
    self.board = board
    self.root = root
    self.snapshots = snapshots
    (wakeups, bell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  nonisolated func wake() { bell.yield() }

  /// Runs until the cluster is gone or `end` is called; the servers run on.
  func run() async {
    for await _ in wakeups {
      do {
        if try await settle() == false { break }
      } catch {
        if isEnding || Task.isCancelled { break }
        logger.warning("a database cluster waits", metadata: ["cluster": "\(id)", "error": "\(error)"])
        if observed?.isOpen != true { await note { $0.message = "\(error)" } }
        wakeLater()
      }
    }
    retry?.cancel()
    await letGo()
  }

  /// Stops looking after the cluster.
  func end() {
    isEnding = true
    bell.finish()
  }

  private func letGo() async {
    states?.cancel()
    await engine?.close()
    engine = nil
    await states?.value
    states = nil
  }

  private func wakeLater() {
    retry?.cancel()
    retry = Task {
      do { try await Task.sleep(for: .seconds(Self.retryAfter)) } catch { return }
      self.wake()
    }
  }

  // MARK: The loop

  private struct Wanted: Sendable {
    var cluster: ClusterRecord
    var instances: [InstanceRecord]
    var parameters: [String: String]
    var observed: ObservedRecord?
  }

  private func read() async throws -> Wanted? {
    let (id, scope) = (id, scope)
    return try await store.read { tx in
      guard let cluster = try tx.get(ClusterRecord.self, scope, id) else { return nil }
      let group = try tx.get(ParameterGroupRecord.self, scope, cluster.parameterGroup)
      return Wanted(
        cluster: cluster, instances: try tx.find(InstanceRecord.self, scope, index: "cluster", id),
        parameters: Parameters.ofServers(group?.values ?? [:]), observed: try tx.get(ObservedRecord.self, scope, id))
    }
  }

  /// Does what is to be done until nothing is left for now.
  /// - Returns: false when the cluster is gone.
  private func settle() async throws -> Bool {
    while !isEnding {
      guard let wanted = try await read(), wanted.cluster.arn == arn else {
        try await destroyEngine()
        return false
      }
      if observed == nil || observed?.resourceID != wanted.cluster.resourceID {
        let known = wanted.observed?.resourceID == wanted.cluster.resourceID ? wanted.observed : nil
        observed = known ?? ObservedRecord(cluster: id, resourceID: wanted.cluster.resourceID)
      }
      let actions = ClusterPlan.actions(try await view(wanted))
      if actions.isEmpty { return true }
      for action in actions {
        if isEnding { return true }
        if try await perform(action, wanted) == false { return false }
      }
    }
    return true
  }

  private func specification(_ wanted: Wanted, password: String) -> PostgresCluster.Specification {
    ClusterPlan.specification(
      wanted.cluster, wanted.instances, parameters: wanted.parameters, password: password, dataRoot: root)
  }

  private func password(_ cluster: ClusterRecord) throws -> String {
    String(decoding: try cluster.password.open(store.sealer, context: cluster.passwordContext), as: UTF8.self)
  }

  private func view(_ wanted: Wanted) async throws -> KeeperView {
    var view = KeeperView(cluster: wanted.cluster, instances: wanted.instances)
    view.passwordVersion = observed?.passwordVersion ?? 0
    guard let engine else { return view }
    view.isOpen = true
    view.state = await engine.state
    let told = await engine.specification
    var next = specification(wanted, password: told.masterPassword)
    // Only looked at when there is no data yet; later it may name one that has gone.
    next.firstWriter =
      told.firstWriter.flatMap { name in next.instances.contains { $0.name == name } ? name : nil } ?? next.firstWriter
    view.isApplied = told == next
    return view
  }

  private func perform(_ action: KeeperAction, _ wanted: Wanted) async throws -> Bool {
    logger.debug("step", metadata: ["cluster": "\(id)", "action": "\(action)"])
    switch action {
    case .open: try await open(wanted)
    case .apply:
      guard let engine else { return true }
      try await engine.apply(specification(wanted, password: await engine.specification.masterPassword))
    case .setPassword: try await setPassword(wanted)
    case .failOver(let failover): try await failOver(failover)
    case .finishFailover(let failover): try await finish(failover)
    case .restart(let instance, let request): try await restart(instance, request)
    case .finishInstance(let name): try await finishInstance(name)
    case .finishStart:
      try await change(ClusterRecord.self, id) { $0.isStarting = false }
    case .snapshot(let name): try await snapshot(name, wanted.cluster)
    case .destroy:
      try await destroy(wanted)
      return false
    }
    return true
  }

  private func open(_ wanted: Wanted) async throws {
    let installation = try await PostgresInstallation.find()
    let secret = try password(wanted.cluster)
    let opened = try await PostgresCluster.open(
      specification(wanted, password: secret), supervisor: supervisor, installation: installation, logger: logger)
    if isEnding { return await opened.close() }
    engine = opened
    isAdopting = observed?.isOpen == true
    let stream = await opened.states()
    states = Task {
      for await state in stream { await self.saw(state) }
    }
    if isAdopting {
      Task {
        // Cancelled or not: afterwards what is seen holds.
        try? await Task.sleep(for: .seconds(Self.adoptionTime))
        await self.endAdoption()
      }
    }
    await board.set(arn, Endpoints.of(wanted.cluster, observed))
    await note {
      $0.isOpen = true
      $0.message = nil
      $0.passwordVersion = wanted.cluster.passwordVersion
    }
  }

  // MARK: What is seen

  private func endAdoption() async {
    guard isAdopting, let engine else { return }
    isAdopting = false
    await saw(await engine.state)
  }

  private func saw(_ state: PostgresCluster.State) async {
    defer { wake() }
    if isAdopting {
      // Servers that run answer within moments; one that does not run is news already.
      let isSettled = state.instances.allSatisfy { $0.status == .available || $0.pid == nil }
      let isWriterGone = state.writer.map { state[$0]?.pid == nil } ?? true
      guard isSettled || isWriterGone else { return }
      isAdopting = false
    }
    await note { $0.note(state) }
  }

  /// Changes what is recorded as seen, tells the Gate at once, and the store as soon as it takes it.
  func note(_ body: (inout ObservedRecord) -> Void) async {
    guard var next = observed else { return }
    body(&next)
    guard next != observed else { return }
    observed = next
    isDirty = true
    if !isWriting {
      isWriting = true
      while isDirty {
        isDirty = false
        await record()
      }
      isWriting = false
    }
  }

  private func record() async {
    guard let record = observed else { return }
    let (id, scope) = (id, scope)
    do {
      let cluster = try await store.get(ClusterRecord.self, scope, id)
      if let cluster, cluster.resourceID == record.resourceID, cluster.wanted != .deleted {
        await board.set(arn, Endpoints.of(cluster, record))
      }
      try await store.write { tx in
        // Not for a cluster that went meanwhile.
        guard try tx.get(ClusterRecord.self, scope, id)?.resourceID == record.resourceID else { return }
        try tx.put(record, scope)
      }
    } catch {
      logger.warning("what was seen could not be recorded", metadata: ["cluster": "\(id)", "error": "\(error)"])
    }
  }

  func change<R: Record>(_ type: R.Type, _ key: String, _ body: @escaping @Sendable (inout R) -> Void) async throws {
    let scope = scope
    try await store.write { tx in
      guard var record = try tx.get(type, scope, key) else { return }
      body(&record)
      try tx.put(record, scope)
    }
  }

  // MARK: Steps

  private func setPassword(_ wanted: Wanted) async throws {
    guard let engine else { return }
    let secret = try password(wanted.cluster)
    if await engine.state.availableWriter != nil {
      try await engine.setMasterPassword(secret)
    } else {
      try await engine.apply(specification(wanted, password: secret))
    }
    let version = wanted.cluster.passwordVersion
    await note { $0.passwordVersion = version }
  }

  private func failOver(_ failover: ClusterRecord.Failover) async throws {
    do { try await engine?.failOver(to: failover.target) } catch let error as PostgresError {
      logger.warning("a failover was not done", metadata: ["cluster": "\(id)", "error": "\(error)"])
    }
    try await finish(failover)
  }

  private func finish(_ failover: ClusterRecord.Failover) async throws {
    // The new writer is recorded before the cluster is available again.
    if let state = await engine?.state { await note { $0.note(state) } }
    try await change(ClusterRecord.self, id) { if $0.failover == failover { $0.failover = nil } }
  }

  private func restart(_ name: String, _ request: String) async throws {
    do { try await engine?.restart(name) } catch let error as PostgresError {
      logger.warning("a reboot was not done", metadata: ["instance": "\(name)", "error": "\(error)"])
    }
    if let state = await engine?.state { await note { $0.note(state) } }
    try await change(InstanceRecord.self, name) { if $0.reboot == request { $0.reboot = nil } }
  }

  private func finishInstance(_ name: String) async throws {
    let (id, scope) = (id, scope)
    let gone = try await store.write { tx -> InstanceRecord? in
      guard let instance = try tx.get(InstanceRecord.self, scope, name), instance.cluster == id, instance.isDeleting
      else { return nil }
      try tx.delete(InstanceRecord.self, scope, name)
      return instance
    }
    if let gone { try await environment.addresses.release(gone.arn) }
  }

  // MARK: The end

  private func destroyEngine() async throws {
    states?.cancel()
    states = nil
    try await engine?.destroy()
    engine = nil
    await board.set(arn, nil)
  }

  private func destroy(_ wanted: Wanted) async throws {
    await board.set(arn, nil)
    if engine == nil, let installation = try? await PostgresInstallation.find() {
      // Its servers may run from before.
      engine = try await PostgresCluster.open(
        specification(wanted, password: password(wanted.cluster)), supervisor: supervisor, installation: installation,
        logger: logger)
    }
    try await destroyEngine()
    let (id, scope, resource) = (id, scope, wanted.cluster.resourceID)
    try await store.write { tx in
      for instance in try tx.find(InstanceRecord.self, scope, index: "cluster", id) {
        try tx.delete(InstanceRecord.self, scope, instance.id)
      }
      if try tx.get(ObservedRecord.self, scope, id)?.resourceID == resource {
        try tx.delete(ObservedRecord.self, scope, id)
      }
      if try tx.get(ClusterRecord.self, scope, id)?.resourceID == resource {
        try tx.delete(ClusterRecord.self, scope, id)
      }
    }
    for owner in wanted.instances.map(\.arn) + [Endpoints.writerID(arn), Endpoints.readerID(arn)] {
      try await environment.addresses.release(owner)
    }
    logger.info("database cluster removed", metadata: ["cluster": "\(id)"])
  }

  /// Copies the stopped writer's data, then lets the cluster go.
  private func snapshot(_ name: String, _ cluster: ClusterRecord) async throws {
    await note { $0.isBackingUp = true }
    let snapshot = try await store.get(SnapshotRecord.self, scope, name)
    var source: String?
    if let writer = await engine?.state.writer { source = "\(root)/\(cluster.resourceID)/\(writer)/data" }
    if let source, let folder = snapshot?.folder {
      try await snapshots.copy(source, to: folder, supervisor: supervisor)
    }
    let hasData = source != nil
    try await change(SnapshotRecord.self, name) {
      $0.status = "available"
      if !hasData { $0.folder = nil }
    }
    try await change(ClusterRecord.self, id) { $0.finalSnapshot = nil }
  }
}
