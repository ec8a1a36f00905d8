// What refers to what: sets and groups must be there to be referred to, and stay while they are.

import AWSCore
import AWSWire
import ServiceKit
import Store
import WAFv2Model
import WebACL

extension WAFv2Service {
  /// The capacities of the rule groups among the references.
  /// - Parameter shieldGroups: groups of Shield's that may be referred to.
  /// - Throws: `WAFNonexistentItemException` when one of them is not there; `WAFInvalidParameterException` when a rule
  ///   of a group is overridden that is not in it. Of managed groups AWS takes any name and ignores those.
  static func require(
    _ references: References, _ snapshot: Snapshot, _ scope: Scope, shieldGroups: Set<String> = []
  ) throws -> [String: Int] {
    for arn in references.ipSets where try snapshot.find(IPSetRecord.self, scope, index: "arn", arn).isEmpty {
      throw WAFError.notFound
    }
    for arn in references.patternSets where try snapshot.find(PatternSetRecord.self, scope, index: "arn", arn).isEmpty {
      throw WAFError.notFound
    }
    var capacities: [String: Int] = [:]
    for arn in references.ruleGroups {
      if shieldGroups.contains(arn) {
        capacities[arn] = ShieldGroups.capacity
        continue
      }
      guard let group = try snapshot.find(RuleGroupRecord.self, scope, index: "arn", arn).first else {
        throw WAFError.notFound
      }
      capacities[arn] = group.capacity
      let names = Set((answer(group).rules ?? []).map(\.name))
      if let stray = references.overrides[arn]?.subtracting(names).min() {
        throw WAFError.invalid("The rule group has no rule of this name", field: "EXCLUDED_RULE", parameter: stray)
      }
    }
    return capacities
  }

  static func references(_ rules: [WAFv2.Rule], _ bodies: [String: WAFv2.CustomResponseBody]?, isGroup: Bool = false)
    throws -> References
  {
    var translator = RuleTranslator(bodies: bodies, isGroup: isGroup)
    _ = try translator.rules(rules)
    return translator.references
  }

  /// Whether a web ACL or a rule group refers to an ARN.
  static func isReferenced(
    _ kind: KeyPath<References, Set<String>>, _ arn: String, _ snapshot: Snapshot, _ scope: Scope
  ) throws -> Bool {
    for record in try snapshot.list(WebACLRecord.self, scope) {
      let acl = answer(record)
      if try references(acl.rules ?? [], acl.customResponseBodies)[keyPath: kind].contains(arn) { return true }
    }
    for record in try snapshot.list(RuleGroupRecord.self, scope) {
      let group = answer(record)
      if try references(group.rules ?? [], group.customResponseBodies, isGroup: true)[keyPath: kind].contains(arn) {
        return true
      }
    }
    return false
  }
}
