// Attributes of load balancers and listeners, and the errors that a load balancer itself answers with.
import GateProtocol
import Testing

@testable import GateCore

@Suite("Attributes and errors", .timeLimit(.minutes(2)))
struct AttributeTests {
  @Test("desync mitigation routes, routes once, or refuses, by the class of the request")
  func desync() async throws {
    let server = try TestServer { ok("\($0["Content-Length"] ?? "-") \($0.isChunked) \($0.text)") }
    let ambiguous =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    let acceptable = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    try await GateFixture.with { gate in
      for (version, mode) in [GateSnapshot.Attributes.DesyncMitigation.monitor, .defensive, .strictest].enumerated() {
        var attributes = GateSnapshot.Attributes()
        attributes.desyncMitigation = mode
        let port = try await gate.serve(UInt64(version + 1), targets: [target(server)], attributes: attributes)
        let first = try await exchange(port, ambiguous)
        let second = try await exchange(port, acceptable)
        switch mode {
        case .monitor:
          #expect(first.text == "- true abc" && first["Connection"] == nil)
          #expect(second.status == 200)
        case .defensive:
          // The length is gone, the chunks stay, and neither connection is used again.
          #expect(first.text == "- true abc" && first["Connection"] == "close")
          #expect(second.status == 200 && second["Connection"] == nil)
        case .strictest: #expect(first.status == 400 && second.status == 400)
        }
        #expect(
          try await exchange(port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx")
            .status == 400)
      }
      #expect(try await gate.client.statistics().loadBalancers[0].nonCompliantRequests == 9)
    }
  }

  @Test("the connection to the target ends after an ambiguous request")
  func ambiguousTarget() async throws {
    let server = try TestServer { _ in ok("") }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serve(targets: [target(server)])
      _ = try await exchange(port, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
      _ = try await get(port)
      #expect(server.connections == 2)
    }
  }

  @Test(
    "errors as a load balancer gives them",
    arguments: [
      ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n", 400),
      ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 411),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999999\r\n\r\n", 413),
      ("GET /\(String(repeating: "u", count: 17 << 10)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
      ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "h", count: 17 << 10))\r\n\r\n", 431),
      (
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: \(Array(repeating: "1.2.3.4", count: 31).joined(separator: ", "))\r\n\r\n",
        463
      ),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
      ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
      ("GET /none HTTP/1.1\r\nHost: a\r\n\r\n", 503),
    ])
  func errors(_ request: String, _ status: Int) async throws {
    let server = try TestServer { _ in ok("") }
    try await GateFixture.with { gate in
      let snapshot = GateSnapshot(
        version: 1,
        loadBalancers: [
          .init(
            id: "lb", address: "127.0.0.1",
            listeners: [
              .init(
                id: "l", port: 0,
                rules: [.init(priority: 1, conditions: [.pathPattern(["/none"])], action: .forward(to: "empty"))],
                defaultAction: .forward(to: "tg"))
            ])
        ],
        targetGroups: [
          .init(id: "tg", targets: [target(server)], healthCheck: .init(probe: .none)), .init(id: "empty"),
        ])
      let applied = try await gate.client.apply(snapshot).listener("l")?.port
      let port = try #require(applied)
      let answer = try await exchange(port, request)
      #expect(answer.status == status)
      #expect(answer["Server"] == "awselb/2.0")
      let codes = try await gate.client.statistics().loadBalancers[0].elb
      #expect(codes.code4xx + codes.code5xx == 1)
      #expect(server.requests == 0)
    }
  }

  @Test("thirty forwarders are as many as may be")
  func thirty() async throws {
    let server = try TestServer { ok("\($0["X-Forwarded-For"]?.split(separator: ",").count ?? 0)") }
    try await GateFixture.with { gate in
      let port = try await gate.serve(targets: [target(server)])
      let list = Array(repeating: "1.2.3.4", count: 15).joined(separator: ", ")
      #expect(try await get(port, "/", "X-Forwarded-For: \(list)\r\nX-Forwarded-For: \(list)\r\n").text == "31")
    }
  }

  @Test("X-Forwarded-For names the client's port when it is asked to")
  func clientPort() async throws {
    let server = try TestServer { ok($0["X-Forwarded-For"] ?? "-") }
    try await GateFixture.with { gate in
      let port = try await gate.serve(
        targets: [target(server)], attributes: .init(forwardedClientPort: true))
      #expect(try await get(port).text.wholeMatch(of: /127\.0\.0\.1:[0-9]+/) != nil)
      #expect(try await get(port, "/", "X-Forwarded-For: 9.9.9.9\r\n").text.hasPrefix("9.9.9.9, 127.0.0.1:"))
    }
  }

  @Test("headers with unusual names are counted, dropped or passed on")
  func invalidHeaders() async throws {
    let server = try TestServer { ok($0["x_y"] ?? "-") }
    try await GateFixture.with { gate in
      var port = try await gate.serve(1, targets: [target(server)])
      #expect(try await get(port, "/", "x_y: 1\r\n").text == "1")
      port = try await gate.serve(2, targets: [target(server)], attributes: .init(dropInvalidHeaderFields: true))
      #expect(try await get(port, "/", "x_y: 1\r\n").text == "-")
      let statistics = try await gate.client.statistics().loadBalancers[0]
      #expect(statistics.forwardedInvalidHeaders == 1 && statistics.droppedInvalidHeaders == 1)
    }
  }

  @Test("a listener sets headers in every answer, over the target's, and hides the server")
  func answerHeaders() async throws {
    let server = try TestServer { _ in
      ok("", "Server: secret/1.0\r\nstrict-transport-security: max-age=1\r\nX-Own: 1\r\n")
    }
    try await GateFixture.with { gate in
      let listener = GateSnapshot.Listener(
        id: "l", port: 0,
        rules: [
          .init(priority: 1, conditions: [.pathPattern(["/fixed"])], action: .fixedResponse(.init(statusCode: 200)))
        ],
        defaultAction: .forward(to: "tg"),
        headers: .init(
          sendsServer: false,
          responseHeaders: [
            .init(name: "Strict-Transport-Security", value: "max-age=63072000"),
            .init(name: "X-Frame-Options", value: "DENY"),
          ]))
      let snapshot = GateSnapshot(
        version: 1, loadBalancers: [.init(id: "lb", address: "127.0.0.1", listeners: [listener])],
        targetGroups: [.init(id: "tg", targets: [target(server)], healthCheck: .init(probe: .none))])
      let applied = try await gate.client.apply(snapshot).listener("l")?.port
      let port = try #require(applied)
      for path in ["/", "/fixed"] {
        let answer = try await get(port, path)
        #expect(answer.all("Strict-Transport-Security") == ["max-age=63072000"])
        #expect(answer.all("X-Frame-Options") == ["DENY"])
        #expect(answer["Server"] == nil)
      }
      #expect(try await get(port)["X-Own"] == "1")
      #expect(try await exchange(port, "NONSENSE\r\n\r\n")["X-Frame-Options"] == "DENY")
    }
  }
}
