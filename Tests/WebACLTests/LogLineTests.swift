// What a line of a web ACL's log tells of the rules that matched, and what it hides.

import Testing

@testable import WebACL

@Suite("Log lines of web ACLs")
struct LogLineTests {
  private func acl(_ rules: [WebACL.Rule], _ logging: WebACL.Logging = .init()) -> WebACL {
    var acl = WebACL(id: "acl", rules: rules)
    acl.logging = logging
    return acl
  }

  private func line(_ acl: WebACL, _ trial: Trial) throws -> String {
    let evaluator = WebACLEvaluator(try CompiledWebACL(acl))
    _ = try trial.judge(evaluator)
    return try #require(evaluator.takeRecords().lines.first?.text)
  }

  private func sql(_ field: WebACL.Field, isSensitive: Bool = false) -> WebACL.Statement {
    .sqlInjection(WebACL.Inspection(field, [.urlDecode]), isSensitive: isSensitive)
  }

  private func xss(_ field: WebACL.Field) -> WebACL.Statement {
    .crossSiteScripting(WebACL.Inspection(field, [.urlDecode]))
  }

  /// Text of several lines as one.
  private func one(_ text: String) -> String { text.split(separator: "\n").joined() }

  @Test("SQL injection is told by the pieces of SQL, the part of the request and the argument that held it")
  func injection() throws {
    let text = try line(
      acl([.init(name: "sql", priority: 0, sql(.allQueryArguments), .block())]),
      Trial(query: "a=1&id=1%27%20OR%20%271%27%3D%271"))
    let wanted = one(
      """
      "action":"BLOCK","terminatingRuleMatchDetails":[{"conditionType":"SQL_INJECTION","sensitivityLevel":"LOW",
      "location":"ALL_QUERY_ARGS","matchedData":["1","OR","1","=","1"],"matchedFieldName":"id"}]
      """)
    #expect(text.contains(wanted), "\(text)")
    #expect(text.contains(#""nonTerminatingMatchingRules":[]"#))
  }

  @Test("a rule that only counts tells its findings of its own, and the rule that ends it tells none of them")
  func counted() throws {
    let text = try line(
      acl([
        .init(name: "sql", priority: 0, sql(.header("foo"), isSensitive: true), .count()),
        .init(name: "xss", priority: 1, xss(.body(.proceed)), .count()),
        .init(name: "all", priority: 2, .byteMatch(.init(.uriPath), .startsWith, [0x2F]), .allow()),
      ]),
      Trial(headers: [("Foo", "10 AND 1=1")], body: "x=<script>alert(1)</script>"))
    #expect(text.contains(#""terminatingRuleMatchDetails":[]"#))
    let wanted = one(
      """
      {"ruleId":"sql","action":"COUNT","ruleMatchDetails":[{"conditionType":"SQL_INJECTION","sensitivityLevel":"HIGH",
      "location":"HEADER","matchedData":["10","AND","1","=","1"],"matchedFieldName":"foo"}]},
      {"ruleId":"xss","action":"COUNT","ruleMatchDetails":[{"conditionType":"XSS","location":"BODY",
      "matchedData":["<","script"],"matchedFieldName":""}]}
      """)
    #expect(text.contains(wanted), "\(text)")
  }

  @Test("rules of a group tell their findings in the group, with the action that an override took the place of")
  func groups() throws {
    var acl = acl([.init(name: "group", priority: 0, .group(.init(group: "g", overrides: ["sql": .count()])))])
    acl.ruleGroups = [
      WebACL.RuleGroup(
        id: "g",
        rules: [
          .init(name: "sql", priority: 0, sql(.queryString), .block()),
          .init(name: "xss", priority: 1, xss(.cookies(.all, .values, .proceed)), .block()),
        ])
    ]
    let cookies = "a=1; b=<img src=x onerror=alert(1)>"
    let text = try line(acl, Trial(query: "id=1 UNION SELECT a,b FROM users", headers: [("Cookie", cookies)]))
    let found = one(
      """
      [{"conditionType":"XSS","location":"COOKIE","matchedData":["onerror","=","alert(1)"],"matchedFieldName":"b"}]
      """)
    let ended = #""terminatingRuleType":"GROUP","action":"BLOCK","terminatingRuleMatchDetails":"# + found
    #expect(text.contains(ended), "\(text)")
    let wanted = one(
      """
      "terminatingRule":{"ruleId":"xss","action":"BLOCK","ruleMatchDetails":\(found)},"nonTerminatingMatchingRules":[
      {"ruleId":"sql","action":"COUNT","overriddenAction":"BLOCK","ruleMatchDetails":[{"conditionType":"SQL_INJECTION",
      "sensitivityLevel":"LOW","location":"QUERY_STRING","matchedData":["1","UNION","SELECT","a",","],
      "matchedFieldName":""}]}]
      """)
    #expect(text.contains(wanted), "\(text)")
  }

