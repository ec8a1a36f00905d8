// The evaluation of a web ACL on requests, with memory that is used again: every part of a request is read once, every
// transformation done once, and only when a rule asks.

import LinearRegex

/// The decision on a request.
public struct WebACLVerdict: Sendable, Equatable {
  public var isBlocked = false
  /// A blocked request's answer, when it is not the plain 403.
  public var response: WebACL.Response?
  /// To be put into the request, names complete.
  public var inserted: [WebACL.Header] = []
}

/// Evaluates one web ACL. For one thread; one per loop.
public final class WebACLEvaluator {
  public let acl: CompiledWebACL
  /// The request to be judged: filled by the caller before `evaluate`.
  public let request: WebRequest
  /// By metric; they only rise, and go on from the evaluator before.
  public internal(set) var counters: [WebACLCounter]
  var tallies = TallyIndex()
  var trail = Trail()
  let recorder: Recorder
  private let arena = Arena()
  private var values: ContiguousArray<FieldValues>
  /// The request that a node's values are of.
  private var stamps: [UInt64]
  private var stamp: UInt64 = 0
  private let matchers: [LinearRegexMatcher]
  let sql = SQLInjectionDetector()
  let script = CrossSiteScriptingDetector()
  private var tables: [RateTable]
  private var limited: [Set<UInt64>]
  /// What is known of addresses; may be changed between requests.
  public var addresses: AddressKnowledge

  /// What happened on the way to a verdict.
  struct Trail {
    struct GroupResult {
      var step: Int
      var rule: Int?
      var counted: [Int] = []
    }

    var labels: [String] = []
    /// Rules that matched and only counted, by step.
    var counted: [Int] = []
    var groups: [GroupResult] = []
    /// The step that ended the evaluation; nil for the default action.
    var terminating: Int?
    /// Rate rules that matched, with the address that they counted by; nil where there is none or it is not valid.
    var rates: [(rule: Int, address: SourceAddress?)] = []
    var inserted: [WebACL.Header] = []

    mutating func clear() {
      labels.removeAll(keepingCapacity: true)
      counted.removeAll(keepingCapacity: true)
      groups.removeAll(keepingCapacity: true)
      terminating = nil
      rates.removeAll(keepingCapacity: true)
      if !inserted.isEmpty { inserted = [] }
    }
  }

  /// - Parameters:
  ///   - old: the evaluator whose counters, limits and samples are taken over, when its ACL was changed.
  ///   - addresses: what is known of addresses.
  public init(
    _ acl: CompiledWebACL, replacing old: WebACLEvaluator? = nil, addresses: AddressKnowledge = AddressKnowledge()
  ) {
    self.acl = acl
    self.addresses = addresses
    request = old?.request ?? WebRequest()
    recorder = old?.recorder ?? Recorder()
    values = ContiguousArray(repeating: FieldValues(), count: acl.nodes.count)
    stamps = Array(repeating: 0, count: acl.nodes.count)
    matchers = acl.regexes.map { LinearRegexMatcher($0) }
    tables = acl.rates.map { RateTable(hasAddresses: $0.rate.keys == [.ip] || $0.rate.keys == [.forwardedIP]) }
    limited = acl.rates.map { rate in
      guard let old, let index = old.acl.rates.firstIndex(where: { $0.id == rate.id }) else { return [] }
      return old.limited[index]
    }
    counters = acl.metrics.enumerated().map { index, metric in
      let name = index == 0 ? WebACLEvaluator.defaultAction : metric.name
      var counter = WebACLCounter(
        name: name, group: metric.group, managedGroup: metric.managedGroup, hasMetrics: metric.hasMetrics,
        subject: metric.isInManagedGroup ? .managedRule : .rule)
      if let same = old?.counters.first(where: { $0.isSame(counter) }) { counter.add(same) }
      return counter
    }
    // What there was of these goes on to be told.
    counters += old?.counters.filter(\.subject.isTally) ?? []
    tallies = TallyIndex(counters)
  }

  /// The name under which the default action counts.
  public static let defaultAction = "Default_Action"

  // MARK: - Rates

  /// The counts since the last time, by the rules' ids.
  public func drainRates() -> [(id: String, counts: [RateCount])] {
    var result: [(id: String, counts: [RateCount])] = []
    for index in tables.indices {
      let counts = tables[index].drain()
      if !counts.isEmpty { result.append((acl.rates[index].id, counts)) }
    }
    return result
  }

