// One cluster of PostgreSQL servers: the loop that brings it to its specification and keeps it there.
//
// The loop observes, asks the planner (PostgresPlan.swift), and starts the actions; it is woken by events: a new
// specification, a process that ended, an action that finished, a probe that saw something new.

import AWSCore
import Glibc
import Logging
import Supervisor

/// A cluster: one writer, streaming replicas, failover by itself. The servers outlive this object and this process.
public actor PostgresCluster {
  public nonisolated let id: String
  let supervisor: Supervisor
  let installation: PostgresInstallation
  let logger: Logger
  let files: PostgresFiles
  let user: SystemUser?

  var desired: Specification
  var observed = Observed()
  var record: ClusterRecord
  var processes: [String: ManagedProcess] = [:]
  var clients: [String: PostgresClient] = [:]
  var monitors: [String: Task<Void, Never>] = [:]
  var budgets: [String: RestartBudget] = [:]
  /// Facts that only people and endpoints want.
  var details: [String: Details] = [:]
  var failovers = 0
  /// Rises with each change of the parameters.
  var parametersNumber = 0
  /// Makes instances known that are being stopped, for their status.
  var stopping: Set<String> = []

  struct Details: Sendable {
    var lag: Double?
    var needsRestart = false
    /// Why the last tries to run it failed, and how many in a row did.
    var failure: EngineFailure?
    var failures = 0
    var hasStarted = false
    var silences = 0
    /// Whether its next end is wanted.
    var isStopWanted = false
  }

  var isClosed = false
  private var loop: Task<Void, Never>?
  private var work: [Int: Task<Void, Never>] = [:]
  private var nextWork = 0
  private var alarm = Alarm()
  private let wakeups: AsyncStream<Void>
  private let bell: AsyncStream<Void>.Continuation
  private let feed = StateFeed(State())
  /// Writes of the record, in order.
  let disk = BlockingQueue("postgres-record")

  // MARK: Open and close

  /// Opens a cluster: makes it when it is new, adopts the servers that run, and starts to keep it as specified.
  /// Returns at once; `states()` tells how it goes. `Supervisor.adopt()` need not have been called.
  /// - Throws: `PostgresError.invalid`, `.record`; `SupervisorError.file`.
  public static func open(
    _ specification: Specification, supervisor: Supervisor, installation: PostgresInstallation,
    logger: Logger = Logger(label: "castle.postgres")
  ) async throws -> PostgresCluster {
    try specification.validate()
    let user = specification.user ?? SystemUser.toDropTo(preferring: ["postgres"])
    let files = PostgresFiles(specification, user: user)
    let record = try await BlockingQueue.once("postgres-open") { () throws -> ClusterRecord in
      try files.checkReachable()
      try PrivateFiles.makeDirectory(files.directory, mode: 0o711)
      let found = try ClusterRecord.read(files.record)
      let record = found ?? ClusterRecord(administratorPassword: SystemIdentifiers().alphanumeric(40))
      if found == nil { try record.write(files.record) }
      try PrivateFiles.write(
        PostgresConfiguration.passwordFile(record.administratorPassword).utf8, to: files.passwordFile, owner: user)
      return record
    }
    let cluster = PostgresCluster(
      specification, record: record, files: files, user: user, supervisor: supervisor, installation: installation,
      logger: logger)
    await cluster.begin()
    return cluster
  }

  private init(
    _ specification: Specification, record: ClusterRecord, files: PostgresFiles, user: SystemUser?,
    supervisor: Supervisor, installation: PostgresInstallation, logger: Logger
  ) {
    id = specification.id
    desired = specification
    self.record = record
    self.files = files
    self.user = user
    self.supervisor = supervisor
    self.installation = installation
    self.logger = logger
    (wakeups, bell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Takes over what the record and the running processes tell.
  private func begin() async {
    observed.writer = record.writer
    observed.synchronous = record.synchronous
    observed.hasBeenPrepared = record.isPrepared
    for name in Set(record.instances.keys).union(desired.instances.map(\.name)) {
      let known = record.instances[name] ?? ClusterRecord.Instance()
      var facts = InstanceFacts()
      facts.hasData = known.hasData
      facts.needsRewind = known.needsRewind
      facts.follows = known.follows
      facts.parameters = known.parameters
      observed.instances[name] = facts
      if let process = await supervisor.adopt(processID(name)) {
        attach(process, to: name)
      } else if let last = await supervisor.record(of: processID(name)) {
        // It ended while nobody looked: anything but a clean shutdown is a crash.
        observed.instances[name]?.hasCrashed = last.exit?.reason != .code(0)
        if name == record.writer { observed.writerLostAt = now }
      }
    }
    loop = Task { [wakeups] in
      for await _ in wakeups { self.reconcile() }
    }
    wake()
  }

  /// Stops looking after the cluster; the servers run on, and another `open` adopts them. Waits for actions under way.
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

  /// Stops the servers and removes the cluster's directory with all data. The object is of no use afterwards.
  public func destroy() async throws {
    await end()
    for process in processes.values { await process.stop(signal: SIGQUIT, grace: 5) }
    for name in observed.instances.keys {
      if let process = await supervisor.adopt(processID(name)) { await process.stop(signal: SIGKILL, grace: 0) }
      supervisor.forget(processID(name))
    }
    for client in clients.values { await client.close() }
    let directory = files.directory
    try await BlockingQueue.once("postgres-destroy") { try PrivateFiles.remove(directory) }
  }

  // MARK: What a caller wants

  public var specification: Specification { desired }

  /// Sets the desired state. Returns at once. Changing `masterPassword` changes the role's password.
  /// - Throws: `PostgresError.invalid`; also when the id, the data root, the user or the role's name would change.
  public func apply(_ specification: Specification) throws {
    try specification.validate()
    guard
      specification.id == desired.id, specification.dataRoot == desired.dataRoot, specification.user == desired.user,
      specification.masterUsername == desired.masterUsername
    else { throw PostgresError.invalid("id, data root, user and master user name of a cluster cannot change") }
    if specification.masterPassword != desired.masterPassword || specification.databaseName != desired.databaseName {
      observed.isPrepared = false
    }
    // What failed may succeed with these.
    if specification.parameters != desired.parameters {
      parametersNumber += 1
      for name in observed.instances.keys { forgetFailures(name) }
    }
    for instance in specification.instances where observed.instances[instance.name] == nil {
      observed.instances[instance.name] = InstanceFacts()
    }
    desired = specification
    wake()
  }

  /// Starts the servers of a stopped cluster. Returns at once.
  public func start() throws {
    var specification = desired
    specification.isRunning = true
    try apply(specification)
  }

  /// Stops the servers, writer first; data is kept. Returns when all have stopped.
  public func stop() async throws {
    var specification = desired
    specification.isRunning = false
    try apply(specification)
    _ = try await wait(timeout: 120) { $0.isStopped }
  }

  /// Changes the master role's password. Returns when the new one holds; sessions that are open stay so.
  /// - Throws: `PostgresError.unavailable` when there is no writer now, `.statement`.
  public func setMasterPassword(_ password: String) async throws {
    var specification = desired
    specification.masterPassword = password
    try specification.validate()
    guard let writer = observed.writer, observed.instances[writer]?.isReady == true, let client = clients[writer] else {
      throw PostgresError.unavailable("the cluster \(id) has no writer at the moment")
    }
    desired = specification
    try await changePassword(client, user: specification.masterUsername, password: password)
  }

  /// Makes a replica the writer without losing a commit: the old writer ends cleanly, then the replica takes over.
  /// - Parameter target: `nil` takes the best replica.
  /// - Returns: when the new writer accepts writes.
  /// - Throws: `PostgresError.unavailable` when no replica (or not that one) can take over, `.timedOut`.
  public func failOver(to target: String? = nil) async throws {
    let ready = desired.instances.filter { instance in
      let it = observed.instances[instance.name]
      return it?.isStreaming == true && it?.isRunning == true && instance.name != observed.writer
        && (observed.synchronous.contains(instance.name) || !desired.isSynchronous)
    }
    let best = ready.min { ($0.promotionTier, $0.name) < ($1.promotionTier, $1.name) }
    guard let chosen = target ?? best?.name, ready.contains(where: { $0.name == chosen }) else {
      throw PostgresError.unavailable("no replica of \(id) can take over now")
    }
    let before = failovers
    observed.switchTo = chosen
    wake()
    defer { observed.switchTo = nil }
    _ = try await wait(timeout: 60) { $0.failovers > before && $0.availableWriter != nil }
  }

  /// Stops one server and starts it again; a writer stays the writer. Returns when it is available again, or is known
  /// not to come up. One that does not run is tried at once, whatever failed before.
  public func restart(_ name: String) async throws {
    guard desired.instance(name) != nil else { throw PostgresError.unavailable("\(name) is not wanted") }
    let old = processes[name]?.pid
    forgetFailures(name)
    if old != nil { observed.restarting.insert(name) }
    wake()
    _ = try await wait(timeout: 120) { state in
      guard let it = state[name] else { return true }
      return it.failure != nil || (it.status == .available && it.pid != old)
    }
  }

  /// Tries servers that failed to start at once, without the rest of their wait.
  public func retryFailed() {
    for name in details.keys where details[name]?.failure != nil { forgetFailures(name) }
    publish()
    wake()
  }

  // MARK: What a caller sees

  public var state: State { currentState() }

  /// The state now, then each change. Ends with `close()` or `destroy()`. A slow reader sees the latest.
  public func states() -> AsyncStream<State> { feed.subscribe(isClosed ? nil : currentState()) }

  /// Returns the first state that satisfies a condition.
  /// - Throws: `PostgresError.timedOut` with the state it was in; `CancellationError`.
  @discardableResult
  public func wait(timeout: Double, until condition: @escaping @Sendable (State) -> Bool) async throws -> State {
    if let found = try await states().first(within: timeout, where: condition) { return found }
    throw PostgresError.timedOut("cluster \(id): \(currentState())")
  }

  // MARK: The loop

  nonisolated var now: Timestamp { systemNow() }

  nonisolated func wake() { bell.yield() }

  private func reconcile() {
    guard !isClosed else { return }
    for action in Planner.plan(desired, observed, now: now) {
      if case .wake(let at) = action { alarm.set(at) { self.wake() } } else { launch(action) }
    }
    publish()
  }

  private func launch(_ action: Action) {
    mark(action, isBusy: true)
    nextWork += 1
    let key = nextWork
    work[key] = Task {
      await self.perform(action)
      self.finished(action, key)
    }
  }

  private func finished(_ action: Action, _ key: Int) {
    mark(action, isBusy: false)
    work[key] = nil
    wake()
  }

  private func mark(_ action: Action, isBusy: Bool) {
    func busy(_ name: String) { observed.instances[name]?.isBusy = isBusy }
    switch action {
    case .initialise(let writer, let replicas):
      observed.isInitialising = isBusy
      for name in [writer] + replicas { busy(name) }
    case .start(let name), .promote(let name), .follow(let name), .clone(let name), .rejoin(let name),
      .configure(let name), .remove(let name), .kill(let name):
      busy(name)
    case .stop(let name):
      busy(name)
      if isBusy { stopping.insert(name) } else { stopping.remove(name) }
    case .takeOver(let from, let by):
      busy(from)
      busy(by)
    case .measure(let names): for name in names { busy(name) }
    case .setSynchronous: observed.isSettingSynchronous = isBusy
    case .prepare: observed.isPreparing = isBusy
    case .wake: break
    }
  }

  func publish() { feed.publish(currentState()) }

  private func currentState() -> State {
    let leaving = observed.instances.keys.filter { name in
      desired.instance(name) == nil
        && (observed.instances[name]?.isRunning == true || observed.instances[name]?.isBusy == true)
    }
    let names = desired.instances.map(\.name) + leaving.sorted()
    return State(writer: observed.writer, instances: names.map(instanceState), failovers: failovers)
  }

  private func instanceState(_ name: String) -> InstanceState {
    let facts = observed.instances[name] ?? InstanceFacts()
    let details = details[name] ?? Details()
    let wanted = desired.instance(name)
    let isWriter = name == observed.writer
    let endpoint = facts.endpoint?.split(separator: ":").map(String.init)
    return InstanceState(
      name: name, role: isWriter ? .writer : .reader, status: status(name, facts, isWriter: isWriter),
      address: wanted?.address ?? endpoint?.first ?? "", port: wanted?.port ?? endpoint?.last.flatMap { Int($0) } ?? 0,
      pid: facts.isRunning ? processes[name]?.pid : nil, lagSeconds: isWriter ? nil : details.lag,
      needsRestart: details.needsRestart, failure: failure(details, of: name, facts, isWriter: isWriter))
  }

  private func failure(
    _ details: Details, of name: String, _ facts: InstanceFacts, isWriter: Bool
  ) -> EngineFailure? {
    guard let failure = details.failure, failure.isCertain(after: details.failures), desired.isRunning,
      status(name, facts, isWriter: isWriter) != .available
    else { return nil }
    return failure
  }

  private func status(_ name: String, _ facts: InstanceFacts, isWriter: Bool) -> Status {
    if stopping.contains(name) { return .stopping }
    if observed.isInitialising { return .creating }
    if facts.isRunning {
      if isWriter {
        return facts.isReady && facts.isInRecovery == false && observed.hasBeenPrepared ? .available : .starting
      }
      if facts.isReady && facts.isStreaming && facts.follows == observed.writer { return .available }
      return details[name]?.hasStarted == true ? .rejoining : .starting
    }
    if !desired.isRunning { return .stopped }
    if facts.isBusy { return !facts.hasData ? .creating : facts.needsRewind ? .rejoining : .starting }
    if !facts.hasData { return .creating }
    return facts.hasCrashed || details[name]?.failure != nil ? .failed : .starting
  }
}
