// Each kind of statement on requests made by hand.

import Digests
import Testing

@testable import WebACL

/// A request, and a web ACL of one rule that blocks it or not.
struct Trial {
  var source = "192.0.2.1"
  var method = "GET"
  var path = "/"
  var query = ""
  var headers: [(String, String)] = []
  var body = ""
  var isBodyCut = false
  var fingerprints: ClientFingerprints?

  /// Judges the request; the ACL's own parts may be changed.
  func judge(_ evaluator: WebACLEvaluator) throws -> WebACLVerdict {
    // Everything stays in place while it is judged.
    let pieces = [method, path, query, body] + headers.flatMap { [$0.0, $0.1] }
    let buffers = pieces.map { text -> UnsafeMutableBufferPointer<UInt8> in
      let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(text.utf8.count, 1))
      _ = buffer.initialize(from: text.utf8)
      return buffer
    }
    defer { for buffer in buffers { buffer.deallocate() } }
    func view(_ index: Int) -> ByteView { ByteView(start: buffers[index].baseAddress, count: pieces[index].utf8.count) }
    let address = try #require(SourceAddress(source))
    evaluator.request.begin(source: address, method: view(0), path: view(1), query: view(2))
    for index in headers.indices { evaluator.request.add(name: view(4 + 2 * index), value: view(5 + 2 * index)) }
    evaluator.request.setBody(view(3), isCut: isBodyCut)
    evaluator.request.fingerprints = fingerprints
    return evaluator.evaluate(time: 1_700_000_000_000, resource: "lb")
  }

  func matches(_ statement: WebACL.Statement, _ change: (inout WebACL) -> Void = { _ in }) throws -> Bool {
    var acl = WebACL(id: "acl", rules: [.init(name: "r", priority: 0, statement, .block())])
    change(&acl)
    return try judge(WebACLEvaluator(try CompiledWebACL(acl))).isBlocked
  }
}

private func bytes(
  _ field: WebACL.Field, _ position: WebACL.Position, _ text: String, _ changes: [WebACL.Transformation] = []
)
  -> WebACL.Statement
{
  .byteMatch(WebACL.Inspection(field, changes), position, Array(text.utf8))
}

@Suite("Statements of web ACLs")
struct StatementTests {
  @Test("byte matches hold at their places")
  func positions() throws {
    let trial = Trial(path: "/shop/admin-area/x")
    #expect(try trial.matches(bytes(.uriPath, .startsWith, "/shop")))
    #expect(try !trial.matches(bytes(.uriPath, .startsWith, "shop")))
    #expect(try trial.matches(bytes(.uriPath, .endsWith, "/x")))
    #expect(try trial.matches(bytes(.uriPath, .contains, "min-ar")))
    #expect(try trial.matches(bytes(.uriPath, .containsWord, "admin")))
    #expect(try !trial.matches(bytes(.uriPath, .containsWord, "adm")))
    #expect(try trial.matches(bytes(.uriPath, .exactly, "/shop/admin-area/x")))
    #expect(try !trial.matches(bytes(.uriPath, .exactly, "/shop")))
  }