  @Test("of statements in one rule those that found something tell it")
  func combined() throws {
    let path = WebACL.Statement.byteMatch(.init(.uriPath), .startsWith, Array("/x".utf8))
    let parts: [WebACL.Statement] = [
      .and([path, sql(.queryString)]), sql(.body(.proceed)), xss(.queryString), sql(.header("x")),
    ]
    let text = try line(
      acl([.init(name: "r", priority: 0, .or(parts), .block())]),
      Trial(query: "q=<script>1 or 1=1--", body: "id=1 OR 1=1--"))
    #expect(text.contains(#""sensitivityLevel":"LOW","location":"BODY""#), "\(text)")
    #expect(text.contains(#""conditionType":"XSS","location":"QUERY_STRING""#))
    #expect(!text.contains(#""sensitivityLevel":"LOW","location":"QUERY_STRING""#))
    let negated = try line(acl([.init(name: "r", priority: 0, .not(sql(.queryString)), .block())]), Trial(query: "a"))
    #expect(negated.contains(#""terminatingRuleMatchDetails":[]"#))
  }

  /// Attacks with a secret in every part of a request.
  private static let secretive = Trial(
    path: "/s3cret' or 1=1--", query: "s3cret=s3cret' or 1=1--",
    headers: [("X-Key", "s3cret' or 1=1--"), ("Cookie", "s3cret=s3cret' or 1=1--")],
    body: "{\"a\":\"s3cret' or 1=1--\"}")
  private static let fields: [WebACL.Field] = [
    .uriPath, .queryString, .queryArgument("s3cret"), .allQueryArguments, .header("x-key"), .header("cookie"),
    .headers(.all, .all, .proceed), .cookies(.all, .all, .proceed), .body(.proceed),
    .jsonBody(.all, .values, .proceed, .partly),
  ]

  private func all(_ change: (inout WebACL) -> Void) throws -> String {
    var acl = acl(
      Self.fields.enumerated().map { index, field in
        .init(name: "r\(index)", priority: index, sql(field), .count())
      })
    change(&acl)
    return try line(acl, Self.secretive)
  }

