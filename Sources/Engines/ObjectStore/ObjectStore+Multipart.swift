// Multipart uploads. Completing one moves references; no byte is written again.

import AWSCore
import Crypto
import Foundation
import GRDB

/// A part as the caller of ``ObjectStore/complete(_:bucket:key:parts:minimumPartSize:condition:at:attributes:)`` names it.
public struct CompletedPart: Sendable, Equatable {
  public var number: Int
  /// Without quotes; nil is not compared.
  public var etag: String?
  /// Algorithm → base64; each is compared with what the part has.
  public var checksums: [String: String]

  public init(number: Int, etag: String? = nil, checksums: [String: String] = [:]) {
    self.number = number
    self.etag = etag
    self.checksums = checksums
  }
}

/// One page of unfinished uploads.
public struct UploadPage: Sendable, Equatable {
  /// By key, then in the order they were begun.
  public var uploads: [UploadRecord] = []
  public var commonPrefixes: [String] = []
  /// Where the next page begins; nil when this is the last one.
  public var next: Position?

  public struct Position: Sendable, Equatable {
    public var key: String
    /// Nil after a common prefix.
    public var uploadID: String?
    public init(key: String, uploadID: String? = nil) {
      self.key = key
      self.uploadID = uploadID
    }
  }
}

extension ObjectStore {
  private static let uploadColumns = "id, bucket, key, uploadID, initiated, attributes"

  private static func upload(_ row: Row) throws -> UploadRecord {
    UploadRecord(
      uploadID: row[3], key: String(decoding: row[2] as Data, as: UTF8.self),
      initiated: Timestamp(milliseconds: row[4]), attributes: try ObjectAttributes(packed: Array(row[5] as Data)),
      id: row[0], bucket: row[1])
  }

  private static func upload(_ db: Database, _ bucket: String, _ key: Data, _ uploadID: String) throws -> UploadRecord {
    let bucket = try Rows.bucket(db, bucket)
    let statement = try db.cachedStatement(
      sql: "SELECT \(uploadColumns) FROM upload WHERE uploadID = ? AND bucket = ? AND key = ?")
    guard let row = try Row.fetchOne(statement, arguments: [uploadID, bucket.id, key]) else {
      throw ObjectStoreError.noSuchUpload
    }
    return try upload(row)
  }

  static func remove(_ db: Database, upload: Int64, _ aftermath: inout Aftermath) throws {
    for part in try Rows.parts(db, "uploadPart", upload) { try Rows.release(db, part.blob, &aftermath) }
    try db.cachedStatement(sql: "DELETE FROM uploadPart WHERE owner = ?").execute(arguments: [upload])
    try db.cachedStatement(sql: "DELETE FROM upload WHERE id = ?").execute(arguments: [upload])
  }

  /// Begins an upload.
  /// - Parameter attributes: what the object will have.
  public func createUpload(
    bucket: String, key: String, attributes: ObjectAttributes = ObjectAttributes(), at now: Timestamp
  ) async throws -> UploadRecord {
    let keyData = try Key.data(key)
    let uploadID = identifiers.alphanumeric(64)
    return try await write { db, _ in
      let bucket = try Rows.bucket(db, bucket)
      try db.cachedStatement(
        sql: "INSERT INTO upload (bucket, key, uploadID, initiated, attributes) VALUES (?, ?, ?, ?, ?)"
      ).execute(arguments: [bucket.id, keyData, uploadID, now.milliseconds, Data(attributes.packed)])
      return UploadRecord(
        uploadID: uploadID, key: key, initiated: now, attributes: attributes, id: db.lastInsertedRowID,
        bucket: bucket.id)
    }
  }

  /// An unfinished upload; ``ObjectStoreError/noSuchUpload``.
  public func upload(bucket: String, key: String, uploadID: String) async throws -> UploadRecord {
    let keyData = try Key.data(key)
    return try await read { try Self.upload($0, bucket, keyData, uploadID) }
  }

