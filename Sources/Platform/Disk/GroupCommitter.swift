// Many waiting writers, one transaction, one fsync.

import GRDB

/// The one writer of a SQLite database: a thread that takes everything that waits, runs it in one transaction, and
/// answers all of it after the commit. With `synchronous = FULL` what was answered is durable, and a hundred
/// concurrent writers pay for one fsync.
public final class GroupCommitter: Sendable {
  /// How the operations of one group are kept from hurting each other.
  public enum Isolation: Sendable {
    /// They run one after the other with nothing between them. When one fails half-way, or the commit fails, the group
    /// is taken apart and each runs again alone. The quickest where failures are rare; bodies may run twice.
    case takenApart
    /// Each runs in a savepoint, so one that fails undoes itself. Bodies run once; a commit that fails fails them all.
    case savepoints
  }

  /// What an owner does about its commits, on the thread of the committer.
  public protocol Witness: Sendable {
    /// The operations of a group have run; it is committed next.
    func willCommit()
    /// The group is durable, or lost. Nobody has been answered yet.
    func didCommit(_ isDurable: Bool)
  }

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
    private let groupMax: Int
    private var waiting: [Operation] = []
    private var earliest = UInt64.max
    private var closed = false
    private var committed = 0

    /// How many groups have been committed.
    var commits: Int { condition.withLock { committed } }
    func noteCommit() { condition.withLock { committed += 1 } }

    init(groupMax: Int) { self.groupMax = groupMax }

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

    /// What waits, once the earliest deadline is there; nil when closed and empty.
    func take() -> [Operation]? {
      condition.withLock {
        while true {
          if waiting.isEmpty {
            if closed { return nil }
            condition.wait()
          } else if !closed, earliest > Condition.now {
            condition.wait(until: earliest)
          } else {
            let group = Array(waiting.prefix(groupMax))
            waiting.removeFirst(group.count)
            earliest = waiting.lazy.map(\.deadline).min() ?? .max
            return group
          }
        }
      }
    }
  }

  /// `@unchecked Sendable`: written in `perform` and read in `finish`, which run one after the other on one thread.
  private final class Outcome<T>: @unchecked Sendable { var result: Result<T, any Error>? }

  /// The committer was closed before the operation could run.
  public struct Closed: Error, Sendable {}

  /// The transaction ended before its commit: a full disk and I/O errors make SQLite roll all of it back, and a body
  /// may have ended it. Nothing of the group was stored.
  public struct RolledBack: Error, Sendable {}

  private let queue: Queue
  private let isolation: Isolation

  /// - Parameters:
  ///   - pool: only this object may write through it from now on.
  ///   - groupMax: at most so many operations share a commit, so that the first does not wait for ever.
  public init(
    _ pool: DatabasePool, isolation: Isolation = .takenApart, groupMax: Int = .max, witness: (any Witness)? = nil
  ) {
    let queue = Queue(groupMax: groupMax)
    self.queue = queue
    self.isolation = isolation
    startThread {
      while let group = queue.take() {
        queue.noteCommit()
        Self.commit(group, pool, isolation, witness)
      }
    }
  }

  deinit { queue.close() }

  /// How many groups have been committed: each is one fsync, whatever it holds.
  public var commits: Int { queue.commits }

  /// Runs what waits, then ends the thread; later calls throw ``Closed``.
  public func close() { queue.close() }

  /// Runs `body` in a transaction, together with others; returns when it is durable. When it throws, nothing of it
  /// remains.
  ///
  /// Where groups are ``Isolation/takenApart`` it may run twice, so it must change nothing but the database.
  /// - Parameter delay: how long the commit may wait for company, in milliseconds.
  /// - Throws: what `body` throws, ``Closed``, ``RolledBack``, or `DatabaseError` when the commit failed.
  public func commit<T: Sendable>(
    delay milliseconds: Int = 0, _ body: @escaping @Sendable (Database) throws -> T
  ) async throws -> T {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, any Error>) in
      let outcome = Outcome<T>()
      let isolation = isolation
      let accepted = queue.push(
        Operation(
          perform: { db in
            let result = Result { isolation == .savepoints ? try Self.savepoint(db, body) : try body(db) }
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

  private static func savepoint<T>(_ db: Database, _ body: (Database) throws -> T) throws -> T {
    var value: T?
    try db.inSavepoint {
      value = try body(db)
      return .commit
    }
    guard let value else { throw RolledBack() }
    return value
  }

  // MARK: - On the thread

  private static func commit(
    _ group: [Operation], _ pool: DatabasePool, _ isolation: Isolation, _ witness: (any Witness)?
  ) {
    var failure: (any Error)?
    do { try transact(group, pool, isolation, witness) } catch { failure = error }
    witness?.didCommit(failure == nil)
    if failure != nil, isolation == .takenApart, group.count > 1 {
      for operation in group { commit([operation], pool, isolation, witness) }
    } else {
      for operation in group { operation.finish(failure) }
    }
  }

  /// One transaction with all of a group.
  private static func transact(
    _ group: [Operation], _ pool: DatabasePool, _ isolation: Isolation, _ witness: (any Witness)?
  ) throws {
    try pool.writeWithoutTransaction { db in
      try db.inTransaction(.immediate) {
        for operation in group {
          let before = db.totalChangesCount
          let failure = operation.perform(db)
          let isAlone = group.count == 1
          guard db.isInsideTransaction else { throw isAlone ? failure ?? RolledBack() : RolledBack() }
          // What it wrote before it failed must not be committed with the others.
          if isolation == .takenApart, let failure, isAlone || db.totalChangesCount != before { throw failure }
        }
        witness?.willCommit()
        return .commit
      }
    }
  }
}
