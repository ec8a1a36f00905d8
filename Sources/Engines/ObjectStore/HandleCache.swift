// Small objects read lately, in memory: most reads of a shop's pictures and a build's settings are of few objects.

import Disk

/// The address of an object's newest version.
struct ObjectKey: CommitCacheKey {
  var bucket: String
  var key: String

  var group: String { bucket }
}

/// The newest versions of objects whose content lies in the index, still encrypted and with their checksums.
typealias HandleCache = CommitCache<ObjectKey, ObjectHandle>

extension HandleCache {
  /// For so many bytes of content.
  convenience init() { self.init(costMax: 32 << 20) }

  /// Takes in what a snapshot has read; objects that lie in files stay out.
  func insert(_ key: ObjectKey, _ handle: ObjectHandle, readAfter position: UInt64) {
    guard handle.ticket == nil else { return }
    let bytes = handle.pieces.reduce(handle.record.attributes.packed.count) { $0 + ($1.inline?.count ?? 0) }
    insert(key, handle, cost: bytes, readAfter: position)
  }
}
