// The actions of a group, and the watching of its servers.

import AWSCore
import Glibc
import Logging
import Supervisor

extension RedisGroup {
  nonisolated func processID(_ name: String) -> String { "redis/\(id)/\(name)" }

  /// Does one action. A failure is noted with the node and delays the next try.
  func perform(_ action: Action) async {
    let began = parametersNumber
    logger.debug("action", metadata: ["group": "\(id)", "action": "\(action)"])
    do {
      switch action {
      case .start(let name): try await start(name)
      case .stop(let name): await stop(name)
      case .measure(let names): await measure(names)
      case .promote(let name): try await promote(name)
      case .handOver(let from, let to): try await handOver(from: from, to: to)
      case .follow(let name): try await follow(name)
      case .configure(let name): try await configure(name)
      case .remove(let name): try await remove(name)
      case .elect, .wake: break
      }
    } catch {
      await failed(action, error, isOld: began != parametersNumber)
    }
  }

  /// - Parameter isOld: it was begun with parameters that have changed since.
  private func failed(_ action: Action, _ error: any Error, isOld: Bool) async {
    if error is CancellationError { return }
    logger.warning("action failed", metadata: ["group": "\(id)", "action": "\(action)", "error": "\(error)"])
    let name: String? =
      switch action {
      case .start(let name), .stop(let name), .promote(let name), .follow(let name), .configure(let name),
        .remove(let name), .handOver(let name, _):
        name
      case .measure, .elect, .wake: nil
      }
    guard let name else { return }
    if isOld { return forgetFailures(name) }
    if case .handOver = action {
      observed.switchTo = nil
      messages[name] = "\(error)"
    }
    if let why = RedisFailure.of(error, parameters: desired.parameters, folder: desired.directory) {
      failures[name] = (why, (failures[name]?.count ?? 0) + 1)
    }
    var budget = budgets[name] ?? RestartBudget(firstDelay: 0.1, longestDelay: 15)
    let due = budget.failed(at: systemNow(), startedAt: nil)
    budgets[name] = budget
    update(name) { facts in
      facts.notBefore = due
      facts.failures = budget.failures
    }
    // The planner waits for `notBefore`.
    if case .start = action { return }
    if let due { try? await Task.sleep(for: .seconds(max(0, due.seconds - systemNow().seconds))) }
  }

  private func succeeded(_ name: String) {
    messages[name] = nil
    forgetFailures(name)
  }

  /// Lets what failed be tried at once.
  func forgetFailures(_ name: String) {
    budgets[name] = nil
    failures[name] = nil
    update(name) { facts in
      facts.notBefore = nil
      facts.failures = 0
    }
  }

  func update(_ name: String, _ change: (inout NodeFacts) -> Void) {
    change(&observed.nodes[name, default: NodeFacts()])
  }

  func persist() async throws {
    record.primary = observed.primary
    record.nodes = Set(observed.nodes.keys)
    record.inStep = Set(observed.nodes.filter { $0.value.isInStep }.keys)
    let (record, path) = (record, desired.directory + "/group.json")
    try await disk.run { try record.write(path) }
  }

  private func data(_ name: String) -> String { "\(desired.directory)/\(name)" }
  private func log(_ name: String) -> String { "\(desired.directory)/logs/\(name).log" }

  private var wantedSettings: Applied {
    Applied(tokens: desired.authTokens, isRestricted: desired.isRestricted, parameters: desired.parameters)
  }

  // MARK: Start and stop

  private func start(_ name: String) async throws {
    guard let node = desired.node(name) else { throw RedisError.unavailable("\(name) is not wanted") }
    var follows: (address: String, port: Int)?
    if name != observed.primary, let primary = observed.primary { follows = try endpoint(of: primary) }
    let settings = wantedSettings
    let text = RedisConfiguration.server(
      node: node, directory: data(name), parameters: settings.parameters, follows: follows,
      administratorPassword: record.administratorPassword, tokens: settings.tokens, isRestricted: settings.isRestricted)
    let (directory, user) = (data(name), user)
    try await BlockingQueue.once("redis-configure") {
      try PrivateFiles.makeDirectory(directory, mode: 0o700, owner: user)
      try PrivateFiles.write(text.utf8, to: directory + "/redis.conf", owner: user)
    }
    try await persist()
    let process = try await supervisor.start(
      ProcessSpecification(
        id: processID(name), executable: server, arguments: [directory + "/redis.conf"], workingDirectory: directory,
        user: user, logFile: log(name), stopGrace: 20,
        labels: ["address": node.address, "port": String(node.port), "group": id]))
    attach(process, to: name, applied: settings)
    let leader = follows == nil ? nil : observed.primary
    update(name) { $0.follows = leader }
    try await awaitReady(name, process)
    succeeded(name)
  }

