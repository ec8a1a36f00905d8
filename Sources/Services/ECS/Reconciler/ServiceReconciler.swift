// From a service's records to the plan, and from the plan to the records, in one transaction.

import AWSCore
import ECSModel
import Logging
import ServiceKit
import Store

/// Plans for services and writes down what is to be done. Starting and stopping is the fleet's work.
struct ServiceReconciler: Sendable {
  let environment: ServiceEnvironment
  let health: HealthBoard

  /// Plans for all services.
  /// - Returns: when to look again though nothing happens.
  func settle() async throws -> Timestamp? {
    let services = try await environment.store.read { snapshot in
      try snapshot.find(ServiceRecord.self, index: "run", "yes").map { ($0, $1.recordID) }
    }
    var next: Timestamp?
    for (scope, id) in services {
      guard let due = try await settle(id, scope) else { continue }
      next = next.map { min($0, due) } ?? due
    }
    return next
  }

  private func settle(_ id: String, _ scope: Scope) async throws -> Timestamp? {
    let targets = health.snapshot()
    let now = environment.clock.now
    let idle = try await environment.store.read { snapshot -> ServicePlan? in
      guard let service = try snapshot.get(ServiceRecord.self, scope, id) else { return ServicePlan() }
      let tasks = try Lookup.tasks(of: service, snapshot, scope)
      let plan = ServicePlan.make(Self.picture(service, tasks, targets), now: now)
      return plan.actions.isEmpty ? plan : nil
    }
    if let idle { return idle.next }
    let call = environment.call(as: "ecs.amazonaws.com", account: scope.account, region: scope.region)
    return try await environment.store.write { tx in
      // Read again: the plan is for what is so now.
      guard !health.isPaused, var service = try tx.get(ServiceRecord.self, scope, id) else { return nil }
      let tasks = try Lookup.tasks(of: service, tx, scope)
      let plan = ServicePlan.make(Self.picture(service, tasks, targets), now: now)
      var work = Work(service: service, tasks: Dictionary(uniqueKeysWithValues: tasks.map { ($0.id, $0) }), call: call)
      for action in plan.actions { try work.apply(action, tx) }
      work.tell()
      service = work.service
      try tx.put(service, scope)
      for id in work.changed { if let task = work.tasks[id] { try tx.put(task, scope) } }
      return plan.next
    }
  }

  static func picture(
    _ service: ServiceRecord, _ tasks: [TaskRecord], _ targets: [String: TargetState]
  ) -> ServicePicture {
    let configuration = service.settings.value.deploymentConfiguration
    let breaker = configuration?.deploymentCircuitBreaker
    return ServicePicture(
      desired: service.desiredCount, minimumPercent: configuration?.minimumHealthyPercent ?? 100,
      maximumPercent: configuration?.maximumPercent ?? 200, hasBreaker: breaker?.enable ?? false,
      rollsBack: breaker?.rollback ?? false, hasTargets: service.hasTargets,
      grace: Double(service.settings.value.healthCheckGracePeriodSeconds ?? 0),
      isDraining: service.status == .draining, isSteady: service.isSteady, deployments: service.deployments,
      lastCompleted: service.lastCompleted, tasks: tasks.map { planned($0, targets[$0.id] ?? .unknown) })
  }

  private static func planned(_ task: TaskRecord, _ target: TargetState) -> PlannedTask {
    let phase: PlannedTask.Phase =
      switch task.status {
      case .provisioning, .pending, .activating: .starting
      case .running: .running
      case .deactivating: .draining
      case .stopping, .deprovisioning: .ending
      case .stopped: .stopped
      }
    return PlannedTask(
      id: task.id, deployment: task.deployment ?? "", zone: task.place.zone, createdAt: task.createdAt,
      startedAt: task.startedAt, phase: phase, isWanted: task.isWanted, target: target, wasHealthy: task.wasHealthy,
      hasFailed: task.hasFailed, isCounted: task.isCounted)
  }
}

extension TaskRecord {
  /// It ended, or could not start, though nobody asked for its end.
  var hasFailed: Bool { !isWanted && (stopCode == .failedToStart || stopCode == .essentialExited) }
}

// MARK: - Actions

/// A plan being written down.
private struct Work {
  var service: ServiceRecord
  var tasks: [String: TaskRecord]
  let call: CallContext
  var changed: Set<String> = []
  private var started: [String] = []
  private var stopped: [String] = []
  private var draining = 0

  init(service: ServiceRecord, tasks: [String: TaskRecord], call: CallContext) {
    self.service = service
    self.tasks = tasks
    self.call = call
  }

  mutating func apply(_ action: ServiceAction, _ tx: Transaction) throws {
    let now = call.now
    let isServing = service.desiredCount > 0
    switch action {
    case .start(let deployment, let zone): try start(deployment, zone, tx)
    case .stop(let id, let cause): stop(id, cause)
    case .noteHealthy(let id):
      change(id) { $0.wasHealthy = true }
      if let deployment = tasks[id]?.deployment { change(deployment: deployment) { $0.failedTasks = 0 } }
    case .noteEnd(let id, let isFailure, let isQuick): noteEnd(id, isFailure, isQuick)
    case .warn(let id):
      change(deployment: id) { $0.isWarned = true }
      note(
        "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of "
          + "the Amazon ECS Developer Guide.")
    case .complete(let id):
      change(deployment: id) {
        $0.rollout = .completed
        $0.reason = "ECS deployment \(id) completed."
        $0.isWarned = false
        $0.updatedAt = now
        // Completed with no task at all proves nothing.
        if isServing { $0.wasCompleted = true }
      }
      if isServing { service.lastCompleted = service.deployments.first { $0.id == id } }
      note("(deployment \(id)) deployment completed.")
    case .fail(let id): fail(id)
    case .rollBack(let from, let to): rollBack(from, to)
    case .forget(let id): service.deployments.removeAll { $0.id == id }
    case .steady:
      service.isSteady = true
      note("has reached a steady state.")
    case .unsteady: service.isSteady = false
    case .retire:
      service.status = .inactive
      service.deletedAt = call.now
      service.deployments = []
    }
  }

