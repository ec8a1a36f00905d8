// A task's way down: out of the load balancers, ended, cleaned up.

import AWSCore
import ECSModel
import Logging
import ServiceKit
import Store
import Tasks

extension TaskDriver {
  /// Leaves the load balancers. A task that still runs waits until its targets have drained.
  func deactivate(_ task: TaskRecord) async throws {
    if let address = task.address, !task.targets.isEmpty {
      if task.deregisteredAt == nil {
        for target in task.targets {
          do { try await fleet.groups.deregister(target, address: address, scope) } catch let error as AWSError {
            // The task must end all the same; a dead target fails its health checks.
            environment.logger.warning(
              "a target could not be deregistered", metadata: ["task": "\(task.id)", "error": "\(error)"])
          }
        }
        let now = environment.clock.now
        let group = task.targets[0].group
        let count = task.targets.count
        try await change(
          { $0.deregisteredAt = now }, note: { _ in "deregistered \(count) targets in (target-group \(group))" })
      }
      let since = try await store.get(TaskRecord.self, scope, key.id)?.deregisteredAt ?? environment.clock.now
      if await fleet.haste == .none { try await waitForDrain(task, address, since) }
    }
    let isByScheduler = task.stopCode == .scheduler && !task.targets.isEmpty
    try await change(
      { $0.status = .stopping }, note: { isByScheduler ? "has stopped 1 running tasks: (task \($0.id))." : nil })
  }

  private func waitForDrain(_ task: TaskRecord, _ address: String, _ since: Timestamp) async throws {
    for target in task.targets {
      let delay = await fleet.groups.deregistrationDelay(target.group, scope)
      let limit = since.adding(seconds: delay)
      while environment.clock.now < limit {
        // Who has ended has nothing left to drain.
        guard let handle = await fleet.handle(task.id), !handle.isStopped else { return }
        do {
          guard try await fleet.groups.isDraining(target, address: address, scope) else { break }
        } catch let error as AWSError {
          environment.logger.warning("draining cannot be followed", metadata: ["error": "\(error)"])
          break
        }
        try await environment.clock.sleep(seconds: 0.1)
      }
    }
  }

  /// Ends the containers: stop signal, grace, kill.
  func end(_ task: TaskRecord) async throws {
    if let handle = await fleet.handle(task.id) {
      let grace: Double? = await fleet.haste == .kill ? 0 : nil
      // The stop goes on by itself; a driver that is cut off begins it again.
      Task { [signal] in
        await handle.stop(grace: grace)
        signal.yield()
      }
      var iterator = signals.makeAsyncIterator()
      while !handle.isStopped {
        _ = await iterator.next()
        try Task.checkCancellation()
      }
      let states = handle.containers
      let now = environment.clock.now
      try await change {
        $0.take(states)
        $0.executionStoppedAt = now
        $0.status = .deprovisioning
      }
    } else {
      let now = environment.clock.now
      try await change {
        for index in $0.containers.indices { $0.containers[index].status = "STOPPED" }
        $0.executionStoppedAt = now
        $0.status = .deprovisioning
      }
    }
  }

  /// Ships the last log lines and gives back what the task held.
  func release(_ task: TaskRecord) async throws {
    await fleet.shipper.finish(logPaths(task), ships: await fleet.haste != .kill)
    if let handle = await fleet.handle(task.id) {
      await handle.forget()
      await fleet.forget(task.id)
    }
    if task.address != nil { try await environment.addresses.release(task.arn) }
    fleet.launch.roles.forget(task: task.id)
    let now = environment.clock.now
    try await change {
      $0.status = .stopped
      $0.stoppedAt = now
      $0.executionStoppedAt = $0.executionStoppedAt ?? now
      $0.token = nil
      for index in $0.containers.indices { $0.containers[index].status = "STOPPED" }
      // Only ends that nobody asked for matter to the scheduler.
      if !$0.hasFailed { $0.isCounted = true }
    }
  }
}

extension TaskRecord {
  /// Takes over how the containers are.
  mutating func take(_ states: [ContainerState]) {
    for state in states {
      guard let exit = state.exit, let index = containers.firstIndex(where: { $0.name == state.name }) else { continue }
      containers[index].status = "STOPPED"
      containers[index].exitCode = exit.containerCode.map { Int($0) }
      if exit.reason == .outOfMemory {
        containers[index].reason = "OutOfMemoryError: Container killed due to memory usage"
      }
    }
  }
}
