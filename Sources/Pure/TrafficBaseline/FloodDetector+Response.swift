// While an attack goes on: who carries it, what each may still have, and when it is over.

/// The attack in progress.
struct Attack: Sendable {
  let number: Int
  let began: Double
  var toldAt = -1.0
  var lastExceeded: Double
  var vectors: [Measure: FloodReport.Vector] = [:]
  var offered: UInt64 = 0
  var refused: UInt64 = 0
  var requests: UInt64 = 0
  var bytes: UInt64 = 0
  var sources = SpaceSaving(capacity: 512)
  var prefixes = SpaceSaving(capacity: 256)
  var held: [UInt32: Double] = [:]
  var heldEver: Set<UInt32> = []
  /// The levels for strangers, which only rise slowly.
  var levels: [Measure: Double] = [:]
  /// The levels that were given out.
  var told: [Measure: Double] = [:]
  /// What strangers get together.
  var together: [Measure: Double] = [:]
  var isMitigated = false

  init(number: Int, began: Double) {
    self.number = number
    self.began = began
    lastExceeded = began
  }
}

extension FloodDetector {
  /// Counts the sample, decides what to do, and tells.
  mutating func pursue(_ sample: TrafficSample, _ exceeded: [Measure], now: Double) -> Assessment {
    guard var current = attack else { return Assessment() }
    count(sample, exceeded, in: &current, now: now)
    if now - current.lastExceeded >= settings.quietTime {
      attack = nil
      return Assessment(report: report(current, .ended, now: now), mitigations: changed(to: standing))
    }
    let measures = Measure.allCases.filter { current.vectors[$0] != nil }
    var wanted = standing
    if isWorthMitigating(sample, measures, now: now) || current.isMitigated {
      current.isMitigated = true
      // Whoever floods one way soon does it another, and what it has open goes on asking: requests and connections are
      // held to the usual in any attack. Strangers that fit into it do not notice.
      let bounded = Measure.allCases.filter {
        measures.contains($0) || $0 == .requests || $0 == .connections || $0 == .datagrams && usesDatagrams
      }
      wanted = limits(bounded, in: &current, now: now)
      strike(sample, in: &current, now: now)
      current.held = current.held.filter { $0.value > now }
      wanted.held = current.held
    }
    var report: FloodReport?
    if current.toldAt < 0 || now - current.toldAt >= 1 {
      report = self.report(current, current.toldAt < 0 ? .began : .updated, now: now)
      current.toldAt = now
    }
    attack = current
    return Assessment(report: report, mitigations: changed(to: wanted))
  }

  private func count(_ sample: TrafficSample, _ exceeded: [Measure], in attack: inout Attack, now: Double) {
    for measure in exceeded {
      if attack.vectors[measure] == nil { attack.vectors[measure] = FloodReport.Vector(measure: measure) }
    }
    for measure in attack.vectors.keys {
      let value = window.value(measure)
      guard var vector = attack.vectors[measure] else { continue }
      vector.max = max(vector.max, value)
      vector.sum += value
      vector.samples += 1
      attack.vectors[measure] = vector
      // Over only well below the bound, so that it does not end and begin again at every wave.
      if value > bound(measure) * 0.7 { attack.lastExceeded = now }
    }
    if !exceeded.isEmpty { attack.lastExceeded = now }
    for source in sample.sources {
      attack.offered += source.requests + source.connections + source.datagrams
      attack.refused += source.refused
      attack.requests += source.requests
      attack.bytes += source.bytes
      if known.isKnown(source.address), !isExcessive(source.address) { continue }
      let weight = attack.vectors.keys.reduce(0.0) { $0 + $1.value(source) }
      attack.sources.add(source.address, UInt64(weight))
      attack.prefixes.add(Mitigations.prefix(of: source.address), UInt64(weight))
    }
  }

  private var usesDatagrams: Bool { (baselines[.datagrams]?.mean ?? 0) > 0 }

  /// Whether a known source does more than it ever did, by far.
  private func isExcessive(_ address: UInt32) -> Bool {
    guard let rate = rates[address] else { return false }
    for (index, measure) in Measure.allCases.enumerated() {
      if let allowance = known.allowance(address, measure), rate.values[index] > allowance { return true }
    }
    return false
  }

  /// Limits protect others. When there are none and nothing runs short, whoever is alone with the load balancer (a
  /// load test, say) may have all of it; and while there is enough for everybody, so may a few beside others. Many, and
  /// those who keep connections waiting or break the protocol, are held back without looking whether it hurts yet.
  private func isWorthMitigating(_ sample: TrafficSample, _ measures: [Measure], now: Double) -> Bool {
    if sample.pressure > 0.5 { return true }
    guard hasOthers(measures) else { return false }
    return measures.contains(.slow) || measures.contains(.offences) || isSpread(measures) || isPressed(now)
  }

  /// Whether somebody is served who takes no part in it.
  func hasOthers(_ measures: [Measure]) -> Bool {
    let indices = Measure.allCases.indices.filter { measures.contains(Measure.allCases[$0]) }
    let total = indices.map { index in rates.values.reduce(0) { $0 + $1.values[index] } }
    let even = Double(max(1, rates.count))
    return rates.contains { address, rate in
      guard rate.isServed else { return false }
      if known.isKnown(address) { return !isExcessive(address) }
      // One that does much less than the others is not part of it.
      return zip(indices, total).allSatisfy { rate.values[$0.0] < 0.5 * $0.1 / even }
    }
  }

