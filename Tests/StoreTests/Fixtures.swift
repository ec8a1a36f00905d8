// Record types and temporary stores for the store's tests.

import FoundationEssentials
import Store

/// The record that most tests keep.
struct Widget: Record, Hashable {
  static let collection = "test.widget"
  var id: String
  var color: String?
  var size = 0
  var recordID: String { id }
  var recordIndex: [String: String] { color.map { ["color": $0] } ?? [:] }
}

struct Gadget: Record, Hashable {
  static let collection = "test.gadget"
  var id: String
  var recordID: String { id }
}

let here = Scope(account: "111111111111", region: "us-east-1")
let elsewhere = Scope(account: "111111111111", region: "eu-west-1")

struct Refused: Error, Equatable {}

/// Runs a test in a folder of its own, which is removed afterwards.
func withFolder<T>(
  isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> T
) async throws -> T {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("castle-store-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try await body(folder.path)
}

/// Runs a test on a new store.
func withStore<T>(
  isolation: isolated (any Actor)? = #isolation,
  _ collections: [any Record.Type] = [Widget.self, Gadget.self], cacheBytesMax: Int = 1 << 20,
  _ body: (Store) async throws -> T
) async throws -> T {
  try await withFolder { folder in
    let store = try Store(directory: folder, collections: collections, cacheBytesMax: cacheBytesMax)
    let result: T
    do {
      result = try await body(store)
    } catch {
      try await store.close()
      throw error
    }
    try await store.close()
    return result
  }
}

/// The `StoreError` code that the body fails with, if it does.
func code(_ body: () async throws -> Void) async -> StoreError.Code? {
  do {
    try await body()
    return nil
  } catch {
    return (error as? StoreError)?.code
  }
}
