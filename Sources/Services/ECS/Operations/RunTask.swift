// RunTask.

import AWSCore
import ECSModel
import ServiceKit
import Store

extension ECSService {
  func runTaskAccess(_ input: ECS.RunTaskRequest, _ call: CallContext) async throws -> [ResourceAccess] {
    let record = try await store.read { try Lookup.taskDefinition(input.taskDefinition, $0, call.scope) }
    let arn = record?.arn ?? call.ecs("task-definition/\(input.taskDefinition)")
    let cluster = call.ecs("cluster/\(Names.cluster(input.cluster))")
    return [ResourceAccess(arn, context: ["ecs:cluster": [cluster]])]
      + Self.passing([input.overrides?.taskRoleArn, input.overrides?.executionRoleArn])
  }

  func runTask(_ input: ECS.RunTaskRequest, _ call: CallContext) async throws -> ECS.RunTaskResponse {
    let count = input.count ?? 1
    guard (1...Limits.tasksPerRun).contains(count) else {
      throw ECSError.invalid("Count must be between 1 and \(Limits.tasksPerRun).")
    }
    if let startedBy = input.startedBy, startedBy.utf8.count > 128 {
      throw ECSError.invalid("startedBy can be at most 128 characters.")
    }
    let tags = try TagRules.map(input.tags)
    if !(input.volumeConfigurations ?? []).isEmpty { throw AWSError.notImplemented("EBS volumes of tasks") }
    let (cluster, definition) = try await store.read { snapshot in
      (
        try Lookup.activeCluster(input.cluster, snapshot, call.scope),
        try Lookup.runnableTaskDefinition(input.taskDefinition, snapshot, call.scope)
      )
    }
    try Self.check(input, definition.definition.value)
    let placement = try await placement(input.networkConfiguration, call)
    let family = definition.family
    let (launchType, provider) = Self.capacity(input, cluster)
    var allTags = input.propagateTags == "TASK_DEFINITION" ? definition.tags : [:]
    allTags.merge(tags) { _, own in own }
    if input.enableECSManagedTags ?? false { allTags["aws:ecs:clusterName"] = cluster.name }
    var order = TaskOrder(
      cluster: cluster, definition: definition, group: input.group ?? "family:\(family)", startedBy: input.startedBy,
      clientToken: input.clientToken, launchType: launchType, capacityProvider: provider,
      platformVersion: launchType == "FARGATE" || provider != nil ? input.platformVersion ?? "1.4.0" : nil,
      place: placement.places[0], overrides: input.overrides ?? .init(),
      enableExecuteCommand: input.enableExecuteCommand ?? false, tags: allTags)
    var new: [TaskRecord] = []
    for index in 0..<count {
      order.place = placement.places[index % placement.places.count]
      new.append(TaskRecord.make(order, call))
    }
    let records = new
    let tasks = try await store.write { tx in
      _ = try Lookup.activeCluster(input.cluster, tx, call.scope)
      if let token = input.clientToken {
        let known = try tx.find(TaskRecord.self, call.scope, index: "token", token)
        if !known.isEmpty { return known }
      }
      for task in records { try tx.put(task, call.scope) }
      return records
    }
    return .make {
      $0.tasks = tasks.map { Self.view($0, ["TAGS"], call) }
      $0.failures = []
    }
  }

  private static func check(_ input: ECS.RunTaskRequest, _ definition: ECS.TaskDefinition) throws {
    if input.launchType != nil, !(input.capacityProviderStrategy ?? []).isEmpty {
      throw ECSError.invalid(
        "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
    }
    try checkNetwork(input.networkConfiguration, definition, launchType: input.launchType)
    let names = (definition.containerDefinitions ?? []).compactMap(\.name)
    for override in input.overrides?.containerOverrides ?? [] {
      guard let name = override.name, names.contains(name) else {
        throw ECSError.invalid(
          "Override for container named \(override.name ?? "") is not a container in the TaskDefinition.")
      }
    }
  }

  private static func capacity(_ input: ECS.RunTaskRequest, _ cluster: ClusterRecord) -> (String?, String?) {
    if let type = input.launchType { return (type, nil) }
    let strategy = input.capacityProviderStrategy ?? cluster.cluster.value.defaultCapacityProviderStrategy ?? []
    guard let provider = strategy.first?.capacityProvider else { return ("EC2", nil) }
    return (provider.hasPrefix("FARGATE") ? "FARGATE" : "EC2", provider)
  }
}
