// Web ACLs on real traffic: blocked, counted, limited, with bodies, and what is told of it.
import GateProtocol
import Testing
import WebACL

@testable import GateCore

@Suite("Web ACLs in the Gate", .timeLimit(.minutes(2)))
struct GateWebACLTests {
  private static func echo() throws -> TestServer {
    try TestServer { message in
      ok(message.line + "\n" + message.headers.map { "\($0.name): \($0.value)" }.joined(separator: "\n"))
    }
  }

  /// Applies a load balancer with a web ACL; returns its port.
  private func serve(_ gate: GateFixture, _ server: TestServer, _ acl: WebACL?, version: UInt64 = 1) async throws
    -> UInt16
  {
    var group = GateSnapshot.TargetGroup(id: "tg", healthCheck: .init(probe: .none))
    group.targets = [target(server)]
    let listener = GateSnapshot.Listener(
      id: "listener", port: 0, defaultAction: .forward(to: "tg"), acceptsCleartextHTTP2: true)
    let balancer = GateSnapshot.LoadBalancer(id: "lb", address: "127.0.0.1", listeners: [listener])
    var snapshot = GateSnapshot(version: version, loadBalancers: [balancer], targetGroups: [group])
    if var acl {
      acl.loadBalancers = ["lb"]
      snapshot.webACLs = [acl]
    }
    let status = try await gate.client.apply(snapshot)
    return try #require(status.listener("listener")?.port)
  }

  /// A request from an address of this machine's loopback network.
  private func request(_ port: UInt16, from address: String, _ text: String) async throws -> Message {
    try await onThread {
      let connection = try RawSocket(port: port, from: address)
      try connection.send(text)
      guard let message = try MessageReader(connection).next() else { throw TestFailure("no answer") }
      return message
    }
  }

  private static func path(_ text: String) -> WebACL.Statement {
    .byteMatch(WebACL.Inspection(.uriPath, [.urlDecode, .lowercase]), .startsWith, Array(text.utf8))
  }

  @Test("a blocked request gets 403 or the rule's own answer, an allowed one the rule's headers, a counted one goes on")
  func actions() async throws {
    let server = try Self.echo()
    let response = WebACL.Response(
      status: 429, headers: [.init("Retry-After", "30")], contentType: "application/json", body: "{\"error\":\"no\"}")
    let acl = WebACL(
      id: "acl",
      rules: [
        .init(name: "admin", priority: 1, Self.path("/admin"), .block()),
        .init(name: "custom", priority: 2, Self.path("/slow"), .block(response)),
        .init(name: "count", priority: 3, Self.path("/count"), .count(insert: [.init("seen", "yes")])),
        .init(name: "allow", priority: 4, Self.path("/allow"), .allow(insert: [.init("ok", "1")])),
        .init(name: "rest", priority: 5, Self.path("/allow/but"), .block()),
      ])
    try await GateFixture.with { gate in
      let port = try await serve(gate, server, acl)
      #expect(try await get(port, "/%61DMIN/x").status == 403)
      let custom = try await get(port, "/slow")
      #expect(custom.status == 429)
      #expect(custom["Retry-After"] == "30")
      #expect(custom["Content-Type"] == "application/json")
      #expect(custom.text == "{\"error\":\"no\"}")
      let counted = try await get(port, "/count", "X-Amzn-Waf-Seen: forged\r\n")
      #expect(counted.status == 200)
      #expect(counted.text.contains("x-amzn-waf-seen: yes"))
      #expect(!counted.text.contains("forged"))
      let allowed = try await get(port, "/allow/but")
      #expect(allowed.text.contains("x-amzn-waf-ok: 1"))
      #expect(try await get(port, "/other").status == 200)
      #expect(server.requests == 3)
      let statistics = try await gate.client.statistics()
      let counters = try #require(statistics.webACLs?.first?.counters)
      func counter(_ name: String) -> WebACLCounter? { counters.first { $0.name == name } }
      #expect(counter("admin")?.blocked == 1)
      #expect(counter("custom")?.blocked == 1)
      #expect(counter("count")?.counted == 1)
      #expect(counter("allow")?.allowed == 1)
      #expect(counter("Default_Action")?.allowed == 2)
    }
  }

