// Waiting for resources to become stable: not for ever, and no longer than anybody has use for it.

import AWSCore
import ServiceKit
import Synchronization

/// The resources that one operation waits for. The first failure ends the waiting for all others: they are written down
/// already, so that the rollback finds them.
final class ResourceWaits: Sendable {
  /// Seconds that a resource may take to become stable, or to go, when its service tells nothing: CloudFormation's own
  /// two hours.
  static let limit = 7200.0

  private struct State: Sendable {
    var isCancelled = false
    var next = 0
    var waits: [Int: Task<ResourceHandle, any Error>] = [:]
  }
  private let state = Mutex(State())
  private let clock: any CastleClock
  /// When the whole operation shall be done.
  private let deadline: Timestamp?

  init(_ clock: any CastleClock, deadline: Timestamp? = nil) {
    self.clock = clock
    self.deadline = deadline
  }

  /// Waits with what can be cancelled at any moment without harm.
  /// - Throws: what the body throws; `AWSError` `NotStabilized` when it takes too long; `CancellationError`.
  func wait(_ body: @escaping @Sendable () async throws -> ResourceHandle) async throws -> ResourceHandle {
    let (clock, deadline) = (clock, deadline)
    let wait = Task { try await Self.limited(clock, deadline, body) }
    let key = state.withLock { state -> Int? in
      if state.isCancelled { return nil }
      state.next += 1
      state.waits[state.next] = wait
      return state.next
    }
    if key == nil { wait.cancel() }
    defer { if let key { state.withLock { _ = $0.waits.removeValue(forKey: key) } } }
    return try await withTaskCancellationHandler {
      try await wait.value
    } onCancel: {
      wait.cancel()
    }
  }

  /// Something failed: nothing else is waited for.
  func cancel() {
    let waits = state.withLock { state in
      state.isCancelled = true
      return Array(state.waits.values)
    }
    for wait in waits { wait.cancel() }
  }

  /// Does what may take long, but not longer than a resource may.
  static func limited<T: Sendable>(
    _ clock: any CastleClock, _ deadline: Timestamp? = nil, _ body: @escaping @Sendable () async throws -> T
  ) async throws -> T {
    let own = clock.now.adding(seconds: limit)
    return try await withThrowingTaskGroup(of: T.self) { group in
      group.addTask { try await body() }
      group.addTask {
        if let deadline, deadline < own {
          try await clock.sleep(until: deadline)
          throw AWSError("NotStabilized", "Stack creation time exceeded the specified timeout.")
        }
        try await clock.sleep(until: own)
        throw AWSError(
          "NotStabilized", "Resource timed out waiting for completion: nothing was reported in \(Int(limit)) seconds.")
      }
      defer { group.cancelAll() }
      guard let first = try await group.next() else { throw CancellationError() }
      return first
    }
  }
}
