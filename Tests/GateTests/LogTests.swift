// Access logs and connection logs: real requests, files on disk, fields taken apart as a reader of them would.
import GateProtocol
import Glibc
import Testing

@testable import GateCore

@Suite("Logs", .timeLimit(.minutes(2)))
struct LogTests {
  /// The fields of a line; texts without their quotes.
  private func fields(_ line: String) -> [String] {
    var result: [String] = []
    var current = ""
    var isQuoted = false
    for character in line {
      switch character {
      case "\"": isQuoted.toggle()
      case " " where !isQuoted:
        result.append(current)
        current = ""
      default: current.append(character)
      }
    }
    return result + [current]
  }

  private func lines(in folder: String, ending: String = ".log") -> [String] {
    var result: [String] = []
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name.hasSuffix(ending), let file = fopen(folder + "/" + name, "r") else { continue }
      defer { fclose(file) }
      var buffer = [CChar](repeating: 0, count: 64 << 10)
      while fgets(&buffer, Int32(buffer.count), file) != nil {
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        result.append(String(text.dropLast()))
      }
    }
    return result.sorted()
  }

  private func remove(_ folder: String) {
    guard let directory = opendir(folder) else { return }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      unlink(folder + "/" + name)
    }
    closedir(directory)
    rmdir(folder)
  }

  private func snapshot(_ server: TestServer, _ logs: GateSnapshot.Logs) -> GateSnapshot {
    let listener = GateSnapshot.Listener(
      id: "l", port: 0,
      rules: [
        .init(
          priority: 7, conditions: [.pathPattern(["/old/*"])],
          action: .redirect(.init(statusCode: 301, scheme: "https", port: "443"))),
        .init(
          priority: 9, conditions: [.pathPattern(["/r/*"])],
          transforms: [.init(kind: .url, regex: "^/r/", replacement: "/w/")], action: .forward(to: "tg")),
      ], defaultAction: .forward(to: "tg"))
    return GateSnapshot(
      version: 1, loadBalancers: [.init(id: "lb", address: "127.0.0.1", listeners: [listener], logs: logs)],
      targetGroups: [.init(id: "tg", targets: [target(server)], healthCheck: .init(probe: .none))])
  }

  @Test("every request has its line with all fields in order, and every connection one too")
  func access() async throws {
    let access = try temporaryFolder()
    let connections = try temporaryFolder()
    defer {
      remove(access)
      remove(connections)
    }
    let server = try TestServer { _ in ok("hello") }
    var port: UInt16 = 0
    try await GateFixture.with(loops: 1) { gate in
      let logs = GateSnapshot.Logs(
        name: "app/my-lb/50dc6c495c0c9188", accessFolder: access, connectionFolder: connections)
      let applied = try await gate.client.apply(snapshot(server, logs)).listener("l")?.port
      port = try #require(applied)
      _ = try await get(port, "/a?b=\"c", "User-Agent: curl/7.46.0 \"q\" \u{e9}\r\n")
      _ = try await get(port, "/old/x")
      _ = try await get(port, "/r/x")
      _ = try await exchange(port, "BAD\r\n\r\n")
      _ = try await exchange(
        port, "POST /p HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc")
    }
    // The Gate has ended: its segments are complete.
    let all = lines(in: access)
    #expect(all.count == 5)
    let found = all.map(fields)
    for line in found { #expect(line.count == 33, "\(line)") }
    let forwarded = try #require(found.first { $0[12].contains("/a?b") })
    #expect(forwarded[0] == "http")
    #expect(forwarded[1].wholeMatch(of: /[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z/) != nil)
    #expect(forwarded[2] == "app/my-lb/50dc6c495c0c9188")
    #expect(forwarded[3].hasPrefix("127.0.0.1:") && forwarded[3].split(separator: ":").count == 2)
    #expect(forwarded[4] == "127.0.0.1:\(server.port)")
    for time in forwarded[5...7] { #expect(time.wholeMatch(of: /[0-9]+\.[0-9]{3}/) != nil) }
    #expect(forwarded[8] == "200" && forwarded[9] == "200")
    #expect(forwarded[10] == "73" && forwarded[11] == "43", "\(forwarded)")
    #expect(forwarded[12] == "GET http://shop.test:\(port)/a?b=\\x22c HTTP/1.1")
    #expect(forwarded[13] == "curl/7.46.0 \\x22q\\x22 \\xC3\\xA9")
    #expect(forwarded[14] == "-" && forwarded[15] == "-" && forwarded[16] == "tg")
    #expect(forwarded[17].wholeMatch(of: /Root=1-[0-9a-f]{8}-[0-9a-f]{24}/) != nil)
    #expect(forwarded[18] == "-" && forwarded[19] == "-" && forwarded[20] == "0")
    #expect(forwarded[21] <= forwarded[1])
    #expect(Array(forwarded[22...24]) == ["forward", "-", "-"])
    #expect(forwarded[25] == "127.0.0.1:\(server.port)" && forwarded[26] == "200")
    #expect(Array(forwarded[27...28]) == ["Acceptable", "NonCompliantHeader"])
    #expect(forwarded[29].wholeMatch(of: /TID_[0-9a-f]{32}/) != nil)
    #expect(Array(forwarded[30...32]) == ["-", "-", "-"])

    let redirected = try #require(found.first { $0[22] == "redirect" })
    #expect(redirected[4] == "-" && Array(redirected[5...7]) == ["-1", "-1", "-1"])
    #expect(redirected[8] == "301" && redirected[9] == "-" && redirected[20] == "7")
    #expect(redirected[23] == "https://shop.test:443/old/x")
    let rewritten = try #require(found.first { $0[20] == "9" })
    #expect(Array(rewritten[30...32]) == ["-", "/w/x", "TransformSuccess"])
    let malformed = try #require(found.first { $0[8] == "400" })
    #expect(malformed[12] == "- http://127.0.0.1:\(port)- -")
    #expect(malformed[20] == "-" && malformed[22] == "-" && Array(malformed[27...28]) == ["Severe", "BadMethod"])
    let doubled = try #require(found.first { $0[12].hasPrefix("POST") })
    #expect(Array(doubled[27...28]) == ["Ambiguous", "DuplicateContentLength"])

    let opened = lines(in: connections).map(fields)
    #expect(opened.count == 5)
    for line in opened { #expect(line.count == 13 && line[3] == "\(port)" && line[1] == "127.0.0.1", "\(line)") }
    #expect(opened.contains { $0[11] == forwarded[29] && "127.0.0.1:\($0[2])" == forwarded[3] })
  }

  @Test("a client that leaves is logged with 460, and an answer cut short with what was sent")
  func aborted() async throws {
    let access = try temporaryFolder()
    defer { remove(access) }
    let gone = EndBox()
    let server = try TestServer { _ in
      gone.waitBlocking()
      return ok("late")
    }
    try await GateFixture.with(loops: 1) { gate in
      let applied = try await gate.client.apply(snapshot(server, .init(name: "app/x/1", accessFolder: access)))
        .listener("l")?.port
      let port = try #require(applied)
      try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        // The request has gone to the target once the target's connection is there.
        while server.connections == 0 { sched_yield() }
        socket.setReset()
      }
      #expect(try await eventually { try await gate.client.statistics().loadBalancers[0].clientAborts == 1 })
      gone.end()
    }
    let line = try #require(lines(in: access).first.map(fields))
    #expect(line[8] == "460" && line[9] == "-" && line[11] == "0")
  }

  @Test("segments are completed when their time is over and when they are large enough")
  func rotation() async throws {
    let access = try temporaryFolder()
    defer { remove(access) }
    let server = try TestServer { _ in ok("") }
    try await GateFixture.with(loops: 1) { gate in
      let logs = GateSnapshot.Logs(name: "app/x/1", accessFolder: access, seconds: 0.2)
      let applied = try await gate.client.apply(snapshot(server, logs)).listener("l")?.port
      let port = try #require(applied)
      _ = try await get(port)
      #expect(try await eventually { lines(in: access).count == 1 })
    }
    let writer = try LogWriter()
    try writer.start()
    let destination = LogDestination(folder: access, interval: 3_600_000_000, bytes: 10)
    for _ in 0..<3 { writer.write(Array("0123456789\n".utf8), to: destination) }
    writer.finish()
    #expect(lines(in: access, ending: ".part").isEmpty)
    #expect(lines(in: access).count == 4)
  }

  @Test("what a process left behind is completed by the next one that writes there")
  func leftovers() throws {
    let folder = try temporaryFolder()
    defer { remove(folder) }
    // No process has this number: it is above the largest that Linux gives.
    let file = fopen(folder + "/1700000000-4194305-1.part", "w")
    fputs("old\n", file)
    fclose(file)
    let writer = try LogWriter()
    try writer.start()
    writer.write(Array("new\n".utf8), to: LogDestination(folder: folder, interval: 1_000_000_000, bytes: 1000))
    writer.finish()
    #expect(lines(in: folder) == ["new", "old"])
  }
}
