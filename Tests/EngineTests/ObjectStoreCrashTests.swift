// What is acknowledged stays, and what is not leaves nothing: by faults at each step, and by killing.

import AWSCore
import Disk
import Foundation
import Glibc
import ObjectStore
import Synchronization
import Testing

private struct Fault: Error {}

@Suite("The object store, when it dies") struct ObjectStoreCrashTests {
  @Test(
    "a write that stops at any step leaves the former object and, after opening again, no file",
    arguments: WriteStep.allCases)
  func faults(step: WriteStep) async throws {
    try await withFolder { folder in
      let armed = Mutex(false)
      var store = try await ObjectStore.open(folder) { if $0 == step, armed.withLock({ $0 }) { throw Fault() } }
      try await store.createBucket("b", at: noon)
      let former = pattern(1, 100_000)
      try await store.put(former, bucket: "b", key: "k", at: noon)
      armed.withLock { $0 = true }
      await #expect(throws: Fault.self) { try await store.put(pattern(2, 400_000), bucket: "b", key: "k", at: noon) }
      #expect(try await store.bytes("k") == former)
      try await store.close()
      store = try await ObjectStore.open(folder)
      #expect(try await store.bytes("k") == former)
      #expect(try blobFiles(folder).count == 1)
      // Ids go on above everything that was there.
      try await store.put(pattern(3, 100_000), bucket: "b", key: "l", at: noon)
      #expect(try await store.bytes("k") == former)
      try await store.close()
    }
  }

  @Test("a folder is open once, and can be opened again after closing")
  func lock() async throws {
    try await withFolder { folder in
      let store = try await ObjectStore.open(folder)
      await #expect(throws: ObjectStoreError.inUse(folder)) { try await ObjectStore.open(folder) }
      try await store.close()
      await #expect(throws: (any Error).self) { try await store.createBucket("x", at: noon) }
      try await ObjectStore.open(folder).close()
    }
  }

  /// The child writes from several tasks, notes each key in a side file once it is acknowledged, and kills itself
  /// in the midst of it; the parent opens the folder and looks for every key noted.
  @Test("every object acknowledged before kill -9 is there, whole", .timeLimit(.minutes(1)))
  func killed() async throws {
    try await withFolder { folder in
      await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String] in
        try await writeUntilKilled(folder)
      }
      let noted = try String(contentsOfFile: folder + "/acknowledged", encoding: .utf8).split(separator: "\n")
      #expect(noted.count >= 150)
      let store = try await ObjectStore.open(folder + "/store")
      for line in noted {
        let numbers = line.split(separator: " ").compactMap { Int($0) }
        #expect(try await store.bytes("k\(numbers[0])") == pattern(numbers[0], numbers[1]))
      }
      let objects = try await store.list(bucket: "b", limit: 10_000).objects
      #expect(try blobFiles(folder + "/store").count == objects.count { $0.size > ObjectStore.inlineLimit })
      try await store.close()
    }
  }

  @Test("a hundred writers and readers of the same few keys see whole objects only")
  func concurrency() async throws {
    try await withStore { store, _ in
      for key in 0..<4 { try await store.put(pattern(0, 30_000), bucket: "b", key: "k\(key)", at: noon) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for i in 0..<100 {
          group.addTask {
            let size = [10, 30_000, 300_000][i % 3]
            if i % 2 == 0 {
              try await store.put(pattern(i, size), bucket: "b", key: "k\(i % 4)", at: noon)
            } else {
              let handle = try await store.get(bucket: "b", key: "k\(i % 4)")
              #expect(try await handle.body().collect().count == handle.record.size)
            }
          }
        }
        try await group.waitForAll()
      }
    }
  }
}

/// Acknowledged keys, one after the other; kills the process at the 150th.
private actor Acknowledgements {
  private var count = 0
  private let side: Int32

  init(_ path: String) { side = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600) }

  func note(_ line: String) {
    _ = line.withCString { write(side, $0, strlen($0)) }
    count += 1
    if count == 150 { kill(getpid(), SIGKILL) }
  }
}

private func writeUntilKilled(_ folder: String) async throws {
  let store = try await ObjectStore.open(folder + "/store")
  try await store.createBucket("b", at: noon)
  let acknowledged = Acknowledgements(folder + "/acknowledged")
  try await withThrowingTaskGroup(of: Void.self) { group in
    for task in 0..<8 {
      group.addTask {
        for i in 0... {
          let seed = task * 100_000 + i
          let size = i % 3 == 0 ? 40_000 : 500
          try await store.put(pattern(seed, size), bucket: "b", key: "k\(seed)", at: noon)
          await acknowledged.note("\(seed) \(size)\n")
        }
      }
    }
    try await group.waitForAll()
  }
}
