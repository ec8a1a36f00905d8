// Something that happens once, and those who wait for it.

import Synchronization

/// Closed until it is opened; then open for good.
final class Latch: Sendable {
  private struct State {
    var isOpen = false
    var nextID = 0
    var waiters: [Int: CheckedContinuation<Void, any Error>] = [:]
    var cancelled: Set<Int> = []
  }
  private let state = Mutex(State())

  func open() {
    let waiters = state.withLock { s in
      s.isOpen = true
      defer { s.waiters = [:] }
      return Array(s.waiters.values)
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Returns once the latch is open.
  /// - Throws: `CancellationError` when the task is cancelled before.
  func wait() async throws {
    let id = state.withLock { s in
      s.nextID += 1
      return s.nextID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let outcome = state.withLock { s -> Result<Void, any Error>? in
          if s.isOpen { return .success(()) }
          if s.cancelled.remove(id) != nil { return .failure(CancellationError()) }
          s.waiters[id] = continuation
          return nil
        }
        if let outcome { continuation.resume(with: outcome) }
      }
    } onCancel: {
      let waiter = state.withLock { s in
        if s.waiters[id] == nil { s.cancelled.insert(id) }
        return s.waiters.removeValue(forKey: id)
      }
      waiter?.resume(throwing: CancellationError())
    }
  }
}
