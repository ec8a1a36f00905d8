// The loop over all clusters: a keeper for each, endpoints for all.

import AWSCore
import GateProtocol
import Logging
import PostgresEngine
import ServiceKit
import Store
import Supervisor

/// Holds the keepers of the clusters.
actor Reconciler {
  let environment: ServiceEnvironment
  let supervisor: Supervisor
  let board: EndpointBoard
  /// The directory of all data; PostgreSQL's user must be able to pass it.
  nonisolated let root: String
  nonisolated let snapshots: SnapshotFiles
  private let gate: GateController
  private var keepers: [String: (keeper: ClusterKeeper, task: Task<Void, Never>)] = [:]
  private var isRunning = false
  /// While everything is removed, nothing is begun.
  private var isPaused = false

  init(_ environment: ServiceEnvironment, supervisor: Supervisor, gate: GateController) {
    self.environment = environment
    self.supervisor = supervisor
    self.gate = gate
    root = environment.directory + "/rds"
    snapshots = SnapshotFiles("rds", root: root)
    board = EndpointBoard(gate: gate, logger: environment.logger)
  }

  static let watched: Set<String> = [
    ClusterRecord.collection, InstanceRecord.collection, ParameterGroupRecord.collection,
  ]

  func run() async throws {
    let changes = environment.store.changes(in: Self.watched)
    let known = try await environment.store.read { tx in
      (try tx.list(ClusterRecord.self), try tx.list(ObservedRecord.self).map { ($0, $1) })
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

  /// Lets go of the clusters; their servers run on.
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

  /// A keeper for each cluster, and word to each that there may be something new.
  private func settle() async throws {
    guard isRunning, !isPaused else { return }
    let clusters = try await environment.store.read { try $0.list(ClusterRecord.self) }
    guard isRunning, !isPaused else { return }
    for (scope, cluster) in clusters where keepers[cluster.arn] == nil {
      let keeper = ClusterKeeper(
        cluster.id, arn: cluster.arn, scope: scope, environment: environment, supervisor: supervisor, board: board,
        root: root, snapshots: snapshots)
      let task = Task {
        await keeper.run()
        await self.ended(cluster.arn, keeper)
      }
      keepers[cluster.arn] = (keeper, task)
    }
    for (keeper, _) in keepers.values { keeper.wake() }
  }

  private func ended(_ arn: String, _ keeper: ClusterKeeper) async {
    guard keepers[arn]?.keeper === keeper else { return }
    keepers[arn] = nil
    // A cluster of the same name may have been made meanwhile. What goes wrong here is told by the next change.
    do { try await settle() } catch {
      environment.logger.warning("the clusters could not be read", metadata: ["error": "\(error)"])
    }
  }

  // MARK: castle down, destroy and reset

  /// Stops all servers; data is kept.
  func stopEngines() async throws {
    await closeKeepers()
    let clusters = try await environment.store.read { tx in
      try tx.list(ClusterRecord.self).map { scope, cluster in
        (cluster, try tx.find(InstanceRecord.self, scope, index: "cluster", cluster.id))
      }
    }
    guard !clusters.isEmpty else { return }
    let installation = try await PostgresInstallation.find()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (cluster, instances) in clusters {
        group.addTask {
          let password = try cluster.password.open(self.environment.store.sealer, context: cluster.passwordContext)
          var specification = ClusterPlan.specification(
            cluster, instances, parameters: [:], password: String(decoding: password, as: UTF8.self),
            dataRoot: self.root)
          specification.isRunning = false
          let engine = try await PostgresCluster.open(
            specification, supervisor: self.supervisor, installation: installation, logger: self.environment.logger)
          do { try await engine.stop() } catch {
            await engine.close()
            throw error
          }
          await engine.close()
        }
      }
      try await group.waitForAll()
    }
    // Whoever asks before the next start has looked is told so, and the endpoints lead nowhere until then.
    try await environment.store.write { tx in
      for (scope, var seen) in try tx.list(ObservedRecord.self) {
        for name in seen.instances.keys { seen.instances[name]?.status = PostgresCluster.Status.stopped.rawValue }
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
      for (scope, cluster) in try tx.list(ClusterRecord.self) {
        try tx.delete(ClusterRecord.self, scope, cluster.id)
        try tx.delete(ObservedRecord.self, scope, cluster.id)
      }
      for (scope, instance) in try tx.list(InstanceRecord.self) {
        try tx.delete(InstanceRecord.self, scope, instance.id)
      }
      for (scope, snapshot) in try tx.list(SnapshotRecord.self) {
        try tx.delete(SnapshotRecord.self, scope, snapshot.id)
      }
    }
    await board.removeAll()
    await withDiscardingTaskGroup { group in
      for record in await supervisor.records() where record.id.hasPrefix("postgres/") {
        group.addTask { [supervisor] in
          // Without a checkpoint: the data goes anyway.
          if let process = await supervisor.adopt(record.id) { await process.stop(signal: 3, grace: 5) }
          supervisor.forget(record.id)
        }
      }
    }
    let root = root
    try await BlockingQueue.once("rds-remove") { try PrivateFiles.remove(root) }
  }

  /// Whether there are clusters.
  var hasEngines: Bool {
    get async {
      if !keepers.isEmpty { return true }
      do { return try await environment.store.read { try $0.count(ClusterRecord.self) } > 0 } catch { return true }
    }
  }
}