  /// Sets whose rate is over the limit of a rule.
  public func setLimited(_ keys: Set<UInt64>, rule id: String) {
    for (index, rate) in acl.rates.enumerated() where rate.id == id { limited[index] = keys }
  }

  // MARK: - Evaluation

  /// Judges `request`.
  /// - Parameters:
  ///   - time: milliseconds since 1970, for samples and the log.
  ///   - resource: the id of the load balancer, for the log.
  public func evaluate(time: UInt64, resource: String) -> WebACLVerdict {
    stamp += 1
    arena.reset()
    trail.clear()
    if !addresses.countries.isEmpty { request.country = addresses.countries.country(request.source) }
    var verdict = WebACLVerdict()
    for (index, step) in acl.steps.enumerated() {
      let action: WebACL.Action?
      switch step {
      case .rule(let rule): action = judge(rule, index)
      case .group(let group): action = judge(group, index)
      }
      guard let action else { continue }
      trail.terminating = index
      finish(action, &verdict)
      tally(isBlocked: verdict.isBlocked)
      recorder.record(self, verdict, time: time, resource: resource)
      return verdict
    }
    finish(acl.source.defaultAction, &verdict)
    if verdict.isBlocked { counters[0].blocked += 1 } else { counters[0].allowed += 1 }
    tally(isBlocked: verdict.isBlocked)
    recorder.record(self, verdict, time: time, resource: resource)
    return verdict
  }

  private func finish(_ action: WebACL.Action, _ verdict: inout WebACLVerdict) {
    switch action {
    case .block(let response):
      verdict.isBlocked = true
      verdict.response = response
    case .allow(let headers), .count(let headers): insert(headers)
    }
    verdict.inserted = trail.inserted
  }

  private func insert(_ headers: [WebACL.Header]) {
    for header in headers { trail.inserted.append(WebACL.Header("x-amzn-waf-" + header.name, header.value)) }
  }

  /// The action that ends the evaluation, nil to go on.
  private func judge(_ rule: CompiledWebACL.CompiledRule, _ index: Int) -> WebACL.Action? {
    guard matches(rule.statement) else { return nil }
    trail.labels.append(contentsOf: rule.labels)
    guard count(rule.action, rule.metric) else { return rule.action }
    trail.counted.append(index)
    return nil
  }

  /// Counts a rule's action; true when it is one that goes on.
  private func count(_ action: WebACL.Action, _ metric: Int) -> Bool {
    switch action {
    case .allow: counters[metric].allowed += 1
    case .block: counters[metric].blocked += 1
    case .count(let headers):
      counters[metric].counted += 1
      insert(headers)
      return true
    }
    return false
  }

  private func judge(_ group: CompiledWebACL.CompiledGroup, _ index: Int) -> WebACL.Action? {
    if let scopeDown = group.scopeDown, !matches(scopeDown) { return nil }
    var result = Trail.GroupResult(step: index)
    defer { trail.groups.append(result) }
    for (position, rule) in group.rules.enumerated() {
      guard matches(rule.statement) else { continue }
      trail.labels.append(contentsOf: rule.labels)
      if count(rule.action, rule.metric) {
        tallyCounted(rule.labels, of: group.metricName)
        result.counted.append(position)
        continue
      }
      result.rule = position
      if group.countsOnly {
        counters[group.metric].counted += 1
        trail.counted.append(index)
        return nil
      }
      _ = count(rule.action, group.metric)
      return rule.action
    }
    counters[group.metric].passed += 1
    return nil
  }

  /// The values of a node, made now or before for this request.
  func read(_ index: Int) -> FieldValues {
    if stamps[index] == stamp { return values[index] }
    stamps[index] = stamp
    let node = acl.nodes[index]
    if node.parent < 0 {
      FieldReader.read(node.field, request, arena, &values[index])
    } else {
      let parent = read(node.parent)
      values[index].views.removeAll(keepingCapacity: true)
      values[index].verdict = parent.verdict
      for view in parent.views { values[index].views.append(Transformer.apply(node.transformation, view, arena)) }
    }
    return values[index]
  }

