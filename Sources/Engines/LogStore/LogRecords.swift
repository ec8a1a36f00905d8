// What the log store takes and gives back.

import AWSCore

/// An expected failure of the log store. Failures of SQLite come as `DatabaseError`.
public enum LogStoreError: Error, Sendable, Equatable {
  /// Another process (or object) has this folder open.
  case inUse(String)
  case groupExists
  case noSuchGroup
  case streamExists
  case noSuchStream
}

public struct LogGroupRecord: Sendable, Equatable {
  public var name: String
  public var created: Timestamp
  /// Events older than so many days are dropped by ``LogStore/expire(at:)``; nil keeps them.
  public var retentionDays: Int?
  /// The caller's document, opaque.
  public var configuration: [UInt8]
  /// Bytes of the messages that are kept.
  public var bytes: Int
  /// The number of events that are kept.
  public var events: Int
}

public struct LogStreamRecord: Sendable, Equatable {
  public var name: String
  public var created: Timestamp
  /// The oldest and newest event times; nil when there are no events.
  public var firstEvent: Timestamp?
  public var lastEvent: Timestamp?
  public var lastIngestion: Timestamp?
  /// Bytes of the messages that are kept.
  public var bytes: Int
  public var events: Int
}

/// An event on its way in.
public struct NewLogEvent: Sendable, Equatable {
  public var time: Timestamp
  public var message: String

  public init(time: Timestamp, message: String) {
    self.time = time
    self.message = message
  }
}

/// An event that is kept.
public struct LogEventRecord: Sendable, Equatable {
  /// Unique in the store; ascending in the order of arrival.
  public var id: Int64
  public var stream: String
  public var time: Timestamp
  public var ingested: Timestamp
  public var message: String

  public var position: LogPosition { LogPosition(time: time, id: id) }
}

/// A place in the order of time, and of arrival within one millisecond.
public struct LogPosition: Sendable, Equatable {
  public var time: Timestamp
  public var id: Int64

  public init(time: Timestamp, id: Int64) {
    self.time = time
    self.id = id
  }

  /// As text, for tokens.
  public var text: String { "\(time.milliseconds)-\(id)" }

  /// Nil for anything that ``text`` did not write.
  public init?(text: String) {
    guard let dash = text.lastIndex(of: "-"), let time = Int64(text[..<dash]),
      let id = Int64(text[text.index(after: dash)...])
    else { return nil }
    self.init(time: Timestamp(milliseconds: time), id: id)
  }
}

/// Where reading of a stream begins.
public enum LogStart: Sendable, Equatable {
  /// With the oldest events.
  case head
  /// With the newest events.
  case tail
  /// With the events right after this place.
  case after(LogPosition)
  /// With the events right before this place.
  case before(LogPosition)
}

/// Events of one stream, oldest first.
public struct LogPage: Sendable, Equatable {
  public var events: [LogEventRecord]
  /// Where reading goes on towards older events: `.before(backward)`.
  public var backward: LogPosition
  /// Where reading goes on towards newer events: `.after(forward)`. Unchanged at the end.
  public var forward: LogPosition
}

/// Which streams of a group.
public enum StreamSelection: Sendable, Equatable {
  case all
  /// Those of these names that exist.
  case named([String])
  case prefix(String)

  func contains(_ name: String) -> Bool {
    switch self {
    case .all: return true
    case .named(let names): return names.contains { $0.utf8.elementsEqual(name.utf8) }
    case .prefix(let prefix): return name.utf8.starts(with: prefix.utf8)
    }
  }
}

/// Matching events of a group in the order of time.
public struct LogFilterPage: Sendable, Equatable {
  public var events: [LogEventRecord]
  /// Where to go on (give it as `after`); nil when everything was looked at. A page may be empty and still go on.
  public var next: LogPosition?
}

/// Events as they come in.
public struct LogTailBatch: Sendable, Equatable {
  public var group: String
  public var events: [LogEventRecord]

  public init(group: String, events: [LogEventRecord]) {
    self.group = group
    self.events = events
  }
}
