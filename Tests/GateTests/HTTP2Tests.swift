// HTTP/2 clients of the load balancer: real ones and hand-made frames, real sockets, targets that speak HTTP/1.1.
import GateProtocol
import Glibc
import Synchronization
import Testing

@testable import GateCore
@testable import HTTPWire

extension GateFixture {
  /// As `serve`, for clients that speak HTTP/2 without TLS.
  func serveHTTP2(
    _ version: UInt64 = 1, targets: [GateSnapshot.Target], rules: [GateSnapshot.Rule] = [],
    attributes: GateSnapshot.Attributes = .init(), group: GateSnapshot.TargetGroup? = nil
  ) async throws -> UInt16 {
    var targetGroup = group ?? GateSnapshot.TargetGroup(id: "tg", healthCheck: .init(probe: .none))
    targetGroup.targets = targets
    let listener = GateSnapshot.Listener(
      id: "listener", port: 0, rules: rules, defaultAction: .forward(to: targetGroup.id), acceptsCleartextHTTP2: true)
    let balancer = GateSnapshot.LoadBalancer(
      id: "lb", address: "127.0.0.1", listeners: [listener], attributes: attributes)
    let status = try await client.apply(
      GateSnapshot(version: version, loadBalancers: [balancer], targetGroups: [targetGroup]))
    guard let port = status.listener("listener")?.port else { throw TestFailure("not bound: \(status)") }
    return port
  }
}

private typealias Wire = HTTP2Wire

