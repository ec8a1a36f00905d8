// The index's rows: every statement of SQL that objects need, and the one place that counts references to blobs.

import AWSCore
import Disk
import Foundation
import GRDB

/// What a transaction leaves to do after its commit.
struct Aftermath: Sendable {
  /// Files that no row refers to any more.
  var files: [BlobFile] = []
}

struct BucketRow {
  var id: Int64
  var versioning: Versioning
}

/// What a write has to know of a version that it puts another on top of, replaces or removes.
struct VersionRow {
  var id: Int64
  var versionID: String
  var isDeleteMarker: Bool
  var blob: Int64?
  var partCount: Int
}

extension VersionRow {
  init(_ record: ObjectRecord) {
    self.init(
      id: record.id, versionID: record.versionID, isDeleteMarker: record.isDeleteMarker, blob: record.blob,
      partCount: record.partCount)
  }
}

/// Keys as SQLite and the caller see them.
enum Key {
  static let limit = 1024

  static func data(_ key: String) throws -> Data {
    guard (1...limit).contains(key.utf8.count) else { throw ObjectStoreError.invalidKey }
    return Data(key.utf8)
  }

  /// The smallest byte string above everything that starts with the prefix. UTF-8 has no byte 0xff.
  static func after(prefix: some Sequence<UInt8>) -> Data {
    var bytes = Data(prefix)
    if let last = bytes.popLast() { bytes.append(last + 1) } else { bytes.append(0xff) }
    return bytes
  }
}

enum Rows {
  static let objectColumns =
    "id, key, versionID, marker, size, etag, modified, attributes, blob, parts"

  // MARK: Buckets

  static func bucket(_ db: Database, _ name: String) throws -> BucketRow {
    let found = try db.quick("SELECT id, versioning FROM bucket WHERE name = ?", [.text(name)]) {
      BucketRow(id: Int64($0.integer(0)), versioning: Versioning(rawValue: $0.integer(1)) ?? .off)
    }
    guard let found else { throw ObjectStoreError.noSuchBucket }
    return found
  }

  // MARK: Versions

  static func object(_ row: Row, isLatest: Bool) throws -> ObjectRecord {
    ObjectRecord(
      key: String(decoding: row[1] as Data, as: UTF8.self), versionID: row[2], isLatest: isLatest,
      isDeleteMarker: row[3], size: row[4], etag: row[5], modified: Timestamp(milliseconds: row[6]),
      attributes: try ObjectAttributes(packed: Array(row[7] as Data)), partCount: row[9], id: row[0], blob: row[8])
  }

  /// The newest version of a key, which may be a delete marker.
  static func latest(_ db: Database, _ bucket: Int64, _ key: Data) throws -> ObjectRecord? {
    let statement = try db.cachedStatement(
      sql: "SELECT \(objectColumns) FROM version WHERE bucket = ? AND key = ? ORDER BY id DESC LIMIT 1")
    return try Row.fetchOne(statement, arguments: [bucket, key]).map { try object($0, isLatest: true) }
  }

  /// The newest version of a key, no more of it than a write needs.
  static func newest(_ db: Database, _ bucket: Int64, _ key: Data) throws -> VersionRow? {
    try db.quick(
      "SELECT id, versionID, marker, blob, parts FROM version WHERE bucket = ? AND key = ? ORDER BY id DESC LIMIT 1",
      [.integer(Int(bucket)), .data(key)]
    ) { row in
      VersionRow(
        id: Int64(row.integer(0)), versionID: row.text(1), isDeleteMarker: row.integer(2) != 0,
        blob: row.isNull(3) ? nil : Int64(row.integer(3)), partCount: row.integer(4))
    }
  }

  static func version(_ db: Database, _ bucket: Int64, _ key: Data, _ versionID: String) throws -> ObjectRecord? {
    let statement = try db.cachedStatement(
      sql: """
        SELECT \(objectColumns), (SELECT max(id) FROM version WHERE bucket = ?1 AND key = ?2)
        FROM version WHERE bucket = ?1 AND key = ?2 AND versionID = ?3
        """)
    guard let row = try Row.fetchOne(statement, arguments: [bucket, key, versionID]) else { return nil }
    return try object(row, isLatest: (row[0] as Int64) == (row[10] as Int64))
  }

  /// The object asked for: a version by its id, or the newest one if that is not a delete marker.
  static func existing(_ db: Database, _ bucket: Int64, _ key: Data, _ versionID: String?) throws -> ObjectRecord {
    if let versionID {
      guard let record = try version(db, bucket, key, versionID) else { throw ObjectStoreError.noSuchVersion }
      if record.isDeleteMarker { throw ObjectStoreError.isDeleteMarker(versionID: versionID) }
      return record
    }
    guard let record = try latest(db, bucket, key) else { throw ObjectStoreError.noSuchKey(deleteMarker: nil) }
    if record.isDeleteMarker { throw ObjectStoreError.noSuchKey(deleteMarker: record.versionID) }
    return record
  }

