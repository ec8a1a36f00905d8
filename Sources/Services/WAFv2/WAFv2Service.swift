// AWS WAF: web ACLs, IP sets and their associations, kept faithfully. The Gate does not enforce them yet.

import AWSCore
import AWSWire
import ServiceKit
import Store
import Synchronization
import WAFv2Model

public final class WAFv2Service: AWSService {
  let environment: ServiceEnvironment
  var store: Store { environment.store }
  private let hasWarned = Atomic(false)

  /// The service that looks at load balancers for web ACLs.
  static let servicePrincipal = "wafv2.amazonaws.com"
  static let shapes = ShapeJSON(WAFv2.model)

  public static let collections: [any Record.Type] = [WebACLRecord.self, IPSetRecord.self, AssociationRecord.self]

  public init(_ environment: ServiceEnvironment) { self.environment = environment }

  public var apis: [ServiceAPI] { [ServiceAPI(WAFv2.model, actionPrefix: "wafv2", table)] }

  public var resourceProviders: [ResourceProvider] { [webACLProvider, webACLAssociationProvider, ipSetProvider] }

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

  static func arn(_ noun: String, _ name: String?, _ id: String?, _ call: CallContext) -> String {
    call.arn("wafv2", "regional/\(noun)/\(name ?? "*")/\(id ?? "*")")
  }

  /// Web ACLs of CloudFront live in a scope of their own, for which there is nothing here.
  static func requireRegional(_ scope: String?) throws {
    guard scope != "CLOUDFRONT" else { throw AWSError.notImplemented("WAF for CloudFront (scope CLOUDFRONT)") }
  }

  /// Says once that a web ACL has no effect.
  func warnOnce() {
    guard !hasWarned.exchange(true, ordering: .relaxed) else { return }
    environment.logger.warning("web ACLs are recorded but not enforced: the Gate does not evaluate WAF rules yet")
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
