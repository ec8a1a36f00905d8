// Amazon ECS: clusters, task definitions, services and tasks; a scheduler that keeps what was asked for running.

import AWSCore
import AWSWire
import ECSModel
import ServiceKit
import Store
import Tasks

/// ECS over a task runtime.
public final class ECSService: AWSService {
  let environment: ServiceEnvironment
  let runtime: any TaskRuntime
  let roles: RoleSessions
  let board = HealthBoard()
  let groups: TargetGroups
  let fleet: TaskFleet
  let logDirectory: String
  var store: Store { environment.store }

  /// - Parameters:
  ///   - environment: where the service lives; log files of tasks go to `ecs/logs` in its folder.
  ///   - runtime: runs the tasks.
  public init(_ environment: ServiceEnvironment, runtime: any TaskRuntime) {
    self.environment = environment
    self.runtime = runtime
    roles = RoleSessions(environment)
    groups = TargetGroups(environment: environment)
    logDirectory = "\(environment.directory)/ecs/logs"
    let launch = TaskLaunch(
      environment: environment, roles: roles, logs: LogDestinations(environment: environment, roles: roles),
      logDirectory: logDirectory)
    fleet = TaskFleet(environment: environment, runtime: runtime, launch: launch, groups: groups)
  }

  public static var collections: [any Record.Type] {
    [ClusterRecord.self, SettingRecord.self, TaskDefinitionRecord.self, ServiceRecord.self, TaskRecord.self]
  }

  public var resourceProviders: [ResourceProvider] {
    [clusterProvider, taskDefinitionProvider, serviceProvider, capacityProviderProvider, associationsProvider]
  }

  public var apis: [ServiceAPI] {
    var table = HandlerTable()
    addClusters(&table)
    addTaskDefinitions(&table)
    addServices(&table)
    addTasks(&table)
    addTags(&table)
    return [ServiceAPI(ECS.model, actionPrefix: "ecs", table)]
  }

  private func addClusters(_ table: inout HandlerTable) {
    table.on(ECS.createCluster, access: { [Self.cluster($0.clusterName, $1)] }, createCluster)
    table.on(ECS.deleteCluster, access: { [Self.cluster($0.cluster, $1)] }, deleteCluster)
    table.on(
      ECS.describeClusters, access: { input, call in (input.clusters ?? ["default"]).map { Self.cluster($0, call) } },
      describeClusters)
    table.on(ECS.listClusters, listClusters)
    table.on(ECS.updateCluster, access: { [Self.cluster($0.cluster, $1)] }, updateCluster)
    table.on(ECS.updateClusterSettings, access: { [Self.cluster($0.cluster, $1)] }, updateClusterSettings)
    table.on(ECS.putClusterCapacityProviders, access: { [Self.cluster($0.cluster, $1)] }, putClusterCapacityProviders)
    table.on(ECS.listAccountSettings, listAccountSettings)
    table.on(ECS.putAccountSetting, putAccountSetting)
    table.on(ECS.putAccountSettingDefault, putAccountSettingDefault)
  }

  private func addTaskDefinitions(_ table: inout HandlerTable) {
    table.on(ECS.registerTaskDefinition, access: registerAccess, registerTaskDefinition)
    table.on(ECS.deregisterTaskDefinition, deregisterTaskDefinition)
    table.on(ECS.deleteTaskDefinitions, deleteTaskDefinitions)
    table.on(ECS.describeTaskDefinition, describeTaskDefinition)
    table.on(ECS.listTaskDefinitions, listTaskDefinitions)
    table.on(ECS.listTaskDefinitionFamilies, listTaskDefinitionFamilies)
  }

  private func addServices(_ table: inout HandlerTable) {
    table.on(ECS.createService, access: { [Self.service($0.serviceName, $0.cluster, $1)] }, createService)
    table.on(ECS.updateService, access: { [Self.service($0.service, $0.cluster, $1)] }, updateService)
    table.on(ECS.deleteService, access: { [Self.service($0.service, $0.cluster, $1)] }, deleteService)
    table.on(
      ECS.describeServices,
      access: { input, call in input.services.map { Self.service($0, input.cluster, call) } }, describeServices)
    table.on(ECS.listServices, listServices)
  }

  private func addTasks(_ table: inout HandlerTable) {
    table.on(ECS.runTask, access: runTaskAccess, runTask)
    table.on(ECS.stopTask, access: { [Self.task($0.task, $0.cluster, $1)] }, stopTask)
    table.on(
      ECS.describeTasks, access: { input, call in input.tasks.map { Self.task($0, input.cluster, call) } },
      describeTasks)
    table.on(ECS.listTasks, listTasks)
  }

