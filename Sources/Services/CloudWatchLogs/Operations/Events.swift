// PutLogEvents, GetLogEvents, FilterLogEvents.

import AWSCore
import AWSWire
import CloudWatchLogsModel
import LogStore
import ServiceKit

extension CloudWatchLogsService {
  func putLogEvents(
    _ input: CloudWatchLogs.PutLogEventsRequest, _ call: CallContext
  ) async throws -> CloudWatchLogs.PutLogEventsResponse {
    let group = LogGroupName(input.logGroupName, call)
    let store = try await logs()
    // The retention matters only for events that are a day old; most batches are spared the look.
    var retention: Int?
    if let first = input.logEvents.first, Int64(first.timestamp) < call.now.adding(days: -1).milliseconds {
      retention = try await store.group(group.key)?.retentionDays
    }
    let batch = try JudgedBatch(input.logEvents, retentionDays: retention, now: call.now)
    let kept = try await LogsError.translated {
      if batch.accepted.isEmpty, try await store.stream(input.logStreamName, group: group.key) == nil {
        throw LogStoreError.noSuchStream
      }
      return try await store.append(
        batch.accepted, group: group.key, stream: input.logStreamName, ingested: call.now)
    }
    return .make {
      $0.nextSequenceToken = Self.sequenceToken(kept.last?.id ?? 0)
      $0.rejectedLogEventsInfo = batch.rejected
    }
  }

  func getLogEvents(
    _ input: CloudWatchLogs.GetLogEventsRequest, _ call: CallContext
  ) async throws -> CloudWatchLogs.GetLogEventsResponse {
    let group = try LogGroupName(name: input.logGroupName, identifier: input.logGroupIdentifier, call)
    let start = try input.nextToken.map(ReadToken.start) ?? (input.startFromHead == true ? .head : .tail)
    let page = try await LogsError.translated {
      try await logs().read(
        group: group.key, stream: input.logStreamName, from: input.startTime.map(Self.time),
        to: input.endTime.map(Self.time), start: start, limit: max(1, input.limit ?? 10_000))
    }
    let tokens = ReadToken.pair(page, start)
    return .make {
      $0.events = page.events.map { event in
        .make {
          $0.timestamp = Int(event.time.milliseconds)
          $0.ingestionTime = Int(event.ingested.milliseconds)
          $0.message = event.message
        }
      }
      $0.nextForwardToken = tokens.forward
      $0.nextBackwardToken = tokens.backward
    }
  }

  func filterLogEvents(
    _ input: CloudWatchLogs.FilterLogEventsRequest, _ call: CallContext
  ) async throws -> CloudWatchLogs.FilterLogEventsResponse {
    let group = try LogGroupName(name: input.logGroupName, identifier: input.logGroupIdentifier, call)
    if input.logStreamNames != nil, input.logStreamNamePrefix != nil {
      throw LogsError.invalid("logStreamNames and logStreamNamePrefix must not both be given.")
    }
    let pattern = try FilterPattern(input.filterPattern ?? "")
    let after = try input.nextToken.map { token in
      guard let position = LogPosition(text: token) else { throw LogsError.invalidToken }
      return position
    }
    let streams: StreamSelection =
      if let names = input.logStreamNames { .named(names) } else {
        input.logStreamNamePrefix.map { .prefix($0) } ?? .all
      }
    let page = try await LogsError.translated {
      let store = try await logs()
      if after == nil {
        for name in input.logStreamNames ?? [] where try await store.stream(name, group: group.key) == nil {
          throw LogStoreError.noSuchStream
        }
      }
      return try await store.filter(
        group: group.key, streams: streams, from: input.startTime.map(Self.time),
        // Unlike GetLogEvents, this end is part of the range.
        to: input.endTime.map { Self.time($0 == .max ? $0 : $0 + 1) }, after: after,
        limit: max(1, input.limit ?? 10_000), matching: { pattern.matches($0) })
    }
    return .make {
      $0.events = page.events.map { event in
        .make {
          $0.eventId = Self.sequenceToken(event.id)
          $0.logStreamName = event.stream
          $0.timestamp = Int(event.time.milliseconds)
          $0.ingestionTime = Int(event.ingested.milliseconds)
          $0.message = event.message
        }
      }
      $0.searchedLogStreams = []
      $0.nextToken = page.next?.text
    }
  }

  private static func time(_ milliseconds: Int) -> Timestamp { Timestamp(milliseconds: Int64(milliseconds)) }
}