  private mutating func note(_ message: String) { service.note(message, call.now, id: call.ids.uuid()) }

  private mutating func change(_ id: String, _ body: (inout TaskRecord) -> Void) {
    guard var task = tasks[id] else { return }
    body(&task)
    tasks[id] = task
    changed.insert(id)
  }

  private mutating func change(deployment id: String, _ body: (inout DeploymentRecord) -> Void) {
    guard let index = service.deployments.firstIndex(where: { $0.id == id }) else { return }
    body(&service.deployments[index])
  }

  private mutating func start(_ id: String, _ zone: String, _ tx: Transaction) throws {
    guard let deployment = service.deployments.first(where: { $0.id == id }),
      let cluster = try tx.get(ClusterRecord.self, call.scope, service.cluster),
      let definition = try Lookup.taskDefinition(deployment.taskDefinition, tx, call.scope)
    else { return }
    // Within the zone, the subnet with the fewest of the service's tasks.
    let live = tasks.values.filter(\.isWanted)
    func load(_ place: DeploymentRecord.Place) -> Int { live.filter { $0.place == place }.count }
    let places = deployment.places.filter { $0.zone == zone }
    guard let place = places.min(by: { load($0) < load($1) }) else { return }
    let settings = service.settings.value
    let order = TaskOrder(
      cluster: cluster, definition: definition, service: service, deployment: id, group: "service:\(service.name)",
      startedBy: id, launchType: settings.launchType,
      capacityProvider: settings.capacityProviderStrategy?.first?.capacityProvider,
      platformVersion: deployment.platformVersion, place: place,
      enableExecuteCommand: settings.enableExecuteCommand ?? false, tags: taskTags(definition))
    let task = TaskRecord.make(order, call)
    tasks[task.id] = task
    changed.insert(task.id)
    started.append(task.id)
  }

  /// The tags that the service's settings give its tasks.
  private func taskTags(_ definition: TaskDefinitionRecord) -> [String: String] {
    var tags: [String: String] = [:]
    switch service.settings.value.propagateTags {
    case "SERVICE": tags = service.tags
    case "TASK_DEFINITION": tags = definition.tags
    default: break
    }
    if service.settings.value.enableECSManagedTags ?? false {
      tags["aws:ecs:clusterName"] = service.cluster
      tags["aws:ecs:serviceName"] = service.name
    }
    return tags
  }

  private mutating func stop(_ id: String, _ cause: ServiceAction.StopCause) {
    guard let task = tasks[id], task.isWanted else { return }
    let reason =
      switch cause {
      case .scaling: "Scaling activity initiated by (deployment \(service.primary?.id ?? task.deployment ?? ""))"
      case .unhealthy:
        "Task failed ELB health checks in (target-group \(task.targets.first?.group ?? ""))"
      }
    if case .unhealthy = cause {
      for target in task.targets {
        note(
          "(task \(id)) (port \(target.port)) is unhealthy in (target-group \(target.group)) due to (reason Health "
            + "checks failed)."
        )
      }
    }
    let now = call.now
    change(id) { $0.requestStop(.scheduler, reason, now) }
    if task.targets.isEmpty { stopped.append(id) } else { draining += 1 }
  }

  private mutating func noteEnd(_ id: String, _ isFailure: Bool, _ isQuick: Bool) {
    guard let task = tasks[id] else { return }
    change(id) { $0.isCounted = true }
    guard let deployment = task.deployment else { return }
    let now = call.now
    change(deployment: deployment) {
      if isFailure { $0.failedTasks += 1 }
      $0.countEnd(isQuick: isQuick, now)
      $0.updatedAt = now
    }
  }

  private mutating func fail(_ id: String) {
    let reason = "ECS deployment circuit breaker: tasks failed to start."
    let now = call.now
    change(deployment: id) {
      $0.rollout = .failed
      $0.reason = reason
      $0.updatedAt = now
    }
    if service.failed.count >= 10, let oldest = service.failed.keys.min() { service.failed[oldest] = nil }
    service.failed[id] = reason
    note("(deployment \(id)) deployment failed: tasks failed to start.")
  }

  private mutating func rollBack(_ from: String, _ to: String) {
    guard var target = service.deployments.first(where: { $0.id == to }) ?? service.lastCompleted, target.id == to
    else { return }
    target.isPrimary = true
    target.rollout = .inProgress
    target.reason = "ECS deployment circuit breaker: rolling back to deploymentId \(to)."
    target.failedTasks = 0
    target.restarts = 0
    target.updatedAt = call.now
    change(deployment: from) { $0.isPrimary = false }
    service.deployments.removeAll { $0.id == to }
    service.deployments.insert(target, at: 0)
    service.settings.value.taskDefinition = target.taskDefinition
    note("rolling back to deployment \(to).")
  }

  /// The events that are told once for all tasks of the plan.
  mutating func tell() {
    func list(_ ids: [String]) -> String { ids.map { "(task \($0))" }.joined(separator: " ") }
    if draining > 0 { note("has begun draining connections on \(draining) tasks.") }
    if !stopped.isEmpty { note("has stopped \(stopped.count) running tasks: \(list(stopped)).") }
    if !started.isEmpty { note("has started \(started.count) tasks: \(list(started)).") }
  }
}