  @Test("bodies are waited for and looked into, with a length, in chunks, in pieces and behind Expect")
  func bodies() async throws {
    let server = try TestServer { message in ok("\(message.text.utf8.count)") }
    var looked = WebACL(
      id: "acl",
      rules: [
        .init(
          name: "body", priority: 1,
          .byteMatch(WebACL.Inspection(.body(.proceed), [.lowercase]), .contains, Array("evil".utf8)),
          .block())
      ])
    looked.bodyLimit = 64
    let acl = looked
    try await GateFixture.with { gate in
      let port = try await serve(gate, server, acl)
      func post(_ body: String) async throws -> Message {
        try await exchange(port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
      }
      #expect(try await post("something EVIL comes").status == 403)
      #expect(try await post("something good").text == "14")
      // What stands behind the limit is not looked at.
      #expect(try await post(String(repeating: "a", count: 100) + "evil").text == "104")
      let chunks =
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nan \r\n2\r\nev\r\n2\r\nil\r\n0\r\n\r\n"
      #expect(try await exchange(port, chunks).status == 403)
      #expect(try await exchange(port, chunks.replacing("il", with: "en")).text == "7")
      let statuses = try await onThread {
        let socket = try RawSocket(port: port)
        let reader = MessageReader(socket)
        try socket.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n")
        let interim = try reader.head()?.status
        for byte in Array("an evil!".utf8) { try socket.send([byte]) }
        let last = try reader.next()?.status
        // The connection goes on after a block whose request was read to its end.
        try socket.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
        try socket.send("ok")
        return [interim, last, try reader.next()?.status]
      }
      #expect(statuses == [100, 403, 200])
    }
  }

  @Test("bodies over HTTP/2 are waited for and looked into, to the limit or as far as a stream's window goes")
  func http2Bodies() async throws {
    let server = try TestServer { message in ok("\(message.text.utf8.count)") }
    var looked = WebACL(
      id: "acl",
      rules: [
        .init(
          name: "body", priority: 1, .byteMatch(WebACL.Inspection(.body(.proceed)), .contains, Array("evil".utf8)),
          .block())
      ])
    try await GateFixture.with { gate in
      for (version, limit) in [(1, 64), (2, 64 << 10)] {
        looked.bodyLimit = limit
        let port = try await serve(gate, server, looked, version: UInt64(version))
        func post(_ parts: String...) async throws -> HTTP2Answer {
          let bodies = parts.enumerated().flatMap { index, part in
            HTTP2Wire.data(1, Array(part.utf8), end: index == parts.count - 1)
          }
          return try await http2(
            port, HTTP2Wire.settings([]), HTTP2Wire.request(1, "/", method: "POST", end: false), bodies)
        }
        #expect(try await post("an ev", "il thing").status == 403)
        #expect(try await post("a good", "", " thing").text == "12")
        #expect(try await post("").text == "0")
        // Who asks first is told to go on.
        let asked = try await onThread {
          let wire = try HTTP2Wire(port: port)
          let expect = [("expect", "100-continue")]
          try wire.send(HTTP2Wire.settings([]), HTTP2Wire.request(1, "/", method: "POST", expect, end: false))
          while let frame = try wire.next() {
            try wire.take(frame)
            if frame.type == .headers { break }
          }
          try wire.send(HTTP2Wire.data(1, Array("an evil thing".utf8)))
          return try wire.answer(1)
        }
        #expect(asked.interim == [100] && asked.status == 403)
        // All that the client may send before it is taken: judged by what has come.
        let full = (0..<4).map { String(repeating: "a", count: $0 < 3 ? 16_384 : 16_383) }
        let wire = try await onThread {
          let wire = try HTTP2Wire(port: port)
          try wire.send(HTTP2Wire.request(1, "/", method: "POST", end: false))
          for part in full { try wire.send(HTTP2Wire.data(1, Array(part.utf8), end: false)) }
          while let frame = try wire.next() {
            try wire.take(frame)
            if frame.type == .windowUpdate, frame.stream == 1 { break }
          }
          try wire.send(HTTP2Wire.data(1, Array("evil".utf8), end: true))
          return try wire.answer(1)
        }
        #expect(wire.text == "65539", "\(limit): \(wire.status)")
      }
    }
  }

  @Test("a web ACL that goes while a request waits for its body leaves nothing behind")
  func goesMeanwhile() async throws {
    let server = try TestServer { message in ok(message.text) }
    let acl = WebACL(
      id: "acl",
      rules: [
        .init(
          name: "body", priority: 1, .byteMatch(WebACL.Inspection(.body(.proceed)), .contains, Array("evil".utf8)),
          .block())
      ])
    try await GateFixture.with { gate in
      let port = try await serve(gate, server, acl)
      let socket = try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        // Its coming shows that the Gate waits for the body.
        _ = try MessageReader(socket).head()
        return socket
      }
      _ = try await serve(gate, server, nil, version: 2)
      let texts = try await onThread {
        let reader = MessageReader(socket)
        try socket.send("evil")
        let first = try reader.next()?.text
        try socket.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\ngood")
        return [first, try reader.next()?.text]
      }
      #expect(texts == ["evil", "good"])
    }
  }

