// Groups and streams.

import AWSCore
import Foundation
import GRDB

extension LogStore {
  private static let groupColumns = """
    name, created, retentionDays, configuration,
    (SELECT coalesce(sum(bytes), 0) FROM logStream WHERE logGroup = logGroup.id),
    (SELECT coalesce(sum(events), 0) FROM logStream WHERE logGroup = logGroup.id)
    """
  private static let streamColumns = "name, created, firstEvent, lastEvent, lastIngestion, bytes, events"

  private static func group(_ row: Row) -> LogGroupRecord {
    LogGroupRecord(
      name: row[0], created: Timestamp(milliseconds: row[1]), retentionDays: row[2],
      configuration: Array(row[3] as Data), bytes: row[4], events: row[5])
  }

  private static func stream(_ row: Row) -> LogStreamRecord {
    LogStreamRecord(
      name: row[0], created: Timestamp(milliseconds: row[1]),
      firstEvent: (row[2] as Int64?).map { Timestamp(milliseconds: $0) },
      lastEvent: (row[3] as Int64?).map { Timestamp(milliseconds: $0) },
      lastIngestion: (row[4] as Int64?).map { Timestamp(milliseconds: $0) }, bytes: row[5], events: row[6])
  }

  /// The name starts with the first argument, compared as bytes (LIKE would not tell upper from lower case).
  private static let hasPrefix = "substr(CAST(name AS BLOB), 1, length(CAST(?1 AS BLOB))) = CAST(?1 AS BLOB)"

  // MARK: Groups

  /// Makes a group; ``LogStoreError/groupExists``.
  @discardableResult
  public func createGroup(
    _ name: String, retentionDays: Int? = nil, configuration: [UInt8] = [], at now: Timestamp
  ) async throws -> LogGroupRecord {
    try await committer.commit { db in
      let exists = try Int.fetchOne(db, sql: "SELECT 1 FROM logGroup WHERE name = ?", arguments: [name])
      if exists != nil { throw LogStoreError.groupExists }
      try db.execute(
        sql: "INSERT INTO logGroup (name, created, retentionDays, configuration) VALUES (?, ?, ?, ?)",
        arguments: [name, now.milliseconds, retentionDays, Data(configuration)])
      return LogGroupRecord(
        name: name, created: now, retentionDays: retentionDays, configuration: configuration, bytes: 0, events: 0)
    }
  }

  /// Nil when there is none.
  public func group(_ name: String) async throws -> LogGroupRecord? {
    try await read { db in
      try Row.fetchOne(db, sql: "SELECT \(Self.groupColumns) FROM logGroup WHERE name = ?", arguments: [name])
        .map(Self.group)
    }
  }

  /// Groups by name.
  /// - Parameter after: names above this one.
  public func groups(prefix: String = "", after: String = "", limit: Int = 10_000) async throws -> [LogGroupRecord] {
    try await read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT \(Self.groupColumns) FROM logGroup WHERE \(Self.hasPrefix) AND name > ?2 ORDER BY name LIMIT ?3
          """, arguments: [prefix, after, limit]
      ).map(Self.group)
    }
  }

  /// Changes retention or configuration in one transaction; `change` may run twice.
  @discardableResult
  public func updateGroup(
    _ name: String, _ change: @escaping @Sendable (inout LogGroupRecord) throws -> Void
  ) async throws -> LogGroupRecord {
    try await committer.commit { db in
      let row = try Row.fetchOne(
        db, sql: "SELECT \(Self.groupColumns) FROM logGroup WHERE name = ?", arguments: [name])
      guard var group = row.map(Self.group) else { throw LogStoreError.noSuchGroup }
      try change(&group)
      try db.execute(
        sql: "UPDATE logGroup SET retentionDays = ?, configuration = ? WHERE name = ?",
        arguments: [group.retentionDays, Data(group.configuration), name])
      return group
    }
  }

  /// Removes a group with its streams; their events go in the background.
  public func deleteGroup(_ name: String) async throws {
    try await committer.commit { db in
      let group = try Self.groupID(db, name)
      try db.execute(sql: "INSERT INTO doomed SELECT id FROM logStream WHERE logGroup = ?", arguments: [group])
      try db.execute(sql: "DELETE FROM logStream WHERE logGroup = ?", arguments: [group])
      try db.execute(sql: "DELETE FROM logGroup WHERE id = ?", arguments: [group])
    }
    removeDoomed()
  }

  // MARK: Streams

  /// Makes a stream; ``LogStoreError/noSuchGroup``, ``LogStoreError/streamExists``.
  @discardableResult
  public func createStream(_ name: String, group: String, at now: Timestamp) async throws -> LogStreamRecord {
    try await committer.commit { db in
      let group = try Self.groupID(db, group)
      try db.cachedStatement(
        sql: "INSERT INTO logStream (logGroup, name, created) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
      ).execute(arguments: [group, name, now.milliseconds])
      if db.changesCount == 0 { throw LogStoreError.streamExists }
      return LogStreamRecord(name: name, created: now, bytes: 0, events: 0)
    }
  }

  /// Nil when there is none; ``LogStoreError/noSuchGroup``.
  public func stream(_ name: String, group: String) async throws -> LogStreamRecord? {
    try await read { db in
      try Row.fetchOne(
        db, sql: "SELECT \(Self.streamColumns) FROM logStream WHERE logGroup = ? AND name = ?",
        arguments: [try Self.groupID(db, group), name]
      ).map(Self.stream)
    }
  }

  /// The streams of a group.
  /// - Parameters:
  ///   - newestFirst: by the time of the last event, newest first (without events last); else by name.
  ///   - offset: so many are passed over.
  public func streams(
    group: String, prefix: String = "", newestFirst: Bool = false, descending: Bool = false, offset: Int = 0,
    limit: Int = 10_000
  ) async throws -> [LogStreamRecord] {
    let order = newestFirst ? "lastEvent DESC, name" : descending ? "name DESC" : "name"
    return try await read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT \(Self.streamColumns) FROM logStream WHERE logGroup = ?2 AND \(Self.hasPrefix)
          ORDER BY \(order) LIMIT ?3 OFFSET ?4
          """, arguments: [prefix, try Self.groupID(db, group), limit, offset]
      ).map(Self.stream)
    }
  }

  /// Removes a stream; its events go in the background.
  public func deleteStream(_ name: String, group: String) async throws {
    try await committer.commit { db in
      let id = try Self.streamID(db, try Self.groupID(db, group), name)
      try db.execute(sql: "INSERT INTO doomed VALUES (?)", arguments: [id])
      try db.execute(sql: "DELETE FROM logStream WHERE id = ?", arguments: [id])
    }
    removeDoomed()
  }

  /// Removes events of streams that are gone, a few thousand at a time. What a stop interrupts goes on at the next
  /// opening.
  func removeDoomed() {
    Task { while try await removeDoomedChunk() {} }
  }

  private func removeDoomedChunk() async throws -> Bool {
    try await committer.commit(delay: 20) { db in
      guard let stream = try Int64.fetchOne(db, sql: "SELECT stream FROM doomed LIMIT 1") else { return false }
      try db.execute(
        sql: "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE stream = ? LIMIT 5000)", arguments: [stream])
      if db.changesCount == 0 { try db.execute(sql: "DELETE FROM doomed WHERE stream = ?", arguments: [stream]) }
      return true
    }
  }
}
