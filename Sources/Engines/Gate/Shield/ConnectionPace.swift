// How long a client keeps the Gate waiting: looked at some times a second, so that it costs requests nothing.
import CLinux
import GateProtocol

/// What a client's connection waits for from its client.
enum Waiting: UInt8 {
  /// Nothing: a target works, or bytes pass in a tunnel.
  case nothing
  /// For the next request, after at least one.
  case idle
  /// For the first request.
  case first
  /// For the rest of a head.
  case head
  /// For more of a body.
  case body
  /// For the client to take its answer.
  case answer
}

/// What was seen when the wait began.
struct Pace {
  var waiting = Waiting.nothing
  /// Which request it was.
  var turn: UInt32 = 0
  var since: UInt64 = 0
  /// Bytes that had passed at the begin of the window.
  var bytes: UInt64 = 0
  var windowSince: UInt64 = 0
}

/// The times of a load balancer's `GateSnapshot.Shield`, in microseconds.
struct PaceLimits {
  var headTime: UInt64 = 20_000_000
  var paceTime: UInt64 = 20_000_000
  var bytesPerSecondMin = 240.0
  var hurriedTime: UInt64 = 3_000_000

  /// Seconds after which a wait is slow rather than on its way.
  static let slowAfter: UInt64 = 2_000_000

  init(_ shield: GateSnapshot.Shield) {
    headTime = LoadBalancerRuntime.microseconds(shield.headTime)
    paceTime = LoadBalancerRuntime.microseconds(shield.paceTime)
    bytesPerSecondMin = max(0, shield.bytesPerSecondMin)
    hurriedTime = LoadBalancerRuntime.microseconds(shield.hurriedTime)
  }
}

extension ClientConnection {
  enum PaceVerdict: Equatable {
    case fine
    /// Keeps the Gate waiting, within its limits.
    case slow
    /// Beyond its limits.
    case expired(Offence)
  }

  /// Looks at how the client does since the last look.
  func checkPace(now: UInt64) -> PaceVerdict {
    let waiting = waiting
    let bytes = waiting == .answer ? drainedBytes : receivedBytes
    if waiting != pace.waiting || pace.turn != turn {
      pace = Pace(waiting: waiting, turn: turn, since: now, bytes: bytes, windowSince: now)
      return .fine
    }
    let limits = balancer.paceLimits
    let isHurried = balancer.sources.entries[Int(slot)].isHurried
    let waited = now &- pace.since
    switch waiting {
    case .nothing, .idle: return .fine
    case .first:
      if isHurried && waited > limits.hurriedTime { return .expired(.slowHead) }
      return waited > PaceLimits.slowAfter ? .slow : .fine
    case .head:
      if waited > (isHurried ? limits.hurriedTime : limits.headTime) { return .expired(.slowHead) }
      return waited > PaceLimits.slowAfter ? .slow : .fine
    case .body, .answer:
      let window = now &- pace.windowSince
      let rate = Double(bytes &- pace.bytes) / (Double(max(1, window)) / 1e6)
      if window > (isHurried ? limits.hurriedTime : limits.paceTime) {
        if rate < limits.bytesPerSecondMin { return .expired(waiting == .body ? .slowBody : .slowRead) }
        pace.bytes = bytes
        pace.windowSince = now
      }
      return waited > PaceLimits.slowAfter && rate < 1024 ? .slow : .fine
    }
  }
}
