// Many waiting writers, one transaction, one fsync.

import GRDB

/// The one writer of a SQLite database: a thread that takes everything that waits, runs it in one transaction, and
/// answers all of it after the commit. With `synchronous = FULL` what was answered is durable, and a hundred
/// concurrent writers pay for one fsync.
public final class GroupCommitter: Sendable {
  private struct Operation {
    /// Runs in the transaction; what it throws is kept for `finish`.
    let perform: (Database) -> (any Error)?
    /// Answers the caller: the error of the transaction, or else what `perform` left.
    let finish: ((any Error)?) -> Void
    let deadline: UInt64
  }

  /// `@unchecked Sendable`: touched only under `condition`'s lock.
  private final class Queue: @unchecked Sendable {
    let condition = Condition()
    private var waiting: [Operation] = []
    private var earliest = UInt64.max
    private var closed = false

    /// False when the committer is closed.
    func push(_ operation: Operation) -> Bool {
      condition.withLock {
        if closed { return false }
        waiting.append(operation)
        earliest = min(earliest, operation.deadline)
        condition.signal()
        return true
      }
    }

    func close() {
      condition.withLock {
        closed = true
        condition.broadcast()
      }
    }

    /// Everything that waits, once the earliest deadline is there; nil when closed and empty.
    func take() -> [Operation]? {
      condition.withLock {
        while true {
          if waiting.isEmpty {
            if closed { return nil }
            condition.wait()
          } else if !closed, earliest > Condition.now {
            condition.wait(until: earliest)
          } else {
            defer {
              waiting = []
              earliest = .max
            }
            return waiting
          }
        }
      }
    }
  }

  /// `@unchecked Sendable`: written in `perform` and read in `finish`, which run one after the other on one thread.
  private final class Outcome<T>: @unchecked Sendable { var result: Result<T, any Error>? }

  /// The committer was closed before the operation could run.
  public struct Closed: Error, Sendable {}

  private let queue = Queue()

  /// - Parameter pool: only this object may write through it from now on.
  public init(_ pool: DatabasePool) {
    let queue = queue
    startThread {
      while let batch = queue.take() { Self.commit(batch, pool) }
    }
  }

  deinit { queue.close() }

  /// Runs what waits, then ends the thread; later calls throw ``Closed``.
  public func close() { queue.close() }

  /// Runs `body` in a transaction, together with others; returns when it is durable.
  ///
  /// `body` may run twice (when another one in its batch failed half-way), so it must change nothing but the
  /// database. When it throws, nothing of it remains.
  /// - Parameter delay: how long the commit may wait for company, in milliseconds.
  public func commit<T: Sendable>(
    delay milliseconds: Int = 0, _ body: @escaping @Sendable (Database) throws -> T
  ) async throws -> T {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, any Error>) in
      let outcome = Outcome<T>()
      let accepted = queue.push(
        Operation(
          perform: { db in
            let result = Result { try body(db) }
            outcome.result = result
            if case .failure(let error) = result { return error }
            return nil
          },
          finish: { error in
            if let error {
              continuation.resume(throwing: error)
            } else {
              continuation.resume(with: outcome.result ?? .failure(Closed()))
            }
          }, deadline: milliseconds == 0 ? 0 : Condition.now + UInt64(milliseconds) * 1_000_000))
      if !accepted { continuation.resume(throwing: Closed()) }
    }
  }

  /// An operation wrote something and then failed: the batch has to be taken apart.
  private struct HalfDone: Error {}

  private static func commit(_ batch: [Operation], _ pool: DatabasePool) {
    if batch.count == 1 { return commitAlone(batch[0], pool) }
    do {
      try pool.writeWithoutTransaction { db in
        try db.inTransaction(.immediate) {
          for operation in batch {
            let before = db.totalChangesCount
            if operation.perform(db) != nil, db.totalChangesCount != before { throw HalfDone() }
          }
          return .commit
        }
      }
      for operation in batch { operation.finish(nil) }
    } catch {
      for operation in batch { commitAlone(operation, pool) }
    }
  }

  private static func commitAlone(_ operation: Operation, _ pool: DatabasePool) {
    do {
      try pool.writeWithoutTransaction { db in
        try db.inTransaction(.immediate) {
          if let error = operation.perform(db) { throw error }
          return .commit
        }
      }
      operation.finish(nil)
    } catch {
      operation.finish(error)
    }
  }
}
