// Lists and multipart uploads.

import AWSCore
import ObjectStore
import Testing

@Suite("The object store's lists") struct ObjectStoreListTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var prefix = ""
    var delimiter = ""
    var after: String?
    var objects: [String]
    var prefixes: [String] = []
    var testDescription: String { "prefix '\(prefix)' delimiter '\(delimiter)' after '\(after ?? "")'" }
  }

  static let keys = ["a", "a/b", "a/c/d", "a/c/e", "a0", "b//x", "b/y", "ba", "c", "ü/1", "ü/2"]

  static let cases: [Case] = [
    Case(objects: keys),
    Case(delimiter: "/", objects: ["a", "a0", "ba", "c"], prefixes: ["a/", "b/", "ü/"]),
    Case(prefix: "a/", delimiter: "/", objects: ["a/b"], prefixes: ["a/c/"]),
    Case(prefix: "a", delimiter: "/", objects: ["a", "a0"], prefixes: ["a/"]),
    Case(prefix: "b/", delimiter: "/", objects: ["b/y"], prefixes: ["b//"]),
    Case(prefix: "b", objects: ["b//x", "b/y", "ba"]),
    Case(delimiter: "/", after: "a/", objects: ["a0", "ba", "c"], prefixes: ["b/", "ü/"]),
    Case(delimiter: "/", after: "a/b", objects: ["a0", "ba", "c"], prefixes: ["a/", "b/", "ü/"]),
    Case(prefix: "a/", after: "a/b", objects: ["a/c/d", "a/c/e"]),
    Case(prefix: "a/c", after: "a", objects: ["a/c/d", "a/c/e"]),
    Case(delimiter: "c/", objects: ["a", "a/b", "a0", "b//x", "b/y", "ba", "c", "ü/1", "ü/2"], prefixes: ["a/c/"]),
    Case(prefix: "x", objects: []),
    Case(after: "ü/1", objects: ["ü/2"]),
    Case(after: "\u{10ffff}", objects: []),
  ]

  @Test("keys and common prefixes are the same in one page and in pages of every size", arguments: cases)
  func list(_ c: Case) async throws {
    try await withStore { store, _ in
      for key in Self.keys.shuffled() { try await store.put([], bucket: "b", key: key, at: noon) }
      for limit in [1, 2, 3, 1000] {
        var objects: [String] = []
        var prefixes: [String] = []
        var versions: [String] = []
        var after = c.after
        var pages = 0
        repeat {
          let page = try await store.list(
            bucket: "b", prefix: c.prefix, delimiter: c.delimiter, after: after, limit: limit)
          #expect(page.objects.count + page.commonPrefixes.count <= limit)
          objects += page.objects.map(\.key)
          prefixes += page.commonPrefixes
          after = page.next
          pages += 1
        } while after != nil && pages < 30
        #expect(objects == c.objects && prefixes == c.prefixes, "limit \(limit)")
        let total = c.objects.count + c.prefixes.count
        #expect(pages == max(1, (total + limit - 1) / limit))

        var position = c.after.map { VersionPage.Position(key: $0) }
        repeat {
          let page = try await store.listVersions(
            bucket: "b", prefix: c.prefix, delimiter: c.delimiter, after: position, limit: limit)
          versions += page.versions.map(\.key)
          position = page.next
          pages += 1
        } while position != nil && pages < 60
        #expect(versions == c.objects, "limit \(limit)")
      }
    }
  }

  @Test("versions page through one key's many and go on with the next key")
  func versionPages() async throws {
    try await withStore(versioning: .enabled) { store, _ in
      var expected: [String] = []
      for key in ["a", "b", "c"] {
        var made: [String] = []
        for i in 0..<5 { made.append(try await store.put([UInt8(i)], bucket: "b", key: key, at: noon).versionID) }
        if key == "b" { made.append(try await store.delete(bucket: "b", key: key, at: noon).versionID ?? "") }
        expected += made.reversed()
      }
      for limit in 1...7 {
        var seen: [String] = []
        var latest = 0
        var position: VersionPage.Position?
        repeat {
          let page = try await store.listVersions(bucket: "b", after: position, limit: limit)
          seen += page.versions.map(\.versionID)
          latest += page.versions.count(where: \.isLatest)
          position = page.next
        } while position != nil && seen.count < 50
        #expect(seen == expected && latest == 3, "limit \(limit)")
      }
      #expect(try await store.list(bucket: "b").objects.map(\.key) == ["a", "c"])
    }
  }

  @Test("many keys under a few common prefixes are a few entries of a page")
  func prefixes() async throws {
    try await withStore { store, _ in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for i in 0..<3000 {
          group.addTask { try await store.put([], bucket: "b", key: "logs/\(i % 3)/\(i)", at: noon) }
        }
        try await group.waitForAll()
      }
      let deep = try await store.list(bucket: "b", prefix: "logs/", delimiter: "/")
      #expect(deep.commonPrefixes == ["logs/0/", "logs/1/", "logs/2/"] && deep.next == nil)
      let top = try await store.list(bucket: "b", delimiter: "/")
      #expect(top.commonPrefixes == ["logs/"] && top.next == nil)
      #expect(try await store.list(bucket: "b", limit: 3000).objects.count == 3000)
    }
  }

  // MARK: Multipart

  func part(_ store: ObjectStore, _ upload: String, _ number: Int, _ bytes: [UInt8]) async throws -> PartRecord {
    try await store.putPart(store.stage(bytes), bucket: "b", key: "k", uploadID: upload, number: number, at: noon)
  }

  @Test("parts become one object in order of their numbers, with ranges across them")
  func multipart() async throws {
    try await withStore { store, folder in
      try await store.put(pattern(0, 50_000), bucket: "b", key: "k", at: noon)
      let upload = try await store.createUpload(
        bucket: "b", key: "k", attributes: ObjectAttributes(contentType: "a/b"), at: noon)
      let id = upload.uploadID
      let three = try await part(store, id, 30, pattern(3, 1000))
      _ = try await part(store, id, 1, pattern(9, 90_000))
      let one = try await part(store, id, 1, pattern(1, 100_000))
      let two = try await part(store, id, 2, pattern(2, 70_000))
      _ = try await part(store, id, 40, pattern(4, 70_000))
      #expect(try await store.parts(bucket: "b", key: "k", uploadID: id).map(\.number) == [1, 2, 30, 40])
      #expect(try await store.parts(bucket: "b", key: "k", uploadID: id, after: 2, limit: 1) == [three])
      #expect(try await store.uploads(bucket: "b").uploads == [upload])
      #expect(try await store.bytes("k") == pattern(0, 50_000))

      let done = try await store.complete(
        id, bucket: "b", key: "k",
        parts: [one, two, three].map { CompletedPart(number: $0.number, etag: $0.etag) }, minimumPartSize: 60_000,
        at: noon
      ) { attributes, parts in attributes.checksums["COUNT"] = "\(parts.count)" }
      let all = pattern(1, 100_000) + pattern(2, 70_000) + pattern(3, 1000)
      #expect(done.size == all.count && done.etag.hasSuffix("-3") && done.partCount == 3)
      #expect(done.attributes.contentType == "a/b" && done.attributes.checksums == ["COUNT": "3"])
      let handle = try await store.get(bucket: "b", key: "k")
      #expect(handle.parts.map(\.size) == [100_000, 70_000, 1000])
      #expect(handle.range(ofPartAt: 1) == 100_000..<170_000)
      #expect(try await handle.body().collect() == all)
      for range in [99_999..<100_001, 169_999..<170_500, 65_000..<171_000, 170_000..<170_000] {
        #expect(try await handle.body(range).collect() == Array(all[range]))
      }
      await #expect(throws: ObjectStoreError.noSuchUpload) { try await store.abort(id, bucket: "b", key: "k") }
      try await store.idle()
      #expect(try blobFiles(folder).count == 2)

      try await store.copy(handle, bucket: "b", key: "copy", attributes: ObjectAttributes(), at: noon)
      try await store.delete(bucket: "b", key: "k", at: noon)
      #expect(try await store.bytes("copy") == all)
      try await store.delete(bucket: "b", key: "copy", at: noon)
      _ = consume handle
      try await store.idle()
      #expect(try blobFiles(folder) == [])
    }
  }

  @Test("the etag of a multipart object is the MD5 of its parts' MD5s and their number")
  func multipartETag() async throws {
    try await withStore { store, _ in
      let id = try await store.createUpload(bucket: "b", key: "k", at: noon).uploadID
      _ = try await part(store, id, 1, [])
      let done = try await store.complete(id, bucket: "b", key: "k", parts: [CompletedPart(number: 1)], at: noon)
      #expect(done.etag == "59adb24ef3cdbe0297f05b395827453f-1")
    }
  }

  @Test("a list of parts that does not fit what was uploaded is refused and changes nothing")
  func badCompletion() async throws {
    try await withStore { store, folder in
      let id = try await store.createUpload(bucket: "b", key: "k", at: noon).uploadID
      let one = try await part(store, id, 1, pattern(1, 20_000))
      let two = try await part(store, id, 2, pattern(2, 20_000))
      let bad: [([CompletedPart], ObjectStoreError)] = [
        ([], .invalidPartOrder),
        ([CompletedPart(number: 2), CompletedPart(number: 1)], .invalidPartOrder),
        ([CompletedPart(number: 1), CompletedPart(number: 3)], .invalidPart(3)),
        ([CompletedPart(number: 1, etag: two.etag)], .invalidPart(1)),
        ([CompletedPart(number: 1, checksums: ["CRC32": "x"])], .invalidPart(1)),
        ([CompletedPart(number: 1), CompletedPart(number: 2)], .partTooSmall(number: 1, size: 20_000)),
      ]
      for (parts, error) in bad {
        await #expect(throws: error) {
          try await store.complete(id, bucket: "b", key: "k", parts: parts, minimumPartSize: 20_001, at: noon)
        }
      }
      await #expect(throws: ObjectStoreError.noSuchUpload) { try await part(store, "no", 1, [1]) }
      await #expect(throws: ObjectStoreError.invalidPartNumber) { try await part(store, id, 0, [1]) }
      #expect(try await store.parts(bucket: "b", key: "k", uploadID: id) == [one, two])
      try await store.abort(id, bucket: "b", key: "k")
      try await store.idle()
      #expect(try blobFiles(folder) == [])
    }
  }

  @Test("unfinished uploads are listed by key and age, in pages")
  func uploads() async throws {
    try await withStore { store, _ in
      var expected: [String] = []
      for key in ["a", "d/x", "d/y", "z"] {
        for _ in 0..<2 { expected.append(try await store.createUpload(bucket: "b", key: key, at: noon).uploadID) }
      }
      for limit in [1, 3, 8, 100] {
        var seen: [String] = []
        var position: UploadPage.Position?
        repeat {
          let page = try await store.uploads(bucket: "b", after: position, limit: limit)
          seen += page.uploads.map(\.uploadID)
          position = page.next
        } while position != nil && seen.count < 20
        #expect(seen == expected)
      }
      let first = try await store.uploads(bucket: "b", delimiter: "/", limit: 3)
      #expect(first.uploads.map(\.key) == ["a", "a"] && first.commonPrefixes == ["d/"])
      let second = try await store.uploads(bucket: "b", delimiter: "/", after: first.next, limit: 3)
      #expect(second.uploads.map(\.key) == ["z", "z"] && second.commonPrefixes == [] && second.next == nil)
    }
  }
}
