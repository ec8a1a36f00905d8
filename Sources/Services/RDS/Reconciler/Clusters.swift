// The database clusters as engines that are kept in step with their records: how one is opened, and what each step does.

import EngineKit
import GateProtocol
import Glibc
import Logging
import PostgresEngine
import ServiceKit
import Store
import Supervisor

typealias Reconciler = EngineReconciler<Clusters>
typealias ClusterKeeper = EngineKeeper<Clusters>
typealias WantedCluster = WantedGroup<Clusters>

/// The clusters of RDS.
struct Clusters: EngineFamily {
  typealias Group = ClusterRecord
  typealias Observed = ObservedRecord
  typealias FinalSnapshot = SnapshotRecord
  typealias Engine = PostgresCluster
  typealias Action = KeeperAction
  typealias Log = EventLog

  struct Parts: Sendable {
    var instances: [InstanceRecord]
    var parameters: [String: String]
  }

  let environment: ServiceEnvironment
  let supervisor: Supervisor
  let board: EndpointBoard
  let root: String
  let snapshots: SnapshotFiles
  let noun = "database cluster"
  let watched: Set<String> = [
    ClusterRecord.collection, InstanceRecord.collection, ParameterGroupRecord.collection,
  ]
  // Without a checkpoint: the data goes anyway.
  let processes = (prefix: "postgres/", signal: SIGQUIT, grace: 5.0)
  private var store: Store { environment.store }

  init(_ environment: ServiceEnvironment, supervisor: Supervisor, gate: GateController) {
    self.environment = environment
    self.supervisor = supervisor
    root = environment.directory + "/rds"
    snapshots = SnapshotFiles("rds", root: root)
    let logger = environment.logger
    board = EndpointBoard(gate: gate, part: "rds") { error in
      logger.info("the Gate did not take the database endpoints yet", metadata: ["error": "\(error)"])
    }
  }

  // MARK: What is wanted

  func parts(of cluster: ClusterRecord, _ scope: Scope, _ tx: Snapshot) throws -> Parts {
    let group = try tx.get(ParameterGroupRecord.self, scope, cluster.parameterGroup)
    return Parts(
      instances: try tx.find(InstanceRecord.self, scope, index: "cluster", cluster.id),
      parameters: Parameters.ofServers(group?.values ?? [:]))
  }

  private func specification(_ wanted: WantedCluster, password: String) -> PostgresCluster.Specification {
    ClusterPlan.specification(
      wanted.group, wanted.parts.instances, parameters: wanted.parts.parameters, password: password, dataRoot: root)
  }

  private func password(_ cluster: ClusterRecord) throws -> String {
    String(decoding: try cluster.password.open(store.sealer, context: cluster.passwordContext), as: UTF8.self)
  }

  func actions(_ wanted: WantedCluster, _ keeper: isolated ClusterKeeper) async throws -> [KeeperAction] {
    var view = KeeperView(cluster: wanted.group, instances: wanted.parts.instances)
    view.passwordVersion = keeper.observed?.passwordVersion ?? 0
    view.isBlocked = keeper.observed?.failure != nil
    guard let engine = keeper.engine else { return ClusterPlan.actions(view) }
    view.isOpen = true
    view.state = await engine.state
    let told = await engine.specification
    var next = specification(wanted, password: told.masterPassword)
    // Only looked at when there is no data yet; later it may name one that has gone.
    next.firstWriter =
      told.firstWriter.flatMap { name in next.instances.contains { $0.name == name } ? name : nil } ?? next.firstWriter
    view.isApplied = told == next
    return ClusterPlan.actions(view)
  }

  // MARK: What is seen

  func isTelling(_ state: PostgresCluster.State) -> Bool {
    let isSettled = state.instances.allSatisfy { $0.status == .available || $0.pid == nil }
    let isWriterGone = state.writer.map { state[$0]?.pid == nil } ?? true
    return isSettled || isWriterGone
  }

  func begin(_ clusters: [(ClusterRecord, ObservedRecord?)]) async -> Task<Void, Never> {
    await board.begin(
      Dictionary(clusters.map { ($0.arn, Endpoints.of($0, $1)) }, uniquingKeysWith: { first, _ in first }))
  }

  func publish(_ cluster: ClusterRecord, _ seen: ObservedRecord?) async {
    await board.set(cluster.arn, Endpoints.of(cluster, seen))
  }

  func withdraw(_ arn: String) async { await board.set(arn, nil) }
  func withdrawAll() async { await board.removeAll() }

  func events(
    _ group: EngineGroupName, from before: ObservedRecord, to now: ObservedRecord
  ) -> [EngineEvent] {
    Events.between(before, now, group)
  }

  func farewell(_ group: EngineGroupName, _ wanted: WantedCluster) -> [EngineEvent] {
    wanted.parts.instances.map(Events.deleted) + [Events.deleted(group)]
  }

  // MARK: Steps

