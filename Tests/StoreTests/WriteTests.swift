// Group commit, isolation, the cache and the change streams.

import FoundationEssentials
import Glibc
import Store
import Synchronization
import Testing

import class GRDB.Database

/// What has been acknowledged so far, for several tasks.
private final class Watermark: Sendable {
  let value = Atomic(0)
}

@Suite struct WriteTests {
  @Test("a write that throws undoes only itself, among writes that share its commit")
  func savepointIsolation() async throws {
    try await withStore { store in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for n in 0..<200 {
          group.addTask {
            do {
              try await store.write { transaction in
                try transaction.put(Widget(id: "w\(n)", size: n), here)
                if n % 3 == 0 { throw Refused() }
              }
              #expect(n % 3 != 0)
            } catch is Refused {
              #expect(n % 3 == 0)
            }
            #expect(try await store.get(Widget.self, here, "w\(n)")?.size == (n % 3 == 0 ? nil : n))
          }
        }
        try await group.waitForAll()
      }
      #expect(try await store.read { try $0.count(Widget.self) } == (0..<200).count { $0 % 3 != 0 })
    }
  }

  @Test("an error of SQLite in one write leaves the others alone")
  func sqlErrors() async throws {
    try await withStore { store in
      async let good: Void = store.write { try $0.put(Widget(id: "good"), here) }
      await #expect(throws: (any Error).self) {
        try await store.write { transaction in
          try transaction.put(Widget(id: "bad"), here)
          try transaction.db.execute(sql: "INSERT INTO nowhere VALUES (1)")
        }
      }
      try await good
      #expect(try await store.read { try $0.list(Widget.self, here).map(\.id) } == ["good"])
    }
  }

  @Test("a closure that ends the group's transaction fails, and the next write works")
  func abortedTransaction() async throws {
    try await withStore { store in
      await #expect(throws: (any Error).self) {
        try await store.write { transaction in
          try transaction.put(Widget(id: "lost"), here)
          try transaction.db.execute(sql: "ROLLBACK")
        }
      }
      #expect(try await store.get(Widget.self, here, "lost") == nil)
      try await store.write { try $0.put(Widget(id: "kept"), here) }
      #expect(try await store.get(Widget.self, here, "kept") != nil)
    }
  }

  @Test("a read never goes back in time, and sees every acknowledged write", arguments: [2, 1 << 20])
  func linearizableReads(cacheBytesMax: Int) async throws {
    try await withStore(cacheBytesMax: cacheBytesMax) { store in
      let acknowledged = Watermark()
      let rounds = 150
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          for n in 1...rounds {
            try await store.write { try $0.put(Widget(id: "x", size: n), here) }
            acknowledged.value.store(n, ordering: .sequentiallyConsistent)
            #expect(try await store.get(Widget.self, here, "x")?.size == n)
          }
        }
        for reader in 0..<3 {
          group.addTask {
            var last = 0
            while last < rounds {
              let least = max(last, acknowledged.value.load(ordering: .sequentiallyConsistent))
              let seen =
                reader == 0
                ? try await store.read { try $0.get(Widget.self, here, "x")?.size } ?? 0
                : try await store.get(Widget.self, here, "x")?.size ?? 0
              #expect(seen >= least)
              last = seen
              await Task.yield()
            }
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test("a snapshot stands still while writes go on")
  func snapshotIsolation() async throws {
    try await withStore { store in
      try await store.write { try $0.put(Widget(id: "x", size: 1), here) }
      let (entered, enter) = AsyncStream.makeStream(of: Void.self)
      let mayLeave = Mutex(false)
      async let both = store.read { s in
        let before = try s.get(Widget.self, here, "x")?.size
        enter.finish()
        while !mayLeave.withLock({ $0 }) { sched_yield() }
        return [before, try s.get(Widget.self, here, "x")?.size]
      }
      for await _ in entered {}
      try await store.write { try $0.put(Widget(id: "x", size: 2), here) }
      #expect(try await store.get(Widget.self, here, "x")?.size == 2)
      mayLeave.withLock { $0 = true }
      #expect(try await both == [1, 1])
      #expect(try await store.get(Widget.self, here, "x")?.size == 2)
    }
  }

  @Test("a subscriber is woken by its own collections, and busy times are joined into one batch")
  func changeStreams() async throws {
    try await withStore { store in
      var widgets = store.changes(in: ["test.widget"]).makeAsyncIterator()
      var both = store.changes(in: ["test.widget", "test.gadget", "logs.stream"]).makeAsyncIterator()
      try await store.write { try $0.put(Gadget(id: "g"), here) }
      try await store.write { try $0.put(Widget(id: "a"), here) }
      try await store.write { $0.noteChange(in: "logs.stream") }
      #expect(await widgets.next()?.collections == ["test.widget"])
      #expect(await both.next()?.collections == ["test.widget", "test.gadget", "logs.stream"])

      // Neither a failed nor an empty write wakes anybody: the next batch is the deletion's.
      _ = try? await store.write { transaction in
        try transaction.put(Widget(id: "b"), here)
        throw Refused()
      }
      try await store.write { try $0.put(Widget(id: "a"), here) }
      try await store.write { try $0.delete(Gadget.self, here, "g") }
      #expect(await both.next()?.collections == ["test.gadget"])
      try await store.removeEverything()
      #expect(await widgets.next()?.collections == ["test.widget"])
    }
  }

  @Test("after every commit comes a wake-up, however fast the commits are")
  func noLostWakeUps() async throws {
    try await withStore { store in
      let stream = store.changes(in: ["test.widget"])
      async let reconciled: Int = {
        for await _ in stream {
          let count = try await store.read { try $0.count(Widget.self) }
          if count == 300 { return count }
        }
        return -1
      }()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for n in 0..<300 { group.addTask { try await store.write { try $0.put(Widget(id: "w\(n)"), here) } } }
        try await group.waitForAll()
      }
      #expect(try await reconciled == 300)
    }
  }

  @Test("closing ends the streams and lets the folder be opened again at once")
  func closing() async throws {
    try await withFolder { folder in
      let store = try Store(directory: folder, collections: [Widget.self])
      #expect(await code { _ = try Store(directory: folder, collections: [Widget.self]) } == .alreadyOpen)
      var stream = store.changes(in: ["test.widget"]).makeAsyncIterator()
      try await store.close()
      #expect(await stream.next() == nil)
      await #expect(throws: (any Error).self) { try await store.write { try $0.put(Widget(id: "a"), here) } }
      try await Store(directory: folder, collections: [Widget.self]).close()
    }
  }
}