@Suite("HTTP/2 clients", .timeLimit(.minutes(2)))
struct HTTP2Tests {
  @Test("a request reaches an HTTP/1.1 target with what a load balancer adds, and the answer comes back in frames")
  func forwards() async throws {
    let server = try TestServer { message in
      ok(
        message.line + "\n" + message.headers.map { "\($0.name): \($0.value)" }.joined(separator: "\n"),
        "X-From: t\r\nConnection: keep-alive, x-gone\r\nX-Gone: 1\r\nKeep-Alive: timeout=5\r\n")
    }
    try await GateFixture.with { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      let answer = try await http2(
        port, Wire.request(1, "/a?b=c", [("x-stays", "2"), ("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers")]))
      #expect(answer.status == 200)
      #expect(answer["x-from"] == "t")
      for gone in ["connection", "keep-alive", "x-gone", "transfer-encoding"] { #expect(answer[gone] == nil) }
      let lines = answer.text.split(separator: "\n").map(String.init)
      #expect(lines.first == "GET /a?b=c HTTP/1.1")
      for line in [
        "Host: shop.test:\(port)", "x-stays: 2", "Cookie: a=1; b=2", "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Proto: http",
      ] { #expect(lines.contains(line), "\(line)") }
      #expect(!answer.text.contains("te:") && !answer.text.contains("Transfer-Encoding"))
      // HTTP/1.1 goes on at the same port.
      #expect(try await get(port).status == 200)
      let statistics = try await gate.client.statistics()
      #expect(statistics.loadBalancers[0].requests == 2)
      #expect(statistics.loadBalancers[0].newConnections == 2)
      #expect(statistics.loadBalancers[0].target.code2xx == 2)
    }
  }

  @Test("many streams are answered as their targets answer, not in order")
  func multiplexing() async throws {
    let others = EndBox()
    let server = try TestServer { message in
      if message.target == "/slow" { others.waitBlocking() }
      return ok(message.target)
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      let order = try await onThread {
        let wire = try Wire(port: port)
        try wire.send(
          Wire.request(1, "/slow"), (1...50).flatMap { Wire.request(UInt32($0) * 2 + 1, "/\($0)") })
        var order: [String] = []
        for stream in [101, 51, 3] as [UInt32] { order.append(try wire.answer(stream).text) }
        others.end()
        order.append(try wire.answer(1).text)
        for stream in 1...50 { _ = try wire.answer(UInt32(stream) * 2 + 1) }
        return order
      }
      #expect(order == ["/50", "/25", "/1", "/slow"])
      #expect(try await gate.client.statistics().loadBalancers[0].target.code2xx == 51)
    }
  }

  @Test("large bodies pass both ways on several streams at once")
  func largeBodies() async throws {
    let server = try TestServer { message in
      let body = String(decoding: message.body, as: UTF8.self)
      if message.target == "/chunked" {
        return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          + "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
      }
      if message.target == "/close" { return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\(body)\u{1}" }
      return ok(body, "X-Chunked: \(message.isChunked)\r\n")
    }
    let closing = try TestServer { socket, _ in
      let body = try MessageReader(socket).next()?.body ?? []
      try socket.send(Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + body)
    }
    try await GateFixture.with { gate in
      let rules = [
        GateSnapshot.Rule(priority: 1, conditions: [.pathPattern(["/close"])], action: .forward(to: "tg"))
      ]
      let port = try await gate.serveHTTP2(1, targets: [target(server)], rules: rules)
      let size = 1 << 20
      let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 % 251) % 26 + 97 }
      for path in ["/", "/chunked"] {
        let answers = try await exchangeBodies(port, path, body)
        for answer in answers { expectSame(answer, body, path) }
        if path == "/" { #expect(answers.map { $0["x-chunked"] } == ["true", "false", "true"]) }
      }
      let second = try await gate.serveHTTP2(2, targets: [target(closing)])
      for answer in try await exchangeBodies(second, "/close", body) { expectSame(answer, body, "/close") }
    }
  }

  /// Tells where bodies differ rather than print them.
  private func expectSame(_ answer: HTTP2Answer, _ body: [UInt8], _ what: String) {
    let isSame = answer.body == body
    let first = zip(answer.body, body).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    let reset = answer.reset.map { "\($0)" } ?? "-"
    let goAway = answer.goAway.map { "\($0)" } ?? "-"
    #expect(
      isSame,
      """
      \(what): \(answer.status), \(answer.body.count) bytes, differ at \(first ?? -1), reset \(reset), GOAWAY \(goAway)
      """)
  }

  /// Three uploads in turn, one of them with a length; the client sends as the windows let it.
  private func exchangeBodies(_ port: UInt16, _ path: String, _ body: [UInt8]) async throws -> [HTTP2Answer] {
    try await onThread {
      let wire = try Wire(port: port)
      var windows: [UInt32: Int] = [1: 65_535, 3: 65_535, 5: 65_535]
      var positions: [UInt32: Int] = [1: 0, 3: 0, 5: 0]
      var connection = 65_535
      for stream in [1, 3, 5] as [UInt32] {
        let length = stream == 3 ? [("content-length", "\(body.count)")] : []
        try wire.send(Wire.request(stream, path, method: "POST", length, end: false))
      }
      while positions.values.contains(where: { $0 < body.count }) {
        var moved = false
        for (stream, position) in positions where position < body.count {
          let count = min(16_384, body.count - position, windows[stream] ?? 0, connection)
          guard count > 0 else { continue }
          try wire.send(
            Wire.data(stream, Array(body[position..<(position + count)]), end: position + count == body.count))
          positions[stream] = position + count
          windows[stream, default: 0] -= count
          connection -= count
          moved = true
        }
        if moved { continue }
        guard let frame = try wire.next() else { throw TestFailure("closed") }
        if frame.type == .windowUpdate {
          if frame.stream == 0 {
            connection += Int(frame.number)
          } else {
            windows[frame.stream, default: 0] += Int(frame.number)
          }
        }
        try wire.take(frame)
      }
      return try [1, 3, 5].map { try wire.answer($0) }
    }
  }

  @Test("a stream whose reader stops holds its target and no other stream")
  func backPressure() async throws {
    let sent = Counter()
    let server = try TestServer { socket, _ in
      let reader = MessageReader(socket)
      while let message = try reader.next() {
        if message.target == "/big" {
          try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
          let part = [UInt8](repeating: 0x61, count: 100_000)
          for _ in 0..<500 {
            try socket.send(part)
            sent.add(part.count)
          }
        } else {
          try socket.send(ok("small"))
        }
      }
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      let (texts, rest) = try await onThread {
        let wire = try Wire(port: port)
        wire.credits = false
        // The whole connection's window is wide, the stream's is what it is by default.
        try wire.send(Wire.frame(.windowUpdate, 0, 0, Wire.number(1 << 30)), Wire.request(1, "/big"))
        var texts: [String] = []
        for stream in stride(from: 3, to: 43, by: 2) {
          try wire.send(Wire.request(UInt32(stream), "/small"))
          texts.append(try wire.answer(UInt32(stream)).text)
        }
        let before = sent.value
        try wire.send(Wire.frame(.windowUpdate, 0, 1, Wire.number(60_000_000)))
        return (texts, (before, try wire.answer(1).body.count))
      }
      #expect(texts == Array(repeating: "small", count: 20))
      // What the sockets between hold, and not much more.
      #expect(rest.0 < 25_000_000)
      #expect(rest.1 == 50_000_000)
    }
  }

  @Test("100-continue passes, HEAD and 304 have no body, an answer without length ends with its stream")
  func shapes() async throws {
    let server = try TestServer { socket, _ in
      let reader = MessageReader(socket)
      while let head = try reader.head() {
        switch head.target {
        case "/continue":
          try socket.send("HTTP/1.1 100 Continue\r\n\r\n")
          let body = try reader.take(4)
          try socket.send(ok(String(decoding: body, as: UTF8.self)))
        case "/304": try socket.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nETag: \"x\"\r\n\r\n")
        case "/end":
          try socket.send("HTTP/1.1 200 OK\r\n\r\nto the end")
          return
        default: try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        }
      }
    }
    try await GateFixture.with { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      let answers = try await onThread {
        let wire = try Wire(port: port)
        try wire.send(
          Wire.request(
            1, "/continue", method: "POST", [("content-length", "4"), ("expect", "100-continue")], end: false))
        while let frame = try wire.next() {
          try wire.take(frame)
          if frame.type == .headers { break }
        }
        try wire.send(Wire.data(1, Array("body".utf8)), Wire.request(3, "/", method: "HEAD"))
        try wire.send(Wire.request(5, "/304"), Wire.request(7, "/end"))
        return try [1, 3, 5, 7].map { try wire.answer($0) }
      }
      #expect(answers[0].interim == [100] && answers[0].text == "body")
      #expect(answers[1].status == 200 && answers[1].body.isEmpty && answers[1]["content-length"] == "10")
      #expect(answers[2].status == 304 && answers[2].body.isEmpty && answers[2]["etag"] == "\"x\"")
      #expect(answers[3].text == "to the end")
    }
  }

