// A web ACL made ready: parts and transformations that several rules share are found once, patterns and networks are
// compiled. Immutable, so that one value serves all loops.

import LinearRegex

/// Why a web ACL cannot be evaluated.
public struct WebACLError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}

public final class CompiledWebACL: Sendable {
  /// A part of the request, or what a transformation makes of another node's values.
  struct InspectionNode: Sendable {
    var field: WebACL.Field
    /// The node whose values are transformed, -1 for the part itself.
    var parent: Int
    var transformation: WebACL.Transformation
  }

  /// A rate-based statement.
  struct RateRule: Sendable {
    /// Unique over all web ACLs, and the same from snapshot to snapshot while the statement is.
    var id: String
    var rate: WebACL.Rate
    /// The nodes of the keys' texts, by key; -1 for keys that are none.
    var nodes: [Int]
    var scopeDown: CompiledStatement?
    /// Rule (and group's rule) it belongs to.
    var ruleName: String
    var groupRuleName: String?
  }

  indirect enum CompiledStatement: Sendable {
    case byteMatch(node: Int, WebACL.Position, [UInt8])
    case regex(node: Int, matcher: Int)
    case size(node: Int, WebACL.Comparison, Int)
    case sqlInjection(node: Int, isSensitive: Bool)
    case crossSiteScripting(node: Int)
    case geo(Set<String>, WebACL.ForwardedIP?)
    case ipSet(Int, WebACL.ForwardedIP?)
    case system(Set<UInt32>, WebACL.ForwardedIP?)
    case addressList(String)
    case label(String, isNamespace: Bool)
    case rate(Int)
    case and([CompiledStatement])
    case or([CompiledStatement])
    case not(CompiledStatement)
    /// A set without patterns.
    case never
  }

  struct CompiledRule: Sendable {
    var name: String
    var statement: CompiledStatement
    var action: WebACL.Action
    /// The action before an override; nil without one.
    var overridden: WebACL.Action?
    /// Full names.
    var labels: [String]
    /// The kind of attack that it looks for.
    var attack: String?
    /// Where its counters and samples are.
    var metric: Int
  }

  struct CompiledGroup: Sendable {
    var id: String
    var name: String
    var rules: [CompiledRule]
    var scopeDown: CompiledStatement?
    var countsOnly: Bool
    /// The counters of the rule that refers to the group.
    var metric: Int
    var isManaged: Bool
    /// The metric dimension of a group of the user's own; nil when its metrics are not his.
    var metricName: String?
  }

  enum Step: Sendable {
    case rule(CompiledRule)
    case group(CompiledGroup)
  }

  /// Something with counters and samples of its own.
  struct Metric: Sendable {
    var name: String
    /// The rule group's metric dimension, for rules inside of one.
    var group: String?
    var hasMetrics: Bool
    var hasSamples: Bool
    var managedGroup: String?
    /// A rule inside of a managed group.
    var isInManagedGroup = false
  }

  public let source: WebACL
  let mask: DataMask
  let nodes: [InspectionNode]
  let steps: [Step]
  let regexes: [LinearRegex]
  let ipSets: [AddressTree<Bool>]
  let rates: [RateRule]
  /// The first is the ACL's own, of the default action.
  let metrics: [Metric]
  /// Some rule looks for a kind of attack that has a metric.
  let hasAttacks: Bool
  /// Bytes of a body that rules need; 0 when none looks at it.
  public let bodyNeeded: Int
  /// There is a log.
  public let isLogged: Bool
  /// Rules look at fingerprints of clients, or the log tells them.
  public let needsFingerprints: Bool

  /// - Throws: where the ACL contradicts itself: unknown sets and groups, patterns that are none.
  public init(_ acl: WebACL) throws(WebACLError) {
    source = acl
    mask = DataMask(protections: acl.protections ?? [])
    var compiler = Compiler(acl)
    let compiled = try compiler.compile()
    steps = compiled
    nodes = compiler.nodes
    regexes = compiler.regexes
    ipSets = compiler.trees
    rates = compiler.rates
    metrics = compiler.metrics
    hasAttacks = compiler.looksForAttacks
    isLogged = acl.logging != nil
    needsFingerprints = compiler.looksAtFingerprints || acl.logging != nil
    bodyNeeded = compiler.looksAtBody ? max(0, min(acl.bodyLimit, WebACL.bodyLimitMax)) : 0
  }

  /// What must be counted over all loops: ids, limits in requests, windows in seconds.
  public var rateRules: [RateRuleDescription] {
    rates.map { rate in
      RateRuleDescription(
        id: rate.id, limit: rate.rate.limit, window: rate.rate.window,
        isByAddress: rate.rate.keys == [.ip] || rate.rate.keys == [.forwardedIP], webACL: source.id,
        ruleName: rate.ruleName, groupRuleName: rate.groupRuleName)
    }
  }
}

