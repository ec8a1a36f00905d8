// Telling reconcilers that there is something new.

import Synchronization

/// Word of one or more commits.
public struct ChangeBatch: Sendable, Hashable {
  /// The subscribed collections that changed since the subscriber last looked.
  public var collections: Set<String>
}

/// The subscribers. Publishing happens on the writer's thread only, before the writes are acknowledged.
final class ChangeHub: Sendable {
  private struct Subscriber: Sendable {
    let collections: Set<String>
    let continuation: AsyncStream<ChangeBatch>.Continuation
  }
  private struct State {
    var nextID = 0
    var subscribers: [Int: Subscriber] = [:]
    var isFinished = false
  }

  private let state = Mutex(State())

  func subscribe(_ collections: Set<String>) -> AsyncStream<ChangeBatch> {
    let (stream, continuation) = AsyncStream.makeStream(of: ChangeBatch.self, bufferingPolicy: .bufferingNewest(1))
    let id = state.withLock { s -> Int? in
      guard !s.isFinished else { return nil }
      s.nextID += 1
      s.subscribers[s.nextID] = Subscriber(collections: collections, continuation: continuation)
      return s.nextID
    }
    guard let id else {
      continuation.finish()
      return stream
    }
    continuation.onTermination = { [weak self] _ in
      _ = self?.state.withLock { $0.subscribers.removeValue(forKey: id) }
    }
    return stream
  }

  func publish(_ touched: Touched) {
    guard !touched.isEmpty else { return }
    let subscribers = state.withLock { Array($0.subscribers.values) }
    for subscriber in subscribers {
      let news = touched.everything ? subscriber.collections : subscriber.collections.intersection(touched.groups)
      if !news.isEmpty { yield(news, to: subscriber.continuation) }
    }
  }

  /// A batch that was not yet taken is joined with the new one. Should the subscriber take the new one in between,
  /// it is woken once more than needed, never less.
  private func yield(_ news: Set<String>, to continuation: AsyncStream<ChangeBatch>.Continuation) {
    guard case .dropped(let waiting) = continuation.yield(ChangeBatch(collections: news)),
      !waiting.collections.isSubset(of: news)
    else { return }
    continuation.yield(ChangeBatch(collections: news.union(waiting.collections)))
  }

  func finish() {
    let subscribers = state.withLock { s in
      s.isFinished = true
      return Array(s.subscribers.values)
    }
    for subscriber in subscribers { subscriber.continuation.finish() }
  }
}