  @Test("what the log redacts and what the web ACL protects is not told by findings either")
  func secrets() throws {
    let open = try all { _ in }
    #expect(open.count(of: #""matchedData":["#) == Self.fields.count, "\(open)")
    #expect(!open.contains("REDACTED"))
    let redacted = try all { acl in
      acl.logging = WebACL.Logging(redactsPath: true, redactsQuery: true, redactedHeaders: ["x-key", "cookie"])
      acl.protections = [.init(.body)]
    }
    #expect(redacted.count(of: #""matchedData":["REDACTED"]"#) == Self.fields.count, "\(redacted)")
    // The rule itself names one argument.
    let told = redacted.replacing(#""matchedFieldName":"s3cret""#, with: "")
    #expect(!told.contains("s3cret"), "\(told)")
    let protected = try all { acl in
      acl.logging = WebACL.Logging(redactsPath: true)
      acl.protections = [
        .init(.header, names: ["x-key"]), .init(.cookie, names: ["s3cret"]), .init(.queryArgument, names: ["s3cret"]),
        .init(.body),
      ]
    }
    #expect(protected.count(of: #""matchedData":["REDACTED"]"#) == Self.fields.count, "\(protected)")
  }

  @Test("an argument is hidden however its name is written")
  func encoded() throws {
    var acl = acl([.init(name: "r", priority: 0, sql(.allQueryArguments), .block())])
    acl.protections = [.init(.queryArgument, names: ["id"])]
    let text = try line(acl, Trial(query: "%49%64=s3cret' or 1=1--"))
    #expect(!text.contains("s3cret") && text.contains(#""args":"%49%64=REDACTED""#), "\(text)")
  }

  @Test("what is hashed is told as the hash of the whole value, and what may be told is told")
  func hashes() throws {
    let trial = Trial(query: "id=1 or 1=1--")
    func protected(_ spares: Bool) -> WebACL {
      var acl = acl([.init(name: "r", priority: 0, sql(.queryArgument("id")), .block())])
      acl.protections = [
        .init(.queryArgument, names: ["id"], hashAccount: "111122223333", sparesMatches: spares)
      ]
      return acl
    }
    let hashed = try line(protected(false), trial)
    let args = try #require(hashed.firstRange(of: #""args":"id="#)).upperBound
    let hash = hashed[args...].prefix { $0 != "\"" }
    #expect(hash.count == 44 && hashed.contains("\"matchedData\":[\"\(hash)\"]"), "\(hashed)")
    let spared = try line(protected(true), trial)
    #expect(spared.contains(#""matchedData":["1","or","1","=","1"]"#), "\(spared)")
  }

  @Test("a finding is short whatever was sent")
  func bounds() throws {
    let long = String(repeating: "é", count: 3000)
    let text = try line(
      acl([.init(name: "r", priority: 0, sql(.allQueryArguments), .block())]),
      Trial(query: "\(long)=1 or \(long)(\(long)) union select \(long),\(long) from \(long)"))
    let start = try #require(text.firstRange(of: #""matchedData":"#)).upperBound
    let end = try #require(text.firstRange(of: #","httpSourceName""#)).lowerBound
    #expect(text[start..<end].utf8.count < 1000)
  }

  @Test("rates tell what they counted by: the address, or the values of custom keys, short and masked")
  func rates() throws {
    let rate = WebACL.Rate(
      limit: 10, window: 120,
      keys: [
        .header("dogname", []), .cookie("s", []), .queryArgument("q", []), .uriPath([]), .method, .ip,
        .labelNamespace("awswaf:0:x:"),
      ])
    let all = WebACL.Statement.byteMatch(.init(.uriPath), .startsWith, [0x2F])
    var acl = acl(
      [
        .init(name: "label", priority: 0, all, .count(), labels: ["awswaf:0:x:dog"]),
        .init(name: "rate", priority: 1, .rate(rate), .block()),
      ], WebACL.Logging(redactsQuery: true, redactedHeaders: ["x-other"]))
    acl.protections = [.init(.cookie, names: ["s"])]
    let evaluator = WebACLEvaluator(try CompiledWebACL(acl))
    let trial = Trial(
      path: "/" + String(repeating: "p", count: 100), query: "q=s3cret",
      headers: [("Dogname", "ella"), ("Cookie", "s=s3cret")])
    _ = try trial.judge(evaluator)
    let counts = try #require(evaluator.drainRates().first)
    evaluator.setLimited(Set(counts.counts.map(\.key)), rule: counts.id)
    _ = evaluator.takeRecords()
    #expect(try trial.judge(evaluator).isBlocked)
    let text = try #require(evaluator.takeRecords().lines.first?.text)
    let wanted = one(
      """
      "rateBasedRuleName":"rate","limitKey":"CUSTOMKEYS","maxRateAllowed":10,"evaluationWindowSec":"120",
      "customValues":[{"key":"HEADER","name":"dogname","value":"ella"},{"key":"COOKIE","name":"s","value":"REDACTED"},
      {"key":"QUERY_ARGUMENT","name":"q","value":"REDACTED"},
      {"key":"URI_PATH","value":"/ppppppppppppppppppppppppppppppp"},{"key":"HTTP_METHOD","value":"GET"},
      {"key":"IP","value":"192.0.2.1"},{"key":"LABEL_NAMESPACE","name":"awswaf:0:x:","value":"awswaf:0:x:dog"}]
      """)
    #expect(text.contains(wanted), "\(text)")
    #expect(!text.contains("s3cret") && !text.contains("limitValue"))
  }

  @Test("a rate by a forwarded address tells it, and INVALID where the header held none")
  func forwarded() throws {
    var rate = WebACL.Rate(limit: 10, keys: [.forwardedIP])
    rate.forwardedIP = WebACL.ForwardedIP(header: "X-Forwarded-For", fallback: true)
    let text = try line(
      acl([.init(name: "rate", priority: 0, .rate(rate), .block())]), Trial(headers: [("X-Forwarded-For", "nobody")]))
    #expect(text.contains(#""limitKey":"FORWARDED_IP","maxRateAllowed":10,"#))
    #expect(text.contains(#""limitValue":"INVALID""#), "\(text)")
    #expect(text.contains(#""terminatingRuleType":"RATE_BASED""#))
  }

  @Test("parts that were too large are named, those that nobody looked at are not")
  func oversize() throws {
    let trial = Trial(headers: (0..<300).map { ("X-\($0)", "v") }, body: "body", isBodyCut: true)
    let nothing = Array("none".utf8)
    let statement = WebACL.Statement.or([
      .byteMatch(.init(.headers(.all, .all, .proceed)), .exactly, nothing),
      .byteMatch(.init(.body(.proceed)), .exactly, nothing),
    ])
    let text = try line(acl([.init(name: "r", priority: 0, statement, .block())]), trial)
    #expect(text.contains(#""oversizeFields":["REQUEST_BODY","REQUEST_HEADERS"]"#), "\(text)")
    let unseen = try line(acl([]), trial)
    #expect(!unseen.contains("oversizeFields"))
  }
}

extension String {
  /// How often a text stands in it.
  fileprivate func count(of text: String) -> Int { ranges(of: text).count }
}
