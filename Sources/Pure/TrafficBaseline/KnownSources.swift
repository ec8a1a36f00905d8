// Who was served before: a source with a past is told from one that came with the flood.

/// What sources usually do. Bounded: when it is full, the source not seen for longest is forgotten.
struct KnownSources: Sendable {
  struct Past: Sendable, Equatable {
    /// The most in one second, fading.
    var requests = 0.0
    var connections = 0.0
    var datagrams = 0.0
    var open = 0.0
    /// Seconds in which it was served.
    var seconds = 0
    var lastSeen = 0.0
  }

  private(set) var pasts: [UInt32: Past] = [:]
  let capacity: Int
  /// Seconds of service after which a source is known.
  let probation: Int

  init(capacity: Int, probation: Int) {
    self.capacity = capacity
    self.probation = probation
  }

  /// Learns what each source did within one quiet second.
  mutating func learn(_ second: [UInt32: SourceActivity], now: Double) {
    for (address, activity) in second {
      // Being served is what counts: whoever only opens connections, or only gets errors, has no past.
      guard activity.isServed else { continue }
      if pasts[address] == nil, pasts.count >= capacity { forget() }
      var past = pasts[address] ?? Past()
      past.requests = max(past.requests * 0.999, Double(activity.requests))
      past.connections = max(past.connections * 0.999, Double(activity.connections))
      past.datagrams = max(past.datagrams * 0.999, Double(activity.datagrams))
      past.open = max(past.open * 0.999, Double(activity.open))
      past.seconds += 1
      past.lastSeen = now
      pasts[address] = past
    }
  }

  /// Forgets a sixteenth, those not seen for longest: a stream of new sources does not make each of them search.
  private mutating func forget() {
    let oldest = pasts.sorted { ($0.value.lastSeen, $0.key) < ($1.value.lastSeen, $1.key) }
    for (address, _) in oldest.prefix(max(1, capacity / 16)) { pasts[address] = nil }
  }

  func isKnown(_ address: UInt32) -> Bool { (pasts[address]?.seconds ?? 0) >= probation }

  var all: Set<UInt32> { Set(pasts.filter { $0.value.seconds >= probation }.keys) }

  /// Three times what the source used to do at most: nobody who behaves as before is limited. nil for strangers.
  func allowance(_ address: UInt32, _ measure: Measure) -> Double? {
    guard let past = pasts[address], past.seconds >= probation else { return nil }
    return switch measure {
    case .requests: 3 * past.requests + 10
    case .connections: 3 * past.connections + 10
    case .slow: 3 * past.open + 8
    case .offences: 10
    case .datagrams: 3 * past.datagrams + 100
    }
  }
}
