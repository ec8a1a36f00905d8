// The automatic response with WAF: the rule group in the web ACL, and what it does to requests.

import AWSCore
import AWSWire
import CastleTesting
import ELBv2Model
import GateProtocol
import ServiceKit
import ShieldModel
import Testing
import WAFv2Model

@testable import ShieldService
@testable import WAFv2Service
@testable import WebACL

@Suite("Shield's automatic response")
struct AutomaticResponseTests {
  private static let now = Timestamp(milliseconds: 1_790_000_000_000)
  private static let balancer = OneLoadBalancer.arn
  private static let visibility = WAFv2.VisibilityConfig.make {
    $0.cloudWatchMetricsEnabled = true
    $0.sampledRequestsEnabled = true
    $0.metricName = "m"
  }

  /// A castle with one load balancer, which has a web ACL and a protection.
  private func with(_ body: (ServiceHarness, WAFv2Service, String, String) async throws -> Void) async throws {
    var service: WAFv2Service?
    let collections = WAFv2Service.collections + ShieldService.collections
    let harness = try ServiceHarness(clock: ManualClock(Self.now), collections: collections) { environment in
      let waf = WAFv2Service(environment, gate: GateController(socketPath: "/nowhere"))
      service = waf
      return [waf, ShieldService(environment), OneLoadBalancer()]
    }
    defer { harness.remove() }
    let made = try await harness.run(WAFv2.createWebACL) {
      $0.name = "edge"
      $0.scope = "REGIONAL"
      $0.defaultAction = .make { $0.allow = .init() }
      $0.visibilityConfig = Self.visibility
      $0.rules = [Self.rule("own", 5)]
    }
    let acl = made.summary?.arn ?? ""
    _ = try await harness.run(WAFv2.associateWebACL) {
      $0.resourceArn = Self.balancer
      $0.webACLArn = acl
    }
    _ = try await harness.run(Shield.createSubscription)
    let protection = try await harness.run(Shield.createProtection) {
      $0.name = "p"
      $0.resourceArn = Self.balancer
    }
    try await body(harness, try #require(service), acl, protection.protectionId ?? "")
  }

  private static func rule(_ name: String, _ priority: Int) -> WAFv2.Rule {
    .make {
      $0.name = name
      $0.priority = priority
      $0.action = .make { $0.block = .init() }
      $0.visibilityConfig = visibility
      $0.statement.geoMatchStatement = .make { $0.countryCodes = ["DE"] }
    }
  }

  private func enable(_ harness: ServiceHarness, blocks: Bool) async throws {
    _ = try await harness.run(Shield.enableApplicationLayerAutomaticResponse) {
      $0.resourceArn = Self.balancer
      $0.action = .make { if blocks { $0.block = .init() } else { $0.count = .init() } }
    }
  }

  private func update(_ harness: ServiceHarness, _ acl: String, _ rules: [WAFv2.Rule]) async throws {
    let now = try await harness.run(WAFv2.getWebACL) { $0.arn = acl }
    _ = try await harness.run(WAFv2.updateWebACL) {
      $0.name = "edge"
      $0.id = now.webACL?.id ?? ""
      $0.scope = "REGIONAL"
      $0.lockToken = now.lockToken ?? ""
      $0.defaultAction = .make { $0.allow = .init() }
      $0.visibilityConfig = Self.visibility
      $0.rules = rules
    }
  }

  private func rules(_ harness: ServiceHarness, _ acl: String) async throws -> [WAFv2.Rule] {
    try await harness.run(WAFv2.getWebACL) { $0.arn = acl }.webACL?.rules ?? []
  }

  @Test("enabling it puts Shield's rule group into the web ACL, disabling it takes it away")
  func group() async throws {
    try await with { harness, _, acl, protection in
      let before = try await harness.run(WAFv2.getWebACL) { $0.arn = acl }.webACL
      try await enable(harness, blocks: false)
      let after = try #require(try await harness.run(WAFv2.getWebACL) { $0.arn = acl }.webACL)
      let rule = try #require(after.rules?.last)
      let prefix = "ShieldMitigationRuleGroup_000000000000_\(after.id ?? "")_"
      #expect(rule.name.hasPrefix(prefix) && rule.name.count == prefix.count + 36)
      #expect(rule.priority == 10_000_000 && rule.overrideAction?.none != nil && rule.action == nil)
      let group = rule.statement.ruleGroupReferenceStatement?.arn ?? ""
      #expect(group.hasPrefix("arn:aws:wafv2:us-east-1:153427709519:regional/rulegroup/\(rule.name)/"))
      #expect(after.capacity == (before?.capacity ?? 0) + 150)
      #expect(try await rules(harness, acl).count == 2)
      // A second time changes nothing about it.
      try await enable(harness, blocks: true)
      #expect(try await rules(harness, acl).map(\.name) == ["own", rule.name])
      _ = try await harness.run(Shield.disableApplicationLayerAutomaticResponse) { $0.resourceArn = Self.balancer }
      #expect(try await rules(harness, acl).map(\.name) == ["own"])
      try await enable(harness, blocks: true)
      #expect(try await rules(harness, acl).count == 2)
      _ = try await harness.run(Shield.deleteProtection) { $0.protectionId = protection }
      #expect(try await rules(harness, acl).map(\.name) == ["own"])
    }
  }

  @Test("who updates the web ACL keeps the rule group, may move it, and cannot change it")
  func kept() async throws {
    try await with { harness, _, acl, _ in
      try await enable(harness, blocks: false)
      let own = try #require(try await rules(harness, acl).last)
      try await update(harness, acl, [Self.rule("other", 1)])
      #expect(try await rules(harness, acl).map(\.name) == ["other", own.name])
      try await update(harness, acl, [Self.rule("last", 10_000_000)])
      #expect(try await rules(harness, acl).map(\.priority) == [10_000_000, 10_000_001])
      var moved = own
      moved.priority = 0
      try await update(harness, acl, [moved, Self.rule("other", 1)])
      #expect(try await rules(harness, acl).map(\.priority) == [0, 1])
      var counting = own
      counting.overrideAction = .make { $0.count = .init() }
      var renamed = own
      renamed.name = "mine"
      var emptied = Self.rule(own.name, 3)
      emptied.ruleLabels = [.make { $0.name = "a" }]
      for changed in [counting, renamed, emptied] {
        let refused = await errorCode { try await update(harness, acl, [changed]) }
        #expect(refused == "WAFInvalidParameterException")
      }
      let stolen = await errorCode {
        _ = try await harness.run(WAFv2.createWebACL) {
          $0.name = "thief"
          $0.scope = "REGIONAL"
          $0.defaultAction = .make { $0.allow = .init() }
          $0.visibilityConfig = Self.visibility
          $0.rules = [own]
        }
      }
      #expect(stolen == "WAFNonexistentItemException")
    }
  }

  @Test("without room in the web ACL it is not enabled")
  func capacity() async throws {
    try await with { harness, _, acl, protection in
      let heavy = (0..<164).map { index in
        WAFv2.Rule.make {
          $0.name = "sql\(index)"
          $0.priority = index
          $0.action = .make { $0.block = .init() }
          $0.visibilityConfig = Self.visibility
          $0.statement.sqliMatchStatement = .make {
            $0.fieldToMatch.queryString = .init()
            $0.sensitivityLevel = "HIGH"
            $0.textTransformations = [.make { $0.type = "NONE" }]
          }
        }
      }
      try await update(harness, acl, heavy)
      #expect(await errorCode { try await enable(harness, blocks: true) } == "LimitsExceededException")
      let told = try await harness.run(Shield.describeProtection) { $0.protectionId = protection }.protection
      #expect(told?.applicationLayerAutomaticResponseConfiguration == nil)
      #expect(try await rules(harness, acl).count == 164)
    }
  }

  /// What becomes of requests from an address, with the samples and the log line that the last one left.
  private func judge(
    _ part: GateController.Part, _ source: String, _ count: Int = 1
  ) throws -> (blocked: Int, evaluator: WebACLEvaluator, records: WebACLRecords) {
    var acl = try #require(part.webACLs.first)
    acl.logging = WebACL.Logging()
    var knowledge = AddressKnowledge()
    for address in part.addressSources?.attackers ?? [] {
      _ = knowledge.lists.insert(address, AddressLists.attackers)
    }
    let evaluator = WebACLEvaluator(try CompiledWebACL(acl), addresses: knowledge)
    var boards = Dictionary(uniqueKeysWithValues: evaluator.acl.rateRules.map { ($0.id, RateBoard($0)) })
    let address = try #require(SourceAddress(source))
    var blocked = 0
    let slash: StaticString = "/"
    let view = ByteView(start: slash.utf8Start, count: 1)
    for _ in 0..<count {
      _ = evaluator.takeRecords()
      evaluator.request.begin(source: address, method: view, path: view, query: ByteView(start: nil, count: 0))
      if evaluator.evaluate(time: 1, resource: Self.balancer).isBlocked { blocked += 1 }
      for (id, counts) in evaluator.drainRates() {
        boards[id]?.add(counts, now: 1)
        _ = boards[id]?.update(now: 1)
        evaluator.setLimited(boards[id]?.limited ?? [], rule: id)
      }
    }
    return (blocked, evaluator, evaluator.takeRecords())
  }

  private func attack(_ harness: ServiceHarness, _ service: WAFv2Service, isOver: Bool) async throws {
    var attack = GateAttack(
      id: "flood", loadBalancer: Self.balancer, phase: isOver ? .ended : .updated, beganAt: Self.now.seconds - 60,
      updatedAt: Self.now.seconds - (isOver ? 1 : 2))
    if isOver { attack.endedAt = Self.now.seconds - 1 }
    attack.sources = [.init(name: "192.0.2.1", count: 10), .init(name: "192.0.2.2", count: 5)]
    try await AttackRecorder(harness.environment, gate: service.gate).keep(attack)
  }

  @Test("while an attack goes on its sources are counted with COUNT, refused with BLOCK, and nobody else is")
  func running() async throws {
    try await with { harness, service, acl, _ in
      try await enable(harness, blocks: false)
      #expect(try judge(try await service.part(), "192.0.2.1").blocked == 0)
      try await attack(harness, service, isOver: false)
      let group = try #require(try await rules(harness, acl).last?.name)
      let counted = try judge(try await service.part(), "192.0.2.1")
      #expect(counted.blocked == 0)
      let counter = counted.evaluator.counters.first { $0.name == "ShieldAttack_flood" }
      #expect(counter?.counted == 1 && counter?.group == group)
      let sample = counted.records.samples.first { $0.metric == group }
      #expect(sample?.action == "COUNT" && sample?.ruleWithinGroup == "ShieldAttack_flood")
      let line = try #require(counted.records.lines.first?.text)
      #expect(line.contains(#"{"ruleId":"ShieldAttack_flood","action":"COUNT","ruleMatchDetails":[]}"#), "\(line)")
      #expect(line.contains(#""action":"ALLOW""#))
      _ = try await harness.run(Shield.updateApplicationLayerAutomaticResponse) {
        $0.resourceArn = Self.balancer
        $0.action = .make { $0.block = .init() }
      }
      let part = try await service.part()
      let blocked = try judge(part, "192.0.2.2")
      #expect(blocked.blocked == 1)
      #expect(blocked.records.lines.first?.text.contains("\"terminatingRuleId\":\"\(group)\"") == true)
      #expect(try judge(part, "192.0.2.9", 300).blocked == 0)
    }
  }

  @Test("when it is over who took part is limited for a day: counted beyond the limit with COUNT, refused with BLOCK")
  func offenders() async throws {
    try await with { harness, service, _, _ in
      try await attack(harness, service, isOver: true)
      try await enable(harness, blocks: true)
      let part = try await service.part()
      #expect(part.addressSources?.attackers == ["192.0.2.1", "192.0.2.2"])
      #expect(try judge(part, "192.0.2.1", 100).blocked == 0)
      let blocked = try judge(part, "192.0.2.1", 150).blocked
      #expect(blocked > 30 && blocked <= 50)
      #expect(try judge(part, "192.0.2.9", 300).blocked == 0)
      _ = try await harness.run(Shield.updateApplicationLayerAutomaticResponse) {
        $0.resourceArn = Self.balancer
        $0.action = .make { $0.count = .init() }
      }
      let counted = try judge(try await service.part(), "192.0.2.1", 150)
      #expect(counted.blocked == 0)
      let counter = counted.evaluator.counters.first { $0.name == "ShieldKnownOffenderIPRateBasedRule" }
      #expect(counter?.counted ?? 0 > 30)
      let line = try #require(counted.records.lines.first?.text)
      #expect(line.contains(#""rateBasedRuleName":"ShieldKnownOffenderIPRateBasedRule","limitKey":"IP""#), "\(line)")
    }
  }

  @Test("a web ACL that leaves the load balancer leaves the rule group behind, and the next one gets it")
  func associations() async throws {
    try await with { harness, _, acl, _ in
      try await enable(harness, blocks: false)
      let second = try await harness.run(WAFv2.createWebACL) {
        $0.name = "second"
        $0.scope = "REGIONAL"
        $0.defaultAction = .make { $0.allow = .init() }
        $0.visibilityConfig = Self.visibility
      }
      _ = try await harness.run(WAFv2.associateWebACL) {
        $0.resourceArn = Self.balancer
        $0.webACLArn = second.summary?.arn ?? ""
      }
      let call = harness.environment.call(as: AttackRecorder.servicePrincipal)
      try await ShieldService(harness.environment).placeGroups(near: Self.balancer, call)
      #expect(try await rules(harness, acl).map(\.name) == ["own"])
      #expect(try await rules(harness, second.summary?.arn ?? "").count == 1)
    }
  }
}
