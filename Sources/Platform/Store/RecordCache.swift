// Decoded documents in memory, so that the hottest reads touch neither SQLite nor another thread.

import Disk

/// A document as the cache holds it.
struct CachedRecord: Sendable {
  /// The row's revision; 0 for a document that is known to be absent.
  var revision: Int64
  var value: (any Record)?
}

/// The documents read lately. An entry costs its JSON's bytes.
typealias RecordCache = CommitCache<RecordKey, CachedRecord>

extension RecordCache {
  /// The decoded document of a row with that revision, when it is here.
  func decoded(_ key: RecordKey, revision: Int64) -> (any Record)? {
    guard let entry = current(key), entry.revision == revision else { return nil }
    return entry.value
  }
}
