// The actions of a cluster: what the planner decided, done.

import AWSCore
import CLinux
import Glibc
import Logging
import Supervisor

extension PostgresCluster {
  /// Does one action. A failure is noted with the instance and delays the next try; the planner decides again.
  func perform(_ action: Action) async {
    let began = parametersNumber
    logger.debug("action", metadata: ["cluster": "\(id)", "action": "\(action)"])
    do {
      switch action {
      case .initialise(let writer, let replicas): try await initialise(writer: writer, replicas: replicas)
      case .start(let name): try await start(name)
      case .stop(let name): await stop(name)
      case .kill(let name): processes[name]?.kill()
      case .measure(let names): await measure(names)
      case .promote(let name): try await promote(name)
      case .follow(let name): try await follow(name)
      case .clone(let name): try await clone(name)
      case .rejoin(let name): try await rejoin(name)
      case .configure(let name): try await configure(name)
      case .setSynchronous(let names): try await setSynchronous(names)
      case .prepare: try await prepare()
      case .remove(let name): try await remove(name)
      case .takeOver(let from, let by): try await takeOver(from: from, by: by)
      case .wake: break
      }
    } catch {
      await failed(action, error, isOld: began != parametersNumber)
    }
  }

  /// - Parameter isOld: it was begun with parameters that have changed since.
  private func failed(_ action: Action, _ error: any Error, isOld: Bool) async {
    if error is CancellationError { return }
    logger.warning("action failed", metadata: ["cluster": "\(id)", "action": "\(action)", "error": "\(error)"])
    let name: String? =
      switch action {
      case .initialise(let writer, _): writer
      case .start(let name), .promote(let name), .follow(let name), .clone(let name), .rejoin(let name),
        .configure(let name), .remove(let name), .stop(let name), .kill(let name), .takeOver(_, let name):
        name
      case .measure, .setSynchronous, .prepare, .wake: observed.writer
      }
    guard let name else { return }
    if isOld { return forgetFailures(name) }
    var budget = budgets[name] ?? RestartBudget(firstDelay: 0.1, longestDelay: 15)
    let due = budget.failed(at: now, startedAt: nil)
    budgets[name] = budget
    if let why = PostgresFailure.of(error, parameters: desired.parameters, folder: files.directory) {
      details[name, default: Details()].failure = why
      details[name]?.failures += 1
    }
    update(name) { facts in
      facts.notBefore = due
      facts.failures = budget.failures
    }
    switch action {
    case .initialise, .start, .clone, .rejoin: break  // The planner waits for `notBefore`.
    default: if let due { try? await Task.sleep(for: .seconds(min(1, max(0, due.seconds - now.seconds)))) }
    }
  }

  func succeeded(_ name: String) {
    forgetFailures(name)
  }

  /// Lets what failed be tried at once.
  func forgetFailures(_ name: String) {
    budgets[name] = nil
    details[name]?.failure = nil
    details[name]?.failures = 0
    update(name) { facts in
      facts.notBefore = nil
      facts.failures = 0
    }
  }

  /// Writes the record, from what is observed. Durable when it returns.
  func persist() async throws {
    record.writer = observed.writer
    record.synchronous = observed.synchronous
    record.isPrepared = observed.hasBeenPrepared
    record.instances = observed.instances.mapValues {
      ClusterRecord.Instance(
        hasData: $0.hasData, needsRewind: $0.needsRewind, follows: $0.follows, parameters: $0.parameters)
    }
    let (record, path) = (record, files.record)
    try await disk.run { try record.write(path) }
  }

  // MARK: Data from nothing

