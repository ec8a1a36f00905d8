// Buckets.

import AWSCore
import Foundation
import GRDB
import Synchronization

/// Buckets read lately. A read enters what it found only if no change began or ended since it started.
struct BucketCache: Sendable {
  var changes = 0
  var byName: [String: BucketRecord] = [:]
  /// More are not kept.
  static let limit = 1000
}

extension ObjectStore {
  private static let columns = "id, name, created, versioning, configuration"

  private static func record(_ row: Row) -> BucketRecord {
    BucketRecord(
      name: row[1], created: Timestamp(milliseconds: row[2]), versioning: Versioning(rawValue: row[3]) ?? .off,
      configuration: Array(row[4] as Data))
  }

  private static func find(_ db: Database, _ name: String) throws -> BucketRecord? {
    try Row.fetchOne(
      try db.cachedStatement(sql: "SELECT \(columns) FROM bucket WHERE name = ?"), arguments: [name]
    ).map(record)
  }

  /// Makes a bucket; ``ObjectStoreError/bucketExists`` when there is one of this name.
  @discardableResult
  public func createBucket(
    _ name: String, configuration: [UInt8] = [], versioning: Versioning = .off, at now: Timestamp
  ) async throws -> BucketRecord {
    try await changingBuckets {
      try await write { db, _ in
        if try Self.find(db, name) != nil { throw ObjectStoreError.bucketExists }
        try db.cachedStatement(
          sql: "INSERT INTO bucket (name, created, versioning, configuration) VALUES (?, ?, ?, ?)"
        ).execute(arguments: [name, now.milliseconds, versioning.rawValue, Data(configuration)])
        return BucketRecord(name: name, created: now, versioning: versioning, configuration: configuration)
      }
    }
  }

  /// Nil when there is none.
  public func bucket(_ name: String) async throws -> BucketRecord? {
    let (known, changes) = bucketCache.withLock { ($0.byName[name], $0.changes) }
    if let known { return known }
    let found = try await read { try Self.find($0, name) }
    bucketCache.withLock { cache in
      if cache.changes == changes, cache.byName.count < BucketCache.limit { cache.byName[name] = found }
    }
    return found
  }

  /// Runs a change of buckets; the cache is empty once it is done, however it ends.
  func changingBuckets<T>(_ change: () async throws -> T) async throws -> T {
    forgetBuckets()
    defer { forgetBuckets() }
    return try await change()
  }

  private func forgetBuckets() {
    bucketCache.withLock { cache in
      cache.changes += 1
      cache.byName = [:]
    }
  }

  /// All buckets by name.
  public func buckets() async throws -> [BucketRecord] {
    try await read { db in
      try Row.fetchAll(db, sql: "SELECT \(Self.columns) FROM bucket ORDER BY name").map(Self.record)
    }
  }

  /// Changes a bucket's configuration or versioning in one transaction; `change` may run twice.
  @discardableResult
  public func updateBucket(
    _ name: String, _ change: @escaping @Sendable (inout BucketRecord) throws -> Void
  ) async throws -> BucketRecord {
    try await changingBuckets {
      try await write { db, _ in
        guard var bucket = try Self.find(db, name) else { throw ObjectStoreError.noSuchBucket }
        try change(&bucket)
        try db.cachedStatement(sql: "UPDATE bucket SET versioning = ?, configuration = ? WHERE name = ?")
          .execute(arguments: [bucket.versioning.rawValue, Data(bucket.configuration), name])
        return bucket
      }
    }
  }

  /// Removes a bucket without objects, versions and markers; its unfinished uploads go with it.
  public func deleteBucket(_ name: String) async throws {
    try await changingBuckets {
      try await write { db, aftermath in
        let bucket = try Rows.bucket(db, name)
        let used = try Int.fetchOne(db, sql: "SELECT 1 FROM version WHERE bucket = ? LIMIT 1", arguments: [bucket.id])
        if used != nil { throw ObjectStoreError.bucketNotEmpty }
        let uploads = try Int64.fetchAll(db, sql: "SELECT id FROM upload WHERE bucket = ?", arguments: [bucket.id])
        for upload in uploads { try Self.remove(db, upload: upload, &aftermath) }
        try db.execute(sql: "DELETE FROM bucket WHERE id = ?", arguments: [bucket.id])
      }
    }
  }

  /// The number and bytes of all versions in a bucket. Looks at each of them.
  public func usage(_ name: String) async throws -> (objects: Int, bytes: Int) {
    try await read { db in
      let bucket = try Rows.bucket(db, name)
      let row = try Row.fetchOne(
        db, sql: "SELECT count(*), coalesce(sum(size), 0) FROM version WHERE bucket = ? AND marker = 0",
        arguments: [bucket.id])
      return (row?[0] ?? 0, row?[1] ?? 0)
    }
  }
}
