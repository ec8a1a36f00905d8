// Where ElastiCache keeps its events.

import EngineKit

enum EventLog: EngineEventLog {
  static let collection = "elasticache.event"
}

typealias EventRecord = EngineEventRecord<EventLog>