  private func endpoint(of name: String) throws -> (address: String, port: Int) {
    if let at = clients[name]?.target { return (at.address, at.port) }
    if let at = desired.node(name) { return (at.address, at.port) }
    throw RedisError.unavailable("\(name) is not known")
  }

  /// Waits until a server that has just been started answers, its data loaded.
  private func awaitReady(_ name: String, _ process: ManagedProcess) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    while ContinuousClock.now < deadline {
      if let exit = process.exitNow {
        let words = RedisFailure.lastWords(PrivateFiles.tail(log(name)), pid: process.pid)
        throw RedisError.startFailed(node: name, log: words.isEmpty ? "\(exit)" : words)
      }
      if let client = clients[name] {
        do {
          _ = note(name, redisInfo(try await client.command(["INFO", "replication"])))
          return
        } catch RedisError.reply(let text) where !text.hasPrefix("LOADING") { throw RedisError.reply(text) } catch {}
      }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw RedisError.timedOut("\(name) does not answer")
  }

  private func stop(_ name: String) async {
    guard let process = processes[name] else { return }
    stopsWanted.insert(name)
    publish()
    // A server that is writing its first append-only file refuses to end, and forgets that it was asked.
    // The event may still be on its way; it is of no effect when it comes.
    ended(name, process, await process.stop(grace: 20, repeatEvery: 0.25))
  }

  // MARK: Failover

  private func measure(_ names: [String]) async {
    let started = systemNow()
    for name in names {
      let info = (try? await clients[name]?.command(["INFO", "replication"], timeout: 2)).flatMap { $0 }.map(redisInfo)
      let offset = info.flatMap { $0["slave_repl_offset"] ?? $0["master_repl_offset"] }.flatMap { Int64($0) }
      update(name) { facts in
        if let offset {
          facts.offset = offset
          facts.measuredAt = started
        } else {
          facts.measureFailedAt = started
        }
      }
    }
  }

  private func client(_ name: String) throws -> RedisClient {
    guard let client = clients[name] else { throw RedisError.unavailable("\(name) does not run") }
    return client
  }

  private func promote(_ name: String) async throws {
    let began = ContinuousClock.now
    if observed.primary != name { failovers += 1 }
    observed.primary = name
    observed.primaryLostAt = nil
    for other in observed.nodes.keys { update(other) { $0.isInStep = false } }
    // Written down first: the old primary must never come back as one.
    try await persist()
    try await client(name).command(["REPLICAOF", "NO", "ONE"])
    became(name)
    logger.notice(
      "new primary", metadata: ["group": "\(id)", "node": "\(name)", "took": "\(ContinuousClock.now - began)"])
  }

  private func became(_ name: String) {
    update(name) { facts in
      facts.isPrimary = true
      facts.follows = nil
      facts.isInStep = false
    }
    succeeded(name)
    publish()
  }

  private func handOver(from: String, to: String) async throws {
    let at = try endpoint(of: to)
    // A replica knows that it is in step a moment before its primary does, which refuses to hand over until then.
    for _ in 0..<500 {
      let replicas = redisInfo(try await client(from).command(["INFO", "replication"]))
      if replicas.values.contains(where: { $0.hasPrefix("ip=\(at.address),port=\(at.port),state=online") }) { break }
      try await Task.sleep(for: .milliseconds(10))
    }
    try await client(from).command(["FAILOVER", "TO", at.address, String(at.port), "TIMEOUT", "5000"])
    for _ in 0..<600 {
      let info = redisInfo(try await client(to).command(["INFO", "replication"]))
      if info["role"] == "master" {
        failovers += 1
        observed.primary = to
        observed.switchTo = nil
        update(from) { facts in
          facts.isPrimary = false
          facts.follows = to
          facts.isInStep = false
        }
        became(to)
        watch(from)
        return try await persist()
      }
      let state = redisInfo(try await client(from).command(["INFO", "replication"]))["master_failover_state"]
      if state == "no-failover" && info["role"] != "master" {
        let again = redisInfo(try await client(to).command(["INFO", "replication"]))
        if again["role"] != "master" { throw RedisError.unavailable("\(to) did not take over in time") }
      }
      try await Task.sleep(for: .milliseconds(10))
    }
    throw RedisError.timedOut("the failover to \(to)")
  }

  private func follow(_ name: String) async throws {
    guard let primary = observed.primary else { return }
    let at = try endpoint(of: primary)
    try await client(name).command(["REPLICAOF", at.address, String(at.port)])
    update(name) { facts in
      facts.follows = primary
      facts.isPrimary = false
      facts.isInStep = false
    }
    succeeded(name)
    watch(name)
  }

  // MARK: Settings

