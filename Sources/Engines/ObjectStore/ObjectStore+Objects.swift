// Objects: put, get, head, delete, copy, and changes of what is known about them.

import AWSCore
import Foundation
import GRDB

/// What a delete did.
public struct DeleteResult: Sendable, Equatable {
  /// The version removed, or the delete marker made; nil where there are no versions.
  public var versionID: String?
  /// A delete marker was made, or the version removed was one.
  public var isDeleteMarker: Bool
  /// Something was there to delete.
  public var existed: Bool
}

extension ObjectStore {
  // MARK: Put

  /// Begins to take content.
  /// - Parameters:
  ///   - digests: further checksums to compute; they arrive in ``StagedContent/checksums`` and, on put, in the
  ///     attributes.
  ///   - key: encrypts the content, with AES-256-GCM per block.
  public func writer(digests: [String: any ContentDigest] = [:], key: DataKey? = nil) -> ObjectWriter {
    let encoder = ContentEncoder(key: key, salt: identifiers.randomBytes(8), digests: digests, files: files)
    return ObjectWriter(encoder, files, inlineLimit: Self.inlineLimit)
  }

  /// Stages content that is in memory already.
  public func stage(
    _ bytes: [UInt8], digests: [String: any ContentDigest] = [:], key: DataKey? = nil
  ) async throws -> StagedContent {
    if bytes.count <= Self.inlineLimit {
      return try ContentEncoder(key: key, salt: identifiers.randomBytes(8), digests: digests, files: files)
        .finishInline(bytes, files)
    }
    let writer = writer(digests: digests, key: key)
    try await writer.append(bytes)
    return try await writer.finish()
  }

  /// Makes staged content an object. Durable when it returns; until then readers see the former one.
  /// - Parameters:
  ///   - etag: instead of the content's MD5.
  ///   - condition: decided in the same transaction.
  @discardableResult
  public func put(
    _ content: StagedContent, bucket: String, key: String, attributes: ObjectAttributes = ObjectAttributes(),
    etag: String? = nil, condition: WriteCondition = .always, at now: Timestamp
  ) async throws -> ObjectRecord {
    let keyData = try Key.data(key)
    var attributes = attributes
    attributes.checksums.merge(content.checksums) { _, computed in computed }
    let record = ObjectRecord(
      key: key, versionID: Self.nullVersionID, isLatest: true, isDeleteMarker: false, size: content.size,
      etag: etag ?? content.etag, modified: now, attributes: attributes, partCount: 0, id: 0,
      blob: content.file.id)
    return try await content.use {
      try await write(touching: [ObjectKey(bucket: bucket, key: key)]) { [identifiers] db, aftermath in
        let bucket = try Rows.bucket(db, bucket)
        let latest = try Self.check(db, bucket, keyData, condition)
        _ = try Rows.insert(db, content)
        var record = record
        if bucket.versioning == .enabled { record.versionID = Self.newVersionID(identifiers) }
        return try Self.push(db, bucket, keyData, record, over: latest, &aftermath)
      }
    }
  }

  /// Puts bytes that are in memory.
  @discardableResult
  public func put(
    _ bytes: [UInt8], bucket: String, key: String, attributes: ObjectAttributes = ObjectAttributes(),
    encryption: DataKey? = nil, condition: WriteCondition = .always, at now: Timestamp
  ) async throws -> ObjectRecord {
    try await put(
      stage(bytes, key: encryption), bucket: bucket, key: key, attributes: attributes, condition: condition, at: now)
  }

  /// What a version is called that was made while versioning was not enabled.
  static let nullVersionID = "null"

  func newVersionID() -> String { Self.newVersionID(identifiers) }

  private static func newVersionID(_ identifiers: any IdentifierSource) -> String { identifiers.alphanumeric(32) }

  /// The newest version, once the condition has agreed.
  static func check(
    _ db: Database, _ bucket: BucketRow, _ key: Data, _ condition: WriteCondition
  ) throws -> VersionRow? {
    guard let check = condition.check else { return try Rows.newest(db, bucket.id, key) }
    let latest = try Rows.latest(db, bucket.id, key)
    try check(latest?.isDeleteMarker == true ? nil : latest)
    return latest.map { VersionRow($0) }
  }

