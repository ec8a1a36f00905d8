// Keeps one replication group as its record wants it: opens the engine, tells it what is wanted, and records what is
// seen.

import AWSCore
import FoundationEssentials
import Logging
import RedisEngine
import ServiceKit
import Store
import Supervisor

/// One group's loop. Woken by changes of the records and by the engine's states.
actor GroupKeeper {
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

  private var engine: RedisGroup?
  private var states: Task<Void, Never>?
  private var observed: ObservedRecord?
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

  /// Runs until the group is gone or `end` is called; the servers run on.
  func run() async {
    for await _ in wakeups {
      do {
        if try await settle() == false { break }
      } catch {
        if isEnding || Task.isCancelled { break }
        logger.warning("a cache group waits", metadata: ["group": "\(id)", "error": "\(error)"])
        if observed?.isOpen != true { await note { $0.message = "\(error)" } }
        wakeLater()
      }
    }
    retry?.cancel()
    states?.cancel()
    await engine?.close()
    engine = nil
    await states?.value
  }

  /// Stops looking after the group.
  func end() {
    isEnding = true
    bell.finish()
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
    var group: GroupRecord
    var parameters: [String: String]
    var observed: ObservedRecord?
  }

  private func read() async throws -> Wanted? {
    let (id, scope) = (id, scope)
    return try await store.read { tx in
      guard let group = try tx.get(GroupRecord.self, scope, id) else { return nil }
      let parameters = try tx.get(ParameterGroupRecord.self, scope, group.parameterGroup)?.values ?? [:]
      return Wanted(
        group: group, parameters: parameters.filter { Parameters.applied.contains($0.key) },
        observed: try tx.get(ObservedRecord.self, scope, id))
    }
  }

  /// Does what is to be done until nothing is left for now.
  /// - Returns: false when the group is gone.
  private func settle() async throws -> Bool {
    while !isEnding {
      guard let wanted = try await read(), wanted.group.arn == arn else {
        try await destroyEngine()
        return false
      }
      if observed == nil || observed?.resourceID != wanted.group.resourceID {
        let known = wanted.observed?.resourceID == wanted.group.resourceID ? wanted.observed : nil
        observed = known ?? ObservedRecord(group: id, resourceID: wanted.group.resourceID)
      }
      let actions = GroupPlan.actions(await view(wanted))
      if actions.isEmpty { return true }
      for action in actions {
        if isEnding { return true }
        if try await perform(action, wanted) == false { return false }
      }
    }
    return true
  }

  private func view(_ wanted: Wanted) async -> KeeperView {
    var view = KeeperView(group: wanted.group)
    view.tokenVersion = observed?.tokenVersion ?? 0
    guard let engine else { return view }
    view.isOpen = true
    view.state = await engine.state
    let told = await engine.specification
    view.isApplied = told == specification(wanted, tokens: told.authTokens)
    return view
  }

  private func specification(_ wanted: Wanted, tokens: [String]) -> RedisGroup.Specification {
    GroupPlan.specification(wanted.group, parameters: wanted.parameters, tokens: tokens, dataRoot: root)
  }

  private func perform(_ action: KeeperAction, _ wanted: Wanted) async throws -> Bool {
    logger.debug("step", metadata: ["group": "\(id)", "action": "\(action)"])
    switch action {
    case .open: try await open(wanted)
    case .apply:
      guard let engine else { return true }
      try await engine.apply(specification(wanted, tokens: await engine.specification.authTokens))
    case .stop: try await engine?.stop()
    case .setTokens:
      try await engine?.setAuthTokens(try wanted.group.openTokens(store.sealer))
      let version = wanted.group.tokenVersion
      await note { $0.tokenVersion = version }
    case .failOver(let failover): try await failOver(failover)
    case .finishFailover(let failover): try await finish(failover)
    case .snapshot(let name): try await snapshot(name, wanted.group)
    case .destroy:
      try await destroy(wanted)
      return false
    }
    return true
  }

  private func open(_ wanted: Wanted) async throws {
    let opened = try await RedisGroup.open(
      specification(wanted, tokens: try wanted.group.openTokens(store.sealer)), supervisor: supervisor, logger: logger)
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
    await board.set(arn, Endpoints.of(wanted.group, observed))
    await note {
      $0.isOpen = true
      $0.message = nil
      $0.tokenVersion = wanted.group.tokenVersion
    }
  }

  // MARK: What is seen

  private func endAdoption() async {
    guard isAdopting, let engine else { return }
    isAdopting = false
    await saw(await engine.state)
  }

  private func saw(_ state: RedisGroup.State) async {
    defer { wake() }
    if isAdopting {
      // Servers that run answer within moments; one that does not run is news already.
      let isSettled = state.nodes.allSatisfy { $0.status == .available || $0.pid == nil }
      let isPrimaryGone = state.primary.map { state[$0]?.pid == nil } ?? true
      guard isSettled || isPrimaryGone else { return }
      isAdopting = false
    }
    await note { $0.note(state) }
  }

  /// Changes what is recorded as seen, tells the Gate at once, and the store as soon as it takes it.
  private func note(_ body: (inout ObservedRecord) -> Void) async {
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
      let group = try await store.get(GroupRecord.self, scope, id)
      if let group, group.resourceID == record.resourceID, group.wanted != .deleted {
        await board.set(arn, Endpoints.of(group, record))
      }
      try await store.write { tx in
        // Not for a group that went meanwhile.
        guard try tx.get(GroupRecord.self, scope, id)?.resourceID == record.resourceID else { return }
        try tx.put(record, scope)
      }
    } catch {
      logger.warning("what was seen could not be recorded", metadata: ["group": "\(id)", "error": "\(error)"])
    }
  }

  private func change<R: Record>(
    _ type: R.Type, _ key: String, _ body: @escaping @Sendable (inout R) -> Void
  ) async throws {
    let scope = scope
    try await store.write { tx in
      guard var record = try tx.get(type, scope, key) else { return }
      body(&record)
      try tx.put(record, scope)
    }
  }

  // MARK: Steps

  private func failOver(_ failover: GroupRecord.Failover) async throws {
    do { try await engine?.failOver(to: failover.target) } catch let error as RedisError {
      logger.warning("a failover was not done", metadata: ["group": "\(id)", "error": "\(error)"])
    }
    try await finish(failover)
  }

  private func finish(_ failover: GroupRecord.Failover) async throws {
    // The new primary is recorded before the group is available again.
    if let state = await engine?.state { await note { $0.note(state) } }
    try await change(GroupRecord.self, id) { if $0.failover == failover { $0.failover = nil } }
  }

  private func destroyEngine() async throws {
    states?.cancel()
    states = nil
    try await engine?.destroy()
    engine = nil
    await board.set(arn, nil)
  }

  private func destroy(_ wanted: Wanted) async throws {
    await board.set(arn, nil)
    if engine == nil {
      // Its servers may run from before. Without Redis on the machine there are none.
      do {
        engine = try await RedisGroup.open(
          specification(wanted, tokens: []), supervisor: supervisor, logger: logger)
      } catch let error as RedisError where error == .notInstalled {
        logger.warning("Redis is not installed any more", metadata: ["group": "\(id)"])
      }
    }
    try await destroyEngine()
    let (id, scope, resource) = (id, scope, wanted.group.resourceID)
    try await store.write { tx in
      if try tx.get(ObservedRecord.self, scope, id)?.resourceID == resource {
        try tx.delete(ObservedRecord.self, scope, id)
      }
      if try tx.get(GroupRecord.self, scope, id)?.resourceID == resource { try tx.delete(GroupRecord.self, scope, id) }
    }
    let owners = wanted.group.nodes.map { Endpoints.nodeOwner(arn, $0.id) }
    for owner in owners + [Endpoints.primaryID(arn), Endpoints.readerID(arn)] {
      try await environment.addresses.release(owner)
    }
    logger.info("cache group removed", metadata: ["group": "\(id)"])
  }

  /// Copies the stopped primary's data, then lets the group go.
  private func snapshot(_ name: String, _ group: GroupRecord) async throws {
    await note { $0.isSnapshotting = true }
    let snapshot = try await store.get(SnapshotRecord.self, scope, name)
    var source: String?
    if let primary = await engine?.state.primary {
      let path = "\(root)/\(group.resourceID)/\(primary)"
      if await BlockingQueue("elasticache-snapshot").run({ PrivateFiles.exists(path) }) { source = path }
    }
    if let source, let folder = snapshot?.folder {
      try await snapshots.copy(source, to: folder, supervisor: supervisor)
    }
    let hasData = source != nil
    try await change(SnapshotRecord.self, name) {
      $0.status = "available"
      if !hasData { $0.folder = nil }
    }
    try await change(GroupRecord.self, id) { $0.finalSnapshot = nil }
  }
}

extension GroupRecord {
  /// The tokens, the current one last; none when there is no authentication.
  func openTokens(_ sealer: Sealer) throws -> [String] {
    guard let tokens else { return [] }
    return try JSONDecoder().decode([String].self, from: Data(try tokens.open(sealer, context: tokenContext)))
  }

  mutating func setTokens(_ new: [String], _ sealer: Sealer) throws {
    tokens =
      new.isEmpty ? nil : try SealedBytes(Array(try JSONEncoder().encode(new)), sealer: sealer, context: tokenContext)
  }
}
