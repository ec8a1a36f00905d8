// DescribeEvents: what happened to groups and nodes, the engine's own words when one does not start.

import AWSCore
import AWSWire
import ElastiCacheModel
import EngineKit
import ServiceKit
import Store

extension ElastiCacheService {
  func describeEvents(
    _ input: ElastiCache.DescribeEventsMessage, _ call: CallContext
  ) async throws -> ElastiCache.EventsMessage {
    let query = try EngineEventQuery(
      sourceType: input.sourceType, source: input.sourceIdentifier?.lowercased(), start: input.startTime,
      end: input.endTime, minutes: input.duration, now: call.now)
    let found = try await store.read { try $0.list(EventRecord.self, call.scope) }.filter(query.matches)
    let page = try Page(found, limit: input.maxRecords, marker: input.marker, place: \.id)
    return .make {
      $0.events = page.items.map { record in
        .make {
          $0.sourceIdentifier = record.event.source
          $0.sourceType = record.event.sourceType
          $0.message = record.event.message
          $0.date = record.time
        }
      }
      $0.marker = page.marker
    }
  }
}
