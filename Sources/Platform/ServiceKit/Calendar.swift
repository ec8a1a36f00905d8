// The loop of a service whose work falls due by the clock: deletions after a window, rotations, expiries.

import AWSCore
import Store

/// Runs `settle` at once, whenever one of the store's changes is told, and when what it announced falls due; until the
/// task is cancelled or the store is closed.
/// - Parameters:
///   - changes: subscribed before the call, so that nothing is missed.
///   - settle: does what is due and returns when the next thing is, or nil when nothing is planned.
/// - Throws: what `settle` throws.
public func runByCalendar(
  clock: any CastleClock, changes: AsyncStream<ChangeBatch>, settle: @escaping @Sendable () async throws -> Timestamp?
) async throws {
  let (wake, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  signal.yield()
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask {
      for await _ in changes { signal.yield() }
      signal.finish()
    }
    var timer: Task<Void, Never>?
    defer {
      timer?.cancel()
      group.cancelAll()
    }
    for await _ in wake {
      timer?.cancel()
      guard let next = try await settle() else { continue }
      timer = Task {
        // A cancelled sleep means that a newer timer runs.
        if (try? await clock.sleep(until: next)) != nil { signal.yield() }
      }
    }
  }
}
