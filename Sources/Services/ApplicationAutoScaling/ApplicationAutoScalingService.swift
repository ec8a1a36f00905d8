// Application Auto Scaling: scalable targets and scaling policies. Records, and the bounds of ECS services.

import AWSCore
import AWSWire
import ApplicationAutoScalingModel
import ServiceKit
import Store

public struct ApplicationAutoScalingService: AWSService {
  let environment: ServiceEnvironment
  var store: Store { environment.store }

  /// The service that changes what is scaled.
  static let servicePrincipal = "application-autoscaling.amazonaws.com"
  static let tagsMax = 50
  static let shapes = ShapeJSON(ApplicationAutoScaling.model)

  public static let collections: [any Record.Type] = [
    ScalableTargetRecord.self, ScalingPolicyRecord.self, ScalingActivityRecord.self,
  ]

  public init(_ environment: ServiceEnvironment) { self.environment = environment }

  public var apis: [ServiceAPI] {
    [ServiceAPI(ApplicationAutoScaling.model, actionPrefix: "application-autoscaling", table)]
  }

  public var resourceProviders: [ResourceProvider] { [scalableTargetProvider, scalingPolicyProvider] }

  private var table: HandlerTable {
    typealias API = ApplicationAutoScaling
    var table = HandlerTable()
    table.on(API.registerScalableTarget, registerScalableTarget)
    table.on(API.deregisterScalableTarget, deregisterScalableTarget)
    table.on(API.describeScalableTargets, describeScalableTargets)
    table.on(API.putScalingPolicy, putScalingPolicy)
    table.on(API.deleteScalingPolicy, deleteScalingPolicy)
    table.on(API.describeScalingPolicies, describeScalingPolicies)
    table.on(API.describeScalingActivities, describeScalingActivities)
    table.on(API.tagResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, tagResource)
    table.on(API.untagResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, untagResource)
    table.on(API.listTagsForResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, listTagsForResource)
    return table
  }

  /// One page of a list that is ordered by id; the token is the last id told.
  static func page<Item>(_ all: [Item], limit: Int?, token: String?, id: (Item) -> String) throws -> ([Item], String?) {
    var rest = all[...]
    if let token {
      guard let at = all.firstIndex(where: { id($0) == token }) else {
        throw AWSError("InvalidNextTokenException", "The specified next token is not valid")
      }
      rest = all[(at + 1)...]
    }
    let items = Array(rest.prefix(min(max(1, limit ?? 50), 50)))
    return (items, rest.count > items.count ? items.last.map(id) : nil)
  }
}
