// Where blocking work goes: a thread that is not one of the (two!) of Swift's cooperative pool.

import Dispatch

/// A serial queue with a thread of its own while it has work. What runs on it may block.
public final class BlockingQueue: Sendable {
  private let queue: DispatchQueue

  public init(_ label: String) { queue = DispatchQueue(label: "castle.\(label)") }

  /// Runs a body behind what was queued before, and gives its result.
  public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, any Error>) in
      queue.async { continuation.resume(with: Result(catching: body)) }
    }
  }

  /// Runs a body that cannot fail behind what was queued before.
  public func run<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
    await withCheckedContinuation { (continuation: CheckedContinuation<T, Never>) in
      queue.async { continuation.resume(returning: body()) }
    }
  }

  /// Runs one body on a thread of its own.
  public static func once<T: Sendable>(_ label: String, _ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await BlockingQueue(label).run(body)
  }
}
