// Events: append, read, filter, tail, expire.

import AWSCore
import Foundation
import GRDB

extension LogStore {
  // MARK: Append

  /// Keeps events; durable when it returns.
  /// - Parameter milliseconds: how long the commit may wait for other batches to share its fsync.
  /// - Throws: ``LogStoreError/noSuchGroup``, ``LogStoreError/noSuchStream``.
  @discardableResult
  public func append(
    _ events: [NewLogEvent], group: String, stream: String, ingested now: Timestamp, within milliseconds: Int = 0
  ) async throws -> [LogEventRecord] {
    if events.isEmpty { return [] }
    let records = try await committer.commit(delay: milliseconds) { db in
      let groupID = try Self.groupID(db, group)
      let streamID = try Self.streamID(db, groupID, stream)
      let insert = try db.cachedStatement(
        sql: "INSERT INTO event (logGroup, stream, time, ingested, message) VALUES (?, ?, ?, ?, ?)")
      var bytes = 0
      var first = Int64.max
      var last = Int64.min
      var records: [LogEventRecord] = []
      records.reserveCapacity(events.count)
      for event in events {
        let message = Data(event.message.utf8)
        try insert.execute(arguments: [groupID, streamID, event.time.milliseconds, now.milliseconds, message])
        bytes += message.count
        first = min(first, event.time.milliseconds)
        last = max(last, event.time.milliseconds)
        records.append(
          LogEventRecord(
            id: db.lastInsertedRowID, stream: stream, time: event.time, ingested: now, message: event.message))
      }
      try db.cachedStatement(
        sql: """
          UPDATE logStream SET firstEvent = min(coalesce(firstEvent, ?1), ?1), lastEvent = max(coalesce(lastEvent, ?2), ?2),
            lastIngestion = ?3, bytes = bytes + ?4, events = events + ?5 WHERE id = ?6
          """
      ).execute(arguments: [first, last, now.milliseconds, bytes, events.count, streamID])
      return records
    }
    publish(records, group: group, stream: stream)
    return records
  }

  // MARK: Read

  private static let earliest = Timestamp(milliseconds: .min)
  private static let latest = Timestamp(milliseconds: .max)

  private static func event(_ row: Row, _ stream: String) -> LogEventRecord {
    LogEventRecord(
      id: row[0], stream: stream, time: Timestamp(milliseconds: row[2]), ingested: Timestamp(milliseconds: row[3]),
      message: String(decoding: row[4] as Data, as: UTF8.self))
  }

  /// Events of one stream.
  /// - Parameters:
  ///   - from: not older than this; nil from the first.
  ///   - to: older than this; nil to the last.
  ///   - limit: of events.
  ///   - byteLimit: of their messages together; one event comes even when it is larger.
  public func read(
    group: String, stream: String, from: Timestamp? = nil, to: Timestamp? = nil, start: LogStart,
    limit: Int = 10_000, byteLimit: Int = 1_048_576
  ) async throws -> LogPage {
    let (from, to) = (from ?? Self.earliest, to ?? Self.latest)
    return try await read { db in
      let id = try Self.streamID(db, try Self.groupID(db, group), stream)
      let columns = "id, stream, time, ingested, message"
      let range = "stream = ? AND time >= ? AND time < ?"
      var arguments: StatementArguments = [id, from.milliseconds, to.milliseconds]
      let sql: String
      var backwards = false
      switch start {
      case .head: sql = "SELECT \(columns) FROM event WHERE \(range) ORDER BY time, id"
      case .after(let position):
        sql = "SELECT \(columns) FROM event WHERE \(range) AND (time, id) > (?, ?) ORDER BY time, id"
        arguments += [position.time.milliseconds, position.id]
      case .tail:
        sql = "SELECT \(columns) FROM event WHERE \(range) ORDER BY time DESC, id DESC"
        backwards = true
      case .before(let position):
        sql = "SELECT \(columns) FROM event WHERE \(range) AND (time, id) < (?, ?) ORDER BY time DESC, id DESC"
        arguments += [position.time.milliseconds, position.id]
        backwards = true
      }
      var events: [LogEventRecord] = []
      var bytes = 0
      let cursor = try Row.fetchCursor(try db.cachedStatement(sql: sql), arguments: arguments)
      while events.count < limit, let row = try cursor.next() {
        let event = Self.event(row, stream)
        bytes += event.message.utf8.count
        if bytes > byteLimit, !events.isEmpty { break }
        events.append(event)
      }
      if backwards { events.reverse() }
      let given: LogPosition
      switch start {
      case .after(let position), .before(let position): given = position
      case .head, .tail: given = LogPosition(time: from, id: 0)
      }
      return LogPage(
        events: events, backward: events.first?.position ?? given, forward: events.last?.position ?? given)
    }
  }

  // MARK: Filter

