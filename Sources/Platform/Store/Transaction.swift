// Writing: everything a closure does, or nothing of it.

import GRDB

/// A write in progress: a ``Snapshot`` that sees its own changes.
public final class Transaction: Snapshot {
  private let nextRevision: () -> Int64
  private(set) var touched = Touched()

  init(db: Database, collections: Collections, cache: RecordCache, nextRevision: @escaping () -> Int64) {
    self.nextRevision = nextRevision
    super.init(db: db, collections: collections, cache: cache, position: nil)
  }

  /// Stores the record under its id, in place of what was there. When the very same document was there already,
  /// nothing is written and nobody is woken.
  /// - Throws: `StoreError` (`invalidRecord` for an empty id, `unencodable`, `unknownCollection`) or `DatabaseError`.
  public func put<R: Record>(_ record: R, _ scope: Scope) throws {
    let sql = try collections.sql(R.self)
    let id = record.recordID
    guard !id.isEmpty else { throw StoreError(.invalidRecord, "A record of \(R.collection) has an empty id.") }
    let document = try Document.encode(record)
    let existing: String? = try first(sql.get, [scope.account, scope.region, id]) { $0[1] }
    if existing == document { return }
    try run(sql.put, [scope.account, scope.region, id, nextRevision(), document])
    try putIndex(sql, scope, id, record.recordIndex)
    touch(sql.name, scope, id)
  }

  /// Removes the document with that id.
  /// - Returns: whether there was one.
  @discardableResult
  public func delete<R: Record>(_ type: R.Type, _ scope: Scope, _ id: String) throws -> Bool {
    let sql = try collections.sql(type)
    try run(sql.delete, [scope.account, scope.region, id])
    guard db.changesCount > 0 else { return false }
    try putIndex(sql, scope, id, [:])
    touch(sql.name, scope, id)
    return true
  }

  /// The next number of a named sequence of the scope: 1, 2, 3 … Without gaps, except that a failed transaction
  /// gives its numbers back.
  public func nextNumber(_ name: String, _ scope: Scope) throws -> Int {
    let rows = try cursor(
      """
      INSERT INTO castle_sequence (account, region, name, value) VALUES (?, ?, ?, 1)
      ON CONFLICT (account, region, name) DO UPDATE SET value = value + 1 RETURNING value
      """, [scope.account, scope.region, name])
    var value = 0
    while let row = try rows.next() { value = row[0] }
    return value
  }

  /// Wakes the subscribers of that name after the commit, for services that change tables of their own through `db`.
  public func noteChange(in collection: String) { touched.groups.insert(collection) }

  // MARK: -

  /// After changes that bypassed `put` and `delete`.
  func noteChangeOfEverything() { touched.everything = true }

  /// Empties all tables but the store's own notes.
  func removeEverything() throws {
    let kept: Set<String> = ["castle_meta", "castle_migration"]
    try db.execute(sql: "PRAGMA defer_foreign_keys = ON")
    let tables = try Row.fetchAll(db, sql: "PRAGMA table_list")
    for table in tables {
      let name: String = table["name"]
      let kind: String = table["type"]
      guard table["schema"] == "main", kind == "table" || kind == "virtual", !kept.contains(name),
        !name.hasPrefix("sqlite_")
      else { continue }
      try db.execute(sql: "DELETE FROM \(name.quotedDatabaseIdentifier)")
    }
    noteChangeOfEverything()
  }

  /// Brings the rows of the side table in line with the record's index.
  func putIndex(_ sql: CollectionSQL, _ scope: Scope, _ id: String, _ wanted: [String: String]) throws {
    var missing = wanted
    var obsolete: [(String, String)] = []
    let rows = try cursor(sql.indexOf, [scope.account, scope.region, id])
    while let row = try rows.next() {
      let name: String = row[0]
      let value: String = row[1]
      if missing[name] == value { missing[name] = nil } else { obsolete.append((name, value)) }
    }
    for (name, value) in obsolete { try run(sql.indexDelete, [name, value, scope.account, scope.region, id]) }
    for (name, value) in missing { try run(sql.indexPut, [name, value, scope.account, scope.region, id]) }
  }

  private func run(_ sql: String, _ arguments: StatementArguments) throws {
    try db.cachedStatement(sql: sql).execute(arguments: arguments)
  }

  private func touch(_ collection: String, _ scope: Scope, _ id: String) {
    touched.insert(RecordKey(collection: collection, scope: scope, id: id))
  }
}
