// Learns what a load balancer's traffic usually is, recognises a flood that leaves it, and says what to do about it.
// Pure: samples and times come in, reports and mitigations go out.

/// One load balancer's detector. `observe` is called with every sample, some times a second.
public struct FloodDetector: Sendable {
  /// When a measure is out of the ordinary.
  public struct Bound: Sendable, Equatable {
    /// The bound while nothing is learned.
    public var fresh: Double
    /// The least bound once a baseline is learned.
    public var learned: Double
    /// Times the usual mean.
    public var factor: Double

    public init(fresh: Double, learned: Double, factor: Double) {
      self.fresh = fresh
      self.learned = learned
      self.factor = factor
    }
  }

  public struct Settings: Sendable {
    public var requests = Bound(fresh: 2000, learned: 200, factor: 3)
    public var connections = Bound(fresh: 500, learned: 100, factor: 4)
    public var slow = Bound(fresh: 100, learned: 40, factor: 4)
    public var offences = Bound(fresh: 50, learned: 50, factor: 4)
    public var datagrams = Bound(fresh: 20_000, learned: 2000, factor: 3)
    /// How many deviations above the mean are still usual.
    public var deviations = 8.0
    /// Seconds after which the baseline is trusted.
    public var learningTime = 10.0
    /// Seconds within bounds after which an attack is over.
    public var quietTime = 10.0
    /// Seconds after which what goes on is learned as the new usual.
    public var adoptionTime = 1800.0
    /// The least rate a stranger gets.
    public var strangerRateMin = 0.5
    /// Refusals after which a source that does not heed them is held, and for how long at first.
    public var refusalsMax = 10.0
    public var holdTime = 30.0
    public var holdTimeMax = 300.0
    /// Strangers of one network that must be held or limited for the network to be limited as one.
    public var prefixSourcesMin = 16
    /// The share of a loop's time above which it is busy.
    public var load = 0.8
    /// Seconds by which requests take longer than usual, at least, before targets are held to be short of time.
    public var waitMargin = 0.01
    /// Seconds for which what was short counts as short.
    public var pressureTime = 2.0
    /// A flood of which so many sources carry half is one of few: a load test, until somebody suffers from it.
    public var fewSources = 8
    public var heldMax = 4096
    public var sourcesMax = 16_384

    public init() {}

    func bound(_ measure: Measure) -> Bound {
      switch measure {
      case .requests: requests
      case .connections: connections
      case .slow: slow
      case .offences: offences
      case .datagrams: datagrams
      }
    }
  }

  /// What follows from a sample.
  public struct Assessment: Sendable, Equatable {
    /// The attack began, goes on (told at most once a second), or ended.
    public var report: FloodReport?
    /// Set when what is to be done has changed.
    public var mitigations: Mitigations?
  }

  struct Rates: Sendable {
    /// In the order of `Measure.allCases`.
    var values = [Double](repeating: 0, count: Measure.allCases.count)
    var isServed = false
  }

  struct Record: Sendable {
    var strikes = 0.0
    var holds = 0
    var lastStrike = 0.0
  }

  let settings: Settings
  public internal(set) var baselines: [Measure: RunningBaseline]
  var known: KnownSources
  var window = SlidingWindow()
  /// The second being gathered for learning.
  private var second: [UInt32: SourceActivity] = [:]
  private var secondLength = 0.0
  /// Of each active source: its rates over about a second.
  var rates: [UInt32: Rates] = [:]
  var records: [UInt32: Record] = [:]
  var attack: Attack?
  /// What holds in peace.
  var standing = Mitigations()
  var pressure = Pressure()
  /// When somebody was served last who had been before.
  private var othersAt = -Double.infinity
  public internal(set) var mitigations = Mitigations()
  private var attacks = 0
  private var suspicion: [Measure: Int] = [:]

  public init(settings: Settings = Settings()) {
    self.settings = settings
    baselines = Dictionary(uniqueKeysWithValues: Measure.allCases.map { ($0, RunningBaseline()) })
    known = KnownSources(capacity: 8192, probation: 3)
  }

  /// Whether the baseline is trusted.
  public var isLearned: Bool { (baselines[.requests]?.seconds ?? 0) >= settings.learningTime }

  /// Whether an attack goes on.
  public var isUnderAttack: Bool { attack != nil }

  /// The bound of a measure at this time.
  public func bound(_ measure: Measure) -> Double {
    let bound = settings.bound(measure)
    guard isLearned, let usual = baselines[measure] else { return bound.fresh }
    return max(bound.learned, usual.mean * bound.factor, usual.mean + settings.deviations * usual.deviation)
  }

