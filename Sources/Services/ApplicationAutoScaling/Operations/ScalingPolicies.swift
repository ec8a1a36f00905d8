// PutScalingPolicy, DeleteScalingPolicy, DescribeScalingPolicies.

import AWSCore
import AWSWire
import ApplicationAutoScalingModel
import ServiceKit
import Store

extension ApplicationAutoScalingService {
  func putScalingPolicy(
    _ input: API.PutScalingPolicyRequest, _ call: CallContext
  ) async throws -> API.PutScalingPolicyResponse {
    let key = TargetKey(
      namespace: input.serviceNamespace, resource: input.resourceId, dimension: input.scalableDimension)
    try Dimensions.check(key)
    guard !input.policyName.isEmpty else { throw AutoScalingError.validation("A policy name must be specified") }
    let id = call.ids.uuid()
    let record = try await store.write { tx in
      guard try tx.get(ScalableTargetRecord.self, call.scope, key.id) != nil else {
        throw AutoScalingError.noTarget(key)
      }
      let existing = try tx.get(ScalingPolicyRecord.self, call.scope, "\(key.id)|\(input.policyName)")
      var record =
        existing
        ?? ScalingPolicyRecord(
          key: key, name: input.policyName,
          arn: "arn:aws:autoscaling:\(call.region):\(call.account):scalingPolicy:\(id):resource/\(key.namespace)/"
            + "\(key.resource):policyName/\(input.policyName)",
          type: "StepScaling", created: call.now)
      record.type = input.policyType ?? existing?.type ?? "StepScaling"
      try Self.set(&record, input)
      try tx.put(record, call.scope)
      return record
    }
    // AWS makes alarms that call the policy; nothing acts on metrics here yet, so there are none.
    return .make {
      $0.policyARN = record.arn
      $0.alarms = []
    }
  }

  /// The configuration that the type asks for, and no other.
  private static func set(_ record: inout ScalingPolicyRecord, _ input: API.PutScalingPolicyRequest) throws {
    let given = [
      ("StepScaling", input.stepScalingPolicyConfiguration != nil),
      ("TargetTrackingScaling", input.targetTrackingScalingPolicyConfiguration != nil),
      ("PredictiveScaling", input.predictiveScalingPolicyConfiguration != nil),
    ]
    for (type, isGiven) in given where isGiven && type != record.type {
      throw AutoScalingError.validation(
        "A \(type) configuration cannot be specified for a policy of type \(record.type)")
    }
    guard given.contains(where: \.1) else {
      throw AutoScalingError.validation("A configuration must be specified for a policy of type \(record.type)")
    }
    record.step = input.stepScalingPolicyConfiguration.map(shapes.json)
    record.predictive = input.predictiveScalingPolicyConfiguration.map(shapes.json)
    record.tracking = input.targetTrackingScalingPolicyConfiguration.map(shapes.json)
    if let config = input.targetTrackingScalingPolicyConfiguration {
      guard (config.predefinedMetricSpecification != nil) != (config.customizedMetricSpecification != nil) else {
        throw AutoScalingError.validation(
          "Exactly one of a predefined and a customized metric specification must be specified")
      }
      if config.predefinedMetricSpecification?.predefinedMetricType == "ALBRequestCountPerTarget",
        config.predefinedMetricSpecification?.resourceLabel == nil
      {
        throw AutoScalingError.validation("A resource label must be specified for ALBRequestCountPerTarget")
      }
    }
  }

  func deleteScalingPolicy(
    _ input: API.DeleteScalingPolicyRequest, _ call: CallContext
  ) async throws -> API.DeleteScalingPolicyResponse {
    let key = TargetKey(
      namespace: input.serviceNamespace, resource: input.resourceId, dimension: input.scalableDimension)
    try await store.write { tx in
      guard try tx.delete(ScalingPolicyRecord.self, call.scope, "\(key.id)|\(input.policyName)") else {
        throw AutoScalingError.noPolicy(input.policyName, key)
      }
    }
    return .init()
  }

  func describeScalingPolicies(
    _ input: API.DescribeScalingPoliciesRequest, _ call: CallContext
  ) async throws -> API.DescribeScalingPoliciesResponse {
    let all = try await store.read { try $0.list(ScalingPolicyRecord.self, call.scope) }
    let names = input.policyNames ?? []
    let kept = all.filter {
      $0.key.namespace == input.serviceNamespace && (input.resourceId == nil || $0.key.resource == input.resourceId)
        && (input.scalableDimension == nil || $0.key.dimension == input.scalableDimension)
        && (names.isEmpty || names.contains($0.name) || names.contains($0.arn))
    }
    let (items, next) = try Self.page(kept, limit: input.maxResults, token: input.nextToken, id: \.recordID)
    return .make {
      $0.scalingPolicies = items.map(Self.answer)
      $0.nextToken = next
    }
  }

  private static func answer(_ record: ScalingPolicyRecord) -> API.ScalingPolicy {
    .make {
      $0.policyARN = record.arn
      $0.policyName = record.name
      $0.policyType = record.type
      $0.serviceNamespace = record.key.namespace
      $0.resourceId = record.key.resource
      $0.scalableDimension = record.key.dimension
      $0.creationTime = record.created
      $0.alarms = []
      $0.stepScalingPolicyConfiguration = record.step.map {
        shapes.structure(API.StepScalingPolicyConfiguration.self, $0)
      }
      $0.targetTrackingScalingPolicyConfiguration = record.tracking.map {
        shapes.structure(API.TargetTrackingScalingPolicyConfiguration.self, $0)
      }
      $0.predictiveScalingPolicyConfiguration = record.predictive.map {
        shapes.structure(API.PredictiveScalingPolicyConfiguration.self, $0)
      }
    }
  }
}
