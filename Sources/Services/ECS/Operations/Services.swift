// DescribeServices, ListServices, DeleteService.

import AWSCore
import ECSModel
import ServiceKit
import Store

extension ECSService {
  func describeServices(
    _ input: ECS.DescribeServicesRequest, _ call: CallContext
  ) async throws -> ECS.DescribeServicesResponse {
    guard !input.services.isEmpty else { throw ECSError.invalid("Services cannot be empty.") }
    guard input.services.count <= Limits.describedServices else {
      throw ECSError.invalid("Services cannot have more than \(Limits.describedServices) elements.")
    }
    let first = Names.service(input.services[0]).cluster
    let cluster = Names.cluster(input.cluster ?? first)
    let records = try await store.read { snapshot in
      guard try snapshot.get(ClusterRecord.self, call.scope, cluster) != nil else { throw ECSError.clusterNotFound }
      return try input.services.map { ($0, try Lookup.service($0, cluster: cluster, snapshot, call.scope)) }
    }
    var services: [ECS.Service] = []
    var failures: [ECS.Failure] = []
    for (text, record) in records {
      if let record {
        services.append(try await view(record, input.include ?? [], call))
      } else {
        failures.append(Self.missing(call.ecs("service/\(cluster)/\(Names.service(text).name)")))
      }
    }
    return .make {
      $0.services = services
      $0.failures = failures
    }
  }

  func listServices(_ input: ECS.ListServicesRequest, _ call: CallContext) async throws -> ECS.ListServicesResponse {
    let records = try await store.read { snapshot in
      let cluster = try Lookup.activeCluster(input.cluster, snapshot, call.scope)
      return try snapshot.find(ServiceRecord.self, call.scope, index: "cluster", cluster.name)
        .filter { $0.status == .active }
        .filter { input.launchType == nil || $0.settings.value.launchType == input.launchType }
        .filter { input.schedulingStrategy == nil || $0.settings.value.schedulingStrategy == input.schedulingStrategy }
    }
    let page = try Page(records, limit: input.maxResults ?? Limits.servicePage, token: input.nextToken) { $0.name }
    return .make {
      $0.serviceArns = page.items.map(\.arn)
      $0.nextToken = page.next
    }
  }

  func deleteService(_ input: ECS.DeleteServiceRequest, _ call: CallContext) async throws -> ECS.DeleteServiceResponse {
    let record = try await store.write { tx in
      let cluster = input.cluster ?? Names.service(input.service).cluster
      _ = try Lookup.activeCluster(cluster, tx, call.scope)
      guard var record = try Lookup.service(input.service, cluster: cluster, tx, call.scope), record.status != .inactive
      else { throw ECSError.serviceNotFound }
      guard record.status == .active else { return record }
      guard input.force == true || record.desiredCount == 0 else { throw ECSError.scaledAboveZero }
      record.status = .draining
      record.settings.value.desiredCount = 0
      record.isSteady = false
      try tx.put(record, call.scope)
      return record
    }
    let service = try await view(record, ["TAGS"], call)
    return .make { $0.service = service }
  }

  // MARK: The service as it is told

  func view(_ record: ServiceRecord, _ include: [String], _ call: CallContext) async throws -> ECS.Service {
    let tasks = try await store.read { try Lookup.tasks(of: record, $0, call.scope) }
    let settings = record.settings.value
    let running = tasks.filter { $0.status == .running }.count
    let pending = tasks.filter { $0.isWanted && $0.status != .running }.count
    return .make {
      $0.serviceArn = record.arn
      $0.serviceName = record.name
      $0.clusterArn = record.clusterArn
      $0.status = record.status.rawValue
      $0.desiredCount = record.desiredCount
      $0.runningCount = running
      $0.pendingCount = pending
      $0.taskDefinition = settings.taskDefinition
      $0.launchType = settings.launchType
      $0.capacityProviderStrategy = settings.capacityProviderStrategy
      $0.platformVersion = settings.platformVersion
      $0.platformFamily = settings.platformVersion == nil ? nil : "Linux"
      $0.deploymentConfiguration = settings.deploymentConfiguration
      $0.deploymentController = settings.deploymentController
      $0.deployments = record.deployments.map { Self.view($0, record, tasks) }
      $0.events = record.events.map { event in
        .make {
          $0.id = event.id
          $0.createdAt = event.at
          $0.message = event.message
        }
      }
      $0.loadBalancers = settings.loadBalancers ?? []
      $0.serviceRegistries = settings.serviceRegistries ?? []
      $0.networkConfiguration = settings.networkConfiguration
      $0.healthCheckGracePeriodSeconds = settings.healthCheckGracePeriodSeconds
      $0.placementConstraints = settings.placementConstraints ?? []
      $0.placementStrategy = settings.placementStrategy ?? []
      $0.schedulingStrategy = settings.schedulingStrategy
      $0.roleArn =
        settings.role
        ?? "arn:aws:iam::\(call.account):role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
      $0.createdAt = record.createdAt
      $0.createdBy = record.createdBy
      $0.enableECSManagedTags = settings.enableECSManagedTags
      $0.enableExecuteCommand = settings.enableExecuteCommand
      $0.propagateTags = settings.propagateTags
      $0.availabilityZoneRebalancing = settings.availabilityZoneRebalancing
      if include.contains("TAGS") { $0.tags = TagRules.list(record.tags) }
    }
  }

  private static func view(_ deployment: DeploymentRecord, _ record: ServiceRecord, _ tasks: [TaskRecord])
    -> ECS.Deployment
  {
    let settings = record.settings.value
    let mine = tasks.filter { $0.deployment == deployment.id }
    return .make {
      $0.id = deployment.id
      $0.status = deployment.isPrimary ? "PRIMARY" : "ACTIVE"
      $0.taskDefinition = deployment.taskDefinition
      $0.desiredCount = deployment.isPrimary ? record.desiredCount : mine.filter(\.isWanted).count
      $0.runningCount = mine.filter { $0.status == .running }.count
      $0.pendingCount = mine.filter { $0.isWanted && $0.status != .running }.count
      $0.failedTasks = deployment.failedTasks
      $0.createdAt = deployment.createdAt
      $0.updatedAt = deployment.updatedAt
      $0.launchType = settings.launchType
      $0.capacityProviderStrategy = settings.capacityProviderStrategy
      $0.platformVersion = deployment.platformVersion == "LATEST" ? "1.4.0" : deployment.platformVersion
      $0.platformFamily = deployment.platformVersion == nil ? nil : "Linux"
      let subnets = deployment.places.compactMap(\.subnet)
      if !subnets.isEmpty {
        $0.networkConfiguration = .make {
          $0.awsvpcConfiguration = .make {
            $0.subnets = subnets
            $0.securityGroups = deployment.securityGroups
            $0.assignPublicIp = deployment.assignPublicIp
          }
        }
      }
      $0.rolloutState = deployment.rollout.rawValue
      $0.rolloutStateReason = deployment.reason
    }
  }
}
