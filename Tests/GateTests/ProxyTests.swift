// The load balancer in use: real sockets, a Gate in this process, small servers as targets.
import GateProtocol
import Testing

@testable import GateCore

@Suite("Load balancer", .timeLimit(.minutes(2)))
struct ProxyTests {
  @Test("a request reaches the target with what a load balancer adds, and the answer comes back as it was")
  func forwards() async throws {
    let server = try TestServer { message in
      ok(
        message.line + "\n" + message.headers.map { "\($0.name): \($0.value)" }.joined(separator: "\n"), "X-From: t\r\n"
      )
    }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(server)])
      let answer = try await get(
        port, "/a?b=c", "Connection: x-gone, keep-alive\r\nX-Gone: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nX-Stays: 2\r\n"
      )
      #expect(answer.status == 200)
      #expect(answer["X-From"] == "t")
      #expect(answer["Server"] == nil)
      let lines = answer.text.split(separator: "\n").map(String.init)
      #expect(lines[0] == "GET /a?b=c HTTP/1.1")
      #expect(lines.contains("Host: shop.test:\(port)"))
      #expect(lines.contains("X-Stays: 2"))
      #expect(lines.contains("X-Forwarded-For: 127.0.0.1"))
      #expect(lines.contains("X-Forwarded-Proto: http"))
      #expect(lines.contains("X-Forwarded-Port: \(port)"))
      for gone in ["X-Gone", "Keep-Alive", "TE:", "Connection"] { #expect(!answer.text.contains(gone)) }
      let trace = lines.first { $0.hasPrefix("X-Amzn-Trace-Id: ") } ?? ""
      #expect(trace.wholeMatch(of: /X-Amzn-Trace-Id: Root=1-[0-9a-f]{8}-[0-9a-f]{24}/) != nil)
    }
  }

  @Test("forwarded headers follow the mode, and a trace id that came is kept")
  func forwardedHeaders() async throws {
    let server = try TestServer { message in
      ok(
        "\(message.all("X-Forwarded-For"))|\(message.all("X-Forwarded-Proto"))|\(message["X-Amzn-Trace-Id"] ?? "")|\(message["Host"] ?? "")|\(message["x_y"] ?? "-")"
      )
    }
    let headers =
      "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 5.6.7.8\r\nX-Amzn-Trace-Id: Root=1-a-b\r\nx_y: 1\r\n"
    try await GateFixture.with { gate in
      var attributes = GateSnapshot.Attributes()
      var port = try await gate.serve(1, targets: [target(server)], attributes: attributes)
      var parts = try await get(port, "/", headers).text.split(separator: "|", omittingEmptySubsequences: false)
      #expect(parts[0] == "[\"1.2.3.4, 5.6.7.8, 127.0.0.1\"]")
      #expect(parts[1] == "[\"http\"]")
      #expect(parts[2].wholeMatch(of: /Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-a-b/) != nil)
      #expect(parts[4] == "1")
      attributes.forwardedForMode = .preserve
      attributes.preserveHostHeader = true
      attributes.dropInvalidHeaderFields = true
      port = try await gate.serve(2, targets: [target(server)], attributes: attributes)
      parts = try await get(port, "/", headers).text.split(separator: "|", omittingEmptySubsequences: false)
      #expect(parts[0] == "[\"1.2.3.4\", \"5.6.7.8\"]")
      #expect(parts[3] == "shop.test")
      #expect(parts[4] == "-")
      attributes.forwardedForMode = .remove
      port = try await gate.serve(3, targets: [target(server)], attributes: attributes)
      parts = try await get(port, "/", headers).text.split(separator: "|", omittingEmptySubsequences: false)
      #expect(parts[0] == "[]")
    }
  }

  @Test("connections are kept on both sides, and requests sent ahead are answered in order")
  func pipelining() async throws {
    let server = try TestServer { message in ok(message.target) }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serve(targets: [target(server)])
      let bodies = try await onThread {
        let socket = try RawSocket(port: port)
        let reader = MessageReader(socket)
        var bodies: [String] = []
        for number in 0..<20 {
          try socket.send("GET /\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
          bodies.append(try reader.next()?.text ?? "")
        }
        try socket.send((20..<40).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
        for _ in 20..<40 { bodies.append(try reader.next()?.text ?? "") }
        // A byte at a time.
        for byte in Array(
          "POST /40 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /41 HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        {
          try socket.send([byte])
        }
        for _ in 40..<42 { bodies.append(try reader.next()?.text ?? "") }
        return bodies
      }
      #expect(bodies == (0..<42).map { "/\($0)" })
      #expect(server.connections == 1)
      let statistics = try await gate.client.statistics()
      #expect(statistics.loadBalancers[0].requests == 42)
      #expect(statistics.loadBalancers[0].target.code2xx == 42)
      #expect(statistics.loadBalancers[0].activeConnections <= 1)
      #expect(statistics.targetGroups[0].latency.count == 42)
      #expect(statistics.targetGroups[0].latency.quantile(0.99) ?? 0 > 0)
      #expect(statistics.targets[0].requests == 42)
    }
  }

  @Test("large bodies pass both ways, by length and in chunks, to slow readers too")
  func largeBodies() async throws {
    let size = 3 << 20
    let server = try TestServer { message in
      let body = String(decoding: message.body, as: UTF8.self)
      if message.target == "/chunked" {
        let half = body.prefix(body.utf8.count / 2)
        let rest = body.dropFirst(half.count)
        return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          + "\(String(half.utf8.count, radix: 16))\r\n\(half)\r\n\(String(rest.utf8.count, radix: 16));e=1\r\n\(rest)\r\n0\r\nX-T: 1\r\n\r\n"
      }
      if message.target == "/close" {
        return
          "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Length: \(body.utf8.count)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
      }
      return ok(body)
    }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(server)])
      for path in ["/", "/chunked", "/close"] {
        for chunked in [false, true] {
          let same = try await onThread {
            let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 % 251) % 26 + 97 }
            let socket = try RawSocket(port: port)
            var request = Array("POST \(path) HTTP/1.1\r\nHost: a\r\n".utf8)
            if chunked {
              request += Array("Transfer-Encoding: chunked\r\n\r\n".utf8)
              for start in stride(from: 0, to: size, by: 100_000) {
                let part = body[start..<min(start + 100_000, size)]
                request += Array("\(String(part.count, radix: 16))\r\n".utf8) + part + [13, 10]
              }
              request += Array("0\r\n\r\n".utf8)
            } else {
              request += Array("Content-Length: \(size)\r\n\r\n".utf8) + body
            }
            try socket.send(request)
            return try MessageReader(socket).next()?.body == body
          }
          #expect(same, "\(path), chunked \(chunked)")
        }
      }
    }
  }

  @Test("HEAD, 204 and 304 have no body, and an answer without length ends with the connection")
  func bodyless() async throws {
    let server = try TestServer { message in
      switch message.target {
      case "/204": "HTTP/1.1 204 No Content\r\n\r\n"
      case "/304": "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"
      default: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + (message.method == "HEAD" ? "" : "0123456789")
      }
    }
    let endless = try TestServer { socket, _ in
      _ = try MessageReader(socket).next()
      try socket.send("HTTP/1.1 200 OK\r\n\r\nto the end")
    }
    try await GateFixture.with { gate in
      let port = try await gate.serve(1, targets: [target(server)])
      let seen = try await onThread {
        let socket = try RawSocket(port: port)
        let reader = MessageReader(socket)
        var seen: [String] = []
        for (method, path) in [("HEAD", "/"), ("GET", "/204"), ("GET", "/304"), ("GET", "/"), ("HEAD", "/")] {
          try socket.send("\(method) \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
          let message = try reader.next(toHEAD: method == "HEAD")
          seen.append("\(message?.status ?? 0) \(message?["Content-Length"] ?? "-") \(message?.text ?? "")")
        }
        return seen
      }
      #expect(seen == ["200 10 ", "204 - ", "304 10 ", "200 10 0123456789", "200 10 "])
      let second = try await gate.serve(2, targets: [target(endless)])
      #expect(second == port)
      let answer = try await get(port)
      #expect(answer.text == "to the end")
      #expect(answer["Connection"] == "close")
    }
  }

  @Test("HTTP/1.0 clients get no chunks, and are kept only when they ask")
  func oldClients() async throws {
    let server = try TestServer { message in
      message.target == "/chunked"
        ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" : ok(message.line)
    }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(server)])
      let whole = try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send("GET /chunked HTTP/1.0\r\n\r\n")
        return try socket.receiveToEnd()
      }
      #expect(whole.hasSuffix("\r\n\r\nabcde"))
      #expect(!whole.lowercased().contains("chunked"))
      let kept = try await onThread {
        let socket = try RawSocket(port: port)
        let reader = MessageReader(socket)
        try socket.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        let first = try reader.next()
        try socket.send("GET / HTTP/1.0\r\n\r\n")
        let second = try reader.next()
        return [first?["Connection"], first?.text, second?["Connection"], try reader.next() == nil ? "ended" : "open"]
      }
      #expect(kept == ["keep-alive", "GET / HTTP/1.1", "close", "ended"])
    }
  }

  @Test("100-continue is passed on and the body follows")
  func expectContinue() async throws {
    let server = try TestServer { socket, _ in
      let reader = MessageReader(socket)
      guard let head = try reader.head() else { return }
      try socket.send("HTTP/1.1 100 Continue\r\n\r\n")
      let body = try reader.take(Int(head["Content-Length"] ?? "") ?? 0)
      try socket.send(ok(String(decoding: body, as: UTF8.self)))
    }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(server)])
      let (interim, final) = try await onThread {
        let socket = try RawSocket(port: port)
        let reader = MessageReader(socket)
        try socket.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        let interim = try reader.next()?.status
        try socket.send("hello")
        return (interim, try reader.next()?.text)
      }
      #expect(interim == 100)
      #expect(final == "hello")
    }
  }

  @Test("an upgrade becomes a tunnel, unless HTTP or TLS would go through it")
  func upgrade() async throws {
    let server = try TestServer { socket, _ in
      let reader = MessageReader(socket)
      guard let head = try reader.head() else { return }
      guard let wanted = head["Upgrade"], head["Connection"] == "Upgrade" else {
        return try socket.send(ok(head["Upgrade"] ?? "none"))
      }
      try socket.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: \(wanted)\r\nConnection: Upgrade\r\n\r\nfirst")
      while true {
        let bytes = try reader.buffer.isEmpty ? socket.receive() : reader.take(reader.buffer.count)
        if bytes.isEmpty { return }
        try socket.send(bytes.reversed())
      }
    }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(server)])
      @Sendable func tunnel(_ name: String) throws -> [String] {
        let socket = try RawSocket(port: port)
        let reader = MessageReader(socket)
        try socket.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: \(name)\r\n\r\n")
        let head = try reader.next()
        var seen = [
          "\(head?.status ?? 0)", head?["Upgrade"] ?? "", String(decoding: try reader.take(5), as: UTF8.self),
        ]
        try socket.send("abc")
        seen.append(String(decoding: try reader.take(3), as: UTF8.self))
        socket.endWriting()
        seen.append(try socket.receiveToEnd())
        return seen
      }
      for name in ["websocket", "SPDY/3.1, x"] {
        let seen = try await onThread { try tunnel(name) }
        #expect(seen == ["101", name, "first", "cba", ""])
      }
      for name in ["h2c", "websocket, H2C", "TLS/1.0", "HTTP/2.0", ",", ""] {
        #expect(try await get(port, "/", "Connection: Upgrade\r\nUpgrade: \(name)\r\n").text == "none", "\(name)")
      }
    }
  }

  @Test("rules redirect, answer fixed responses and forward by weight")
  func actions() async throws {
    let one = try TestServer { _ in ok("one") }
    try await GateFixture.with { gate in
      let rules: [GateSnapshot.Rule] = [
        .init(
          priority: 1, conditions: [.pathPattern(["/old/*"])],
          action: .redirect(.init(statusCode: 301, scheme: "https", port: "443", path: "/new/#{path}"))),
        .init(
          priority: 2, conditions: [.pathPattern(["/fixed"])],
          action: .fixedResponse(.init(statusCode: 418, contentType: "text/plain", body: "teapot"))),
      ]
      let port = try await gate.serve(targets: [target(one)], rules: rules)
      let redirect = try await get(port, "/old/x?y=1")
      #expect(redirect.status == 301)
      #expect(redirect["Location"] == "https://shop.test:443/new/old/x?y=1")
      #expect(redirect["Server"] == "awselb/2.0")
      let fixed = try await exchange(port, "POST /fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
      #expect(fixed.status == 418 && fixed.text == "teapot" && fixed["Content-Type"] == "text/plain")
      #expect(fixed["Connection"] == "keep-alive")
      #expect(try await get(port).text == "one")
      let head = try await exchange(port, "HEAD /fixed HTTP/1.1\r\nHost: a\r\n\r\n", toHEAD: true)
      #expect(head["Content-Length"] == "6")
    }
  }

  @Test("smuggling shapes are answered with 400 and nothing of them reaches a target")
  func smuggling() async throws {
    let server = try TestServer { _ in ok("no") }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(server)])
      for (request, status) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("GET /\(String(repeating: "a", count: 20_000)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 20_000))\r\n\r\n", 431),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505), ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
      ] {
        let answer = try await exchange(port, request)
        #expect(answer.status == status || (status == 400 && answer.status == 405), "\(request.prefix(60))")
        #expect(answer["Connection"] == "close" && answer["Server"] == "awselb/2.0")
      }
      #expect(server.requests == 0)
      let statistics = try await gate.client.statistics()
      #expect(statistics.loadBalancers[0].elb.code4xx == 7)
      #expect(statistics.loadBalancers[0].elb.code5xx == 1)
    }
  }
}
