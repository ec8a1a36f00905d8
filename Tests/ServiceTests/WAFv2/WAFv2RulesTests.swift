// Rule groups, pattern sets, logging, managed groups, and what the Gate is told.

import AWSCore
import AWSWire
import CastleTesting
import ELBv2Model
import GateProtocol
import ServiceKit
import Testing
import WAFv2Model

@testable import WAFv2Service
@testable import WebACL

private struct Balancers: AWSService {
  static let arn = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/shop/50dc6c495c0c9188"

  var apis: [ServiceAPI] {
    var table = HandlerTable()
    table.on(ELBv2.describeLoadBalancers) { _, _ in
      .make { $0.loadBalancers = [.make { $0.loadBalancerArn = Self.arn }] }
    }
    table.on(ELBv2.describeLoadBalancerAttributes) { _, _ in
      .make {
        $0.attributes = [
          .make {
            $0.key = "waf.fail_open.enabled"
            $0.value = "true"
          }
        ]
      }
    }
    return [ServiceAPI(ELBv2.model, actionPrefix: "elasticloadbalancing", table)]
  }
}

@Suite("WAF: rules")
struct WAFv2RulesTests {
  private func with(_ body: (ServiceHarness, WAFv2Service) async throws -> Void) async throws {
    var service: WAFv2Service?
    let harness = try ServiceHarness(collections: WAFv2Service.collections) { environment in
      let waf = WAFv2Service(environment, gate: GateController(socketPath: "/nowhere"))
      service = waf
      return [waf, Balancers()]
    }
    defer { harness.remove() }
    try await body(harness, try #require(service))
  }

  private func failure<I, O>(
    _ harness: ServiceHarness, _ operation: APIOperation<I, O>, _ configure: (inout I) -> Void
  ) async throws -> String {
    do {
      _ = try await harness.run(operation, configure)
      return ""
    } catch let error as AWSError {
      return error.code
    }
  }

  private static let visibility = WAFv2.VisibilityConfig.make {
    $0.cloudWatchMetricsEnabled = true
    $0.sampledRequestsEnabled = true
    $0.metricName = "m"
  }

  private static func rule(_ name: String, _ priority: Int, _ change: (inout WAFv2.Rule) -> Void) -> WAFv2.Rule {
    var rule = WAFv2.Rule()
    rule.name = name
    rule.priority = priority
    rule.visibilityConfig = visibility
    change(&rule)
    return rule
  }

  private static let plain = [WAFv2.TextTransformation.make { $0.type = "NONE" }]

  private func patternSet(_ harness: ServiceHarness) async throws -> WAFv2.RegexPatternSetSummary {
    let made = try await harness.run(WAFv2.createRegexPatternSet) {
      $0.name = "probe"
      $0.scope = "REGIONAL"
      $0.regularExpressionList = [.make { $0.regexString = "wp-login" }]
    }
    return try #require(made.summary)
  }

  private func ruleGroup(_ harness: ServiceHarness, _ set: String, capacity: Int = 50) async throws
    -> WAFv2.RuleGroupSummary
  {
    let made = try await harness.run(WAFv2.createRuleGroup) {
      $0.name = "own"
      $0.scope = "REGIONAL"
      $0.capacity = capacity
      $0.visibilityConfig = Self.visibility
      $0.rules = [
        Self.rule("probe", 1) {
          $0.action = .make { $0.block = .init() }
          $0.ruleLabels = [.make { $0.name = "wp" }]
          $0.statement.regexPatternSetReferenceStatement = .make {
            $0.arn = set
            $0.fieldToMatch = .make { $0.uriPath = .init() }
            $0.textTransformations = Self.plain
          }
        }
      ]
    }
    return try #require(made.summary)
  }

  private func webACL(_ harness: ServiceHarness, _ rules: [WAFv2.Rule]) async throws -> WAFv2.WebACLSummary {
    let made = try await harness.run(WAFv2.createWebACL) {
      $0.name = "edge"
      $0.scope = "REGIONAL"
      $0.defaultAction = .make { $0.allow = .init() }
      $0.visibilityConfig = Self.visibility
      $0.rules = rules
    }
    return try #require(made.summary)
  }

  private static func reference(_ arn: String) -> WAFv2.Rule {
    rule("own", 4) {
      $0.overrideAction = .make { $0.none = .init() }
      $0.statement.ruleGroupReferenceStatement = .make { $0.arn = arn }
    }
  }

  private static let managed = rule("common", 3) {
    $0.overrideAction = .make { $0.count = .init() }
    $0.statement.managedRuleGroupStatement = Indirect(
      .make {
        $0.vendorName = "AWS"
        $0.name = "AWSManagedRulesCommonRuleSet"
      })
  }

  @Test("rule groups and pattern sets stay while something refers to them, and keep to their capacity")
  func references() async throws {
    try await with { harness, _ in
      let set = try await patternSet(harness)
      let tooSmall = try await failure(harness, WAFv2.createRuleGroup) {
        $0.name = "small"
        $0.scope = "REGIONAL"
        $0.capacity = 1
        $0.visibilityConfig = Self.visibility
        $0.rules = [
          Self.rule("x", 1) {
            $0.action = .make { $0.count = .init() }
            $0.statement.regexMatchStatement = .make {
              $0.regexString = "x"
              $0.fieldToMatch = .make { $0.uriPath = .init() }
              $0.textTransformations = Self.plain
            }
          }
        ]
      }
      #expect(tooSmall == "WAFLimitsExceededException")
      let group = try await ruleGroup(harness, set.arn ?? "")
      let got = try await harness.run(WAFv2.getRuleGroup) { $0.arn = group.arn }
      #expect(got.ruleGroup?.availableLabels?.map(\.name) == ["awswaf:000000000000:rulegroup:own:wp"])
      let acl = try await webACL(harness, [Self.managed, Self.reference(group.arn ?? "")])
      let stored = try await harness.run(WAFv2.getWebACL) { $0.arn = acl.arn }
      #expect(stored.webACL?.capacity == 750)
      let setGone = try await failure(harness, WAFv2.deleteRegexPatternSet) {
        $0.name = "probe"
        $0.id = set.id ?? ""
        $0.scope = "REGIONAL"
        $0.lockToken = set.lockToken ?? ""
      }
      #expect(setGone == "WAFAssociatedItemException")
      let groupGone = try await failure(harness, WAFv2.deleteRuleGroup) {
        $0.name = "own"
        $0.id = group.id ?? ""
        $0.scope = "REGIONAL"
        $0.lockToken = group.lockToken ?? ""
      }
      #expect(groupGone == "WAFAssociatedItemException")
    }
  }

  @Test("what the Gate cannot do is refused when it is asked for, with its name")
  func refusals() async throws {
    try await with { harness, _ in
      func code(_ change: (inout WAFv2.Rule) -> Void) async throws -> String {
        let rule = Self.rule("r", 0, change)
        return try await failure(harness, WAFv2.createWebACL) {
          $0.name = "no"
          $0.scope = "REGIONAL"
          $0.defaultAction = .make { $0.allow = .init() }
          $0.visibilityConfig = Self.visibility
          $0.rules = [rule]
        }
      }
      func size(_ field: WAFv2.FieldToMatch) -> WAFv2.Statement {
        .make {
          $0.sizeConstraintStatement = .make {
            $0.comparisonOperator = "GT"
            $0.fieldToMatch = field
            $0.textTransformations = Self.plain
          }
        }
      }
      let path = size(.make { $0.uriPath = .init() })
      let captcha = try await code {
        $0.action = .make { $0.captcha = .init() }
        $0.statement = path
      }
      #expect(captcha == "NotImplemented")
      let challenge = try await code {
        $0.action = .make { $0.challenge = .init() }
        $0.statement = path
      }
      #expect(challenge == "NotImplemented")
      let fingerprint = try await code {
        $0.action = .make { $0.block = .init() }
        $0.statement.byteMatchStatement = .make {
          $0.positionalConstraint = "CONTAINS"
          $0.searchString = Blob(Array("t13d".utf8))
          $0.fieldToMatch = .make { $0.ja4Fingerprint = .make { $0.fallbackBehavior = "MATCH" } }
          $0.textTransformations = Self.plain
        }
      }
      #expect(fingerprint == "WAFInvalidParameterException")
      let bots = try await code {
        $0.overrideAction = .make { $0.none = .init() }
        $0.statement.managedRuleGroupStatement = Indirect(
          .make {
            $0.vendorName = "AWS"
            $0.name = "AWSManagedRulesBotControlRuleSet"
          })
      }
      #expect(bots == "NotImplemented")
      let pattern = try await code {
        $0.action = .make { $0.block = .init() }
        $0.statement.regexMatchStatement = .make {
          $0.regexString = "(?=x)"
          $0.fieldToMatch = .make { $0.uriPath = .init() }
          $0.textTransformations = Self.plain
        }
      }
      #expect(pattern == "WAFInvalidParameterException")
      let rate = try await code {
        $0.action = .make { $0.block = .init() }
        $0.statement.rateBasedStatement = Indirect(
          .make {
            $0.limit = 5
            $0.aggregateKeyType = "IP"
          })
      }
      #expect(rate == "WAFInvalidParameterException")
    }
  }

  @Test("the Gate is told of associated web ACLs, whole, and such that it can compile them")
  func part() async throws {
    try await with { harness, service in
      let set = try await patternSet(harness)
      let group = try await ruleGroup(harness, set.arn ?? "")
      let acl = try await webACL(harness, [Self.managed, Self.reference(group.arn ?? "")])
      #expect(try await service.part().webACLs.isEmpty)
      _ = try await harness.run(WAFv2.associateWebACL) {
        $0.resourceArn = Balancers.arn
        $0.webACLArn = acl.arn ?? ""
      }
      _ = try await harness.run(WAFv2.putLoggingConfiguration) {
        $0.loggingConfiguration = .make {
          $0.resourceArn = acl.arn ?? ""
          $0.logDestinationConfigs = ["arn:aws:logs:us-east-1:000000000000:log-group:aws-waf-logs-edge"]
          $0.redactedFields = [.make { $0.singleHeader = .make { $0.name = "Cookie" } }]
        }
      }
      let told = try #require(try await service.part().webACLs.first)
      #expect(told.loadBalancers == [Balancers.arn])
      #expect(told.failOpen == [Balancers.arn])
      #expect(told.logging?.redactedHeaders == ["cookie"])
      #expect(told.ruleGroups.count == 2)
      #expect(told.patternSets.map(\.patterns) == [["wp-login"]])
      _ = try CompiledWebACL(told)
    }
  }

  @Test("fingerprints of clients are matched and counted by, with what is done without one")
  func fingerprints() async throws {
    var translator = RuleTranslator(bodies: nil)
    let match = Self.rule("ja3", 1) {
      $0.action = .make { $0.block = .init() }
      $0.statement.byteMatchStatement = .make {
        $0.positionalConstraint = "EXACTLY"
        $0.searchString = Blob(Array("ada70206e40642a3e4461f35503241d5".utf8))
        $0.fieldToMatch = .make { $0.ja3Fingerprint = .make { $0.fallbackBehavior = "MATCH" } }
        $0.textTransformations = Self.plain
      }
    }
    let rate = Self.rule("rate", 2) {
      $0.action = .make { $0.block = .init() }
      $0.statement.rateBasedStatement = Indirect(
        .make {
          $0.limit = 100
          $0.aggregateKeyType = "CUSTOM_KEYS"
          $0.customKeys = [
            .make { $0.ja3Fingerprint = .make { $0.fallbackBehavior = "NO_MATCH" } },
            .make { $0.ja4Fingerprint = .make { $0.fallbackBehavior = "MATCH" } },
          ]
        })
    }
    let rules = try translator.rules([match, rate])
    let field = WebACL.Inspection(.ja3(fallback: true), [.none])
    #expect(
      rules.first?.kind
        == .statement(.byteMatch(field, .exactly, Array("ada70206e40642a3e4461f35503241d5".utf8)), .block()))
    let keys: [WebACL.Rate.Key] = [.ja3(fallback: false), .ja4(fallback: true)]
    #expect(rules.last?.kind == .statement(.rate(WebACL.Rate(limit: 100, keys: keys)), .block()))
  }

