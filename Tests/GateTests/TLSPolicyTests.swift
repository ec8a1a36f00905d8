// Logs, headers and the client of identity providers where TLS is spoken.
import GateProtocol
import Testing

@testable import Fetch
@testable import GateCore

@Suite("Policy over TLS", .timeLimit(.minutes(2)))
struct TLSPolicyTests {
  @Test("logs tell protocol, suite, name, certificate and latency of a connection")
  func logs() async throws {
    let folder = try temporaryFolder()
    let server = try TestServer { _ in ok("") }
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serveTLS(
        targets: [target(server)],
        logs: .init(name: "app/tls/1", accessFolder: folder, connectionFolder: folder, seconds: 1000))
      _ = try await getTLS(port)
      // A client that speaks no TLS at all.
      try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try? socket.receiveToEnd()
      }
    }
    let text = try await run(["sh", "-c", "cat \(folder)/*.log; rm -r \(folder)"]).output
    let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    let access = try #require(lines.first { $0[0] == "https" })
    #expect(access[12] == "\"GET" && access[13].hasPrefix("https://shop.test:"))
    let suite = try #require(access.firstIndex(of: "TLS_AES_128_GCM_SHA256"))
    #expect(access[suite + 1] == "TLSv1.3")
    #expect(access.contains("\"shop.test\"") && access.contains("\"rsa\""))
    let good = try #require(lines.first { $0[0] != "https" && $0[4] == "TLSv1.3" })
    #expect(good[5] == "TLS_AES_128_GCM_SHA256" && good[6].wholeMatch(of: /[0-9]+\.[0-9]{3}/) != nil)
    #expect(good[7] == "\"-\"" && access.contains(good[11]))
    let bad = try #require(lines.first { $0[0] != "https" && $0[4] == "-" })
    #expect(bad[5] == "-" && bad[6] == "-" && bad[11].hasPrefix("TID_"))
  }

  @Test("over HTTP/2 answers get the listener's headers and cookies, and the log's line says h2")
  func http2() async throws {
    let folder = try temporaryFolder()
    let made = try TestCertificates.shared.get()
    let server = try TestServer { message in
      ok(message["Cookie"] ?? "-", "X-Secret: 1\r\nServer: target\r\n")
    }
    try await GateFixture.with(loops: 1) { gate in
      let listener = GateSnapshot.Listener(
        id: "listener", port: 0, transport: .https,
        tls: .init(
          certificates: ["rsa"], securityPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06", alpn: .http2Preferred),
        defaultAction: .forward(to: "tg"),
        headers: .init(sendsServer: false, responseHeaders: [.init(name: "X-Secret", value: "ours")]))
      let status = try await gate.client.apply(
        GateSnapshot(
          version: 1,
          loadBalancers: [
            .init(
              id: "lb", address: "127.0.0.1", listeners: [listener],
              logs: .init(name: "app/two/1", accessFolder: folder, connectionFolder: folder, seconds: 1000))
          ],
          targetGroups: [
            .init(
              id: "tg", targets: [target(server)], healthCheck: .init(probe: .none),
              stickiness: .loadBalancerCookie(duration: 60))
          ], certificates: made.all))
      let port = try #require(status.listener("listener")?.port)
      let curl = [
        "curl", "-sS", "--http2", "--cacert", made.folder + "/ca.pem", "--resolve", "shop.test:\(port):127.0.0.1",
        "--max-time", "30",
      ]
      let shown = try await run(curl + ["-i", "https://shop.test:\(port)/a?b=c"]).output
      #expect(shown.hasPrefix("HTTP/2 200"))
      #expect(shown.contains("x-secret: ours") && !shown.contains("x-secret: 1") && !shown.contains("server:"))
      let cookie = try #require(shown.firstMatch(of: /set-cookie: (AWSALB=[A-Za-z0-9+\/=]+); Expires=/)?.1)
      // Browsers send each cookie in a field of its own (RFC 9113, section 8.2.3).
      let back = try await run(
        curl + ["-H", "Cookie: \(cookie)", "-H", "Cookie: other=1", "https://shop.test:\(port)/"]
      ).output
      #expect(back == "\(cookie); other=1")
    }
    let text = try await run(["sh", "-c", "cat \(folder)/*.log; rm -r \(folder)"]).output
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("h2 ") }
    #expect(lines.count == 2, "\(text)")
    #expect(lines.first?.contains("HTTP/2.0\"") == true && lines.first?.contains("/a?b=c") == true, "\(text)")
  }

  @Test("the headers about TLS go by the names that the listener gives them, and clients cannot use those")
  func renames() async throws {
    let server = try TestServer { ok("\($0.all("My-Version")) \($0["X-Amzn-Tls-Version"] ?? "-")") }
    try await GateFixture.with { gate in
      let port = try await gate.serveTLS(
        targets: [target(server)], attributes: .init(tlsHeaders: true),
        headers: .init(requestHeaderNames: ["x-amzn-tls-version": "My-Version"]))
      let answer = try await onThread {
        let client = try TLSTestClient(port: port)
        try client.send("GET / HTTP/1.1\r\nHost: a\r\nMy-Version: forged\r\n\r\n")
        return try client.reader.next()?.text
      }
      #expect(answer == #"["TLSv1.3"] -"#)
    }
  }

  @Test("an identity provider is asked over TLS, and only when its certificate is good")
  func fetches() async throws {
    let folder = try temporaryFolder()
    try TestCertificates.authority("ca", "Provider Authority", folder)
    let authority = try text(folder + "/ca.pem")
    let certificate = try TestCertificates.make("idp", ["localhost"], "ec", folder)
    _ = try await run(["rm", "-r", folder])
    try await GateFixture.with { gate in
      let port = try await gate.serveTLS(
        targets: [], tls: .init(certificates: ["idp"], securityPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06"),
        certificates: [certificate],
        action: .fixedResponse(.init(statusCode: 200, contentType: "application/json", body: "{}")))
      func fetch(_ host: String, _ authorities: String?) async throws -> FetchOutcome {
        try await onThread {
          HTTPFetch.perform(FetchRequest(url: "https://\(host):\(port)/token", authorities: authorities))
        }
      }
      guard case .answered(200, let body) = try await fetch("localhost", authority), body == Array("{}".utf8) else {
        throw TestFailure("the provider was not asked")
      }
      for (host, authorities) in [("localhost", nil), ("127.0.0.1", authority)] {
        guard case .failed = try await fetch(host, authorities) else { throw TestFailure("\(host) was trusted") }
      }
    }
  }
}