/// A rate-based statement as the counters of all loops see it.
public struct RateRuleDescription: Sendable, Equatable {
  public let id: String
  public let limit: Int
  public let window: Int
  /// The keys are addresses, which can be told.
  public let isByAddress: Bool
  public let webACL: String
  public let ruleName: String
  public let groupRuleName: String?
}

/// Makes a `CompiledWebACL`'s parts.
private struct Compiler {
  typealias Statement = CompiledWebACL.CompiledStatement

  private let acl: WebACL
  private(set) var nodes: [CompiledWebACL.InspectionNode] = []
  private(set) var regexes: [LinearRegex] = []
  private(set) var trees: [AddressTree<Bool>] = []
  private(set) var rates: [CompiledWebACL.RateRule] = []
  private(set) var metrics: [CompiledWebACL.Metric] = []
  private(set) var looksAtBody = false
  private(set) var looksAtFingerprints = false
  private(set) var looksForAttacks = false
  private var nodeNumbers: [WebACL.Inspection: Int] = [:]
  private var treeNumbers: [String: Int] = [:]
  private var regexNumbers: [[String]: Int] = [:]
  private var ruleName = ""
  private var groupRuleName: String?

  init(_ acl: WebACL) {
    self.acl = acl
    metrics.append(
      CompiledWebACL.Metric(
        name: acl.visibility.metricName, group: nil, hasMetrics: acl.visibility.hasMetrics,
        hasSamples: acl.visibility.hasSamples))
  }

  mutating func compile() throws(WebACLError) -> [CompiledWebACL.Step] {
    var steps: [CompiledWebACL.Step] = []
    for rule in acl.rules.sorted(by: { $0.priority < $1.priority }) {
      ruleName = rule.name
      groupRuleName = nil
      switch rule.kind {
      case .statement: steps.append(.rule(try compile(rule, acl.labelPrefix, group: nil, overrides: [:])))
      case .group(let reference): steps.append(.group(try compile(reference, rule)))
      }
    }
    return steps
  }

  private mutating func metric(
    _ visibility: WebACL.Visibility, group: String?, managed: String? = nil, isInManagedGroup: Bool = false
  ) -> Int {
    metrics.append(
      CompiledWebACL.Metric(
        name: visibility.metricName, group: group, hasMetrics: visibility.hasMetrics,
        hasSamples: visibility.hasSamples, managedGroup: managed, isInManagedGroup: isInManagedGroup))
    return metrics.count - 1
  }

  private mutating func compile(
    _ rule: WebACL.Rule, _ prefix: String, group: String?, managed: String? = nil, overrides: [String: WebACL.Action]
  ) throws(WebACLError) -> CompiledWebACL.CompiledRule {
    guard case .statement(let statement, let action) = rule.kind else {
      throw WebACLError("rule \(rule.name): a group cannot refer to a group")
    }
    let override = overrides[rule.name]
    let attack = statement.attack
    if attack != nil { looksForAttacks = true }
    return CompiledWebACL.CompiledRule(
      name: rule.name, statement: try compile(statement), action: override ?? action,
      overridden: override == nil ? nil : action,
      labels: rule.labels.map { $0.hasPrefix("awswaf:") ? $0 : prefix + $0 }, attack: attack,
      metric: metric(rule.visibility, group: group, managed: managed, isInManagedGroup: managed != nil))
  }

  private mutating func compile(
    _ reference: WebACL.GroupReference, _ rule: WebACL.Rule
  ) throws(WebACLError) -> CompiledWebACL.CompiledGroup {
    guard let group = acl.ruleGroups.first(where: { $0.id == reference.group }) else {
      throw WebACLError("rule \(rule.name): there is no rule group \(reference.group)")
    }
    let scopeDown: Statement?
    if let statement = reference.scopeDown { scopeDown = try compile(statement) } else { scopeDown = nil }
    let own = metric(rule.visibility, group: nil, managed: group.managedName)
    var rules: [CompiledWebACL.CompiledRule] = []
    for inner in group.rules.sorted(by: { $0.priority < $1.priority }) {
      groupRuleName = inner.name
      rules.append(
        try compile(
          inner, group.labelPrefix, group: group.metricName ?? rule.visibility.metricName, managed: group.managedName,
          overrides: reference.overrides))
    }
    return CompiledWebACL.CompiledGroup(
      id: group.id, name: rule.name, rules: rules, scopeDown: scopeDown, countsOnly: reference.countsOnly, metric: own,
      isManaged: group.managedName != nil, metricName: group.managedName == nil ? group.metricName : nil)
  }

  // MARK: - Statements