  /// Matching events of a group's streams in the order of time.
  /// - Parameters:
  ///   - from: not older than this; nil from the first.
  ///   - to: older than this; nil to the last.
  ///   - after: the former page's `next`.
  ///   - limit: of events that match.
  ///   - scanLimit: of events looked at; the page ends there, with `next`.
  ///   - matching: of the message; runs on a thread of the store.
  public func filter(
    group: String, streams: StreamSelection = .all, from: Timestamp? = nil, to: Timestamp? = nil,
    after: LogPosition? = nil, limit: Int = 10_000, byteLimit: Int = 1_048_576, scanLimit: Int = 100_000,
    matching: @escaping @Sendable (String) -> Bool = { _ in true }
  ) async throws -> LogFilterPage {
    let (from, to) = (from ?? Self.earliest, to ?? Self.latest)
    return try await read { db in
      let groupID = try Self.groupID(db, group)
      var names: [Int64: String] = [:]
      let rows = try Row.fetchCursor(db, sql: "SELECT id, name FROM logStream WHERE logGroup = ?", arguments: [groupID])
      while let row = try rows.next() {
        let name: String = row[1]
        if streams.contains(name) { names[row[0]] = name }
      }
      var page = LogFilterPage(events: [], next: nil)
      if names.isEmpty || limit <= 0 { return page }
      // One stream has an index of its own; of several, the group's order of time is walked.
      let single = names.count == 1 ? names.first?.key : nil
      let sql = """
        SELECT id, stream, time, ingested, message FROM event
        WHERE \(single == nil ? "logGroup" : "stream") = ? AND time >= ? AND time < ? AND (time, id) > (?, ?)
        ORDER BY time, id
        """
      let start = after ?? LogPosition(time: from, id: 0)
      let cursor = try Row.fetchCursor(
        try db.cachedStatement(sql: sql),
        arguments: [
          single ?? groupID, from.milliseconds, to.milliseconds, start.time.milliseconds, start.id,
        ])
      var scanned = 0
      var bytes = 0
      var last = start
      while let row = try cursor.next() {
        if page.events.count == limit || scanned == scanLimit || bytes >= byteLimit {
          page.next = last
          break
        }
        scanned += 1
        last = LogPosition(time: Timestamp(milliseconds: row[2]), id: row[0])
        guard let name = names[row[1]] else { continue }
        let event = Self.event(row, name)
        if matching(event.message) {
          bytes += event.message.utf8.count
          page.events.append(event)
        }
      }
      return page
    }
  }

  // MARK: Tail

  /// Events of a group as they become durable, from now on. Of a slow reader's backlog, the oldest batches beyond
  /// 1,024 are dropped.
  public func tail(group: String, streams: StreamSelection = .all) -> AsyncStream<LogTailBatch> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: LogTailBatch.self, bufferingPolicy: .bufferingNewest(1024))
    let id = listeners.withLock { l in
      l.next += 1
      l.byID[l.next] = Listener(group: group, streams: streams, continuation: continuation)
      return l.next
    }
    continuation.onTermination = { [weak self] _ in self?.listeners.withLock { _ = $0.byID.removeValue(forKey: id) } }
    return stream
  }

  private func publish(_ events: [LogEventRecord], group: String, stream: String) {
    let interested = listeners.withLock { l in
      l.byID.isEmpty
        ? [] : l.byID.values.filter { $0.group.utf8.elementsEqual(group.utf8) && $0.streams.contains(stream) }
    }
    for listener in interested { listener.continuation.yield(LogTailBatch(group: group, events: events)) }
  }

  func endTails() {
    let all = listeners.withLock { l in
      defer { l.byID = [:] }
      return Array(l.byID.values)
    }
    for listener in all { listener.continuation.finish() }
  }

  // MARK: Expire

  /// Drops events beyond their group's retention, a few thousand a transaction; how many.
  @discardableResult
  public func expire(at now: Timestamp) async throws -> Int {
    let groups = try await read { db in
      try Row.fetchAll(db, sql: "SELECT id, retentionDays FROM logGroup WHERE retentionDays IS NOT NULL")
        .map { (id: $0[0] as Int64, days: $0[1] as Int) }
    }
    var total = 0
    for group in groups {
      let oldest = now.adding(days: -group.days).milliseconds
      while true {
        let dropped = try await committer.commit(delay: 20) { try Self.drop($0, group.id, before: oldest) }
        if dropped == 0 { break }
        total += dropped
      }
    }
    return total
  }

  private static func drop(_ db: Database, _ group: Int64, before: Int64) throws -> Int {
    let rows = try Row.fetchAll(
      db,
      sql: """
        DELETE FROM event WHERE id IN (SELECT id FROM event WHERE logGroup = ? AND time < ? ORDER BY time LIMIT 2000)
        RETURNING stream, length(message)
        """, arguments: [group, before])
    var byStream: [Int64: (events: Int, bytes: Int)] = [:]
    for row in rows {
      byStream[row[0], default: (0, 0)].events += 1
      byStream[row[0], default: (0, 0)].bytes += row[1]
    }
    for (stream, dropped) in byStream {
      try db.execute(
        sql: """
          UPDATE logStream SET events = events - ?, bytes = bytes - ?,
            firstEvent = (SELECT min(time) FROM event WHERE stream = logStream.id),
            lastEvent = (SELECT max(time) FROM event WHERE stream = logStream.id) WHERE id = ?
          """, arguments: [dropped.events, dropped.bytes, stream])
    }
    return rows.count
  }
}
