// Tags of objects and buckets: as XML, and as the x-amz-tagging header.

import AWSCore
import AWSWire
import S3Model
import ServiceKit

/// Checks tags and changes their form.
enum TagRules {
  /// The tags of an object.
  /// - Throws: `InvalidTag`, `BadRequest`.
  static func object(_ tags: [S3.Tag]) throws -> [String: String] {
    guard tags.count <= S3Limits.objectTagsMax else {
      throw AWSError("BadRequest", "Object tags cannot be greater than \(S3Limits.objectTagsMax)")
    }
    var result: [String: String] = [:]
    for tag in tags {
      try check(tag)
      if tag.key.lowercased().hasPrefix("aws:") {
        throw S3Error.invalidTag("System tags cannot be added/updated by requester")
      }
      guard result.updateValue(tag.value, forKey: tag.key) == nil else {
        throw S3Error.invalidTag("Cannot provide multiple Tags with the same key")
      }
    }
    return result
  }

  /// `a=1&b=2`, percent-encoded.
  static func header(_ text: String?) throws -> [String: String] {
    guard let text, !text.isEmpty else { return [:] }
    var tags: [S3.Tag] = []
    for pair in text.split(separator: "&") {
      let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let key = PercentCoding.decode(halves[0], plusIsSpace: true),
        let value = PercentCoding.decode(halves.count > 1 ? halves[1] : "", plusIsSpace: true)
      else {
        throw S3Error.invalidArgument(
          "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name "
            + "duplicates.", "x-amz-tagging", text)
      }
      tags.append(
        .make {
          $0.key = key
          $0.value = value
        })
    }
    return try object(tags)
  }

  /// The tags of a bucket, in the order they came.
  static func bucket(_ tags: [S3.Tag], _ call: CallContext) throws -> [BucketSettings.Tag] {
    guard tags.count <= S3Limits.bucketTagsMax else {
      throw AWSError("BadRequest", "Bucket tag count cannot be greater than \(S3Limits.bucketTagsMax)")
    }
    // Only services write tags of this prefix; CloudFormation marks what it made.
    let isService = call.principal.kind == .service || !call.calledVia.isEmpty
    var seen: Set<String> = []
    for tag in tags {
      try check(tag)
      if !isService, tag.key.lowercased().hasPrefix("aws:") {
        throw S3Error.invalidTag("System tags cannot be added/updated by requester")
      }
      guard seen.insert(tag.key).inserted else {
        throw S3Error.invalidTag("Cannot provide multiple Tags with the same key")
      }
    }
    return tags.map { .init(key: $0.key, value: $0.value) }
  }

  static func wire(_ tags: [String: String]) -> [S3.Tag] {
    tags.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }

  private static func check(_ tag: S3.Tag) throws {
    guard (1...128).contains(tag.key.count) else { throw S3Error.invalidTag("The TagKey you have provided is invalid") }
    guard tag.value.count <= 256 else { throw S3Error.invalidTag("The TagValue you have provided is invalid") }
  }
}
