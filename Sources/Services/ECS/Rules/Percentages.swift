// How many tasks a roll-out may have, and must keep.

/// The bounds of a deployment.
struct TaskBounds: Sendable, Hashable {
  /// So many healthy tasks must stay.
  var minimum: Int
  /// So many tasks may be wanted at the same time.
  var maximum: Int

  /// - Parameters:
  ///   - minimumPercent: of the desired count, rounded up as on AWS.
  ///   - maximumPercent: rounded down.
  init(desired: Int, minimumPercent: Int, maximumPercent: Int) {
    minimum = (desired * minimumPercent + 99) / 100
    maximum = desired * maximumPercent / 100
  }

  /// Failed tasks in a row at which the circuit breaker trips.
  static func breakerThreshold(desired: Int) -> Int {
    min(max((desired + 1) / 2, Limits.breakerMin), Limits.breakerMax)
  }

  /// The pause after so many quick ends in a row, in seconds.
  static func restartPause(restarts: Int, desired: Int) -> Double {
    let free = max(Limits.freeRestarts, desired * 2)
    guard restarts > free else { return 0 }
    return restarts - free > 6
      ? Limits.restartPauseMax : min(Double(1 << (restarts - free - 1)), Limits.restartPauseMax)
  }
}