  /// Adds a version on top, as the bucket's versioning wants it.
  static func push(
    _ db: Database, _ bucket: BucketRow, _ key: Data, _ record: ObjectRecord, over latest: VersionRow?,
    _ aftermath: inout Aftermath
  ) throws -> ObjectRecord {
    var record = record
    if bucket.versioning != .enabled {
      record.versionID = nullVersionID
      if let null = latest, null.versionID == nullVersionID {
        record.id = null.id
        try Rows.replace(db, null, with: record, &aftermath)
        return record
      } else if latest != nil, let null = try Rows.version(db, bucket.id, key, nullVersionID) {
        try Rows.remove(db, VersionRow(null), &aftermath)
      }
    }
    if let latest, !latest.isDeleteMarker { try Rows.setCurrent(db, latest.id, false) }
    record.id = try Rows.insert(db, bucket.id, key, record)
    return record
  }

  // MARK: Get

  /// What is known of an object.
  /// - Throws: ``ObjectStoreError/noSuchKey(deleteMarker:)``, ``ObjectStoreError/noSuchVersion``,
  ///   ``ObjectStoreError/isDeleteMarker(versionID:)``, ``ObjectStoreError/noSuchBucket``.
  public func head(bucket: String, key: String, versionID: String? = nil) async throws -> ObjectRecord {
    let keyData = try Key.data(key)
    if versionID == nil, let known = handles.current(ObjectKey(bucket: bucket, key: key)) { return known.record }
    return try await read { db in
      try Rows.existing(db, Rows.bucket(db, bucket).id, keyData, versionID)
    }
  }

  /// Finds an object for reading; throws as ``head(bucket:key:versionID:)`` does.
  public func get(bucket: String, key: String, versionID: String? = nil) async throws -> ObjectHandle {
    let keyData = try Key.data(key)
    let address = ObjectKey(bucket: bucket, key: key)
    if versionID == nil, let known = handles.current(address) { return known }
    // Before the look-up: what that finds is not deleted under the reader.
    let ticket = files.ticket()
    let files = files
    let position = handles.position
    let found = try await read { db in
      let record = try Rows.existing(db, Rows.bucket(db, bucket).id, keyData, versionID)
      let parts = record.partCount == 0 ? [] : try Rows.parts(db, "versionPart", record.id)
      let pieces = try (record.blob.map { [$0] } ?? parts.map(\.blob)).map { try Rows.piece(db, $0) }
      let inMemory = pieces.allSatisfy { $0.inline != nil }
      return ObjectHandle(
        record: record, parts: parts, pieces: pieces, files: files, ticket: inMemory ? nil : ticket)
    }
    if versionID == nil { handles.insert(address, found, readAfter: position) }
    return found
  }

  // MARK: Delete

  /// Deletes an object or a version. Deleting what is not there is no error.
  /// - Parameters:
  ///   - versionID: this version, for good; nil: the object, which leaves a delete marker where versions are kept.
  ///   - condition: sees the version that goes (or the newest one).
  @discardableResult
  public func delete(
    bucket: String, key: String, versionID: String? = nil, condition: WriteCondition = .always, at now: Timestamp
  ) async throws -> DeleteResult {
    let keyData = try Key.data(key)
    let marker = newVersionID()
    return try await write(touching: [ObjectKey(bucket: bucket, key: key)]) { db, aftermath in
      let bucket = try Rows.bucket(db, bucket)
      return try Self.delete(db, bucket, keyData, versionID, marker: marker, condition, now, &aftermath)
    }
  }

  /// Deletes many in one transaction. One result each, in order; only the condition and the keys can fail.
  public func delete(
    bucket: String, _ objects: [(key: String, versionID: String?)], condition: WriteCondition = .always,
    at now: Timestamp
  ) async throws -> [Result<DeleteResult, any Error>] {
    let items = objects.map { (key: $0.key, versionID: $0.versionID, marker: newVersionID()) }
    let touched = objects.map { ObjectKey(bucket: bucket, key: $0.key) }
    return try await write(touching: touched) { db, aftermath in
      let bucket = try Rows.bucket(db, bucket)
      var results: [Result<DeleteResult, any Error>] = []
      for item in items {
        do {
          let key = try Key.data(item.key)
          results.append(
            .success(
              try Self.delete(db, bucket, key, item.versionID, marker: item.marker, condition, now, &aftermath)))
        } catch let error as DatabaseError {
          throw error
        } catch {
          results.append(.failure(error))
        }
      }
      return results
    }
  }

