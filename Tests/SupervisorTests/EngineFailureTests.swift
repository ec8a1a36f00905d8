// What an engine's last words mean, and what is looked at on the machine.

import Foundation
import Testing

@testable import Supervisor

@Suite("Engine failures") struct EngineFailureTests {
  @Test(
    "the words of engines and of the system tell the cause",
    arguments: [
      (#"FATAL: could not open shared memory segment "/PostgreSQL.261": No such file or directory"#, "sharedMemory"),
      (#"could not resize shared memory segment "/PostgreSQL.1" to 8 bytes: No space left on device"#, "sharedMemory"),
      ("FATAL: could not map anonymous shared memory: Cannot allocate memory", "memory"),
      ("PANIC: could not write to file \"pg_wal/xlogtemp.7\": No space left on device", "storage"),
      ("could not extend file: wrote only 4096 of 8192 bytes HINT: Check free disk space.", "storage"),
      ("FATAL: data directory \"/d\" has invalid permissions", "files"),
      ("Can't chdir to '/d': Permission denied", "files"), ("something else", "other"),
    ])
  func causes(_ said: String, _ cause: String) {
    let failure = EngineFailure(said: said, folder: "/nowhere/at/all")
    #expect(failure.cause.rawValue == cause)
    #expect(failure.reason == said)
    #expect((failure.remedy == nil) == (cause == "other"))
  }

  @Test("a reason is one line that can be read, and the remedy stands behind it")
  func text() {
    let long = EngineFailure(.other, "FATAL:  no\n\tway " + String(repeating: "word ", count: 400))
    #expect(long.reason.hasPrefix("FATAL: no way word") && long.reason.hasSuffix("word…"))
    #expect(long.reason.count <= EngineFailure.reasonMax)
    #expect(EngineFailure(.files, "it is closed", remedy: "open it").description == "it is closed. What to do: open it")
  }

  @Test("what does not go away is certain at once, what may be chance after a few times")
  func certainty() {
    #expect(!EngineFailure(.parameters, "").isCertain(after: 0) && EngineFailure(.parameters, "").isCertain(after: 1))
    #expect(!EngineFailure(.files, "").isCertain(after: 3) && EngineFailure(.files, "").isCertain(after: 4))
  }

  @Test("the same failure of another process is no news")
  func news() {
    let first = EngineFailure(.other, "could not open /PostgreSQL.26195 as 17")
    #expect(first.isNews(after: nil))
    #expect(!EngineFailure(.other, "could not open /PostgreSQL.881 as 9").isNews(after: first))
    #expect(EngineFailure(.other, "could not close it").isNews(after: first))
    #expect(EngineFailure(.files, first.reason).isNews(after: first))
  }

  @Test("a program that cannot be run is told with what says how it is installed")
  func program() {
    let failure = EngineFailure(SupervisorError.startFailed(id: "a", stage: "exec", errno: ENOENT), folder: "/")
    #expect(failure.cause == .program && failure.remedy?.contains("castle doctor") == true)
    #expect(EngineFailure(SupervisorError.file(path: "/d", errno: ENOSPC), folder: "/").cause == .storage)
  }

  @Test("shared memory is looked for where PostgreSQL takes it, and each fault has a command that helps")
  func sharedMemory() throws {
    let folder = NSTemporaryDirectory() + "castle-shm-\(UUID().uuidString)"
    #expect(SharedMemory.check(folder)?.problem == "\(folder) is missing")
    #expect(SharedMemory.check(folder)?.remedy.contains("mount -t tmpfs") == true)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    chmod(folder, 0o1777)
    #expect(SharedMemory.check(folder) == nil)
    chmod(folder, 0o500)
    #expect(SharedMemory.check(folder)?.remedy == "chmod 1777 \(folder)")
  }
}
