// From the API's rules to those that the Gate evaluates, and whether they make sense, beyond what the model says.

import AWSCore
import AWSWire
import LinearRegex
import WAFv2Model
import WebACL

/// What rules refer to, by ARN; managed groups by `VENDOR:NAME`.
struct References: Sendable {
  var ipSets: Set<String> = []
  var patternSets: Set<String> = []
  var ruleGroups: Set<String> = []
  var managedGroups: Set<String> = []
  /// Names of rules that are overridden in rule groups of one's own, by the groups' ARNs.
  var overrides: [String: Set<String>] = [:]
}

/// Translates the rules of a web ACL or a rule group.
struct RuleTranslator {
  private(set) var references = References()
  private let bodies: [String: WAFv2.CustomResponseBody]
  /// Rules of a rule group cannot refer to others.
  private let isGroup: Bool
  /// Rules may name bodies that are not given: their capacity is asked for, without the web ACL around them.
  private let isAlone: Bool

  init(bodies: [String: WAFv2.CustomResponseBody]?, isGroup: Bool = false, isAlone: Bool = false) {
    self.bodies = bodies ?? [:]
    self.isGroup = isGroup
    self.isAlone = isAlone
  }

  static func manyOrNone(_ field: String, _ parameter: String) -> AWSError {
    WAFError.invalid(
      "You have used none or multiple values for a field that requires exactly one value", field: field,
      parameter: parameter)
  }

  /// - Throws: `WAFInvalidParameterException`; 501 for what is not built.
  mutating func rules(_ rules: [WAFv2.Rule]) throws -> [WebACL.Rule] {
    guard Set(rules.map(\.name)).count == rules.count else {
      throw WAFError.invalid("You have used the same name for more than one rule", field: "RULE", parameter: "Name")
    }
    guard Set(rules.map(\.priority)).count == rules.count else {
      throw WAFError.invalid(
        "You have used the same priority for more than one rule", field: "RULE", parameter: "Priority")
    }
    return try rules.map { try self.rule($0) }
  }

  private mutating func rule(_ rule: WAFv2.Rule) throws -> WebACL.Rule {
    let statement = rule.statement
    let refers = statement.managedRuleGroupStatement != nil || statement.ruleGroupReferenceStatement != nil
    guard (rule.action != nil) != (rule.overrideAction != nil), refers == (rule.overrideAction != nil) else {
      throw Self.manyOrNone("RULE", rule.name)
    }
    try requireOne(statement, rule.name)
    let kind: WebACL.Rule.Kind
    if let action = rule.action {
      kind = .statement(try self.statement(statement, rule.name, isNested: false), try self.action(action, rule.name))
    } else {
      if isGroup {
        throw WAFError.invalid("A rule group cannot refer to a rule group", field: "STATEMENT", parameter: rule.name)
      }
      guard (rule.overrideAction?.count != nil) != (rule.overrideAction?.none != nil) else {
        throw Self.manyOrNone("OVERRIDE_ACTION", rule.name)
      }
      kind = .group(try reference(statement, rule.name, countsOnly: rule.overrideAction?.count != nil))
    }
    let visibility = Self.visibility(rule.visibilityConfig)
    return WebACL.Rule(
      name: rule.name, priority: rule.priority, kind, labels: rule.ruleLabels?.map(\.name) ?? [],
      visibility: visibility)
  }

  static func visibility(_ config: WAFv2.VisibilityConfig) -> WebACL.Visibility {
    WebACL.Visibility(
      metricName: config.metricName, hasMetrics: config.cloudWatchMetricsEnabled,
      hasSamples: config.sampledRequestsEnabled)
  }

  // MARK: - Actions

