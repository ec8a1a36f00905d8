// Whether the rules of a web ACL make sense, beyond what the model says.

import AWSCore
import AWSWire
import WAFv2Model

struct RuleCheck {
  /// The ARNs of the IP sets that the rules refer to.
  private(set) var ipSets: Set<String> = []

  /// - Throws: `WAFInvalidParameterException`, `WAFNonexistentItemException` for references to what cannot be there.
  mutating func check(_ rules: [WAFv2.Rule]) throws {
    guard Set(rules.map(\.name)).count == rules.count else {
      throw WAFError.invalid("You have used the same name for more than one rule", field: "RULE", parameter: "Name")
    }
    guard Set(rules.map(\.priority)).count == rules.count else {
      throw WAFError.invalid(
        "You have used the same priority for more than one rule", field: "RULE", parameter: "Priority")
    }
    for rule in rules {
      let statement = rule.statement
      let isGroup = statement.managedRuleGroupStatement != nil || statement.ruleGroupReferenceStatement != nil
      guard (rule.action != nil) != (rule.overrideAction != nil), isGroup == (rule.overrideAction != nil) else {
        throw WAFError.invalid(
          "You have used none or multiple values for a field that requires exactly one value", field: "RULE",
          parameter: rule.name)
      }
      if let action = rule.action { try Self.check(action, rule.name) }
      try check(statement, rule.name, isNested: false)
    }
  }

  private static func check(_ action: WAFv2.RuleAction, _ name: String) throws {
    let given = [
      action.allow != nil, action.block != nil, action.captcha != nil, action.challenge != nil, action.count != nil,
    ].filter { $0 }
    guard given.count == 1 else {
      throw WAFError.invalid(
        "You have used none or multiple values for a field that requires exactly one value", field: "RULE_ACTION",
        parameter: name)
    }
  }

  private mutating func check(_ statement: WAFv2.Statement, _ rule: String, isNested: Bool) throws {
    let given = statement.wireMembers.members.filter { $0 != nil }
    guard given.count == 1 else {
      throw WAFError.invalid(
        "You have used none or multiple values for a field that requires exactly one value", field: "STATEMENT",
        parameter: rule)
    }
    if isNested,
      statement.rateBasedStatement != nil || statement.managedRuleGroupStatement != nil
        || statement.ruleGroupReferenceStatement != nil
    {
      throw WAFError.invalid("This statement cannot be nested", field: "STATEMENT", parameter: rule)
    }
    if let inner = statement.andStatement?.statements ?? statement.orStatement?.statements {
      guard inner.count >= 2 else {
        throw WAFError.invalid("At least two statements are needed", field: "STATEMENT", parameter: rule)
      }
      for one in inner { try check(one, rule, isNested: true) }
    }
    if let inner = statement.notStatement?.value.statement?.value { try check(inner, rule, isNested: true) }
    if let inner = statement.managedRuleGroupStatement?.value.scopeDownStatement?.value {
      try check(inner, rule, isNested: true)
    }
    if let rate = statement.rateBasedStatement?.value {
      if let window = rate.evaluationWindowSec, ![60, 120, 300, 600].contains(window) {
        throw WAFError.invalid(
          "The evaluation window must be 60, 120, 300 or 600 seconds", field: "RATE_BASED_STATEMENT",
          parameter: "\(window)")
      }
      if let inner = rate.scopeDownStatement?.value { try check(inner, rule, isNested: true) }
    }
    if let set = statement.ipSetReferenceStatement { ipSets.insert(set.arn) }
    // Neither can be made here, so what is referred to is not there.
    if statement.ruleGroupReferenceStatement != nil || statement.regexPatternSetReferenceStatement != nil {
      throw WAFError.notFound
    }
  }
}
