// RegisterScalableTarget, DeregisterScalableTarget, DescribeScalableTargets, DescribeScalingActivities.

import AWSCore
import AWSWire
import ApplicationAutoScalingModel
import ECSModel
import RDSModel
import ServiceKit
import Store

extension ApplicationAutoScalingService {
  typealias API = ApplicationAutoScaling

  func registerScalableTarget(
    _ input: API.RegisterScalableTargetRequest, _ call: CallContext
  ) async throws -> API.RegisterScalableTargetResponse {
    let key = TargetKey(
      namespace: input.serviceNamespace, resource: input.resourceId, dimension: input.scalableDimension)
    try Dimensions.check(key)
    let tags = input.tags ?? [:]
    guard tags.count <= Self.tagsMax else { throw Self.tooManyTags }
    try await requireResource(key, call)
    let id = call.ids.hex(36)
    let record = try await store.write { tx in
      var record: ScalableTargetRecord
      if let existing = try tx.get(ScalableTargetRecord.self, call.scope, key.id) {
        record = existing
        if let minimum = input.minCapacity { record.minimum = minimum }
        if let maximum = input.maxCapacity { record.maximum = maximum }
        if let role = input.roleARN { record.role = role }
        record.tags.merge(tags) { $1 }
      } else {
        guard let minimum = input.minCapacity, let maximum = input.maxCapacity else {
          throw AutoScalingError.validation(
            "Both minimum and maximum capacity must be specified when registering a new scalable target")
        }
        record = ScalableTargetRecord(
          key: key, arn: call.arn("application-autoscaling", "scalable-target/\(id)"), minimum: minimum,
          maximum: maximum, role: input.roleARN ?? Dimensions.role(key, account: call.account), created: call.now,
          tags: tags)
      }
      if let state = input.suspendedState {
        if let value = state.dynamicScalingInSuspended { record.suspendsIn = value }
        if let value = state.dynamicScalingOutSuspended { record.suspendsOut = value }
        if let value = state.scheduledScalingSuspended { record.suspendsScheduled = value }
      }
      guard record.minimum >= 0, record.minimum <= record.maximum else {
        throw AutoScalingError.validation("Maximum capacity cannot be less than minimum capacity")
      }
      try tx.put(record, call.scope)
      return record
    }
    try await holdBounds(record, call)
    return .make { $0.scalableTargetARN = record.arn }
  }

  static let tooManyTags = AWSError(
    "TooManyTagsException", "The number of tags on a resource cannot be more than \(tagsMax)")

  /// - Throws: `ValidationException` when what is to be scaled is not there. A service that is not built is not asked.
  private func requireResource(_ key: TargetKey, _ call: CallContext) async throws {
    let acting = call.acting(as: Self.servicePrincipal)
    do {
      if Dimensions.ecsService(key) != nil {
        guard try await ecsService(key, acting) != nil else {
          throw AutoScalingError.validation("ECS service doesn't exist: \(key.resource)")
        }
      } else if key.namespace == "rds" {
        _ = try await acting.invoke(
          RDS.describeDBClusters, .make { $0.dbClusterIdentifier = String(key.resource.dropFirst("cluster:".count)) })
      }
    } catch let error as AWSError where error.code == "DBClusterNotFoundFault" {
      throw AutoScalingError.validation("DB cluster doesn't exist: \(key.resource)")
    } catch let error as AWSError where error.code == "ClusterNotFoundException" {
      throw AutoScalingError.validation("ECS service doesn't exist: \(key.resource)")
    } catch let error as AWSError where error.status == 501 {
      call.logger.debug("what is to be scaled cannot be checked", metadata: ["resource": "\(key.resource)"])
    }
  }

  private func ecsService(_ key: TargetKey, _ acting: CallContext) async throws -> ECS.Service? {
    guard let (cluster, service) = Dimensions.ecsService(key) else { return nil }
    let found = try await acting.invoke(
      ECS.describeServices,
      .make {
        $0.cluster = cluster
        $0.services = [service]
      })
    return found.services?.first { $0.status == "ACTIVE" }
  }

