// What an engine tells of its state: as it is now, and then each change.

import Synchronization

/// The subscribers to an engine's state.
public final class StateFeed<State: Sendable & Equatable>: Sendable {
  private struct Subscribers: Sendable {
    var last: State
    var nextKey = 0
    var byKey: [Int: AsyncStream<State>.Continuation] = [:]
  }
  private let subscribers: Mutex<Subscribers>

  /// - Parameter first: what nobody has to be told.
  public init(_ first: State) { subscribers = Mutex(Subscribers(last: first)) }

  /// Tells a state to all, when it is another than the last one.
  public func publish(_ state: State) {
    let told = subscribers.withLock { subscribers -> [AsyncStream<State>.Continuation] in
      guard state != subscribers.last else { return [] }
      subscribers.last = state
      return Array(subscribers.byKey.values)
    }
    for continuation in told { continuation.yield(state) }
  }

  /// The given state, then each change; a slow reader sees the latest.
  /// - Parameter now: nil when there is nothing to come any more: the stream ends at once.
  public func subscribe(_ now: State?) -> AsyncStream<State> {
    let (stream, continuation) = AsyncStream<State>.makeStream(bufferingPolicy: .bufferingNewest(8))
    guard let now else {
      continuation.finish()
      return stream
    }
    let key = subscribers.withLock { subscribers in
      subscribers.nextKey += 1
      subscribers.byKey[subscribers.nextKey] = continuation
      return subscribers.nextKey
    }
    continuation.onTermination = { [weak self] _ in
      _ = self?.subscribers.withLock { $0.byKey.removeValue(forKey: key) }
    }
    continuation.yield(now)
    return stream
  }

  /// Ends all streams.
  public func finish() {
    let all = subscribers.withLock { subscribers in
      defer { subscribers.byKey = [:] }
      return Array(subscribers.byKey.values)
    }
    for continuation in all { continuation.finish() }
  }
}

extension AsyncStream where Element: Sendable {
  /// Returns the first element that satisfies a condition.
  /// - Returns: nil when it has not come within so many seconds.
  /// - Throws: `CancellationError`, also when the stream ends before.
  public func first(
    within seconds: Double, where condition: @escaping @Sendable (Element) -> Bool
  ) async throws -> Element? {
    try await withThrowingTaskGroup(of: Element?.self) { group in
      group.addTask {
        for await element in self where condition(element) { return element }
        throw CancellationError()
      }
      group.addTask {
        try await Task.sleep(for: .seconds(seconds))
        return nil
      }
      defer { group.cancelAll() }
      return try await group.next() ?? nil
    }
  }
}
