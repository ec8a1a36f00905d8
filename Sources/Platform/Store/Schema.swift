// The tables of the store itself, and how an older file becomes a newer one: forward only, by named steps.

import Crypto
import FoundationEssentials
import GRDB

enum Schema {
  /// The store's own steps, in order. Frozen: a step that has been released is never changed.
  private static let steps: [(name: String, sql: String)] = [
    (
      "store/0001-meta-and-sequences",
      """
      CREATE TABLE castle_meta (name TEXT NOT NULL PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE castle_sequence (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL,
        PRIMARY KEY (account, region, name)
      ) STRICT, WITHOUT ROWID;
      """
    )
  ]
  private static let prefix = "store/"

  /// Creates or migrates everything, in the transaction that is open.
  static func prepare(_ db: Database, _ collections: Collections, path: String) throws {
    try db.execute(sql: "CREATE TABLE IF NOT EXISTS castle_migration (name TEXT NOT NULL PRIMARY KEY) STRICT")
    let applied = try Set(String.fetchAll(db, sql: "SELECT name FROM castle_migration"))
    let unknown = applied.filter { $0.hasPrefix(prefix) }.subtracting(steps.map(\.name))
    if let newer = unknown.sorted().first {
      throw StoreError(.newerFormat, "\(path) was written by a newer Castle: this one does not know \"\(newer)\".")
    }
    for step in steps where !applied.contains(step.name) {
      try db.execute(sql: step.sql)
      try noteMigration(step.name, db)
    }
    for collection in collections.all { try db.execute(sql: collection.schema) }
    for type in collections.types { try reindexIfNeeded(type, db, collections) }
  }

  static func isMigrated(_ name: String, _ db: Database) throws -> Bool {
    try Int.fetchOne(db, sql: "SELECT 1 FROM castle_migration WHERE name = ?", arguments: [name]) != nil
  }

  static func noteMigration(_ name: String, _ db: Database) throws {
    try db.execute(sql: "INSERT INTO castle_migration (name) VALUES (?)", arguments: [name])
  }

  /// Counts how often the store was opened. Revisions begin with this number, so none is ever given twice.
  static func beginSession(_ db: Database) throws -> Int64 {
    let session = (try Int64.fetchOne(db, sql: "SELECT value FROM castle_meta WHERE name = 'session'") ?? 0) + 1
    try setMeta("session", session, db)
    return session
  }

  /// Proves that the root key is the one that this database was made with.
  static func checkRootKey(_ db: Database, directory: String) throws -> Sealer {
    let context = "castle_meta/root-key-check"
    let key = try RootKey.read(directory: directory)
    guard let check = try Data.fetchOne(db, sql: "SELECT value FROM castle_meta WHERE name = 'root-key-check'") else {
      let sealer = Sealer(key: try key ?? RootKey.create(directory: directory))
      try setMeta("root-key-check", Data(try sealer.seal(Array("castle".utf8), context: context)), db)
      return sealer
    }
    let path = "\(directory)/\(RootKey.fileName)"
    guard let key else {
      throw StoreError(.rootKeyMissing, "\(path) is missing; without it the sealed data cannot be read.")
    }
    let sealer = Sealer(key: key)
    do {
      _ = try sealer.open(Array(check), context: context)
    } catch {
      throw StoreError(.rootKeyWrong, "\(path) is not the root key that this store was made with.")
    }
    return sealer
  }

  private static func setMeta(_ name: String, _ value: any DatabaseValueConvertible, _ db: Database) throws {
    try db.execute(
      sql:
        "INSERT INTO castle_meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      arguments: [name, value])
  }

  private static func reindexIfNeeded<R: Record>(_ type: R.Type, _ db: Database, _ collections: Collections) throws {
    let name = "index-version/\(R.collection)"
    let known = try Int.fetchOne(db, sql: "SELECT value FROM castle_meta WHERE name = ?", arguments: [name])
    guard known != R.indexVersion else { return }
    if known != nil {
      let transaction = Transaction(
        db: db, collections: collections, cache: RecordCache(costMax: 0), nextRevision: { 0 })
      let sql = try collections.sql(type)
      for (scope, record) in try transaction.list(type) {
        try transaction.putIndex(sql, scope, record.recordID, record.recordIndex)
      }
    }
    try setMeta(name, R.indexVersion, db)
  }
}
