// Decoded documents in memory, so that the hottest reads touch neither SQLite nor another thread.

import Synchronization

/// A bounded cache of committed documents.
///
/// What is in it is always the committed state: a commit takes its documents out *before* SQLite commits, and until
/// it is over nothing read in the meantime may enter those collections. So a read that follows an acknowledged write
/// sees it, and no read goes back in time.
///
/// Bounded by two generations: a hit moves an entry into the young one; when that is full it becomes the old one,
/// and the old one is dropped.
final class RecordCache: Sendable {
  struct Entry: Sendable {
    /// The row's revision; 0 for a document that is known to be absent.
    var revision: Int64
    var value: (any Record)?
    /// Bytes of JSON.
    var cost: Int
  }

  /// What an entry costs beside its JSON, roughly.
  private static let entryOverhead = 256

  private struct State {
    var young: [RecordKey: Entry] = [:]
    var old: [RecordKey: Entry] = [:]
    var youngCost = 0
    /// Counts the beginnings and ends of commits.
    var position: UInt64 = 1
    /// Where a collection was last touched.
    var touchedAt: [String: UInt64] = [:]
    var everythingTouchedAt: UInt64 = 0
    /// Collections of the commit that is going on (there is one writer, so one commit).
    var pending: Set<String> = []
    var everythingPending = false
  }

  private let state = Mutex(State())
  private let costMax: Int

  init(costMax: Int) { self.costMax = max(costMax, 2) }

  /// The point in time to note before a snapshot is taken, for `insert`.
  var position: UInt64 { state.withLock { $0.position } }

  /// The committed document, when it is here.
  func current(_ key: RecordKey) -> Entry? {
    state.withLock { lookup(key, &$0) }
  }

  /// The decoded document of a row with that revision, when it is here.
  func decoded(_ key: RecordKey, revision: Int64) -> (any Record)? {
    guard let entry = state.withLock({ lookup(key, &$0) }), entry.revision == revision else { return nil }
    return entry.value
  }

  /// Takes in what a snapshot has read that was taken after `position` was noted, unless it may be outdated.
  func insert(_ key: RecordKey, _ entry: Entry, readAfter position: UInt64) {
    state.withLock { s in
      guard !s.everythingPending, !s.pending.contains(key.collection), s.everythingTouchedAt <= position,
        s.touchedAt[key.collection, default: 0] <= position
      else { return }
      store(key, entry, &s)
    }
  }

  /// Before SQLite commits.
  func willCommit(_ touched: Touched) {
    state.withLock { s in
      s.position += 1
      s.pending = touched.collections
      s.everythingPending = touched.everything
      if touched.everything {
        s.young = [:]
        s.old = [:]
        s.youngCost = 0
      } else {
        for key in touched.keys {
          if let entry = s.young.removeValue(forKey: key) { s.youngCost -= entry.cost + Self.entryOverhead }
          s.old.removeValue(forKey: key)
        }
      }
      mark(touched, &s)
    }
  }

  /// After SQLite has committed, or has failed to.
  func didCommit(_ touched: Touched) {
    state.withLock { s in
      s.position += 1
      s.pending = []
      s.everythingPending = false
      mark(touched, &s)
    }
  }

  private func mark(_ touched: Touched, _ s: inout State) {
    for collection in touched.collections { s.touchedAt[collection] = s.position }
    if touched.everything { s.everythingTouchedAt = s.position }
  }

  private func lookup(_ key: RecordKey, _ s: inout State) -> Entry? {
    if let entry = s.young[key] { return entry }
    guard let entry = s.old.removeValue(forKey: key) else { return nil }
    store(key, entry, &s)
    return entry
  }

  private func store(_ key: RecordKey, _ entry: Entry, _ s: inout State) {
    let cost = entry.cost + Self.entryOverhead
    guard cost <= costMax / 2 else { return }
    if s.youngCost + cost > costMax / 2 {
      s.old = s.young
      s.young = [:]
      s.youngCost = 0
    }
    s.old.removeValue(forKey: key)
    if let replaced = s.young.updateValue(entry, forKey: key) { s.youngCost -= replaced.cost + Self.entryOverhead }
    s.youngCost += cost
  }
}