  /// Makes staged content a part, in place of a former one of this number. Durable when it returns.
  public func putPart(
    _ content: StagedContent, bucket: String, key: String, uploadID: String, number: Int,
    checksums: [String: String] = [:], at now: Timestamp
  ) async throws -> PartRecord {
    let keyData = try Key.data(key)
    guard (1...10_000).contains(number) else { throw ObjectStoreError.invalidPartNumber }
    let part = PartRecord(
      number: number, size: content.size, etag: content.etag, modified: now,
      checksums: checksums.merging(content.checksums) { _, computed in computed }, blob: content.file.id)
    return try await content.use {
      try await write { db, aftermath in
        let upload = try Self.upload(db, bucket, keyData, uploadID)
        let former = try Rows.parts(db, "uploadPart", upload.id, after: number - 1, limit: 1).first
        if let former, former.number == number {
          try db.cachedStatement(sql: "DELETE FROM uploadPart WHERE owner = ? AND number = ?")
            .execute(arguments: [upload.id, number])
          try Rows.release(db, former.blob, &aftermath)
        }
        _ = try Rows.insert(db, content)
        try Rows.insert(db, "uploadPart", upload.id, part)
        return part
      }
    }
  }

  /// Parts of an unfinished upload, by number.
  public func parts(
    bucket: String, key: String, uploadID: String, after number: Int = 0, limit: Int = 10_000
  ) async throws -> [PartRecord] {
    let keyData = try Key.data(key)
    return try await read { db in
      try Rows.parts(db, "uploadPart", Self.upload(db, bucket, keyData, uploadID).id, after: number, limit: limit)
    }
  }

  /// Unfinished uploads, a page at a time.
  public func uploads(
    bucket: String, prefix: String = "", delimiter: String = "", after: UploadPage.Position? = nil, limit: Int = 1000
  ) async throws -> UploadPage {
    try await read { db in
      let bucket = try Rows.bucket(db, bucket)
      let rows = try Row.fetchCursor(
        db,
        sql: """
          SELECT \(Self.uploadColumns) FROM upload WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key, id
          """, arguments: [bucket.id, Data(prefix.utf8), Key.after(prefix: prefix.utf8)])
      var page = UploadPage()
      if limit <= 0 { return page }
      var last: UploadPage.Position?
      // Uploads under way are few; those before the position are passed over one by one.
      var skipping = after?.uploadID != nil
      while let row = try rows.next() {
        let upload = try Self.upload(row)
        if let after {
          if upload.key.utf8.lexicographicallyPrecedes(after.key.utf8) { continue }
          if upload.key.utf8.elementsEqual(after.key.utf8), skipping || after.uploadID == nil {
            if upload.uploadID == after.uploadID { skipping = false }
            continue
          }
          if after.uploadID == nil, !delimiter.isEmpty,
            after.key.utf8.reversed().starts(with: delimiter.utf8.reversed()),
            upload.key.utf8.starts(with: after.key.utf8)
          {
            continue
          }
        }
        let rest = Array(upload.key.utf8).dropFirst(prefix.utf8.count)
        let end = delimiter.isEmpty ? nil : rest.firstRange(of: Array(delimiter.utf8))?.upperBound
        let common = end.map { String(decoding: Array(upload.key.utf8)[..<$0], as: UTF8.self) }
        if let common, page.commonPrefixes.last == common { continue }
        if page.uploads.count + page.commonPrefixes.count == limit {
          page.next = last
          break
        }
        if let common {
          page.commonPrefixes.append(common)
          last = UploadPage.Position(key: common)
        } else {
          page.uploads.append(upload)
          last = UploadPage.Position(key: upload.key, uploadID: upload.uploadID)
        }
      }
      return page
    }
  }

