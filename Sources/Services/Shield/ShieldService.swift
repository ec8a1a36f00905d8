// AWS Shield Advanced: subscription and protections as records. Limits at the front door are the Gate's own.

import AWSCore
import AWSWire
import ServiceKit
import ShieldModel
import Store

public struct ShieldService: AWSService {
  let environment: ServiceEnvironment
  var store: Store { environment.store }

  public static let collections: [any Record.Type] = [SubscriptionRecord.self, ProtectionRecord.self]

  static let tagsMax = 200
  static let protectionsPerTypeMax = 1000

  public init(_ environment: ServiceEnvironment) { self.environment = environment }

  public var apis: [ServiceAPI] { [ServiceAPI(Shield.model, actionPrefix: "shield", table)] }

  private var table: HandlerTable {
    var table = HandlerTable()
    table.on(Shield.createSubscription, createSubscription)
    table.on(Shield.describeSubscription, describeSubscription)
    table.on(Shield.getSubscriptionState, getSubscriptionState)
    table.on(Shield.createProtection, access: { input, _ in [ResourceAccess(input.resourceArn)] }, createProtection)
    table.on(Shield.describeProtection, describeProtection)
    table.on(Shield.listProtections, listProtections)
    table.on(
      Shield.deleteProtection,
      access: { input, call in [ResourceAccess(Self.arn(protection: input.protectionId, call))] }, deleteProtection)
    table.on(Shield.listAttacks, listAttacks)
    table.on(Shield.tagResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, tagResource)
    table.on(Shield.untagResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, untagResource)
    table.on(
      Shield.listTagsForResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, listTagsForResource)
    return table
  }

  /// Shield is global: its ARNs have no region.
  static func arn(protection id: String, _ call: CallContext) -> String {
    "arn:aws:shield::\(call.account):protection/\(id)"
  }
}