  func perform(_ action: KeeperAction, _ wanted: WantedCluster, _ keeper: isolated ClusterKeeper) async throws -> Bool {
    switch action {
    case .open: try await open(wanted, keeper)
    case .apply:
      guard let engine = keeper.engine else { return true }
      try await engine.apply(specification(wanted, password: await engine.specification.masterPassword))
    case .setPassword: try await setPassword(wanted, keeper)
    case .failOver(let failover): try await failOver(failover, keeper)
    case .finishFailover(let failover): try await finish(failover, keeper)
    case .restart(let instance, let request): try await restart(instance, request, keeper)
    case .finishInstance(let name): try await finishInstance(name, keeper)
    case .finishStart: try await keeper.change(ClusterRecord.self, keeper.id) { $0.isStarting = false }
    case .snapshot(let name):
      await keeper.note { $0.isBackingUp = true }
      var source: String?
      if let writer = await keeper.engine?.state.writer { source = "\(root)/\(wanted.group.resourceID)/\(writer)/data" }
      try await keeper.snapshot(name, of: source)
    case .destroy:
      try await keeper.destroy(wanted)
      return false
    }
    return true
  }

  private func open(_ wanted: WantedCluster, _ keeper: isolated ClusterKeeper) async throws {
    let installation = try await PostgresInstallation.find()
    let opened = try await PostgresCluster.open(
      specification(wanted, password: try password(wanted.group)), supervisor: supervisor, installation: installation,
      logger: environment.logger)
    await keeper.adopt(opened, wanted) { $0.passwordVersion = wanted.group.passwordVersion }
  }

  private func setPassword(_ wanted: WantedCluster, _ keeper: isolated ClusterKeeper) async throws {
    guard let engine = keeper.engine else { return }
    let secret = try password(wanted.group)
    if await engine.state.availableWriter != nil {
      try await engine.setMasterPassword(secret)
    } else {
      try await engine.apply(specification(wanted, password: secret))
    }
    await keeper.note { $0.passwordVersion = wanted.group.passwordVersion }
  }

  private func failOver(_ failover: ClusterRecord.Failover, _ keeper: isolated ClusterKeeper) async throws {
    do { try await keeper.engine?.failOver(to: failover.target) } catch let error as PostgresError {
      keeper.logger.warning("a failover was not done", metadata: ["cluster": "\(keeper.id)", "error": "\(error)"])
    }
    try await finish(failover, keeper)
  }

  private func finish(_ failover: ClusterRecord.Failover, _ keeper: isolated ClusterKeeper) async throws {
    // The new writer is recorded before the cluster is available again.
    await keeper.look()
    try await keeper.change(ClusterRecord.self, keeper.id) { if $0.failover == failover { $0.failover = nil } }
  }

  private func restart(_ name: String, _ request: String, _ keeper: isolated ClusterKeeper) async throws {
    do { try await keeper.engine?.restart(name) } catch let error as PostgresError {
      keeper.logger.warning("a reboot was not done", metadata: ["instance": "\(name)", "error": "\(error)"])
    }
    await keeper.look()
    try await keeper.change(InstanceRecord.self, name) { if $0.reboot == request { $0.reboot = nil } }
  }

  private func finishInstance(_ name: String, _ keeper: isolated ClusterKeeper) async throws {
    let (id, scope) = (keeper.id, keeper.scope)
    let now = environment.clock.now
    let gone = try await store.write { tx -> InstanceRecord? in
      guard let instance = try tx.get(InstanceRecord.self, scope, name), instance.cluster == id, instance.isDeleting
      else { return nil }
      try tx.delete(InstanceRecord.self, scope, name)
      try EventRecord.append([Events.deleted(instance)], at: now, scope, tx)
      return instance
    }
    if let gone { try await environment.addresses.release(gone.arn) }
  }

  // MARK: The end

  func openStopped(_ wanted: WantedCluster) async throws -> PostgresCluster {
    let installation = try await PostgresInstallation.find()
    var specification = ClusterPlan.specification(
      wanted.group, wanted.parts.instances, parameters: [:], password: try password(wanted.group), dataRoot: root)
    specification.isRunning = false
    return try await PostgresCluster.open(
      specification, supervisor: supervisor, installation: installation, logger: environment.logger)
  }

  func failure(_ error: any Error, _ wanted: WantedCluster) -> EngineFailure {
    PostgresCluster.failure(error, folder: "\(root)/\(wanted.group.resourceID)")
  }

  func addressOwners(_ wanted: WantedCluster) -> [String] {
    let arn = wanted.group.arn
    return wanted.parts.instances.map(\.arn) + [Endpoints.writerID(arn), Endpoints.readerID(arn)]
  }

  func deleteMembers(of cluster: String, _ scope: Scope, _ tx: Transaction) throws {
    for instance in try tx.find(InstanceRecord.self, scope, index: "cluster", cluster) {
      try tx.delete(InstanceRecord.self, scope, instance.id)
    }
  }
}

extension PostgresCluster: EngineGroup {}

extension ClusterRecord: EngineGroupRecord {
  var isGoing: Bool { wanted == .deleted }
}

extension SnapshotRecord: GroupSnapshotRecord {}
