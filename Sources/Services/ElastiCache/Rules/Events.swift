// What replication groups and their nodes tell of themselves. Pure.

import EngineKit
import Supervisor

enum Events {
  /// The source types that there are events of.
  static let groupType = "replication-group"
  static let nodeType = "cache-cluster"

  /// What happened between two looks at a group.
  static func between(_ before: ObservedRecord, _ now: ObservedRecord, _ group: EngineGroupName) -> [EngineEvent] {
    func event(_ message: String) -> EngineEvent { EngineEvent(groupType, group.id, arn: group.arn, message) }
    var events: [EngineEvent] = []
    if let failure = now.failure, failure.isNews(after: before.failure) {
      events.append(event("Replication group \(group.id) cannot be run. \(told(failure))"))
    }
    for name in now.nodes.keys.sorted() {
      guard let seen = now.nodes[name] else { continue }
      events += of(name, before.nodes[name], seen, group)
    }
    // A quick failover has begun and ended between two looks.
    let hasBegun = before.primary != nil && now.primary != nil && now.primary != before.primary
    if hasBegun || before.failoverTo != nil, now.failoverTo == nil, now.availablePrimary != nil {
      events.append(event("Failover to replica node \(now.primary ?? "") completed"))
    }
    if now.wasSettled && !before.wasSettled { events.append(event("Replication group \(group.id) created")) }
    return events
  }

  private static func of(
    _ name: String, _ before: ObservedRecord.Node?, _ now: ObservedRecord.Node, _ group: EngineGroupName
  ) -> [EngineEvent] {
    func event(_ message: String) -> EngineEvent { EngineEvent(nodeType, name, arn: arn(name, group), message) }
    var events: [EngineEvent] = []
    if now.isAvailable && before?.isAvailable != true {
      if before?.wasAvailable != true { events.append(event("Cache cluster created")) }
      if before?.hasFailed == true { events.append(event("Recovered cache node 0001")) }
    }
    if let failure = now.failure, failure.isNews(after: before?.failure) {
      events.append(event("Cache cluster put into \(Status.word(failure)). \(told(failure))"))
    }
    return events
  }

  /// A failure with what a person can do about it.
  static func told(_ failure: EngineFailure) -> String {
    failure.told(parametersRemedy: "correct the parameters of the group's cache parameter group")
  }

  private static func arn(_ node: String, _ group: EngineGroupName) -> String {
    group.arn(ofMember: node, type: "cluster")
  }

  static func deleted(_ node: String, _ group: EngineGroupName) -> EngineEvent {
    EngineEvent(nodeType, node, arn: arn(node, group), "Cache cluster deleted")
  }

  static func deleted(_ group: EngineGroupName) -> EngineEvent {
    EngineEvent(groupType, group.id, arn: group.arn, "Replication group \(group.id) deleted")
  }
}
