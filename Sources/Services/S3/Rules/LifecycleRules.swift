// Lifecycle rules: which are valid, and what falls due for an object.

import AWSCore
import ObjectStore
import S3Model

/// The lifecycle rules of a bucket, as pure functions of objects and time.
struct LifecycleRules: Sendable {
  /// What is to become of a version.
  enum Action: Equatable, Sendable {
    /// The newest version goes (it gets a delete marker where versions are kept).
    case expire
    /// This old version, or this lonely delete marker, goes for good.
    case remove
    case transition(String)
  }

  let rules: [S3.LifecycleRule]
  /// Objects below 128 KiB stay where they are whatever the class; else Glacier takes them.
  let holdsBackSmallObjects: Bool

  init(_ rules: [S3.LifecycleRule], minimumSize: String) {
    self.rules = rules.filter { $0.status == "Enabled" }
    holdsBackSmallObjects = minimumSize != "varies_by_storage_class"
  }

  // MARK: Due

  /// AWS counts whole days and acts at midnight UTC.
  private static func isDue(_ since: Timestamp, days: Int, _ now: Timestamp) -> Bool {
    let day: Int64 = 86_400_000
    let exact = since.milliseconds + Int64(days) * day
    return now.milliseconds >= (exact + day - 1) / day * day
  }

  private static func isDue(_ since: Timestamp, days: Int?, date: Timestamp?, _ now: Timestamp) -> Bool {
    if let days, isDue(since, days: days, now) { return true }
    if let date, now >= date { return true }
    return false
  }

  /// What is due for the newest version of an object.
  /// - Parameter isAlone: no other version of the key is left.
  func action(for latest: ObjectRecord, isAlone: Bool, now: Timestamp) -> Action? {
    var transition: String?
    for rule in rules where matches(rule, latest) {
      if latest.isDeleteMarker {
        guard isAlone, let expiration = rule.expiration else { continue }
        if expiration.expiredObjectDeleteMarker == true { return .remove }
        if let days = expiration.days, Self.isDue(latest.modified, days: days, now) { return .remove }
        continue
      }
      if let expiration = rule.expiration,
        Self.isDue(latest.modified, days: expiration.days, date: expiration.date, now)
      {
        return .expire
      }
      for step in rule.transitions ?? [] {
        guard let target = step.storageClass, Self.isDue(latest.modified, days: step.days, date: step.date, now),
          takes(rule, latest, target)
        else { continue }
        transition = Self.colder(transition, target)
      }
    }
    return Self.change(latest, transition)
  }

  /// What is due for an old version.
  /// - Parameters:
  ///   - since: when it became an old one: the time of the version after it.
  ///   - newer: how many old versions of the key are newer.
  func action(forNoncurrent version: ObjectRecord, since: Timestamp, newer: Int, now: Timestamp) -> Action? {
    var transition: String?
    for rule in rules where matches(rule, version) {
      if let expiration = rule.noncurrentVersionExpiration, let days = expiration.noncurrentDays,
        newer >= expiration.newerNoncurrentVersions ?? 0, Self.isDue(since, days: days, now)
      {
        return .remove
      }
      guard !version.isDeleteMarker else { continue }
      for step in rule.noncurrentVersionTransitions ?? [] {
        guard let target = step.storageClass, let days = step.noncurrentDays,
          newer >= step.newerNoncurrentVersions ?? 0, Self.isDue(since, days: days, now), takes(rule, version, target)
        else { continue }
        transition = Self.colder(transition, target)
      }
    }
    return Self.change(version, transition)
  }

  /// An unfinished upload is to be thrown away.
  func aborts(_ upload: UploadRecord, now: Timestamp) -> Bool {
    rules.contains { rule in
      guard let days = rule.abortIncompleteMultipartUpload?.daysAfterInitiation else { return false }
      return upload.key.hasPrefix(Self.prefix(rule)) && Self.isDue(upload.initiated, days: days, now)
    }
  }

  // MARK: Matching

  private static func prefix(_ rule: S3.LifecycleRule) -> String {
    rule.filter?.and?.prefix ?? rule.filter?.prefix ?? rule.prefix ?? ""
  }

