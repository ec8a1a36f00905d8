// Keys of KMS that are used for many objects for a while.

import AWSCore
import Synchronization

/// Bucket keys in memory: by what they are for and by whom, since S3 asks KMS at least once for each caller.
final class BucketKeys: Sendable {
  struct Made: Sendable {
    var plaintext: [UInt8]
    var part: Envelope.KMSPart
  }
  private struct Entry: Sendable {
    var made: Made
    var expires: Timestamp
  }
  private let entries = Mutex<[String: Entry]>([:])

  func key(_ name: String, now: Timestamp) -> Made? {
    entries.withLock { entries in
      guard let entry = entries[name], entry.expires > now else { return nil }
      return entry.made
    }
  }

  func keep(_ made: Made, _ name: String, now: Timestamp) {
    entries.withLock { entries in
      if entries.count >= S3Limits.bucketKeysMax { entries = entries.filter { $0.value.expires > now } }
      if entries.count >= S3Limits.bucketKeysMax { entries = [:] }
      entries[name] = Entry(made: made, expires: now.adding(seconds: S3Limits.bucketKeySeconds))
    }
  }

  func removeAll() { entries.withLock { $0 = [:] } }
}