  private func configure(_ name: String) async throws {
    let settings = wantedSettings
    let client = try client(name)
    let rules = RedisConfiguration.clientRules(tokens: settings.tokens, isRestricted: settings.isRestricted)
    // One command, so that there is no moment between the old rules and the new.
    try await client.command(["ACL", "SETUSER", "default"] + rules)
    for (key, value) in settings.parameters.sorted(by: { $0.key < $1.key }) {
      do { try await client.command(["CONFIG", "SET", key, value]) } catch RedisError.reply(let text) {
        // Some can only be set at a start; a wrong one is told by that start.
        logger.warning(
          "a parameter was refused", metadata: ["node": "\(name)", "parameter": "\(key)", "error": "\(text)"])
      }
    }
    update(name) { $0.applied = settings }
  }

  private func remove(_ name: String) async throws {
    let path = data(name)
    try await BlockingQueue.once("redis-remove") { try PrivateFiles.remove(path) }
    supervisor.forget(processID(name))
    observed.nodes[name] = nil
    messages[name] = nil
    failures[name] = nil
    budgets[name] = nil
    try await persist()
  }

  // MARK: Watching

  /// Takes a running process as a node's.
  func attach(_ process: ManagedProcess, to name: String, applied: Applied?) {
    processes[name] = process
    stopsWanted.remove(name)
    let address = process.labels["address"] ?? ""
    let port = Int(process.labels["port"] ?? "") ?? 0
    let target = RedisClient.Target(
      address: address, port: port, user: RedisConfiguration.administrator, password: record.administratorPassword)
    clients[name] = RedisClient(target)
    update(name) { facts in
      facts.isRunning = true
      facts.isReady = false
      facts.isPrimary = nil
      facts.isInStep = false
      facts.hasCrashed = false
      facts.endpoint = "\(address):\(port)"
      facts.applied = applied
    }
    process.onExit { [weak self] exit in Task { await self?.ended(name, process, exit) } }
    watch(name)
  }

  /// Begins to ask a server, at once; also one that is being asked in calm intervals.
  private func watch(_ name: String) {
    guard let process = processes[name], let target = clients[name]?.target, !isClosed else { return }
    monitors[name]?.cancel()
    monitors[name] = Task { await self.monitor(name, process, RedisClient(target)) }
  }

  private func ended(_ name: String, _ process: ManagedProcess, _ exit: ProcessExit) {
    guard processes[name] === process, !isClosed else { return }
    processes[name] = nil
    monitors.removeValue(forKey: name)?.cancel()
    let hasCrashed = stopsWanted.remove(name) == nil && exit.reason != .code(0)
    update(name) { facts in
      facts.isRunning = false
      facts.isReady = false
      facts.isInStep = false
      facts.isPrimary = nil
      facts.hasCrashed = hasCrashed
      facts.endpoint = nil
    }
    observed.restarting.remove(name)
    if name == observed.primary { observed.primaryLostAt = systemNow() }
    logger.info("server ended", metadata: ["node": "\(name)", "exit": "\(exit)"])
    if let client = clients.removeValue(forKey: name) { Task { await client.close() } }
    wake()
  }

  private func monitor(_ name: String, _ process: ManagedProcess, _ client: RedisClient) async {
    while !Task.isCancelled && process.isRunning {
      let info = (try? await client.command(["INFO", "replication"], timeout: 3)).map(redisInfo)
      guard processes[name] === process, !Task.isCancelled else { break }
      let isSettled = note(name, info)
      do { try await Task.sleep(for: .seconds(isSettled ? 1 : 0.02)) } catch { break }
    }
    await client.close()
  }

  /// Takes what a server says of itself into the facts.
  /// - Returns: whether nothing is awaited of it.
  private func note(_ name: String, _ info: [String: String]?) -> Bool {
    let before = observed
    let silent = info == nil ? (silences[name] ?? 0) + 1 : 0
    silences[name] = silent
    update(name) { facts in
      facts.isReady = info != nil || (facts.isReady && silent < 3)
      guard let info else { return }
      facts.isPrimary = info["role"] == "master"
      if facts.isPrimary == true { return }
      let at = "\(info["master_host"] ?? ""):\(info["master_port"] ?? "")"
      facts.follows = before.nodes.first { $0.key != name && $0.value.endpoint == at }?.key ?? facts.follows
      // Once in step it stays a candidate: when the primary dies its link goes down, and that is the very moment.
      if info["master_link_status"] == "up" && facts.follows == before.primary { facts.isInStep = true }
      // But one that has lost a living primary falls behind.
      let down = info["master_link_down_since_seconds"].flatMap { Int($0) } ?? 0
      if down > 2, let primary = before.primary, before.nodes[primary]?.isReady == true { facts.isInStep = false }
    }
    if before != observed {
      wake()
      let inStep = Set(observed.nodes.filter { $0.value.isInStep }.keys)
      if inStep != record.inStep { Task { try? await self.persist() } }
    } else {
      publish()
    }
    guard let facts = observed.nodes[name], facts.isReady else { return info != nil }
    return name == observed.primary || facts.isInStep
  }
}
