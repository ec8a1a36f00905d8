// What happens to engines, kept for those who ask later: the events of a service's groups and servers.

import AWSCore
import ServiceKit
import Store

/// Something that happened to a group or to one of its servers, in the service's words.
public struct EngineEvent: Codable, Sendable, Hashable {
  /// `db-instance`, `replication-group`.
  public var sourceType: String
  /// The identifier of what it happened to.
  public var source: String
  public var arn: String
  /// `failure`, `availability`; empty where the service has no categories.
  public var categories: [String]
  public var message: String

  public init(_ sourceType: String, _ source: String, arn: String, categories: [String] = [], _ message: String) {
    self.sourceType = sourceType
    self.source = source
    self.arn = arn
    self.categories = categories
    self.message = message
  }
}

/// Names the collection of a service's events.
public protocol EngineEventLog: Sendable {
  /// `rds.event`
  static var collection: String { get }
}

/// An event in the store. Outlives what it happened to.
public struct EngineEventRecord<Log: EngineEventLog>: Record, Hashable {
  public static var collection: String { Log.collection }
  public var recordID: String { id }

  /// Sorts by time.
  public var id: String
  public var time: Timestamp
  public var event: EngineEvent

  /// Seconds that events are kept, as on AWS: 14 days.
  public static var age: Double { 14 * 86_400 }
  /// Of an account and region, at most so many are kept.
  static var countMax: Int { 5000 }

  /// Writes events down, and lets those go that are too old.
  public static func append(_ events: [EngineEvent], at now: Timestamp, _ scope: Scope, _ tx: Transaction) throws {
    for event in events {
      let number = try tx.nextNumber(collection, scope)
      let id = "\(padded(String(now.milliseconds), 15))-\(padded(String(number), 10))"
      try tx.put(Self(id: id, time: now, event: event), scope)
    }
    guard !events.isEmpty else { return }
    let excess = try tx.count(Self.self, scope) - countMax
    let oldest = now.adding(seconds: -age)
    for (index, record) in try tx.list(Self.self, scope, limit: max(100, excess)).enumerated() {
      guard record.time < oldest || index < excess else { break }
      try tx.delete(Self.self, scope, record.id)
    }
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    String(repeating: "0", count: max(0, width - text.count)) + text
  }
}

/// Which events somebody asks for.
public struct EngineEventQuery: Sendable {
  public var sourceType: String?
  public var source: String?
  public var from: Timestamp
  public var to: Timestamp
  /// At least one of these; empty: any.
  public var categories: Set<String>

  /// Minutes that are looked back when nothing else is said.
  public static let defaultMinutes = 60

  /// - Throws: `AWSError` `InvalidParameterCombination`, `InvalidParameterValue`.
  public init(
    sourceType: String?, source: String?, start: Timestamp?, end: Timestamp?, minutes: Int?,
    categories: [String] = [], now: Timestamp
  ) throws {
    if source != nil && sourceType == nil {
      throw AWSError("InvalidParameterCombination", "SourceType is required when SourceIdentifier is given.")
    }
    if minutes != nil && start != nil {
      throw AWSError("InvalidParameterCombination", "Duration and StartTime cannot both be given.")
    }
    let mostMinutes = 14 * 24 * 60
    if let minutes, !(0...mostMinutes).contains(minutes) {
      throw AWSError("InvalidParameterValue", "Duration must be between 0 and \(mostMinutes) minutes.")
    }
    to = end ?? now
    from = start ?? to.adding(seconds: -60 * Double(minutes ?? Self.defaultMinutes))
    if from > to { throw AWSError("InvalidParameterValue", "The start time must not be after the end time.") }
    self.sourceType = sourceType
    self.source = source
    self.categories = Set(categories)
  }

  public func matches<Log>(_ record: EngineEventRecord<Log>) -> Bool {
    let event = record.event
    return record.time >= from && record.time <= to && (sourceType == nil || event.sourceType == sourceType)
      && (source == nil || event.source == source)
      && (categories.isEmpty || !categories.isDisjoint(with: event.categories))
  }
}