  @Test("logs go to log groups and buckets of the right name, and nowhere else")
  func logging() async throws {
    try await with { harness, _ in
      let acl = try await webACL(harness, [])
      func put(_ destination: String) async throws -> String {
        try await failure(harness, WAFv2.putLoggingConfiguration) {
          $0.loggingConfiguration = .make {
            $0.resourceArn = acl.arn ?? ""
            $0.logDestinationConfigs = [destination]
          }
        }
      }
      #expect(try await put("arn:aws:logs:us-east-1:000000000000:log-group:other") == "WAFInvalidParameterException")
      #expect(
        try await put("arn:aws:firehose:us-east-1:000000000000:deliverystream/aws-waf-logs-x") == "NotImplemented")
      #expect(try await put("arn:aws:s3:::aws-waf-logs-x") == "")
      let got = try await harness.run(WAFv2.getLoggingConfiguration) { $0.resourceArn = acl.arn ?? "" }
      #expect(got.loggingConfiguration?.logDestinationConfigs == ["arn:aws:s3:::aws-waf-logs-x"])
      _ = try await harness.run(WAFv2.deleteLoggingConfiguration) { $0.resourceArn = acl.arn ?? "" }
      let gone = try await failure(harness, WAFv2.getLoggingConfiguration) { $0.resourceArn = acl.arn ?? "" }
      #expect(gone == "WAFNonexistentItemException")
    }
  }

  @Test("managed groups are described as they are here, and each of them compiles")
  func managedGroups() async throws {
    try await with { harness, _ in
      let list = try await harness.run(WAFv2.listAvailableManagedRuleGroups) { $0.scope = "REGIONAL" }
      #expect(list.managedRuleGroups?.count == ManagedRules.groups.count)
      let common = try await harness.run(WAFv2.describeManagedRuleGroup) {
        $0.scope = "REGIONAL"
        $0.vendorName = "AWS"
        $0.name = "AWSManagedRulesCommonRuleSet"
      }
      #expect(common.capacity == 700)
      #expect(common.versionName == "Castle_1.0")
      #expect(common.rules?.isEmpty == false)
      for group in ManagedRules.groups {
        var acl = WebACL(id: "a", rules: [.init(name: "g", priority: 0, .group(.init(group: group.content.id)))])
        acl.ruleGroups = [group.content]
        _ = try CompiledWebACL(acl)
      }
    }
  }

  @Test("samples are found by rule and time; counters become the minute's differences, lines come in order")
  func feed() {
    let feed = Feed()
    func sample(_ metric: String, _ time: UInt64) -> WebACLSample {
      WebACLSample(
        webACL: "a", metric: metric, time: time, clientIP: "1.2.3.4", country: nil, method: "GET", uri: "/",
        version: "HTTP/1.1", headers: [], action: "BLOCK", overriddenAction: nil, ruleWithinGroup: nil, labels: [],
        inserted: [], status: nil, weight: 3)
    }
    feed.add([sample("x", 100), sample("y", 200), sample("x", 300)])
    #expect(feed.samples(webACL: "a", metric: "x", from: 0, to: 250).map(\.time) == [100])
    #expect(feed.samples(webACL: "a", metric: "ALL", from: 0, to: 1000).map(\.time) == [300, 200, 100])
    func line(_ time: UInt64) -> WebACLRecords.Line { .init(webACL: "a", time: time, text: "\(time)") }
    let lost = feed.add([line(2), line(4)]) + feed.add([line(1), line(3)])
    #expect(lost == 0)
    #expect(feed.takeLines()["a"]?.map(\.time) == [1, 2, 3, 4])
    #expect(feed.takeLines().isEmpty)
    func statistics(_ time: Double, _ blocked: UInt64) -> GateStatistics {
      var counter = WebACLCounter(name: "x")
      counter.blocked = blocked
      var result = GateStatistics(time: time, workerStartedAt: 1)
      result.webACLs = [.init(id: "a", counters: [counter])]
      return result
    }
    #expect(feed.minute(statistics(1000, 1)) == nil)
    #expect(feed.minute(statistics(1061, 5))?.first?.counters.first?.blocked == 4)
    #expect(feed.minute(statistics(1100, 6)) == nil)
    // What was counted before the first look belongs to the control plane before; a new worker counts from nothing.
    let third = feed.minute(statistics(1122, 9))?.first?.counters ?? []
    #expect(third.first?.blocked == 4)
    let points = Metrics.points(third, webACL: "edge", region: "us-east-1")
    #expect(points.map(\.name) == ["BlockedRequests", "BlockedRequests"])
    #expect(points.last?.dimensions == ["WebACL": "edge", "Region": "us-east-1", "Rule": "ALL"])
  }

  @Test("what requests have in common is told under dimensions of its own, and is not added to the sum of all rules")
  func dimensions() {
    func counter(
      _ name: String, _ subject: WebACLCounter.Subject, group: String? = nil, managed: String? = nil
    ) -> WebACLCounter {
      var counter = WebACLCounter(name: name, group: group, managedGroup: managed, subject: subject)
      counter.blocked = 2
      return counter
    }
    let points = Metrics.points(
      [
        counter("admin", .rule), counter("inner", .rule, group: "own"),
        counter("NoUserAgent_HEADER", .managedRule, group: "core", managed: "AWS#AWSManagedRulesCommonRuleSet"),
        counter("awswaf:000000000000:webacl:edge:area:admin", .label),
        counter("awswaf:000000000000:rulegroup:own:seen", .label, group: "own"), counter("DE", .country),
        counter("Mobile", .device), counter("SQLInjection", .attack),
      ], webACL: "edge", region: "us-east-1")
    let told = points.map { point in
      point.dimensions.sorted { $0.key < $1.key }.filter { $0.key != "Region" }.map { "\($0)=\($1)" }
        .joined(separator: " ")
    }
    #expect(points.allSatisfy { $0.dimensions["Region"] == "us-east-1" })
    #expect(
      told == [
        "Rule=admin WebACL=edge", "Rule=inner RuleGroup=own",
        "ManagedRuleGroup=AWS#AWSManagedRulesCommonRuleSet ManagedRuleGroupRule=NoUserAgent_HEADER WebACL=edge",
        "LabelName=admin LabelNamespace=awswaf:000000000000:webacl:edge:area WebACL=edge",
        "LabelName=seen LabelNamespace=awswaf:000000000000:rulegroup:own RuleGroup=own",
        "Country=DE WebACL=edge", "Device=Mobile WebACL=edge", "Attack=SQLInjection WebACL=edge",
        "Rule=ALL WebACL=edge",
      ])
    #expect(points.last?.value == 2)
  }
}
