// AWS WAF: web ACLs, rule groups, sets, their associations with load balancers and their logs. The Gate evaluates them.

import AWSCore
import AWSWire
import GateProtocol
import ServiceKit
import Store
import WAFv2Model

public final class WAFv2Service: AWSService {
  let environment: ServiceEnvironment
  var store: Store { environment.store }
  let gate: GateController
  /// What the Gate told of the requests that it judged.
  let feed = Feed()
  /// What the Gate was told of addresses.
  let addresses = AddressWatch()

  /// The service that looks at load balancers for web ACLs.
  static let servicePrincipal = "wafv2.amazonaws.com"
  static let shapes = ShapeJSON(WAFv2.model)

  public static let collections: [any Record.Type] = [
    WebACLRecord.self, RuleGroupRecord.self, IPSetRecord.self, PatternSetRecord.self, AssociationRecord.self,
    LoggingRecord.self,
  ]

  /// - Parameter gate: the controller of the Gate that is to evaluate the web ACLs.
  public init(_ environment: ServiceEnvironment, gate: GateController) {
    self.environment = environment
    self.gate = gate
  }

  public var apis: [ServiceAPI] { [ServiceAPI(WAFv2.model, actionPrefix: "wafv2", table)] }

  public var resourceProviders: [ResourceProvider] {
    [
      webACLProvider, webACLAssociationProvider, ipSetProvider, ruleGroupProvider, patternSetProvider, loggingProvider,
    ]
  }

  private var table: HandlerTable {
    var table = HandlerTable()
    table.on(WAFv2.createWebACL, createWebACL)
    table.on(
      WAFv2.getWebACL,
      access: { input, call in [ResourceAccess(input.arn ?? Self.arn("webacl", input.name, input.id, call))] },
      getWebACL)
    table.on(
      WAFv2.updateWebACL, access: { input, call in [ResourceAccess(Self.arn("webacl", input.name, input.id, call))] },
      updateWebACL)
    table.on(
      WAFv2.deleteWebACL, access: { input, call in [ResourceAccess(Self.arn("webacl", input.name, input.id, call))] },
      deleteWebACL)
    table.on(WAFv2.listWebACLs, listWebACLs)
    table.on(WAFv2.checkCapacity, checkCapacity)
    addGroupsAndSets(&table)
    addObservations(&table)
    table.on(WAFv2.createIPSet, createIPSet)
    table.on(
      WAFv2.getIPSet, access: { input, call in [ResourceAccess(Self.arn("ipset", input.name, input.id, call))] },
      getIPSet)
    table.on(
      WAFv2.updateIPSet, access: { input, call in [ResourceAccess(Self.arn("ipset", input.name, input.id, call))] },
      updateIPSet)
    table.on(
      WAFv2.deleteIPSet, access: { input, call in [ResourceAccess(Self.arn("ipset", input.name, input.id, call))] },
      deleteIPSet)
    table.on(WAFv2.listIPSets, listIPSets)
    table.on(
      WAFv2.associateWebACL,
      access: { input, _ in [ResourceAccess(input.webACLArn), ResourceAccess(input.resourceArn)] }, associateWebACL)
    table.on(
      WAFv2.disassociateWebACL, access: { input, _ in [ResourceAccess(input.resourceArn)] }, disassociateWebACL)
    table.on(
      WAFv2.getWebACLForResource, access: { input, _ in [ResourceAccess(input.resourceArn)] }, getWebACLForResource)
    table.on(
      WAFv2.listResourcesForWebACL, access: { input, _ in [ResourceAccess(input.webACLArn)] }, listResourcesForWebACL)
    table.on(WAFv2.tagResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, tagResource)
    table.on(WAFv2.untagResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, untagResource)
    table.on(
      WAFv2.listTagsForResource, access: { input, _ in [ResourceAccess(input.resourceARN)] }, listTagsForResource)
    return table
  }

