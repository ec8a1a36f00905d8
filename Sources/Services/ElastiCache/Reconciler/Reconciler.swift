// The loop over all replication groups: a keeper for each, endpoints for all.

import AWSCore
import GateProtocol
import Logging
import RedisEngine
import ServiceKit
import Store
import Supervisor

/// Holds the keepers of the groups.
actor Reconciler {
  let environment: ServiceEnvironment
  let supervisor: Supervisor
  let board: EndpointBoard
  /// The directory of all data; Redis's user must be able to pass it.
  nonisolated let root: String
  nonisolated let snapshots: SnapshotFiles
  private let gate: GateController
  private var keepers: [String: (keeper: GroupKeeper, task: Task<Void, Never>)] = [:]
  private var isRunning = false
  /// While everything is removed, nothing is begun.
  private var isPaused = false

  init(_ environment: ServiceEnvironment, supervisor: Supervisor, gate: GateController) {
    self.environment = environment
    self.supervisor = supervisor
    self.gate = gate
    root = environment.directory + "/elasticache"
    // A node's configuration holds tokens, and another node gets one of its own.
    snapshots = SnapshotFiles("elasticache", root: root, leavingOut: ["redis.conf"])
    board = EndpointBoard(gate: gate, logger: environment.logger)
  }

  static let watched: Set<String> = [GroupRecord.collection, ParameterGroupRecord.collection]

  func run() async throws {
    let changes = environment.store.changes(in: Self.watched)
    let known = try await environment.store.read { tx in
      (try tx.list(GroupRecord.self), try tx.list(ObservedRecord.self).map { ($0, $1) })
    }
    let seen = Dictionary(known.1.map { ($1.resourceID, $1) }, uniquingKeysWith: { first, _ in first })
    await board.begin(
      Dictionary(
        known.0.map { ($1.arn, Endpoints.of($1, seen[$1.resourceID])) }, uniquingKeysWith: { first, _ in first }))
    let gateEvents = await gate.events()
    let listening = Task { [board] in
      for await event in gateEvents { if case .applied(let status) = event { await board.note(status) } }
    }
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
    let groups = try await environment.store.read { try $0.list(GroupRecord.self) }
    guard isRunning, !isPaused else { return }
    for (scope, group) in groups where keepers[group.arn] == nil {
      let keeper = GroupKeeper(
        group.id, arn: group.arn, scope: scope, environment: environment, supervisor: supervisor, board: board,
        root: root, snapshots: snapshots)
      let task = Task {
        await keeper.run()
        await self.ended(group.arn, keeper)
      }
      keepers[group.arn] = (keeper, task)
    }
    for (keeper, _) in keepers.values { keeper.wake() }
  }

  private func ended(_ arn: String, _ keeper: GroupKeeper) async {
    guard keepers[arn]?.keeper === keeper else { return }
    keepers[arn] = nil
    // A group of the same name may have been made meanwhile. What goes wrong here is told by the next change.
    do { try await settle() } catch {
      environment.logger.warning("the cache groups could not be read", metadata: ["error": "\(error)"])
    }
  }

  // MARK: castle down, destroy and reset

  /// Stops all servers; data is kept.
  func stopEngines() async throws {
    await closeKeepers()
    let groups = try await environment.store.read { try $0.list(GroupRecord.self).map { $0.1 } }
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for group in groups {
        tasks.addTask {
          var specification = GroupPlan.specification(group, parameters: [:], tokens: [], dataRoot: self.root)
          specification.isRunning = false
          let engine = try await RedisGroup.open(
            specification, supervisor: self.supervisor, logger: self.environment.logger)
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
    try await environment.store.write { tx in
      for (scope, var seen) in try tx.list(ObservedRecord.self) {
        for name in seen.nodes.keys { seen.nodes[name]?.status = RedisGroup.Status.stopped.rawValue }
        try tx.put(seen, scope)
      }
    }
  }

  /// Ends all servers at once and removes records, data and snapshots.
  func removeEverything() async throws {
    isPaused = true
    defer { isPaused = false }
    await closeKeepers()
    try await environment.store.write { tx in
      for (scope, group) in try tx.list(GroupRecord.self) {
        try tx.delete(GroupRecord.self, scope, group.id)
        try tx.delete(ObservedRecord.self, scope, group.id)
      }
      for (scope, snapshot) in try tx.list(SnapshotRecord.self) {
        try tx.delete(SnapshotRecord.self, scope, snapshot.name)
      }
    }
    await board.removeAll()
    await withDiscardingTaskGroup { group in
      for record in await supervisor.records() where record.id.hasPrefix("redis/") {
        group.addTask { [supervisor] in
          // The data goes anyway.
          if let process = await supervisor.adopt(record.id) { await process.stop(signal: 9, grace: 0) }
          supervisor.forget(record.id)
        }
      }
    }
    let root = root
    try await BlockingQueue.once("elasticache-remove") { try PrivateFiles.remove(root) }
  }

  /// Whether there are groups.
  var hasEngines: Bool {
    get async {
      if !keepers.isEmpty { return true }
      do { return try await environment.store.read { try $0.count(GroupRecord.self) } > 0 } catch { return true }
    }
  }
}
