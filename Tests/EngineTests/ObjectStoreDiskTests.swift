// What the engines' stores stand on: the group committer.

import Disk
import Foundation
import GRDB
import Testing

@Suite("The disk's tools") struct DiskTests {
  private struct Refused: Error {}

  @Test("an operation that fails, even half-way, leaves nothing of itself and does not hurt its batch")
  func batches() async throws {
    try await withFolder { folder in
      var migrations = DatabaseMigrator()
      migrations.registerMigration("1") { try $0.execute(sql: "CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT") }
      let pool = try openDurableDatabase(folder + "/t.sqlite", migrations: migrations)
      let committer = GroupCommitter(pool)
      let failed = try await withThrowingTaskGroup(of: Bool.self) { group in
        for n in 0..<60 {
          group.addTask {
            do {
              try await committer.commit(delay: 50) { db in
                if n % 3 == 1 { throw Refused() }
                try db.execute(sql: "INSERT INTO t VALUES (?)", arguments: [n])
                if n % 3 == 2 { throw Refused() }
              }
              return false
            } catch is Refused { return true }
          }
        }
        return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(failed == 40)
      let kept = try await pool.read { try Int.fetchAll($0, sql: "SELECT n FROM t ORDER BY n") }
      #expect(kept == Array(stride(from: 0, to: 60, by: 3)))
      committer.close()
      await #expect(throws: GroupCommitter.Closed.self) { try await committer.commit { _ in } }
    }
  }
}