  @Test("header lines that a web ACL puts into requests end with it")
  func endOfHeaders() async throws {
    let server = try Self.echo()
    let acl = WebACL(id: "acl", rules: [], defaultAction: .allow(insert: [.init("seen", "yes")]))
    try await GateFixture.with { gate in
      let port = try await serve(gate, server, acl)
      let socket = try await onThread { try RawSocket(port: port) }
      func ask() async throws -> String? {
        try await onThread {
          try socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
          return try MessageReader(socket).next()?.text
        }
      }
      #expect(try await ask()?.contains("x-amzn-waf-seen: yes") == true)
      _ = try await serve(gate, server, nil, version: 2)
      #expect(try await ask()?.contains("x-amzn-waf-seen") == false)
    }
  }

  @Test("chunks of one byte with long extensions do not fill the memory: what has come is judged")
  func framing() async throws {
    let server = try TestServer { message in ok("\(message.text.utf8.count)") }
    func acl(_ oversize: WebACL.Oversize) -> WebACL {
      WebACL(
        id: "acl",
        rules: [
          .init(
            name: "body", priority: 1, .byteMatch(WebACL.Inspection(.body(oversize)), .contains, Array("evil".utf8)),
            .block())
        ])
    }
    let chunk = "1;x=\(String(repeating: "y", count: 900))\r\na\r\n"
    let text =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + String(repeating: chunk, count: 200)
      + "0\r\n\r\n"
    try await GateFixture.with { gate in
      let open = try await serve(gate, server, acl(.proceed))
      #expect(try await exchange(open, text).text == "200")
      let closed = try await serve(gate, server, acl(.match), version: 2)
      #expect(try await exchange(closed, text).status == 403)
    }
  }

  @Test("a source over the rate is held back, another one is served, and the keys are told")
  func rates() async throws {
    let server = try Self.echo()
    let acl = WebACL(
      id: "acl",
      rules: [.init(name: "rate", priority: 1, .rate(WebACL.Rate(limit: 10, window: 60)), .block())])
    try await GateFixture.with { gate in
      let port = try await serve(gate, server, acl)
      let text = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
      for _ in 0..<15 { _ = try await request(port, from: "127.0.0.7", text) }
      let isHeld = try await eventually { try await request(port, from: "127.0.0.7", text).status == 403 }
      #expect(isHeld)
      #expect(try await request(port, from: "127.0.0.8", text).status == 200)
      // A snapshot that changes something else lets nobody off.
      var changed = acl
      changed.rules.append(.init(name: "other", priority: 2, Self.path("/x"), .block()))
      let same = try await serve(gate, server, changed, version: 2)
      #expect(try await request(same, from: "127.0.0.7", text).status == 403)
      let statistics = try await gate.client.statistics()
      #expect(statistics.webACLs?.first?.limited == [.init(rule: "rate", groupRule: nil, addresses: ["127.0.0.7"])])
    }
  }

