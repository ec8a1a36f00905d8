// The rules of a listener, indexed so that a hundred cost hardly more than one: the host and the path each give a set
// of rules that may match, and only the rules in both sets are looked at, in priority order.
import ByteRegex
import GateProtocol
import HTTPWire

/// What a rule is matched against: pieces of the request in place.
struct RuleInput {
  var bytes: UnsafePointer<UInt8>
  var method: Slice
  /// Without the port.
  var host: Slice
  /// Without the query.
  var path: Slice
  var query: Slice
  var source: UInt32
}

/// A rule's conditions and what is done when they hold, ready to be evaluated.
final class CompiledRule {
  let conditions: [CompiledCondition]
  let checks: [CompiledCheck]
  let transforms: [CompiledTransform]
  let action: CompiledAction
  /// 0 for the default rule.
  let priority: Int
  /// How many rules a load balancer that goes through them in order has evaluated when this one holds.
  let evaluations: UInt64

  init(
    conditions: [CompiledCondition], checks: [CompiledCheck], transforms: [CompiledTransform], action: CompiledAction,
    priority: Int, evaluations: Int
  ) {
    self.conditions = conditions
    self.checks = checks
    self.transforms = transforms
    self.action = action
    self.priority = priority
    self.evaluations = UInt64(evaluations)
  }
}

enum CompiledCondition {
  case host([Wildcard])
  case path([Wildcard])
  case header(name: [UInt8], values: [Wildcard])
  case method([[UInt8]])
  case query([(key: Wildcard?, value: Wildcard)])
  case source([(address: UInt32, mask: UInt32)])
  case headerRegex(name: [UInt8], values: ByteRegexSet)

  /// nil for what the index decides alone: regular expressions on host and path.
  init?(_ condition: GateSnapshot.Condition) {
    switch condition {
    case .hostHeader(let values): self = .host(values.map { Wildcard($0, ignoresCase: true) })
    case .pathPattern(let values): self = .path(values.map { Wildcard($0, ignoresCase: false) })
    case .httpHeader(let name, let values):
      self = .header(
        name: name.utf8.map(Token.lowercased), values: values.map { Wildcard($0, ignoresCase: true) })
    case .httpRequestMethod(let values): self = .method(values.map { Array($0.utf8) })
    case .queryString(let values):
      self = .query(
        values.map { match in
          (match.key.map { Wildcard($0, ignoresCase: true) }, Wildcard(match.value, ignoresCase: true))
        })
    case .sourceIP(let values): self = .source(values.compactMap(IPv4.network))
    case .httpHeaderRegex(let name, let values):
      self = .headerRegex(
        name: name.utf8.map(Token.lowercased), values: ByteRegexSet(values.compactMap { try? ByteRegex($0) }))
    case .hostHeaderRegex, .pathRegex: return nil
    }
  }

  func matches(_ input: RuleInput, _ head: borrowing MessageHead) -> Bool {
    switch self {
    case .host(let patterns):
      return patterns.contains { $0.matches(input.bytes + input.host.start, input.host.count) }
    case .path(let patterns):
      return patterns.contains { $0.matches(input.bytes + input.path.start, input.path.count) }
    case .method(let methods):
      return methods.contains { method in
        method.count == input.method.count
          && method.indices.allSatisfy { method[$0] == input.bytes[input.method.start + $0] }
      }
    case .source(let networks): return networks.contains { input.source & $0.mask == $0.address }
    case .header(let name, let values):
      return Self.matchesHeader(name, input.bytes, head) { start, count in
        values.contains { $0.matches(start, count) }
      }
    case .query(let wanted): return Self.matchesQuery(wanted, input)
    case .headerRegex(let name, let values):
      return Self.matchesHeader(name, input.bytes, head) { values.isAnyFound($0, $1) }
    }
  }

  private static func matchesHeader(
    _ name: [UInt8], _ bytes: UnsafePointer<UInt8>, _ head: borrowing MessageHead,
    _ matches: (UnsafePointer<UInt8>, Int) -> Bool
  ) -> Bool {
    for index in 0..<head.fieldCount {
      let field = head.fields[index]
      guard Int(field.nameLength) == name.count else { continue }
      let start = bytes + Int(field.start)
      guard name.indices.allSatisfy({ Token.lowercased(start[$0]) == name[$0] }) else { continue }
      if matches(bytes + Int(field.valueStart), Int(field.valueLength)) { return true }
    }
    return false
  }

  private static func matchesQuery(_ wanted: [(key: Wildcard?, value: Wildcard)], _ input: RuleInput) -> Bool {
    var position = input.query.start
    while position < input.query.end {
      var end = position
      var equals = -1
      while end < input.query.end, input.bytes[end] != 0x26 {
        if equals < 0, input.bytes[end] == 0x3D { equals = end }
        end += 1
      }
      let keyEnd = equals < 0 ? end : equals
      let valueStart = equals < 0 ? end : equals + 1
      for match in wanted
      where match.value.matches(input.bytes + valueStart, end - valueStart)
        && (match.key?.matches(input.bytes + position, keyEnd - position) ?? true)
      {
        return true
      }
      position = end + 1
    }
    return false
  }
}

/// A set of rules, one bit each, in priority order.
struct RuleSet {
  var words: [UInt64]

  init(count: Int) { words = Array(repeating: 0, count: (count + 63) / 64) }

  mutating func insert(_ rule: Int) { words[rule >> 6] |= 1 << UInt64(rule & 63) }

