// The promise that everything rests on: what was acknowledged survives the death of the process.

import Foundation
import Glibc
import Store
import Testing

import class GRDB.Database

@Suite struct CrashTests {
  /// Each round kills a child process that writes without pause at another moment, and looks after its writes.
  @Test("kill -9 at a random moment loses no acknowledged write", arguments: 0..<6)
  func killedWriter(round: Int) async throws {
    try await withFolder { folder in
      let delay = UInt32.random(in: 20_000...250_000)
      await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String, delay = delay as UInt32] in
        try await writeUntilKilled(folder: folder, delayMicroseconds: delay)
      }
      let acknowledged = (try? String(contentsOfFile: "\(folder)/acknowledged", encoding: .utf8)) ?? ""
      // The last line may be cut: then its id was on the way to us, and is not counted.
      let ids = acknowledged.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
      try #require(!ids.isEmpty, "The child was killed before its first write was acknowledged.")
      let store = try Store(directory: "\(folder)/store", collections: [Widget.self])
      let stored = try await store.read { Set(try $0.list(Widget.self, here).map(\.id)) }
      #expect(Set(ids).subtracting(stored).isEmpty)
      let indexed = try await store.read { Set(try $0.find(Widget.self, here, index: "color", "red").map(\.id)) }
      #expect(indexed == stored)
      #expect(try await store.read { try $0.lastNumber("n", here) } == stored.count)
      #expect(try await store.read { try String.fetchOne($0.db, sql: "PRAGMA integrity_check") } == "ok")
      try await store.close()
    }
  }
}

/// Eight writers; a thread of its own ends the process some time after the first write was acknowledged.
private func writeUntilKilled(folder: String, delayMicroseconds: UInt32) async throws {
  let store = try Store(directory: "\(folder)/store", collections: [Widget.self])
  let notes = open("\(folder)/acknowledged", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
  precondition(notes >= 0)
  @Sendable func writeOne(_ id: String) async throws {
    try await store.write { transaction in
      try transaction.put(Widget(id: id, color: "red"), here)
      _ = try transaction.nextNumber("n", here)
    }
    let line = Array("\(id)\n".utf8)
    precondition(write(notes, line, line.count) == line.count)
  }
  try await writeOne("first")
  let killer = Thread {
    usleep(delayMicroseconds)
    kill(getpid(), SIGKILL)
  }
  killer.start()
  try await withThrowingTaskGroup(of: Void.self) { group in
    for writer in 0..<8 {
      group.addTask {
        for n in 0... { try await writeOne("\(writer)-\(n)") }
      }
    }
    try await group.waitForAll()
  }
}
