// All tasks that live: one driver each, and the runtime's tasks that they hold.

import AWSCore
import ECSModel
import Logging
import ServiceKit
import Store
import Tasks

/// Drives tasks through their lives. Drivers work while `run` does, or while everything is being stopped.
actor TaskFleet {
  /// How tasks are ended.
  enum Haste: Sendable {
    /// Targets drain, containers get their stop timeout.
    case none
    /// Containers get their stop timeout; nobody is asked to drain.
    case down
    /// Killed.
    case kill
  }

  struct Key: Hashable, Sendable {
    var scope: Scope
    var id: String
  }
  private struct Entry {
    var work: Task<Void, Never>
    var signal: AsyncStream<Void>.Continuation
  }

  nonisolated let environment: ServiceEnvironment
  nonisolated let runtime: any TaskRuntime
  nonisolated let launch: TaskLaunch
  nonisolated let groups: TargetGroups
  nonisolated let shipper: LogShipper
  private var entries: [Key: Entry] = [:]
  private var running: [String: any RunningTask] = [:]
  private var isAdopted = false
  private(set) var haste = Haste.none

  init(environment: ServiceEnvironment, runtime: any TaskRuntime, launch: TaskLaunch, groups: TargetGroups) {
    self.environment = environment
    self.runtime = runtime
    self.launch = launch
    self.groups = groups
    shipper = LogShipper(environment, launch.logs)
  }

  // MARK: The loop

  /// Runs until cancelled or the store is closed.
  func run() async throws {
    let changes = environment.store.changes(in: [TaskRecord.collection])
    try await adopt()
    do {
      try await look()
      for await _ in changes { try await look() }
    } catch {
      await pause()
      throw error
    }
    await pause()
    try Task.checkCancellation()
  }

  /// Finds the tasks that an earlier control plane started. Those that nobody knows any more are ended.
  private func adopt() async throws {
    guard !isAdopted else { return }
    isAdopted = true
    let known = try await environment.store.read { snapshot in
      Set(try snapshot.find(TaskRecord.self, index: "live", "yes").map(\.1.id))
    }
    for task in await runtime.adopt() {
      if known.contains(task.id) {
        running[task.id] = running[task.id] ?? task
      } else {
        environment.logger.info("ending a task that nobody knows", metadata: ["task": "\(task.id)"])
        await task.stop(grace: 0)
        await task.forget()
      }
    }
  }

  /// Sees to it that each live task has a driver, and wakes the drivers whose task is to end.
  private func look() async throws {
    let live = try await environment.store.read { snapshot in
      try snapshot.find(TaskRecord.self, index: "live", "yes").map { (Key(scope: $0, id: $1.id), $1.isWanted) }
    }
    for (key, isWanted) in live {
      if let entry = entries[key] {
        if !isWanted { entry.signal.yield() }
      } else {
        start(key)
      }
    }
  }

  private func start(_ key: Key) {
    let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let driver = TaskDriver(fleet: self, key: key, signals: signals, signal: signal)
    let work = Task {
      await driver.run()
      self.ended(key)
    }
    entries[key] = Entry(work: work, signal: signal)
  }

  private func ended(_ key: Key) { entries[key] = nil }

  /// Ends the drivers where they are; the tasks go on.
  func pause() async {
    let all = Array(entries.values)
    for entry in all { entry.work.cancel() }
    for entry in all { await entry.work.value }
    entries = [:]
    await shipper.stop()
  }

  // MARK: What drivers ask for

  func handle(_ id: String) -> (any RunningTask)? { running[id] }

  func started(_ task: any RunningTask) { running[task.id] = task }

  func forget(_ id: String) { running[id] = nil }

  // MARK: Stopping everything

  /// Ends all live tasks, with drivers of its own when `run` has none.
  func stopAll(_ haste: Haste, reason: String) async throws {
    self.haste = haste
    defer { self.haste = .none }
    try await adopt()
    let now = environment.clock.now
    let live = try await environment.store.write { tx in
      let live = try tx.find(TaskRecord.self, index: "live", "yes")
      for (scope, task) in live {
        var task = task
        task.requestStop(.termination, reason, now)
        try tx.put(task, scope)
      }
      return live.map { Key(scope: $0, id: $1.id) }
    }
    if case .kill = haste {
      await withTaskGroup(of: Void.self) { group in
        for task in running.values { group.addTask { await task.stop(grace: 0) } }
      }
    }
    // Drivers in the midst of waiting begin anew, in haste.
    for key in live {
      if let entry = entries[key] {
        entry.work.cancel()
        await entry.work.value
      }
      if entries[key] == nil { start(key) }
    }
    for key in live { await entries[key]?.work.value }
  }

  var hasTasks: Bool { !running.isEmpty || !entries.isEmpty }
}
