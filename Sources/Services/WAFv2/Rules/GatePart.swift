// What the Gate is to judge by, from the records: a pure function.

import AWSCore
import AWSWire
import GateProtocol
import Store
import WAFv2Model
import WebACL

/// All records of WAF, of every account and region; ARNs keep them apart.
struct DesiredWebACLs: Sendable {
  var acls: [WebACLRecord] = []
  var groups: [RuleGroupRecord] = []
  var ipSets: [IPSetRecord] = []
  var patternSets: [PatternSetRecord] = []
  var associations: [AssociationRecord] = []
  var logging: [LoggingRecord] = []
  /// Load balancers that let requests pass when their web ACL cannot be evaluated.
  var failOpen: Set<String> = []
  var addressSources = AddressSources()
  /// How Shield answers attacks, by the ARNs of web ACLs.
  var responses: [String: ShieldResponse] = [:]

  init() {}

  init(_ snapshot: Snapshot) throws {
    acls = try snapshot.list(WebACLRecord.self).map(\.1)
    groups = try snapshot.list(RuleGroupRecord.self).map(\.1)
    ipSets = try snapshot.list(IPSetRecord.self).map(\.1)
    patternSets = try snapshot.list(PatternSetRecord.self).map(\.1)
    associations = try snapshot.list(AssociationRecord.self).map(\.1)
    logging = try snapshot.list(LoggingRecord.self).map(\.1)
  }

  /// Whether Shield has put a group of its own into a web ACL.
  var hasShieldGroups: Bool {
    acls.contains { !ShieldGroups.groups(WAFv2Service.answer($0).rules ?? []).isEmpty }
  }

  /// WAF's part of the Gate's configuration: the web ACLs that judge somebody's requests.
  func gatePart() -> GateController.Part {
    var part = GateController.Part()
    let held = Dictionary(grouping: associations, by: \.webACL)
    for record in acls.sorted(by: { $0.arn < $1.arn }) {
      guard let resources = held[record.arn]?.map(\.resource).sorted() else { continue }
      do {
        part.webACLs.append(try webACL(record, resources))
      } catch {
        part.webACLs.append(broken(record, resources, "\(error)"))
      }
    }
    if !part.webACLs.isEmpty { part.addressSources = addressSources }
    return part
  }

  /// A web ACL that says what cannot be evaluated of it: the Gate then answers 500, or passes where it is to.
  private func broken(_ record: WebACLRecord, _ resources: [String], _ reason: String) -> WebACL {
    var acl = WebACL(
      id: record.arn, rules: [.init(name: "unsupported", priority: 0, .ipSet(id: reason, nil), .block())])
    acl.loadBalancers = resources
    let open = resources.filter(failOpen.contains)
    if !open.isEmpty { acl.failOpen = open }
    return acl
  }

  private func webACL(_ record: WebACLRecord, _ resources: [String]) throws -> WebACL {
    let acl = WAFv2Service.answer(record)
    var translator = RuleTranslator(bodies: acl.customResponseBodies)
    let rules = try translator.rules(acl.rules ?? [])
    var result = WebACL(
      id: record.arn, rules: rules, defaultAction: try translator.defaultAction(acl.defaultAction ?? .init()),
      labelPrefix: acl.labelNamespace ?? "", visibility: RuleTranslator.visibility(acl.visibilityConfig ?? .init()))
    if let limit = acl.associationConfig?.requestBody?["APPLICATION_LOAD_BALANCER"]?.defaultSizeInspectionLimit {
      result.bodyLimit = WAFv2Service.bytes(limit) ?? WebACL.bodyLimitDefault
    }
    result.protections = try DataProtectionRules.protections(
      acl.dataProtectionConfig, account: ARN(record.arn)?.account ?? "")
    result.loadBalancers = resources
    let open = resources.filter(failOpen.contains)
    if !open.isEmpty { result.failOpen = open }
    var references = translator.references
    var shieldSets: [WebACL.IPSet] = []
    for arn in references.ruleGroups.sorted() {
      if ShieldGroups.isGroup(arn) {
        let response = responses[result.id] ?? ShieldResponse(blocks: false, attacks: [])
        let (group, sets) = ShieldGroups.content(arn, response)
        result.ruleGroups.append(group)
        shieldSets += sets
        continue
      }
      guard let record = groups.first(where: { $0.arn == arn }) else { continue }
      let group = WAFv2Service.answer(record)
      var inner = RuleTranslator(bodies: group.customResponseBodies, isGroup: true)
      result.ruleGroups.append(
        WebACL.RuleGroup(
          id: arn, rules: try inner.rules(group.rules ?? []), labelPrefix: group.labelNamespace ?? "",
          metricName: group.visibilityConfig?.metricName))
      references.ipSets.formUnion(inner.references.ipSets)
      references.patternSets.formUnion(inner.references.patternSets)
    }
    for id in references.managedGroups.sorted() {
      if let group = ManagedRules.groups.first(where: { $0.content.id == id }) {
        result.ruleGroups.append(group.content)
      }
    }
    result.ipSets = ipSets.filter { references.ipSets.contains($0.arn) }.sorted { $0.arn < $1.arn }.map {
      WebACL.IPSet(id: $0.arn, addresses: $0.addresses)
    }
    result.ipSets += shieldSets
    result.patternSets = patternSets.filter { references.patternSets.contains($0.arn) }.sorted { $0.arn < $1.arn }.map {
      WebACL.PatternSet(id: $0.arn, patterns: $0.patterns)
    }
    result.logging = try logging.first { $0.webACL == record.arn }.map { try LogRules.logging(WAFv2Service.answer($0)) }
    return result
  }
}
