// Scalable targets and policies, and the bounds of an ECS service.

import AWSCore
import AWSWire
import ApplicationAutoScalingModel
import ApplicationAutoScalingService
import CastleTesting
import ECSModel
import ServiceKit
import Synchronization
import Testing

/// One ECS service with a desired count.
private final class OneService: AWSService {
  let desired = Mutex(1)

  var apis: [ServiceAPI] {
    var table = HandlerTable()
    table.on(ECS.describeServices) { input, _ in
      guard input.cluster == "shop", input.services == ["web"] else { return .init() }
      return .make {
        $0.services = [
          .make {
            $0.status = "ACTIVE"
            $0.desiredCount = self.desired.withLock { $0 }
          }
        ]
      }
    }
    table.on(ECS.updateService) { input, _ in
      self.desired.withLock { $0 = input.desiredCount ?? 0 }
      return .init()
    }
    return [ServiceAPI(ECS.model, actionPrefix: "ecs", table)]
  }
}

@Suite("Application Auto Scaling")
struct ApplicationAutoScalingTests {
  typealias API = ApplicationAutoScaling

  private func with(_ body: (ServiceHarness, OneService, ApplicationAutoScalingService) async throws -> Void)
    async throws
  {
    let ecs = OneService()
    var service: ApplicationAutoScalingService?
    let harness = try ServiceHarness(collections: ApplicationAutoScalingService.collections) { environment in
      let scaling = ApplicationAutoScalingService(environment)
      service = scaling
      return [scaling, ecs]
    }
    defer { harness.remove() }
    try await body(harness, ecs, try #require(service))
  }

  private func code<I, O>(
    _ harness: ServiceHarness, _ operation: APIOperation<I, O>, _ configure: (inout I) -> Void
  ) async throws -> String {
    do {
      _ = try await harness.run(operation, configure)
      return ""
    } catch let error as AWSError {
      return "\(error.code): \(error.message)"
    }
  }

  private func register(_ input: inout API.RegisterScalableTargetRequest, _ min: Int?, _ max: Int?) {
    input.serviceNamespace = "ecs"
    input.resourceId = "service/shop/web"
    input.scalableDimension = "ecs:service:DesiredCount"
    input.minCapacity = min
    input.maxCapacity = max
  }

  @Test("a target that is registered holds its service within the bounds, and tells what it did")
  func bounds() async throws {
    try await with { harness, ecs, _ in
      let made = try await harness.run(API.registerScalableTarget) {
        register(&$0, 2, 10)
        $0.tags = ["a": "b"]
      }
      #expect(ecs.desired.withLock { $0 } == 2)
      _ = try await harness.run(API.registerScalableTarget) { register(&$0, 1, nil) }
      #expect(ecs.desired.withLock { $0 } == 2)
      ecs.desired.withLock { $0 = 20 }
      _ = try await harness.run(API.registerScalableTarget) { register(&$0, nil, 4) }
      #expect(ecs.desired.withLock { $0 } == 4)
      let target = try #require(
        try await harness.run(API.describeScalableTargets) { $0.serviceNamespace = "ecs" }.scalableTargets?.first)
      #expect(target.minCapacity == 1)
      #expect(target.maxCapacity == 4)
      #expect(target.suspendedState?.dynamicScalingInSuspended == false)
      #expect(
        target.roleARN
          == "arn:aws:iam::000000000000:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
          + "AWSServiceRoleForApplicationAutoScaling_ECSService")
      let activities = try await harness.run(API.describeScalingActivities) { $0.serviceNamespace = "ecs" }
      #expect(
        Set(activities.scalingActivities?.map(\.description) ?? []) == [
          "Setting desired count to 2.", "Setting desired count to 4.",
        ])
      let tags = try await harness.run(API.listTagsForResource) { $0.resourceARN = made.scalableTargetARN ?? "" }
      #expect(tags.tags == ["a": "b"])
      #expect(
        try await code(harness, API.registerScalableTarget) { register(&$0, 5, 4) }.hasPrefix("ValidationException"))
      #expect(
        try await code(harness, API.registerScalableTarget) {
          register(&$0, 1, 4)
          $0.resourceId = "service/shop/none"
        } == "ValidationException: ECS service doesn't exist: service/shop/none")
    }
  }

  @Test("policies come back as they were sent, need their target, and go with it")
  func policies() async throws {
    try await with { harness, _, _ in
      func put(_ input: inout API.PutScalingPolicyRequest) {
        input.policyName = "cpu"
        input.serviceNamespace = "ecs"
        input.resourceId = "service/shop/web"
        input.scalableDimension = "ecs:service:DesiredCount"
        input.policyType = "TargetTrackingScaling"
        input.targetTrackingScalingPolicyConfiguration = .make {
          $0.targetValue = 60
          $0.scaleInCooldown = 120
          $0.predefinedMetricSpecification = .make { $0.predefinedMetricType = "ECSServiceAverageCPUUtilization" }
        }
      }
      #expect(
        try await code(harness, API.putScalingPolicy) { put(&$0) }
          == "ObjectNotFoundException: No scalable target registered for service namespace: ecs, resource ID: "
          + "service/shop/web, scalable dimension: ecs:service:DesiredCount")
      _ = try await harness.run(API.registerScalableTarget) { register(&$0, 1, 4) }
      let arn = try await harness.run(API.putScalingPolicy) { put(&$0) }.policyARN
      #expect(try await harness.run(API.putScalingPolicy) { put(&$0) }.policyARN == arn)
      let policy = try #require(
        try await harness.run(API.describeScalingPolicies) { $0.serviceNamespace = "ecs" }.scalingPolicies?.first)
      #expect(policy.policyARN == arn)
      #expect(policy.targetTrackingScalingPolicyConfiguration?.targetValue == 60)
      #expect(policy.targetTrackingScalingPolicyConfiguration?.scaleInCooldown == 120)
      #expect(policy.stepScalingPolicyConfiguration == nil)
      _ = try await harness.run(API.deregisterScalableTarget) {
        $0.serviceNamespace = "ecs"
        $0.resourceId = "service/shop/web"
        $0.scalableDimension = "ecs:service:DesiredCount"
      }
      let after = try await harness.run(API.describeScalingPolicies) { $0.serviceNamespace = "ecs" }
      #expect(after.scalingPolicies?.isEmpty ?? true)
    }
  }

  @Test("CloudFormation's references lead from a policy to its target")
  func resources() async throws {
    try await with { harness, ecs, service in
      let providers = Dictionary(service.resourceProviders.map { ($0.type.split(separator: ":").last ?? "", $0) }) {
        $1
      }
      let context = ResourceContext(
        stackName: "storefront", stackID: "arn:stack", logicalID: "Scaling", tags: [:], call: harness.call())
      let targets = try #require(providers["ScalableTarget"])
      let properties: JSONValue = [
        "ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount", "ResourceId": "service/shop/web",
        "MinCapacity": 2, "MaxCapacity": 10,
      ]
      let target = try await targets.create(properties, context)
      #expect(target.physicalID == "service/shop/web|ecs:service:DesiredCount|ecs")
      #expect(ecs.desired.withLock { $0 } == 2)
      let policies = try #require(providers["ScalingPolicy"])
      let policyProperties: JSONValue = [
        "PolicyName": "storefront-cpu", "PolicyType": "TargetTrackingScaling",
        "ScalingTargetId": .string(target.physicalID),
        "TargetTrackingScalingPolicyConfiguration": [
          "PredefinedMetricSpecification": ["PredefinedMetricType": "ECSServiceAverageCPUUtilization"],
          "TargetValue": 60, "ScaleInCooldown": 120, "ScaleOutCooldown": 30,
        ],
      ]
      let policy = try await policies.create(policyProperties, context)
      #expect(policy.physicalID.hasPrefix("arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:"))
      #expect(policy.physicalID.hasSuffix(":resource/ecs/service/shop/web:policyName/storefront-cpu"))
      try await policies.delete(policy, policyProperties, context)
      try await policies.delete(policy, policyProperties, context)
      try await targets.delete(target, properties, context)
      try await targets.delete(target, properties, context)
    }
  }
}
