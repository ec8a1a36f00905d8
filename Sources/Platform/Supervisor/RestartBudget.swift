// How often something may be started again, and how long to wait before. Pure.

import AWSCore

/// A delay that doubles with each failure, and a count of failures that is forgotten after a while of health.
public struct RestartBudget: Sendable, Hashable {
  /// The wait before the first restart, in seconds.
  public var firstDelay: Double
  /// The longest wait, in seconds.
  public var longestDelay: Double
  /// How long something must have run for its failures to be forgotten, in seconds.
  public var healthyAfter: Double
  /// Failures in a row after which it is given up; `nil` never.
  public var mostFailures: Int?
  /// Failures in a row so far.
  public private(set) var failures = 0

  public init(
    firstDelay: Double = 0.1, longestDelay: Double = 30, healthyAfter: Double = 30, mostFailures: Int? = nil
  ) {
    self.firstDelay = firstDelay
    self.longestDelay = longestDelay
    self.healthyAfter = healthyAfter
    self.mostFailures = mostFailures
  }

  /// Whether it has failed too often.
  public var isSpent: Bool { mostFailures.map { failures >= $0 } ?? false }

  /// Counts a failure.
  /// - Returns: when to start again, or `nil` when the budget is spent.
  public mutating func failed(at now: Timestamp, startedAt: Timestamp?) -> Timestamp? {
    if let startedAt, now.seconds - startedAt.seconds >= healthyAfter { failures = 0 }
    failures += 1
    if isSpent { return nil }
    var delay = firstDelay
    for _ in 1..<failures where delay < longestDelay { delay *= 2 }
    return now.adding(seconds: min(delay, longestDelay))
  }

  /// Forgets all failures.
  public mutating func reset() { failures = 0 }
}