  private static func delete(
    _ db: Database, _ bucket: BucketRow, _ key: Data, _ versionID: String?, marker: String,
    _ condition: WriteCondition, _ now: Timestamp, _ aftermath: inout Aftermath
  ) throws -> DeleteResult {
    if let versionID {
      let version = try Rows.version(db, bucket.id, key, versionID)
      try condition.check?(version)
      guard let version else { return DeleteResult(versionID: versionID, isDeleteMarker: false, existed: false) }
      try Rows.remove(db, VersionRow(version), &aftermath)
      if version.isLatest, let next = try Rows.newest(db, bucket.id, key), !next.isDeleteMarker {
        try Rows.setCurrent(db, next.id, true)
      }
      return DeleteResult(versionID: versionID, isDeleteMarker: version.isDeleteMarker, existed: true)
    }
    let latest = try check(db, bucket, key, condition)
    let existed = latest.map { !$0.isDeleteMarker } ?? false
    if bucket.versioning == .off {
      if let latest { try Rows.remove(db, latest, &aftermath) }
      return DeleteResult(versionID: nil, isDeleteMarker: false, existed: existed)
    }
    let record = ObjectRecord(
      key: "", versionID: marker, isLatest: true, isDeleteMarker: true, size: 0, etag: "", modified: now,
      attributes: ObjectAttributes(), partCount: 0, id: 0, blob: nil)
    let made = try push(db, bucket, key, record, over: latest, &aftermath)
    return DeleteResult(versionID: made.versionID, isDeleteMarker: true, existed: existed)
  }

  // MARK: Copy and change

  /// Copies without moving bytes: the new object shares the source's content (and so its encryption and etag).
  /// The source may be the object itself, to change what is known of it. To re-encrypt, write the source's body
  /// through a writer instead.
  /// - Throws: ``ObjectStoreError/sourceChanged`` when the source was replaced since it was found.
  @discardableResult
  public func copy(
    _ source: ObjectHandle, bucket: String, key: String, attributes: ObjectAttributes, etag: String? = nil,
    condition: WriteCondition = .always, at now: Timestamp
  ) async throws -> ObjectRecord {
    let keyData = try Key.data(key)
    var record = source.record
    record.key = key
    record.versionID = newVersionID()
    record.isLatest = true
    record.modified = now
    record.attributes = attributes
    record.etag = etag ?? record.etag
    let target = record
    let parts = source.parts
    return try await write(touching: [ObjectKey(bucket: bucket, key: key)]) { db, aftermath in
      let bucket = try Rows.bucket(db, bucket)
      let latest = try Self.check(db, bucket, keyData, condition)
      // Before the former object of this key lets go of them.
      for blob in target.blob.map({ [$0] }) ?? parts.map(\.blob) { try Rows.retain(db, blob) }
      let copied = try Self.push(db, bucket, keyData, target, over: latest, &aftermath)
      for part in parts { try Rows.insert(db, "versionPart", copied.id, part) }
      return copied
    }
  }

  /// Changes what is known of a version in place (tags, retention, restore state); `change` may run twice.
  @discardableResult
  public func update(
    bucket: String, key: String, versionID: String? = nil,
    _ change: @escaping @Sendable (inout ObjectAttributes) throws -> Void
  ) async throws -> ObjectRecord {
    let keyData = try Key.data(key)
    return try await write(touching: [ObjectKey(bucket: bucket, key: key)]) { db, _ in
      var record = try Rows.existing(db, Rows.bucket(db, bucket).id, keyData, versionID)
      try change(&record.attributes)
      try db.cachedStatement(sql: "UPDATE version SET attributes = ? WHERE id = ?")
        .execute(arguments: [Data(record.attributes.packed), record.id])
      return record
    }
  }
}
