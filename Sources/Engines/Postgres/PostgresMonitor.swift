// Watching the servers: their processes' ends, and what they say of themselves.

import AWSCore
import Supervisor

extension PostgresCluster {
  nonisolated func processID(_ name: String) -> String { "postgres/\(id)/\(name)" }

  /// How often a settled server is asked, in seconds; and one that something is awaited of.
  static var calmInterval: Double { 1.0 }
  static var eagerInterval: Double { 0.05 }
  /// So many questions in a row without an answer make a server not ready.
  static var mostSilences: Int { 3 }

  /// Takes a running process as an instance's.
  func attach(_ process: ManagedProcess, to name: String) {
    processes[name] = process
    let address = process.labels["address"] ?? ""
    let port = Int(process.labels["port"] ?? "") ?? 0
    clients[name] = PostgresClient(
      PostgresClient.Target(
        address: address, port: port, user: PostgresConfiguration.administrator,
        password: record.administratorPassword, database: "postgres"))
    update(name) { facts in
      facts.isRunning = true
      facts.isReady = false
      facts.isInRecovery = nil
      facts.silentSince = nil
      facts.isStreaming = false
      facts.notStreamingSince = now
      facts.hasCrashed = false
      facts.endpoint = "\(address):\(port)"
    }
    details[name, default: Details()].isStopWanted = false
    process.onExit { [weak self] exit in Task { await self?.ended(name, process, exit) } }
    watch(name)
  }

  /// Begins to ask a server, at once; also one that is being asked in calm intervals.
  func watch(_ name: String) {
    guard let process = processes[name], !isClosed else { return }
    monitors[name]?.cancel()
    monitors[name] = Task { await self.monitor(name, process) }
  }

  func update(_ name: String, _ change: (inout InstanceFacts) -> Void) {
    change(&observed.instances[name, default: InstanceFacts()])
  }

  func ended(_ name: String, _ process: ManagedProcess, _ exit: ProcessExit) {
    guard processes[name] === process, !isClosed else { return }
    processes[name] = nil
    monitors.removeValue(forKey: name)?.cancel()
    let isWanted = details[name]?.isStopWanted == true
    let hasCrashed = !isWanted && exit.reason != .code(0)
    details[name, default: Details()].lag = nil
    details[name]?.hasStarted = false
    update(name) { facts in
      facts.isRunning = false
      facts.isReady = false
      facts.isStreaming = false
      facts.notStreamingSince = nil
      facts.hasCrashed = hasCrashed
      facts.endpoint = nil
    }
    observed.restarting.remove(name)
    if name == observed.writer {
      observed.writerLostAt = now
      observed.appliedSynchronous = nil
    }
    logger.info("server ended", metadata: ["instance": "\(name)", "exit": "\(exit)", "asked": "\(isWanted)"])
    if let client = clients.removeValue(forKey: name) { Task { await client.close() } }
    wake()
  }

  // MARK: Asking

  private func monitor(_ name: String, _ process: ManagedProcess) async {
    // A connection of its own: it must not stand in the way of actions.
    guard let target = clients[name]?.target else { return }
    let client = PostgresClient(target)
    while !Task.isCancelled && process.isRunning {
      let seen = await probe(client)
      guard processes[name] === process, !Task.isCancelled else { break }
      let isSettled = note(name, seen)
      do { try await Task.sleep(for: .seconds(isSettled ? Self.calmInterval : Self.eagerInterval)) } catch { break }
    }
    await client.close()
  }

  struct Probe: Sendable {
    var isInRecovery: Bool
    var needsRestart: Bool
    /// On a writer: name, whether it streams, lag in seconds.
    var replicas: [String: (isStreaming: Bool, lag: Double?)]
  }

