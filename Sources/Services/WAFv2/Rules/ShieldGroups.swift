// The rule groups of Shield Advanced's automatic response: Shield puts a rule into a web ACL that refers to a group of
// its own account; what the group holds is made here from what Shield says of protections and attacks.
// https://docs.aws.amazon.com/waf/latest/developerguide/ddos-automatic-app-layer-response-rg.html

import AWSCore
import AWSWire
import ServiceKit
import WAFv2Model
import WebACL

/// How Shield answers attacks on the load balancers of one web ACL.
struct ShieldResponse: Sendable, Equatable {
  struct Attack: Sendable, Equatable {
    var id: String
    /// Addresses of the heaviest.
    var sources: [String]
  }

  /// Its rules refuse what they match; otherwise they count it.
  var blocks: Bool
  /// Those that go on.
  var attacks: [Attack]
}

enum ShieldGroups {
  /// The account that owns the groups, as in AWS.
  static let account = "153427709519"
  /// What their names begin with.
  static let namePrefix = "ShieldMitigationRuleGroup_"
  static let capacity = 150
  /// The principal that may put them into web ACLs and take them out.
  static let owner = "shield.amazonaws.com"

  static func isGroup(_ arn: String) -> Bool {
    guard let parsed = ARN(arn) else { return false }
    return parsed.account == account && parsed.resource.hasPrefix("regional/rulegroup/\(namePrefix)")
  }

  static func isReference(_ rule: WAFv2.Rule) -> Bool {
    rule.statement.ruleGroupReferenceStatement.map { isGroup($0.arn) } ?? false
  }

  /// The ARNs of Shield's groups that rules refer to.
  static func groups(_ rules: [WAFv2.Rule]) -> Set<String> {
    Set(rules.filter(isReference).compactMap { $0.statement.ruleGroupReferenceStatement?.arn })
  }

  /// The rules that a web ACL is to have when somebody sends new ones: Shield's stays in it. Its place may be changed.
  /// - Throws: `WAFInvalidParameterException` when anything else about it is.
  static func kept(_ sent: [WAFv2.Rule], of now: [WAFv2.Rule], by principal: Principal) throws -> [WAFv2.Rule] {
    if isOwner(principal) { return sent }
    guard let own = now.first(where: isReference) else { return sent }
    let mine = sent.filter { $0.name == own.name || isReference($0) }
    guard let same = mine.first else {
      var rule = own
      if sent.contains(where: { $0.priority == rule.priority }) {
        rule.priority = (sent.map(\.priority).max() ?? rule.priority) + 1
      }
      return sent + [rule]
    }
    var moved = own
    moved.priority = same.priority
    guard mine.count == 1, WAFv2Service.shapes.json(same) == WAFv2Service.shapes.json(moved) else {
      throw WAFError.invalid("AWS Shield manages this rule", field: "RULE", parameter: own.name)
    }
    return sent
  }

  static func isOwner(_ principal: Principal) -> Bool { principal.kind == .service && principal.arn == owner }

  // MARK: - What is in a group

  /// Limits who took part in the last day's attacks.
  static let knownOffenders = "ShieldKnownOffenderIPRateBasedRule"

  /// The group, and the addresses that its rules look for.
  static func content(_ arn: String, _ response: ShieldResponse) -> (group: WebACL.RuleGroup, sets: [WebACL.IPSet]) {
    let action: WebACL.Action = response.blocks ? .block() : .count()
    let rate = WebACL.Rate(
      limit: WAFLimits.knownOffenderRequestsMax, window: 300, scopeDown: .addressList(AddressLists.attackers))
    var rules = [WebACL.Rule(name: knownOffenders, priority: 0, .rate(rate), action)]
    var sets: [WebACL.IPSet] = []
    for attack in response.attacks where !attack.sources.isEmpty {
      let set = WebACL.IPSet(id: "\(arn)/\(attack.id)", addresses: attack.sources)
      sets.append(set)
      rules.append(
        WebACL.Rule(name: "ShieldAttack_\(attack.id)", priority: rules.count, .ipSet(id: set.id, nil), action))
    }
    let name = ARN(arn)?.resource.split(separator: "/").dropFirst(2).first.map(String.init)
    return (WebACL.RuleGroup(id: arn, rules: rules, metricName: name), sets)
  }
}