  /// Parts that were read for this request and are larger than what is looked at, as AWS names them.
  var oversizeParts: [String] {
    var found: [String] = []
    for (index, node) in acl.nodes.enumerated() where node.parent < 0 && stamps[index] == stamp {
      if let name = FieldReader.oversize(node.field, request), !found.contains(name) { found.append(name) }
    }
    return found.sorted()
  }

  private func any(_ node: Int, _ test: (ByteView) -> Bool) -> Bool {
    let found = read(node)
    return found.verdict ?? found.views.contains(where: test)
  }

  func matches(_ statement: CompiledWebACL.CompiledStatement) -> Bool {
    switch statement {
    case .byteMatch(let node, let position, let bytes): return any(node) { Self.matches($0, position, bytes) }
    case .regex(let node, let matcher): return any(node) { matchers[matcher].matches($0) }
    case .size(let node, let comparison, let size): return any(node) { Self.compare($0.count, comparison, size) }
    case .sqlInjection(let node, let isSensitive): return any(node) { sql.isAttack($0, isSensitive: isSensitive) }
    case .crossSiteScripting(let node): return any(node) { script.isAttack($0) }
    case .geo(let codes, let forwarded): return matchesCountry(codes, forwarded)
    case .ipSet(let index, let forwarded):
      guard let forwarded else { return acl.ipSets[index].find(request.source) != nil }
      return anyForwarded(forwarded) { acl.ipSets[index].find($0) != nil }
    case .system(let numbers, let forwarded): return matchesSystem(numbers, forwarded)
    case .addressList(let name): return addresses.lists.contains(request.source, name)
    case .label(let key, let isNamespace): return trail.labels.contains { Self.matches(label: $0, key, isNamespace) }
    case .rate(let index): return isOverRate(index)
    case .and(let inner): return inner.allSatisfy(matches)
    case .or(let inner): return inner.contains(where: matches)
    case .not(let inner): return !matches(inner)
    case .never: return false
    }
  }

  private static func compare(_ size: Int, _ comparison: WebACL.Comparison, _ wanted: Int) -> Bool {
    switch comparison {
    case .equal: size == wanted
    case .notEqual: size != wanted
    case .atMost: size <= wanted
    case .below: size < wanted
    case .atLeast: size >= wanted
    case .above: size > wanted
    }
  }

  static func matches(_ view: ByteView, _ position: WebACL.Position, _ bytes: [UInt8]) -> Bool {
    switch position {
    case .exactly: return view.count == bytes.count && view.elementsEqual(bytes)
    case .startsWith: return view.count >= bytes.count && view.starts(with: bytes)
    case .endsWith: return view.count >= bytes.count && view.suffix(bytes.count).elementsEqual(bytes)
    case .contains: return view.find(bytes) != nil
    case .containsWord:
      // Whole words: no letter, digit or underscore on either side.
      var start = 0
      while let place = view.find(bytes, from: start) {
        let end = place + bytes.count
        let isFree = (place == 0 || !isWordByte(view[place - 1])) && (end == view.count || !isWordByte(view[end]))
        if isFree { return true }
        start = place + 1
        if bytes.isEmpty { return false }
      }
      return false
    }
  }

  /// A key matches a label's last parts, or with scope NAMESPACE parts in front of its name.
  static func matches(label: String, _ key: String, _ isNamespace: Bool) -> Bool {
    if isNamespace {
      let wanted = key.hasSuffix(":") ? key : key + ":"
      return label.hasPrefix(wanted) || label.contains(":" + wanted)
    }
    return label == key || label.hasSuffix(":" + key)
  }

  private func matchesCountry(_ codes: Set<String>, _ forwarded: WebACL.ForwardedIP?) -> Bool {
    guard let forwarded else { return request.country.map(codes.contains) ?? false }
    return anyForwarded(forwarded) { addresses.countries.country($0).map(codes.contains) ?? false }
  }

  private func matchesSystem(_ numbers: Set<UInt32>, _ forwarded: WebACL.ForwardedIP?) -> Bool {
    guard let forwarded else { return numbers.contains(ownSystem()) }
    return anyForwarded(forwarded) { numbers.contains(forwardedSystem($0)) }
  }

  private func ownSystem() -> UInt32 {
    let found = request.system ?? addresses.systems.system(request.source)
    request.system = found
    return found
  }