  func action(_ action: WAFv2.RuleAction, _ name: String) throws -> WebACL.Action {
    let given = [
      action.allow != nil, action.block != nil, action.captcha != nil, action.challenge != nil, action.count != nil,
    ]
    guard given.filter({ $0 }).count == 1 else { throw Self.manyOrNone("RULE_ACTION", name) }
    if action.captcha != nil { throw AWSError.notImplemented("the rule action Captcha (rule \(name))") }
    if action.challenge != nil { throw AWSError.notImplemented("the rule action Challenge (rule \(name))") }
    if let allow = action.allow { return .allow(insert: try Self.headers(allow.customRequestHandling?.insertHeaders)) }
    if let count = action.count { return .count(insert: try Self.headers(count.customRequestHandling?.insertHeaders)) }
    return .block(try response(action.block?.customResponse, name))
  }

  func defaultAction(_ action: WAFv2.DefaultAction) throws -> WebACL.Action {
    guard (action.allow != nil) != (action.block != nil) else {
      throw Self.manyOrNone("DEFAULT_ACTION", "DefaultAction")
    }
    if let allow = action.allow { return .allow(insert: try Self.headers(allow.customRequestHandling?.insertHeaders)) }
    return .block(try response(action.block?.customResponse, "DefaultAction"))
  }

