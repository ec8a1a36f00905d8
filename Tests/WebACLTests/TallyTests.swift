// What is counted of judged requests besides the rules that they met.

import Testing

@testable import WebACL

@Suite("Counters of web ACLs")
struct TallyTests {
  private static func path(_ text: String) -> WebACL.Statement {
    .byteMatch(WebACL.Inspection(.uriPath), .startsWith, Array(text.utf8))
  }

  private static let acl: WebACL = {
    var labels = WebACL.Rule(name: "label", priority: 1, path("/a"), .count())
    labels.labels = ["area:a", "area:a", "seen"]
    var inner = WebACL.Rule(name: "inner", priority: 1, path("/a"), .count())
    inner.labels = ["inside"]
    var acl = WebACL(
      id: "acl",
      rules: [
        labels,
        .init(name: "sql", priority: 2, .sqlInjection(WebACL.Inspection(.queryString), isSensitive: false), .block()),
        .init(name: "own", priority: 3, .group(.init(group: "g"))),
      ], labelPrefix: "awswaf:1:webacl:acl:")
    acl.ruleGroups = [.init(id: "g", rules: [inner], labelPrefix: "awswaf:1:rulegroup:g:", metricName: "grouped")]
    return acl
  }()

  private func counts(_ evaluator: WebACLEvaluator, _ subject: WebACLCounter.Subject) -> [String: [UInt64]] {
    let chosen = evaluator.counters.filter { $0.subject == subject }
    return Dictionary(
      uniqueKeysWithValues: chosen.map { (($0.group ?? "") + $0.name, [$0.allowed, $0.blocked, $0.counted]) })
  }

  @Test("labels by how the request ended, each once; those of rules that count in a group by the group")
  func labels() throws {
    var evaluator = WebACLEvaluator(try CompiledWebACL(Self.acl))
    _ = try Trial(path: "/a").judge(evaluator)
    _ = try Trial(path: "/a", query: "q=1' or '1'='1").judge(evaluator)
    _ = try Trial(path: "/b").judge(evaluator)
    let own = "awswaf:1:webacl:acl:"
    let inside = "awswaf:1:rulegroup:g:inside"
    // The blocked request ends before the group.
    let wanted: [String: [UInt64]] = [
      own + "area:a": [1, 1, 0], own + "seen": [1, 1, 0], inside: [1, 0, 0], "grouped" + inside: [0, 0, 1],
    ]
    #expect(counts(evaluator, .label) == wanted)
    #expect(counts(evaluator, .attack) == ["SQLInjection": [0, 1, 1]], "another rule counted it, too")
    // A changed web ACL counts on.
    var changed = Self.acl
    changed.rules.removeLast()
    evaluator = WebACLEvaluator(try CompiledWebACL(changed), replacing: evaluator)
    _ = try Trial(path: "/a").judge(evaluator)
    #expect(counts(evaluator, .label)[own + "seen"] == [2, 1, 0])
    #expect(counts(evaluator, .label)[inside] == [1, 0, 0])
  }

  @Test("countries, where there is a table of them, and devices of browsers")
  func countriesAndDevices() throws {
    var addresses = AddressKnowledge()
    let isInserted = addresses.countries.insert("192.0.2.0/24", "DE")
    #expect(isInserted)
    let evaluator = WebACLEvaluator(try CompiledWebACL(Self.acl), addresses: addresses)
    let agents = [
      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36", "Mozilla/5.0 (X11; Linux x86_64) Gecko",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)",
      "Mozilla/5.0 (Linux; Android 15) Chrome/130 Mobile Safari",
      "Mozilla/5.0 (iPad; CPU OS 18_0)", "Mozilla/5.0 (Linux; Android 15) Chrome/130 Safari", "curl/8.5.0", "(", "",
    ]
    for agent in agents { _ = try Trial(headers: [("User-Agent", agent)]).judge(evaluator) }
    _ = try Trial(source: "198.51.100.1").judge(evaluator)
    let devices: [String: [UInt64]] = ["Desktop": [2, 0, 0], "Mobile": [2, 0, 0], "Tablet": [2, 0, 0]]
    #expect(counts(evaluator, .device) == devices)
    #expect(counts(evaluator, .country) == ["DE": [UInt64(agents.count), 0, 0]])
  }

  @Test("rules of managed groups are told apart, and a web ACL without metrics counts its rules alone")
  func managed() throws {
    var acl = Self.acl
    acl.ruleGroups[0].managedName = "AWS#G"
    acl.visibility.hasMetrics = false
    let evaluator = WebACLEvaluator(try CompiledWebACL(acl))
    _ = try Trial(path: "/a").judge(evaluator)
    let inner = evaluator.counters.first { $0.subject == .managedRule }
    #expect(inner?.name == "inner" && inner?.managedGroup == "AWS#G" && inner?.counted == 1)
    #expect(evaluator.counters.allSatisfy { !$0.subject.isTally })
  }
}