  private func forwardedSystem(_ address: SourceAddress) -> UInt32 {
    let found = addresses.systems.system(address)
    request.forwardedSystem = found
    return found
  }

  // MARK: - Addresses in headers

  /// Addresses in a header that are looked at.
  private static let forwardedMax = 10

  /// Tests the addresses of a header; false without the header, the fallback when there is no address in it.
  private func anyForwarded(_ forwarded: WebACL.ForwardedIP, _ test: (SourceAddress) -> Bool) -> Bool {
    guard let line = request.header(Array(forwarded.header.lowercased().utf8)) else { return false }
    let parts = line.split(separator: 0x2C)
    let chosen: ArraySlice<Slice<ByteView>> =
      switch forwarded.position {
      case .first: parts.prefix(1)
      case .last: parts.suffix(1)
      case .any: parts.suffix(Self.forwardedMax)
      }
    let found = chosen.compactMap { SourceAddress(UnsafeBufferPointer(rebasing: $0)) }
    if found.isEmpty { return forwarded.fallback }
    return found.contains(where: test)
  }

  // MARK: - Rates

  /// The address of a rate's header; or what the rate's statement is without one.
  private enum ForwardedAddress {
    case address(SourceAddress)
    case none(matches: Bool)
  }

  private func forwardedAddress(_ rate: WebACL.Rate) -> ForwardedAddress {
    guard let forwarded = rate.forwardedIP, let line = request.header(Array(forwarded.header.lowercased().utf8)) else {
      return .none(matches: false)
    }
    let first = line.split(separator: 0x2C).first.map { UnsafeBufferPointer(rebasing: $0) }
    return first.flatMap { SourceAddress($0) }.map { .address($0) } ?? .none(matches: forwarded.fallback)
  }

  private func isOverRate(_ index: Int) -> Bool {
    let rule = acl.rates[index]
    if let scopeDown = rule.scopeDown, !matches(scopeDown) { return false }
    var hasher = Hasher()
    var address: SourceAddress?
    for (position, key) in rule.rate.keys.enumerated() {
      switch key {
      case .ip:
        hasher.combine(request.source)
        address = request.source
      case .forwardedIP:
        switch forwardedAddress(rule.rate) {
        case .address(let found):
          hasher.combine(found)
          address = found
        case .none(let matches):
          if matches { trail.rates.append((index, nil)) }
          return matches
        }
      case .system:
        if rule.rate.forwardedIP == nil {
          hasher.combine(ownSystem())
          continue
        }
        switch forwardedAddress(rule.rate) {
        case .address(let found): hasher.combine(forwardedSystem(found))
        case .none(let matches):
          if matches { trail.rates.append((index, nil)) }
          return matches
        }
      case .labelNamespace(let namespace):
        guard let label = label(in: namespace) else { return false }
        hasher.combine(label)
      default:
        // A request that lacks a part of the key is neither counted nor limited; without a fingerprint the key says.
        let found = read(rule.nodes[position])
        if let verdict = found.verdict {
          if verdict { trail.rates.append((index, nil)) }
          return verdict
        }
        guard let view = found.views.first else { return false }
        hasher.combine(view.count)
        hasher.combine(bytes: UnsafeRawBufferPointer(view))
      }
    }
    let key = UInt64(bitPattern: Int64(hasher.finalize()))
    tables[index].count(key, address)
    guard limited[index].contains(key) else { return false }
    trail.rates.append((index, address))
    return true
  }

  /// The first label of the request in a namespace.
  private func label(in namespace: String) -> String? {
    trail.labels.first { Self.matches(label: $0, namespace, true) }
  }

  /// What the request holds of a key of a rate-based rule that matched it; nil where it holds nothing of it.
  /// - Parameter position: of the key in the rule.
  func keyValue(_ rule: CompiledWebACL.RateRule, _ position: Int, _ address: SourceAddress?) -> String? {
    switch rule.rate.keys[position] {
    case .ip: return request.source.text
    case .forwardedIP: return address?.text
    case .system:
      return ((rule.rate.forwardedIP == nil ? request.system : request.forwardedSystem)).map { "\($0)" }
    case .labelNamespace(let namespace): return label(in: namespace)
    default: return read(rule.nodes[position]).views.first?.text
    }
  }
}
