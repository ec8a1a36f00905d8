// What web ACLs know of addresses: the user's files, and who took part in attacks; overrides of rules in groups.

import AWSCore
import AWSWire
import CastleTesting
import ELBv2Model
import Foundation
import GateProtocol
import ServiceKit
import ShieldModel
import Testing
import WAFv2Model

@testable import ShieldService
@testable import WAFv2Service
@testable import WebACL

@Suite("WAF: addresses")
struct WAFv2AddressTests {
  private static let now = Timestamp(milliseconds: 1_790_000_000_000)

  private func with(_ body: (ServiceHarness, WAFv2Service, ManualClock) async throws -> Void) async throws {
    var service: WAFv2Service?
    let clock = ManualClock(Self.now)
    let collections = WAFv2Service.collections + ShieldService.collections
    let harness = try ServiceHarness(clock: clock, collections: collections) { environment in
      let gate = GateController(socketPath: "/nowhere")
      let waf = WAFv2Service(environment, gate: gate)
      service = waf
      return [waf, ShieldService(environment), OneLoadBalancer()]
    }
    defer { harness.remove() }
    try await body(harness, try #require(service), clock)
  }

  private static let visibility = WAFv2.VisibilityConfig.make {
    $0.cloudWatchMetricsEnabled = true
    $0.sampledRequestsEnabled = true
    $0.metricName = "m"
  }

  private static func group(_ name: String, version: String? = nil, overriding rules: [String] = []) -> WAFv2.Rule {
    .make {
      $0.name = "group"
      $0.visibilityConfig = visibility
      $0.overrideAction = .make { $0.none = .init() }
      $0.statement.managedRuleGroupStatement = Indirect(
        .make {
          $0.vendorName = "AWS"
          $0.name = name
          $0.version = version
          $0.ruleActionOverrides = rules.map { rule in
            .make {
              $0.name = rule
              $0.actionToUse = .make { $0.count = .init() }
            }
          }
        })
    }
  }

  private func create(_ harness: ServiceHarness, _ rules: [WAFv2.Rule]) async throws -> String {
    let made = try await harness.run(WAFv2.createWebACL) {
      $0.name = "edge"
      $0.scope = "REGIONAL"
      $0.defaultAction = .make { $0.allow = .init() }
      $0.visibilityConfig = Self.visibility
      $0.rules = rules
    }
    return made.summary?.arn ?? ""
  }

  private func associate(_ harness: ServiceHarness, _ acl: String) async throws {
    _ = try await harness.run(WAFv2.associateWebACL) {
      $0.resourceArn = OneLoadBalancer.arn
      $0.webACLArn = acl
    }
  }

  @Test("numbers of autonomous systems are matched and counted by, in the range that they have")
  func systems() async throws {
    try await with { harness, _, _ in
      func rule(_ numbers: [Int]) -> WAFv2.Rule {
        .make {
          $0.name = "owner"
          $0.action = .make { $0.block = .init() }
          $0.visibilityConfig = Self.visibility
          $0.statement.asnMatchStatement = .make {
            $0.asnList = numbers
            $0.forwardedIPConfig = .make {
              $0.headerName = "X-Forwarded-For"
              $0.fallbackBehavior = "MATCH"
            }
          }
        }
      }
      var translator = RuleTranslator(bodies: nil)
      let forwarded = WebACL.ForwardedIP(header: "X-Forwarded-For", fallback: true)
      let kind = try translator.rules([rule([0, 4_294_967_295])]).first?.kind
      #expect(kind == .statement(.system([0, 4_294_967_295], forwarded), .block()))
      for numbers in [[], [-1], [4_294_967_296], Array(1...101)] {
        #expect(await errorCode { _ = try await create(harness, [rule(numbers)]) } != nil, "\(numbers.count)")
      }
      let rate = WAFv2.Rule.make {
        $0.name = "rate"
        $0.action = .make { $0.block = .init() }
        $0.visibilityConfig = Self.visibility
        $0.statement.rateBasedStatement = Indirect(
          .make {
            $0.limit = 100
            $0.aggregateKeyType = "CUSTOM_KEYS"
            $0.customKeys = [.make { $0.asn = .init() }]
          })
      }
      let expected = WebACL.Rate(limit: 100, keys: [.system])
      #expect(try translator.rules([rate]).first?.kind == .statement(.rate(expected), .block()))
    }
  }

  @Test("the Gate is told of the user's files, and again when they were written anew")
  func files() async throws {
    try await with { harness, service, clock in
      let folder = service.environment.directory + "/wafv2"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      func write(_ name: String, at seconds: Double) throws {
        #expect(FileManager.default.createFile(atPath: folder + "/" + name, contents: Data()))
        let date = Date(timeIntervalSince1970: seconds)
        try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: folder + "/" + name)
      }
      try write("networks.csv", at: 1000)
      #expect(try await service.part().addressSources == nil)
      try await associate(harness, try await create(harness, [Self.group("AWSManagedRulesAnonymousIpList")]))
      let first = try #require(try await service.part().addressSources)
      #expect(first.systems == .init(path: folder + "/networks.csv", writtenAt: 1_000_000_000_000))
      #expect(first.countries == nil && first.lists == nil && first.attackers.isEmpty)
      #expect(!service.addresses.areOld(service.addressFiles(), at: clock.now))
      try write("networks.csv", at: 2000)
      try write("lists.csv", at: 3000)
      try write("countries.csv", at: 4000)
      #expect(service.addresses.areOld(service.addressFiles(), at: clock.now))
      let second = try #require(try await service.part().addressSources)
      #expect(second.systems?.writtenAt == 2_000_000_000_000)
      #expect(second.lists?.path == folder + "/lists.csv" && second.countries?.path == folder + "/countries.csv")
      #expect(!service.addresses.areOld(service.addressFiles(), at: clock.now))
      // Nobody asks for attackers: time alone changes nothing.
      #expect(!service.addresses.areOld(service.addressFiles(), at: clock.now.adding(seconds: 3600)))
    }
  }

