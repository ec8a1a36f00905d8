// The log store's contract.

import AWSCore
import Foundation
import Glibc
import Testing

@testable import LogStore

private func withLogs<T>(_ body: (LogStore) async throws -> T) async throws -> T {
  try await withFolder { folder in
    let store = try await LogStore.open(folder)
    try await store.createGroup("g", at: noon)
    for name in ["s1", "s2", "t"] { try await store.createStream(name, group: "g", at: noon) }
    let result = try await body(store)
    try await store.close()
    return result
  }
}

private func events(_ times: [Int], _ text: String = "line") -> [NewLogEvent] {
  times.map { NewLogEvent(time: noon.adding(seconds: Double($0)), message: "\(text) \($0)") }
}

@Suite("The log store") struct LogStoreTests {
  @Test("a stream reads in the order of time, forwards and backwards, in pages")
  func read() async throws {
    try await withLogs { store in
      try await store.append(events([5, 1, 3]), group: "g", stream: "s1", ingested: noon)
      try await store.append(events([2, 4, 3]), group: "g", stream: "s1", ingested: noon)
      try await store.append(events([9]), group: "g", stream: "s2", ingested: noon)
      let expected = [1, 2, 3, 3, 4, 5].map { "line \($0)" }
      var page = try await store.read(group: "g", stream: "s1", start: .head, limit: 2)
      var seen = page.events
      while !page.events.isEmpty {
        page = try await store.read(group: "g", stream: "s1", start: .after(page.forward), limit: 2)
        seen += page.events
      }
      #expect(seen.map(\.message) == expected)
      #expect(page.forward == seen.last?.position)

      page = try await store.read(group: "g", stream: "s1", start: .tail, limit: 4)
      #expect(page.events.map(\.message) == Array(expected.suffix(4)))
      page = try await store.read(group: "g", stream: "s1", start: .before(page.backward), limit: 4)
      #expect(page.events.map(\.message) == Array(expected.prefix(2)))
      page = try await store.read(group: "g", stream: "s1", start: .before(page.backward), limit: 4)
      #expect(page.events.isEmpty)

      let between = try await store.read(
        group: "g", stream: "s1", from: noon.adding(seconds: 2), to: noon.adding(seconds: 4), start: .head)
      #expect(between.events.map(\.message) == ["line 2", "line 3", "line 3"])
      let small = try await store.read(group: "g", stream: "s1", start: .head, byteLimit: 13)
      #expect(small.events.count == 2)
      #expect(LogPosition(text: page.forward.text) == page.forward && LogPosition(text: "x") == nil)
      #expect(LogPosition(text: "-5-3") == LogPosition(time: Timestamp(milliseconds: -5), id: 3))
    }
  }

  @Test("messages are kept byte by byte")
  func messages() async throws {
    try await withLogs { store in
      let texts = ["", "a\u{0}b", "zeile\nzeile\t🚀", String(repeating: "x", count: 300_000)]
      try await store.append(
        texts.map { NewLogEvent(time: noon, message: $0) }, group: "g", stream: "t", ingested: noon)
      #expect(try await store.read(group: "g", stream: "t", start: .head).events.map(\.message) == texts)
    }
  }