  @Test("samples and log lines reach the control plane, redacted and filtered")
  func records() async throws {
    let server = try Self.echo()
    var acl = WebACL(
      id: "arn:aws:wafv2:us-east-1:0:regional/webacl/a/1",
      rules: [.init(name: "bad", priority: 1, Self.path("/bad"), .block(), labels: ["seen"])],
      labelPrefix: "awswaf:0:webacl:a:")
    acl.logging = WebACL.Logging(
      filters: [.init(keeps: true, meetsAll: true, conditions: [.action("BLOCK"), .label("awswaf:0:webacl:a:seen")])],
      keepsByDefault: false, redactsQuery: true, redactedHeaders: ["cookie"])
    let wanted = acl
    try await GateFixture.with { gate in
      let events = try await gate.client.events()
      let port = try await serve(gate, server, wanted)
      #expect(try await get(port, "/bad?token=1", "Cookie: secret=1\r\n").status == 403)
      #expect(try await get(port, "/good").status == 200)
      var records = WebACLRecords()
      for await event in events {
        guard case .webACL(let news) = event else { continue }
        records.samples += news.samples
        records.lines += news.lines
        if records.samples.count >= 2 { break }
      }
      #expect(Set(records.samples.map(\.metric)) == ["bad", "Default_Action"])
      let blocked = try #require(records.samples.first { $0.metric == "bad" })
      #expect(blocked.action == "BLOCK")
      #expect(blocked.uri == "/bad?token=1")
      #expect(blocked.labels == ["awswaf:0:webacl:a:seen"])
      #expect(records.lines.count == 1)
      let line = try #require(records.lines.first?.text)
      #expect(line.contains("\"terminatingRuleId\":\"bad\""))
      #expect(line.contains("\"action\":\"BLOCK\""))
      #expect(line.contains("\"clientIp\":\"127.0.0.1\""))
      #expect(line.contains("\"args\":\"REDACTED\""))
      #expect(!line.contains("secret"))
    }
  }

  @Test("what a web ACL protects is masked in samples and log lines, and nothing else")
  func protected() async throws {
    let server = try Self.echo()
    let rate = WebACL.Rate(limit: 1, window: 60, keys: [.header("x-key", []), .ip])
    var acl = WebACL(
      id: "acl",
      rules: [
        .init(name: "seen", priority: 1, Self.path("/"), .count()),
        .init(name: "rate", priority: 2, .rate(rate), .block()),
      ])
    acl.logging = WebACL.Logging()
    acl.protections = [
      .init(.header, names: ["x-key"]), .init(.cookie, names: ["session"]),
      .init(.queryArgument, names: ["hoppy"], hashAccount: "111122223333"), .init(.body),
    ]
    let wanted = acl
    try await GateFixture.with { gate in
      let events = try await gate.client.events()
      let port = try await serve(gate, server, wanted)
      let headers = "X-KEY: s3cret\r\nX-Other: plain\r\nCookie: a=1; Session=s3cret; b=2\r\n"
      #expect(try await get(port, "/?a=1&Hoppy=hello&b=hello&hoppy", headers).status == 200)
      // More than the limit, until the loops have told each other.
      while try await get(port, "/?hoppy=s3cret", headers).status == 200 {}
      var records = WebACLRecords()
      for await event in events {
        guard case .webACL(let news) = event else { continue }
        records.samples += news.samples
        records.lines += news.lines
        // Loops tell each for itself, in any order.
        let isLimited = records.lines.contains { $0.text.contains("CUSTOMKEYS") }
        if isLimited, !records.samples.isEmpty, records.lines.contains(where: { $0.text.contains("&b=hello") }) {
          break
        }
      }
      let line = try #require(records.lines.first { $0.text.contains("&b=hello") }?.text)
      #expect(
        line.contains(#""args":"a=1&Hoppy=XNJybDQ6H0djxSvg3tsn7QDqLEJUAeh82KGM8ggrBfM=&b=hello&hoppy""#), "\(line)")
      #expect(line.contains(#"{"name":"X-KEY","value":"REDACTED"}"#) && line.contains(#""value":"plain""#))
      #expect(line.contains(#""value":"a=1; Session=REDACTED; b=2""#))
      #expect(
        records.lines.contains {
          $0.text.contains(
            #""customValues":[{"key":"HEADER","name":"x-key","value":"REDACTED"},{"key":"IP","value":"127.0.0.1"}]"#)
        })
      #expect(!records.lines.contains { $0.text.contains("s3cret") })
      #expect(
        !records.samples.contains { sample in
          sample.uri.contains("s3cret") || sample.headers.contains { $0.value.contains("s3cret") }
        })
    }
  }

