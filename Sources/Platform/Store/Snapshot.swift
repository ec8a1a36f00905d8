// Reading: the state at one moment.

import FoundationEssentials
import GRDB

/// A consistent view of the whole store, valid only inside the closure that was given it.
///
/// ``Transaction`` is a snapshot too, so a helper that takes a `Snapshot` works in both.
public class Snapshot {
  /// The connection, for services with tables of their own. Collections are not to be changed through it.
  public let db: Database
  let collections: Collections
  let cache: RecordCache
  /// The cache's position before this snapshot was taken; nil when it sees uncommitted changes.
  private let position: UInt64?

  init(db: Database, collections: Collections, cache: RecordCache, position: UInt64?) {
    self.db = db
    self.collections = collections
    self.cache = cache
    self.position = position
  }

  /// The document with that id, or nil.
  /// - Throws: `StoreError` (`undecodable`, `unknownCollection`) or `DatabaseError`, like all the reads here.
  public func get<R: Record>(_ type: R.Type, _ scope: Scope, _ id: String) throws -> R? {
    let sql = try collections.sql(type)
    let key = RecordKey(collection: sql.name, scope: scope, id: id)
    if let record = try first(sql.get, [scope.account, scope.region, id], { try decode(type, $0, key) }) {
      return record
    }
    if let position { cache.insert(key, .init(revision: 0, value: nil), cost: 0, readAfter: position) }
    return nil
  }

  /// The documents of a scope, ordered by id (bytewise).
  /// - Parameters:
  ///   - after: only ids greater than this one, for paging.
  ///   - limit: at most so many.
  public func list<R: Record>(
    _ type: R.Type, _ scope: Scope, after: String? = nil, limit: Int? = nil
  ) throws -> [R] {
    let sql = try collections.sql(type)
    let rows = try cursor(sql.list, [scope.account, scope.region, after ?? "", limit.map { max($0, 0) } ?? -1])
    var result: [R] = []
    while let row = try rows.next() {
      result.append(try decode(type, row, RecordKey(collection: sql.name, scope: scope, id: row[2])))
    }
    return result
  }

  /// The documents of all scopes, ordered by account, region and id.
  public func list<R: Record>(_ type: R.Type) throws -> [(Scope, R)] {
    let sql = try collections.sql(type)
    return try scoped(type, sql, cursor(sql.listEverywhere, []))
  }

  /// The documents of a scope whose ``Record/recordIndex`` has that value under that name, ordered by id.
  public func find<R: Record>(_ type: R.Type, _ scope: Scope, index: String, _ value: String) throws -> [R] {
    let sql = try collections.sql(type)
    let rows = try cursor(sql.find, [index, value, scope.account, scope.region])
    var result: [R] = []
    while let row = try rows.next() {
      result.append(try decode(type, row, RecordKey(collection: sql.name, scope: scope, id: row[2])))
    }
    return result
  }

  /// The documents of all scopes with that index value, ordered by account, region and id.
  public func find<R: Record>(_ type: R.Type, index: String, _ value: String) throws -> [(Scope, R)] {
    let sql = try collections.sql(type)
    return try scoped(type, sql, cursor(sql.findEverywhere, [index, value]))
  }

  /// How many documents a scope has.
  public func count<R: Record>(_ type: R.Type, _ scope: Scope) throws -> Int {
    try first(collections.sql(type).count, [scope.account, scope.region]) { $0[0] } ?? 0
  }

  /// How many documents there are in all scopes.
  public func count<R: Record>(_ type: R.Type) throws -> Int {
    try first(collections.sql(type).countEverywhere, []) { $0[0] } ?? 0
  }

  /// The number that ``Transaction/nextNumber(_:_:)`` gave last, 0 when it never gave one.
  public func lastNumber(_ name: String, _ scope: Scope) throws -> Int {
    try first(
      "SELECT value FROM castle_sequence WHERE account = ? AND region = ? AND name = ?",
      [scope.account, scope.region, name]
    ) { $0[0] } ?? 0
  }

  // MARK: -

  func cursor(_ sql: String, _ arguments: StatementArguments) throws -> RowCursor {
    try Row.fetchCursor(db.cachedStatement(sql: sql), arguments: arguments)
  }

  /// What `body` makes of the first row. GRDB's rows are only good while their cursor lives, hence the extension.
  func first<T>(_ sql: String, _ arguments: StatementArguments, _ body: (Row) throws -> T) throws -> T? {
    let rows = try cursor(sql, arguments)
    return try withExtendedLifetime(rows) { try rows.next().map(body) }
  }

  private func scoped<R: Record>(_ type: R.Type, _ sql: CollectionSQL, _ rows: RowCursor) throws -> [(Scope, R)] {
    var result: [(Scope, R)] = []
    while let row = try rows.next() {
      let scope = Scope(account: row[3], region: row[4])
      result.append((scope, try decode(type, row, RecordKey(collection: sql.name, scope: scope, id: row[2]))))
    }
    return result
  }

  /// Columns 0 and 1 are revision and document. A revision is never given twice, so a decoded document of the same
  /// revision is the same document, whatever this snapshot sees.
  private func decode<R: Record>(_ type: R.Type, _ row: Row, _ key: RecordKey) throws -> R {
    let revision: Int64 = row[0]
    if let known = cache.decoded(key, revision: revision) as? R { return known }
    return try row.withUnsafeData(atIndex: 1) { data in
      let json = data ?? Data()
      let record = try Document.decode(type, json, scope: key.scope, id: key.id)
      if let position {
        cache.insert(key, .init(revision: revision, value: record), cost: json.count, readAfter: position)
      }
      return record
    }
  }
}
