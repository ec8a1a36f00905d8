// Replication: who takes over, who follows whom, and how a replica gets its data.

import AWSCore
import Glibc
import Logging
import Supervisor

extension PostgresCluster {
  // MARK: Failover

  func measure(_ names: [String]) async {
    let started = now
    await withTaskGroup(of: (String, UInt64?).self) { group in
      for name in names {
        guard let client = clients[name] else { continue }
        group.addTask { (name, await Self.received(client)) }
      }
      for await (name, position) in group {
        update(name) { facts in
          if let position {
            facts.received = position
            facts.measuredAt = started
          } else {
            facts.measureFailedAt = started
          }
        }
      }
    }
    for name in names where clients[name] == nil { update(name) { $0.measureFailedAt = started } }
  }

  /// What a replica has received for good: asked when its receiver has ended, for it may still be writing.
  private static func received(_ client: PostgresClient) async -> UInt64? {
    let sql = """
      SELECT coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()),
        EXISTS (SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming')
      """
    for attempt in 0..<40 {
      guard let row = try? await client.query(sql, timeout: 3).first else { return nil }
      if row[1] == "f" || attempt == 39 { return logPosition(row[0]) }
      try? await Task.sleep(for: .milliseconds(5))
    }
    return nil
  }

  func promote(_ name: String) async throws {
    let began = ContinuousClock.now
    guard let client = clients[name] else { throw PostgresError.unavailable("\(name) does not run") }
    if let old = observed.writer, old != name {
      update(old) { $0.needsRewind = true }
      failovers += 1
    }
    observed.writer = name
    observed.synchronous = []
    observed.switchTo = nil
    observed.writerLostAt = nil
    // The role's password may have been changed at the last moment: looked at again, while writes go on.
    observed.isPrepared = false
    update(name) { facts in
      facts.follows = nil
      facts.isStreaming = false
      facts.notStreamingSince = nil
    }
    for other in observed.instances.keys where other != name { update(other) { $0.isStreaming = false } }
    // Written down first: a control plane that dies here promotes again, and never starts the old writer as one.
    try await persist()
    try await client.query("SELECT pg_promote(false)")
    let deadline = ContinuousClock.now + .seconds(60)
    while try await client.query("SELECT pg_is_in_recovery()", timeout: 60).first?[0] != "f" {
      guard ContinuousClock.now < deadline else { throw PostgresError.timedOut("the promotion of \(name)") }
      try await Task.sleep(for: .milliseconds(5))
    }
    // Its configuration as a replica had no synchronous names: it accepts writes from here on.
    observed.appliedSynchronous = []
    update(name) { facts in
      facts.isReady = true
      facts.isInRecovery = false
    }
    details[name, default: Details()].lag = nil
    succeeded(name)
    publish()
    logger.notice(
      "new writer",
      metadata: ["cluster": "\(id)", "instance": "\(name)", "took": "\(ContinuousClock.now - began)"])
    watch(name)
    try await writeConfiguration(name, synchronous: observed.appliedSynchronous ?? [])
    processes[name]?.signal(SIGHUP)
  }

  func writerClient() throws -> (name: String, client: PostgresClient) {
    guard let writer = observed.writer, let client = clients[writer] else {
      throw PostgresError.unavailable("the cluster \(id) has no writer at the moment")
    }
    return (writer, client)
  }

  /// Where the writer listens, also one that is on its way out.
  func writerEndpoint() throws -> (address: String, port: Int) {
    if let writer = observed.writer {
      if let at = clients[writer]?.target { return (at.address, at.port) }
      if let at = desired.instance(writer) { return (at.address, at.port) }
    }
    throw PostgresError.unavailable("the cluster \(id) has no writer at the moment")
  }

  /// Makes a replica's slot on the writer, which keeps the write-ahead log that the replica has not received.
  func ensureSlot(_ name: String) async throws {
    let slot = PostgresConfiguration.slot(name)
    let client = try writerClient().client
    let lost =
      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
      + "WHERE slot_name = $1 AND NOT active AND wal_status = 'lost'"
    try await client.query(lost, [slot])
    try await client.query(
      "SELECT pg_create_physical_replication_slot($1, true) "
        + "WHERE NOT EXISTS (SELECT 1 FROM pg_replication_slots WHERE slot_name = $1)", [slot])
  }

  func follow(_ name: String) async throws {
    try await ensureSlot(name)
    update(name) { facts in
      facts.isStreaming = false
      facts.notStreamingSince = now
    }
    try await writeConfiguration(name, synchronous: [])
    processes[name]?.signal(SIGHUP)
    succeeded(name)
    if let writer = observed.writer { watch(writer) }
  }

  // MARK: Replicas' data

  func clone(_ name: String) async throws {
    if let process = processes[name] {
      details[name, default: Details()].isStopWanted = true
      ended(name, process, await process.stop(signal: SIGQUIT, grace: 5))
    }
    let source = try writerEndpoint()
    let files = files
    update(name) { $0.hasData = false }
    try await persist()
    await endTool(name, "basebackup")
    try await BlockingQueue.once("postgres-data") {
      try files.makeInstance(name)
      try PrivateFiles.remove(files.data(name))
    }
    try await ensureSlot(name)
    try await tool(
      name, "basebackup", installation.program("pg_basebackup"),
      [
        "-D", files.data(name), "-h", source.address, "-p", String(source.port), "-U",
        PostgresConfiguration.administrator, "-w", "-X", "stream", "-c", "fast", "-S", PostgresConfiguration.slot(name),
        "--no-sync",
      ], timeout: 3600)
    // Not flushed here: the start does, since the copy looks like a crashed server's (recovery_init_sync_method).
    update(name) { facts in
      facts.hasData = true
      facts.needsRewind = false
    }
    try await persist()
    try await start(name)
  }

  func rejoin(_ name: String) async throws {
    let client = try writerClient().client
    let source = try writerEndpoint()
    // Until the promoted server has written a checkpoint, its control file names the old timeline, and pg_rewind would
    // find nothing to do: the old writer would stay diverged for ever.
    try await client.query("CHECKPOINT", timeout: 300)
    try await ensureSlot(name)
    let files = files
    do {
      try await BlockingQueue.once("postgres-data") { try PrivateFiles.remove(files.data(name) + "/standby.signal") }
      try await tool(
        name, "rewind", installation.program("pg_rewind"),
        [
          "-D", files.data(name), "--no-sync", "--source-server",
          "host=\(source.address) port=\(source.port) user=\(PostgresConfiguration.administrator) dbname=postgres "
            + "sslmode=disable",
        ], timeout: 1800)
    } catch let error as SupervisorError {
      // Beyond repair: the log it would need is gone, or its files are damaged.
      logger.warning("rewind failed, copying anew", metadata: ["instance": "\(name)", "error": "\(error)"])
      return try await clone(name)
    }
    update(name) { $0.needsRewind = false }
    try await persist()
    try await start(name)
  }
}