  @Test("a filter merges the streams chosen in the order of time and goes on where it stopped")
  func filter() async throws {
    try await withLogs { store in
      try await store.append(events([1, 4, 7], "a"), group: "g", stream: "s1", ingested: noon)
      try await store.append(events([2, 5, 8], "b"), group: "g", stream: "s2", ingested: noon)
      try await store.append(events([3, 6, 9], "a"), group: "g", stream: "t", ingested: noon)
      func all(_ streams: StreamSelection, limit: Int, scan: Int = 100, _ text: String = "") async throws -> [String] {
        var found: [String] = []
        var after: LogPosition?
        repeat {
          let page = try await store.filter(group: "g", streams: streams, after: after, limit: limit, scanLimit: scan) {
            $0.hasPrefix(text)
          }
          found += page.events.map { "\($0.stream) \($0.message)" }
          after = page.next
        } while after != nil
        return found
      }
      for limit in [1, 2, 100] {
        #expect(
          try await all(.prefix("s"), limit: limit) == ["s1 a 1", "s2 b 2", "s1 a 4", "s2 b 5", "s1 a 7", "s2 b 8"])
        #expect(try await all(.named(["t", "no"]), limit: limit, "a") == ["t a 3", "t a 6", "t a 9"])
        #expect(try await all(.all, limit: limit, scan: 2, "b") == ["s2 b 2", "s2 b 5", "s2 b 8"])
        #expect(try await all(.named(["no"]), limit: limit) == [])
      }
      await #expect(throws: LogStoreError.noSuchGroup) { try await store.filter(group: "x") }
    }
  }

  @Test("a tail sees what is appended after it began, of the streams it asked for, and ends with the store")
  func tail() async throws {
    try await withFolder { folder in
      let store = try await LogStore.open(folder)
      try await store.createGroup("g", at: noon)
      for name in ["s1", "t"] { try await store.createStream(name, group: "g", at: noon) }
      try await store.append(events([1]), group: "g", stream: "s1", ingested: noon)
      let tail = store.tail(group: "g", streams: .prefix("s"))
      try await store.append(events([2]), group: "g", stream: "t", ingested: noon)
      let sent = try await store.append(events([3, 4]), group: "g", stream: "s1", ingested: noon)
      try await store.close()
      var seen: [LogTailBatch] = []
      for await batch in tail { seen.append(batch) }
      #expect(seen == [LogTailBatch(group: "g", events: sent)])
    }
  }

  @Test("sizes and times follow what is appended, expired and deleted")
  func sizes() async throws {
    try await withLogs { store in
      let days = [0, 1, 2, 10].map { NewLogEvent(time: noon.adding(days: $0), message: "12345") }
      try await store.append(days, group: "g", stream: "s1", ingested: noon)
      try await store.append(days, group: "g", stream: "t", ingested: noon)
      #expect(try await store.group("g")?.bytes == 40)
      #expect(try await store.expire(at: noon.adding(days: 100)) == 0)
      try await store.updateGroup("g") { $0.retentionDays = 3 }
      #expect(try await store.expire(at: noon.adding(days: 5)) == 4)
      let stream = try await store.stream("s1", group: "g")
      #expect(stream?.firstEvent == noon.adding(days: 2) && stream?.lastEvent == noon.adding(days: 10))
      #expect(stream?.bytes == 10 && stream?.events == 2 && stream?.lastIngestion == noon)
      try await store.deleteStream("t", group: "g")
      #expect(try await store.group("g")?.bytes == 10)
      #expect(try await store.filter(group: "g").events.map(\.stream) == ["s1", "s1"])
    }
  }

  @Test("groups and streams are listed by name, prefix and last event, and are there once")
  func lists() async throws {
    try await withLogs { store in
      await #expect(throws: LogStoreError.groupExists) { try await store.createGroup("g", at: noon) }
      await #expect(throws: LogStoreError.streamExists) { try await store.createStream("t", group: "g", at: noon) }
      await #expect(throws: LogStoreError.noSuchGroup) { try await store.createStream("t", group: "x", at: noon) }
      await #expect(throws: LogStoreError.noSuchStream) {
        try await store.append(events([1]), group: "g", stream: "x", ingested: noon)
      }
      for name in ["/a/1", "/a/2", "/b"] {
        try await store.createGroup(name, retentionDays: 7, configuration: [1], at: noon)
      }
      #expect(try await store.groups().map(\.name) == ["/a/1", "/a/2", "/b", "g"])
      #expect(try await store.groups(prefix: "/", after: "/a/1", limit: 1).map(\.name) == ["/a/2"])
      #expect(try await store.group("/b")?.configuration == [1])
      try await store.append(events([1]), group: "g", stream: "s2", ingested: noon)
      try await store.append(events([2]), group: "g", stream: "t", ingested: noon)
      #expect(try await store.streams(group: "g", newestFirst: true).map(\.name) == ["t", "s2", "s1"])
      #expect(try await store.streams(group: "g", prefix: "s", offset: 1).map(\.name) == ["s2"])
      try await store.deleteGroup("g")
      #expect(try await store.group("g") == nil)
      try await store.createGroup("g", at: noon)
      #expect(try await store.streams(group: "g") == [])
      try await store.removeEverything()
      #expect(try await store.groups() == [])
    }
  }

  @Test("concurrent batches share a commit, and all are there")
  func concurrency() async throws {
    try await withLogs { store in
      let before = store.committer.commits
      try await withThrowingTaskGroup(of: Void.self) { group in
        for i in 0..<50 {
          group.addTask {
            try await store.append(events([i]), group: "g", stream: "s1", ingested: noon, within: 1000)
          }
        }
        try await group.waitForAll()
      }
      #expect(store.committer.commits - before < 25)
      #expect(try await store.stream("s1", group: "g")?.events == 50)
    }
  }

  @Test("every batch acknowledged before kill -9 is there", .timeLimit(.minutes(1)))
  func killed() async throws {
    try await withFolder { folder in
      await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String] in
        try await appendUntilKilled(folder)
      }
      let noted = try String(contentsOfFile: folder + "/acknowledged", encoding: .utf8).split(separator: "\n")
      #expect(noted.count >= 50)
      let store = try await LogStore.open(folder + "/store")
      let kept = Set(try await store.read(group: "g", stream: "s", start: .head).events.map(\.message))
      for line in noted { #expect(kept.contains("line \(line)")) }
      try await store.close()
    }
  }
}

/// Counts acknowledgements in a side file; kills the process at the 50th.
private actor Side {
  private var count = 0
  private let file: Int32
  init(_ path: String) { file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600) }
  func note(_ line: String) {
    _ = line.withCString { write(file, $0, strlen($0)) }
    count += 1
    if count == 50 { kill(getpid(), SIGKILL) }
  }
}

private func appendUntilKilled(_ folder: String) async throws {
  let store = try await LogStore.open(folder + "/store")
  try await store.createGroup("g", at: noon)
  try await store.createStream("s", group: "g", at: noon)
  let side = Side(folder + "/acknowledged")
  try await withThrowingTaskGroup(of: Void.self) { group in
    for i in 0..<200 {
      group.addTask {
        try await store.append(events([i]), group: "g", stream: "s", ingested: noon, within: i % 2 * 10)
        await side.note("\(i)\n")
      }
    }
    try await group.waitForAll()
  }
}
