// One task's life: PROVISIONING → PENDING → ACTIVATING → RUNNING → DEACTIVATING → STOPPING → DEPROVISIONING → STOPPED.
//
// Each step reads the record, does what its state asks for, and writes the next state. So it can be cut off anywhere
// and begun again by another control plane.

import AWSCore
import ECSModel
import Foundation
import Logging
import ServiceKit
import Store
import Supervisor
import Tasks

/// Takes one task through its life.
struct TaskDriver: Sendable {
  let fleet: TaskFleet
  let key: TaskFleet.Key
  /// Something may have happened: the record has changed, or a container has ended.
  let signals: AsyncStream<Void>
  let signal: AsyncStream<Void>.Continuation

  var environment: ServiceEnvironment { fleet.environment }
  var store: Store { environment.store }
  var scope: Scope { key.scope }

  /// Returns when the task is stopped, gone, or the driver is cancelled.
  func run() async {
    var events: Task<Void, Never>?
    defer { events?.cancel() }
    while !Task.isCancelled {
      do {
        guard let task = try await store.get(TaskRecord.self, scope, key.id) else { return await vanish() }
        if task.status == .stopped { return }
        if events == nil, let handle = await fleet.handle(key.id) {
          await followLogs(task)
          events = Task { [signal] in for await _ in handle.events() { signal.yield() } }
        }
        try await step(task)
      } catch is CancellationError {
        return
      } catch {
        guard !Task.isCancelled else { return }
        environment.logger.error("a task's step failed", metadata: ["task": "\(key.id)", "error": "\(error)"])
        do { try await environment.clock.sleep(seconds: 1) } catch { return }
      }
    }
  }

  private func step(_ task: TaskRecord) async throws {
    switch task.status {
    case .provisioning: try await provision(task)
    case .pending: try await start(task)
    case .activating: try await activate(task)
    case .running: try await watch(task)
    case .deactivating: try await deactivate(task)
    case .stopping: try await end(task)
    case .deprovisioning: try await release(task)
    case .stopped: break
    }
  }

  /// Changes the record, when it is still there.
  @discardableResult
  func change(
    _ body: @escaping @Sendable (inout TaskRecord) throws -> Void,
    note: (@Sendable (TaskRecord) -> String?)? = nil
  ) async throws -> TaskRecord? {
    let (scope, id, now, ids) = (scope, key.id, environment.clock.now, environment.ids)
    return try await store.write { tx in
      guard var task = try tx.get(TaskRecord.self, scope, id) else { return nil }
      try body(&task)
      task.version += 1
      try tx.put(task, scope)
      if let text = note?(task), let name = task.service, var service = try tx.get(ServiceRecord.self, scope, name) {
        service.note(text, now, id: ids.uuid())
        try tx.put(service, scope)
      }
      return task
    }
  }

  // MARK: The way up

  private func provision(_ task: TaskRecord) async throws {
    guard task.isWanted else { return try await move(to: .deprovisioning) }
    let address = try await environment.addresses.address(for: task.arn)
    let id = task.id
    let token = try SealedBytes(
      Array(environment.ids.hex(64).utf8), sealer: store.sealer, context: "ecs.task/\(id)")
    let now = environment.clock.now
    try await change {
      $0.address = address
      $0.token = $0.token ?? token
      $0.status = .pending
      $0.pullStartedAt = now
    }
  }

  private func start(_ task: TaskRecord) async throws {
    // A control plane that was killed may have started it without writing that down.
    if await fleet.handle(task.id) == nil {
      guard task.isWanted else { return try await move(to: .deprovisioning) }
      do {
        let specification = try await specification(task)
        await fleet.started(try await fleet.runtime.start(specification))
      } catch let failure as LaunchFailure {
        return try await failToStart(failure.reason, failure.container)
      } catch let error as TaskError {
        return try await failToStart("\(LaunchFailure(.start, error.description))", nil)
      }
    }
    try await change {
      $0.status = .activating
      for index in $0.containers.indices { $0.containers[index].status = "RUNNING" }
    }
  }

  private func specification(_ task: TaskRecord) async throws -> TaskSpecification {
    let scope = scope
    let record = try await store.read { try Lookup.taskDefinition(task.taskDefinition, $0, scope) }
    guard let definition = record?.definition.value else {
      throw LaunchFailure(.resource, "the task definition \(task.taskDefinition) is gone")
    }
    let directory = "\(fleet.launch.logDirectory)/\(task.id)"
    try await BlockingQueue.once("task-logs") {
      do throws(SupervisorError) { try PrivateFiles.makeDirectory(directory, mode: 0o700) } catch {
        throw LaunchFailure(.resource, "\(error)")
      }
    }
    let token = try task.token?.open(store.sealer, context: "ecs.task/\(task.id)")
    return try await fleet.launch.specification(
      task, definition, token: token.map { String(decoding: $0, as: UTF8.self) }, scope)
  }

