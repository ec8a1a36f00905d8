// AWS Shield: what the Gate recognises and holds back (Standard, always on), and Advanced's API over it.

import AWSCore
import AWSWire
import GateProtocol
import ServiceKit
import ShieldModel
import Store

public struct ShieldService: AWSService {
  let environment: ServiceEnvironment
  /// Where attacks are told of; nil: none are.
  let gate: GateController?
  var store: Store { environment.store }

  public static let collections: [any Record.Type] = [
    SubscriptionRecord.self, ProtectionRecord.self, ProtectionGroupRecord.self, AttackRecord.self,
  ]

  public init(_ environment: ServiceEnvironment, gate: GateController? = nil) {
    self.environment = environment
    self.gate = gate
  }

  public var apis: [ServiceAPI] { [ServiceAPI(Shield.model, actionPrefix: "shield", table)] }

  public var resourceProviders: [ResourceProvider] {
    [protectionProvider, protectionGroupProvider, responseTeamAccessProvider, proactiveEngagementProvider]
  }

  /// Keeps the attacks that the Gate tells of, and tells CloudWatch of them.
  public func run() async throws {
    guard let gate else { return }
    let recorder = AttackRecorder(environment, gate: gate)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await recorder.run() }
      group.addTask { try await recorder.metrics.run() }
      group.addTask { await keepGroups() }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private var table: HandlerTable {
    var table = HandlerTable()
    table.on(Shield.createSubscription, createSubscription)
    table.on(Shield.describeSubscription, describeSubscription)
    table.on(Shield.updateSubscription, updateSubscription)
    table.on(Shield.deleteSubscription, deleteSubscription)
    table.on(Shield.getSubscriptionState, getSubscriptionState)
    table.on(Shield.createProtection, access: { input, _ in [ResourceAccess(input.resourceArn)] }, createProtection)
    table.on(Shield.describeProtection, describeProtection)
    table.on(Shield.listProtections, listProtections)
    table.on(
      Shield.deleteProtection,
      access: { input, call in [ResourceAccess(Self.arn(protection: input.protectionId, call))] }, deleteProtection)
    addGroups(&table)
    addResponses(&table)
    addResponseTeam(&table)
    table.on(Shield.listAttacks, listAttacks)
    table.on(Shield.describeAttack, describeAttack)
    table.on(Shield.describeAttackStatistics, describeAttackStatistics)
    table.on(Shield.tagResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, tagResource)
    table.on(Shield.untagResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, untagResource)
    table.on(
      Shield.listTagsForResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, listTagsForResource)
    return table
  }

  private func addGroups(_ table: inout HandlerTable) {
    table.on(
      Shield.createProtectionGroup,
      access: { input, call in [ResourceAccess(Self.arn(group: input.protectionGroupId, call))] },
      createProtectionGroup)
    table.on(
      Shield.describeProtectionGroup,
      access: { input, call in [ResourceAccess(Self.arn(group: input.protectionGroupId, call))] },
      describeProtectionGroup)
    table.on(
      Shield.updateProtectionGroup,
      access: { input, call in [ResourceAccess(Self.arn(group: input.protectionGroupId, call))] },
      updateProtectionGroup)
    table.on(
      Shield.deleteProtectionGroup,
      access: { input, call in [ResourceAccess(Self.arn(group: input.protectionGroupId, call))] },
      deleteProtectionGroup)
    table.on(Shield.listProtectionGroups, listProtectionGroups)
    table.on(
      Shield.listResourcesInProtectionGroup,
      access: { input, call in [ResourceAccess(Self.arn(group: input.protectionGroupId, call))] },
      listResourcesInProtectionGroup)
  }

  private func addResponses(_ table: inout HandlerTable) {
    table.on(Shield.enableApplicationLayerAutomaticResponse, enableAutomaticResponse)
    table.on(Shield.updateApplicationLayerAutomaticResponse, updateAutomaticResponse)
    table.on(Shield.disableApplicationLayerAutomaticResponse, disableAutomaticResponse)
    table.on(
      Shield.associateHealthCheck,
      access: { input, call in [ResourceAccess(Self.arn(protection: input.protectionId, call))] },
      associateHealthCheck)
    table.on(
      Shield.disassociateHealthCheck,
      access: { input, call in [ResourceAccess(Self.arn(protection: input.protectionId, call))] },
      disassociateHealthCheck)
  }

  private func addResponseTeam(_ table: inout HandlerTable) {
    table.on(Shield.associateDRTRole, associateDRTRole)
    table.on(Shield.disassociateDRTRole, disassociateDRTRole)
    table.on(Shield.associateDRTLogBucket, associateDRTLogBucket)
    table.on(Shield.disassociateDRTLogBucket, disassociateDRTLogBucket)
    table.on(Shield.describeDRTAccess, describeDRTAccess)
    table.on(Shield.associateProactiveEngagementDetails, associateProactiveEngagementDetails)
    table.on(Shield.enableProactiveEngagement, enableProactiveEngagement)
    table.on(Shield.disableProactiveEngagement, disableProactiveEngagement)
    table.on(Shield.describeEmergencyContactSettings, describeEmergencyContactSettings)
    table.on(Shield.updateEmergencyContactSettings, updateEmergencyContactSettings)
  }

  /// Shield is global: its ARNs have no region.
  static func arn(protection id: String, _ call: CallContext) -> String {
    "arn:aws:shield::\(call.account):protection/\(id)"
  }

  static func arn(group id: String, _ call: CallContext) -> String {
    "arn:aws:shield::\(call.account):protection-group/\(id)"
  }

  /// The subscription, for whatever needs one.
  static func subscription(_ snapshot: Snapshot, _ call: CallContext) throws -> SubscriptionRecord {
    guard let record = try snapshot.get(SubscriptionRecord.self, call.globalScope, "subscription") else {
      throw ShieldError.noSubscription
    }
    return record
  }

  /// A page of items, the token being the last item's id.
  static func page<Item>(
    _ all: [Item], token: String?, size: Int?, id: (Item) -> String
  ) throws -> (items: [Item], next: String?) {
    var rest = all[...]
    if let token {
      guard let at = all.firstIndex(where: { id($0) == token }) else { throw ShieldError.badToken }
      rest = all[(at + 1)...]
    }
    let items = Array(rest.prefix(max(1, size ?? ShieldLimits.pageMax)))
    return (items, rest.count > items.count ? items.last.map(id) : nil)
  }
}