  // MARK: - Limits

  private func limits(_ measures: [Measure], in attack: inout Attack, now: Double) -> Mitigations {
    var wanted = Mitigations()
    wanted.known = known.all
    for measure in measures {
      guard let index = Measure.allCases.firstIndex(of: measure), measure != .offences else { continue }
      var strangers: [Double] = []
      var taken = 0.0
      for (address, rate) in rates {
        guard let allowance = known.allowance(address, measure) else {
          strangers.append(rate.values[index])
          continue
        }
        taken += min(rate.values[index], allowance)
        if rate.values[index] > allowance { restrict(&wanted.sources[address, default: .init()], measure, allowance) }
      }
      let usual = baselines[measure]
      let floor = settings.bound(measure)
      let budget = isLearned ? max((usual?.mean ?? 0) * 1.5, floor.learned / 2) : floor.fresh / 2
      let rest = max(budget - taken, budget / 10)
      let fresh = WaterFill.level(strangers, budget: rest) ?? .infinity
      // The level follows the flood down at once and up by a few per cent: those held back look like peace.
      let level = max(settings.strangerRateMin, min(fresh, (attack.levels[measure] ?? .infinity) * 1.02))
      guard level.isFinite else { continue }
      attack.levels[measure] = level
      // A quarter up or down is not worth telling the loops.
      if let told = attack.told[measure], level > told * 0.75, level < told * 1.25 {
        restrict(&wanted.strangers, measure, told)
      } else {
        attack.told[measure] = level
        restrict(&wanted.strangers, measure, level)
      }
      // Without known sources it would be the heavy strangers who use it up.
      if isLearned, !wanted.known.isEmpty, measure != .slow {
        let old = attack.together[measure] ?? 0
        if abs(rest - old) > 0.25 * old { attack.together[measure] = rest }
        restrict(&wanted.strangersTogether, measure, attack.together[measure] ?? rest)
      }
      if measure == .slow { wanted.hurriesStrangers = true }
    }
    wanted.prefixes = prefixLimits(wanted.strangers, attack)
    return wanted
  }

  private func restrict(_ limit: inout SourceLimit, _ measure: Measure, _ value: Double) {
    switch measure {
    case .requests: limit.requestsPerSecond = value
    case .connections: limit.connectionsPerSecond = value
    case .slow: limit.connectionsMax = max(2, Int(min(value, 1e6)))
    case .datagrams: limit.datagramsPerSecond = value
    case .offences: break
    }
  }

  /// Networks many of whose sources are held: what their strangers may have together.
  private func prefixLimits(_ limit: SourceLimit, _ attack: Attack) -> [UInt32: SourceLimit] {
    var members: [UInt32: Int] = [:]
    for address in attack.held.keys { members[Mitigations.prefix(of: address), default: 0] += 1 }
    var result: [UInt32: SourceLimit] = [:]
    for (prefix, count) in members where count >= settings.prefixSourcesMin {
      var shared = SourceLimit()
      shared.requestsPerSecond = limit.requestsPerSecond.map { $0 * 4 }
      shared.connectionsPerSecond = limit.connectionsPerSecond.map { $0 * 4 }
      shared.datagramsPerSecond = limit.datagramsPerSecond.map { $0 * 4 }
      shared.connectionsMax = limit.connectionsMax.map { $0 * 4 }
      if !shared.isUnlimited { result[prefix] = shared }
    }
    return result
  }

  /// Whoever goes on against refusals is held: longer each time.
  private mutating func strike(_ sample: TrafficSample, in attack: inout Attack, now: Double) {
    for source in sample.sources {
      let weight = Double(source.refused) + 5 * Double(source.offences)
      guard weight > 0, attack.held[source.address] == nil else { continue }
      var record = records[source.address] ?? Record()
      // What was refused is forgotten with time: half of it in ten seconds.
      let age = now - record.lastStrike
      record.strikes = record.strikes * (age > 60 ? 0 : 10 / (10 + age)) + weight
      record.lastStrike = now
      if record.strikes >= settings.refusalsMax, attack.held.count < settings.heldMax {
        let time = min(settings.holdTime * Double(1 << min(record.holds, 6)), settings.holdTimeMax)
        attack.held[source.address] = now + time
        attack.heldEver.insert(source.address)
        record.holds += 1
        record.strikes = 0
      }
      records[source.address] = record
    }
    if records.count > settings.sourcesMax { records = records.filter { now - $0.value.lastStrike < 60 } }
  }

  // MARK: - Telling

  private func report(_ attack: Attack, _ phase: FloodReport.Phase, now: Double) -> FloodReport {
    func list(_ counters: SpaceSaving) -> [FloodReport.Contributor] {
      counters.top(20).map { FloodReport.Contributor(address: $0.key, count: $0.count) }
    }
    return FloodReport(
      number: attack.number, phase: phase, began: attack.began, updated: now,
      ended: phase == .ended ? attack.lastExceeded : nil,
      vectors: Measure.allCases.compactMap { attack.vectors[$0] }, offered: attack.offered, refused: attack.refused,
      requests: attack.requests, bytes: attack.bytes, sources: list(attack.sources), prefixes: list(attack.prefixes),
      heldSources: attack.heldEver.count, isMitigated: attack.isMitigated)
  }
}