  @Test("a log line tells what rules found in a request, and how large its body was")
  func details() async throws {
    let server = try Self.echo()
    let body = WebACL.Inspection(.body(.proceed), [.urlDecode])
    var acl = WebACL(
      id: "acl",
      rules: [
        .init(name: "xss", priority: 1, .crossSiteScripting(WebACL.Inspection(.header("x-note"))), .count()),
        .init(name: "sql", priority: 2, .sqlInjection(body, isSensitive: true), .block()),
      ])
    acl.bodyLimit = 40
    acl.logging = WebACL.Logging()
    let wanted = acl
    try await GateFixture.with { gate in
      let events = try await gate.client.events()
      let port = try await serve(gate, server, wanted)
      let head = "POST / HTTP/1.1\r\nHost: h\r\nX-Note: <svg/onload=alert(1)>\r\n"
      let attack = "id=1%27+union+select+1"
      let texts = [
        head + "Content-Length: \(attack.utf8.count)\r\n\r\n" + attack,
        head + "Transfer-Encoding: chunked\r\n\r\n5\r\nid=1;\r\n13\r\n drop table users--\r\n0\r\n\r\n",
        head + "Content-Length: 60\r\n\r\n" + String(repeating: "a", count: 60),
      ]
      for text in texts { _ = try await request(port, from: "127.0.0.1", text) }
      let note = [("x-note", "<svg/onload=alert(1)>")]
      let frames = HTTP2Wire.request(1, "/", method: "POST", note, end: false)
      _ = try await http2(port, HTTP2Wire.settings([]), frames, HTTP2Wire.data(1, Array(attack.utf8), end: true))
      var lines: [String] = []
      for await event in events {
        if case .webACL(let news) = event { lines += news.lines.map(\.text) }
        if lines.count >= texts.count + 1 { break }
      }
      let counted =
        #""nonTerminatingMatchingRules":[{"ruleId":"xss","action":"COUNT","ruleMatchDetails":[{"conditionType":"XSS","#
        + #""location":"HEADER","matchedData":["<","svg"],"matchedFieldName":"x-note"}]}]"#
      #expect(lines.allSatisfy { $0.contains(counted) && $0.contains(#""scheme":"http""#) }, "\(lines)")
      let whole = #""requestBodySize":22,"requestBodySizeInspectedByWAF":22"#
      #expect(lines.filter { $0.contains(whole) }.count == 2)
      #expect(lines.contains { $0.contains(whole) && $0.contains(#""httpVersion":"HTTP/2"#) }, "\(lines)")
      let first = try #require(lines.first { $0.contains(whole) })
      #expect(first.contains(#""location":"BODY","matchedData":["#) && first.contains(#""sensitivityLevel":"HIGH""#))
      let chunked = #""requestBodySize":24,"requestBodySizeInspectedByWAF":24"#
      let second = try #require(lines.first { $0.contains(chunked) })
      #expect(second.contains(#""matchedData":["1",";","drop","table","users"]"#), "\(second)")
      let cut = #""requestBodySize":60,"requestBodySizeInspectedByWAF":40,"oversizeFields":["REQUEST_BODY"]"#
      #expect(lines.contains { $0.contains(cut) && $0.contains(#""terminatingRuleMatchDetails":[]"#) }, "\(lines)")
    }
  }

  @Test("a web ACL that cannot be evaluated answers 500, and lets requests pass where the load balancer says so")
  func failOpen() async throws {
    let server = try Self.echo()
    let acl = WebACL(
      id: "acl", rules: [.init(name: "set", priority: 1, .ipSet(id: "nowhere", nil), .block())])
    try await GateFixture.with { gate in
      let closed = try await serve(gate, server, acl)
      #expect(try await get(closed).status == 500)
      var open = acl
      open.failOpen = ["lb"]
      let port = try await serve(gate, server, open, version: 2)
      #expect(try await get(port).status == 200)
    }
  }
}
