// Keeps one group of servers as its records want it: opens the engine, tells it what is wanted, and records what is seen.

import AWSCore
import Glibc
import Logging
import ServiceKit
import Store
import Supervisor

/// One group's loop. Woken by changes of the records and by the engine's states.
public actor EngineKeeper<Family: EngineFamily> {
  public let family: Family
  public let id: String
  public let arn: String
  public let scope: Scope
  var store: Store { family.environment.store }
  public var logger: Logger { family.environment.logger }

  public private(set) var engine: Family.Engine?
  public private(set) var observed: Family.Observed?
  private var states: Task<Void, Never>?
  /// Until the servers that were found running have all answered, what is recorded of them stands.
  private var isAdopting = false
  private var isEnding = false
  private var isWriting = false
  private var isDirty = false
  private var retry: Task<Void, Never>?
  private var budget = RestartBudget(firstDelay: 0.25, longestDelay: 15)
  /// Events that are not in the store yet.
  private var events: [EngineEvent] = []
  private let wakeups: AsyncStream<Void>
  private let bell: AsyncStream<Void>.Continuation

  /// Seconds that servers which were found running may take to answer.
  private static var adoptionTime: Double { 10 }

  init(_ group: Family.Group, _ scope: Scope, _ family: Family) {
    self.family = family
    self.scope = scope
    id = group.recordID
    arn = group.arn
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
        logger.warning("a \(family.noun) waits", metadata: ["id": "\(id)", "error": "\(error)"])
        let due = budget.failed(at: systemNow(), startedAt: nil)
        await noteFailure(error)
        wakeLater(due)
      }
    }
    retry?.cancel()
    states?.cancel()
    await engine?.close()
    engine = nil
    await states?.value
    states = nil
  }

  /// Stops looking after the group.
  func end() {
    isEnding = true
    bell.finish()
  }

  private func wakeLater(_ due: Timestamp?) {
    retry?.cancel()
    retry = Task {
      do { try await Task.sleep(for: .seconds(max(0, (due?.seconds ?? 0) - systemNow().seconds))) } catch { return }
      self.wake()
    }
  }

  /// Tells why a group cannot be opened, or cannot go, once that is certain.
  private func noteFailure(_ error: any Error) async {
    guard let (wanted, _) = try? await read(), observed?.isOpen != true || wanted.group.isGoing else { return }
    let failure = family.failure(error, wanted)
    if failure.isCertain(after: budget.failures) { await note { $0.failure = failure } }
  }

  // MARK: The loop

  private func read() async throws -> (WantedGroup<Family>, Family.Observed?)? {
    let (id, scope, family) = (id, scope, family)
    return try await store.read { tx in
      guard let group = try tx.get(Family.Group.self, scope, id) else { return nil }
      return (
        WantedGroup(group: group, parts: try family.parts(of: group, scope, tx)),
        try tx.get(Family.Observed.self, scope, id)
      )
    }
  }

  /// Does what is to be done until nothing is left for now.
  /// - Returns: false when the group is gone.
  private func settle() async throws -> Bool {
    while !isEnding {
      guard let (wanted, seen) = try await read(), wanted.group.arn == arn else {
        try await destroyEngine()
        return false
      }
      let resource = wanted.group.resourceID
      if observed == nil || observed?.resourceID != resource {
        let known = seen?.resourceID == resource ? seen : nil
        observed = known ?? Family.Observed(group: id, resourceID: resource)
      }
      let actions = try await family.actions(wanted, self)
      if actions.isEmpty {
        budget.reset()
        return true
      }
      for action in actions {
        if isEnding { return true }
        logger.debug("step", metadata: ["id": "\(id)", "action": "\(action)"])
        if try await family.perform(action, wanted, self) == false { return false }
      }
    }
    return true
  }

  /// Forgets what failed, and tries again at once.
  func retryFailed() async {
    budget.reset()
    await engine?.retryFailed()
    await note { $0.forgetFailures() }
    wake()
  }

  // MARK: What is seen

  private func endAdoption() async {
    guard isAdopting, let engine else { return }
    isAdopting = false
    await saw(await engine.state)
  }

  private func saw(_ state: Family.Engine.State) async {
    defer { wake() }
    if isAdopting {
      guard family.isTelling(state) else { return }
      isAdopting = false
    }
    await note { $0.note(state) }
  }

  /// Records the engine's state as it is now.
  public func look() async {
    if let state = await engine?.state { await note { $0.note(state) } }
  }

  /// Changes what is recorded as seen, tells the Gate at once, and the store as soon as it takes it.
  public func note(_ body: (inout Family.Observed) -> Void) async {
    guard var next = observed else { return }
    body(&next)
    guard let before = observed, next != before else { return }
    observed = next
    events += family.events(EngineGroupName(id: id, arn: arn, scope: scope), from: before, to: next)
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
    let (id, scope, told, now) = (id, scope, events, family.environment.clock.now)
    events = []
    do {
      let group = try await store.get(Family.Group.self, scope, id)
      if let group, group.resourceID == record.resourceID, !group.isGoing { await family.publish(group, record) }
      try await store.write { tx in
        // Not for a group that went meanwhile.
        guard try tx.get(Family.Group.self, scope, id)?.resourceID == record.resourceID else { return }
        try tx.put(record, scope)
        try EngineEventRecord<Family.Log>.append(told, at: now, scope, tx)
      }
    } catch {
      events = told + events
      logger.warning("what was seen could not be recorded", metadata: ["id": "\(id)", "error": "\(error)"])
    }
  }

  /// Changes a record of the group's scope, when it is still there.
  public func change<R: Record>(
    _ type: R.Type, _ key: String, _ body: @escaping @Sendable (inout R) -> Void
  ) async throws {
    let scope = scope
    try await store.write { tx in
      guard var record = try tx.get(type, scope, key) else { return }
      body(&record)
      try tx.put(record, scope)
    }
  }

  // MARK: Steps that all families have

  /// Looks after a group that was just opened.
  /// - Parameter body: what else is now known of it.
  public func adopt(
    _ opened: Family.Engine, _ wanted: WantedGroup<Family>, _ body: (inout Family.Observed) -> Void
  ) async {
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
    await family.publish(wanted.group, observed)
    await note {
      $0.isOpen = true
      $0.failure = nil
      body(&$0)
    }
  }

  private func destroyEngine() async throws {
    states?.cancel()
    states = nil
    try await engine?.destroy()
    engine = nil
    await family.withdraw(arn)
  }

  /// Removes the servers, their data, the records and the addresses.
  public func destroy(_ wanted: WantedGroup<Family>) async throws {
    await family.withdraw(arn)
    if engine == nil {
      // Its servers may run from before.
      do { engine = try await family.openStopped(wanted) } catch {
        logger.warning(
          "a \(family.noun) that cannot be opened is removed", metadata: ["id": "\(id)", "error": "\(error)"])
        try await removeFiles(of: wanted.group)
      }
    }
    try await destroyEngine()
    let (id, scope, resource, family) = (id, scope, wanted.group.resourceID, family)
    let name = EngineGroupName(id: id, arn: arn, scope: scope)
    let (told, now) = (events + family.farewell(name, wanted), family.environment.clock.now)
    events = []
    try await store.write { tx in
      try EngineEventRecord<Family.Log>.append(told, at: now, scope, tx)
      try family.deleteMembers(of: id, scope, tx)
      if try tx.get(Family.Observed.self, scope, id)?.resourceID == resource {
        try tx.delete(Family.Observed.self, scope, id)
      }
      if try tx.get(Family.Group.self, scope, id)?.resourceID == resource {
        try tx.delete(Family.Group.self, scope, id)
      }
    }
    for owner in family.addressOwners(wanted) { try await family.environment.addresses.release(owner) }
    logger.info("\(family.noun) removed", metadata: ["id": "\(id)"])
  }

  /// Ends what runs of a group that no engine can be opened for (its program is gone, its folder cannot be used), and
  /// removes what there is of its folder.
  private func removeFiles(of group: Family.Group) async throws {
    await family.endProcesses(of: group, signal: SIGKILL)
    let folder = "\(family.root)/\(group.resourceID)"
    try await BlockingQueue.once("remove-engine") { try PrivateFiles.remove(folder) }
  }

  /// Copies the data of a group whose servers have stopped, then lets the group go.
  /// - Parameter source: the data directory to be copied; nil when there is no data.
  public func snapshot(_ name: String, of source: String?) async throws {
    let snapshot = try await store.get(Family.FinalSnapshot.self, scope, name)
    if let source, let folder = snapshot?.folder {
      try await family.snapshots.copy(source, to: folder, supervisor: family.supervisor)
    }
    let hasData = source != nil
    try await change(Family.FinalSnapshot.self, name) {
      $0.status = "available"
      if !hasData { $0.folder = nil }
    }
    try await change(Family.Group.self, id) { $0.finalSnapshot = nil }
  }
}
