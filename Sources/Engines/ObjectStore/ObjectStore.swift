// The store: one folder with an index (SQLite) and the files of large contents.

import AWSCore
import Disk
import Foundation
import GRDB
import Synchronization

/// Durable, checksummed object storage. What a call has answered survives `kill -9` and power loss; what it gives
/// back is what was written, or an error.
///
/// Small contents (16 KiB) lie in the index, where one fsync covers all concurrent writers; larger ones in files of
/// checksummed blocks. Safe for many concurrent callers; no call blocks the cooperative pool.
public final class ObjectStore: Sendable {
  /// Contents up to this many bytes lie in the index.
  public static let inlineLimit = 16_384

  let pool: DatabasePool
  let committer: GroupCommitter
  let files: BlobFiles
  let threads: BlockingThreads
  let identifiers: any IdentifierSource
  let bucketCache = Mutex(BucketCache())
  let handles = HandleCache()
  private let lock: OpenFile

  /// Opens the store in a folder (made if missing) and clears away what unfinished writes left there.
  /// - Throws: ``ObjectStoreError/inUse(_:)`` when it is open already, here or in another process.
  public static func open(
    _ folder: String, identifiers: any IdentifierSource = SystemIdentifiers()
  ) async throws -> ObjectStore {
    try await open(folder, identifiers: identifiers, fault: { _ in })
  }

  /// - Parameter fault: called at each step of a large write; what it throws, the step throws.
  package static func open(
    _ folder: String, identifiers: any IdentifierSource = SystemIdentifiers(),
    fault: @escaping @Sendable (WriteStep) throws -> Void
  ) async throws -> ObjectStore {
    let threads = BlockingThreads(count: 4)
    return try await threads.run {
      try ObjectStore(folder, threads: threads, identifiers: identifiers, fault: fault)
    }
  }

  private init(
    _ folder: String, threads: BlockingThreads, identifiers: any IdentifierSource,
    fault: @escaping @Sendable (WriteStep) throws -> Void
  ) throws {
    try Files.makeDirectory(folder)
    guard let lock = try OpenFile.lock("\(folder)/lock") else { throw ObjectStoreError.inUse(folder) }
    self.lock = lock
    self.threads = threads
    self.identifiers = identifiers
    pool = try openDurableDatabase("\(folder)/index.sqlite", migrations: objectMigrations)
    let (current, lastID, known) = try pool.read { db in
      (
        try Int.fetchOne(db, sql: "SELECT folder FROM state WHERE id = 1") ?? 1,
        try Int64.fetchOne(db, sql: "SELECT max(id) FROM blob") ?? 0,
        try Int64.fetchSet(db, sql: "SELECT id FROM blob WHERE bytes IS NULL")
      )
    }
    try Files.syncDirectory(folder)
    files = BlobFiles(root: folder, folder: current, readers: threads, fault: fault)
    try files.sweep(known: known, lastID: lastID)
    committer = GroupCommitter(pool, witness: handles)
  }

  /// Finishes what waits and lets go of the folder. Later calls throw.
  public func close() async throws {
    committer.close()
    let (pool, lock) = (pool, lock)
    try await threads.run {
      try pool.close()
      lock.unlock()
    }
  }

  /// Removes every bucket, object and upload; deletes the files in the background.
  public func removeEverything() async throws {
    // Everything hangs on buckets: without one there is nothing to remove, and no fsync to wait for.
    let isEmpty = try await read { try Int.fetchOne($0, sql: "SELECT 1 FROM bucket LIMIT 1") == nil }
    if isEmpty { return }
    let folder = try await changingBuckets {
      try await committer.commit { [handles] db in
        handles.note(.all)
        for table in ["versionPart", "uploadPart", "upload", "version", "blob", "bucket"] {
          try db.execute(sql: "DELETE FROM \(table)")
        }
        try db.execute(sql: "UPDATE state SET folder = folder + 1")
        return try Int.fetchOne(db, sql: "SELECT folder FROM state") ?? 1
      }
    }
    files.startOver(folder: folder)
  }

  /// Returns when the background deletions asked for so far are done.
  package func idle() async throws {
    // Each of the threads has to come by once all earlier work is taken.
    try await withThrowingTaskGroup(of: Void.self) { group in
      let gate = Rendezvous(BlobFiles.writerCount)
      for _ in 0..<BlobFiles.writerCount { group.addTask { try await self.files.threads.run { gate.arrive() } } }
      try await group.waitForAll()
    }
  }

  // MARK: Ways in for the operations

  /// Runs in the index's one writer and deletes the files that it let go of. Durable when it returns.
  /// - Parameter objects: those whose newest version may become another one, or be changed.
  func write<T: Sendable>(
    touching objects: [ObjectKey] = [], _ body: @escaping @Sendable (Database, inout Aftermath) throws -> T
  ) async throws -> T {
    let (value, aftermath) = try await committer.commit { [handles] db in
      handles.note(objects)
      var aftermath = Aftermath()
      let value = try body(db, &aftermath)
      return (value, aftermath)
    }
    files.doom(aftermath.files)
    return value
  }

  /// Runs on a snapshot of the index.
  func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
    let pool = pool
    return try await threads.run { try pool.read(body) }
  }
}
