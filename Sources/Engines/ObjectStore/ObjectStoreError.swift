// What can go wrong in an object store, for callers who turn it into their API's words.

/// An expected failure of the object store. Failures of the disk come as `FileError`, of SQLite as `DatabaseError`.
public enum ObjectStoreError: Error, Sendable, Equatable {
  /// Another process (or object) has this folder open.
  case inUse(String)
  case noSuchBucket
  case bucketExists
  /// Objects, old versions or delete markers are left.
  case bucketNotEmpty
  /// No object under this key. With `deleteMarker`, the newest version is that delete marker.
  case noSuchKey(deleteMarker: String?)
  case noSuchVersion
  /// The version asked for is a delete marker and has no content.
  case isDeleteMarker(versionID: String)
  /// Keys are 1 to 1,024 bytes of UTF-8.
  case invalidKey
  case preconditionFailed
  /// The source of a copy was replaced or removed while it was copied.
  case sourceChanged
  case noSuchUpload
  /// Part numbers are 1 to 10,000.
  case invalidPartNumber
  /// This part is not there, or has another etag.
  case invalidPart(Int)
  /// The list of parts is not ascending, or empty.
  case invalidPartOrder
  /// A part that is not the last one is smaller than the minimum.
  case partTooSmall(number: Int, size: Int)
  /// The range does not fit the content.
  case invalidRange
  /// Stored bytes are not what was written (or the key is not the one they were encrypted with). Which, for a person.
  case corrupt(String)
  /// The content is encrypted and no key was given.
  case keyRequired
  /// A data key is not 32 bytes long.
  case invalidDataKey
  /// The store was emptied while the content was written.
  case wasReset
  /// Staged content can be used once; a writer takes one call at a time and none after `finish`.
  case misuse(String)
}
