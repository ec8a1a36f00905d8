// The loop over all groups of a service: a keeper for each, endpoints for all.

import Glibc
import Logging
import ServiceKit
import Store
import Supervisor

/// Holds the keepers of a service's groups.
public actor EngineReconciler<Family: EngineFamily> {
  public nonisolated let family: Family
  private var environment: ServiceEnvironment { family.environment }
  private var store: Store { family.environment.store }
  private var keepers: [String: (keeper: EngineKeeper<Family>, task: Task<Void, Never>)] = [:]
  private var isRunning = false
  /// While everything is removed, nothing is begun.
  private var isPaused = false

  public init(_ family: Family) { self.family = family }

  /// Keeps all groups in step with their records until the task is cancelled; their servers run on.
  public func run() async throws {
    let changes = store.changes(in: family.watched)
    try await store.write { tx in
      for (scope, seen) in try tx.list(Family.Observed.self) {
        var fresh = seen
        fresh.forgetFailures()
        if fresh != seen { try tx.put(fresh, scope) }
      }
    }
    let known = try await store.read { tx in (try tx.list(Family.Group.self), try tx.list(Family.Observed.self)) }
    let seen = Dictionary(known.1.map { ($0.1.resourceID, $0.1) }, uniquingKeysWith: { first, _ in first })
    let listening = await family.begin(known.0.map { ($0.1, seen[$0.1.resourceID]) })
    isRunning = true
    defer { listening.cancel() }
    do {
      try await settle()
      for await _ in changes { try await settle() }
    } catch {
      await end()
      // An end that was asked for is no failure.
      if Task.isCancelled || error is CancellationError { return }
      throw error
    }
    await end()
  }

  private func end() async {
    isRunning = false
    await closeKeepers()
  }

  /// Lets go of the groups; their servers run on.
  private func closeKeepers() async {
    let all = keepers.values
    keepers = [:]
    await withDiscardingTaskGroup { group in
      for (keeper, task) in all {
        group.addTask {
          task.cancel()
          await keeper.end()
          await task.value
        }
      }
    }
  }

  /// A keeper for each group, and word to each that there may be something new.
  private func settle() async throws {
    guard isRunning, !isPaused else { return }
    let groups = try await store.read { try $0.list(Family.Group.self) }
    guard isRunning, !isPaused else { return }
    for (scope, group) in groups where keepers[group.arn] == nil {
      let keeper = EngineKeeper(group, scope, family)
      let arn = group.arn
      let task = Task {
        await keeper.run()
        await self.ended(arn, keeper)
      }
      keepers[arn] = (keeper, task)
    }
    for (keeper, _) in keepers.values { keeper.wake() }
  }

  private func ended(_ arn: String, _ keeper: EngineKeeper<Family>) async {
    guard keepers[arn]?.keeper === keeper else { return }
    keepers[arn] = nil
    // A group of the same name may have been made meanwhile. What goes wrong here is told by the next change.
    do { try await settle() } catch {
      environment.logger.warning("the \(family.noun)s could not be read", metadata: ["error": "\(error)"])
    }
  }

  /// Tries what failed at once, in all groups.
  public func retryFailed() async {
    for (keeper, _) in keepers.values { await keeper.retryFailed() }
  }

  // MARK: castle down, destroy and reset

  /// Stops all servers; data is kept.
  public func stopEngines() async throws {
    await closeKeepers()
    let family = family
    let all = try await store.read { tx in
      try tx.list(Family.Group.self).map { scope, group in
        WantedGroup<Family>(group: group, parts: try family.parts(of: group, scope, tx))
      }
    }
    guard !all.isEmpty else { return }
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for wanted in all {
        tasks.addTask {
          let engine: Family.Engine
          do { engine = try await family.openStopped(wanted) } catch {
            // Nothing of it runs, most often; what does is asked to end.
            family.environment.logger.warning(
              "a \(family.noun) that cannot be opened is stopped",
              metadata: ["id": "\(wanted.group.recordID)", "error": "\(error)"])
            return await family.endProcesses(of: wanted.group, signal: SIGINT)
          }
          do { try await engine.stop() } catch {
            await engine.close()
            throw error
          }
          await engine.close()
        }
      }
      try await tasks.waitForAll()
    }
    // Whoever asks before the next start has looked is told so, and the endpoints lead nowhere until then.
    try await store.write { tx in
      for (scope, var seen) in try tx.list(Family.Observed.self) {
        seen.noteStopped()
        try tx.put(seen, scope)
      }
    }
  }

  /// Ends all servers at once and removes records, data and snapshots.
  public func removeEverything() async throws {
    isPaused = true
    defer { isPaused = false }
    await closeKeepers()
    let family = family
    try await store.write { tx in
      for (scope, group) in try tx.list(Family.Group.self) {
        try family.deleteMembers(of: group.recordID, scope, tx)
        try tx.delete(Family.Group.self, scope, group.recordID)
        try tx.delete(Family.Observed.self, scope, group.recordID)
      }
      for (scope, snapshot) in try tx.list(Family.FinalSnapshot.self) {
        try tx.delete(Family.FinalSnapshot.self, scope, snapshot.recordID)
      }
    }
    await family.withdrawAll()
    let (prefix, signal, grace) = family.processes
    await withDiscardingTaskGroup { group in
      for record in await family.supervisor.records() where record.id.hasPrefix(prefix) {
        group.addTask {
          // The data goes anyway, so nothing has to be brought in order.
          if let process = await family.supervisor.adopt(record.id) { await process.stop(signal: signal, grace: grace) }
          family.supervisor.forget(record.id)
        }
      }
    }
    let root = family.root
    try await BlockingQueue.once("remove-engines") { try PrivateFiles.remove(root) }
  }

  /// Whether there are groups.
  public var hasEngines: Bool {
    get async {
      if !keepers.isEmpty { return true }
      do { return try await store.read { try $0.count(Family.Group.self) } > 0 } catch { return true }
    }
  }
}
