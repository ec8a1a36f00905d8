// Whether anything runs short: the loops' time, or the targets'.

/// Follows how busy the loops are and how long requests take. What takes longer than usual is usual to somebody: only
/// with a baseline is a wait too long.
struct Pressure: Sendable {
  /// Seconds that requests usually take.
  private(set) var usualWait = RunningBaseline()
  private var load = 0.0
  private var wait: Double?
  private var secondWait = 0.0
  private var secondWaits = 0
  /// When something was short.
  private(set) var lastShort = -Double.infinity

  /// - Parameter isLearned: the baseline is trusted.
  mutating func follow(
    _ sample: TrafficSample, isLearned: Bool, _ settings: FloodDetector.Settings, now: Double
  ) {
    // About a third of a second: one late look is not yet a busy loop.
    load += (sample.load - load) * 0.3
    if let new = sample.wait {
      wait = wait.map { $0 + (new - $0) * 0.3 } ?? new
      secondWait += new
      secondWaits += 1
    }
    let isSlow = isLearned && wait.map { $0 > bound(settings) } ?? false
    if sample.pressure > 0.5 || load > settings.load || isSlow { lastShort = now }
  }

  private func bound(_ settings: FloodDetector.Settings) -> Double {
    guard usualWait.seconds >= settings.learningTime else { return .infinity }
    return max(
      usualWait.mean * 3, usualWait.mean + settings.deviations * usualWait.deviation,
      usualWait.mean + settings.waitMargin)
  }

  /// A quiet second is over.
  mutating func learn(seconds: Double) {
    if secondWaits > 0 { usualWait.learn(secondWait / Double(secondWaits), seconds: seconds) }
  }

  /// The next second begins.
  mutating func forget() {
    secondWait = 0
    secondWaits = 0
  }
}

extension FloodDetector {
  func isPressed(_ now: Double) -> Bool { now - pressure.lastShort <= settings.pressureTime }

  /// Whether many carry it: the heaviest few strangers are less than half of it. Few may be as many as they like while
  /// nobody suffers; many are a flood whatever they do, for each of them is at home elsewhere.
  func isSpread(_ measures: [Measure]) -> Bool {
    Measure.allCases.indices.contains { index in
      let measure = Measure.allCases[index]
      guard measures.contains(measure), measure == .requests || measure == .connections || measure == .datagrams else {
        return false
      }
      let values = rates.compactMap { address, rate in known.isKnown(address) ? nil : rate.values[index] }
      let heaviest = values.sorted(by: >).prefix(settings.fewSources)
      return heaviest.reduce(0, +) < 0.5 * values.reduce(0, +)
    }
  }
}
