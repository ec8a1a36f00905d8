// What the store answers with.

import AWSCore

/// Whether a bucket keeps old versions.
public enum Versioning: Int, Sendable {
  /// Never was on: a put replaces, a delete removes.
  case off = 0
  case enabled = 1
  /// Was on: versions made then stay, new ones are the `null` version.
  case suspended = 2
}

public struct BucketRecord: Sendable, Equatable {
  public var name: String
  public var created: Timestamp
  public var versioning: Versioning
  /// The caller's document, opaque.
  public var configuration: [UInt8]
}

/// One version of an object, or a delete marker.
public struct ObjectRecord: Sendable, Equatable {
  public var key: String
  /// `null` for versions made while versioning was not enabled.
  public var versionID: String
  public var isLatest: Bool
  public var isDeleteMarker: Bool
  /// Bytes of content, before encryption.
  public var size: Int
  /// Without quotes: MD5 in hex, `…-N` for N parts, or what the caller gave.
  public var etag: String
  public var modified: Timestamp
  public var attributes: ObjectAttributes
  /// Parts of a multipart object; 0 for an object put at once.
  public var partCount: Int

  var id: Int64
  var blob: Int64?
}

/// One part of a multipart upload, or of the object that became of it.
public struct PartRecord: Sendable, Equatable {
  public var number: Int
  public var size: Int
  /// MD5 in hex.
  public var etag: String
  public var modified: Timestamp
  /// Algorithm → base64.
  public var checksums: [String: String]

  var blob: Int64
}

/// A multipart upload that is neither completed nor aborted.
public struct UploadRecord: Sendable, Equatable {
  public var uploadID: String
  public var key: String
  public var initiated: Timestamp
  /// What the object will have.
  public var attributes: ObjectAttributes

  var id: Int64
  var bucket: Int64
}

/// When a write may happen; decided inside the write's own transaction.
public struct WriteCondition: Sendable {
  let check: (@Sendable (ObjectRecord?) throws -> Void)?

  public static let always = WriteCondition(check: nil)

  /// Only when there is no object (`If-None-Match: *`), else ``ObjectStoreError/preconditionFailed``.
  public static let absent = WriteCondition { if $0 != nil { throw ObjectStoreError.preconditionFailed } }

  /// Only when the newest version has this etag (`If-Match`, without quotes), else
  /// ``ObjectStoreError/preconditionFailed``, or ``ObjectStoreError/noSuchKey(deleteMarker:)`` when there is none.
  public static func matches(_ etag: String) -> WriteCondition {
    WriteCondition { current in
      guard let current else { throw ObjectStoreError.noSuchKey(deleteMarker: nil) }
      if etag != "*", current.etag != etag { throw ObjectStoreError.preconditionFailed }
    }
  }

  /// Any other rule: sees the newest version (nil when there is none or it is a delete marker; for a delete of a
  /// version, that version) and throws to refuse. May run twice.
  public static func check(_ body: @escaping @Sendable (ObjectRecord?) throws -> Void) -> WriteCondition {
    WriteCondition(check: body)
  }
}
