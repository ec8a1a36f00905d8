// The object store's contract: what is put comes back, byte by byte, or an error.

import AWSCore
import Foundation
import ObjectStore
import Testing

@Suite("The object store") struct ObjectStoreTests {
  @Test(
    "an object of any size comes back as it was put, with its MD5",
    arguments: [0, 1, 1000, 16_384, 16_385, 65_536, 65_537, 700_001])
  func roundTrip(size: Int) async throws {
    try await withStore { store, _ in
      let bytes = pattern(size, size)
      let attributes = ObjectAttributes(
        contentType: "text/plain", system: ["cache-control": "no-cache"], user: ["colour": "blå"], tags: ["a": ""],
        storageClass: "STANDARD_IA", checksums: ["CRC32": "abc="], checksumType: "FULL_OBJECT", encryption: [1, 0, 2],
        notes: ["n": "m"])
      let put = try await store.put(bytes, bucket: "b", key: "k/ä\u{0}.txt", attributes: attributes, at: noon)
      let got = try await store.get(bucket: "b", key: "k/ä\u{0}.txt")
      #expect(got.record == put)
      #expect(got.record.attributes == attributes)
      #expect(got.record.size == size && got.record.versionID == "null" && got.record.modified == noon)
      #expect(try await got.body().collect() == bytes)
      if size == 0 { #expect(put.etag == "d41d8cd98f00b204e9800998ecf8427e") }
    }
  }

  @Test("content streamed in odd pieces is the same content")
  func streaming() async throws {
    try await withStore { store, _ in
      let bytes = pattern(7, 1_000_003)
      let writer = store.writer(digests: ["COUNT": CountingDigest()])
      var at = 0
      var step = 1
      while at < bytes.count {
        try await writer.append(bytes[at..<min(bytes.count, at + step)])
        at += step
        step = step * 3 + 1
      }
      let content = try await writer.finish()
      #expect(content.size == bytes.count)
      #expect(content.checksums == ["COUNT": Data("1000003".utf8).base64EncodedString()])
      let whole = try await store.put(bytes, bucket: "b", key: "whole", at: noon)
      let put = try await store.put(content, bucket: "b", key: "pieces", at: noon)
      #expect(put.etag == whole.etag && put.attributes.checksums.keys.sorted() == ["COUNT"])
      #expect(try await store.bytes("pieces") == bytes)
    }
  }

  @Test("a range is the same bytes as in the whole, across blocks and chunks", arguments: [false, true])
  func ranges(encrypted: Bool) async throws {
    try await withStore { store, _ in
      let key = encrypted ? try DataKey(pattern(1, 32)) : nil
      let bytes = pattern(3, 600_000)
      try await store.put(bytes, bucket: "b", key: "k", encryption: key, at: noon)
      for range in [0..<1, 65_535..<65_537, 65_536..<131_072, 1..<600_000, 262_143..<262_146, 599_999..<600_000, 5..<5]
      {
        #expect(try await store.bytes("k", range: range, key: key) == Array(bytes[range]), "\(range)")
      }
      await #expect(throws: ObjectStoreError.invalidRange) { try await store.bytes("k", range: 0..<600_001) }
    }
  }

  @Test("encrypted content is not on the disk in the clear and opens with its key only", arguments: [100, 200_000])
  func encryption(size: Int) async throws {
    try await withStore { store, folder in
      let key = try DataKey(pattern(1, 32))
      let bytes = [UInt8](repeating: UInt8(ascii: "S"), count: size)
      try await store.put(bytes, bucket: "b", key: "k", encryption: key, at: noon)
      #expect(try await store.bytes("k", key: key) == bytes)
      await #expect(throws: ObjectStoreError.keyRequired) { try await store.bytes("k") }
      await #expect(throws: ObjectStoreError.self) { try await store.bytes("k", key: DataKey(pattern(2, 32))) }
      let clear = Data(repeating: UInt8(ascii: "S"), count: 50)
      for file in try filesUnder(folder) {
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)).range(of: clear) == nil, "\(file)")
      }
    }
  }

  @Test("a flipped byte is an error, wherever it is, and the untouched blocks still read", arguments: [false, true])
  func corruption(encrypted: Bool) async throws {
    try await withStore { store, folder in
      let key = encrypted ? try DataKey(pattern(1, 32)) : nil
      let bytes = pattern(3, 200_000)
      try await store.put(bytes, bucket: "b", key: "k", encryption: key, at: noon)
      let file = try #require(try blobFiles(folder).first)
      let good = try Data(contentsOf: URL(fileURLWithPath: file))
      for place in [0, 9, 16, 70_000, good.count - 1] {
        var bad = good
        bad[place] ^= 0x10
        try bad.write(to: URL(fileURLWithPath: file))
        await #expect(throws: ObjectStoreError.self, "byte \(place)") { try await store.bytes("k", key: key) }
      }
      var bad = good
      bad[150_000] ^= 1
      try bad.write(to: URL(fileURLWithPath: file))
      #expect(try await store.bytes("k", range: 0..<65_536, key: key) == Array(bytes[..<65_536]))
      try good.dropLast(10).write(to: URL(fileURLWithPath: file))
      await #expect(throws: ObjectStoreError.self) { try await store.bytes("k", key: key) }
      try FileManager.default.removeItem(atPath: file)
      await #expect(throws: ObjectStoreError.self) { try await store.bytes("k", key: key) }
    }
  }

  @Test("one of many who create the same key wins, and a stale etag loses")
  func conditions() async throws {
    try await withStore { store, _ in
      let wins = try await withThrowingTaskGroup(of: Bool.self) { group in
        for i in 0..<20 {
          group.addTask {
            do {
              try await store.put(pattern(i, 40_000 * (i % 2) + 1), bucket: "b", key: "k", condition: .absent, at: noon)
              return true
            } catch ObjectStoreError.preconditionFailed { return false }
          }
        }
        return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
      }
      #expect(wins == 1)
      let first = try await store.head(bucket: "b", key: "k")
      let second = try await store.put([1], bucket: "b", key: "k", condition: .matches(first.etag), at: noon)
      await #expect(throws: ObjectStoreError.preconditionFailed) {
        try await store.put([2], bucket: "b", key: "k", condition: .matches(first.etag), at: noon)
      }
      await #expect(throws: ObjectStoreError.noSuchKey(deleteMarker: nil)) {
        try await store.put([2], bucket: "b", key: "other", condition: .matches(first.etag), at: noon)
      }
      #expect(try await store.head(bucket: "b", key: "k") == second)
    }
  }

  @Test("a replaced object's file goes, but not under a reader")
  func replacement() async throws {
    try await withStore { store, folder in
      let old = pattern(1, 900_000)
      try await store.put(old, bucket: "b", key: "k", at: noon)
      var handle: ObjectHandle? = try await store.get(bucket: "b", key: "k")
      let new = try await store.put([1, 2, 3], bucket: "b", key: "k", at: noon)
      #expect(try await handle?.body().collect() == old)
      #expect(try await store.bytes("k") == [1, 2, 3])
      #expect(new.size == 3)
      handle = nil
      try await store.idle()
      #expect(try blobFiles(folder) == [])
    }
  }

  @Test("content that is not put, and a writer that is dropped, leave nothing", .timeLimit(.minutes(1)))
  func abandoned() async throws {
    try await withStore { store, folder in
      do {
        let writer = store.writer()
        try await writer.append(pattern(1, 300_000))
        _ = try await store.stage(pattern(1, 300_000))
        let content = try await store.stage(pattern(1, 300_000))
        await #expect(throws: ObjectStoreError.noSuchBucket) {
          try await store.put(content, bucket: "no", key: "k", at: noon)
        }
      }
      // The committer's thread may hold the refused write, and with it the content, a moment longer than its caller.
      repeat { try await store.idle() } while try !blobFiles(folder).isEmpty
    }
  }

  @Test("with versions, puts and deletes keep what was there, and removing a version brings back the one before")
  func versions() async throws {
    try await withStore(versioning: .enabled) { store, _ in
      let one = try await store.put([1], bucket: "b", key: "k", at: noon)
      let two = try await store.put([2], bucket: "b", key: "k", at: noon)
      let gone = try await store.delete(bucket: "b", key: "k", at: noon)
      #expect(gone.isDeleteMarker && gone.existed)
      let marker = try #require(gone.versionID)
      await #expect(throws: ObjectStoreError.noSuchKey(deleteMarker: marker)) { try await store.bytes("k") }
      await #expect(throws: ObjectStoreError.isDeleteMarker(versionID: marker)) {
        try await store.bytes("k", version: marker)
      }
      #expect(try await store.list(bucket: "b").objects.isEmpty)
      #expect(try await store.bytes("k", version: one.versionID) == [1])
      let listed = try await store.listVersions(bucket: "b").versions
      #expect(listed.map(\.versionID) == [marker, two.versionID, one.versionID])
      #expect(listed.map(\.isLatest) == [true, false, false])
      try await store.delete(bucket: "b", key: "k", versionID: marker, at: noon)
      #expect(try await store.bytes("k") == [2])
      #expect(try await store.list(bucket: "b").objects.map(\.versionID) == [two.versionID])
      try await store.delete(bucket: "b", key: "k", versionID: two.versionID, at: noon)
      #expect(try await store.bytes("k") == [1])
      await #expect(throws: ObjectStoreError.noSuchVersion) { try await store.bytes("k", version: two.versionID) }
      await #expect(throws: ObjectStoreError.bucketNotEmpty) { try await store.deleteBucket("b") }
    }
  }

  @Test("suspended versioning replaces the null version and leaves the others")
  func suspended() async throws {
    try await withStore { store, _ in
      try await store.put([0], bucket: "b", key: "k", at: noon)
      try await store.updateBucket("b") { $0.versioning = .enabled }
      let kept = try await store.put([1], bucket: "b", key: "k", at: noon)
      try await store.updateBucket("b") { $0.versioning = .suspended }
      try await store.put([2], bucket: "b", key: "k", at: noon)
      try await store.put([3], bucket: "b", key: "k", at: noon)
      #expect(try await store.listVersions(bucket: "b").versions.map(\.versionID) == ["null", kept.versionID])
      #expect(try await store.bytes("k") == [3])
      let gone = try await store.delete(bucket: "b", key: "k", at: noon)
      #expect(gone.versionID == "null" && gone.isDeleteMarker && gone.existed)
      try await store.delete(bucket: "b", key: "k", versionID: "null", at: noon)
      #expect(try await store.bytes("k") == [1])
    }
  }

  @Test("many deletes are one transaction with a result each")
  func batchDelete() async throws {
    try await withStore { store, folder in
      for i in 0..<5 { try await store.put(pattern(i, 20_000), bucket: "b", key: "k\(i)", at: noon) }
      let results = try await store.delete(
        bucket: "b", (0..<6).map { ("k\($0)", nil) } + [("", nil)], at: noon)
      #expect(results.map { (try? $0.get())?.existed } == [true, true, true, true, true, false, nil])
      try await store.idle()
      #expect(try blobFiles(folder) == [])
    }
  }

  @Test("a copy shares the bytes, and outlives its source; an object can be copied onto itself")
  func copy() async throws {
    try await withStore { store, folder in
      let bytes = pattern(4, 100_000)
      let source = try await store.put(bytes, bucket: "b", key: "a", at: noon)
      let handle = try await store.get(bucket: "b", key: "a")
      let later = noon.adding(seconds: 5)
      let copied = try await store.copy(
        handle, bucket: "b", key: "c", attributes: ObjectAttributes(contentType: "x/y"), at: later)
      #expect(copied.etag == source.etag && copied.modified == later && copied.attributes.contentType == "x/y")
      try await store.copy(handle, bucket: "b", key: "a", attributes: ObjectAttributes(user: ["u": "v"]), at: later)
      #expect(try await store.head(bucket: "b", key: "a").attributes.user == ["u": "v"])
      #expect(try blobFiles(folder).count == 1)
      try await store.delete(bucket: "b", key: "a", at: noon)
      #expect(try await store.bytes("c") == bytes)
      try await store.delete(bucket: "b", key: "c", at: noon)
      await #expect(throws: ObjectStoreError.sourceChanged) {
        try await store.copy(handle, bucket: "b", key: "d", attributes: ObjectAttributes(), at: noon)
      }
    }
  }

  @Test("tags and notes change in place")
  func update() async throws {
    try await withStore { store, _ in
      let put = try await store.put([1], bucket: "b", key: "k", at: noon)
      try await store.update(bucket: "b", key: "k") { $0.tags = ["a": "b"] }
      var expected = put
      expected.attributes.tags = ["a": "b"]
      #expect(try await store.head(bucket: "b", key: "k") == expected)
    }
  }

  @Test("buckets have one name each, a document, and their own keys")
  func buckets() async throws {
    try await withStore { store, _ in
      let made = try await store.createBucket("a", configuration: [9, 8], at: noon)
      await #expect(throws: ObjectStoreError.bucketExists) { try await store.createBucket("a", at: noon) }
      #expect(try await store.buckets().map(\.name) == ["a", "b"])
      #expect(try await store.bucket("a") == made)
      try await store.updateBucket("a") { $0.configuration = [7] }
      #expect(try await store.bucket("a")?.configuration == [7])
      try await store.put([1], bucket: "b", key: "k", at: noon)
      await #expect(throws: ObjectStoreError.noSuchKey(deleteMarker: nil)) {
        try await store.head(bucket: "a", key: "k")
      }
      #expect(try await store.usage("b") == (1, 1))
      try await store.deleteBucket("a")
      #expect(try await store.bucket("a") == nil)
      await #expect(throws: ObjectStoreError.noSuchBucket) { try await store.list(bucket: "a") }
    }
  }

  @Test("keys are 1 to 1,024 bytes")
  func keys() async throws {
    try await withStore { store, _ in
      try await store.put([1], bucket: "b", key: String(repeating: "ä", count: 512), at: noon)
      for key in ["", String(repeating: "x", count: 1025)] {
        await #expect(throws: ObjectStoreError.invalidKey) { try await store.put([1], bucket: "b", key: key, at: noon) }
      }
      // The same to a reader of Unicode, but not the same bytes.
      try await store.put([2], bucket: "b", key: "\u{e9}", at: noon)
      try await store.put([3], bucket: "b", key: "e\u{301}", at: noon)
      #expect(try await store.bytes("\u{e9}") == [2])
      try await store.put([4], bucket: "b", key: "../../etc/passwd", at: noon)
      #expect(try await store.bytes("../../etc/passwd") == [4])
    }
  }

  @Test("removing everything leaves a store that works")
  func reset() async throws {
    try await withStore { store, folder in
      for i in 0..<20 { try await store.put(pattern(i, i * 5000), bucket: "b", key: "k\(i)", at: noon) }
      let stale = try await store.stage(pattern(1, 50_000))
      try await store.removeEverything()
      #expect(try await store.buckets() == [])
      try await store.createBucket("b", at: noon)
      await #expect(throws: ObjectStoreError.wasReset) { try await store.put(stale, bucket: "b", key: "k", at: noon) }
      try await store.put(pattern(1, 50_000), bucket: "b", key: "k", at: noon)
      #expect(try await store.bytes("k") == pattern(1, 50_000))
      try await store.idle()
      #expect(try blobFiles(folder).count == 1)
    }
  }
}

/// Not a checksum at all; shows that the bytes go by.
private struct CountingDigest: ContentDigest {
  private var count = 0
  mutating func update(_ bytes: UnsafeRawBufferPointer) { count += bytes.count }
  mutating func finish() -> [UInt8] { Array("\(count)".utf8) }
}
