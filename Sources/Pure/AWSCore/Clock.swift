// The one clock. Everything that asks for the time asks this, so that a test can make a month pass.

import Synchronization

/// Where the time comes from. Thread-safe.
public protocol CastleClock: Sendable {
  var now: Timestamp { get }
  /// Returns when the clock has reached the instant, or throws `CancellationError`.
  func sleep(until deadline: Timestamp) async throws
}

extension CastleClock {
  /// Returns after so many seconds of this clock, or throws `CancellationError`.
  public func sleep(seconds: Double) async throws { try await sleep(until: now.adding(seconds: seconds)) }
}

/// A clock that stands still until it is advanced.
public final class ManualClock: CastleClock {
  private struct Sleeper {
    let deadline: Timestamp
    let continuation: CheckedContinuation<Void, any Error>
  }
  private struct State {
    var now: Timestamp
    var nextID = 0
    var sleepers: [Int: Sleeper] = [:]
    var cancelled: Set<Int> = []
  }
  private let state: Mutex<State>

  public init(_ now: Timestamp = Timestamp(milliseconds: 1_767_225_600_000)) { state = Mutex(State(now: now)) }

  public var now: Timestamp { state.withLock { $0.now } }

  /// Moves the clock on and wakes whoever sleeps until then or earlier.
  public func advance(seconds: Double) {
    let due = state.withLock { s -> [Sleeper] in
      s.now = s.now.adding(seconds: seconds)
      let ids = s.sleepers.filter { $0.value.deadline <= s.now }.keys
      return ids.compactMap { s.sleepers.removeValue(forKey: $0) }
    }
    for sleeper in due { sleeper.continuation.resume() }
  }

  public func sleep(until deadline: Timestamp) async throws {
    let id = state.withLock { s -> Int in
      s.nextID += 1
      return s.nextID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let outcome = state.withLock { s -> Result<Void, any Error>? in
          if s.cancelled.remove(id) != nil { return .failure(CancellationError()) }
          if deadline <= s.now { return .success(()) }
          s.sleepers[id] = Sleeper(deadline: deadline, continuation: continuation)
          return nil
        }
        if let outcome { continuation.resume(with: outcome) }
      }
    } onCancel: {
      let sleeper = state.withLock { s -> Sleeper? in
        if let sleeper = s.sleepers.removeValue(forKey: id) { return sleeper }
        s.cancelled.insert(id)
        return nil
      }
      sleeper?.continuation.resume(throwing: CancellationError())
    }
  }
}
