// What a service's settings must satisfy, and what other services know of them.

import AWSCore
import EC2Model
import ECSModel
import ELBv2Model
import ServiceKit
import Store

/// Where tasks may be placed.
struct Placement: Sendable {
  var places: [DeploymentRecord.Place]
  var securityGroups: [String] = []
  var assignPublicIp: String?
}

extension ECSService {
  /// Refuses what is known but not built.
  static func refuse(_ input: ECS.CreateServiceRequest) throws {
    if let type = input.deploymentController?.type, type != "ECS" {
      throw AWSError.notImplemented("the deployment controller \(type)")
    }
    if let strategy = input.deploymentConfiguration?.strategy, strategy != "ROLLING" {
      throw AWSError.notImplemented("the deployment strategy \(strategy)")
    }
    guard input.schedulingStrategy ?? "REPLICA" == "REPLICA" else {
      throw AWSError.notImplemented("the scheduling strategy DAEMON")
    }
    if !(input.vpcLatticeConfigurations ?? []).isEmpty { throw AWSError.notImplemented("VPC Lattice for services") }
    if !(input.volumeConfigurations ?? []).isEmpty { throw AWSError.notImplemented("EBS volumes of services") }
    if input.serviceConnectConfiguration?.enabled ?? false { throw AWSError.notImplemented("Service Connect") }
    if !(input.deploymentConfiguration?.lifecycleHooks ?? []).isEmpty {
      throw AWSError.notImplemented("lifecycle hooks of deployments")
    }
  }

  /// - Throws: `InvalidParameterException` as AWS words it.
  static func check(_ input: ECS.CreateServiceRequest, _ definition: ECS.TaskDefinition) throws {
    let desired = input.desiredCount ?? 0
    guard desired >= 0 else { throw ECSError.invalid("Desired count cannot be negative.") }
    guard desired <= Limits.desiredCount else {
      throw ECSError.invalid("Desired count can not be greater than \(Limits.desiredCount).")
    }
    if input.launchType != nil, !(input.capacityProviderStrategy ?? []).isEmpty {
      throw ECSError.invalid(
        "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
    }
    let configuration = input.deploymentConfiguration
    let (minimum, maximum) = (configuration?.minimumHealthyPercent ?? 100, configuration?.maximumPercent ?? 200)
    guard minimum >= 0, maximum >= minimum else {
      throw ECSError.invalid("Minimum healthy percentage cannot exceed maximum percentage.")
    }
    guard maximum > 0 else { throw ECSError.invalid("Maximum percentage must be greater than 0.") }
    try checkNetwork(input.networkConfiguration, definition, launchType: input.launchType)
    for balancer in input.loadBalancers ?? [] {
      guard balancer.targetGroupArn != nil else { throw AWSError.notImplemented("Classic Load Balancers") }
      let name = balancer.containerName ?? ""
      guard let container = (definition.containerDefinitions ?? []).first(where: { $0.name == name }) else {
        throw ECSError.invalid("The container \(name) does not exist in the task definition.")
      }
      guard let port = balancer.containerPort,
        (container.portMappings ?? []).contains(where: { $0.containerPort == port })
      else {
        throw ECSError.invalid(
          "The container \(name) did not have a container port \(balancer.containerPort ?? 0) defined.")
      }
    }
    if input.healthCheckGracePeriodSeconds != nil, (input.loadBalancers ?? []).isEmpty {
      throw ECSError.invalid("Health check grace period is only valid for services configured to use load balancers")
    }
  }

  static func checkNetwork(
    _ network: ECS.NetworkConfiguration?, _ definition: ECS.TaskDefinition, launchType: String?
  ) throws {
    let isAwsvpc = definition.networkMode == "awsvpc"
    if launchType == "FARGATE", !isAwsvpc {
      throw ECSError.invalid("Task definition does not support launch_type FARGATE.")
    }
    if isAwsvpc, network?.awsvpcConfiguration == nil {
      throw ECSError.invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    }
    if !isAwsvpc, network?.awsvpcConfiguration != nil {
      throw ECSError.invalid("Network Configuration is not valid for the given networkMode of this task definition.")
    }
    if let configuration = network?.awsvpcConfiguration {
      guard !configuration.subnets.isEmpty else { throw ECSError.invalid("subnets can not be empty.") }
      guard configuration.subnets.count <= 16 else { throw ECSError.invalid("subnets can have at most 16 items.") }
    }
  }

  /// The zones of the subnets; without subnets, the region's first zone.
  /// - Throws: `InvalidParameterException` when EC2 does not know a subnet or security group.
  func placement(_ network: ECS.NetworkConfiguration?, _ call: CallContext) async throws -> Placement {
    guard let configuration = network?.awsvpcConfiguration else {
      return Placement(places: [.init(subnet: nil, zone: "\(call.region)a")])
    }
    let inner = call.acting(as: "ecs.amazonaws.com")
    var zones: [String: String] = [:]
    do {
      let answer = try await inner.invoke(EC2.describeSubnets, .make { $0.subnetIds = configuration.subnets })
      for subnet in answer.subnets ?? [] { zones[subnet.subnetId ?? ""] = subnet.availabilityZone }
    } catch let error as AWSError where error.status < 500 {
      throw ECSError.invalid(
        "Error retrieving subnet information for [\(configuration.subnets.joined(separator: ", "))]: \(error.message) "
          + "(ErrorCode: \(error.code))"
      )
    }
    let groups = configuration.securityGroups ?? []
    if !groups.isEmpty {
      do {
        _ = try await inner.invoke(EC2.describeSecurityGroups, .make { $0.groupIds = groups })
      } catch let error as AWSError where error.status < 500 {
        throw ECSError.invalid(
          "Error retrieving security group information for [\(groups.joined(separator: ", "))]: \(error.message) "
            + "(ErrorCode: \(error.code))"
        )
      }
    }
    return Placement(
      places: configuration.subnets.map { .init(subnet: $0, zone: zones[$0] ?? "\(call.region)a") },
      securityGroups: groups, assignPublicIp: configuration.assignPublicIp)
  }

  /// - Throws: `InvalidParameterException` when a target group is not there or no load balancer uses it.
  func checkTargetGroups(_ balancers: [ECS.LoadBalancer], _ call: CallContext) async throws {
    let arns = balancers.compactMap(\.targetGroupArn)
    guard !arns.isEmpty else { return }
    let groups: [ELBv2.TargetGroup]
    do {
      groups =
        try await call.acting(as: "ecs.amazonaws.com")
        .invoke(ELBv2.describeTargetGroups, .make { $0.targetGroupArns = arns }).targetGroups ?? []
    } catch let error as AWSError where error.status < 500 {
      throw ECSError.invalid(
        "Unable to assume role and validate the specified targetGroupArn. Please verify that the ECS service role "
          + "being passed has the proper permissions. (\(error.message))")
    }
    for arn in arns {
      let group = groups.first { $0.targetGroupArn == arn }
      guard !(group?.loadBalancerArns ?? []).isEmpty else {
        throw ECSError.invalid("The target group with targetGroupArn \(arn) does not have an associated load balancer.")
      }
      if let type = group?.targetType, type != "ip" {
        throw ECSError.invalid(
          "The provided target group \(arn) has target type \(type), which is incompatible with the awsvpc network "
            + "mode specified in the task definition.")
      }
    }
  }
}
