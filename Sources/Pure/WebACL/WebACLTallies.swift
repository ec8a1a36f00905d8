// What judged requests have in common besides the rules that they met: labels, country, device, kind of attack.

/// The kind of device that a client says it is. A few bytes of User-Agent are looked at, as browsers begin it.
enum DeviceKind: Int, CaseIterable, Sendable {
  case desktop, mobile, tablet

  var name: String {
    switch self {
    case .desktop: "Desktop"
    case .mobile: "Mobile"
    case .tablet: "Tablet"
    }
  }

  private static let systems: [(begin: [UInt8], kind: DeviceKind)] = [
    (Array("Windows NT".utf8), .desktop), (Array("Macintosh".utf8), .desktop), (Array("X11".utf8), .desktop),
    (Array("iPhone".utf8), .mobile), (Array("iPod".utf8), .mobile), (Array("iPad".utf8), .tablet),
  ]
  private static let androidSystem = Array("Android".utf8)
  private static let mobileWord = Array("Mobile".utf8)
  /// What browsers say first, up to the system: `Mozilla/5.0 (`.
  private static let headMax = 24
  private static let agentMax = 512

  /// nil for what is no browser.
  init?(userAgent: ByteView) {
    let agent = userAgent.count > Self.agentMax ? userAgent.piece(0, Self.agentMax) : userAgent
    guard let open = agent.prefix(Self.headMax).firstIndex(of: 0x28) else { return nil }
    let system = agent.piece(open + 1, agent.count)
    if let known = Self.systems.first(where: { system.starts(with: $0.begin) }) {
      self = known.kind
    } else if system.find(Self.androidSystem) != nil {
      self = system.find(Self.mobileWord) == nil ? .tablet : .mobile
    } else {
      return nil
    }
  }
}

/// Where the counters of labels, countries, devices and attacks are, behind those of the rules.
struct TallyIndex {
  /// Counters of one web ACL that are not a rule's; what is new beyond is not counted.
  static let countersMax = 2000

  private var labels: [String: Int] = [:]
  /// Of rules that count, by the rule group's metric.
  private var countedLabels: [String: [String: Int]] = [:]
  private var countries: [String: Int] = [:]
  private var attacks: [String: Int] = [:]
  private var devices = [Int?](repeating: nil, count: DeviceKind.allCases.count)
  private var count = 0

  init() {}

  /// Takes over counters that are there.
  init(_ counters: [WebACLCounter]) {
    for (index, counter) in counters.enumerated() where counter.subject.isTally { place(counter, index) }
  }

  private mutating func place(_ counter: WebACLCounter, _ index: Int) {
    count += 1
    switch counter.subject {
    case .label:
      if let group = counter.group {
        countedLabels[group, default: [:]][counter.name] = index
      } else {
        labels[counter.name] = index
      }
    case .country: countries[counter.name] = index
    case .attack: attacks[counter.name] = index
    case .device:
      if let kind = DeviceKind.allCases.first(where: { $0.name == counter.name }) { devices[kind.rawValue] = index }
    case .rule, .managedRule: break
    }
  }

  mutating func label(_ name: String, group: String? = nil, _ counters: inout [WebACLCounter]) -> Int? {
    let known = group == nil ? labels[name] : countedLabels[group ?? ""]?[name]
    return known ?? add(WebACLCounter(name: name, group: group, subject: .label), &counters)
  }

  mutating func country(_ name: String, _ counters: inout [WebACLCounter]) -> Int? {
    countries[name] ?? add(WebACLCounter(name: name, subject: .country), &counters)
  }

  mutating func attack(_ name: String, _ counters: inout [WebACLCounter]) -> Int? {
    attacks[name] ?? add(WebACLCounter(name: name, subject: .attack), &counters)
  }

  mutating func device(_ kind: DeviceKind, _ counters: inout [WebACLCounter]) -> Int? {
    devices[kind.rawValue] ?? add(WebACLCounter(name: kind.name, subject: .device), &counters)
  }

  private mutating func add(_ counter: WebACLCounter, _ counters: inout [WebACLCounter]) -> Int? {
    guard count < Self.countersMax else { return nil }
    counters.append(counter)
    place(counter, counters.count - 1)
    return counters.count - 1
  }
}

extension WebACLEvaluator {
  /// Labels of one request that are counted, as on AWS.
  private static let labelsMax = 100
  private static let userAgent = Array("user-agent".utf8)

  /// Counts a judged request by what it is.
  func tally(isBlocked: Bool) {
    guard acl.metrics[0].hasMetrics else { return }
    func count(_ index: Int?) {
      guard let index else { return }
      if isBlocked { counters[index].blocked += 1 } else { counters[index].allowed += 1 }
      if !trail.counted.isEmpty { counters[index].counted += 1 }
    }
    if !trail.labels.isEmpty {
      for (position, label) in trail.labels.prefix(Self.labelsMax).enumerated()
      where !trail.labels[..<position].contains(label) {
        // Counts of labels are a rule group's (`tallyCounted`), so here is only how the request ended.
        guard let index = tallies.label(label, &counters) else { continue }
        if isBlocked { counters[index].blocked += 1 } else { counters[index].allowed += 1 }
      }
    }
    if let country = request.country { count(tallies.country(country, &counters)) }
    if acl.hasAttacks, let attack = attack() { count(tallies.attack(attack, &counters)) }
    if let agent = request.header(Self.userAgent), let device = DeviceKind(userAgent: agent) {
      count(tallies.device(device, &counters))
    }
  }

  /// Labels that a rule inside of a group, which only counts, adds.
  func tallyCounted(_ labels: [String], of group: String?) {
    guard let group, !labels.isEmpty else { return }
    for label in labels {
      if let index = tallies.label(label, group: group, &counters) { counters[index].counted += 1 }
    }
  }

  /// The kind of attack that the rule looks for which ended the evaluation, or else one that only counted.
  private func attack() -> String? {
    for step in (trail.terminating.map { [$0] } ?? []) + trail.counted {
      switch acl.steps[step] {
      case .rule(let rule): if let attack = rule.attack { return attack }
      case .group(let group):
        guard let result = trail.groups.first(where: { $0.step == step }) else { continue }
        for rule in (result.rule.map { [$0] } ?? []) + result.counted {
          if let attack = group.rules[rule].attack { return attack }
        }
      }
    }
    return nil
  }
}

extension WebACL.Statement {
  /// The kind of attack it looks for, if it is one that has a metric.
  var attack: String? {
    switch self {
    case .sqlInjection: "SQLInjection"
    case .crossSiteScripting: "CrossSiteScripting"
    case .and(let inner), .or(let inner): inner.lazy.compactMap(\.attack).first
    default: nil
    }
  }
}