  mutating func formUnion(_ other: RuleSet) {
    for index in words.indices { words[index] |= other.words[index] }
  }
}

/// All rules of a listener.
final class CompiledRules {
  private let rules: [CompiledRule]
  let defaultRule: CompiledRule
  /// Rules whose host condition is a list of plain names, by name; each set also has the rules of `anyHost`.
  private var hosts: [[UInt8]: RuleSet] = [:]
  /// Rules that plain names do not decide: no host condition, or one with wildcards.
  private var anyHost: RuleSet
  /// A tree over the literal beginnings of the path patterns; a node's rules have a pattern whose beginning ends there.
  private var nodes: [PathNode] = []
  private let hostPatterns: PatternRules
  private let pathPatterns: PatternRules
  private var scratchHost: [UInt8] = []
  /// The sign-ins of rules, by priority.
  private(set) var signIns: [Int: SignInCheck] = [:]

  private struct PathNode {
    var bytes: [UInt8] = []
    var children: [Int] = []
    /// The rules of this node and of all above it.
    var rules: RuleSet
  }

  init(_ listener: GateSnapshot.Listener, _ compile: (GateSnapshot.Action) -> CompiledAction) {
    let sorted = listener.rules.sorted { $0.priority < $1.priority }
    rules = sorted.enumerated().map { index, rule in
      CompiledRule(
        conditions: rule.conditions.compactMap { CompiledCondition($0) }, checks: rule.checks.map(CompiledCheck.init),
        transforms: rule.transforms.compactMap(CompiledTransform.init), action: compile(rule.action),
        priority: rule.priority, evaluations: index + 1)
    }
    defaultRule = CompiledRule(
      conditions: [], checks: listener.defaultChecks.map(CompiledCheck.init), transforms: [],
      action: compile(listener.defaultAction), priority: 0, evaluations: sorted.count)
    anyHost = RuleSet(count: sorted.count)
    nodes = [PathNode(rules: anyHost)]
    hostPatterns = PatternRules(sorted, ignoresCase: true) { condition in
      if case .hostHeaderRegex(let values) = condition { values } else { [] }
    }
    pathPatterns = PatternRules(sorted, ignoresCase: false) { condition in
      if case .pathRegex(let values) = condition { values } else { [] }
    }
    for rule in rules + [defaultRule] {
      for case .signIn(let check) in rule.checks { signIns[rule.priority] = check }
    }
    for (index, rule) in rules.enumerated() {
      indexHost(rule, index)
      indexPath(rule, index)
    }
    for name in hosts.keys { hosts[name]?.formUnion(anyHost) }
    pushDown(0)
  }

  private func indexHost(_ rule: CompiledRule, _ index: Int) {
    for case .host(let patterns) in rule.conditions where patterns.allSatisfy(\.isLiteral) {
      for pattern in patterns { hosts[pattern.pattern, default: RuleSet(count: rules.count)].insert(index) }
      return
    }
    anyHost.insert(index)
  }

  private func indexPath(_ rule: CompiledRule, _ index: Int) {
    for case .path(let patterns) in rule.conditions {
      for pattern in patterns { insert(pattern.pattern.prefix(pattern.literalPrefixCount), index) }
      return
    }
    nodes[0].rules.insert(index)
  }

  private func insert(_ prefix: ArraySlice<UInt8>, _ rule: Int) {
    var node = 0
    for byte in prefix {
      if let position = nodes[node].bytes.firstIndex(of: byte) {
        node = nodes[node].children[position]
      } else {
        nodes.append(PathNode(rules: RuleSet(count: rules.count)))
        nodes[node].bytes.append(byte)
        nodes[node].children.append(nodes.count - 1)
        node = nodes.count - 1
      }
    }
    nodes[node].rules.insert(rule)
  }

  private func pushDown(_ node: Int) {
    for child in nodes[node].children {
      nodes[child].rules.formUnion(nodes[node].rules)
      pushDown(child)
    }
  }

  /// The rule for a request: the first whose conditions hold, or the default one.
  func rule(for input: RuleInput, _ head: borrowing MessageHead) -> CompiledRule {
    if rules.isEmpty { return defaultRule }
    let hostRules = rulesForHost(input)
    var node = 0
    for position in input.path.start..<input.path.end {
      guard let next = nodes[node].bytes.firstIndex(of: input.bytes[position]) else { break }
      node = nodes[node].children[next]
    }
    hostPatterns.begin()
    pathPatterns.begin()
    for word in hostRules.words.indices {
      var bits = hostRules.words[word] & nodes[node].rules.words[word]
      bits &= hostPatterns.allowed(word, among: bits, input.bytes + input.host.start, input.host.count)
      bits &= pathPatterns.allowed(word, among: bits, input.bytes + input.path.start, input.path.count)
      while bits != 0 {
        let rule = rules[(word << 6) + bits.trailingZeroBitCount]
        if Self.holds(rule, input, head) { return rule }
        bits &= bits - 1
      }
    }
    return defaultRule
  }

  private static func holds(_ rule: CompiledRule, _ input: RuleInput, _ head: borrowing MessageHead) -> Bool {
    for condition in rule.conditions where !condition.matches(input, head) { return false }
    return true
  }

  private func rulesForHost(_ input: RuleInput) -> RuleSet {
    if hosts.isEmpty { return anyHost }
    scratchHost.removeAll(keepingCapacity: true)
    for position in input.host.start..<input.host.end { scratchHost.append(Token.lowercased(input.bytes[position])) }
    return hosts[scratchHost] ?? anyHost
  }
}
