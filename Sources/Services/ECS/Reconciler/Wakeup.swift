// The loop of a reconciler: woken by changes, by what it sees, and by the clock.

import AWSCore

/// Runs `settle` at once, whenever it is woken, and when what it announced falls due; until the stream ends or the task
/// is cancelled.
/// - Throws: what `settle` throws.
func runWhenWoken(
  clock: any CastleClock, _ wakes: AsyncStream<Void>, signal: AsyncStream<Void>.Continuation,
  settle: @Sendable () async throws -> Timestamp?
) async throws {
  var timer: Task<Void, Never>?
  defer { timer?.cancel() }
  signal.yield()
  for await _ in wakes {
    timer?.cancel()
    guard let next = try await settle() else { continue }
    timer = Task {
      // A cancelled sleep means that a newer timer runs.
      if (try? await clock.sleep(until: next)) != nil { signal.yield() }
    }
  }
}
