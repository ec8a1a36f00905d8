// CreateService.

import AWSCore
import ECSModel
import ServiceKit
import Store

extension ECSService {
  func createService(_ input: ECS.CreateServiceRequest, _ call: CallContext) async throws -> ECS.CreateServiceResponse {
    guard Names.isValid(input.serviceName) else {
      throw ECSError.invalid(
        "Service name is invalid: up to 255 letters, numbers, underscores, and hyphens are allowed.")
    }
    try Self.refuse(input)
    let tags = try TagRules.map(input.tags)
    let (cluster, definition) = try await store.read { snapshot in
      (
        try Lookup.activeCluster(input.cluster, snapshot, call.scope),
        try Lookup.runnableTaskDefinition(input.taskDefinition, snapshot, call.scope)
      )
    }
    let settings = Self.completed(input, cluster, definition)
    try Self.check(settings, definition.definition.value)
    let placement = try await placement(settings.networkConfiguration, call)
    try await checkTargetGroups(settings.loadBalancers ?? [], call)
    let record = try await store.write { tx in
      let cluster = try Lookup.activeCluster(input.cluster, tx, call.scope)
      let id = ServiceRecord.id(cluster: cluster.name, name: input.serviceName)
      if let known = try tx.get(ServiceRecord.self, call.scope, id) {
        if known.status == .draining { throw ECSError.stillDraining }
        if known.status == .active {
          guard let token = input.clientToken, known.settings.value.clientToken == token else {
            throw ECSError.notIdempotent
          }
          return known
        }
      }
      let deployment = Self.newDeployment(settings, placement, call)
      let record = ServiceRecord(
        name: input.serviceName, cluster: cluster.name, arn: call.ecs("service/\(cluster.name)/\(input.serviceName)"),
        clusterArn: call.ecs("cluster/\(cluster.name)"), createdAt: call.now, createdBy: call.principal.arn,
        settings: Stored(settings), tags: tags, deployments: [deployment])
      try tx.put(record, call.scope)
      return record
    }
    let service = try await view(record, ["TAGS"], call)
    return .make { $0.service = service }
  }

  /// What was asked for, with AWS's defaults written out.
  private static func completed(
    _ input: ECS.CreateServiceRequest, _ cluster: ClusterRecord, _ definition: TaskDefinitionRecord
  ) -> ECS.CreateServiceRequest {
    var settings = input
    settings.cluster = cluster.name
    settings.taskDefinition = definition.arn
    settings.tags = nil
    settings.desiredCount = input.desiredCount ?? 0
    if input.launchType == nil, (input.capacityProviderStrategy ?? []).isEmpty {
      let strategy = cluster.cluster.value.defaultCapacityProviderStrategy ?? []
      if strategy.isEmpty { settings.launchType = "EC2" } else { settings.capacityProviderStrategy = strategy }
    }
    let isFargate =
      settings.launchType == "FARGATE"
      || (settings.capacityProviderStrategy ?? []).contains { $0.capacityProvider.hasPrefix("FARGATE") }
    if isFargate { settings.platformVersion = input.platformVersion ?? "LATEST" }
    settings.schedulingStrategy = "REPLICA"
    settings.deploymentController = input.deploymentController ?? .make { $0.type = "ECS" }
    settings.propagateTags = input.propagateTags ?? "NONE"
    settings.enableECSManagedTags = input.enableECSManagedTags ?? false
    settings.enableExecuteCommand = input.enableExecuteCommand ?? false
    settings.availabilityZoneRebalancing = input.availabilityZoneRebalancing ?? "DISABLED"
    if !(input.loadBalancers ?? []).isEmpty {
      settings.healthCheckGracePeriodSeconds = input.healthCheckGracePeriodSeconds ?? 0
    }
    if settings.networkConfiguration?.awsvpcConfiguration != nil {
      settings.networkConfiguration?.awsvpcConfiguration?.assignPublicIp =
        input.networkConfiguration?.awsvpcConfiguration?.assignPublicIp ?? "DISABLED"
    }
    settings.deploymentConfiguration = completed(input.deploymentConfiguration)
    return settings
  }

  static func completed(_ configuration: ECS.DeploymentConfiguration?) -> ECS.DeploymentConfiguration {
    var configuration = configuration ?? .init()
    configuration.minimumHealthyPercent = configuration.minimumHealthyPercent ?? 100
    configuration.maximumPercent = configuration.maximumPercent ?? 200
    configuration.strategy = configuration.strategy ?? "ROLLING"
    configuration.bakeTimeInMinutes = configuration.bakeTimeInMinutes ?? 0
    configuration.deploymentCircuitBreaker = configuration.deploymentCircuitBreaker ?? .init()
    return configuration
  }

  static func newDeployment(
    _ settings: ECS.CreateServiceRequest, _ placement: Placement, _ call: CallContext
  ) -> DeploymentRecord {
    let id = "ecs-svc/\(call.ids.characters(19, from: Array("123456789")))"
    return DeploymentRecord(
      id: id, taskDefinition: settings.taskDefinition ?? "", createdAt: call.now, updatedAt: call.now,
      reason: "ECS deployment \(id) in progress.", places: placement.places,
      securityGroups: placement.securityGroups, assignPublicIp: placement.assignPublicIp,
      platformVersion: settings.platformVersion)
  }
}
