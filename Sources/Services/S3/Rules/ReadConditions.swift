// Conditional requests (RFC 9110, section 13), as S3 decides them.

import AWSCore
import ObjectStore

/// The conditions of a read, or on the source of a copy.
struct ReadConditions: Sendable {
  var match: String?
  var noneMatch: String?
  var modifiedSince: Timestamp?
  var unmodifiedSince: Timestamp?
  /// What they are called in an error: `If-Match`, `x-amz-copy-source-If-Match`.
  var prefix = ""
  /// A copy answers 412 where a read answers 304.
  var isCopy = false

  /// - Throws: `PreconditionFailed`; for reads, 304.
  func check(_ record: ObjectRecord) throws {
    let modified = record.modified.wholeSeconds
    if let match {
      guard ETag.matches(match, record.etag) else { throw S3Error.preconditionFailed("\(prefix)If-Match") }
    } else if let unmodifiedSince, modified > unmodifiedSince {
      throw S3Error.preconditionFailed("\(prefix)If-Unmodified-Since")
    }
    if let noneMatch {
      if ETag.matches(noneMatch, record.etag) {
        throw isCopy ? S3Error.preconditionFailed("\(prefix)If-None-Match") : S3Error.notModified
      }
    } else if let modifiedSince, modified <= modifiedSince {
      throw isCopy ? S3Error.preconditionFailed("\(prefix)If-Modified-Since") : S3Error.notModified
    }
  }
}

/// Entity tags: quoted on the wire, bare in the store.
enum ETag {
  static func quoted(_ etag: String) -> String { "\"\(etag)\"" }

  static func bare(_ text: String) -> String {
    var tag = text.drop { $0 == " " }
    if tag.hasPrefix("W/") { tag = tag.dropFirst(2) }
    if tag.count >= 2, tag.hasPrefix("\""), tag.hasSuffix("\"") { tag = tag.dropFirst().dropLast() }
    return String(tag)
  }

  /// A header that may name several tags, or any.
  static func matches(_ header: String, _ etag: String) -> Bool {
    header.split(separator: ",").contains { part in
      let tag = bare(String(part))
      return tag == "*" || tag == etag
    }
  }

  /// When a write may happen, by its `If-Match` and `If-None-Match`.
  /// - Throws: 501 for an `If-None-Match` that is not `*`.
  static func writeCondition(match: String?, noneMatch: String?) throws -> WriteCondition {
    if let noneMatch {
      guard bare(noneMatch) == "*" else {
        throw AWSError(
          "NotImplemented", "A header you provided implies functionality that is not implemented", status: 501,
          fields: ["Header": "If-None-Match"])
      }
      return .absent
    }
    return match.map { .matches(bare($0)) } ?? .always
  }
}

extension Timestamp {
  /// Without the milliseconds, as S3's dates are.
  var wholeSeconds: Timestamp { Timestamp(milliseconds: milliseconds - milliseconds % 1000) }
}
