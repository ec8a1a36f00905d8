// The replication groups as engines that are kept in step with their records: how one is opened, and what each step does.

import EngineKit
import FoundationEssentials
import GateProtocol
import Glibc
import Logging
import RedisEngine
import ServiceKit
import Store
import Supervisor

typealias Reconciler = EngineReconciler<Groups>
typealias GroupKeeper = EngineKeeper<Groups>
typealias WantedRedisGroup = WantedGroup<Groups>

/// The replication groups of ElastiCache.
struct Groups: EngineFamily {
  typealias Group = GroupRecord
  typealias Observed = ObservedRecord
  typealias FinalSnapshot = SnapshotRecord
  typealias Engine = RedisGroup
  typealias Action = KeeperAction
  typealias Log = EventLog
  /// The parameters that the servers get.
  typealias Parts = [String: String]

  let environment: ServiceEnvironment
  let supervisor: Supervisor
  let board: EndpointBoard
  let root: String
  let snapshots: SnapshotFiles
  let noun = "cache group"
  let watched: Set<String> = [GroupRecord.collection, ParameterGroupRecord.collection]
  let processes = (prefix: "redis/", signal: SIGKILL, grace: 0.0)

  init(_ environment: ServiceEnvironment, supervisor: Supervisor, gate: GateController) {
    self.environment = environment
    self.supervisor = supervisor
    root = environment.directory + "/elasticache"
    // A node's configuration holds tokens, and another node gets one of its own.
    snapshots = SnapshotFiles("elasticache", root: root, leavingOut: ["redis.conf"])
    let logger = environment.logger
    board = EndpointBoard(gate: gate, part: "elasticache") { error in
      logger.info("the Gate did not take the cache endpoints yet", metadata: ["error": "\(error)"])
    }
  }

  // MARK: What is wanted

  func parts(of group: GroupRecord, _ scope: Scope, _ tx: Snapshot) throws -> [String: String] {
    let parameters = try tx.get(ParameterGroupRecord.self, scope, group.parameterGroup)?.values ?? [:]
    return parameters.filter { Parameters.applied.contains($0.key) }
  }

  private func specification(_ wanted: WantedRedisGroup, tokens: [String]) -> RedisGroup.Specification {
    GroupPlan.specification(wanted.group, parameters: wanted.parts, tokens: tokens, dataRoot: root)
  }

  func actions(_ wanted: WantedRedisGroup, _ keeper: isolated GroupKeeper) async throws -> [KeeperAction] {
    var view = KeeperView(group: wanted.group)
    view.tokenVersion = keeper.observed?.tokenVersion ?? 0
    guard let engine = keeper.engine else { return GroupPlan.actions(view) }
    view.isOpen = true
    view.state = await engine.state
    let told = await engine.specification
    view.isApplied = told == specification(wanted, tokens: told.authTokens)
    return GroupPlan.actions(view)
  }

  // MARK: What is seen

  func isTelling(_ state: RedisGroup.State) -> Bool {
    let isSettled = state.nodes.allSatisfy { $0.status == .available || $0.pid == nil }
    let isPrimaryGone = state.primary.map { state[$0]?.pid == nil } ?? true
    return isSettled || isPrimaryGone
  }

  func begin(_ groups: [(GroupRecord, ObservedRecord?)]) async -> Task<Void, Never> {
    await board.begin(
      Dictionary(groups.map { ($0.arn, Endpoints.of($0, $1)) }, uniquingKeysWith: { first, _ in first }))
  }

  func publish(_ group: GroupRecord, _ seen: ObservedRecord?) async {
    await board.set(group.arn, Endpoints.of(group, seen))
  }

  func withdraw(_ arn: String) async { await board.set(arn, nil) }
  func withdrawAll() async { await board.removeAll() }

  func events(
    _ group: EngineGroupName, from before: ObservedRecord, to now: ObservedRecord
  ) -> [EngineEvent] {
    Events.between(before, now, group)
  }

  func farewell(_ group: EngineGroupName, _ wanted: WantedRedisGroup) -> [EngineEvent] {
    wanted.group.nodes.map { Events.deleted($0.id, group) } + [Events.deleted(group)]
  }

  // MARK: Steps

  func perform(
    _ action: KeeperAction, _ wanted: WantedRedisGroup, _ keeper: isolated GroupKeeper
  ) async throws -> Bool {
    switch action {
    case .open:
      let tokens = try wanted.group.openTokens(environment.store.sealer)
      let opened = try await RedisGroup.open(
        specification(wanted, tokens: tokens), supervisor: supervisor, logger: environment.logger)
      await keeper.adopt(opened, wanted) { $0.tokenVersion = wanted.group.tokenVersion }
    case .apply:
      guard let engine = keeper.engine else { return true }
      try await engine.apply(specification(wanted, tokens: await engine.specification.authTokens))
    case .stop: try await keeper.engine?.stop()
    case .setTokens:
      try await keeper.engine?.setAuthTokens(try wanted.group.openTokens(environment.store.sealer))
      await keeper.note { $0.tokenVersion = wanted.group.tokenVersion }
    case .failOver(let failover):
      do { try await keeper.engine?.failOver(to: failover.target) } catch let error as RedisError {
        keeper.logger.warning("a failover was not done", metadata: ["group": "\(keeper.id)", "error": "\(error)"])
      }
      try await finish(failover, keeper)
    case .finishFailover(let failover): try await finish(failover, keeper)
    case .snapshot(let name):
      await keeper.note { $0.isSnapshotting = true }
      try await keeper.snapshot(name, of: await data(wanted.group, keeper))
    case .destroy:
      try await keeper.destroy(wanted)
      return false
    }
    return true
  }

  private func finish(_ failover: GroupRecord.Failover, _ keeper: isolated GroupKeeper) async throws {
    // The new primary is recorded before the group is available again.
    await keeper.look()
    try await keeper.change(GroupRecord.self, keeper.id) { if $0.failover == failover { $0.failover = nil } }
  }

  /// The folder of the primary, when there is one.
  private func data(_ group: GroupRecord, _ keeper: isolated GroupKeeper) async -> String? {
    guard let primary = await keeper.engine?.state.primary else { return nil }
    let path = "\(root)/\(group.resourceID)/\(primary)"
    return await BlockingQueue("elasticache-snapshot").run({ PrivateFiles.exists(path) }) ? path : nil
  }

  // MARK: The end

  func openStopped(_ wanted: WantedRedisGroup) async throws -> RedisGroup {
    var specification = GroupPlan.specification(wanted.group, parameters: [:], tokens: [], dataRoot: root)
    specification.isRunning = false
    return try await RedisGroup.open(specification, supervisor: supervisor, logger: environment.logger)
  }

  func failure(_ error: any Error, _ wanted: WantedRedisGroup) -> EngineFailure {
    RedisGroup.failure(error, folder: "\(root)/\(wanted.group.resourceID)")
  }

  func addressOwners(_ wanted: WantedRedisGroup) -> [String] {
    let arn = wanted.group.arn
    return wanted.group.nodes.map { Endpoints.nodeOwner(arn, $0.id) }
      + [Endpoints.primaryID(arn), Endpoints.readerID(arn)]
  }
}

extension RedisGroup: EngineGroup {}

extension GroupRecord: EngineGroupRecord {
  var isGoing: Bool { wanted == .deleted }

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

extension SnapshotRecord: GroupSnapshotRecord {}