  /// Adds a version on top of a key's others; `record.id` is ignored.
  static func insert(_ db: Database, _ bucket: Int64, _ key: Data, _ record: ObjectRecord) throws -> Int64 {
    try db.quick(
      """
      INSERT INTO version (bucket, key, versionID, current, marker, size, etag, modified, attributes, blob, parts)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        .integer(Int(bucket)), .data(key), .text(record.versionID), .integer(record.isDeleteMarker ? 0 : 1),
        .integer(record.isDeleteMarker ? 1 : 0), .integer(record.size), .text(record.etag),
        .integer(Int(record.modified.milliseconds)), .bytes(record.attributes.packed), blob(record),
        .integer(record.partCount),
      ])
    return db.lastInsertedRowID
  }

  /// Puts a version in the place of a key's newest one. The row keeps its id, so the indexes are left alone.
  static func replace(
    _ db: Database, _ old: VersionRow, with record: ObjectRecord, _ aftermath: inout Aftermath
  ) throws {
    try releaseContent(db, old, &aftermath)
    try db.quick(
      """
      UPDATE version SET versionID = ?, size = ?, etag = ?, modified = ?, attributes = ?, blob = ?, parts = ?
      WHERE id = ?
      """,
      [
        .text(record.versionID), .integer(record.size), .text(record.etag),
        .integer(Int(record.modified.milliseconds)), .bytes(record.attributes.packed), blob(record),
        .integer(record.partCount), .integer(Int(old.id)),
      ])
    // Apart, since an index stands on it.
    guard record.isDeleteMarker != old.isDeleteMarker else { return }
    try db.cachedStatement(sql: "UPDATE version SET current = ?, marker = ? WHERE id = ?")
      .execute(arguments: [!record.isDeleteMarker, record.isDeleteMarker, old.id])
  }

  private static func blob(_ record: ObjectRecord) -> SQLiteValue { record.blob.map { .integer(Int($0)) } ?? .null }

  static func setCurrent(_ db: Database, _ id: Int64, _ current: Bool) throws {
    try db.cachedStatement(sql: "UPDATE version SET current = ? WHERE id = ?").execute(arguments: [current, id])
  }

  /// Removes a version with its parts and gives up its blobs.
  static func remove(_ db: Database, _ record: VersionRow, _ aftermath: inout Aftermath) throws {
    try db.cachedStatement(sql: "DELETE FROM version WHERE id = ?").execute(arguments: [record.id])
    try releaseContent(db, record, &aftermath)
  }

  private static func releaseContent(_ db: Database, _ record: VersionRow, _ aftermath: inout Aftermath) throws {
    if let blob = record.blob { try release(db, blob, &aftermath) }
    if record.partCount > 0 {
      for part in try parts(db, "versionPart", record.id) { try release(db, part.blob, &aftermath) }
      try db.cachedStatement(sql: "DELETE FROM versionPart WHERE owner = ?").execute(arguments: [record.id])
    }
  }

  // MARK: Blobs

  /// Enters staged content with one reference.
  static func insert(_ db: Database, _ content: StagedContent) throws -> Int64 {
    // A reset removes files; what is in memory outlives it.
    if content.inline == nil {
      let folder = try db.cachedStatement(sql: "SELECT folder FROM state WHERE id = 1")
      guard try Int.fetchOne(folder) == content.file.folder else { throw ObjectStoreError.wasReset }
    }
    try db.quick(
      "INSERT INTO blob (id, folder, size, refs, bytes) VALUES (?, ?, ?, 1, ?)",
      [
        .integer(Int(content.file.id)), .integer(content.file.folder), .integer(content.size),
        content.inline.map { .bytes($0) } ?? .null,
      ])
    return content.file.id
  }

  /// One more reference; ``ObjectStoreError/sourceChanged`` when the blob is gone.
  static func retain(_ db: Database, _ blob: Int64) throws {
    try db.cachedStatement(sql: "UPDATE blob SET refs = refs + 1 WHERE id = ?").execute(arguments: [blob])
    if db.changesCount == 0 { throw ObjectStoreError.sourceChanged }
  }

  /// One reference fewer; the blob goes with the last one.
  static func release(_ db: Database, _ blob: Int64, _ aftermath: inout Aftermath) throws {
    let gone = try db.quick(
      "DELETE FROM blob WHERE id = ? AND refs = 1 RETURNING folder, bytes IS NULL", [.integer(Int(blob))]
    ) { (folder: $0.integer(0), isInFile: $0.integer(1) != 0) }
    if let gone {
      if gone.isInFile { aftermath.files.append(BlobFile(folder: gone.folder, id: blob)) }
    } else {
      try db.cachedStatement(sql: "UPDATE blob SET refs = refs - 1 WHERE id = ?").execute(arguments: [blob])
    }
  }

  static func piece(_ db: Database, _ blob: Int64) throws -> ObjectHandle.Piece {
    let statement = try db.cachedStatement(sql: "SELECT folder, size, bytes FROM blob WHERE id = ?")
    guard let row = try Row.fetchOne(statement, arguments: [blob]) else {
      throw ObjectStoreError.corrupt("blob \(blob) is not in the index")
    }
    return ObjectHandle.Piece(
      file: BlobFile(folder: row[0], id: blob), size: row[1], inline: (row[2] as Data?).map { Array($0) })
  }

  // MARK: Parts

  /// - Parameter table: `uploadPart` or `versionPart`.
  static func parts(
    _ db: Database, _ table: String, _ owner: Int64, after: Int = 0, limit: Int = 10_000
  ) throws -> [PartRecord] {
    let statement = try db.cachedStatement(
      sql: """
        SELECT number, size, etag, modified, checksums, blob FROM \(table)
        WHERE owner = ? AND number > ? ORDER BY number LIMIT ?
        """)
    return try Row.fetchAll(statement, arguments: [owner, after, limit]).map { row in
      var checksums = Unpacker(Array(row[4] as Data))
      return PartRecord(
        number: row[0], size: row[1], etag: row[2], modified: Timestamp(milliseconds: row[3]),
        checksums: try checksums.dictionary(), blob: row[5])
    }
  }

  static func insert(_ db: Database, _ table: String, _ owner: Int64, _ part: PartRecord) throws {
    var checksums = Packer()
    checksums.add(part.checksums)
    try db.cachedStatement(
      sql: """
        INSERT INTO \(table) (owner, number, size, etag, modified, checksums, blob) VALUES (?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      owner, part.number, part.size, part.etag, part.modified.milliseconds, Data(checksums.bytes), part.blob,
    ])
  }
}