  private func failToStart(_ reason: String, _ container: String?) async throws {
    let now = environment.clock.now
    try await change {
      $0.requestStop(.failedToStart, reason, now)
      $0.status = .deprovisioning
      for index in $0.containers.indices {
        $0.containers[index].status = "STOPPED"
        if $0.containers[index].name == container { $0.containers[index].reason = reason }
      }
    }
  }

  private func activate(_ task: TaskRecord) async throws {
    guard task.isWanted, let handle = await fleet.handle(task.id), let address = task.address else {
      return try await move(to: .deactivating)
    }
    let scope = scope
    let targets = try await store.read { snapshot -> [TargetRecord] in
      guard let name = task.service, let service = try snapshot.get(ServiceRecord.self, scope, name) else { return [] }
      return service.targetGroups.map { TargetRecord(group: $0.arn, port: $0.port) }
    }
    // Written down before it is done, so that it is undone in any case.
    if task.targets != targets { try await change { $0.targets = targets } }
    for target in targets {
      do { try await fleet.groups.register(target, address: address, task.place, scope) } catch let error as AWSError {
        let now = environment.clock.now
        try await change({
          $0.requestStop(
            .failedToStart, "Could not register the task in (target-group \(target.group)): \(error.message)", now)
          $0.status = .deactivating
        })
        return
      }
      try await change({ _ in }, note: { _ in "registered 1 targets in (target-group \(target.group))" })
    }
    let now = environment.clock.now
    // When its program began, not when we got round to it.
    let started = handle.containers.compactMap(\.startedAt).max() ?? now
    try await change {
      $0.status = .running
      $0.startedAt = max($0.startedAt ?? started, $0.createdAt)
      for (index, container) in $0.containers.enumerated() where container.runtimeID == nil {
        $0.containers[index].runtimeID = "\($0.id)-\(handle.containers.first { $0.name == container.name }?.pid ?? 0)"
      }
    }
  }

  // MARK: Running

  private func watch(_ task: TaskRecord) async throws {
    guard task.isWanted else { return try await move(to: .deactivating) }
    guard let handle = await fleet.handle(task.id) else {
      let now = environment.clock.now
      try await change {
        $0.requestStop(.essentialExited, "Task was lost: its processes are gone.", now)
        $0.status = .deactivating
        for index in $0.containers.indices { $0.containers[index].status = "STOPPED" }
      }
      return
    }
    let states = handle.containers
    let ended = states.contains { state in
      state.exit != nil && task.containers.contains { $0.name == state.name && $0.status != "STOPPED" }
    }
    if ended || handle.isStopped {
      let isOver = handle.isStopped || states.contains { $0.isEssential && $0.exit != nil }
      let now = environment.clock.now
      try await change {
        $0.take(states)
        guard isOver else { return }
        $0.requestStop(.essentialExited, "Essential container in task exited", now)
        $0.status = .deactivating
      }
      return
    }
    var iterator = signals.makeAsyncIterator()
    _ = await iterator.next()
    try Task.checkCancellation()
  }

  func move(to status: TaskRecord.Status) async throws { try await change { $0.status = status } }

  /// The record was removed: nothing of the task may stay.
  private func vanish() async {
    if let handle = await fleet.handle(key.id) {
      await handle.stop(grace: 0)
      await handle.forget()
      await fleet.forget(key.id)
    }
  }

  // MARK: Logs

  func logPaths(_ task: TaskRecord) -> [String] {
    task.containers.map { fleet.launch.logFile(task: task.id, container: $0.name) }
  }

  private func followLogs(_ task: TaskRecord) async {
    let scope = scope
    guard
      let definition = try? await store.read({ try Lookup.taskDefinition(task.taskDefinition, $0, scope) })?.definition
        .value
    else { return }
    let role = task.overrides.value.executionRoleArn ?? definition.executionRoleArn
    for container in definition.containerDefinitions ?? [] {
      guard let name = container.name,
        let destination = try? LogDestination(container, task: task.id, scope, role: role)
      else { continue }
      await fleet.shipper.follow(
        task: task.id, path: fleet.launch.logFile(task: task.id, container: name), to: destination)
    }
  }
}