  private mutating func compile(_ statement: WebACL.Statement) throws(WebACLError) -> Statement {
    switch statement {
    case .byteMatch(let inspection, let position, let bytes): return .byteMatch(node: node(inspection), position, bytes)
    case .regexMatch(let inspection, let pattern): return .regex(node: node(inspection), matcher: try regex([pattern]))
    case .patternSet(let inspection, let id): return try patternSet(inspection, id)
    case .size(let inspection, let comparison, let size): return .size(node: node(inspection), comparison, size)
    case .sqlInjection(let inspection, let isSensitive):
      return .sqlInjection(node: node(inspection), isSensitive: isSensitive)
    case .crossSiteScripting(let inspection): return .crossSiteScripting(node: node(inspection))
    case .geo(let codes, let forwarded): return .geo(Set(codes), forwarded)
    case .ipSet(let id, let forwarded): return .ipSet(try tree(id), forwarded)
    case .system(let numbers, let forwarded): return .system(Set(numbers), forwarded)
    case .addressList(let name): return .addressList(name)
    case .label(let key, let isNamespace): return .label(key, isNamespace: isNamespace)
    case .rate(let rate): return try compile(rate)
    case .and(let inner): return .and(try compile(inner))
    case .or(let inner): return .or(try compile(inner))
    case .not(let inner): return .not(try compile(inner))
    }
  }

  private mutating func compile(_ statements: [WebACL.Statement]) throws(WebACLError) -> [Statement] {
    var result: [Statement] = []
    for statement in statements { result.append(try compile(statement)) }
    return result
  }

  private mutating func patternSet(_ inspection: WebACL.Inspection, _ id: String) throws(WebACLError) -> Statement {
    guard let set = acl.patternSets.first(where: { $0.id == id }) else {
      throw WebACLError("rule \(ruleName): there is no regex pattern set \(id)")
    }
    if set.patterns.isEmpty { return .never }
    return .regex(node: node(inspection), matcher: try regex(set.patterns))
  }

  private mutating func regex(_ patterns: [String]) throws(WebACLError) -> Int {
    if let known = regexNumbers[patterns] { return known }
    switch Result(catching: { () throws(LinearRegexError) in try LinearRegex(anyOf: patterns) }) {
    case .success(let regex): regexes.append(regex)
    case .failure(let error): throw WebACLError("rule \(ruleName): a pattern is not valid: \(error)")
    }
    regexNumbers[patterns] = regexes.count - 1
    return regexes.count - 1
  }

  private mutating func tree(_ id: String) throws(WebACLError) -> Int {
    if let known = treeNumbers[id] { return known }
    guard let set = acl.ipSets.first(where: { $0.id == id }) else {
      throw WebACLError("rule \(ruleName): there is no IP set \(id)")
    }
    var tree = AddressTree<Bool>()
    for address in set.addresses where !tree.insert(address, true) {
      throw WebACLError("IP set \(id): \(address) is no network")
    }
    trees.append(tree)
    treeNumbers[id] = trees.count - 1
    return trees.count - 1
  }

  private mutating func compile(_ rate: WebACL.Rate) throws(WebACLError) -> Statement {
    let scopeDown: Statement?
    if let statement = rate.scopeDown { scopeDown = try compile(statement) } else { scopeDown = nil }
    let keyNodes = rate.keys.map { key -> Int in
      switch key {
      case .header(let name, let changes): node(WebACL.Inspection(.header(name), changes))
      case .queryArgument(let name, let changes): node(WebACL.Inspection(.queryArgument(name), changes))
      case .cookie(let name, let changes):
        node(WebACL.Inspection(.cookies(.only([name]), .values, .proceed), changes))
      case .queryString(let changes): node(WebACL.Inspection(.queryString, changes))
      case .uriPath(let changes): node(WebACL.Inspection(.uriPath, changes))
      case .method: node(WebACL.Inspection(.method))
      case .ja3(let fallback): node(WebACL.Inspection(.ja3(fallback: fallback)))
      case .ja4(let fallback): node(WebACL.Inspection(.ja4(fallback: fallback)))
      case .ip, .forwardedIP, .system, .labelNamespace: -1
      }
    }
    // Another limit, window or key begins to count anew. A rule has one such statement, for it cannot be nested.
    let id = "\(acl.id)|\(ruleName)|\(groupRuleName ?? "")|\(rate.limit)|\(rate.window)|\(rate.keys)"
    rates.append(
      CompiledWebACL.RateRule(
        id: id, rate: rate, nodes: keyNodes, scopeDown: scopeDown, ruleName: ruleName, groupRuleName: groupRuleName))
    return .rate(rates.count - 1)
  }

  /// The node of a part and its transformations; beginnings are shared.
  private mutating func node(_ inspection: WebACL.Inspection) -> Int {
    var inspection = inspection
    inspection.transformations.removeAll { $0 == .none }
    switch inspection.field {
    case .body, .jsonBody: looksAtBody = true
    case .ja3, .ja4: looksAtFingerprints = true
    default: break
    }
    if let known = nodeNumbers[inspection] { return known }
    let parent: Int
    let transformation = inspection.transformations.last ?? .none
    if inspection.transformations.isEmpty {
      parent = -1
    } else {
      parent = node(WebACL.Inspection(inspection.field, Array(inspection.transformations.dropLast())))
    }
    nodes.append(
      CompiledWebACL.InspectionNode(field: inspection.field, parent: parent, transformation: transformation))
    nodeNumbers[inspection] = nodes.count - 1
    return nodes.count - 1
  }
}
