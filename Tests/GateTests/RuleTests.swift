// Listener rules and the health state machine, without sockets.
import GateProtocol
import HTTPWire
import Testing

@testable import GateCore

@Suite("Listener rules")
struct RuleTests {
  @Test(
    "wildcards match as in listener rules",
    arguments: [
      ("/api/*", "/api/x/y", true), ("/api/*", "/api/", true), ("/api/*", "/api", false), ("*", "", true),
      ("/a?c", "/abc", true), ("/a?c", "/ac", false), ("*.example.com", "www.example.com", true),
      ("*.example.com", "example.com", false), ("/*/img/*.png", "/a/b/img/c/d.png", true), ("a*b*c", "axxbxxbc", true),
      ("a*b*c", "axxbxx", false), ("**", "anything", true), ("/exact", "/exact", true), ("/exact", "/Exact", false),
    ])
  func wildcards(_ pattern: String, _ text: String, _ expected: Bool) {
    let wildcard = Wildcard(pattern, ignoresCase: false)
    let bytes = Array(text.utf8)
    #expect(bytes.withUnsafeBufferPointer { wildcard.matches($0.baseAddress ?? emptyBytes(), bytes.count) } == expected)
  }

  @Test("the rule with the lowest number whose conditions all hold decides")
  func priorities() {
    let rules: [GateSnapshot.Rule] = [
      rule(30, [.pathPattern(["/api/*"])], 230),
      rule(10, [.hostHeader(["admin.test"]), .pathPattern(["/api/*", "/v2/*"])], 210),
      rule(20, [.httpHeader(name: "X-Beta", values: ["yes*"])], 220),
      rule(40, [.httpRequestMethod(["DELETE"])], 240),
      rule(50, [.queryString([.init(key: "q", value: "a*"), .init(value: "magic")])], 250),
      rule(60, [.sourceIP(["10.0.0.0/8"])], 260),
      rule(70, [.hostHeader(["*.wild.test"])], 270),
    ]
    #expect(status(rules, "GET /api/x", host: "shop.test") == 230)
    #expect(status(rules, "GET /api/x", host: "ADMIN.test:8080") == 210)
    #expect(status(rules, "GET /v2/x", host: "admin.test") == 210)
    #expect(status(rules, "GET /v2/x", host: "shop.test") == 200)
    #expect(status(rules, "GET /api/x", host: "shop.test", "x-beta: YES please\r\n") == 220)
    #expect(status(rules, "DELETE /", host: "shop.test") == 240)
    #expect(status(rules, "GET /?q=abc", host: "shop.test") == 250)
    #expect(status(rules, "GET /?z=1&any=magic", host: "shop.test") == 250)
    #expect(status(rules, "GET /?q=b", host: "shop.test") == 200)
    #expect(status(rules, "GET /", host: "shop.test", source: "10.9.8.7") == 260)
    #expect(status(rules, "GET /", host: "a.wild.test") == 270)
    #expect(status(rules, "GET /", host: "wild.test") == 200)
  }

  @Test("a hundred rules are found by index")
  func hundred() {
    let rules = (1...150).map { rule($0, [.hostHeader(["h\($0).test"]), .pathPattern(["/p\($0)/*"])], 200 + $0) }
    #expect(status(rules, "GET /p77/x", host: "h77.test") == 277)
    #expect(status(rules, "GET /p150/", host: "h150.test") == 350)
    #expect(status(rules, "GET /p77/x", host: "h78.test") == 200)
  }

  @Test("regular expressions on host, path and header decide, hosts without regard to case")
  func regexes() {
    let rules = [
      rule(10, [.pathRegex(["^/v[0-9]+/users/\\d+$"])], 210),
      rule(20, [.hostHeaderRegex(["^(www|shop)\\.example\\.com$"]), .pathPattern(["/a*"])], 220),
      rule(30, [.httpHeaderRegex(name: "User-Agent", values: ["Bot/[1-3]"])], 230),
      rule(40, [.pathRegex(["nothing", "/tail$"])], 240),
    ]
    #expect(status(rules, "GET /v12/users/7", host: "a.test") == 210)
    #expect(status(rules, "GET /v12/users/7x", host: "a.test") == 200)
    #expect(status(rules, "GET /abc", host: "WWW.example.com:80") == 220)
    #expect(status(rules, "GET /abc", host: "xwww.example.com") == 200)
    #expect(status(rules, "GET /", host: "a", "User-Agent: Some Bot/2.0\r\n") == 230)
    #expect(status(rules, "GET /", host: "a", "User-Agent: Some Bot/4.0\r\n") == 200)
    #expect(status(rules, "GET /long/tail", host: "a") == 240)
  }

