// What the load balancers say of the tasks, as it was last asked.

import AWSCore
import Synchronization

/// The last known health of tasks behind load balancers. Kept in memory: after a restart it is asked for anew.
final class HealthBoard: Sendable {
  private struct State {
    var targets: [String: TargetState] = [:]
    var isPaused = false
  }
  private let state = Mutex(State())

  /// Nothing is planned: everything is being stopped.
  var isPaused: Bool {
    get { state.withLock { $0.isPaused } }
    set { state.withLock { $0.isPaused = newValue } }
  }

  func snapshot() -> [String: TargetState] { state.withLock { $0.targets } }

  /// Sets what is known now; tasks that are not named are forgotten.
  /// - Returns: whether anything changed.
  func replace(_ targets: [String: TargetState]) -> Bool {
    state.withLock { s in
      guard s.targets != targets else { return false }
      s.targets = targets
      return true
    }
  }
}
