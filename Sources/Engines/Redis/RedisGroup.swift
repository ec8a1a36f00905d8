// One replication group of Redis servers: the loop that brings it to its specification and keeps it there.
//
// As with PostgresCluster, events wake the loop, a pure planner decides, actions are done. Redis replicates without
// waiting, so a failover may lose the writes of its last milliseconds; a planned one (FAILOVER) loses none.

import AWSCore
import Glibc
import Logging
import Supervisor

/// A group: one primary, replicas, failover by itself. The servers outlive this object and this process.
public actor RedisGroup {
  public nonisolated let id: String
  let supervisor: Supervisor
  let server: String
  let logger: Logger
  let user: SystemUser?

  var desired: Specification
  var observed = Observed()
  var record: GroupRecord
  var processes: [String: ManagedProcess] = [:]
  var clients: [String: RedisClient] = [:]
  var monitors: [String: Task<Void, Never>] = [:]
  var budgets: [String: RestartBudget] = [:]
  /// Why a planned failover was not done, by the node that was to hand over.
  var messages: [String: String] = [:]
  /// Why the last tries to run a node failed, and how many in a row did.
  var failures: [String: (why: EngineFailure, count: Int)] = [:]
  var silences: [String: Int] = [:]
  /// Those whose next end is wanted.
  var stopsWanted: Set<String> = []
  var failovers = 0
  /// Rises with each change of the parameters.
  var parametersNumber = 0

  private var stopping: Set<String> = []
  var isClosed = false
  private var loop: Task<Void, Never>?
  private var work: [Int: Task<Void, Never>] = [:]
  private var nextWork = 0
  private var alarm = Alarm()
  private let wakeups: AsyncStream<Void>
  private let bell: AsyncStream<Void>.Continuation
  private let feed = StateFeed(State())
  let disk = BlockingQueue("redis-record")

  // MARK: Open and close

  /// Opens a group: makes it when it is new, adopts the servers that run, and starts to keep it as specified.
  /// Returns at once; `states()` tells how it goes.
  /// - Parameter server: the path of redis-server; `nil` looks for it.
  /// - Throws: `RedisError.invalid`, `.notInstalled`; `SupervisorError.file`.
  public static func open(
    _ specification: Specification, supervisor: Supervisor, server: String? = nil,
    logger: Logger = Logger(label: "castle.redis")
  ) async throws -> RedisGroup {
    try specification.validate()
    var found = server
    if found == nil { found = await EngineProbe.redis()?.path }
    guard let path = found else { throw RedisError.notInstalled }
    let user = specification.user ?? SystemUser.toDropTo(preferring: ["redis"])
    let directory = specification.directory
    let record = try await BlockingQueue.once("redis-open") { () throws -> GroupRecord in
      try PrivateFiles.makeDirectory(directory, mode: 0o711)
      try PrivateFiles.makeDirectory(directory + "/logs", mode: 0o700)
      if let record = try GroupRecord.read(directory + "/group.json") { return record }
      let record = GroupRecord(administratorPassword: SystemIdentifiers().alphanumeric(40))
      try record.write(directory + "/group.json")
      return record
    }
    let group = RedisGroup(
      specification, record: record, user: user, supervisor: supervisor, server: path, logger: logger)
    await group.begin()
    return group
  }

  private init(
    _ specification: Specification, record: GroupRecord, user: SystemUser?, supervisor: Supervisor, server: String,
    logger: Logger
  ) {
    id = specification.id
    desired = specification
    self.record = record
    self.user = user
    self.supervisor = supervisor
    self.server = server
    self.logger = logger
    (wakeups, bell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  private func begin() async {
    observed.primary = record.primary
    for name in Set(record.nodes).union(desired.nodes.map(\.name)) {
      observed.nodes[name] = NodeFacts()
      if let process = await supervisor.adopt(processID(name)) {
        attach(process, to: name, applied: nil)
        // It was in step before nobody looked; whether it still is, the probe will say.
        observed.nodes[name]?.isInStep = record.inStep.contains(name)
      } else if let last = await supervisor.record(of: processID(name)) {
        observed.nodes[name]?.hasCrashed = last.exit?.reason != .code(0)
        if name == record.primary { observed.primaryLostAt = systemNow() }
      }
    }
    loop = Task { [wakeups] in
      for await _ in wakeups { self.reconcile() }
    }
    wake()
  }

  /// Stops looking after the group; the servers run on, and another `open` adopts them.
  public func close() async {
    await end()
    for client in clients.values { await client.close() }
  }

  private func end() async {
    isClosed = true
    bell.finish()
    alarm.cancel()
    for monitor in monitors.values { monitor.cancel() }
    for task in work.values { task.cancel() }
    while let (key, task) = work.first {
      await task.value
      work[key] = nil
    }
    await loop?.value
    feed.finish()
  }

  /// Stops the servers and removes the group's directory with all data. The object is of no use afterwards.
  public func destroy() async throws {
    await end()
    for name in observed.nodes.keys {
      if let process = await supervisor.adopt(processID(name)) { await process.stop(signal: SIGKILL, grace: 0) }
      supervisor.forget(processID(name))
    }
    for client in clients.values { await client.close() }
    let directory = desired.directory
    try await BlockingQueue.once("redis-destroy") { try PrivateFiles.remove(directory) }
  }

  // MARK: What a caller wants

  public var specification: Specification { desired }

  /// Sets the desired state. Returns at once. Changed tokens hold for new connections within moments.
  /// - Throws: `RedisError.invalid`; also when the id, the data root or the user would change.
  public func apply(_ specification: Specification) throws {
    try specification.validate()
    guard
      specification.id == desired.id, specification.dataRoot == desired.dataRoot, specification.user == desired.user
    else { throw RedisError.invalid("id, data root and user of a group cannot change") }
    // What failed may succeed with these.
    if specification.parameters != desired.parameters {
      parametersNumber += 1
      for name in observed.nodes.keys { forgetFailures(name) }
    }
    for node in specification.nodes where observed.nodes[node.name] == nil { observed.nodes[node.name] = NodeFacts() }
    desired = specification
    wake()
  }

  /// Starts the servers of a stopped group. Returns at once.
  public func start() throws {
    var specification = desired
    specification.isRunning = true
    try apply(specification)
  }

  /// Stops the servers; data is kept. Returns when all have stopped.
  public func stop() async throws {
    var specification = desired
    specification.isRunning = false
    try apply(specification)
    try await wait(timeout: 60) { $0.isStopped }
  }

  /// Changes the tokens that clients authenticate with. Returns when every running node has them.
  public func setAuthTokens(_ tokens: [String]) async throws {
    var specification = desired
    specification.authTokens = tokens
    try apply(specification)
    let deadline = ContinuousClock.now + .seconds(30)
    while observed.nodes.values.contains(where: { $0.isRunning && $0.isReady && $0.applied?.tokens != tokens }) {
      guard ContinuousClock.now < deadline else { throw RedisError.timedOut("the tokens of \(id)") }
      try await Task.sleep(for: .milliseconds(10))
    }
  }

  /// Makes a replica the primary without losing a write. Returns when it accepts writes.
  public func failOver(to target: String? = nil) async throws {
    let ready = desired.nodes.map(\.name).filter { name in
      name != observed.primary && observed.nodes[name]?.isInStep == true && observed.nodes[name]?.isReady == true
    }
    guard let chosen = target ?? ready.first, ready.contains(chosen) else {
      throw RedisError.unavailable("no replica of \(id) can take over now")
    }
    let before = failovers
    observed.switchTo = chosen
    wake()
    let deadline = ContinuousClock.now + .seconds(30)
    while observed.switchTo != nil && ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(5)) }
    observed.switchTo = nil
    guard failovers > before else {
      throw RedisError.unavailable(
        "\(chosen) did not take over: \(observed.primary.flatMap { messages[$0] } ?? "in time")")
    }
    try await wait(timeout: 30) { $0.availablePrimary != nil }
  }

  /// Stops one server and starts it again; a primary stays the primary. Returns when it is available again.
  public func restart(_ name: String) async throws {
    guard desired.node(name) != nil, let old = processes[name]?.pid else {
      throw RedisError.unavailable("\(name) does not run")
    }
    observed.restarting.insert(name)
    wake()
    try await wait(timeout: 60) { $0[name]?.status == .available && $0[name]?.pid != old }
  }

  /// Tries nodes that failed to start at once, without the rest of their wait.
  public func retryFailed() {
    for name in failures.keys { forgetFailures(name) }
    publish()
    wake()
  }

  // MARK: What a caller sees

  public var state: State { currentState() }

  /// The state now, then each change. Ends with `close()` or `destroy()`. A slow reader sees the latest.
  public func states() -> AsyncStream<State> { feed.subscribe(isClosed ? nil : currentState()) }

  /// Returns the first state that satisfies a condition.
  /// - Throws: `RedisError.timedOut` with the state it was in; `CancellationError`.
  @discardableResult
  public func wait(timeout: Double, until condition: @escaping @Sendable (State) -> Bool) async throws -> State {
    if let found = try await states().first(within: timeout, where: condition) { return found }
    throw RedisError.timedOut("group \(id): \(currentState())")
  }

  // MARK: The loop

  nonisolated func wake() { bell.yield() }

  private func reconcile() {
    guard !isClosed else { return }
    for action in Planner.plan(desired, observed, now: systemNow()) {
      switch action {
      case .wake(let at): alarm.set(at) { self.wake() }
      case .elect(let name):
        observed.primary = name
        wake()
      default: launch(action)
      }
    }
    publish()
  }

  private func launch(_ action: Action) {
    mark(action, isBusy: true)
    nextWork += 1
    let key = nextWork
    work[key] = Task {
      await self.perform(action)
      self.mark(action, isBusy: false)
      self.work[key] = nil
      self.wake()
    }
  }

  private func mark(_ action: Action, isBusy: Bool) {
    func busy(_ name: String) { observed.nodes[name]?.isBusy = isBusy }
    switch action {
    case .start(let name), .promote(let name), .follow(let name), .configure(let name), .remove(let name): busy(name)
    case .stop(let name):
      busy(name)
      if isBusy { stopping.insert(name) } else { stopping.remove(name) }
    case .measure(let names): for name in names { busy(name) }
    case .handOver(let from, let to):
      busy(from)
      busy(to)
    case .elect, .wake: break
    }
  }

  func publish() { feed.publish(currentState()) }

  private func currentState() -> State {
    let leaving = observed.nodes.keys.filter { desired.node($0) == nil && observed.nodes[$0]?.isRunning == true }
    let names = desired.nodes.map(\.name) + leaving.sorted()
    return State(primary: observed.primary, nodes: names.map(nodeState), failovers: failovers)
  }

  private func nodeState(_ name: String) -> NodeState {
    let facts = observed.nodes[name] ?? NodeFacts()
    let wanted = desired.node(name)
    let endpoint = facts.endpoint?.split(separator: ":").map(String.init)
    return NodeState(
      name: name, role: name == observed.primary ? .primary : .replica, status: status(name, facts),
      address: wanted?.address ?? endpoint?.first ?? "", port: wanted?.port ?? endpoint?.last.flatMap { Int($0) } ?? 0,
      pid: facts.isRunning ? processes[name]?.pid : nil, failure: failure(name, facts))
  }

  private func failure(_ name: String, _ facts: NodeFacts) -> EngineFailure? {
    guard let (why, count) = failures[name], why.isCertain(after: count), desired.isRunning,
      status(name, facts) != .available
    else { return nil }
    return why
  }

  private func status(_ name: String, _ facts: NodeFacts) -> Status {
    if stopping.contains(name) { return .stopping }
    if facts.isRunning {
      guard facts.isReady else { return .starting }
      if name == observed.primary { return facts.isPrimary == true ? .available : .starting }
      return facts.isInStep && facts.follows == observed.primary ? .available : .rejoining
    }
    if !desired.isRunning { return .stopped }
    return facts.hasCrashed && !facts.isBusy ? .failed : .starting
  }
}