  @Test("the index agrees with looking at every rule in order")
  func agrees() {
    var random = SplitMix(state: 42)
    let hosts = ["a.test", "b.test", "*.test", "c?test"]
    let paths = ["/", "/a", "/a*", "/a/b*", "*", "/b/?", "*.png", "/a/b/c"]
    for _ in 0..<60 {
      let rules = (0..<80).map { number -> GateSnapshot.Rule in
        var conditions: [GateSnapshot.Condition] = []
        if random.next() % 2 == 0 { conditions.append(.hostHeader([hosts[Int(random.next() % 4)]])) }
        if random.next() % 3 > 0 { conditions.append(.pathPattern([paths[Int(random.next() % 8)], "/z\(number)"])) }
        if conditions.isEmpty { conditions.append(.httpRequestMethod(["PUT"])) }
        return rule(number, conditions, 210 + number)
      }
      for path in ["/", "/a", "/ab", "/a/b", "/a/b/c", "/b/x", "/x.png", "/z7"] {
        for host in ["a.test", "b.test", "c.test", "other"] {
          let expected = rules.first { rule in
            rule.conditions.allSatisfy { condition in
              switch condition {
              case .hostHeader(let values): values.contains { matches($0, host) }
              case .pathPattern(let values): values.contains { matches($0, path) }
              default: false
              }
            }
          }
          #expect(status(rules, "GET \(path)", host: host) == (expected.map { 210 + $0.priority } ?? 200))
        }
      }
    }
  }

  private func matches(_ pattern: String, _ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return bytes.withUnsafeBufferPointer {
      Wildcard(pattern, ignoresCase: false).matches($0.baseAddress ?? emptyBytes(), bytes.count)
    }
  }

  private func rule(_ priority: Int, _ conditions: [GateSnapshot.Condition], _ status: Int) -> GateSnapshot.Rule {
    .init(priority: priority, conditions: conditions, action: .fixedResponse(.init(statusCode: status)))
  }

  private func status(
    _ rules: [GateSnapshot.Rule], _ line: String, host: String, _ headers: String = "", source: String = "127.0.0.1"
  ) -> Int {
    let listener = GateSnapshot.Listener(
      id: "l", port: 80, rules: rules, defaultAction: .fixedResponse(.init(statusCode: 200)))
    let compiled = CompiledRules(listener) { action in
      if case .fixedResponse(let response) = action { return .fixedResponse(response) }
      return .forward(WeightedGroups([], stickiness: nil))
    }
    let bytes = Array("\(line) HTTP/1.1\r\nHost: \(host)\r\n\(headers)\r\n".utf8)
    var head = MessageHead()
    return bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress, case .complete = head.parseRequest(base, bytes.count),
        let parts = TargetParts(head, base)
      else { return 0 }
      let input = RuleInput(
        bytes: base, method: head.method, host: parts.host, path: parts.path, query: parts.query,
        source: IPv4.parse(source) ?? 0)
      if case .fixedResponse(let response) = compiled.rule(for: input, head).action { return response.statusCode }
      return 0
    }
  }

  @Test("redirect placeholders are filled once")
  func placeholders() {
    let values = [("host", "a.test"), ("path", "#{host}/x"), ("port", "80")]
    #expect(
      TargetParts.fill("https://#{host}:#{port}/#{path}#{nothing}#", values) == "https://a.test:80/#{host}/x#{nothing}#"
    )
  }

  @Test("health moves through ELBv2's states")
  func health() {
    var state = HealthState()
    #expect(state.state == .initial && state.reason == .registrationInProgress)
    state.begin()
    #expect(state.reason == .initialHealthChecking)
    state.take(.passed, healthyThreshold: 5, unhealthyThreshold: 2)
    #expect(state.state == .healthy && state.reason == nil)
    state.take(.timedOut, healthyThreshold: 2, unhealthyThreshold: 2)
    #expect(state.state == .healthy)
    state.take(.wrongStatus(500), healthyThreshold: 2, unhealthyThreshold: 2)
    #expect(state.state == .unhealthy && state.reason == .responseCodeMismatch)
    #expect(state.description == "Health checks failed with these codes: [500]")
    state.take(.failed, healthyThreshold: 2, unhealthyThreshold: 2)
    #expect(state.reason == .failedHealthChecks)
    state.take(.passed, healthyThreshold: 2, unhealthyThreshold: 2)
    #expect(state.state == .unhealthy)
    state.take(.passed, healthyThreshold: 2, unhealthyThreshold: 2)
    #expect(state.state == .healthy)
    let matcher = StatusMatcher("200-299, 404")
    #expect(matcher.contains(204) && matcher.contains(404) && !matcher.contains(301))
  }

  @Test("the histogram's quantiles are right to an eighth")
  func histogram() throws {
    var histogram = GateHistogram()
    for value in 1...10_000 { histogram.record(microseconds: UInt64(value)) }
    let median = try #require(histogram.quantile(0.5))
    #expect(median >= 0.005 && median <= 0.005 * 1.126)
    let p99 = try #require(histogram.quantile(0.99))
    #expect(p99 >= 0.0099 && p99 <= 0.0099 * 1.126)
    #expect(histogram.since(histogram).count == 0)
  }

  @Test("dates are written as HTTP writes them")
  func dates() {
    #expect(HTTPDate.text(secondsSince1970: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(HTTPDate.text(secondsSince1970: 951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
  }
}

/// An address for no bytes at all: it is never read.
private func emptyBytes() -> UnsafePointer<UInt8> { StaticString("").utf8Start }