  /// - Throws: `WAFInvalidParameterException` for values that would end the header line.
  private static func headers(_ headers: [WAFv2.CustomHTTPHeader]?) throws -> [WebACL.Header] {
    try (headers ?? []).map { header in
      guard header.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
        throw WAFError.invalid(
          "The header value is not valid", field: "CUSTOM_REQUEST_HANDLING", parameter: header.name)
      }
      return WebACL.Header(header.name, header.value)
    }
  }

  private func response(_ response: WAFv2.CustomResponse?, _ name: String) throws -> WebACL.Response? {
    guard let response else { return nil }
    guard (200...599).contains(response.responseCode) else {
      throw WAFError.invalid(
        "The response code is not valid", field: "CUSTOM_RESPONSE", parameter: "\(response.responseCode)")
    }
    var result = WebACL.Response(status: response.responseCode, headers: try Self.headers(response.responseHeaders))
    guard let key = response.customResponseBodyKey, !isAlone else { return result }
    guard let body = bodies[key] else {
      throw WAFError.invalid(
        "The custom response body is not defined", field: "CUSTOM_RESPONSE_BODY", parameter: key)
    }
    result.body = body.content
    result.contentType =
      switch body.contentType {
      case "TEXT_HTML": "text/html"
      case "APPLICATION_JSON": "application/json"
      default: "text/plain"
      }
    return result
  }

  // MARK: - Groups

  private mutating func reference(
    _ statement: WAFv2.Statement, _ rule: String, countsOnly: Bool
  ) throws -> WebACL.GroupReference {
    var reference = WebACL.GroupReference(group: "", countsOnly: countsOnly)
    let overrides: [WAFv2.RuleActionOverride]
    let excluded: [WAFv2.ExcludedRule]
    if let managed = statement.managedRuleGroupStatement?.value {
      let id = "\(managed.vendorName):\(managed.name)"
      guard let group = ManagedRules.group(vendor: managed.vendorName, name: managed.name) else {
        throw ManagedRules.missing(vendor: managed.vendorName, name: managed.name)
      }
      if let version = managed.version, version != group.version {
        throw WAFError.invalid(
          "The version is not there", field: "MANAGED_RULE_SET_STATEMENT", parameter: version)
      }
      references.managedGroups.insert(id)
      reference.group = id
      overrides = managed.ruleActionOverrides ?? []
      excluded = managed.excludedRules ?? []
      if let inner = managed.scopeDownStatement?.value {
        reference.scopeDown = try self.statement(inner, rule, isNested: true)
      }
    } else {
      let own = statement.ruleGroupReferenceStatement ?? .init()
      references.ruleGroups.insert(own.arn)
      reference.group = own.arn
      overrides = own.ruleActionOverrides ?? []
      excluded = own.excludedRules ?? []
      references.overrides[own.arn, default: []].formUnion(overrides.map(\.name) + excluded.map(\.name))
    }
    for rule in excluded { reference.overrides[rule.name] = .count() }
    for override in overrides { reference.overrides[override.name] = try action(override.actionToUse, override.name) }
    return reference
  }

  // MARK: - Statements

  private func requireOne(_ statement: WAFv2.Statement, _ rule: String) throws {
    guard statement.wireMembers.members.filter({ $0 != nil }).count == 1 else {
      throw Self.manyOrNone("STATEMENT", rule)
    }
  }

  private mutating func all(_ statements: [WAFv2.Statement], _ rule: String) throws -> [WebACL.Statement] {
    guard statements.count >= 2 else {
      throw WAFError.invalid("At least two statements are needed", field: "STATEMENT", parameter: rule)
    }
    return try statements.map { try statement($0, rule, isNested: true) }
  }

  private mutating func statement(
    _ statement: WAFv2.Statement, _ rule: String, isNested: Bool
  ) throws -> WebACL.Statement {
    try requireOne(statement, rule)
    if let inner = statement.andStatement { return .and(try all(inner.statements, rule)) }
    if let inner = statement.orStatement { return .or(try all(inner.statements, rule)) }
    if let inner = statement.notStatement?.value.statement?.value {
      return .not(try self.statement(inner, rule, isNested: true))
    }
    if let rate = statement.rateBasedStatement?.value, !isNested { return .rate(try self.rate(rate, rule)) }
    if let match = statement.byteMatchStatement {
      guard let position = WebACL.Position(rawValue: match.positionalConstraint) else {
        throw WAFError.invalid(
          "The parameter is not valid", field: "POSITIONAL_CONSTRAINT", parameter: match.positionalConstraint)
      }
      guard !match.searchString.bytes.isEmpty else {
        throw WAFError.invalid("The search string is empty", field: "SEARCH_STRING", parameter: rule)
      }
      let field = match.fieldToMatch
      guard position == .exactly || field.ja3Fingerprint == nil && field.ja4Fingerprint == nil else {
        throw WAFError.invalid(
          "Fingerprints are matched with EXACTLY", field: "POSITIONAL_CONSTRAINT", parameter: match.positionalConstraint
        )
      }
      return .byteMatch(
        try FieldTranslator.inspection(match.fieldToMatch, match.textTransformations), position,
        match.searchString.bytes)
    }
    if let match = statement.regexMatchStatement {
      try Self.check(pattern: match.regexString)
      return .regexMatch(
        try FieldTranslator.inspection(match.fieldToMatch, match.textTransformations), pattern: match.regexString)
    }
    if let match = statement.regexPatternSetReferenceStatement {
      references.patternSets.insert(match.arn)
      return .patternSet(try FieldTranslator.inspection(match.fieldToMatch, match.textTransformations), id: match.arn)
    }
    return try simple(statement, rule)
  }

  private mutating func simple(_ statement: WAFv2.Statement, _ rule: String) throws -> WebACL.Statement {
    if let match = statement.sqliMatchStatement {
      return .sqlInjection(
        try FieldTranslator.inspection(match.fieldToMatch, match.textTransformations),
        isSensitive: match.sensitivityLevel == "HIGH")
    }
    if let match = statement.xssMatchStatement {
      return .crossSiteScripting(try FieldTranslator.inspection(match.fieldToMatch, match.textTransformations))
    }
    if let size = statement.sizeConstraintStatement {
      guard let comparison = WebACL.Comparison(rawValue: size.comparisonOperator) else {
        throw WAFError.invalid(
          "The parameter is not valid", field: "COMPARISON_OPERATOR", parameter: size.comparisonOperator)
      }
      return .size(try FieldTranslator.inspection(size.fieldToMatch, size.textTransformations), comparison, size.size)
    }
    if let geo = statement.geoMatchStatement {
      return .geo(geo.countryCodes ?? [], geo.forwardedIPConfig.map(FieldTranslator.forwarded))
    }
    if let set = statement.ipSetReferenceStatement {
      references.ipSets.insert(set.arn)
      let forwarded = set.ipSetForwardedIPConfig.map { config in
        WebACL.ForwardedIP(
          header: config.headerName, fallback: config.fallbackBehavior == "MATCH",
          position: .init(rawValue: config.position) ?? .first)
      }
      return .ipSet(id: set.arn, forwarded)
    }
    if let label = statement.labelMatchStatement {
      return .label(key: label.key, isNamespace: label.scope == "NAMESPACE")
    }
    if let match = statement.asnMatchStatement {
      let numbers = match.asnList.compactMap { UInt32(exactly: $0) }
      guard (1...WAFLimits.systemsMax).contains(numbers.count), numbers.count == match.asnList.count else {
        throw WAFError.invalid(
          "One to \(WAFLimits.systemsMax) numbers of autonomous systems are needed", field: "STATEMENT", parameter: rule
        )
      }
      return .system(numbers, match.forwardedIPConfig.map(FieldTranslator.forwarded))
    }
    // Rate-based statements and groups: only as a rule's own.
    throw WAFError.invalid("This statement cannot be nested", field: "STATEMENT", parameter: rule)
  }

  /// - Throws: `WAFInvalidParameterException` with what is wrong with the pattern.
  static func check(pattern: String) throws {
    switch Result(catching: { () throws(LinearRegexError) in try LinearRegex(pattern) }) {
    case .success: return
    case .failure(let error):
      throw WAFError.invalid(
        "The regular expression is not valid: \(error)", field: "REGEX_PATTERN", parameter: pattern)
    }
  }

  // MARK: - Rates

  private mutating func rate(_ rate: WAFv2.RateBasedStatement, _ rule: String) throws -> WebACL.Rate {
    let window = rate.evaluationWindowSec ?? 300
    guard [60, 120, 300, 600].contains(window) else {
      throw WAFError.invalid(
        "The evaluation window must be 60, 120, 300 or 600 seconds", field: "RATE_BASED_STATEMENT",
        parameter: "\(window)")
    }
    guard (WAFLimits.rateMin...WAFLimits.rateMax).contains(rate.limit) else {
      throw WAFError.invalid(
        "The limit must be between \(WAFLimits.rateMin) and \(WAFLimits.rateMax)", field: "RATE_BASED_STATEMENT",
        parameter: "\(rate.limit)")
    }
    var result = WebACL.Rate(limit: rate.limit, window: window)
    result.forwardedIP = rate.forwardedIPConfig.map(FieldTranslator.forwarded)
    switch rate.aggregateKeyType {
    case "IP": break
    case "FORWARDED_IP": result.keys = [.forwardedIP]
    case "CONSTANT": result.keys = []
    case "CUSTOM_KEYS":
      let keys = rate.customKeys ?? []
      guard (1...5).contains(keys.count) else {
        throw WAFError.invalid("One to five custom keys are needed", field: "CUSTOM_KEYS", parameter: "\(keys.count)")
      }
      result.keys = try keys.map { try FieldTranslator.rateKey($0, rule) }
    default:
      throw WAFError.invalid(
        "The parameter is not valid", field: "AGGREGATE_KEY_TYPE", parameter: rate.aggregateKeyType)
    }
    if result.keys.contains(.forwardedIP), result.forwardedIP == nil {
      throw WAFError.invalid("A forwarded IP configuration is needed", field: "FORWARDED_IP_CONFIG", parameter: rule)
    }
    if result.keys.isEmpty, rate.scopeDownStatement == nil {
      throw WAFError.invalid(
        "Aggregation by CONSTANT needs a scope-down statement", field: "SCOPE_DOWN", parameter: rule)
    }
    if let inner = rate.scopeDownStatement?.value { result.scopeDown = try statement(inner, rule, isNested: true) }
    return result
  }
}
