// Web ACL capacity units: what AWS says each statement costs.

import AWSWire
import WAFv2Model

enum Capacity {
  /// The units of some rules together.
  static func of(_ rules: [WAFv2.Rule], groups: [String: Int] = [:]) -> Int {
    rules.reduce(0) { sum, rule in
      let own = rule.statement.ruleGroupReferenceStatement.map { groups[$0.arn] ?? 0 }
      return sum + (own ?? of(rule.statement))
    }
  }

  static func of(_ statement: WAFv2.Statement?) -> Int {
    guard let statement else { return 0 }
    if let inner = statement.andStatement { return inner.statements.reduce(0) { $0 + of($1) } }
    if let inner = statement.orStatement { return inner.statements.reduce(0) { $0 + of($1) } }
    if let inner = statement.notStatement { return of(inner.value.statement?.value) }
    if let rate = statement.rateBasedStatement?.value {
      return 2 + 30 * (rate.customKeys?.count ?? 0) + of(rate.scopeDownStatement?.value)
    }
    if let managed = statement.managedRuleGroupStatement?.value {
      return (ManagedRules.group(vendor: managed.vendorName, name: managed.name)?.capacity ?? 0)
        + of(managed.scopeDownStatement?.value)
    }
    if let match = statement.byteMatchStatement {
      let base = ["CONTAINS", "CONTAINS_WORD"].contains(match.positionalConstraint) ? 10 : 2
      return inspecting(match.fieldToMatch, base, match.textTransformations)
    }
    if let match = statement.regexMatchStatement {
      return inspecting(match.fieldToMatch, 3, match.textTransformations)
    }
    if let match = statement.regexPatternSetReferenceStatement {
      return inspecting(match.fieldToMatch, 25, match.textTransformations)
    }
    if let match = statement.sqliMatchStatement {
      return inspecting(match.fieldToMatch, match.sensitivityLevel == "HIGH" ? 30 : 20, match.textTransformations)
    }
    if let match = statement.xssMatchStatement {
      return inspecting(match.fieldToMatch, 40, match.textTransformations)
    }
    if let size = statement.sizeConstraintStatement {
      return inspecting(size.fieldToMatch, 1, size.textTransformations)
    }
    if let set = statement.ipSetReferenceStatement {
      return set.ipSetForwardedIPConfig?.position == "ANY" ? 5 : 1
    }
    return 1
  }

  /// All query arguments cost ten more, a JSON body twice the base, each transformation ten.
  private static func inspecting(
    _ field: WAFv2.FieldToMatch?, _ base: Int, _ transformations: [WAFv2.TextTransformation]
  ) -> Int {
    var units = base
    if field?.jsonBody != nil { units *= 2 }
    if field?.allQueryArguments != nil { units += 10 }
    return units + 10 * transformations.filter { $0.type != "NONE" }.count
  }
}