  private func addGroupsAndSets(_ table: inout HandlerTable) {
    table.on(WAFv2.createRuleGroup, createRuleGroup)
    table.on(
      WAFv2.getRuleGroup,
      access: { input, call in [ResourceAccess(input.arn ?? Self.arn("rulegroup", input.name, input.id, call))] },
      getRuleGroup)
    table.on(
      WAFv2.updateRuleGroup,
      access: { input, call in [ResourceAccess(Self.arn("rulegroup", input.name, input.id, call))] }, updateRuleGroup)
    table.on(
      WAFv2.deleteRuleGroup,
      access: { input, call in [ResourceAccess(Self.arn("rulegroup", input.name, input.id, call))] }, deleteRuleGroup)
    table.on(WAFv2.listRuleGroups, listRuleGroups)
    table.on(
      WAFv2.putPermissionPolicy, access: { input, _ in [ResourceAccess(input.resourceArn)] }, putPermissionPolicy)
    table.on(
      WAFv2.getPermissionPolicy, access: { input, _ in [ResourceAccess(input.resourceArn)] }, getPermissionPolicy)
    table.on(
      WAFv2.deletePermissionPolicy, access: { input, _ in [ResourceAccess(input.resourceArn)] },
      deletePermissionPolicy)
    table.on(WAFv2.createRegexPatternSet, createRegexPatternSet)
    table.on(
      WAFv2.getRegexPatternSet,
      access: { input, call in [ResourceAccess(Self.arn("regexpatternset", input.name, input.id, call))] },
      getRegexPatternSet)
    table.on(
      WAFv2.updateRegexPatternSet,
      access: { input, call in [ResourceAccess(Self.arn("regexpatternset", input.name, input.id, call))] },
      updateRegexPatternSet)
    table.on(
      WAFv2.deleteRegexPatternSet,
      access: { input, call in [ResourceAccess(Self.arn("regexpatternset", input.name, input.id, call))] },
      deleteRegexPatternSet)
    table.on(WAFv2.listRegexPatternSets, listRegexPatternSets)
  }

  private func addObservations(_ table: inout HandlerTable) {
    table.on(
      WAFv2.putLoggingConfiguration,
      access: { input, _ in [ResourceAccess(input.loggingConfiguration.resourceArn)] }, putLoggingConfiguration)
    table.on(
      WAFv2.getLoggingConfiguration, access: { input, _ in [ResourceAccess(input.resourceArn)] },
      getLoggingConfiguration)
    table.on(
      WAFv2.deleteLoggingConfiguration, access: { input, _ in [ResourceAccess(input.resourceArn)] },
      deleteLoggingConfiguration)
    table.on(WAFv2.listLoggingConfigurations, listLoggingConfigurations)
    table.on(
      WAFv2.getSampledRequests, access: { input, _ in [ResourceAccess(input.webAclArn)] }, getSampledRequests)
    table.on(
      WAFv2.getRateBasedStatementManagedKeys,
      access: { input, call in [ResourceAccess(Self.arn("webacl", input.webACLName, input.webACLId, call))] },
      getRateBasedStatementManagedKeys)
    table.on(WAFv2.listAvailableManagedRuleGroups, listAvailableManagedRuleGroups)
    table.on(WAFv2.listAvailableManagedRuleGroupVersions, listAvailableManagedRuleGroupVersions)
    table.on(WAFv2.describeManagedRuleGroup, describeManagedRuleGroup)
  }

  static func arn(_ noun: String, _ name: String?, _ id: String?, _ call: CallContext) -> String {
    call.arn("wafv2", "regional/\(noun)/\(name ?? "*")/\(id ?? "*")")
  }

  /// Web ACLs of CloudFront live in a scope of their own, for which there is nothing here.
  static func requireRegional(_ scope: String?) throws {
    guard scope != "CLOUDFRONT" else { throw AWSError.notImplemented("WAF for CloudFront (scope CLOUDFRONT)") }
  }

  /// One page of a list; the marker is the last id told.
  static func page<Item>(_ all: [Item], limit: Int?, marker: String?, id: (Item) -> String) throws -> ([Item], String?)
  {
    var rest = all[...]
    if let marker {
      guard let at = all.firstIndex(where: { id($0) == marker }) else {
        throw WAFError.invalid("The marker is not valid", field: "NEXT_MARKER", parameter: marker)
      }
      rest = all[(at + 1)...]
    }
    let items = Array(rest.prefix(min(max(1, limit ?? WAFLimits.pageSizeMax), WAFLimits.pageSizeMax)))
    return (items, rest.count > items.count ? items.last.map(id) : nil)
  }
}
