// What rules do with requests, through real sockets: tokens, rewriting, sticky cookies, redirects.
import GateProtocol
import Testing

@testable import GateCore

@Suite("Rules in use", .timeLimit(.minutes(2)))
struct RuleActionTests {
  @Test("a rule with a token check forwards what has a good one, and tells the others 401, or 562 without keys")
  func tokens() async throws {
    let server = try TestServer { ok($0["Authorization"] ?? "-") }
    let signer = TokenSigner.shared
    try await GateFixture.with { gate in
      let check = GateSnapshot.Check.jwtValidation(
        .init(
          issuer: "https://idp.test", keySet: signer.keySet,
          claims: [.init(name: "aud", format: .singleString, values: ["shop"])]))
      let keyless = GateSnapshot.Check.jwtValidation(.init(issuer: "https://idp.test", keySet: nil))
      let rules = [
        GateSnapshot.Rule(
          priority: 1, conditions: [.pathPattern(["/keyless"])], checks: [keyless], action: .forward(to: "tg")),
        GateSnapshot.Rule(priority: 2, conditions: [.pathPattern(["*"])], checks: [check], action: .forward(to: "tg")),
      ]
      let port = try await gate.serve(targets: [target(server)], rules: rules)
      let good = String(
        decoding: try signer.token(#"{"iss":"https://idp.test","exp":4000000000,"aud":"shop"}"#), as: UTF8.self)
      let expired = String(
        decoding: try signer.token(#"{"iss":"https://idp.test","exp":1000000000,"aud":"shop"}"#), as: UTF8.self)
      for _ in 0..<2 {
        let answer = try await get(port, "/", "Authorization: Bearer \(good)\r\n")
        #expect(answer.status == 200 && answer.text == "Bearer \(good)")
      }
      #expect(try await get(port).status == 401)
      #expect(try await get(port, "/", "Authorization: Basic x\r\n").status == 401)
      #expect(try await get(port, "/", "Authorization: Bearer \(expired)\r\n").status == 401)
      #expect(try await get(port, "/", "Authorization: Bearer \(good)x\r\n").status == 401)
      #expect(try await get(port, "/keyless", "Authorization: Bearer \(good)\r\n").status == 562)
      #expect(server.requests == 2)
      let statistics = try await gate.client.statistics().loadBalancers[0]
      #expect(statistics.tokensAccepted == 2 && statistics.tokensRefused == 5)
    }
  }

  @Test("transforms rewrite URL and host for the target; one that fails is answered with 500")
  func rewrites() async throws {
    let server = try TestServer { ok("\($0.target) \($0["Host"] ?? "-")") }
    try await GateFixture.with { gate in
      let rules = [
        GateSnapshot.Rule(
          priority: 1, conditions: [.pathPattern(["/api/*"])],
          transforms: [
            .init(kind: .url, regex: "^/api/v([0-9])/([^?]*)", replacement: "/$2/version$1"),
            .init(kind: .host, regex: "^shop\\.(.*)$", replacement: "internal.$1"),
          ], action: .forward(to: "tg")),
        GateSnapshot.Rule(
          priority: 2, conditions: [.pathPattern(["/bad"])],
          transforms: [.init(kind: .url, regex: "^/bad$", replacement: "no slash")], action: .forward(to: "tg")),
      ]
      let port = try await gate.serve(targets: [target(server)], rules: rules)
      #expect(
        try await get(port, "/api/v2/users?x=/api/v3/").text == "/users/version2?x=/api/v3/ internal.test:\(port)")
      #expect(
        try await exchange(port, "GET /api/x HTTP/1.1\r\nHost: Shop.Test:99\r\n\r\n").text == "/api/x internal.Test:99")
      #expect(try await exchange(port, "GET /api/x HTTP/1.1\r\nHost: other\r\n\r\n").text == "/api/x other:\(port)")
      #expect(try await get(port, "/bad").status == 500)
      #expect(try await gate.client.statistics().loadBalancers[0].elb.code500 == 1)
    }
  }

  @Test("a hundred regular expressions choose as they should")
  func manyRegexes() async throws {
    try await GateFixture.with { gate in
      let rules = (1...100).map { number in
        GateSnapshot.Rule(
          priority: number, conditions: [.pathRegex(["^/r\(number)/[a-z]+\\d*$"])],
          action: .fixedResponse(.init(statusCode: 200, body: "\(number)")))
      }
      let port = try await gate.serve(targets: [], rules: rules, defaultAction: .fixedResponse(.init(statusCode: 404)))
      #expect(try await get(port, "/r1/a").text == "1")
      #expect(try await get(port, "/r100/abc12").text == "100")
      #expect(try await get(port, "/r100/12").status == 404)
      #expect(try await gate.client.statistics().loadBalancers[0].ruleEvaluations == 201)
    }
  }

  @Test("a redirect whose Location is too long is answered with 507")
  func longRedirect() async throws {
    try await GateFixture.with { gate in
      let port = try await gate.serve(
        targets: [], defaultAction: .redirect(.init(statusCode: 302, path: "/#{path}#{path}")))
      let path = "/" + String(repeating: "p", count: 5000)
      #expect(try await get(port, path).status == 507)
      #expect(try await get(port, "/short").status == 302)
      let statistics = try await gate.client.statistics().loadBalancers[0]
      #expect(statistics.redirects == 1 && statistics.redirectsTooLong == 1)
    }
  }

  // MARK: - Cookies

  @Test("the load balancer's cookie keeps a client with its target while that is healthy and registered")
  func loadBalancerCookie() async throws {
    let servers = try (0..<3).map { number in try TestServer { _ in ok("\(number)") } }
    let group = GateSnapshot.TargetGroup(
      id: "tg", healthCheck: .init(probe: .none), stickiness: .loadBalancerCookie(duration: 60))
    try await GateFixture.with { gate in
      var port = try await gate.serve(targets: servers.map { target($0) }, group: group)
      let first = try await get(port)
      let cookies = first.all("Set-Cookie")
      #expect(cookies.count == 2)
      #expect(cookies[0].wholeMatch(of: /AWSALB=[A-Za-z0-9+\/=]+; Expires=\w{3}, .* GMT; Path=\//) != nil)
      #expect(cookies[1].hasPrefix("AWSALBCORS=") && cookies[1].hasSuffix("; SameSite=None"))
      let cookie = try #require(cookies[0].split(separator: ";").first)
      for _ in 0..<6 {
        let answer = try await get(port, "/", "Cookie: a=b; \(cookie); c=d\r\n")
        #expect(answer.text == first.text)
        #expect(answer.all("Set-Cookie").count == 2)
      }
      // From another site's page only the second cookie comes back.
      let other = try #require(cookies[1].split(separator: ";").first)
      for _ in 0..<4 { #expect(try await get(port, "/", "Cookie: \(other)\r\n").text == first.text) }
      // A cookie that somebody made up is like none.
      #expect(try await get(port, "/", "Cookie: AWSALB=AAAA\r\n").status == 200)
      // Deregistered: another target, and a cookie that names it.
      let rest = servers.enumerated().filter { "\($0.offset)" != first.text }.map(\.element)
      port = try await gate.serve(2, targets: rest.map { target($0) }, group: group)
      #expect(try await get(port, "/", "Cookie: \(cookie)\r\n").text != first.text)
    }
  }

  @Test("application stickiness begins with the target's own cookie and needs both cookies back")
  func applicationCookie() async throws {
    let servers = try (0..<3).map { number in
      try TestServer { ok("\(number)", $0.target == "/login" ? "Set-Cookie: session=\(number); Path=/\r\n" : "") }
    }
    let group = GateSnapshot.TargetGroup(
      id: "tg", healthCheck: .init(probe: .none), stickiness: .applicationCookie(name: "session", duration: 60))
    try await GateFixture.with(loops: 1) { gate in
      let port = try await gate.serve(targets: servers.map { target($0) }, group: group)
      #expect(try await get(port).all("Set-Cookie").isEmpty)
      let login = try await get(port, "/login")
      let cookies = login.all("Set-Cookie")
      #expect(cookies.count == 2 && cookies[0].hasPrefix("session=") && cookies[1].hasPrefix("AWSALBAPP-0="))
      let sticky = try #require(cookies[1].split(separator: ";").first)
      for _ in 0..<4 {
        let answer = try await get(port, "/", "Cookie: session=x\r\nCookie: \(sticky)\r\n")
        #expect(answer.text == login.text)
        #expect(answer.all("Set-Cookie").count == 1)
      }
      var others: Set<String> = []
      for _ in 0..<6 { others.insert(try await get(port, "/", "Cookie: \(sticky)\r\n").text) }
      #expect(others.count == 3)
    }
  }

  @Test("target group stickiness keeps a client with the group that was chosen, and cookies outlive the Gate's worker")
  func groupCookie() async throws {
    let one = try TestServer { _ in ok("one") }
    let two = try TestServer { _ in ok("two") }
    func snapshot(_ version: UInt64) -> GateSnapshot {
      var groups = [GateSnapshot.TargetGroup(id: "one"), GateSnapshot.TargetGroup(id: "two")]
      for (index, server) in [one, two].enumerated() {
        groups[index].healthCheck.probe = .none
        groups[index].targets = [target(server)]
      }
      let action = GateSnapshot.Action.forward(
        [.init(targetGroup: "one", weight: 50), .init(targetGroup: "two", weight: 50)], stickiness: 3600)
      let listener = GateSnapshot.Listener(id: "l", port: 0, defaultAction: action)
      return GateSnapshot(
        version: version, loadBalancers: [.init(id: "lb", address: "127.0.0.1", listeners: [listener])],
        targetGroups: groups, cookieKey: Array(repeating: 9, count: 32))
    }
    var cookie = ""
    var text = ""
    try await GateFixture.with { gate in
      let applied = try await gate.client.apply(snapshot(1)).listener("l")?.port
      let port = try #require(applied)
      let first = try await get(port)
      text = first.text
      let cookies = first.all("Set-Cookie")
      #expect(cookies.count == 2 && cookies[0].hasPrefix("AWSALBTG=") && cookies[1].hasPrefix("AWSALBTGCORS="))
      cookie = String(cookies[0].split(separator: ";").first ?? "")
      for _ in 0..<10 { #expect(try await get(port, "/", "Cookie: \(cookie)\r\n").text == text) }
    }
    try await GateFixture.with { gate in
      let applied = try await gate.client.apply(snapshot(1)).listener("l")?.port
      let port = try #require(applied)
      for _ in 0..<10 { #expect(try await get(port, "/", "Cookie: \(cookie)\r\n").text == text) }
    }
  }
}
