// Lists. Common prefixes are found by seeking past each of them, so that a page costs what it shows.

import AWSCore
import Foundation
import GRDB

/// One page of keys.
public struct ObjectPage: Sendable, Equatable {
  /// In the order of their keys' bytes.
  public var objects: [ObjectRecord] = []
  public var commonPrefixes: [String] = []
  /// Where the next page begins (give it as `after`); nil when this is the last one.
  public var next: String?
}

/// One page of versions and delete markers.
public struct VersionPage: Sendable, Equatable {
  /// By key, then newest first.
  public var versions: [ObjectRecord] = []
  public var commonPrefixes: [String] = []
  /// Where the next page begins; the version is nil after a common prefix. Nil when this is the last page.
  public var next: Position?

  public struct Position: Sendable, Equatable {
    public var key: String
    public var versionID: String?
    public init(key: String, versionID: String? = nil) {
      self.key = key
      self.versionID = versionID
    }
  }
}

/// The bytes of a list's question.
private struct ListRange {
  let prefix: [UInt8]
  let delimiter: [UInt8]
  let end: Data

  init(_ prefix: String, _ delimiter: String) {
    self.prefix = Array(prefix.utf8)
    self.delimiter = Array(delimiter.utf8)
    end = Key.after(prefix: self.prefix)
  }

  /// The prefix that stands for this key: up to and with the first delimiter behind the list's prefix.
  func commonPrefix(of key: some RandomAccessCollection<UInt8>) -> [UInt8]? {
    guard !delimiter.isEmpty, key.count >= prefix.count + delimiter.count else { return nil }
    let rest = key.dropFirst(prefix.count)
    guard let range = rest.firstRange(of: delimiter) else { return nil }
    return Array(key[..<range.upperBound])
  }

  /// The first key of the page: a common prefix that was shown last is passed over with all beneath it.
  func start(after: String?) -> Data {
    guard let after, !after.isEmpty else { return Data(prefix) }
    let bytes = Array(after.utf8)
    if bytes.starts(with: prefix), let common = commonPrefix(of: bytes), common == bytes {
      return Key.after(prefix: bytes)
    }
    return max(Data(bytes + [0]), Data(prefix)) { $0.lexicographicallyPrecedes($1) }
  }
}

private func max(_ a: Data, _ b: Data, _ isBelow: (Data, Data) -> Bool) -> Data { isBelow(a, b) ? b : a }

extension ObjectStore {
  /// A page of the newest versions that are objects.
  /// - Parameters:
  ///   - after: keys above this one; when it is itself one of the list's common prefixes, above all beneath it.
  ///   - limit: of objects and common prefixes together; 0 gives an empty page.
  public func list(
    bucket: String, prefix: String = "", delimiter: String = "", after: String? = nil, limit: Int = 1000
  ) async throws -> ObjectPage {
    let range = ListRange(prefix, delimiter)
    return try await read { db in
      let bucket = try Rows.bucket(db, bucket)
      var page = ObjectPage()
      if limit <= 0 { return page }
      let statement = try db.cachedStatement(
        sql: """
          SELECT \(Rows.objectColumns) FROM version INDEXED BY currentByKey
          WHERE bucket = ? AND current = 1 AND key >= ? AND key < ? ORDER BY key
          """)
      var cursor = try Row.fetchCursor(statement, arguments: [bucket.id, range.start(after: after), range.end])
      var last: [UInt8] = []
      while let row = try cursor.next() {
        let key = row[1] as Data
        if page.objects.count + page.commonPrefixes.count == limit {
          page.next = String(decoding: last, as: UTF8.self)
          break
        }
        if let common = range.commonPrefix(of: key) {
          page.commonPrefixes.append(String(decoding: common, as: UTF8.self))
          last = common
          cursor = try Row.fetchCursor(statement, arguments: [bucket.id, Key.after(prefix: common), range.end])
        } else {
          page.objects.append(try Rows.object(row, isLatest: true))
          last = Array(key)
        }
      }
      return page
    }
  }

  /// A page of all versions and delete markers.
  /// - Parameter after: keys above this one or, with its version, versions of the key older than that one first.
  public func listVersions(
    bucket: String, prefix: String = "", delimiter: String = "", after: VersionPage.Position? = nil, limit: Int = 1000
  ) async throws -> VersionPage {
    let range = ListRange(prefix, delimiter)
    return try await read { db in
      let bucket = try Rows.bucket(db, bucket)
      var page = VersionPage()
      if limit <= 0 { return page }
      if let after, let versionID = after.versionID, after.key.utf8.starts(with: range.prefix) {
        try Self.olderVersions(db, bucket.id, after.key, versionID, limit, &page)
        if page.next != nil { return page }
      }
      let statement = try db.cachedStatement(
        sql: """
          SELECT \(Rows.objectColumns) FROM version INDEXED BY versionByKey
          WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key, id DESC
          """)
      var cursor = try Row.fetchCursor(statement, arguments: [bucket.id, range.start(after: after?.key), range.end])
      // The key of the row before, in whose group only the first row is the newest version.
      var group: Data?
      var last = Self.position(page)
      while let row = try cursor.next() {
        let key = row[1] as Data
        if page.versions.count + page.commonPrefixes.count == limit {
          page.next = last
          break
        }
        if let common = range.commonPrefix(of: key) {
          page.commonPrefixes.append(String(decoding: common, as: UTF8.self))
          last = VersionPage.Position(key: String(decoding: common, as: UTF8.self))
          cursor = try Row.fetchCursor(statement, arguments: [bucket.id, Key.after(prefix: common), range.end])
          group = nil
        } else {
          page.versions.append(try Rows.object(row, isLatest: key != group))
          last = Self.position(page)
          group = key
        }
      }
      return page
    }
  }

  private static func position(_ page: VersionPage) -> VersionPage.Position? {
    page.versions.last.map { VersionPage.Position(key: $0.key, versionID: $0.versionID) }
  }

  /// The versions of one key that are older than one of them.
  private static func olderVersions(
    _ db: Database, _ bucket: Int64, _ key: String, _ versionID: String, _ limit: Int, _ page: inout VersionPage
  ) throws {
    let keyData = try Key.data(key)
    guard let marker = try Rows.version(db, bucket, keyData, versionID) else { return }
    let older = try Row.fetchAll(
      db,
      sql: """
        SELECT \(Rows.objectColumns) FROM version WHERE bucket = ? AND key = ? AND id < ? ORDER BY id DESC LIMIT ?
        """, arguments: [bucket, keyData, marker.id, limit + 1])
    page.versions = try older.prefix(limit).map { try Rows.object($0, isLatest: false) }
    if older.count > limit { page.next = position(page) }
  }
}
