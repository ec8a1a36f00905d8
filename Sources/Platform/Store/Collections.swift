// The registered collections and their SQL, spelled once.

import FoundationEssentials

/// The statements of one collection.
struct CollectionSQL: Sendable {
  let name: String
  /// Quoted names, safe because `Collections.isValid` allows no quotes.
  let table: String
  let index: String
  let get: String
  let list: String
  let listEverywhere: String
  let find: String
  let findEverywhere: String
  let count: String
  let countEverywhere: String
  let put: String
  let delete: String
  let indexOf: String
  let indexPut: String
  let indexDelete: String

  init(_ name: String) {
    self.name = name
    table = "\"\(name)\""
    index = "\"\(name)#index\""
    let here = "account = ? AND region = ?"
    get = "SELECT revision, document FROM \(table) WHERE \(here) AND id = ?"
    list = "SELECT revision, document, id FROM \(table) WHERE \(here) AND id > ? ORDER BY id LIMIT ?"
    listEverywhere = "SELECT revision, document, id, account, region FROM \(table) ORDER BY account, region, id"
    let joined = "FROM \(index) i JOIN \(table) r USING (account, region, id) WHERE i.name = ? AND i.value = ?"
    find = "SELECT r.revision, r.document, r.id \(joined) AND i.account = ? AND i.region = ? ORDER BY r.id"
    findEverywhere =
      "SELECT r.revision, r.document, r.id, r.account, r.region \(joined) ORDER BY r.account, r.region, r.id"
    count = "SELECT count(*) FROM \(table) WHERE \(here)"
    countEverywhere = "SELECT count(*) FROM \(table)"
    put = """
      INSERT INTO \(table) (account, region, id, revision, document) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (account, region, id) DO UPDATE SET revision = excluded.revision, document = excluded.document
      """
    delete = "DELETE FROM \(table) WHERE \(here) AND id = ?"
    indexOf = "SELECT name, value FROM \(index) WHERE \(here) AND id = ?"
    indexPut = "INSERT INTO \(index) (name, value, account, region, id) VALUES (?, ?, ?, ?, ?)"
    indexDelete = "DELETE FROM \(index) WHERE name = ? AND value = ? AND \(here) AND id = ?"
  }

  /// Creates the two tables when they are not there yet.
  var schema: String {
    """
    CREATE TABLE IF NOT EXISTS \(table) (
      account TEXT NOT NULL,
      region TEXT NOT NULL,
      id TEXT NOT NULL CHECK (id <> ''),
      revision INTEGER NOT NULL,
      document TEXT NOT NULL,
      PRIMARY KEY (account, region, id)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS \(index) (
      name TEXT NOT NULL,
      value TEXT NOT NULL,
      account TEXT NOT NULL,
      region TEXT NOT NULL,
      id TEXT NOT NULL,
      PRIMARY KEY (name, value, account, region, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS "\(name)#record" ON \(index) (account, region, id);
    """
  }
}

/// All collections of a store, fixed when it opens.
struct Collections: Sendable {
  let types: [any Record.Type]
  private let byName: [String: CollectionSQL]

  init(_ types: [any Record.Type]) throws {
    var byName: [String: CollectionSQL] = [:]
    for type in types {
      let name = type.collection
      guard Self.isValid(name) else {
        throw StoreError(.invalidCollection, "The collection name \"\(name)\" of \(type) is not <service>.<noun>.")
      }
      guard byName.updateValue(CollectionSQL(name), forKey: name) == nil else {
        throw StoreError(.invalidCollection, "The collection \"\(name)\" is registered twice.")
      }
    }
    self.types = types
    self.byName = byName
  }

  var names: Set<String> { Set(byName.keys) }
  var all: [CollectionSQL] { byName.values.sorted { $0.name < $1.name } }

  func sql<R: Record>(_ type: R.Type) throws -> CollectionSQL {
    guard let sql = byName[R.collection] else {
      throw StoreError(
        .unknownCollection, "The collection \"\(R.collection)\" was not registered when the store was opened.")
    }
    return sql
  }

  private static func isValid(_ name: String) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count >= 2, name.utf8.count <= 100 else { return false }
    return parts.allSatisfy { part in
      !part.isEmpty
        && part.utf8.allSatisfy {
          (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
        }
    }
  }
}

/// JSON in and out, the same everywhere: sorted keys, so that an unchanged record gives the same bytes.
enum Document {
  private static let encoder: JSONEncoder = {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return encoder
  }()
  private static let decoder = JSONDecoder()

  static func encode<R: Record>(_ record: R) throws -> String {
    do {
      return String(decoding: try encoder.encode(record), as: UTF8.self)
    } catch {
      throw StoreError(.unencodable, "\(R.collection) \"\(record.recordID)\" cannot be written as JSON: \(error)")
    }
  }

  static func decode<R: Record>(_ type: R.Type, _ json: Data, scope: Scope, id: String) throws -> R {
    do {
      return try decoder.decode(type, from: json)
    } catch {
      throw StoreError(
        .undecodable, "\(R.collection) \"\(id)\" in \(scope) is not a readable \(R.self): \(error)")
    }
  }
}
