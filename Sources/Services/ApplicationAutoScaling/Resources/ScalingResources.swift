// AWS::ApplicationAutoScaling::ScalableTarget and ::ScalingPolicy for CloudFormation.

import AWSCore
import AWSWire
import ApplicationAutoScalingModel
import ServiceKit

extension ApplicationAutoScalingService {
  private static let mapper = PropertyMapper(ApplicationAutoScaling.model)

  /// Ref is `resource|dimension|namespace`.
  var scalableTargetProvider: ResourceProvider {
    ResourceProvider(
      "AWS::ApplicationAutoScaling::ScalableTarget",
      properties: [
        "MaxCapacity", "MinCapacity", "ResourceId", "RoleARN", "ScalableDimension", "ScheduledActions",
        "ServiceNamespace", "SuspendedState",
      ],
      replacedBy: ["ResourceId", "ScalableDimension", "ServiceNamespace"],
      create: { properties, context in try await Self.register(properties, context) },
      update: { _, _, new, context in try await Self.register(new, context) },
      delete: { handle, _, context in
        guard let key = TargetKey(reference: handle.physicalID) else { return }
        do {
          _ = try await context.call.invoke(
            API.deregisterScalableTarget,
            .make {
              $0.serviceNamespace = key.namespace
              $0.resourceId = key.resource
              $0.scalableDimension = key.dimension
            })
        } catch let error as AWSError where error.code == "ObjectNotFoundException" {
          // Gone already.
        }
      })
  }

  private static func register(_ properties: JSONValue, _ context: ResourceContext) async throws -> ResourceHandle {
    if let actions = properties["ScheduledActions"]?.array, !actions.isEmpty {
      throw AWSError.notImplemented("ScheduledActions of AWS::ApplicationAutoScaling::ScalableTarget")
    }
    let input = try mapper.input(API.registerScalableTarget, properties, ignoring: ["ScheduledActions"])
    _ = try await context.call.invoke(API.registerScalableTarget, input)
    let key = TargetKey(
      namespace: input.serviceNamespace, resource: input.resourceId, dimension: input.scalableDimension)
    return ResourceHandle(key.reference, attributes: ["Id": .string(key.reference)])
  }

  /// Ref is the ARN.
  var scalingPolicyProvider: ResourceProvider {
    let properties: Set<String> = [
      "PolicyName", "PolicyType", "PredictiveScalingPolicyConfiguration", "ResourceId", "ScalableDimension",
      "ScalingTargetId", "ServiceNamespace", "StepScalingPolicyConfiguration",
      "TargetTrackingScalingPolicyConfiguration",
    ]
    return ResourceProvider(
      "AWS::ApplicationAutoScaling::ScalingPolicy", properties: properties,
      replacedBy: ["PolicyName", "ResourceId", "ScalableDimension", "ScalingTargetId", "ServiceNamespace"],
      create: { properties, context in
        let input = try Self.policy(properties)
        guard !input.policyName.isEmpty else {
          throw AWSError.validation("Properties validation failed: required key [PolicyName] not found")
        }
        return try await Self.put(input, context)
      },
      update: { _, _, new, context in try await Self.put(Self.policy(new), context) },
      delete: { _, properties, context in
        let input = try Self.policy(properties)
        do {
          _ = try await context.call.invoke(
            API.deleteScalingPolicy,
            .make {
              $0.policyName = input.policyName
              $0.serviceNamespace = input.serviceNamespace
              $0.resourceId = input.resourceId
              $0.scalableDimension = input.scalableDimension
            })
        } catch let error as AWSError where error.code == "ObjectNotFoundException" {
          // Gone already, with its target perhaps.
        }
      })
  }

  /// The policy's input; `ScalingTargetId` stands for resource, dimension and namespace.
  private static func policy(_ properties: JSONValue) throws -> API.PutScalingPolicyRequest {
    var input = try mapper.input(API.putScalingPolicy, properties, ignoring: ["ScalingTargetId"])
    if let reference = properties["ScalingTargetId"]?.text {
      guard let key = TargetKey(reference: reference) else {
        throw AutoScalingError.validation("'\(reference)' is not the id of a scalable target")
      }
      input.serviceNamespace = key.namespace
      input.resourceId = key.resource
      input.scalableDimension = key.dimension
    }
    return input
  }

  private static func put(_ input: API.PutScalingPolicyRequest, _ context: ResourceContext) async throws
    -> ResourceHandle
  {
    let arn = try await context.call.invoke(API.putScalingPolicy, input).policyARN ?? ""
    return ResourceHandle(arn, attributes: ["Arn": .string(arn), "PolicyName": .string(input.policyName)])
  }
}