  /// All instances begin as copies of one template that was never started, so a replica needs no base backup: it has
  /// the same beginning and streams the rest.
  private func initialise(writer: String, replicas: [String]) async throws {
    let files = files
    let template = try await PostgresTemplates.shared.data(
      installation, root: desired.dataRoot, user: user, supervisor: supervisor)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for name in [writer] + replicas {
        group.addTask {
          await self.endTool(name, "copy")
          try await BlockingQueue.once("postgres-data") {
            try files.makeInstance(name)
            try PrivateFiles.remove(files.data(name))
          }
          try await self.tool(
            name, "copy", "/bin/cp", ["-a", "--reflink=auto", template, files.data(name)], timeout: 120)
        }
      }
      try await group.waitForAll()
    }
    try await BlockingQueue.once("postgres-data") {
      try files.configure(
        writer,
        server: PostgresConfiguration.server(
          instance: Instance(name: writer, address: "127.0.0.1", port: 5432), parameters: [:], upstream: nil,
          synchronous: []), isReplica: false)
    }
    // Single-user mode: the engine's role gets its password before anybody can connect.
    let role = PostgresConfiguration.administrator
    let sql = "ALTER ROLE \(role) PASSWORD \(PostgresConfiguration.literal(record.administratorPassword))\n"
    try await tool(
      writer, "password", installation.program("postgres"), ["--single", "-D", files.data(writer), "postgres"],
      input: Array(sql.utf8), timeout: 60)
    for name in [writer] + replicas {
      update(name) { facts in
        facts.hasData = true
        facts.follows = name == writer ? nil : writer
      }
    }
    observed.writer = writer
    try await BlockingQueue.once("postgres-sync") {
      let code = castle_sync_filesystem(files.directory)
      if code != 0 { throw SupervisorError.file(path: files.directory, errno: -code) }
    }
    try await persist()
    succeeded(writer)
  }

  /// Ends a helper program that a control plane before this one may have left at work.
  func endTool(_ name: String, _ what: String) async {
    if let old = await supervisor.adopt("\(processID(name))/\(what)") { await old.stop(signal: SIGKILL, grace: 0) }
  }

  /// Runs a helper program as the servers' user.
  @discardableResult
  func tool(
    _ name: String, _ what: String, _ executable: String, _ arguments: [String], input: [UInt8]? = nil,
    timeout: Double
  ) async throws -> String {
    var environment = ProcessSpecification.minimalEnvironment
    environment["PGPASSFILE"] = files.passwordFile
    environment["PGCONNECT_TIMEOUT"] = "10"
    return try await supervisor.run(
      ProcessSpecification(
        id: "\(processID(name))/\(what)", executable: executable, arguments: arguments, environment: environment,
        workingDirectory: files.instance(name), user: user, logFile: files.toolLog(name)),
      input: input, timeout: timeout)
  }

  // MARK: Start and stop

  /// Writes the configuration that an instance should have now.
  func writeConfiguration(_ name: String, synchronous: Set<String>) async throws {
    guard let instance = desired.instance(name) else { throw PostgresError.unavailable("\(name) is not wanted") }
    let isReplica = name != observed.writer
    var upstream: PostgresConfiguration.Upstream?
    if isReplica {
      let at = try writerEndpoint()
      upstream = PostgresConfiguration.Upstream(
        address: at.address, port: at.port, slot: PostgresConfiguration.slot(name), passwordFile: files.passwordFile)
    }
    let parameters = desired.parameters
    let text = PostgresConfiguration.server(
      instance: instance, parameters: parameters, upstream: upstream, synchronous: synchronous)
    let files = files
    try await BlockingQueue.once("postgres-configure") {
      try files.configure(name, server: text, isReplica: isReplica)
    }
    let follows = isReplica ? observed.writer : nil
    let isNew = observed.instances[name]?.follows != follows || observed.instances[name]?.parameters != parameters
    update(name) { facts in
      facts.follows = follows
      facts.parameters = parameters
    }
    if isNew { try await persist() }
  }

  func start(_ name: String) async throws {
    guard let instance = desired.instance(name) else { throw PostgresError.unavailable("\(name) is not wanted") }
    // A writer starts alone: replicas join the synchronous set when they stream.
    if name == observed.writer && !observed.synchronous.isEmpty {
      observed.synchronous = []
      try await persist()
    }
    try await writeConfiguration(name, synchronous: [])
    let process = try await supervisor.start(
      ProcessSpecification(
        id: processID(name), executable: installation.program("postgres"), arguments: ["-D", files.data(name)],
        workingDirectory: files.instance(name), user: user, logFile: files.log(name), stopSignal: SIGINT,
        stopGrace: 60, labels: ["address": instance.address, "port": String(instance.port), "cluster": id]))
    if name == observed.writer { observed.appliedSynchronous = [] }
    attach(process, to: name)
    publish()
    try await awaitReady(name, process)
    succeeded(name)
    // The writer knows first when a replica streams: it is asked often from here on, until all do.
    if let writer = observed.writer, writer != name { watch(writer) }
    logger.info("server ready", metadata: ["instance": "\(name)", "pid": "\(process.pid)"])
  }

  /// A fast shutdown: open transactions end, the write-ahead log is sent to the replicas, a checkpoint is written.
  private func stop(_ name: String) async {
    guard let process = processes[name] else { return }
    details[name, default: Details()].isStopWanted = true
    publish()
    let exit = await process.stop(signal: SIGINT, grace: 60)
    logger.info("server stopped", metadata: ["instance": "\(name)", "exit": "\(exit)"])
    // The event may still be on its way; it is of no effect when it comes.
    ended(name, process, exit)
  }

  // MARK: Settings

  private func configure(_ name: String) async throws {
    try await writeConfiguration(name, synchronous: name == observed.writer ? observed.appliedSynchronous ?? [] : [])
    processes[name]?.signal(SIGHUP)
  }

  /// Changes whom commits wait for. What is recorded must at every moment include everybody who might be the only one
  /// to have an acknowledged commit, and must be empty while commits wait for nobody.
  private func setSynchronous(_ names: Set<String>) async throws {
    let (writer, client) = try writerClient()
    let old = observed.appliedSynchronous ?? observed.synchronous
    if names.isEmpty {
      observed.synchronous = []
    } else if !old.isEmpty && !observed.synchronous.isEmpty {
      observed.synchronous.formUnion(names)
    }
    if observed.synchronous != record.synchronous { try await persist() }
    try await writeConfiguration(writer, synchronous: names)
    processes[writer]?.signal(SIGHUP)
    let wanted = names.isEmpty ? "" : "ANY 1 (" + names.sorted().map { "\"\($0)\"" }.joined(separator: ", ") + ")"
    for _ in 0..<500 {
      if try await client.query("SHOW synchronous_standby_names").first?[0] == wanted {
        guard observed.writer == writer else { return }
        observed.appliedSynchronous = names
        observed.synchronous = names
        try await persist()
        succeeded(writer)
        return
      }
      try await Task.sleep(for: .milliseconds(10))
    }
    throw PostgresError.timedOut("\(writer) does not take its configuration")
  }

  // MARK: Roles and databases

  /// Makes the master role and the first database when they are missing, and the role's password what it should be.
  private func prepare() async throws {
    let (writer, client) = try writerClient()
    let wanted = desired
    for instance in desired.instances
    where instance.name != writer && observed.instances[instance.name]?.hasData == true {
      try await ensureSlot(instance.name)
    }
    let role = PostgresConfiguration.identifier(wanted.masterUsername)
    if try await client.query("SELECT 1 FROM pg_roles WHERE rolname = $1", [wanted.masterUsername]).isEmpty {
      try await client.query("CREATE ROLE \(role) LOGIN CREATEDB CREATEROLE")
      try await client.query("GRANT pg_monitor, pg_signal_backend TO \(role)")
      if (Int(installation.major) ?? 0) >= 15 { try await client.query("GRANT pg_checkpoint TO \(role)") }
      try await client.query("ALTER DATABASE postgres OWNER TO \(role)")
    }
    if try await !accepts(wanted, at: writer) {
      try await changePassword(client, user: wanted.masterUsername, password: wanted.masterPassword)
    }
    if let name = wanted.databaseName,
      try await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [name]).isEmpty
    {
      let sql = "CREATE DATABASE \(PostgresConfiguration.identifier(name)) OWNER \(role)"
      try await client.query(sql, timeout: 60)
    }
    succeeded(writer)
    // Something else may be wanted by now.
    if desired.masterPassword == wanted.masterPassword && desired.databaseName == wanted.databaseName {
      observed.isPrepared = true
      observed.hasBeenPrepared = true
      if !record.isPrepared { try await persist() }
    }
  }

  /// Whether the master role can log in with the password that is wanted.
  private func accepts(_ wanted: Specification, at writer: String) async throws -> Bool {
    guard let at = clients[writer]?.target else { return false }
    let login = PostgresClient(
      PostgresClient.Target(
        address: at.address, port: at.port, user: wanted.masterUsername, password: wanted.masterPassword,
        database: "postgres"))
    let isGood = (try? await login.query("SELECT 1")) != nil
    await login.close()
    return isGood
  }

  func changePassword(_ client: PostgresClient, user: String, password: String) async throws {
    let verifier = try await client.verifier(user: user, password: password)
    // Like any commit that is acknowledged, it must survive a failover.
    try await client.query(
      "SET LOCAL synchronous_commit = on; ALTER ROLE \(PostgresConfiguration.identifier(user)) "
        + "PASSWORD \(PostgresConfiguration.literal(verifier))", timeout: 15)
  }

  // MARK: Leaving

  private func remove(_ name: String) async throws {
    if let client = try? writerClient().client {
      try await client.query(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active",
        [PostgresConfiguration.slot(name)])
    }
    let path = files.instance(name)
    try await BlockingQueue.once("postgres-data") { try PrivateFiles.remove(path) }
    supervisor.forget(processID(name))
    observed.instances[name] = nil
    details[name] = nil
    budgets[name] = nil
    try await persist()
  }

  private func takeOver(from old: String, by new: String) async throws {
    let (source, target) = (files.instance(old), files.instance(new))
    try await BlockingQueue.once("postgres-data") {
      try PrivateFiles.remove(target)
      if rename(source, target) != 0 { throw SupervisorError.file(path: target, errno: errno) }
    }
    var facts = observed.instances.removeValue(forKey: old) ?? InstanceFacts()
    facts.hasCrashed = false
    observed.instances[new] = facts
    observed.writer = new
    observed.synchronous = []
    supervisor.forget(processID(old))
    try await persist()
  }
}