  private func matches(_ rule: S3.LifecycleRule, _ record: ObjectRecord) -> Bool {
    guard record.key.utf8.starts(with: Self.prefix(rule).utf8) else { return false }
    let filter = rule.filter
    let tags = (filter?.and?.tags ?? []) + (filter?.tag.map { [$0] } ?? [])
    guard tags.allSatisfy({ record.attributes.tags[$0.key] == $0.value }) else { return false }
    if record.isDeleteMarker { return true }
    if let least = filter?.and?.objectSizeGreaterThan ?? filter?.objectSizeGreaterThan, record.size <= least {
      return false
    }
    if let most = filter?.and?.objectSizeLessThan ?? filter?.objectSizeLessThan, record.size >= most { return false }
    return true
  }

  private static let classes = [
    "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER",
    "DEEP_ARCHIVE",
  ]

  private static func colder(_ a: String?, _ b: String) -> String {
    guard let a else { return b }
    return (classes.firstIndex(of: a) ?? 0) >= (classes.firstIndex(of: b) ?? 0) ? a : b
  }

  private static func change(_ record: ObjectRecord, _ target: String?) -> Action? {
    guard let target, colder(record.attributes.storageClass, target) == target,
      target != record.attributes.storageClass
    else { return nil }
    return .transition(target)
  }

  /// The object is large enough; a filter by size in the rule overrides the default.
  private func takes(_ rule: S3.LifecycleRule, _ record: ObjectRecord, _ target: String) -> Bool {
    if (rule.filter?.and?.objectSizeGreaterThan ?? rule.filter?.objectSizeGreaterThan) != nil { return true }
    if !holdsBackSmallObjects, target == "GLACIER" || target == "DEEP_ARCHIVE" { return true }
    return record.size >= 131_072
  }

  // MARK: Validation

  /// - Throws: `InvalidArgument`, `InvalidRequest`, `MalformedXML`.
  static func validate(_ rules: [S3.LifecycleRule]) throws {
    var ids: Set<String> = []
    for rule in rules {
      guard rule.status == "Enabled" || rule.status == "Disabled" else { throw S3Error.malformedXML }
      let id = rule.id ?? ""
      guard id.count <= 255 else {
        throw AWSError("InvalidArgument", "ID length should not exceed allowed limit of 255")
      }
      guard ids.insert(id).inserted else {
        throw AWSError("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
      }
      guard rule.filter == nil || rule.prefix == nil else { throw S3Error.malformedXML }
      try validateActions(rule)
      if let and = rule.filter?.and {
        _ = try TagRules.object(and.tags ?? [])
        if let least = and.objectSizeGreaterThan, let most = and.objectSizeLessThan, least >= most {
          throw S3Error.invalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'")
        }
      }
    }
  }

  private static func validateActions(_ rule: S3.LifecycleRule) throws {
    let isIdle =
      rule.expiration == nil && rule.transitions?.isEmpty ?? true && rule.noncurrentVersionExpiration == nil
      && rule.noncurrentVersionTransitions?.isEmpty ?? true && rule.abortIncompleteMultipartUpload == nil
    if isIdle { throw S3Error.invalidRequest("At least one action needs to be specified in a rule") }
    if let expiration = rule.expiration {
      let given = [expiration.days != nil, expiration.date != nil, expiration.expiredObjectDeleteMarker != nil]
      guard given.filter({ $0 }).count == 1 else { throw S3Error.malformedXML }
      if let days = expiration.days, days <= 0 {
        throw AWSError("InvalidArgument", "'Days' for Expiration action must be a positive integer")
      }
      if let date = expiration.date, date.milliseconds % 86_400_000 != 0 {
        throw AWSError("InvalidArgument", "'Date' must be at midnight GMT")
      }
    }
    for step in rule.transitions ?? [] {
      guard (step.days == nil) != (step.date == nil), let name = step.storageClass, classes.contains(name) else {
        throw S3Error.malformedXML
      }
      if let days = step.days, days < 0 {
        throw AWSError("InvalidArgument", "'Days' in Transition action must be nonnegative")
      }
    }
    if let days = rule.noncurrentVersionExpiration?.noncurrentDays, days <= 0 {
      throw AWSError(
        "InvalidArgument", "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
    }
    if let days = rule.abortIncompleteMultipartUpload?.daysAfterInitiation, days <= 0 {
      throw AWSError(
        "InvalidArgument", "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer")
    }
  }
}
