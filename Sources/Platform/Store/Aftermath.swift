// What a commit means to the rest of the store: documents leave the cache, and subscribers are woken.

import Disk
import Synchronization

/// Collects what a group of writes touches, and tells cache and subscribers when it is committed.
final class Aftermath: GroupCommitter.Witness {
  private let touched = Mutex(Touched())
  private let cache: RecordCache
  private let changes: ChangeHub

  init(cache: RecordCache, changes: ChangeHub) {
    self.cache = cache
    self.changes = changes
  }

  /// Notes what a write of the group has changed.
  func note(_ more: Touched) { touched.withLock { $0.formUnion(more) } }

  func willCommit() { cache.willCommit(touched.withLock { $0 }) }

  func didCommit(_ isDurable: Bool) {
    let all = touched.withLock { touched in
      defer { touched = Touched() }
      return touched
    }
    cache.didCommit(all)
    if isDurable { changes.publish(all) }
  }
}
