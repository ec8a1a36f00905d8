// Asks the load balancers how the tasks are, often while something is expected, seldom when all is well.

import AWSCore
import Logging
import ServiceKit
import Store

/// Keeps the health board up to date.
struct HealthWatch: Sendable {
  let environment: ServiceEnvironment
  let groups: TargetGroups
  let board: HealthBoard
  /// Called when something has changed.
  let changed: @Sendable () -> Void

  /// Runs until cancelled or the store is closed. Where no task has targets it waits for that.
  func run() async throws {
    let changes = environment.store.changes(in: [TaskRecord.collection, ServiceRecord.collection])
    var iterator = changes.makeAsyncIterator()
    var told: String?
    while true {
      try Task.checkCancellation()
      let (tasks, isBusy) = try await watched()
      if tasks.isEmpty {
        if board.replace([:]) { changed() }
        guard await iterator.next() != nil else { return }
        continue
      }
      let (states, trouble) = await ask(tasks)
      if board.replace(states) { changed() }
      if let trouble, trouble != told {
        environment.logger.warning("target health is not to be had", metadata: ["error": "\(trouble)"])
      }
      told = trouble
      let allWell = !isBusy && states.values.allSatisfy { $0 == .healthy }
      try await environment.clock.sleep(seconds: allWell ? Limits.healthIntervalQuiet : Limits.healthInterval)
    }
  }

  /// The running tasks with targets; whether a roll-out is going on.
  private func watched() async throws -> (tasks: [(Scope, TaskRecord)], isBusy: Bool) {
    try await environment.store.read { snapshot in
      let tasks = try snapshot.find(TaskRecord.self, index: "live", "yes")
        .filter { $0.1.status == .running && $0.1.isWanted && !$0.1.targets.isEmpty }
      let isBusy = try snapshot.find(ServiceRecord.self, index: "run", "yes").contains { !$0.1.isSteady }
      return (tasks, isBusy)
    }
  }

  private func ask(_ tasks: [(Scope, TaskRecord)]) async -> (states: [String: TargetState], trouble: String?) {
    struct Group: Hashable {
      var scope: Scope
      var arn: String
    }
    var answers: [Group: [String: TargetState]] = [:]
    var trouble: String?
    for group in Set(tasks.flatMap { scope, task in task.targets.map { Group(scope: scope, arn: $0.group) } }) {
      do { answers[group] = try await groups.health(group.arn, group.scope) } catch { trouble = "\(error)" }
    }
    var states: [String: TargetState] = [:]
    for (scope, task) in tasks {
      states[task.id] = TargetGroups.combined(
        task.targets.map { target in
          answers[Group(scope: scope, arn: target.group)]?["\(task.address ?? ""):\(target.port)"] ?? .unknown
        })
    }
    return (states, trouble)
  }
}