  /// Makes the parts named one object, without writing their bytes again; the rest of the upload goes.
  /// - Parameters:
  ///   - parts: ascending numbers, each with the etag that it has.
  ///   - minimumPartSize: of every part but the last, in bytes.
  ///   - attributes: changes what the upload was begun with, seeing the parts (for checksums of the whole);
  ///     may run twice.
  /// - Throws: ``ObjectStoreError/invalidPartOrder``, ``ObjectStoreError/invalidPart(_:)``,
  ///   ``ObjectStoreError/partTooSmall(number:size:)``, ``ObjectStoreError/noSuchUpload``, what the condition throws.
  @discardableResult
  public func complete(
    _ uploadID: String, bucket: String, key: String, parts named: [CompletedPart], minimumPartSize: Int = 0,
    condition: WriteCondition = .always, at now: Timestamp,
    attributes: @escaping @Sendable (inout ObjectAttributes, [PartRecord]) throws -> Void = { _, _ in }
  ) async throws -> ObjectRecord {
    let keyData = try Key.data(key)
    let versionID = newVersionID()
    return try await write(touching: [ObjectKey(bucket: bucket, key: key)]) { db, aftermath in
      let upload = try Self.upload(db, bucket, keyData, uploadID)
      let bucket = try Rows.bucket(db, bucket)
      let stored = try Rows.parts(db, "uploadPart", upload.id)
      let parts = try Self.choose(stored, named, minimumPartSize)
      let latest = try Self.check(db, bucket, keyData, condition)
      var values = upload.attributes
      try attributes(&values, parts)
      let record = ObjectRecord(
        key: key, versionID: versionID, isLatest: true, isDeleteMarker: false,
        size: parts.reduce(0) { $0 + $1.size }, etag: Self.multipartETag(parts), modified: now, attributes: values,
        partCount: parts.count, id: 0, blob: nil)
      let object = try Self.push(db, bucket, keyData, record, over: latest, &aftermath)
      for part in parts { try Rows.insert(db, "versionPart", object.id, part) }
      let kept = Set(parts.map(\.number))
      for part in stored where !kept.contains(part.number) { try Rows.release(db, part.blob, &aftermath) }
      try db.cachedStatement(sql: "DELETE FROM uploadPart WHERE owner = ?").execute(arguments: [upload.id])
      try db.cachedStatement(sql: "DELETE FROM upload WHERE id = ?").execute(arguments: [upload.id])
      return object
    }
  }

  /// The stored parts that the caller named, or what is wrong with the list.
  private static func choose(
    _ stored: [PartRecord], _ named: [CompletedPart], _ minimum: Int
  ) throws -> [PartRecord] {
    let byNumber = Dictionary(uniqueKeysWithValues: stored.map { ($0.number, $0) })
    guard let last = named.last, zip(named, named.dropFirst()).allSatisfy({ $0.number < $1.number }) else {
      throw ObjectStoreError.invalidPartOrder
    }
    let chosen = try named.map { part in
      guard let found = byNumber[part.number], part.etag == nil || part.etag == found.etag,
        part.checksums.allSatisfy({ found.checksums[$0.key] == $0.value })
      else { throw ObjectStoreError.invalidPart(part.number) }
      return found
    }
    if let small = chosen.first(where: { $0.number != last.number && $0.size < minimum }) {
      throw ObjectStoreError.partTooSmall(number: small.number, size: small.size)
    }
    return chosen
  }

  /// The MD5 of the parts' MD5s, and how many they are.
  private static func multipartETag(_ parts: [PartRecord]) -> String {
    var md5 = Insecure.MD5()
    for part in parts {
      let digits = Array(part.etag.utf8)
      md5.update(
        data: stride(from: 0, to: digits.count - 1, by: 2).map { nibble(digits[$0]) << 4 | nibble(digits[$0 + 1]) })
    }
    return "\(hexadecimal(md5.finalize()))-\(parts.count)"
  }

  private static func nibble(_ digit: UInt8) -> UInt8 { digit < 58 ? digit & 15 : digit - 87 }

  /// Throws an upload away with its parts.
  public func abort(_ uploadID: String, bucket: String, key: String) async throws {
    let keyData = try Key.data(key)
    try await write { db, aftermath in
      try Self.remove(db, upload: Self.upload(db, bucket, keyData, uploadID).id, &aftermath)
    }
  }
}