  @Test("a client's reset frees its target, and a target that breaks off resets the stream")
  func resets() async throws {
    let gone = EndBox()
    let server = try TestServer { socket, _ in
      let reader = MessageReader(socket)
      while let message = try reader.next() {
        switch message.target {
        case "/wait":
          // Ends when the Gate closes the connection.
          if try socket.receive().isEmpty { gone.end() }
          return
        case "/break":
          try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
          return
        default: try socket.send(ok("fine"))
        }
      }
    }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      let (broken, fine) = try await onThread {
        let wire = try Wire(port: port)
        try wire.send(Wire.request(1, "/wait"), Wire.request(3, "/"))
        _ = try wire.answer(3)
        try wire.send(Wire.frame(.resetStream, 0, 1, Wire.number(8)))
        gone.waitBlocking()
        try wire.send(Wire.request(5, "/break"), Wire.request(7, "/"))
        return (try wire.answer(5), try wire.answer(7))
      }
      #expect(broken.status == 200 && broken.text == "half" && broken.reset == 2)
      #expect(fine.text == "fine")
      let statistics = try await gate.client.statistics()
      #expect(statistics.loadBalancers[0].clientAborts == 1)
      #expect(statistics.targets[0].activeRequests == 0)
    }
  }

  @Test("the load balancer's own answers: fixed, redirected, no target, too much, too slow")
  func ownAnswers() async throws {
    let silent = try TestServer { socket, _ in _ = try socket.receiveToEnd() }
    try await GateFixture.with { gate in
      let rules: [GateSnapshot.Rule] = [
        .init(
          priority: 1, conditions: [.pathPattern(["/fixed"])],
          action: .fixedResponse(.init(statusCode: 418, contentType: "text/plain", body: "teapot"))),
        .init(
          priority: 2, conditions: [.pathPattern(["/old"]), .hostHeader(["SHOP.test"])],
          action: .redirect(.init(statusCode: 301, scheme: "https", port: "443"))),
      ]
      let port = try await gate.serveHTTP2(1, targets: [], rules: rules)
      let answers = try await onThread {
        let wire = try Wire(port: port)
        try wire.send(
          Wire.request(1, "/fixed"), Wire.request(3, "/old"), Wire.request(5, "/"),
          Wire.request(7, "/fixed", method: "POST", end: false), Wire.request(9, "/", method: "TRACE"),
          Wire.request(11, "/" + String(repeating: "a", count: 16_300)),
          Wire.request(13, "/fixed", method: "HEAD"))
        try wire.send(Wire.data(7, [1, 2, 3]))
        return try [1, 3, 5, 7, 9, 11, 13].map { try wire.answer($0) }
      }
      #expect(answers.map(\.status) == [418, 301, 503, 418, 405, 503, 418])
      #expect(answers[0].text == "teapot" && answers[0]["content-type"] == "text/plain")
      #expect(answers[0]["server"] == "awselb/2.0" && answers[0]["date"] != nil)
      #expect(answers[1]["location"] == "https://shop.test:443/old")
      #expect(answers[6].body.isEmpty && answers[6]["content-length"] == "6")
      _ = try await gate.serveHTTP2(2, targets: [target(silent)], attributes: .init(idleTimeout: 0.3))
      let late = try await http2(port, Wire.request(1, "/"))
      #expect(late.status == 504)
      let slow = try await http2(port, Wire.request(1, "/", method: "POST", [("content-length", "5")], end: false))
      #expect(slow.status == 408)
    }
  }

  @Test("a client that stays is told to go when its time is over, and what it asked before is answered")
  func keepAliveAge() async throws {
    let server = try TestServer { message in ok(message.target) }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)], attributes: .init(clientKeepAlive: 0.05))
      let (texts, code) = try await onThread {
        let wire = try Wire(port: port)
        var texts: [String] = []
        var stream: UInt32 = 1
        while wire.goAway == nil {
          try wire.send(Wire.request(stream, "/\(stream)"))
          texts.append(try wire.answer(stream).text)
          stream += 2
        }
        return (texts, try wire.end())
      }
      #expect(!texts.isEmpty && texts == texts.indices.map { "/\($0 * 2 + 1)" })
      #expect(code == 0)
    }
  }

  @Test("when the Gate ends, streams in progress are finished and the connection is closed in order")
  func draining() async throws {
    let begun = EndBox()
    let told = EndBox()
    let server = try TestServer { socket, _ in
      _ = try MessageReader(socket).next()
      begun.end()
      told.waitBlocking()
      try socket.send(ok("finished"))
      _ = try socket.receive()
    }
    let result = ResultBox<(String, UInt32?)>()
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveHTTP2(targets: [target(server)])
      startThread {
        result.set(
          Result {
            let wire = try Wire(port: port)
            try wire.send(Wire.request(1, "/"))
            while wire.goAway == nil, let frame = try wire.next() { try wire.take(frame) }
            told.end()
            let text = try wire.answer(1).text
            return (text, try wire.end())
          })
      }
      await begun.wait()
    }
    let (text, code) = try await result.get()
    #expect(text == "finished" && code == 0)
  }
}

/// A number that threads share.
final class Counter: Sendable {
  private let state = Atomic<Int>(0)
  func add(_ count: Int) { state.add(count, ordering: .relaxed) }
  var value: Int { state.load(ordering: .relaxed) }
}

/// The result of a thread's work.
final class ResultBox<Value: Sendable>: Sendable {
  private let value = Mutex<Result<Value, any Error>?>(nil)
  private let box = EndBox()

  func set(_ result: Result<Value, any Error>) {
    value.withLock { $0 = result }
    box.end()
  }

  func get() async throws -> Value {
    await box.wait()
    guard let result = value.withLock({ $0 }) else { throw TestFailure("nothing") }
    return try result.get()
  }
}
