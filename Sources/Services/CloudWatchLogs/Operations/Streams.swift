// CreateLogStream, DeleteLogStream, DescribeLogStreams.

import AWSCore
import AWSWire
import CloudWatchLogsModel
import LogStore
import ServiceKit

extension CloudWatchLogsService {
  func createLogStream(_ input: CloudWatchLogs.CreateLogStreamRequest, _ call: CallContext) async throws -> Empty {
    let group = LogGroupName(input.logGroupName, call)
    try await LogsError.translated {
      try await logs().createStream(input.logStreamName, group: group.key, at: call.now)
    }
    return Empty()
  }

  func deleteLogStream(_ input: CloudWatchLogs.DeleteLogStreamRequest, _ call: CallContext) async throws -> Empty {
    let group = LogGroupName(input.logGroupName, call)
    try await LogsError.translated { try await logs().deleteStream(input.logStreamName, group: group.key) }
    return Empty()
  }

  func describeLogStreams(
    _ input: CloudWatchLogs.DescribeLogStreamsRequest, _ call: CallContext
  ) async throws -> CloudWatchLogs.DescribeLogStreamsResponse {
    let group = try LogGroupName(name: input.logGroupName, identifier: input.logGroupIdentifier, call)
    let byTime = input.orderBy == "LastEventTime"
    if byTime, input.logStreamNamePrefix != nil {
      throw LogsError.invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    }
    let limit = max(1, input.limit ?? 50)
    guard let offset = Int(input.nextToken ?? "0"), offset >= 0 else { throw LogsError.invalidToken }
    let descending = input.descending ?? false
    var records = try await LogsError.translated {
      // The engine orders by time newest first; the other way round is for the few who ask for it.
      if byTime, !descending {
        let all = try await logs().streams(group: group.key, newestFirst: true)
        return Array(all.reversed().dropFirst(offset).prefix(limit + 1))
      }
      return try await logs().streams(
        group: group.key, prefix: input.logStreamNamePrefix ?? "", newestFirst: byTime, descending: descending,
        offset: offset, limit: limit + 1)
    }
    let goesOn = records.count > limit
    if goesOn { records.removeLast() }
    return .make {
      $0.logStreams = records.map { Self.told($0, group) }
      $0.nextToken = goesOn ? String(offset + limit) : nil
    }
  }

  private static func told(_ record: LogStreamRecord, _ group: LogGroupName) -> CloudWatchLogs.LogStream {
    .make {
      $0.logStreamName = record.name
      $0.arn = group.arn(stream: record.name)
      $0.creationTime = Int(record.created.milliseconds)
      $0.firstEventTimestamp = record.firstEvent.map { Int($0.milliseconds) }
      $0.lastEventTimestamp = record.lastEvent.map { Int($0.milliseconds) }
      $0.lastIngestionTime = record.lastIngestion.map { Int($0.milliseconds) }
      $0.uploadSequenceToken = Self.sequenceToken(Int64(record.events))
      // AWS tells no sizes of streams since 2019, and zero instead.
      $0.storedBytes = 0
    }
  }

  /// Sequence tokens are taken and given as before 2023, and mean nothing.
  static func sequenceToken(_ number: Int64) -> String {
    let digits = String(number)
    return "49" + String(repeating: "0", count: max(0, 54 - digits.count)) + digits
  }
}
