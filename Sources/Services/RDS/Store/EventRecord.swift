// Where RDS keeps its events.

import EngineKit

enum EventLog: EngineEventLog {
  static let collection = "rds.event"
}

typealias EventRecord = EngineEventRecord<EventLog>
