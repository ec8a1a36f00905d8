// Enforces lifecycle rules: walks the buckets that have some, and does what is due.

import AWSCore
import ObjectStore
import S3Model

extension S3Service {
  /// Does what is due now, in all buckets.
  func enforceLifecycle(now: Timestamp) async throws {
    for record in try await objects().buckets() {
      let bucket = try shelf.bucket(record)
      guard let lifecycle = bucket.settings.lifecycle else { continue }
      let document = try DocumentCodec.read(lifecycle, as: S3.BucketLifecycleConfiguration.self)
      let rules = LifecycleRules(
        document.rules, minimumSize: bucket.settings.lifecycleMinimumSize ?? Self.defaultMinimumSize)
      if rules.rules.isEmpty { continue }
      do {
        try await enforce(rules, bucket, now)
      } catch ObjectStoreError.noSuchBucket {
        // Removed meanwhile.
      }
    }
  }

  private func enforce(_ rules: LifecycleRules, _ bucket: Bucket, _ now: Timestamp) async throws {
    let store = try await objects()
    var after: VersionPage.Position?
    // The version just before in the list, which is the next newer one of the same key.
    var newer: ObjectRecord?
    // How many old versions of this key came before.
    var oldOnes = 0
    repeat {
      let page = try await store.listVersions(bucket: bucket.name, after: after)
      for (index, version) in page.versions.enumerated() {
        if let former = newer, former.key.utf8.elementsEqual(version.key.utf8) {
          let action = rules.action(forNoncurrent: version, since: former.modified, newer: oldOnes, now: now)
          oldOnes += 1
          try await carryOut(action, version, isLatest: false, bucket, now)
        } else {
          oldOnes = 0
          // Of a page's last version it is not known here; a lonely marker there waits for the next round.
          let next = index + 1 < page.versions.count ? page.versions[index + 1] : nil
          let isAlone = next.map { !$0.key.utf8.elementsEqual(version.key.utf8) } ?? (page.next == nil)
          try await carryOut(
            rules.action(for: version, isAlone: isAlone, now: now), version, isLatest: true, bucket, now)
        }
        newer = version
      }
      after = page.next
    } while after != nil
    try await abortUploads(rules, bucket, now)
  }

  private func carryOut(
    _ action: LifecycleRules.Action?, _ version: ObjectRecord, isLatest: Bool, _ bucket: Bucket, _ now: Timestamp
  ) async throws {
    let store = try await objects()
    let (etag, modified) = (version.etag, version.modified)
    // What was written since the list was read stays.
    let unchanged = WriteCondition.check { found in
      guard let found else { return }
      if found.etag != etag || found.modified != modified { throw ObjectStoreError.preconditionFailed }
    }
    do {
      switch action {
      case nil: return
      case .expire:
        try await store.delete(bucket: bucket.name, key: version.key, condition: unchanged, at: now)
      case .remove:
        try await store.delete(
          bucket: bucket.name, key: version.key, versionID: version.versionID, condition: unchanged, at: now)
      case .transition(let storageClass):
        try await store.update(bucket: bucket.name, key: version.key, versionID: version.versionID) {
          $0.storageClass = storageClass
        }
      }
      environment.logger.debug("lifecycle of \(bucket.name): \(version.key) \(version.versionID)")
    } catch ObjectStoreError.preconditionFailed, ObjectStoreError.noSuchKey, ObjectStoreError.noSuchVersion {
      // Replaced or removed meanwhile.
    }
  }

  private func abortUploads(_ rules: LifecycleRules, _ bucket: Bucket, _ now: Timestamp) async throws {
    let store = try await objects()
    var after: UploadPage.Position?
    repeat {
      let page = try await store.uploads(bucket: bucket.name, after: after)
      for upload in page.uploads where rules.aborts(upload, now: now) {
        do {
          try await store.abort(upload.uploadID, bucket: bucket.name, key: upload.key)
        } catch ObjectStoreError.noSuchUpload {
          // Completed or aborted meanwhile.
        }
      }
      after = page.next
    } while after != nil
  }
}
