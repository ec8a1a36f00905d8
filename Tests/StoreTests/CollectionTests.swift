// Documents in, documents out.

import FoundationEssentials
import Store
import Testing

import class GRDB.Database

@Suite struct CollectionTests {
  @Test("a record is there after its write, and gone after its deletion")
  func putGetDelete() async throws {
    try await withStore { store in
      let widget = Widget(id: "a", color: "red", size: 3)
      try await store.write { try $0.put(widget, here) }
      #expect(try await store.get(Widget.self, here, "a") == widget)
      #expect(try await store.read { try $0.get(Widget.self, here, "a") } == widget)
      #expect(try await store.get(Widget.self, elsewhere, "a") == nil)
      #expect(try await store.write { try $0.delete(Widget.self, here, "a") })
      #expect(try await store.write { try $0.delete(Widget.self, here, "a") } == false)
      #expect(try await store.get(Widget.self, here, "a") == nil)
      #expect(try await store.read { try $0.find(Widget.self, here, index: "color", "red") }.isEmpty)
    }
  }

  @Test("lists are ordered by id, page by page, and stay in their scope")
  func lists() async throws {
    try await withStore { store in
      try await store.write { transaction in
        for id in ["d", "b", "a", "c", "é"] { try transaction.put(Widget(id: id), here) }
        try transaction.put(Widget(id: "z"), elsewhere)
      }
      try await store.read { s in
        let all = try s.list(Widget.self, here).map(\.id)
        #expect(all == ["a", "b", "c", "d", "é"])
        #expect(try s.list(Widget.self, here, limit: 2).map(\.id) == ["a", "b"])
        #expect(try s.list(Widget.self, here, after: "b", limit: 2).map(\.id) == ["c", "d"])
        #expect(try s.list(Widget.self, here, after: "é").isEmpty)
        #expect(try s.list(Widget.self).map { "\($0.0.region) \($0.1.id)" }.first == "eu-west-1 z")
        #expect(try s.count(Widget.self, here) == 5)
        #expect(try s.count(Widget.self) == 6)
        #expect(try s.count(Gadget.self) == 0)
      }
    }
  }

  @Test("find follows the index through changes of a record")
  func finds() async throws {
    try await withStore { store in
      try await store.write { transaction in
        try transaction.put(Widget(id: "b", color: "red"), here)
        try transaction.put(Widget(id: "a", color: "red"), here)
        try transaction.put(Widget(id: "c", color: "blue"), here)
        try transaction.put(Widget(id: "x", color: "red"), elsewhere)
      }
      let red = try await store.read { try $0.find(Widget.self, here, index: "color", "red").map(\.id) }
      #expect(red == ["a", "b"])
      let everywhere = try await store.read { try $0.find(Widget.self, index: "color", "red").map(\.1.id) }
      #expect(everywhere == ["x", "a", "b"])
      try await store.write { try $0.put(Widget(id: "a", color: "blue"), here) }
      try await store.write { try $0.put(Widget(id: "b"), here) }
      let (noRed, blue) = try await store.read { s in
        (
          try s.find(Widget.self, here, index: "color", "red").map(\.id),
          try s.find(Widget.self, here, index: "color", "blue").map(\.id)
        )
      }
      #expect(noRed.isEmpty)
      #expect(blue == ["a", "c"])
    }
  }

  @Test("a transaction reads its own changes, and the decision is made inside")
  func readsItsOwnChanges() async throws {
    try await withStore { store in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<100 {
          group.addTask {
            try await store.write { transaction in
              var widget = try transaction.get(Widget.self, here, "n") ?? Widget(id: "n")
              widget.size += 1
              try transaction.put(widget, here)
              #expect(try transaction.get(Widget.self, here, "n") == widget)
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await store.get(Widget.self, here, "n")?.size == 100)
    }
  }

  @Test("numbers of a sequence have no gaps, per name and scope, and a failed write gives its number back")
  func sequences() async throws {
    try await withStore { store in
      let first = try await store.write { try $0.nextNumber("revision", here) }
      #expect(first == 1)
      #expect(try await store.write { try $0.nextNumber("revision", here) } == 2)
      #expect(try await store.write { try $0.nextNumber("revision", elsewhere) } == 1)
      #expect(try await store.write { try $0.nextNumber("event", here) } == 1)
      await #expect(throws: Refused.self) {
        try await store.write { transaction in
          _ = try transaction.nextNumber("revision", here)
          throw Refused()
        }
      }
      #expect(try await store.write { try $0.nextNumber("revision", here) } == 3)
      #expect(try await store.read { try $0.lastNumber("revision", here) } == 3)
      #expect(try await store.read { try $0.lastNumber("none", here) } == 0)
    }
  }

  @Test("empty ids, unknown and ill-named collections are refused by name")
  func refusals() async throws {
    struct Unregistered: Record {
      static let collection = "test.unregistered"
      var recordID: String { "a" }
    }
    struct IllNamed: Record {
      static let collection = "test\"; DROP TABLE x"
      var recordID: String { "a" }
    }
    try await withStore { store in
      #expect(await code { try await store.write { try $0.put(Widget(id: ""), here) } } == .invalidRecord)
      #expect(await code { try await store.write { try $0.put(Unregistered(), here) } } == .unknownCollection)
      #expect(await code { _ = try await store.get(Unregistered.self, here, "a") } == .unknownCollection)
    }
    try await withFolder { folder in
      #expect(await code { _ = try Store(directory: folder, collections: [IllNamed.self]) } == .invalidCollection)
      #expect(
        await code { _ = try Store(directory: folder, collections: [Widget.self, Widget.self]) } == .invalidCollection)
    }
  }

  @Test("a reset empties every table and keeps the store usable")
  func reset() async throws {
    try await withStore { store in
      try await store.migrate(named: "test/0001-own") {
        try $0.execute(sql: "CREATE TABLE own (id INTEGER PRIMARY KEY) STRICT; INSERT INTO own VALUES (1)")
      }
      try await store.write { transaction in
        for n in 0..<1000 { try transaction.put(Widget(id: "w\(n)", color: "red"), here) }
        _ = try transaction.nextNumber("n", here)
      }
      _ = try await store.get(Widget.self, here, "w1")
      try await store.removeEverything()
      #expect(try await store.get(Widget.self, here, "w1") == nil)
      try await store.read { s in
        let count = try s.count(Widget.self)
        #expect(count == 0)
        #expect(try s.find(Widget.self, index: "color", "red").isEmpty)
        #expect(try s.lastNumber("n", here) == 0)
        #expect(try Int.fetchOne(s.db, sql: "SELECT count(*) FROM own") == 0)
      }
      try await store.write { try $0.put(Widget(id: "again"), here) }
      #expect(try await store.get(Widget.self, here, "again") != nil)
    }
  }
}
