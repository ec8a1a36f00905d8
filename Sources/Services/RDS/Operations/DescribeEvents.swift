// DescribeEvents: what happened to clusters and instances, the engines' own words when one does not start.

import AWSCore
import AWSWire
import EngineKit
import RDSModel
import ServiceKit
import Store

extension RDSService {
  func describeEvents(_ input: RDS.DescribeEventsMessage, _ call: CallContext) async throws -> RDS.EventsMessage {
    if let filter = input.filters?.first { throw AWSError.notImplemented("RDS: filters of events (\(filter.name))") }
    let query = try EngineEventQuery(
      sourceType: input.sourceType, source: input.sourceIdentifier?.lowercased(), start: input.startTime,
      end: input.endTime, minutes: input.duration, categories: input.eventCategories ?? [], now: call.now)
    let found = try await store.read { try $0.list(EventRecord.self, call.scope) }.filter(query.matches)
    let page = try Page(found, limit: input.maxRecords, marker: input.marker, place: \.id)
    return .make {
      $0.events = page.items.map { record in
        .make {
          $0.sourceIdentifier = record.event.source
          $0.sourceType = record.event.sourceType
          $0.sourceArn = record.event.arn
          $0.message = record.event.message
          $0.eventCategories = record.event.categories
          $0.date = record.time
        }
      }
      $0.marker = page.marker
    }
  }
}
