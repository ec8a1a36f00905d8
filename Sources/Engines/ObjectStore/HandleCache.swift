// Small objects read lately, in memory: most reads of a shop's pictures and a build's settings are of few objects.

import Disk
import Synchronization

/// The address of an object's newest version.
struct ObjectKey: CommitCacheKey {
  var bucket: String
  var key: String

  var group: String { bucket }
}

/// The newest versions of objects whose content lies in the index, still encrypted and with their checksums.
///
/// Each write says what it touches before it runs; the cache learns of it around the commit.
final class HandleCache: GroupCommitter.Witness {
  /// The bytes of content that are kept.
  private static let costMax = 32 << 20

  private let cache = CommitCache<ObjectKey, ObjectHandle>(costMax: costMax)
  private let touched = Mutex(Touched<ObjectKey>())

  /// The point in time to note before a snapshot is taken, for `insert`.
  var position: UInt64 { cache.position }

  func current(_ key: ObjectKey) -> ObjectHandle? { cache.current(key) }

  /// Takes in what a snapshot has read; objects that lie in files stay out.
  func insert(_ key: ObjectKey, _ handle: ObjectHandle, readAfter position: UInt64) {
    guard handle.ticket == nil else { return }
    let bytes = handle.pieces.reduce(handle.record.attributes.packed.count) { $0 + ($1.inline?.count ?? 0) }
    cache.insert(key, handle, cost: bytes, readAfter: position)
  }

  /// Notes what a write of the group changes.
  func note(_ keys: [ObjectKey]) { touched.withLock { touched in for key in keys { touched.insert(key) } } }

  /// Notes that a write of the group may change everything.
  func noteEverything() { touched.withLock { $0.everything = true } }

  func willCommit() { cache.willCommit(touched.withLock { $0 }) }

  func didCommit(_ isDurable: Bool) {
    let all = touched.withLock { touched in
      defer { touched = Touched() }
      return touched
    }
    cache.didCommit(all)
  }
}
