// What is old goes: stopped tasks and their log files after an hour, inactive services and clusters after a day.

import AWSCore
import ServiceKit
import Store
import Supervisor

/// Removes what nobody is told of any more.
struct Housekeeping: Sendable {
  let environment: ServiceEnvironment
  let logDirectory: String

  /// - Returns: when the next thing is due.
  func settle() async throws -> Timestamp? {
    let now = environment.clock.now
    let (next, gone) = try await environment.store.write { tx in
      var next: Timestamp?
      var gone: [String] = []
      /// Whether it is due; else its time is noted.
      func isDue(_ since: Timestamp?, _ life: Double) -> Bool {
        guard let due = since?.adding(seconds: life) else { return false }
        if due <= now { return true }
        next = next.map { min($0, due) } ?? due
        return false
      }
      for (scope, task) in try tx.find(TaskRecord.self, index: "live", "no")
      where isDue(task.stoppedAt, Limits.stoppedTaskLife) {
        try tx.delete(TaskRecord.self, scope, task.id)
        gone.append(task.id)
      }
      for (scope, service) in try tx.find(ServiceRecord.self, index: "run", "no")
      where isDue(service.deletedAt, Limits.inactiveLife) {
        try tx.delete(ServiceRecord.self, scope, service.recordID)
      }
      for (scope, cluster) in try tx.list(ClusterRecord.self) where isDue(cluster.deletedAt, Limits.inactiveLife) {
        try tx.delete(ClusterRecord.self, scope, cluster.name)
      }
      return (next, gone)
    }
    let directory = logDirectory
    if !gone.isEmpty {
      try await BlockingQueue.once("task-logs") { for id in gone { try PrivateFiles.remove("\(directory)/\(id)") } }
    }
    return next
  }
}
