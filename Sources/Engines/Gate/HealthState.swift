// The health of one target as a state machine: outcomes of probes in, states with ELBv2's reasons out. No sockets.
import GateProtocol

/// What a probe found.
enum ProbeOutcome: Equatable {
  case passed
  /// An answer with a status that the matcher does not know.
  case wrongStatus(Int)
  case timedOut
  /// No connection, or no HTTP in the answer.
  case failed
}

/// Counts outcomes and decides.
struct HealthState: Equatable {
  private(set) var state = GateTargetHealth.State.initial
  private(set) var reason: GateTargetHealth.Reason? = .registrationInProgress
  private(set) var description: String? = "Target registration is in progress"
  private var passes = 0
  private var failures = 0

  /// The first probe is on its way.
  mutating func begin() {
    guard state == .initial else { return }
    reason = .initialHealthChecking
    description = "Initial health checks in progress"
  }

  /// Without probing every target counts as healthy.
  static var unprobed: HealthState {
    var state = HealthState()
    state.become(.healthy, nil, nil)
    return state
  }

  /// Takes the outcome of a probe. One pass is enough for a new target; an unhealthy one needs the threshold.
  mutating func take(_ outcome: ProbeOutcome, healthyThreshold: Int, unhealthyThreshold: Int) {
    if outcome == .passed {
      failures = 0
      passes += 1
      if state == .initial || (state == .unhealthy && passes >= healthyThreshold) { become(.healthy, nil, nil) }
      return
    }
    passes = 0
    failures += 1
    guard state == .unhealthy || failures >= unhealthyThreshold else { return }
    switch outcome {
    case .wrongStatus(let status):
      become(.unhealthy, .responseCodeMismatch, "Health checks failed with these codes: [\(status)]")
    case .timedOut: become(.unhealthy, .timeout, "Request timed out")
    case .failed, .passed: become(.unhealthy, .failedHealthChecks, "Health checks failed")
    }
  }

  private mutating func become(
    _ state: GateTargetHealth.State, _ reason: GateTargetHealth.Reason?, _ description: String?
  ) {
    self.state = state
    self.reason = reason
    self.description = description
  }
}

/// The status codes that a health check accepts: `200`, `200,202`, `200-399`.
struct StatusMatcher: Equatable {
  private let ranges: [ClosedRange<Int>]

  init(_ text: String) {
    ranges = text.split(separator: ",").compactMap { part in
      let ends = part.split(separator: "-").map { Int($0.trimmed) }
      guard let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last else { return nil }
      return first...last
    }
  }

  func contains(_ status: Int) -> Bool { ranges.contains { $0.contains(status) } }
}

extension Substring {
  fileprivate var trimmed: Substring {
    var rest = self
    while rest.first == " " { rest.removeFirst() }
    while rest.last == " " { rest.removeLast() }
    return rest
  }
}
