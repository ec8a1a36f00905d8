// Group commit: writes that wait at the same time share one transaction and one fsync.

import GRDB
import Synchronization

/// Runs jobs in order on the one writing connection.
final class WriteQueue: Sendable {
  /// One caller's write. It runs on the writer's thread, inside the group's transaction.
  struct Job: Sendable {
    let run: @Sendable (Database) -> Outcome
    /// Instead of `run`, when the group could not begin or was torn down before its turn.
    let fail: @Sendable (any Error) -> Void
  }

  /// What a job has done, and how to tell its caller once the group is durable (nil) or lost.
  struct Outcome {
    var touched: Touched
    var finish: (_ failure: (any Error)?) -> Void
  }

  /// At most so many jobs share a commit, so that the first does not wait for ever.
  static let groupMax = 256

  private struct State {
    var waiting: [Job] = []
    var isScheduled = false
  }

  private let state = Mutex(State())
  private let pool: DatabasePool
  private let cache: RecordCache
  private let changes: ChangeHub

  init(pool: DatabasePool, cache: RecordCache, changes: ChangeHub) {
    self.pool = pool
    self.cache = cache
    self.changes = changes
  }

  func enqueue(_ job: Job) {
    let schedules = state.withLock { s in
      s.waiting.append(job)
      defer { s.isScheduled = true }
      return !s.isScheduled
    }
    if schedules { schedule() }
  }

  private func schedule() {
    pool.asyncWriteWithoutTransaction { db in
      self.commitGroup(db)
      let again = self.state.withLock { s in
        s.isScheduled = !s.waiting.isEmpty
        return s.isScheduled
      }
      if again { self.schedule() }
    }
  }

  private func takeGroup() -> [Job] {
    state.withLock { s in
      let group = Array(s.waiting.prefix(Self.groupMax))
      s.waiting.removeFirst(group.count)
      return group
    }
  }

  private func commitGroup(_ db: Database) {
    let group = takeGroup()
    var outcomes: [Outcome] = []
    var touched = Touched()
    do {
      try db.beginTransaction(.immediate)
      for job in group {
        let outcome = job.run(db)
        outcomes.append(outcome)
        touched.formUnion(outcome.touched)
        // A full disk or an I/O error makes SQLite roll back the whole transaction, earlier jobs included.
        guard db.isInsideTransaction else {
          throw StoreError(.transactionAborted, "SQLite rolled back the transaction; nothing of it was stored.")
        }
      }
      cache.willCommit(touched)
      try db.commit()
    } catch {
      rollBack(db)
      cache.didCommit(touched)
      for outcome in outcomes { outcome.finish(error) }
      for job in group.dropFirst(outcomes.count) { job.fail(error) }
      return
    }
    cache.didCommit(touched)
    changes.publish(touched)
    for outcome in outcomes { outcome.finish(nil) }
  }

  /// After a failed group. GRDB's `rollback` does nothing when SQLite has rolled back already; when even the rollback
  /// fails the connection is broken, and the next group's BEGIN reports it.
  private func rollBack(_ db: Database) {
    if db.isInsideTransaction { try? db.rollback() }
  }
}
