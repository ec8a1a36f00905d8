// UpdateService: a new count, or a new deployment.

import AWSCore
import AWSWire
import ECSModel
import ServiceKit
import Store

extension ECSService {
  func updateService(_ input: ECS.UpdateServiceRequest, _ call: CallContext) async throws -> ECS.UpdateServiceResponse {
    let known = try await store.read { try Self.activeService(input.service, input.cluster, $0, call.scope) }
    // What other services must say is asked before the transaction.
    let network = input.networkConfiguration ?? known.settings.value.networkConfiguration
    let placement = try await placement(network, call)
    if let balancers = input.loadBalancers { try await checkTargetGroups(balancers, call) }
    let record = try await store.write { tx in
      var record = try Self.activeService(input.service, input.cluster, tx, call.scope)
      let old = record.settings.value
      var new = old
      var isNew = input.forceNewDeployment ?? false
      if let text = input.taskDefinition {
        new.taskDefinition = try Lookup.runnableTaskDefinition(text, tx, call.scope).arn
        if new.taskDefinition != old.taskDefinition { isNew = true }
      }
      isNew = Self.apply(input, to: &new) || isNew
      try Self.refuse(new)
      guard let definition = try Lookup.taskDefinition(new.taskDefinition ?? "", tx, call.scope) else {
        throw ECSError.taskDefinitionNotFound
      }
      try Self.check(new, definition.definition.value)
      record.settings.value = new
      if isNew {
        for index in record.deployments.indices { record.deployments[index].isPrimary = false }
        record.deployments.insert(Self.newDeployment(new, placement, call), at: 0)
      } else if input.desiredCount != nil, input.desiredCount != old.desiredCount,
        let index = record.deployments.indices.first
      {
        record.deployments[index].updatedAt = call.now
      }
      if isNew || old.desiredCount != new.desiredCount { record.isSteady = false }
      try tx.put(record, call.scope)
      return record
    }
    let service = try await view(record, ["TAGS"], call)
    return .make { $0.service = service }
  }

  /// - Throws: `ServiceNotFoundException`, `ServiceNotActiveException`, `ClusterNotFoundException`.
  static func activeService(
    _ text: String, _ cluster: String?, _ snapshot: Snapshot, _ scope: Scope
  ) throws -> ServiceRecord {
    let wanted = cluster ?? Names.service(text).cluster
    _ = try Lookup.activeCluster(wanted, snapshot, scope)
    guard let record = try Lookup.service(text, cluster: wanted, snapshot, scope) else {
      throw ECSError.serviceNotFound
    }
    guard record.status == .active else { throw ECSError.serviceNotActive }
    return record
  }

  /// Takes over what is named.
  /// - Returns: whether that needs new tasks.
  private static func apply(_ input: ECS.UpdateServiceRequest, to settings: inout ECS.CreateServiceRequest) -> Bool {
    var needsTasks = false
    if let count = input.desiredCount { settings.desiredCount = count }
    if var configuration = input.deploymentConfiguration {
      // What is not named stays.
      let old = settings.deploymentConfiguration
      configuration.minimumHealthyPercent = configuration.minimumHealthyPercent ?? old?.minimumHealthyPercent
      configuration.maximumPercent = configuration.maximumPercent ?? old?.maximumPercent
      configuration.deploymentCircuitBreaker = configuration.deploymentCircuitBreaker ?? old?.deploymentCircuitBreaker
      configuration.alarms = configuration.alarms ?? old?.alarms
      settings.deploymentConfiguration = completed(configuration)
    }
    if let grace = input.healthCheckGracePeriodSeconds { settings.healthCheckGracePeriodSeconds = grace }
    if let rebalancing = input.availabilityZoneRebalancing { settings.availabilityZoneRebalancing = rebalancing }
    if let controller = input.deploymentController { settings.deploymentController = controller }
    if let constraints = input.placementConstraints { settings.placementConstraints = constraints }
    if let strategy = input.placementStrategy { settings.placementStrategy = strategy }
    if let propagate = input.propagateTags { settings.propagateTags = propagate }
    if let managed = input.enableECSManagedTags { settings.enableECSManagedTags = managed }
    if let execute = input.enableExecuteCommand { settings.enableExecuteCommand = execute }
    if let connect = input.serviceConnectConfiguration { settings.serviceConnectConfiguration = connect }
    if let volumes = input.volumeConfigurations { settings.volumeConfigurations = volumes }
    if let lattice = input.vpcLatticeConfigurations { settings.vpcLatticeConfigurations = lattice }
    func changed<T: WireConvertible>(_ old: T?, _ new: T?) -> Bool { old?.wire != new?.wire }
    if var network = input.networkConfiguration {
      let publicIP = network.awsvpcConfiguration?.assignPublicIp ?? "DISABLED"
      network.awsvpcConfiguration?.assignPublicIp = publicIP
      if changed(settings.networkConfiguration, network) { needsTasks = true }
      settings.networkConfiguration = network
    }
    if let balancers = input.loadBalancers {
      if changed(settings.loadBalancers ?? [], balancers) { needsTasks = true }
      settings.loadBalancers = balancers
      if balancers.isEmpty { settings.healthCheckGracePeriodSeconds = nil }
    }
    if let registries = input.serviceRegistries {
      if changed(settings.serviceRegistries ?? [], registries) { needsTasks = true }
      settings.serviceRegistries = registries
    }
    if let version = input.platformVersion {
      if settings.platformVersion != version { needsTasks = true }
      settings.platformVersion = version
    }
    if let strategy = input.capacityProviderStrategy {
      if changed(settings.capacityProviderStrategy ?? [], strategy) { needsTasks = true }
      settings.capacityProviderStrategy = strategy
      settings.launchType = strategy.isEmpty ? settings.launchType ?? "EC2" : nil
    }
    return needsTasks
  }
}
