// What a database holds, in memory as well, so that the hottest reads touch neither SQLite nor another thread.

import Synchronization

/// The address of a cached value.
public protocol CommitCacheKey: Hashable, Sendable {
  associatedtype Group: Hashable & Sendable
  /// Keys whose changes go together: while one of them is being committed, none of them is taken in.
  var group: Group { get }
}

/// What a transaction has changed.
public struct Touched<Key: CommitCacheKey>: Sendable {
  public var keys: Set<Key> = []
  public var groups: Set<Key.Group> = []
  /// All of it at once: a migration or a reset.
  public var everything = false

  public init(_ keys: [Key] = []) { for key in keys { insert(key) } }

  /// Everything at once.
  public static var all: Touched {
    var touched = Touched()
    touched.everything = true
    return touched
  }

  public var isEmpty: Bool { keys.isEmpty && groups.isEmpty && !everything }

  public mutating func insert(_ key: Key) {
    keys.insert(key)
    groups.insert(key.group)
  }

  public mutating func formUnion(_ other: Touched) {
    keys.formUnion(other.keys)
    groups.formUnion(other.groups)
    everything = everything || other.everything
  }
}

/// A bounded cache of committed values.
///
/// What is in it is always the committed state: a commit takes its keys out *before* SQLite commits, and until it is
/// over nothing read in the meantime may enter those groups. So a read that follows an acknowledged write sees it, and
/// no read goes back in time.
///
/// As the witness of the one committer that writes, it collects what the writes of a group touch (`note`).
///
/// Bounded by two generations: a hit moves an entry into the young one; when that is full it becomes the old one,
/// and the old one is dropped.
public final class CommitCache<Key: CommitCacheKey, Value: Sendable>: GroupCommitter.Witness {
  private struct Entry {
    var value: Value
    var cost: Int
  }

  /// What an entry costs in bytes beside what its owner says, roughly.
  private static var entryOverhead: Int { 256 }

  private struct State {
    var young: [Key: Entry] = [:]
    var old: [Key: Entry] = [:]
    var youngCost = 0
    /// Counts the beginnings and ends of commits.
    var position: UInt64 = 1
    /// Where a group was last touched.
    var touchedAt: [Key.Group: UInt64] = [:]
    var everythingTouchedAt: UInt64 = 0
    /// Groups of the commit that is going on (there is one writer, so one commit).
    var pending: Set<Key.Group> = []
    var everythingPending = false
  }

  private let state = Mutex(State())
  private let costMax: Int
  private let onDurable: @Sendable (Touched<Key>) -> Void
  /// What the group that is being written touches.
  private let noted = Mutex(Touched<Key>())

  /// - Parameters:
  ///   - costMax: the bytes that it may hold.
  ///   - onDurable: told what a durable commit has changed, before its writers are answered.
  public init(costMax: Int, onDurable: @escaping @Sendable (Touched<Key>) -> Void = { _ in }) {
    self.costMax = max(costMax, 2)
    self.onDurable = onDurable
  }

  /// Notes what a write of the group changes.
  public func note(_ more: Touched<Key>) { noted.withLock { $0.formUnion(more) } }

  /// Notes keys that a write of the group changes.
  public func note(_ keys: [Key]) {
    noted.withLock { noted in
      for key in keys { noted.insert(key) }
    }
  }

  public func willCommit() { begin(noted.withLock { $0 }) }

  public func didCommit(_ isDurable: Bool) {
    let all = noted.withLock { noted in
      defer { noted = Touched() }
      return noted
    }
    end(all)
    if isDurable { onDurable(all) }
  }

  /// The point in time to note before a snapshot is taken, for `insert`.
  public var position: UInt64 { state.withLock { $0.position } }

  /// The committed value, when it is here.
  public func current(_ key: Key) -> Value? {
    state.withLock { lookup(key, &$0)?.value }
  }

  /// Takes in what a snapshot has read that was taken after `position` was noted, unless it may be outdated.
  /// - Parameter cost: the bytes that the value stands for.
  public func insert(_ key: Key, _ value: Value, cost: Int, readAfter position: UInt64) {
    state.withLock { s in
      guard !s.everythingPending, !s.pending.contains(key.group), s.everythingTouchedAt <= position,
        s.touchedAt[key.group, default: 0] <= position
      else { return }
      store(key, Entry(value: value, cost: cost), &s)
    }
  }

  /// Before SQLite commits.
  private func begin(_ touched: Touched<Key>) {
    state.withLock { s in
      s.position += 1
      s.pending = touched.groups
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
  private func end(_ touched: Touched<Key>) {
    state.withLock { s in
      s.position += 1
      s.pending = []
      s.everythingPending = false
      mark(touched, &s)
    }
  }

  private func mark(_ touched: Touched<Key>, _ s: inout State) {
    if touched.everything {
      s.everythingTouchedAt = s.position
      s.touchedAt = [:]
    }
    for group in touched.groups { s.touchedAt[group] = s.position }
  }

  private func lookup(_ key: Key, _ s: inout State) -> Entry? {
    if let entry = s.young[key] { return entry }
    guard let entry = s.old.removeValue(forKey: key) else { return nil }
    store(key, entry, &s)
    return entry
  }

  private func store(_ key: Key, _ entry: Entry, _ s: inout State) {
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
