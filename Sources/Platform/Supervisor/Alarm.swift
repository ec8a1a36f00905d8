// The machine's time, and being woken by it: engines are processes, which live in real time.

import AWSCore
import Glibc

/// The machine's time. For engines; services ask the clock that they are given.
public func systemNow() -> Timestamp {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
}

/// Wakes a loop at the earliest of the times that it asked for.
public struct Alarm {
  private var pending: (at: Timestamp, task: Task<Void, Never>)?

  public init() {}

  public mutating func set(_ at: Timestamp, _ wake: @escaping @Sendable () -> Void) {
    let now = systemNow()
    if let pending, pending.at <= at, pending.at > now { return }
    pending?.task.cancel()
    let seconds = max(0.01, at.seconds - now.seconds)
    pending = (
      at,
      Task {
        do { try await Task.sleep(for: .seconds(seconds)) } catch { return }
        wake()
      }
    )
  }

  public func cancel() { pending?.task.cancel() }
}
