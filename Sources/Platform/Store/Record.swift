// What services keep: small documents in named collections, apart by account and region.

import Disk

/// Whose data it is: an account and a region.
public struct Scope: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The twelve-digit account id.
  public var account: String
  /// The region, "" or "global" for global services (a service picks one and stays with it).
  public var region: String

  public init(account: String, region: String) {
    self.account = account
    self.region = region
  }

  public var description: String { "\(account)/\(region)" }
}

/// A document of a service, kept as JSON.
///
/// Adding an optional property is always allowed: older documents decode with nil. Every other change of shape needs
/// ``Store/migrateRecords(named:_:)``. Records are values: what is read is exactly what decodes from the stored JSON,
/// also right after the write.
public protocol Record: Codable, Sendable {
  /// The collection's name, `<service>.<noun>` as in "secretsmanager.secret": small letters, digits, ".", "-", "_".
  static var collection: String { get }

  /// Changes when ``recordIndex`` is computed in another way; the store then indexes the whole collection anew
  /// when it opens.
  static var indexVersion: Int { get }

  /// Unique within collection, account and region; never empty.
  var recordID: String { get }

  /// Secondary lookups, name → value, for `find`. Values need not be unique.
  var recordIndex: [String: String] { get }
}

extension Record {
  public static var indexVersion: Int { 1 }
  public var recordIndex: [String: String] { [:] }
}

extension Store {
  /// `Store.Record`, where GRDB's class of that name is imported as well.
  public typealias Record = StoreRecord
}

/// Another name for the same, see `Store.Record`.
public typealias StoreRecord = Record

/// The address of one document.
struct RecordKey: CommitCacheKey {
  var collection: String
  var scope: Scope
  var id: String

  var group: String { collection }
}

/// What a transaction has changed, for the cache and for the subscribers: groups are collections.
typealias Touched = Disk.Touched<RecordKey>