  /// - Parameter now: seconds on any clock that does not go back.
  public mutating func observe(_ sample: TrafficSample, now: Double) -> Assessment {
    window.add(sample)
    followRates(sample)
    pressure.follow(sample, isLearned: isLearned, settings, now: now)
    learn(sample, now: now)
    // People pause between two pages.
    if hasOthers(Measure.allCases) { othersAt = now }
    standing.holdsStrangers = !standing.known.isEmpty && isPressed(now) && now - othersAt <= 10
    let exceeded = Measure.allCases.filter { isExceeded($0) }
    if attack == nil {
      guard !exceeded.isEmpty else {
        return Assessment(report: nil, mitigations: changed(to: standing))
      }
      attacks += 1
      attack = Attack(number: attacks, began: now)
    }
    return pursue(sample, exceeded, now: now)
  }

  /// A measure must be beyond its bound in two samples running, or far beyond it in one.
  private mutating func isExceeded(_ measure: Measure) -> Bool {
    let value = window.value(measure)
    let bound = bound(measure)
    guard value > bound else {
      suspicion[measure] = 0
      return false
    }
    suspicion[measure, default: 0] += 1
    return suspicion[measure, default: 0] >= 2 || value > 3 * bound
  }

  private mutating func followRates(_ sample: TrafficSample) {
    let weight = min(1, sample.seconds / max(0.2, min(1, sample.seconds * 5)))
    for address in rates.keys {
      rates[address]?.isServed = false
      for index in Measure.allCases.indices { rates[address]?.values[index] *= 1 - weight }
    }
    for source in sample.sources {
      guard rates[source.address] != nil || rates.count < settings.sourcesMax else { continue }
      var rate = rates[source.address] ?? Rates()
      for (index, measure) in Measure.allCases.enumerated() {
        let value = measure.value(source)
        if measure == .slow {
          rate.values[index] = value
        } else {
          rate.values[index] += weight * value / max(sample.seconds, 0.001)
        }
      }
      rate.isServed = source.isServed
      rates[source.address] = rate
    }
    let gone = rates.filter { entry in entry.value.values.allSatisfy { $0 < 0.05 } }.keys
    for address in gone { rates[address] = nil }
  }

  private mutating func learn(_ sample: TrafficSample, now: Double) {
    for source in sample.sources {
      guard second[source.address] != nil || second.count < settings.sourcesMax else { continue }
      var sum = second[source.address] ?? SourceActivity(address: source.address)
      sum.add(source)
      // Gauges are not summed.
      sum.open = source.open
      sum.slow = source.slow
      second[source.address] = sum
    }
    secondLength += sample.seconds
    guard secondLength >= 1 else { return }
    let isQuiet = attack == nil && suspicion.values.allSatisfy { $0 == 0 }
    let isAdopted = attack.map { now - $0.began > settings.adoptionTime } ?? false
    if isQuiet || isAdopted {
      for measure in Measure.allCases {
        let total = second.values.reduce(0) { $0 + measure.value($1) }
        baselines[measure]?.learn(measure == .slow ? total : total / secondLength, seconds: secondLength)
      }
      known.learn(second, now: now)
      pressure.learn(seconds: secondLength)
      if isQuiet { renewStanding() }
    }
    second = [:]
    secondLength = 0
    pressure.forget()
  }

  /// What strangers together may have in peace. Without others there is nobody to protect.
  private mutating func renewStanding() {
    let all = known.all
    guard isLearned, !all.isEmpty else {
      standing = Mitigations()
      return
    }
    let requests = bound(.requests)
    let old = standing.strangersTogether.requestsPerSecond ?? 0
    // A little more or less is not worth telling the loops.
    guard all != standing.known || abs(requests - old) > 0.1 * old else { return }
    standing.known = all
    standing.strangersTogether = SourceLimit(
      requestsPerSecond: requests, connectionsPerSecond: bound(.connections), datagramsPerSecond: bound(.datagrams))
  }

  /// Takes over new mitigations; nil when nothing changes.
  mutating func changed(to new: Mitigations) -> Mitigations? {
    if new == mitigations { return nil }
    mitigations = new
    return new
  }
}

/// Totals over the last second.
struct SlidingWindow: Sendable {
  private var samples: [(seconds: Double, totals: [Double])] = []

  mutating func add(_ sample: TrafficSample) {
    let totals = Measure.allCases.map { measure in sample.sources.reduce(0) { $0 + measure.value($1) } }
    samples.append((sample.seconds, totals))
    var length = samples.reduce(0) { $0 + $1.seconds }
    while samples.count > 1, length - samples[0].seconds >= 0.999 {
      length -= samples[0].seconds
      samples.removeFirst()
    }
  }

  /// A rate over the last second, or the last value of a gauge. A window that is not yet full counts as a second.
  func value(_ measure: Measure) -> Double {
    guard let index = Measure.allCases.firstIndex(of: measure), let last = samples.last else { return 0 }
    if measure == .slow { return last.totals[index] }
    let length = samples.reduce(0) { $0 + $1.seconds }
    return samples.reduce(0) { $0 + $1.totals[index] } / max(1, length)
  }
}