  @Test("every part of a request can be looked at")
  func fields() throws {
    let trial = Trial(
      method: "POST", path: "/p", query: "a=1&B=two&c", headers: [("Host", "h"), ("X-Y", "z"), ("Cookie", "s=1; t=2")],
      body: "{\"user\":{\"name\":\"Eve\\u0021\",\"tags\":[\"x\",\"y\"]},\"n\":5}")
    #expect(try trial.matches(bytes(.method, .exactly, "POST")))
    #expect(try trial.matches(bytes(.queryString, .exactly, "a=1&B=two&c")))
    #expect(try trial.matches(bytes(.header("x-y"), .exactly, "z")))
    #expect(try !trial.matches(bytes(.header("x-z"), .exactly, "z")))
    #expect(try trial.matches(bytes(.queryArgument("b"), .exactly, "two")))
    #expect(try trial.matches(bytes(.allQueryArguments, .exactly, "1")))
    #expect(try trial.matches(bytes(.cookies(.only(["t"]), .values, .proceed), .exactly, "2")))
    #expect(try !trial.matches(bytes(.cookies(.except(["t"]), .values, .proceed), .exactly, "2")))
    #expect(try trial.matches(bytes(.headers(.all, .keys, .proceed), .exactly, "X-Y")))
    #expect(try !trial.matches(bytes(.headers(.all, .values, .proceed), .exactly, "X-Y")))
    #expect(try trial.matches(bytes(.headerOrder(.proceed), .exactly, "host:x-y:cookie")))
    #expect(try trial.matches(bytes(.body(.proceed), .contains, "Eve")))
    func json(_ selection: WebACL.Selection, _ scope: WebACL.Scope = .values) -> WebACL.Field {
      .jsonBody(selection, scope, .proceed, .partly)
    }
    #expect(try trial.matches(bytes(json(.all), .exactly, "Eve!")))
    #expect(try trial.matches(bytes(json(.all, .keys), .exactly, "tags")))
    #expect(try trial.matches(bytes(json(.only(["/user/tags/1"])), .exactly, "y")))
    #expect(try !trial.matches(bytes(json(.only(["/user/tags/0"])), .exactly, "y")))
    #expect(try trial.matches(bytes(json(.only(["/user"])), .exactly, "Eve!")))
    #expect(try !trial.matches(bytes(json(.only(["/user"])), .exactly, "5")))
    #expect(try trial.matches(bytes(.ja3(fallback: true), .exactly, "x")))
    #expect(try !trial.matches(bytes(.ja4(fallback: false), .exactly, "x")))
  }

  @Test("a body that is no JSON, and one that is too large, do as the statement says")
  func fallbacks() throws {
    func field(_ invalid: WebACL.InvalidJSON) -> WebACL.Field { .jsonBody(.all, .values, .proceed, invalid) }
    let broken = Trial(body: "{\"a\":\"x\", oops")
    #expect(try broken.matches(bytes(field(.partly), .exactly, "x")))
    #expect(try broken.matches(bytes(field(.asText), .endsWith, "oops")))
    #expect(try broken.matches(bytes(field(.match), .exactly, "?")))
    #expect(try !broken.matches(bytes(field(.noMatch), .exactly, "x")))
    let large = Trial(body: "start", isBodyCut: true)
    #expect(try large.matches(bytes(.body(.match), .exactly, "?")))
    #expect(try !large.matches(bytes(.body(.noMatch), .exactly, "start")))
    #expect(try large.matches(bytes(.body(.proceed), .exactly, "start")))
    let many = Trial(headers: (0..<300).map { ("h\($0)", "v") })
    #expect(try many.matches(bytes(.headers(.all, .values, .match), .exactly, "?")))
    #expect(try !many.matches(bytes(.headers(.all, .keys, .proceed), .exactly, "h250")))
  }

  @Test(
    "transformations take away what hides a text",
    arguments: [
      (WebACL.Transformation.lowercase, "AbC", "abc"), (.urlDecode, "a%2Fb+c%zz", "a/b c%zz"),
      (.urlDecodeUnicode, "%u003c%uff1E%41", "<>A"), (.htmlEntityDecode, "&lt;&#x41;&#66;&amp;", "<AB&"),
      (.compressWhiteSpace, "a \t\n b", "a b"), (.commandLine, "C^AT \"x\",  /etc", "cat x/etc"),
      (.base64Decode, "aGVsbG8=", "hello"), (.base64DecodeExtended, "aG.Vs bG8", "hello"),
      (.hexDecode, "68656c", "hel"),
      (.replaceComments, "a/*x*/b/*y", "a b "), (.sqlHexDecode, "x=0x414243;", "x=ABC;"),
      (.escapeSequenceDecode, "\\x41\\101\\n\\q", "AA\n\\q"), (.cssDecode, "j\\61 v\\A", "jav\n"),
      (.jsDecode, "\\u0041\\x42\\'", "AB'"), (.normalizePath, "/a//./b/../c", "/a/c"),
      (.normalizePathWindows, "\\a\\..\\b", "/b"), (.removeNulls, "a\0b", "ab"), (.replaceNulls, "a\0b", "a b"),
      (.utf8ToUnicode, "é", "%u00e9"), (.none, "As Is", "As Is"),
    ])
  func transformations(change: WebACL.Transformation, from: String, to: String) throws {
    #expect(try Trial(query: from).matches(bytes(.queryString, .exactly, to, [change])))
  }

