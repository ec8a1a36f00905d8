// DescribeTasks, ListTasks, StopTask.

import AWSCore
import ECSModel
import ServiceKit
import Store

extension ECSService {
  func describeTasks(_ input: ECS.DescribeTasksRequest, _ call: CallContext) async throws -> ECS.DescribeTasksResponse {
    guard !input.tasks.isEmpty else { throw ECSError.invalid("Tasks cannot be empty.") }
    guard input.tasks.count <= Limits.describedMany else {
      throw ECSError.invalid("Tasks cannot have more than \(Limits.describedMany) elements.")
    }
    let cluster = Names.cluster(input.cluster ?? Names.task(input.tasks[0]).cluster)
    let found = try await store.read { snapshot in
      guard try snapshot.get(ClusterRecord.self, call.scope, cluster) != nil else { throw ECSError.clusterNotFound }
      return try input.tasks.map { ($0, try Lookup.task($0, cluster: cluster, snapshot, call.scope)) }
    }
    return .make {
      $0.tasks = found.compactMap(\.1).map { Self.view($0, input.include ?? [], call) }
      $0.failures = found.filter { $0.1 == nil }.map { text, _ in
        Self.missing(call.ecs("task/\(cluster)/\(Names.task(text).id)"))
      }
    }
  }

  func listTasks(_ input: ECS.ListTasksRequest, _ call: CallContext) async throws -> ECS.ListTasksResponse {
    if input.containerInstance != nil { throw AWSError.notImplemented("container instances") }
    if input.daemonName != nil { throw AWSError.notImplemented("daemons") }
    let status = input.desiredStatus ?? "RUNNING"
    let records = try await store.read { snapshot -> [TaskRecord] in
      let cluster = try Lookup.activeCluster(input.cluster, snapshot, call.scope)
      var tasks = try snapshot.find(TaskRecord.self, call.scope, index: "cluster", cluster.name)
      if let name = input.serviceName {
        guard let service = try Lookup.service(name, cluster: cluster.name, snapshot, call.scope) else {
          throw ECSError.serviceNotFound
        }
        tasks = tasks.filter { $0.service == service.recordID }
      }
      return tasks
    }
    let kept = records.filter { task in
      (task.isWanted ? "RUNNING" : "STOPPED") == status && (input.startedBy == nil || task.startedBy == input.startedBy)
        && (input.launchType == nil || task.launchType == input.launchType)
        && (input.family == nil || Names.taskDefinition(task.taskDefinition)?.family == input.family)
    }
    let page = try Page(kept, limit: input.maxResults ?? Limits.page, token: input.nextToken) { $0.id }
    return .make {
      $0.taskArns = page.items.map(\.arn)
      $0.nextToken = page.next
    }
  }

  func stopTask(_ input: ECS.StopTaskRequest, _ call: CallContext) async throws -> ECS.StopTaskResponse {
    let task = try await store.write { tx in
      let cluster = input.cluster ?? Names.task(input.task).cluster
      _ = try Lookup.activeCluster(cluster, tx, call.scope)
      guard var task = try Lookup.task(input.task, cluster: cluster, tx, call.scope) else {
        throw ECSError.taskNotFound
      }
      task.requestStop(.user, input.reason ?? "Task stopped by user", call.now)
      try tx.put(task, call.scope)
      return task
    }
    return .make { $0.task = Self.view(task, ["TAGS"], call) }
  }

  // MARK: The task as it is told

  static func view(_ task: TaskRecord, _ include: [String], _ call: CallContext) -> ECS.Task {
    .make {
      $0.taskArn = task.arn
      $0.clusterArn = task.clusterArn
      $0.taskDefinitionArn = task.taskDefinition
      $0.group = task.group
      $0.startedBy = task.startedBy
      $0.lastStatus = task.status.rawValue
      $0.desiredStatus = task.isWanted ? "RUNNING" : "STOPPED"
      $0.launchType = task.launchType
      $0.capacityProviderName = task.capacityProvider
      $0.platformVersion = task.platformVersion == "LATEST" ? "1.4.0" : task.platformVersion
      $0.platformFamily = task.platformVersion == nil ? nil : "Linux"
      $0.availabilityZone = task.place.zone
      $0.cpu = task.cpu
      $0.memory = task.memory
      $0.createdAt = task.createdAt
      $0.pullStartedAt = task.pullStartedAt
      $0.pullStoppedAt = task.startedAt.map { max($0, task.pullStartedAt ?? $0) }
      $0.startedAt = task.startedAt
      $0.stoppingAt = task.stoppingAt
      $0.executionStoppedAt = task.executionStoppedAt
      $0.stoppedAt = task.stoppedAt
      $0.stopCode = task.stopCode?.rawValue
      $0.stoppedReason = task.stoppedReason
      if task.address != nil {
        $0.connectivity = task.status == .stopped ? "DISCONNECTED" : "CONNECTED"
        $0.connectivityAt = task.pullStartedAt
      }
      $0.healthStatus = "UNKNOWN"
      $0.version = task.version
      $0.overrides = told(task.overrides.value, task)
      $0.enableExecuteCommand = task.enableExecuteCommand
      $0.attributes = [
        .make {
          $0.name = "ecs.cpu-architecture"
          $0.value = architecture
        }
      ]
      $0.attachments = task.isAwsvpc ? [attachment(task)] : []
      $0.containers = task.containers.map { container($0, task) }
      $0.inferenceAccelerators = []
      if include.contains("TAGS") { $0.tags = TagRules.list(task.tags) }
    }
  }

  private static var architecture: String {
    #if arch(arm64)
      "arm64"
    #else
      "x86_64"
    #endif
  }

  /// AWS names every container in the overrides, also those without any.
  private static func told(_ overrides: ECS.TaskOverride, _ task: TaskRecord) -> ECS.TaskOverride {
    var told = overrides
    let given = overrides.containerOverrides ?? []
    told.containerOverrides = task.containers.map { container in
      given.first { $0.name == container.name } ?? .make { $0.name = container.name }
    }
    told.inferenceAcceleratorOverrides = overrides.inferenceAcceleratorOverrides ?? []
    return told
  }

  private static func container(_ container: ContainerRecord, _ task: TaskRecord) -> ECS.Container {
    .make {
      $0.containerArn = container.arn
      $0.taskArn = task.arn
      $0.name = container.name
      $0.image = container.image
      $0.runtimeId = container.runtimeID
      $0.lastStatus = container.status
      $0.exitCode = container.exitCode
      $0.reason = container.reason
      $0.healthStatus = "UNKNOWN"
      $0.cpu = container.cpu
      $0.memory = container.memory
      $0.memoryReservation = container.memoryReservation
      $0.networkBindings = []
      $0.networkInterfaces =
        task.isAwsvpc && task.address != nil
        ? [
          .make {
            $0.attachmentId = task.attachmentID
            $0.privateIpv4Address = task.address
          }
        ] : []
    }
  }

  private static func attachment(_ task: TaskRecord) -> ECS.Attachment {
    let status =
      switch task.status {
      case .provisioning: "PRECREATED"
      case .stopped: "DELETED"
      default: "ATTACHED"
      }
    var details = [("subnetId", task.place.subnet ?? ""), ("networkInterfaceId", task.interfaceID)]
    if let address = task.address { details.append(("privateIPv4Address", address)) }
    return .make {
      $0.id = task.attachmentID
      $0.type = "ElasticNetworkInterface"
      $0.status = status
      $0.details = details.map { name, value in
        .make {
          $0.name = name
          $0.value = value
        }
      }
    }
  }
}