  @Test("who took part in an attack is on the list for a day, where a web ACL asks for it")
  func attackers() async throws {
    try await with { harness, service, clock in
      let recorder = AttackRecorder(harness.environment, gate: service.gate)
      func attack(_ id: String, _ sources: [String], ended: Double?) async throws {
        var attack = GateAttack(
          id: id, loadBalancer: OneLoadBalancer.arn, phase: ended == nil ? .updated : .ended,
          beganAt: Self.now.seconds - 200_000, updatedAt: Self.now.seconds)
        attack.endedAt = ended.map { Self.now.seconds - $0 }
        attack.sources = sources.map { .init(name: $0, count: 10) }
        try await recorder.keep(attack)
      }
      try await attack("old", ["192.0.2.1"], ended: 90_000)
      try await attack("recent", ["192.0.2.2", "192.0.2.3"], ended: 80_000)
      try await attack("running", ["192.0.2.3", "192.0.2.4"], ended: nil)
      let acl = try await create(harness, [Self.group("AWSManagedRulesAnonymousIpList")])
      try await associate(harness, acl)
      #expect(try await service.part().addressSources?.attackers == [])
      #expect(!service.addresses.usesAttackers)
      let lock = try await harness.run(WAFv2.getWebACL) { $0.arn = acl }
      _ = try await harness.run(WAFv2.updateWebACL) {
        $0.name = "edge"
        $0.id = lock.webACL?.id ?? ""
        $0.scope = "REGIONAL"
        $0.lockToken = lock.lockToken ?? ""
        $0.defaultAction = .make { $0.allow = .init() }
        $0.visibilityConfig = Self.visibility
        $0.rules = [Self.group("AWSManagedRulesAmazonIpReputationList")]
      }
      let found = try #require(try await service.part().addressSources)
      #expect(found.attackers == ["192.0.2.2", "192.0.2.3", "192.0.2.4"])
      #expect(service.addresses.usesAttackers)
      #expect(service.addresses.areOld(service.addressFiles(), at: clock.now.adding(seconds: 61)))
      clock.advance(seconds: 10_000)
      let later = try #require(try await service.part().addressSources)
      #expect(later.attackers == ["192.0.2.3", "192.0.2.4"])
    }
  }

  @Test("groups of addresses have no versions and say where their addresses come from; the count rule only counts")
  func told() async throws {
    try await with { harness, _, _ in
      let name = "AWSManagedRulesAmazonIpReputationList"
      let list = try await harness.run(WAFv2.listAvailableManagedRuleGroups) { $0.scope = "REGIONAL" }
      let group = try #require(list.managedRuleGroups?.first { $0.name == name })
      #expect(group.versioningSupported == false)
      #expect(group.description?.contains("wafv2/lists.csv") == true)
      let versions = try await harness.run(WAFv2.listAvailableManagedRuleGroupVersions) {
        $0.scope = "REGIONAL"
        $0.vendorName = "AWS"
        $0.name = name
      }
      #expect(versions.versions?.isEmpty == true && versions.currentDefaultVersion == nil)
      let described = try await harness.run(WAFv2.describeManagedRuleGroup) {
        $0.scope = "REGIONAL"
        $0.vendorName = "AWS"
        $0.name = name
      }
      #expect(described.rules?.map { $0.action?.count != nil } == [false, false, true])
      #expect(described.rules?.map { $0.action?.block != nil } == [true, true, false])
      #expect(described.capacity == 25 && described.versionName == nil)
      let pinned = Self.group(name, version: "Castle_1.0")
      #expect(await errorCode { _ = try await create(harness, [pinned]) } == "WAFInvalidParameterException")
      let bots = Self.group("AWSManagedRulesBotControlRuleSet")
      #expect(await errorCode { _ = try await create(harness, [bots]) } == "NotImplemented")
    }
  }

  @Test("overrides of rules that are not there: ignored in managed groups, refused in one's own")
  func overrides() async throws {
    try await with { harness, service, _ in
      let managed = Self.group("AWSManagedRulesWindowsRuleSet", overriding: ["NoSuchRule", "PowerShellCommands_BODY"])
      let made = try await harness.run(WAFv2.createRuleGroup) {
        $0.name = "own"
        $0.scope = "REGIONAL"
        $0.capacity = 10
        $0.visibilityConfig = Self.visibility
        $0.rules = [
          .make {
            $0.name = "there"
            $0.action = .make { $0.block = .init() }
            $0.visibilityConfig = Self.visibility
            $0.statement.geoMatchStatement = .make { $0.countryCodes = ["DE"] }
          }
        ]
      }
      let arn = made.summary?.arn ?? ""
      func own(_ name: String) -> WAFv2.Rule {
        .make {
          $0.name = "own"
          $0.priority = 1
          $0.visibilityConfig = Self.visibility
          $0.overrideAction = .make { $0.none = .init() }
          $0.statement.ruleGroupReferenceStatement = .make {
            $0.arn = arn
            $0.ruleActionOverrides = [
              .make {
                $0.name = name
                $0.actionToUse = .make { $0.count = .init() }
              }
            ]
          }
        }
      }
      let refused = await errorCode { _ = try await create(harness, [managed, own("There")]) }
      #expect(refused == "WAFInvalidParameterException")
      try await associate(harness, try await create(harness, [managed, own("there")]))
      let acl = try #require(try await service.part().webACLs.first)
      _ = try CompiledWebACL(acl)
    }
  }
}