  private nonisolated func probe(_ client: PostgresClient) async -> Probe? {
    let sql = """
      SELECT pg_is_in_recovery(), EXISTS (SELECT 1 FROM pg_settings WHERE pending_restart), r.application_name,
        r.state = 'streaming', CASE WHEN r.replay_lsn = r.sent_lsn THEN 0 ELSE EXTRACT(EPOCH FROM r.replay_lag) END
      FROM (SELECT 1) AS one LEFT JOIN pg_stat_replication r ON true
      """
    guard let rows = try? await client.query(sql, timeout: 5), let first = rows.first else { return nil }
    var probe = Probe(isInRecovery: first[0] == "t", needsRestart: first[1] == "t", replicas: [:])
    for row in rows {
      guard let name = row[2] else { continue }
      // A walsender that is ending may still be listed beside its successor.
      if probe.replicas[name]?.isStreaming == true { continue }
      probe.replicas[name] = (row[3] == "t", row[4].flatMap { Double($0) })
    }
    return probe
  }

  /// Takes a probe's findings into the facts.
  /// - Returns: whether nothing is awaited of this server.
  private func note(_ name: String, _ probe: Probe?) -> Bool {
    let before = (observed, details[name]?.lag, details[name]?.needsRestart)
    let silences = probe == nil ? (details[name]?.silences ?? 0) + 1 : 0
    details[name, default: Details()].silences = silences
    let hasStarted = details[name]?.hasStarted == true
    update(name) { facts in
      // One slow answer of a busy machine takes nobody out of service.
      facts.isReady = probe != nil || (facts.isReady && silences < Self.mostSilences)
      facts.isInRecovery = probe?.isInRecovery ?? facts.isInRecovery
      facts.silentSince = probe == nil && hasStarted ? facts.silentSince ?? now : nil
    }
    if let probe {
      details[name, default: Details()].needsRestart = probe.needsRestart
      details[name]?.hasStarted = true
      // A writer that answers is not of use before its roles and databases are there.
      if name != observed.writer || observed.hasBeenPrepared {
        details[name]?.failure = nil
        details[name]?.failures = 0
      }
      if name == observed.writer && !probe.isInRecovery { noteReplicas(probe) }
    }
    if before.0 != observed { wake() } else { publish() }
    guard let facts = observed.instances[name] else { return true }
    if name == observed.writer {
      // While a replica is on its way the writer is asked often: it knows first when it streams.
      return facts.isReady
        && !observed.instances.contains { key, value in key != name && value.isRunning && !value.isStreaming }
    }
    return facts.isReady
  }

  private func noteReplicas(_ probe: Probe) {
    for (name, facts) in observed.instances where name != observed.writer && facts.isRunning {
      let seen = probe.replicas[name]
      let isStreaming = seen?.isStreaming == true
      update(name) { facts in
        facts.isStreaming = isStreaming
        facts.notStreamingSince = isStreaming ? nil : facts.notStreamingSince ?? now
      }
      details[name, default: Details()].lag = isStreaming ? seen?.lag ?? 0 : nil
    }
  }

  /// Waits until a server that has just been started answers.
  /// - Throws: `PostgresError.startFailed` when it ends before.
  func awaitReady(_ name: String, _ process: ManagedProcess, timeout: Double = 300) async throws {
    guard let client = clients[name] else { return }
    let deadline = ContinuousClock.now + .seconds(timeout)
    let pidFile = files.data(name) + "/postmaster.pid"
    while ContinuousClock.now < deadline {
      if let exit = process.exitNow {
        let words = PostgresFailure.lastWords(PrivateFiles.tail(files.log(name)), pid: process.pid)
        throw PostgresError.startFailed(instance: name, log: words.isEmpty ? "\(exit)" : words)
      }
      // The eighth line says "ready" or "standby" when connections are accepted; asking before only fills the log.
      let isOpen = await BlockingQueue("postgres-ready").run { () -> Bool in
        guard let bytes = try? PrivateFiles.read(pidFile) else { return false }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        return lines.count > 7 && (lines[7].hasPrefix("ready") || lines[7].hasPrefix("standby"))
      }
      if isOpen, (try? await client.query("SELECT 1", timeout: 5)) != nil { return }
      try await Task.sleep(for: .milliseconds(15))
    }
    throw PostgresError.timedOut("\(name) does not answer")
  }
}
