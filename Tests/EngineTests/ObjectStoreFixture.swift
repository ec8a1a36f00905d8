// A store in a folder of its own, for tests.

import AWSCore
import Disk
import Foundation
import ObjectStore
import Testing

/// Runs a test with an empty folder that is removed afterwards.
func withFolder<T>(_ body: (String) async throws -> T) async throws -> T {
  let folder = NSTemporaryDirectory() + "castle-engine-" + UUID().uuidString
  try Files.makeDirectory(folder)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try await body(folder)
}

/// Runs a test with an open store that has a bucket `b`.
func withStore<T>(
  versioning: Versioning = .off, _ body: (ObjectStore, String) async throws -> T
) async throws -> T {
  try await withFolder { folder in
    let store = try await ObjectStore.open(folder)
    try await store.createBucket("b", versioning: versioning, at: noon)
    let result = try await body(store, folder)
    try await store.close()
    return result
  }
}

let noon = Timestamp(milliseconds: 1_767_225_600_000)

/// Bytes that differ from seed to seed and from place to place.
func pattern(_ seed: Int, _ count: Int) -> [UInt8] {
  var state = UInt64(truncatingIfNeeded: seed) &* 0x9e37_79b9_7f4a_7c15 | 1
  return (0..<count).map { _ in
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return UInt8(truncatingIfNeeded: state >> 24)
  }
}

extension ObjectStore {
  func bytes(_ key: String, version: String? = nil, range: Range<Int>? = nil, key dataKey: DataKey? = nil) async throws
    -> [UInt8]
  {
    try await get(bucket: "b", key: key, versionID: version).body(range, key: dataKey).collect()
  }
}

/// Every file under a folder.
func filesUnder(_ folder: String) throws -> [String] {
  try Files.list(folder).flatMap { entry in
    entry.isDirectory ? try filesUnder("\(folder)/\(entry.name)") : ["\(folder)/\(entry.name)"]
  }
}

/// The files of large contents.
func blobFiles(_ folder: String) throws -> [String] { try filesUnder(folder).filter { $0.contains("/blobs-") } }
