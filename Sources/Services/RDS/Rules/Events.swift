// What clusters and instances tell of themselves, in RDS's words and categories. Pure.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Events.Messages.html

import EngineKit
import Supervisor

enum Events {
  /// The source types that there are events of.
  static let instanceType = "db-instance"
  static let clusterType = "db-cluster"

  /// What happened between two looks at a cluster.
  static func between(_ before: ObservedRecord, _ now: ObservedRecord, _ cluster: EngineGroupName) -> [EngineEvent] {
    func event(_ category: String, _ message: String) -> EngineEvent {
      EngineEvent(clusterType, cluster.id, arn: cluster.arn, categories: [category], message)
    }
    var events: [EngineEvent] = []
    if now.isOpen && !before.isOpen { events.append(event("creation", "DB cluster created")) }
    if let failure = now.failure, failure.isNews(after: before.failure) {
      events.append(event("failure", "The DB cluster cannot be run. \(told(failure))"))
    }
    // A quick one has begun and ended between two looks.
    let writer = now.writer ?? ""
    let hasBegun = before.writer != nil && now.writer != nil && now.writer != before.writer
    if hasBegun { events.append(event("failover", "Started cross AZ failover to DB instance: \(writer)")) }
    for name in now.instances.keys.sorted() {
      guard let seen = now.instances[name] else { continue }
      events += of(name, before.instances[name], seen, cluster)
    }
    if hasBegun || before.failoverTo != nil, now.failoverTo == nil, now.availableWriter != nil {
      events.append(event("failover", "Completed failover to DB instance: \(writer)"))
    }
    if !now.instances.isEmpty && !before.instances.isEmpty && now.isStopped != before.isStopped {
      events.append(event("notification", now.isStopped ? "DB cluster stopped" : "DB cluster started"))
    }
    return events
  }

  private static func of(
    _ name: String, _ before: ObservedRecord.Instance?, _ now: ObservedRecord.Instance, _ cluster: EngineGroupName
  ) -> [EngineEvent] {
    func event(_ category: String, _ message: String) -> EngineEvent {
      EngineEvent(instanceType, name, arn: cluster.arn(ofMember: name, type: "db"), categories: [category], message)
    }
    var events: [EngineEvent] = []
    if now.wasDown == true && before?.wasDown != true { events.append(event("availability", "DB instance shutdown")) }
    if now.isAvailable && before?.isAvailable != true {
      if before?.wasAvailable != true {
        events.append(event("creation", "DB instance created"))
      } else if before?.wasDown == true {
        events.append(event("availability", "DB instance restarted"))
      }
      if before?.hasFailed == true { events.append(event("recovery", "Recovery of the DB instance is complete.")) }
    }
    if let failure = now.failure, failure.isNews(after: before?.failure) { events.append(failed(failure, event)) }
    return events
  }

  private static func failed(_ failure: EngineFailure, _ event: (String, String) -> EngineEvent) -> EngineEvent {
    let state = Status.word(failure)
    let category = failure.cause == .storage ? "low storage" : "failure"
    return event(category, "Database instance put into \(state). \(told(failure))")
  }

  /// A failure with what a person can do about it.
  static func told(_ failure: EngineFailure) -> String {
    failure.told(
      parametersRemedy: "correct or reset the parameters of the cluster's parameter group, then reboot the instance")
  }

  static func deleted(_ instance: InstanceRecord) -> EngineEvent {
    EngineEvent(instanceType, instance.id, arn: instance.arn, categories: ["deletion"], "DB instance deleted")
  }

  static func deleted(_ cluster: EngineGroupName) -> EngineEvent {
    EngineEvent(clusterType, cluster.id, arn: cluster.arn, categories: ["deletion"], "DB cluster deleted")
  }
}
