// The control plane's state: one SQLite file, one writer with group commit, many readers, a cache of documents.

import Disk
import Dispatch
import FoundationEssentials
import GRDB
import Synchronization

/// Everything that Castle's services know, durable before it is acknowledged.
///
/// SQLite in WAL mode with `synchronous = FULL`: a write returns when it is on the disk. One process at a time.
public final class Store: Sendable {
  /// Encrypts under this installation's root key.
  public let sealer: Sealer
  /// The folder with state.sqlite, root.key and store.lock.
  public let directory: String

  private let pool: DatabasePool
  private let collections: Collections
  private let cache: RecordCache
  private let hub: ChangeHub
  private let committer: GroupCommitter
  private let revision: Atomic<Int64>
  private let lock: Mutex<OpenFile?>

  /// How many readers may be at work at the same time.
  private static let readersMax = 4
  /// At most so many writes share a commit, so that the first does not wait for ever.
  private static let groupMax = 256
  /// How long, in seconds, another program that looks into the file (a backup, the sqlite3 shell) may hold it up.
  private static let busySecondsMax = 5.0
  /// How many bits of a revision count within a session.
  private static let revisionBits: Int64 = 40

  /// Opens the store, making folder, file, tables and root key as needed. Blocks for some milliseconds.
  /// - Parameters:
  ///   - directory: the folder; made with mode 0700.
  ///   - collections: all record types that will be used; each gets its tables.
  ///   - cacheBytesMax: how much JSON the cache of decoded documents may stand for.
  /// - Throws: `StoreError` (`alreadyOpen`, `rootKey…`, `newerFormat`, `invalidCollection`, `undecodable`, `system`)
  ///   or `DatabaseError`.
  public init(directory: String, collections types: [any Record.Type], cacheBytesMax: Int = 64 << 20) throws {
    let collections = try Collections(types)
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let lock = try lockDirectory(directory)
    let path = "\(directory)/state.sqlite"
    var configuration = Configuration()
    configuration.label = "castle.store"
    configuration.maximumReaderCount = Self.readersMax
    configuration.busyMode = .timeout(Self.busySecondsMax)
    configuration.persistentReadOnlyConnections = true
    let pool = try DatabasePool(path: path, configuration: configuration)
    let (sealer, session) = try pool.writeWithoutTransaction { db in
      // GRDB sets NORMAL when it opens a pool; that would lose acknowledged writes when the power fails.
      try db.execute(sql: "PRAGMA synchronous = FULL")
      var result: (Sealer, Int64)?
      try db.inTransaction(.immediate) {
        try Schema.prepare(db, collections, path: path)
        result = (try Schema.checkRootKey(db, directory: directory), try Schema.beginSession(db))
        return .commit
      }
      guard let result else { throw StoreError(.transactionAborted, "\(path) could not be prepared.") }
      return result
    }
    try syncDirectory(directory)
    self.directory = directory
    self.collections = collections
    self.pool = pool
    self.sealer = sealer
    let hub = ChangeHub()
    self.hub = hub
    cache = RecordCache(costMax: cacheBytesMax) { hub.publish($0) }
    committer = GroupCommitter(pool, isolation: .savepoints, groupMax: Self.groupMax, witness: cache)
    revision = Atomic(session << Self.revisionBits)
    self.lock = Mutex(lock)
  }

  // MARK: - Writing

  /// Runs one transaction and returns when it is durable. Decide inside the closure, by what the transaction reads.
  ///
  /// The closure runs on the writer's thread, after the writes that came before; concurrent writes share a commit.
  /// When it throws, only its own changes are undone. A cancelled task does not undo a write that it asked for.
  /// - Throws: what `body` throws, or `DatabaseError`/`StoreError` when the commit failed: then nothing was stored.
  @discardableResult
  public func write<T: Sendable>(_ body: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
    do {
      return try await committer.commit { db in
        let transaction = self.transaction(db)
        let value = try body(transaction)
        self.cache.note(transaction.touched)
        return value
      }
    } catch is GroupCommitter.RolledBack {
      throw StoreError(.transactionAborted, "SQLite rolled back the transaction; nothing of it was stored.")
    }
  }

  /// Empties all tables, also those of services; the root key and the migrations stay. Subscribers are woken.
  public func removeEverything() async throws {
    try await write { try $0.removeEverything() }
  }

  private func transaction(_ db: Database) -> Transaction {
    Transaction(db: db, collections: collections, cache: cache) {
      self.revision.wrappingAdd(1, ordering: .relaxed).newValue
    }
  }

  // MARK: - Reading

  /// Runs reads against one consistent snapshot that has every acknowledged write.
  ///
  /// The closure runs on a reader's thread. For a single document ``get(_:_:_:)`` is far quicker.
  /// - Throws: what `body` throws, `DatabaseError`, or `CancellationError` when the task is cancelled.
  public func read<T: Sendable>(_ body: @Sendable (Snapshot) throws -> T) async throws -> T {
    let position = cache.position
    return try await pool.read { db in
      try body(Snapshot(db: db, collections: self.collections, cache: self.cache, position: position))
    }
  }

  /// The document with that id, or nil: the hot path. A document that was read before comes from memory, without
  /// leaving the caller's thread; it still has every acknowledged write.
  /// - Throws: as ``read(_:)``.
  public nonisolated(nonsending) func get<R: Record>(_ type: R.Type, _ scope: Scope, _ id: String) async throws -> R? {
    if let entry = cache.current(RecordKey(collection: R.collection, scope: scope, id: id)) {
      guard let value = entry.value else { return nil }
      if let record = value as? R { return record }
    }
    return try await read { try $0.get(type, scope, id) }
  }

  // MARK: - Changes

  /// Wakes up after commits that touched one of the collections. What happens while the subscriber is busy is
  /// joined into one batch. Subscribe first, then read the state, then wait.
  ///
  /// The stream ends when the store is closed or the task is cancelled.
  public func changes(in collections: Set<String>) -> AsyncStream<ChangeBatch> { hub.subscribe(collections) }

  // MARK: - Evolution

  /// Runs a step once in this file's life, for services with tables of their own.
  /// - Parameter name: `<service>/<number>-<what>`, as in "s3/0001-objects"; never used for anything else again.
  public func migrate(named name: String, _ body: @escaping @Sendable (Database) throws -> Void) async throws {
    try await migrateRecords(named: name) { try body($0.db) }
  }

  /// Runs a step once in this file's life, for records that change their shape.
  /// - Parameter name: `<service>/<number>-<what>`; never used for anything else again.
  public func migrateRecords(named name: String, _ body: @escaping @Sendable (Transaction) throws -> Void) async throws
  {
    try await write { transaction in
      guard try !Schema.isMigrated(name, transaction.db) else { return }
      try body(transaction)
      try Schema.noteMigration(name, transaction.db)
      transaction.noteChangeOfEverything()
    }
  }

  // MARK: - End

  /// Ends the streams, waits for writes already asked for, and closes the file. Later reads and writes fail.
  public func close() async throws {
    try await write { _ in }
    committer.close()
    hub.finish()
    try await withCheckedThrowingContinuation { (caller: CheckedContinuation<Void, any Error>) in
      // Closing waits for the writer, so it must happen on a thread that may block.
      closing.async {
        caller.resume(
          with: Result {
            try self.pool.close()
            self.lock.withLock { $0 = nil }
          })
      }
    }
  }
}

/// Where a store waits while it closes.
private let closing = DispatchQueue(label: "castle.store.closing")