  private func addTags(_ table: inout HandlerTable) {
    table.on(ECS.tagResource, access: { input, _ in [ResourceAccess(input.resourceArn)] }, tagResource)
    table.on(ECS.untagResource, access: { input, _ in [ResourceAccess(input.resourceArn)] }, untagResource)
    table.on(ECS.listTagsForResource, access: { input, _ in [ResourceAccess(input.resourceArn)] }, listTagsForResource)
  }

  // MARK: What calls touch

  static func cluster(_ text: String?, _ call: CallContext) -> ResourceAccess {
    ResourceAccess(call.ecs("cluster/\(Names.cluster(text))"))
  }

  static func service(_ text: String, _ cluster: String?, _ call: CallContext) -> ResourceAccess {
    let named = Names.service(text)
    let cluster = cluster.map { Names.cluster($0) } ?? named.cluster ?? "default"
    return ResourceAccess(
      call.ecs("service/\(cluster)/\(named.name)"), context: ["ecs:cluster": [call.ecs("cluster/\(cluster)")]])
  }

  static func task(_ text: String, _ cluster: String?, _ call: CallContext) -> ResourceAccess {
    let named = Names.task(text)
    let cluster = cluster.map { Names.cluster($0) } ?? named.cluster ?? "default"
    return ResourceAccess(
      call.ecs("task/\(cluster)/\(named.id)"), context: ["ecs:cluster": [call.ecs("cluster/\(cluster)")]])
  }

  /// The roles that are handed to tasks: the caller must be allowed to pass them.
  static func passing(_ roles: [String?]) -> [ResourceAccess] {
    roles.compactMap { $0 }.filter { $0.hasPrefix("arn:") }.map {
      ResourceAccess($0, action: "iam:PassRole", context: ["iam:PassedToService": ["ecs-tasks.amazonaws.com"]])
    }
  }
}

// MARK: - Running

extension ECSService {
  public func run() async throws {
    let (fleet, board) = (fleet, board)
    board.isPaused = false
    let reconciler = ServiceReconciler(environment: environment, health: board)
    let housekeeping = Housekeeping(environment: environment, logDirectory: logDirectory)
    let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let watch = HealthWatch(environment: environment, groups: groups, board: board) { wake.yield() }
    let changes = store.changes(in: [ServiceRecord.collection, TaskRecord.collection])
    let old = store.changes(in: [ServiceRecord.collection, TaskRecord.collection, ClusterRecord.collection])
    let clock = environment.clock
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await fleet.run() }
      group.addTask { try await watch.run() }
      group.addTask {
        for await _ in changes { wake.yield() }
        wake.finish()
      }
      group.addTask { try await runWhenWoken(clock: clock, wakes, signal: wake) { try await reconciler.settle() } }
      group.addTask { try await runByCalendar(clock: clock, changes: old) { try await housekeeping.settle() } }
      defer { group.cancelAll() }
      do { try await group.waitForAll() } catch is CancellationError {}
    }
  }

  public var hasEngines: Bool { get async { await fleet.hasTasks } }

  /// `castle down`: tasks are asked to end; services stay, and `run` starts their tasks again.
  public func stopEngines() async throws {
    board.isPaused = true
    try await store.write { tx in
      for (scope, service) in try tx.find(ServiceRecord.self, index: "run", "yes") where service.isSteady {
        var service = service
        service.isSteady = false
        try tx.put(service, scope)
      }
    }
    try await fleet.stopAll(.down, reason: "The castle was stopped.")
  }

  /// Kills all tasks and forgets everything.
  public func removeEverything() async throws {
    try await store.write { tx in
      for (scope, service) in try tx.list(ServiceRecord.self) {
        try tx.delete(ServiceRecord.self, scope, service.recordID)
      }
    }
    try await fleet.stopAll(.kill, reason: "The castle was emptied.")
    try await store.write { tx in
      for (scope, record) in try tx.list(TaskRecord.self) { try tx.delete(TaskRecord.self, scope, record.id) }
      for (scope, record) in try tx.list(ClusterRecord.self) { try tx.delete(ClusterRecord.self, scope, record.name) }
      for (scope, record) in try tx.list(TaskDefinitionRecord.self) {
        try tx.delete(TaskDefinitionRecord.self, scope, record.recordID)
      }
    }
    try await removeLogs()
  }
}
