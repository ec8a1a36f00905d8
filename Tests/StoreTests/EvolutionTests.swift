// What happens to a store over the years: reopening, new shapes, migrations, keys.

import FoundationEssentials
import Store
import Testing

import class GRDB.Database

/// `Widget` as a later version might have it.
private struct WidgetLater: Record {
  static let collection = "test.widget"
  static let indexVersion = 2
  var id: String
  var size: Int
  var weight: Double?
  var recordID: String { id }
  var recordIndex: [String: String] { ["size": "\(size)"] }
}

private struct WidgetChanged: Record {
  static let collection = "test.widget"
  var id: String
  var owner: String
  var recordID: String { id }
}

private struct Keyed: Record, Hashable {
  static let collection = "test.keyed"
  var id: String
  var material: SealedBytes
  var recordID: String { id }
}

@Suite struct EvolutionTests {
  private func open(_ folder: String, _ types: any Record.Type...) throws -> Store {
    try Store(directory: folder, collections: types)
  }

  @Test("what was acknowledged is there after reopening, synchronous is FULL and the journal a WAL")
  func reopening() async throws {
    try await withFolder { folder in
      var store = try open(folder, Widget.self)
      try await store.write { transaction in
        try transaction.put(Widget(id: "a", color: "red", size: 1), here)
        _ = try transaction.nextNumber("n", here)
        #expect(try Int.fetchOne(transaction.db, sql: "PRAGMA synchronous") == 2)
        #expect(try String.fetchOne(transaction.db, sql: "PRAGMA journal_mode") == "wal")
      }
      try await store.close()
      store = try open(folder, Widget.self)
      #expect(try await store.get(Widget.self, here, "a") == Widget(id: "a", color: "red", size: 1))
      #expect(try await store.write { try $0.nextNumber("n", here) } == 2)
      try await store.close()
    }
  }

  @Test("a new optional property decodes as nil, a new index is filled, and a new collection appears")
  func additions() async throws {
    try await withFolder { folder in
      var store = try open(folder, Widget.self)
      try await store.write { try $0.put(Widget(id: "a", color: "red", size: 7), here) }
      try await store.close()
      store = try open(folder, WidgetLater.self, Gadget.self)
      let found = try await store.read { try $0.find(WidgetLater.self, here, index: "size", "7") }
      #expect(found.map(\.id) == ["a"])
      #expect(found.first?.weight == nil)
      #expect(try await store.read { try $0.find(WidgetLater.self, here, index: "color", "red") }.isEmpty)
      try await store.write { try $0.put(Gadget(id: "g"), here) }
      try await store.close()
    }
  }

  @Test("a document that does not decode is an error that names collection and id")
  func undecodable() async throws {
    try await withFolder { folder in
      var store = try open(folder, Widget.self)
      try await store.write { try $0.put(Widget(id: "broken-one"), here) }
      try await store.close()
      store = try open(folder, WidgetChanged.self)
      let error = await #expect(throws: StoreError.self) { try await store.get(WidgetChanged.self, here, "broken-one") }
      #expect(error?.code == .undecodable)
      #expect(error?.message.contains("test.widget \"broken-one\"") == true)
      #expect(error?.message.contains("owner") == true)
      try await store.close()
    }
  }

  @Test("a migration runs once in the file's life, and not at all when it throws")
  func migrations() async throws {
    try await withFolder { folder in
      var store = try open(folder, Widget.self)
      await #expect(throws: Refused.self) {
        try await store.migrate(named: "test/0001-own") { db in
          try db.execute(sql: "CREATE TABLE own (id INTEGER PRIMARY KEY) STRICT")
          throw Refused()
        }
      }
      for _ in 0..<2 {
        try await store.migrate(named: "test/0001-own") { db in
          try db.execute(sql: "CREATE TABLE own (id INTEGER PRIMARY KEY) STRICT; INSERT INTO own VALUES (42)")
        }
        #expect(try await store.read { try Int.fetchAll($0.db, sql: "SELECT id FROM own") } == [42])
        try await store.close()
        store = try open(folder, Widget.self)
      }
      try await store.write { try $0.put(Widget(id: "a", size: 1), here) }
      _ = try await store.get(Widget.self, here, "a")
      try await store.migrateRecords(named: "test/0002-grow") { transaction in
        for (scope, widget) in try transaction.list(Widget.self) {
          try transaction.put(Widget(id: widget.id, size: widget.size + 10), scope)
        }
      }
      #expect(try await store.get(Widget.self, here, "a")?.size == 11)
      try await store.close()
    }
  }

  @Test("a file of a newer Castle is refused")
  func newerFormat() async throws {
    try await withFolder { folder in
      let store = try open(folder, Widget.self)
      try await store.migrate(named: "store/9999-future") { _ in }
      try await store.close()
      #expect(await code { _ = try open(folder, Widget.self) } == .newerFormat)
    }
  }

  @Test("sealed data opens only unchanged, in its own context, under its own key")
  func sealing() async throws {
    try await withStore([Keyed.self]) { store in
      let secret: [UInt8] = Array("correct horse".utf8)
      let record = Keyed(id: "k", material: try SealedBytes(secret, sealer: store.sealer, context: "test.keyed/k"))
      try await store.write { try $0.put(record, here) }
      let read = try #require(try await store.get(Keyed.self, here, "k"))
      #expect(read == record)
      #expect(try read.material.open(store.sealer, context: "test.keyed/k") == secret)
      #expect(await code { _ = try read.material.open(store.sealer, context: "test.keyed/other") } == .sealBroken)
      let other = try Sealer(rootKey: [UInt8](repeating: 7, count: 32))
      #expect(await code { _ = try read.material.open(other, context: "test.keyed/k") } == .sealBroken)
      for index in read.material.sealed.indices {
        var changed = read.material
        changed.sealed[index] ^= 1
        #expect(await code { _ = try changed.open(store.sealer, context: "test.keyed/k") } == .sealBroken)
      }
      #expect(try store.sealer.seal([], context: "x") != store.sealer.seal([], context: "x"))
      #expect(try store.sealer.open(store.sealer.seal([], context: "x"), context: "x") == [])
      #expect(await code { _ = try store.sealer.open([], context: "x") } == .sealBroken)
    }
  }

  @Test("a wrong, missing, cut or exposed root key is told apart, and the right one opens the store again")
  func rootKeys() async throws {
    try await withFolder { folder in
      let path = "\(folder)/root.key"
      let files = FileManager.default
      try await open(folder, Widget.self).close()
      let key = try #require(files.contents(atPath: path))
      #expect(key.count == 32)
      #expect(try files.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)

      func replace(_ bytes: Data, mode: Int = 0o600) throws {
        try bytes.write(to: URL(fileURLWithPath: path))
        try files.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
      }
      try replace(Data(repeating: 9, count: 32))
      let error = #expect(throws: StoreError.self) { _ = try open(folder, Widget.self) }
      #expect(error?.code == .rootKeyWrong)
      #expect(error?.message.contains(path) == true)
      try replace(key.prefix(20))
      #expect(await code { _ = try open(folder, Widget.self) } == .rootKeyMalformed)
      try replace(key, mode: 0o644)
      #expect(await code { _ = try open(folder, Widget.self) } == .rootKeyExposed)
      try files.removeItem(atPath: path)
      #expect(await code { _ = try open(folder, Widget.self) } == .rootKeyMissing)
      try replace(key)
      try await open(folder, Widget.self).close()
    }
  }
}
