// AWS::ECS::Service for CloudFormation: made and changed when the service is steady.

import AWSCore
import AWSWire
import ECSModel
import ServiceKit
import Store
import Supervisor

extension ECSService {
  private static let handledApart: Set<String> = ["Tags", "ForceNewDeployment"]
  private static let replacing: Set<String> = [
    "Cluster", "DeploymentController", "LaunchType", "Role", "SchedulingStrategy", "ServiceName",
  ]

  /// Ref is the service's ARN; Fn::GetAtt knows Name and ServiceArn.
  var serviceProvider: ResourceProvider {
    let mapper = PropertyMapper(ECS.model)
    return ResourceProvider(
      "AWS::ECS::Service",
      properties: Self.replacing.union(Self.handledApart).union([
        "AvailabilityZoneRebalancing", "CapacityProviderStrategy", "DeploymentConfiguration", "DesiredCount",
        "EnableECSManagedTags", "EnableExecuteCommand", "HealthCheckGracePeriodSeconds", "LoadBalancers",
        "NetworkConfiguration", "PlacementConstraints", "PlacementStrategies", "PlatformVersion", "PropagateTags",
        "ServiceConnectConfiguration", "ServiceRegistries", "TaskDefinition", "VolumeConfigurations",
        "VpcLatticeConfigurations",
      ]),
      replacedBy: Self.replacing,
      create: { properties, context in
        var input = try mapper.input(ECS.createService, Self.renamed(properties), ignoring: Self.handledApart)
        if input.serviceName.isEmpty { input.serviceName = context.generatedName() }
        // CloudFormation's own default.
        input.desiredCount = input.desiredCount ?? 1
        input.tags = StackTags.list(properties, context)
        guard let arn = try await context.call.invoke(ECS.createService, input).service?.serviceArn else {
          throw AWSError("InternalFailure", "CreateService told no service.", status: 500)
        }
        return Self.handle(arn, input.serviceName)
      },
      stabilize: { [self] handle, context in
        try await waitUntilSteady(handle.physicalID, deployment: nil, context.call)
        return handle
      },
      update: { [self] handle, old, new, context in
        var input = try mapper.input(
          ECS.updateService, Self.renamed(new), ignoring: Self.handledApart.union(Self.replacing))
        input.cluster = Names.service(handle.physicalID).cluster
        input.service = handle.physicalID
        // What somebody else scaled stays so, unless the template says something new.
        if old["DesiredCount"] == new["DesiredCount"] { input.desiredCount = nil }
        if old["ForceNewDeployment"] != new["ForceNewDeployment"] {
          input.forceNewDeployment = new["ForceNewDeployment"]?["EnableForceNewDeployment"]?.boolean
        }
        // What was taken out of the template goes.
        if old["LoadBalancers"] != nil, new["LoadBalancers"] == nil { input.loadBalancers = [] }
        let service = try await context.call.invoke(ECS.updateService, input).service
        try await StackTags.update(handle.physicalID, new, context)
        try await waitUntilSteady(handle.physicalID, deployment: service?.deployments?.first?.id, context.call)
        return Self.handle(handle.physicalID, Names.service(handle.physicalID).name)
      },
      delete: { [self] handle, _, context in
        do {
          _ = try await context.call.invoke(
            ECS.deleteService,
            .make {
              $0.cluster = Names.service(handle.physicalID).cluster
              $0.service = handle.physicalID
              $0.force = true
            })
        } catch let error as AWSError
          where ["ServiceNotFoundException", "ClusterNotFoundException"].contains(error.code)
        {
          return
        }
        try await wait(handle.physicalID, context.call) { $0 == nil || $0?.status == .inactive }
      })
  }

  private static func handle(_ arn: String, _ name: String) -> ResourceHandle {
    ResourceHandle(arn, attributes: ["Name": .string(name), "ServiceArn": .string(arn)])
  }

  /// CloudFormation's plural of what the API calls `placementStrategy`.
  private static func renamed(_ properties: JSONValue) -> JSONValue {
    guard var object = properties.object else { return properties }
    if let strategies = object.removeValue(forKey: "PlacementStrategies") { object["PlacementStrategy"] = strategies }
    return .object(object)
  }

  // MARK: Waiting

  /// Returns when the deployment (`nil`: the only one there has been) is completed and the service steady.
  /// - Throws: `AWSError` when the circuit breaker trips, the service is deleted, or it takes too long.
  private func waitUntilSteady(_ arn: String, deployment: String?, _ call: CallContext) async throws {
    try await wait(arn, call) { record in
      guard let record, record.status == .active else { throw ECSError.serviceNotActive }
      if deployment.map({ record.failed[$0] != nil }) ?? !record.failed.isEmpty {
        throw AWSError(
          "GeneralServiceException",
          "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.", status: 400)
      }
      return record.isSteady && record.primary?.rollout == .completed
        && (deployment == nil || record.primary?.id == deployment)
    }
  }

  /// Looks at a service whenever it changes, until what is waited for holds.
  private func wait(
    _ arn: String, _ call: CallContext, until isReached: @escaping @Sendable (ServiceRecord?) throws -> Bool
  ) async throws {
    let (store, clock, scope) = (store, environment.clock, call.scope)
    let changes = store.changes(in: [ServiceRecord.collection])
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          var iterator = changes.makeAsyncIterator()
          while try await !isReached(store.read { try Lookup.service(arn, cluster: nil, $0, scope) }) {
            guard await iterator.next() != nil else { throw CancellationError() }
          }
        }
        group.addTask {
          try await clock.sleep(seconds: Limits.stackWait)
          throw AWSError(
            "NotStabilized",
            "The service \(Names.service(arn).name) was not steady after \(Int(Limits.stackWait)) seconds.")
        }
        defer { group.cancelAll() }
        try await group.next()
      }
    } catch var error as AWSError {
      if let why = await diagnosis(arn, scope) { error.message += " " + why }
      throw error
    }
  }

  /// What became of the last task that failed: its reason, exit code and last words.
  private func diagnosis(_ arn: String, _ scope: Scope) async -> String? {
    let (cluster, name) = Names.service(arn)
    let id = ServiceRecord.id(cluster: cluster ?? "default", name: name)
    let tasks = try? await store.read { try $0.find(TaskRecord.self, scope, index: "cluster", cluster ?? "default") }
    let failed = (tasks ?? []).filter { $0.service == id && $0.hasFailed }
    guard let task = failed.max(by: { ($0.stoppingAt ?? $0.createdAt) < ($1.stoppingAt ?? $1.createdAt) }) else {
      return nil
    }
    var text = "Task \(task.id) stopped: \(task.stoppedReason ?? "")"
    guard let container = task.containers.first(where: { $0.exitCode != nil && $0.isEssential }) else { return text }
    text += " (container \(container.name), exit code \(container.exitCode ?? 0))"
    let path = fleet.launch.logFile(task: task.id, container: container.name)
    let log = try? await BlockingQueue.once("task-log") { PrivateFiles.tail(path, bytes: 800) }
    let lines = (log ?? "").split(separator: "\n").suffix(3).joined(separator: " | ")
    return lines.isEmpty ? text : "\(text): \(lines)"
  }
}
