// The store of log events: one SQLite database, written by one group committer.

import AWSCore
import Disk
import Foundation
import GRDB
import Synchronization

/// Durable storage of log events in groups and streams. What ``append(_:group:stream:ingested:within:)`` has answered
/// survives `kill -9` and power loss. Safe for many concurrent callers; no call blocks the cooperative pool.
public final class LogStore: Sendable {
  let pool: DatabasePool
  let committer: GroupCommitter
  let threads: BlockingThreads
  private let lock: OpenFile

  struct Listener: Sendable {
    var group: String
    var streams: StreamSelection
    var continuation: AsyncStream<LogTailBatch>.Continuation
  }
  struct Listeners: Sendable {
    var next = 0
    var byID: [Int: Listener] = [:]
  }
  let listeners = Mutex(Listeners())

  /// Opens the store in a folder (made if missing).
  /// - Throws: ``LogStoreError/inUse(_:)`` when it is open already, here or in another process.
  public static func open(_ folder: String) async throws -> LogStore {
    let threads = BlockingThreads(count: 2)
    let store = try await threads.run { try LogStore(folder, threads) }
    store.removeDoomed()
    return store
  }

  private init(_ folder: String, _ threads: BlockingThreads) throws {
    try Files.makeDirectory(folder)
    guard let lock = try OpenFile.lock("\(folder)/lock") else { throw LogStoreError.inUse(folder) }
    self.lock = lock
    self.threads = threads
    pool = try openDurableDatabase("\(folder)/logs.sqlite", migrations: logMigrations)
    try Files.syncDirectory(folder)
    committer = GroupCommitter(pool)
  }

  /// Finishes what waits, ends the tails and lets go of the folder. Later calls throw.
  public func close() async throws {
    committer.close()
    endTails()
    let (pool, lock) = (pool, lock)
    try await threads.run {
      try pool.close()
      lock.unlock()
    }
  }

  /// Removes every group, stream and event; ends the tails.
  public func removeEverything() async throws {
    let isEmpty = try await read { db in
      try Int.fetchOne(db, sql: "SELECT 1 FROM logGroup UNION ALL SELECT 1 FROM doomed LIMIT 1") == nil
    }
    if isEmpty { return }
    try await committer.commit { db in
      for table in ["event", "logStream", "logGroup", "doomed"] { try db.execute(sql: "DELETE FROM \(table)") }
    }
    endTails()
  }

  func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
    let pool = pool
    return try await threads.run { try pool.read(body) }
  }

  // MARK: Ids

  static func groupID(_ db: Database, _ name: String) throws -> Int64 {
    let statement = try db.cachedStatement(sql: "SELECT id FROM logGroup WHERE name = ?")
    guard let id = try Int64.fetchOne(statement, arguments: [name]) else { throw LogStoreError.noSuchGroup }
    return id
  }

  static func streamID(_ db: Database, _ group: Int64, _ name: String) throws -> Int64 {
    let statement = try db.cachedStatement(sql: "SELECT id FROM logStream WHERE logGroup = ? AND name = ?")
    guard let id = try Int64.fetchOne(statement, arguments: [group, name]) else { throw LogStoreError.noSuchStream }
    return id
  }
}