  @Test("MD5 is MD5")
  func md5() {
    let digest = Array("abc".utf8).withUnsafeBufferPointer { MD5.hash($0) }
    #expect(digest == [0x90, 0x01, 0x50, 0x98, 0x3C, 0xD2, 0x4F, 0xB0, 0xD6, 0x96, 0x3F, 0x7D, 0x28, 0xE1, 0x7F, 0x72])
  }

  @Test("transformations follow one another")
  func chains() throws {
    let trial = Trial(query: "q=%3CSCRIPT%3E")
    #expect(try trial.matches(bytes(.allQueryArguments, .exactly, "<script>", [.urlDecode, .lowercase])))
    #expect(try trial.matches(.crossSiteScripting(WebACL.Inspection(.allQueryArguments, [.urlDecode]))))
    #expect(try !trial.matches(.crossSiteScripting(WebACL.Inspection(.allQueryArguments))))
    let injection = Trial(query: "id=1%27+or+1=1--")
    #expect(
      try injection.matches(.sqlInjection(WebACL.Inspection(.allQueryArguments, [.urlDecode]), isSensitive: false)))
  }

  @Test("patterns, sets of patterns and sizes")
  func patternsAndSizes() throws {
    let trial = Trial(path: "/v12/users", query: "abcde")
    #expect(try trial.matches(.regexMatch(WebACL.Inspection(.uriPath), pattern: "^/v[0-9]+/")))
    #expect(
      try trial.matches(.patternSet(WebACL.Inspection(.uriPath), id: "s")) {
        $0.patternSets = [.init(id: "s", patterns: ["^/x", "users$"])]
      })
    for (comparison, size, expected) in [
      (WebACL.Comparison.equal, 5, true), (.above, 4, true), (.above, 5, false), (.below, 6, true), (.atMost, 5, true),
      (.notEqual, 5, false), (.atLeast, 6, false),
    ] {
      #expect(try trial.matches(.size(WebACL.Inspection(.queryString), comparison, size)) == expected)
    }
    #expect(throws: WebACLError.self) { try trial.matches(.regexMatch(WebACL.Inspection(.uriPath), pattern: "(")) }
  }

  @Test("addresses of both families are found in networks, directly and in headers")
  func addresses() throws {
    let sets: (inout WebACL) -> Void = {
      $0.ipSets = [.init(id: "s", addresses: ["192.0.2.0/24", "10.1.2.3/32", "2001:db8::/33", "2001:db8:8000::1/128"])]
    }
    let cases = [
      ("192.0.2.77", true), ("192.0.3.1", false), ("10.1.2.3", true), ("10.1.2.4", false), ("2001:db8:1::9", true),
      ("2001:db8:8000::1", true), ("2001:db8:8000::2", false), ("::ffff:192.0.2.5", true),
    ]
    for (address, expected) in cases {
      #expect(try Trial(source: address).matches(.ipSet(id: "s", nil), sets) == expected, "\(address)")
    }
    func forwarded(_ position: WebACL.ForwardedIP.Position, _ fallback: Bool = false) -> WebACL.Statement {
      .ipSet(id: "s", .init(header: "X-Forwarded-For", fallback: fallback, position: position))
    }
    let trial = Trial(source: "192.0.2.1", headers: [("x-forwarded-for", "203.0.113.1, 10.1.2.3, 198.51.100.1")])
    #expect(try !trial.matches(forwarded(.first), sets))
    #expect(try trial.matches(forwarded(.any), sets))
    #expect(try !trial.matches(forwarded(.last), sets))
    #expect(try !Trial(source: "192.0.2.1").matches(forwarded(.first, true), sets))
    #expect(try Trial(headers: [("x-forwarded-for", "unknown")]).matches(forwarded(.first, true), sets))
  }

  @Test("countries come from the table that was given, and are unknown without one")
  func countries() throws {
    var table = CountryTable()
    let taken = ["192.0.2.0/24,DE", "\"192.0.2.128/25\", \"fr\"", "network,country_code"].map { table.insert(line: $0) }
    #expect(taken == [true, true, false])
    let acl = WebACL(id: "a", rules: [.init(name: "r", priority: 0, .geo(["FR"], nil), .block())])
    var book = AddressKnowledge()
    book.countries = table
    let evaluator = WebACLEvaluator(try CompiledWebACL(acl), addresses: book)
    #expect(try Trial(source: "192.0.2.200").judge(evaluator).isBlocked)
    #expect(try !Trial(source: "192.0.2.1").judge(evaluator).isBlocked)
    #expect(try !Trial(source: "192.0.2.200").matches(.geo(["FR"], nil)))
  }

  @Test("autonomous systems come from their table, are 0 without one, and are counted by")
  func systems() throws {
    var book = AddressKnowledge()
    let lines = [
      "192.0.2.0/24,64496", "192.0.2.128/25,AS64497", "\"2001:db8::/32\",\"4200000000\"", "198.51.100.0/24,none",
      "203.0.113.0/24,-1", "203.0.113.0/24,4294967296",
    ]
    let taken = lines.map { book.systems.insert(line: $0) }
    #expect(taken == [true, true, true, false, false, false])
    func judge(_ trial: Trial, _ statement: WebACL.Statement, _ book: AddressKnowledge) throws -> Bool {
      let acl = WebACL(id: "a", rules: [.init(name: "r", priority: 0, statement, .block())])
      return try trial.judge(WebACLEvaluator(try CompiledWebACL(acl), addresses: book)).isBlocked
    }
    let cases: [(String, UInt32)] = [
      ("192.0.2.1", 64496), ("192.0.2.200", 64497), ("2001:db8::1", 4_200_000_000), ("198.51.100.1", 0),
      ("127.0.0.1", 0),
    ]
    for (source, number) in cases {
      #expect(try judge(Trial(source: source), .system([1, number], nil), book), "\(source)")
      #expect(try !judge(Trial(source: source), .system([1], nil), book), "\(source)")
    }
    #expect(try judge(Trial(source: "192.0.2.1"), .system([0], nil), AddressKnowledge()))
    let forwarded = WebACL.ForwardedIP(header: "X-Forwarded-For", fallback: true)
    let statement = WebACL.Statement.system([64496], forwarded)
    #expect(try judge(Trial(headers: [("x-forwarded-for", "192.0.2.9, 10.0.0.1")]), statement, book))
    #expect(try !judge(Trial(headers: [("x-forwarded-for", "10.0.0.1, 192.0.2.9")]), statement, book))
    #expect(try judge(Trial(headers: [("x-forwarded-for", "unknown")]), statement, book))
    #expect(try !judge(Trial(source: "192.0.2.1"), statement, book))
    func counts(_ forwarded: WebACL.ForwardedIP?, _ trials: [Trial]) throws -> [UInt32] {
      let rate = WebACL.Rate(limit: 10, keys: [.system], forwardedIP: forwarded)
      let acl = WebACL(id: "a", rules: [.init(name: "r", priority: 0, .rate(rate), .block())])
      let evaluator = WebACLEvaluator(try CompiledWebACL(acl), addresses: book)
      for trial in trials { _ = try trial.judge(evaluator) }
      return (evaluator.drainRates().first?.counts.map(\.count) ?? []).sorted()
    }
    let sources = ["192.0.2.1", "192.0.2.2", "192.0.2.200", "8.8.8.8", "9.9.9.9"]
    #expect(try counts(nil, sources.map { Trial(source: $0) }) == [1, 2, 2])
    let behind = sources.map { Trial(headers: [("x-forwarded-for", $0)]) } + [Trial(source: "192.0.2.1")]
    #expect(try counts(forwarded, behind) == [1, 2, 2])
    let broken = WebACL.Statement.rate(WebACL.Rate(limit: 10, keys: [.system], forwardedIP: forwarded))
    #expect(try judge(Trial(headers: [("x-forwarded-for", "?")]), broken, book))
  }

  @Test("lists hold networks, each as many as it likes")
  func lists() throws {
    var book = AddressKnowledge()
    let lines = [
      "192.0.2.0/24,AWSManagedIPReputationList", "192.0.2.7/32, AnonymousIPList\r", "192.0.2.7,HostingProviderIPList,x",
      "192.0.2.8,NobodysList", "network,list",
    ]
    let taken = lines.map { book.lists.insert(line: $0) }
    #expect(taken == [true, true, true, false, false])
    func isOn(_ source: String, _ list: String) throws -> Bool {
      let acl = WebACL(id: "a", rules: [.init(name: "r", priority: 0, .addressList(list), .block())])
      return try Trial(source: source).judge(WebACLEvaluator(try CompiledWebACL(acl), addresses: book)).isBlocked
    }
    for list in ["AWSManagedIPReputationList", "AnonymousIPList", "HostingProviderIPList"] {
      #expect(try isOn("192.0.2.7", list), "\(list)")
    }
    #expect(try isOn("192.0.2.8", "AWSManagedIPReputationList"))
    #expect(try !isOn("192.0.2.8", "AnonymousIPList"))
    #expect(try !isOn("192.0.2.7", AddressLists.attackers))
  }

  @Test("and, or, not; labels of rules before; groups with overrides, counted or not")
  func combinations() throws {
    let path = bytes(.uriPath, .startsWith, "/a")
    let query = bytes(.queryString, .contains, "x")
    let trial = Trial(path: "/a", query: "y")
    #expect(try !trial.matches(.and([path, query])))
    #expect(try trial.matches(.or([path, query])))
    #expect(try trial.matches(.and([path, .not(query)])))
    var acl = WebACL(
      id: "acl",
      rules: [
        .init(name: "group", priority: 1, .group(.init(group: "g"))),
        .init(name: "label", priority: 2, .label(key: "g:seen", isNamespace: false), .block(.init(status: 418))),
      ])
    acl.ruleGroups = [
      .init(
        id: "g",
        rules: [
          .init(name: "mark", priority: 1, path, .count(), labels: ["seen"]),
          .init(name: "stop", priority: 2, query, .block()),
        ], labelPrefix: "awswaf:1:rulegroup:g:")
    ]
    func verdict(_ trial: Trial) throws -> WebACLVerdict {
      try trial.judge(WebACLEvaluator(try CompiledWebACL(acl)))
    }
    #expect(try verdict(trial).response?.status == 418)
    #expect(try verdict(Trial(query: "x")) == WebACLVerdict(isBlocked: true))
    acl.rules[0].kind = .group(.init(group: "g", overrides: ["stop": .count()]))
    #expect(try !verdict(Trial(query: "x")).isBlocked)
    acl.rules[0].kind = .group(.init(group: "g", countsOnly: true))
    #expect(try !verdict(Trial(query: "x")).isBlocked)
    acl.rules[0].kind = .group(.init(group: "g", scopeDown: path))
    #expect(try !verdict(Trial(query: "x")).isBlocked)
    #expect(WebACLEvaluator.matches(label: "awswaf:1:webacl:w:a:b", "a:", true))
    #expect(!WebACLEvaluator.matches(label: "awswaf:1:webacl:w:a:b", "b", true))
    #expect(WebACLEvaluator.matches(label: "awswaf:1:webacl:w:a:b", "a:b", false))
  }
}
