// Which events of a batch are taken, and which batches are.

import AWSCore
import CloudWatchLogsModel
import LogStore

/// A batch of PutLogEvents, judged.
struct JudgedBatch: Sendable {
  /// The events to keep.
  var accepted: [NewLogEvent] = []
  /// Events before this index are older than 14 days.
  var tooOldEnd: Int?
  /// Events before this index are beyond the group's retention.
  var expiredEnd: Int?
  /// Events from this index on lie more than two hours ahead.
  var tooNewStart: Int?

  /// - Throws: `InvalidParameterException` for a batch that is refused as a whole.
  init(_ events: [CloudWatchLogs.InputLogEvent], retentionDays: Int?, now: Timestamp) throws {
    guard !events.isEmpty else {
      throw LogsError.invalid("Log events in a single PutLogEvents request must not be empty.")
    }
    guard events.count <= LogsLimits.batchEventsMax else {
      throw LogsError.invalid("A PutLogEvents request holds at most \(LogsLimits.batchEventsMax) log events.")
    }
    let bytes = events.reduce(0) { $0 + $1.message.utf8.count + LogsLimits.eventOverhead }
    guard bytes <= LogsLimits.batchBytesMax else {
      throw LogsError.invalid("Upload too large: \(bytes) bytes exceeds limit of \(LogsLimits.batchBytesMax)")
    }
    for (earlier, later) in zip(events, events.dropFirst()) where later.timestamp < earlier.timestamp {
      throw LogsError.invalid("Log events in a single PutLogEvents request must be in chronological order.")
    }
    if let first = events.first, let last = events.last,
      last.timestamp &- first.timestamp > LogsLimits.batchSpanHours * 3_600_000
    {
      throw LogsError.invalid(
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
    }
    let oldest = now.adding(days: -LogsLimits.pastDays).milliseconds
    let retained = retentionDays.map { now.adding(days: -$0).milliseconds }
    let newest = now.milliseconds + Int64(LogsLimits.futureHours) * 3_600_000
    for (index, event) in events.enumerated() {
      let time = Int64(event.timestamp)
      if let retained, time < retained {
        expiredEnd = index + 1
      } else if time < oldest {
        tooOldEnd = index + 1
      } else if time > newest {
        if tooNewStart == nil { tooNewStart = index }
      } else {
        accepted.append(NewLogEvent(time: Timestamp(milliseconds: time), message: event.message))
      }
    }
  }

  /// What the answer says of the rest; nil when all events were taken.
  var rejected: CloudWatchLogs.RejectedLogEventsInfo? {
    if tooOldEnd == nil, expiredEnd == nil, tooNewStart == nil { return nil }
    return .make {
      $0.tooOldLogEventEndIndex = tooOldEnd
      $0.expiredLogEventEndIndex = expiredEnd
      $0.tooNewLogEventStartIndex = tooNewStart
    }
  }
}
