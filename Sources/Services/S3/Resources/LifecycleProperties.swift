// LifecycleConfiguration of a stack's bucket, whose names differ from the API's.

import AWSCore
import S3Model

/// Reads the rules of `AWS::S3::Bucket`'s LifecycleConfiguration.
enum LifecycleProperties {
  /// - Throws: `ValidationException` naming what is not known or has the wrong type.
  static func rules(_ property: JSONValue) throws -> [S3.LifecycleRule] {
    guard let rules = property["Rules"]?.array else { throw invalid("required key [Rules] not found") }
    for key in (property.object ?? [:]).keys where !["Rules", "TransitionDefaultMinimumObjectSize"].contains(key) {
      throw invalid("extraneous key [\(key)] is not permitted")
    }
    return try rules.map(rule)
  }

  private static let known: Set<String> = [
    "AbortIncompleteMultipartUpload", "ExpirationDate", "ExpirationInDays", "ExpiredObjectDeleteMarker", "Id",
    "NoncurrentVersionExpiration", "NoncurrentVersionExpirationInDays", "NoncurrentVersionTransition",
    "NoncurrentVersionTransitions", "ObjectSizeGreaterThan", "ObjectSizeLessThan", "Prefix", "Status", "TagFilters",
    "Transition", "Transitions",
  ]

  private static func rule(_ json: JSONValue) throws -> S3.LifecycleRule {
    for key in (json.object ?? [:]).keys where !known.contains(key) {
      throw invalid("extraneous key [\(key)] is not permitted")
    }
    var rule = S3.LifecycleRule()
    rule.id = json["Id"]?.text
    rule.status = json["Status"]?.text ?? "Enabled"
    rule.filter = try filter(json)
    let days = try number(json, "ExpirationInDays")
    let date = try date(json, "ExpirationDate")
    let marker = json["ExpiredObjectDeleteMarker"]?.boolean
    if days != nil || date != nil || marker != nil {
      rule.expiration = .make {
        $0.days = days
        $0.date = date
        $0.expiredObjectDeleteMarker = marker
      }
    }
    let steps = (json["Transitions"]?.array ?? []) + (json["Transition"].map { [$0] } ?? [])
    if !steps.isEmpty { rule.transitions = try steps.map(transition) }
    let old =
      (json["NoncurrentVersionTransitions"]?.array ?? []) + (json["NoncurrentVersionTransition"].map { [$0] } ?? [])
    if !old.isEmpty { rule.noncurrentVersionTransitions = try old.map(noncurrentTransition) }
    if let expiration = json["NoncurrentVersionExpiration"] {
      rule.noncurrentVersionExpiration = try .make {
        $0.noncurrentDays = try number(expiration, "NoncurrentDays")
        $0.newerNoncurrentVersions = try number(expiration, "NewerNoncurrentVersions")
      }
    } else if let days = try number(json, "NoncurrentVersionExpirationInDays") {
      rule.noncurrentVersionExpiration = .make { $0.noncurrentDays = days }
    }
    if let abort = json["AbortIncompleteMultipartUpload"] {
      rule.abortIncompleteMultipartUpload = try .make {
        $0.daysAfterInitiation = try number(abort, "DaysAfterInitiation")
      }
    }
    return rule
  }

  /// One condition stands in the filter itself, several in its And.
  private static func filter(_ json: JSONValue) throws -> S3.LifecycleRuleFilter {
    let prefix = json["Prefix"]?.text
    let greater = try number(json, "ObjectSizeGreaterThan")
    let less = try number(json, "ObjectSizeLessThan")
    let tags = (json["TagFilters"]?.array ?? []).map { tag in
      S3.Tag.make {
        $0.key = tag["Key"]?.text ?? ""
        $0.value = tag["Value"]?.text ?? ""
      }
    }
    let count = [prefix != nil, greater != nil, less != nil].filter { $0 }.count + tags.count
    if count > 1 {
      return .make {
        $0.and = .make {
          $0.prefix = prefix
          $0.objectSizeGreaterThan = greater
          $0.objectSizeLessThan = less
          $0.tags = tags.isEmpty ? nil : tags
        }
      }
    }
    return .make {
      $0.prefix = count == 0 ? "" : prefix
      $0.objectSizeGreaterThan = greater
      $0.objectSizeLessThan = less
      $0.tag = tags.first
    }
  }

  private static func transition(_ json: JSONValue) throws -> S3.Transition {
    try .make {
      $0.storageClass = json["StorageClass"]?.text
      $0.days = try number(json, "TransitionInDays")
      $0.date = try date(json, "TransitionDate")
    }
  }

  private static func noncurrentTransition(_ json: JSONValue) throws -> S3.NoncurrentVersionTransition {
    try .make {
      $0.storageClass = json["StorageClass"]?.text
      $0.noncurrentDays = try number(json, "TransitionInDays")
      $0.newerNoncurrentVersions = try number(json, "NewerNoncurrentVersions")
    }
  }

  private static func number(_ json: JSONValue, _ name: String) throws -> Int? {
    guard let value = json[name] else { return nil }
    guard let number = value.integer else { throw invalid("\(name): expected type: Integer") }
    return number
  }

  private static func date(_ json: JSONValue, _ name: String) throws -> Timestamp? {
    guard let value = json[name] else { return nil }
    let text = value.text ?? ""
    guard let time = Timestamp(iso8601: text) ?? Timestamp(iso8601: text + "T00:00:00Z") else {
      throw invalid("\(name): expected a date")
    }
    return time
  }

  private static func invalid(_ message: String) -> AWSError {
    .validation("Properties validation failed: #/LifecycleConfiguration: \(message)")
  }
}