  /// Brings an ECS service within the bounds; what was done, or failed, is an activity.
  private func holdBounds(_ record: ScalableTargetRecord, _ call: CallContext) async throws {
    guard let (cluster, service) = Dimensions.ecsService(record.key) else { return }
    let acting = call.acting(as: Self.servicePrincipal)
    var wanted = 0
    var status = "Successful"
    var message = "Successfully set desired count to"
    do {
      guard let now = try await ecsService(record.key, acting)?.desiredCount else { return }
      wanted = min(max(now, record.minimum), record.maximum)
      guard wanted != now, wanted > now ? !record.suspendsOut : !record.suspendsIn else { return }
      let count = wanted
      _ = try await acting.invoke(
        ECS.updateService,
        .make {
          $0.cluster = cluster
          $0.service = service
          $0.desiredCount = count
        })
      message += " \(wanted). Change successfully fulfilled by ecs."
    } catch let error as AWSError {
      guard error.status != 501 else { return }
      status = "Failed"
      message = "Failed to set desired count to \(wanted). Reason: \(error.message)"
    }
    let bound = wanted == record.minimum ? "minimum" : "maximum"
    let activity = ScalingActivityRecord(
      id: call.ids.uuid(), key: record.key, description: "Setting desired count to \(wanted).",
      cause: "\(bound) capacity was set to \(wanted)", started: call.now, ended: environment.clock.now, status: status,
      message: message)
    try await store.write { try $0.put(activity, call.scope) }
  }

  func deregisterScalableTarget(
    _ input: API.DeregisterScalableTargetRequest, _ call: CallContext
  ) async throws -> API.DeregisterScalableTargetResponse {
    let key = TargetKey(
      namespace: input.serviceNamespace, resource: input.resourceId, dimension: input.scalableDimension)
    try await store.write { tx in
      guard try tx.delete(ScalableTargetRecord.self, call.scope, key.id) else {
        throw AutoScalingError.noTarget(key, found: true)
      }
      for policy in try tx.find(ScalingPolicyRecord.self, call.scope, index: "target", key.id) {
        try tx.delete(ScalingPolicyRecord.self, call.scope, policy.recordID)
      }
      for activity in try tx.find(ScalingActivityRecord.self, call.scope, index: "target", key.id) {
        try tx.delete(ScalingActivityRecord.self, call.scope, activity.id)
      }
    }
    return .init()
  }

  func describeScalableTargets(
    _ input: API.DescribeScalableTargetsRequest, _ call: CallContext
  ) async throws -> API.DescribeScalableTargetsResponse {
    let all = try await store.read { try $0.list(ScalableTargetRecord.self, call.scope) }
    let wanted = input.resourceIds ?? []
    let kept = all.filter {
      $0.key.namespace == input.serviceNamespace && (wanted.isEmpty || wanted.contains($0.key.resource))
        && (input.scalableDimension == nil || $0.key.dimension == input.scalableDimension)
    }
    let (items, next) = try Self.page(kept, limit: input.maxResults, token: input.nextToken, id: \.recordID)
    return .make {
      $0.scalableTargets = items.map(Self.answer)
      $0.nextToken = next
    }
  }

  private static func answer(_ record: ScalableTargetRecord) -> API.ScalableTarget {
    .make {
      $0.serviceNamespace = record.key.namespace
      $0.resourceId = record.key.resource
      $0.scalableDimension = record.key.dimension
      $0.minCapacity = record.minimum
      $0.maxCapacity = record.maximum
      $0.roleARN = record.role
      $0.creationTime = record.created
      $0.scalableTargetARN = record.arn
      $0.suspendedState = .make {
        $0.dynamicScalingInSuspended = record.suspendsIn
        $0.dynamicScalingOutSuspended = record.suspendsOut
        $0.scheduledScalingSuspended = record.suspendsScheduled
      }
    }
  }

  /// The newest first.
  func describeScalingActivities(
    _ input: API.DescribeScalingActivitiesRequest, _ call: CallContext
  ) async throws -> API.DescribeScalingActivitiesResponse {
    let all = try await store.read { try $0.list(ScalingActivityRecord.self, call.scope) }
    let kept = all.filter {
      $0.key.namespace == input.serviceNamespace && (input.resourceId == nil || $0.key.resource == input.resourceId)
        && (input.scalableDimension == nil || $0.key.dimension == input.scalableDimension)
    }.sorted { ($1.started, $1.id) < ($0.started, $0.id) }
    let (items, next) = try Self.page(kept, limit: input.maxResults, token: input.nextToken, id: \.id)
    return .make {
      $0.scalingActivities = items.map { activity in
        .make {
          $0.activityId = activity.id
          $0.serviceNamespace = activity.key.namespace
          $0.resourceId = activity.key.resource
          $0.scalableDimension = activity.key.dimension
          $0.description = activity.description
          $0.cause = activity.cause
          $0.startTime = activity.started
          $0.endTime = activity.ended
          $0.statusCode = activity.status
          $0.statusMessage = activity.message
        }
      }
      $0.nextToken = next
    }
  }
}
