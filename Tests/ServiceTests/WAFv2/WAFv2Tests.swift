// WAF's records: faithful, locked, associated.

import AWSCore
import AWSWire
import CastleTesting
import ELBv2Model
import GateProtocol
import ServiceKit
import Testing
import WAFv2Model

@testable import WAFv2Service

/// A load balancer that is there, for associations.
struct OneLoadBalancer: AWSService {
  static let arn = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/shop/50dc6c495c0c9188"

  var apis: [ServiceAPI] {
    var table = HandlerTable()
    table.on(ELBv2.describeLoadBalancers) { input, _ in
      guard input.loadBalancerArns == [Self.arn] else {
        throw AWSError("LoadBalancerNotFound", "One or more load balancers not found")
      }
      return .make { $0.loadBalancers = [.make { $0.loadBalancerArn = Self.arn }] }
    }
    return [ServiceAPI(ELBv2.model, actionPrefix: "elasticloadbalancing", table)]
  }
}

@Suite("WAF")
struct WAFv2Tests {
  private func with(_ body: (ServiceHarness, WAFv2Service) async throws -> Void) async throws {
    var service: WAFv2Service?
    let harness = try ServiceHarness(collections: WAFv2Service.collections) { environment in
      let waf = WAFv2Service(environment, gate: GateController(socketPath: "/nowhere"))
      service = waf
      return [waf, OneLoadBalancer()]
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

  private static func rule(_ name: String, _ priority: Int, _ statement: WAFv2.Statement) -> WAFv2.Rule {
    .make {
      $0.name = name
      $0.priority = priority
      $0.statement = statement
      $0.action = .make { $0.block = .init() }
      $0.visibilityConfig = visibility
    }
  }

  private static let rate = WAFv2.Statement.make {
    $0.rateBasedStatement = Indirect(
      .make {
        $0.aggregateKeyType = "IP"
        $0.limit = 2000
        $0.evaluationWindowSec = 300
      })
  }

  private static let bytes = WAFv2.Statement.make {
    $0.byteMatchStatement = .make {
      $0.searchString = Blob([0, 255, 65])
      $0.positionalConstraint = "EXACTLY"
      $0.fieldToMatch = .make { $0.uriPath = .init() }
      $0.textTransformations = [
        .make {
          $0.priority = 0
          $0.type = "LOWERCASE"
        }
      ]
    }
  }

  private func create(_ harness: ServiceHarness, _ name: String, _ rules: [WAFv2.Rule]) async throws
    -> WAFv2.WebACLSummary
  {
    let made = try await harness.run(WAFv2.createWebACL) {
      $0.name = name
      $0.scope = "REGIONAL"
      $0.defaultAction = .make { $0.allow = .init() }
      $0.rules = rules
      $0.visibilityConfig = Self.visibility
    }
    return try #require(made.summary)
  }

  @Test("a web ACL comes back as it was sent, nested statements and bytes and all, with its capacity")
  func faithful() async throws {
    try await with { harness, _ in
      let nested = WAFv2.Statement.make {
        $0.andStatement = .make {
          $0.statements = [
            Self.bytes, .make { $0.notStatement = Indirect(.make { $0.statement = Indirect(Self.bytes) }) },
          ]
        }
      }
      let rules = [Self.rule("requests", 0, Self.rate), Self.rule("nested", 1, nested)]
      let made = try await create(harness, "front", rules)
      let got = try await harness.run(WAFv2.getWebACL) {
        $0.id = made.id
        $0.name = "front"
        $0.scope = "REGIONAL"
      }
      let acl = try #require(got.webACL)
      #expect(acl.rules?.map(\.wire) == rules.map(\.wire))
      #expect(acl.defaultAction?.allow != nil)
      #expect(acl.defaultAction?.block == nil)
      // 2 for the rate, and twice 2 for the match and 10 for its transformation.
      #expect(acl.capacity == 26)
      #expect(acl.labelNamespace == "awswaf:000000000000:webacl:front:")
      #expect(acl.arn == "arn:aws:wafv2:us-east-1:000000000000:regional/webacl/front/\(made.id ?? "")")
    }
  }

  @Test("a change needs the newest lock token, and rules that make sense")
  func locks() async throws {
    try await with { harness, _ in
      let made = try await create(harness, "front", [Self.rule("requests", 0, Self.rate)])
      func update(_ token: String?, _ rules: [WAFv2.Rule]) async throws -> String {
        try await failure(harness, WAFv2.updateWebACL) {
          $0.id = made.id ?? ""
          $0.name = "front"
          $0.scope = "REGIONAL"
          $0.lockToken = token ?? ""
          $0.defaultAction = .make { $0.block = .init() }
          $0.visibilityConfig = Self.visibility
          $0.rules = rules
        }
      }
      #expect(try await update(made.lockToken, [Self.rule("a", 0, Self.bytes)]) == "")
      #expect(try await update(made.lockToken, []) == "WAFOptimisticLockException")
      let now = try await harness.run(WAFv2.getWebACL) {
        $0.id = made.id
        $0.name = "front"
        $0.scope = "REGIONAL"
      }
      #expect(now.webACL?.defaultAction?.block != nil)
      let token = now.lockToken
      let table: [(String, [WAFv2.Rule])] = [
        ("WAFInvalidParameterException", [Self.rule("a", 0, Self.rate), Self.rule("a", 1, Self.rate)]),
        ("WAFInvalidParameterException", [Self.rule("a", 0, Self.rate), Self.rule("b", 0, Self.rate)]),
        ("WAFInvalidParameterException", [Self.rule("a", 0, .init())]),
        (
          "WAFInvalidParameterException",
          [Self.rule("a", 0, .make { $0.orStatement = .make { $0.statements = [Self.rate, Self.bytes] } })]
        ),
        (
          "WAFNonexistentItemException",
          [Self.rule("a", 0, .make { $0.ipSetReferenceStatement = .make { $0.arn = "arn:aws:wafv2:none" } })]
        ),
      ]
      for (code, rules) in table { #expect(try await update(token, rules) == code) }
      #expect(
        try await failure(harness, WAFv2.createWebACL) {
          $0.name = "front"
          $0.scope = "REGIONAL"
          $0.visibilityConfig = Self.visibility
        } == "WAFDuplicateItemException")
      #expect(
        try await failure(harness, WAFv2.createWebACL) {
          $0.name = "edge"
          $0.scope = "CLOUDFRONT"
        } == "NotImplemented")
    }
  }

  @Test("an IP set in use and an associated web ACL stay")
  func associations() async throws {
    try await with { harness, _ in
      let set = try #require(
        try await harness.run(WAFv2.createIPSet) {
          $0.name = "office"
          $0.scope = "REGIONAL"
          $0.ipAddressVersion = "IPV4"
          $0.addresses = ["203.0.113.0/24"]
        }.summary)
      #expect(
        try await failure(harness, WAFv2.createIPSet) {
          $0.name = "bad"
          $0.scope = "REGIONAL"
          $0.ipAddressVersion = "IPV4"
          $0.addresses = ["203.0.113.0"]
        } == "WAFInvalidParameterException")
      let acl = try await create(
        harness, "front", [Self.rule("a", 0, .make { $0.ipSetReferenceStatement = .make { $0.arn = set.arn ?? "" } })])
      #expect(
        try await failure(harness, WAFv2.deleteIPSet) {
          $0.name = "office"
          $0.id = set.id ?? ""
          $0.scope = "REGIONAL"
          $0.lockToken = set.lockToken ?? ""
        } == "WAFAssociatedItemException")
      _ = try await harness.run(WAFv2.associateWebACL) {
        $0.resourceArn = OneLoadBalancer.arn
        $0.webACLArn = acl.arn ?? ""
      }
      #expect(
        try await failure(harness, WAFv2.associateWebACL) {
          $0.resourceArn = OneLoadBalancer.arn + "0"
          $0.webACLArn = acl.arn ?? ""
        } == "WAFUnavailableEntityException")
      let found = try await harness.run(WAFv2.getWebACLForResource) { $0.resourceArn = OneLoadBalancer.arn }
      #expect(found.webACL?.id == acl.id)
      let list = try await harness.run(WAFv2.listResourcesForWebACL) { $0.webACLArn = acl.arn ?? "" }
      #expect(list.resourceArns == [OneLoadBalancer.arn])
      func delete() async throws -> String {
        try await failure(harness, WAFv2.deleteWebACL) {
          $0.name = "front"
          $0.id = acl.id ?? ""
          $0.scope = "REGIONAL"
          $0.lockToken = acl.lockToken ?? ""
        }
      }
      #expect(try await delete() == "WAFAssociatedItemException")
      _ = try await harness.run(WAFv2.disassociateWebACL) { $0.resourceArn = OneLoadBalancer.arn }
      #expect(try await delete() == "")
    }
  }

  @Test("CloudFormation makes, changes and removes web ACLs, IP sets and associations")
  func resources() async throws {
    try await with { harness, service in
      let providers = Dictionary(service.resourceProviders.map { ($0.type.split(separator: ":").last ?? "", $0) }) {
        $1
      }
      let context = ResourceContext(
        stackName: "storefront", stackID: "arn:stack", logicalID: "WebAcl", tags: ["a": "b"], call: harness.call())
      let properties: JSONValue = [
        "Scope": "REGIONAL", "DefaultAction": ["Allow": [:]], "Description": "At most 2000 requests",
        "Rules": [
          [
            "Name": "requests", "Priority": 0, "Action": ["Block": [:]],
            "Statement": [
              "RateBasedStatement": ["AggregateKeyType": "IP", "EvaluationWindowSec": 300, "Limit": 2000]
            ],
            "VisibilityConfig": [
              "CloudWatchMetricsEnabled": true, "SampledRequestsEnabled": true, "MetricName": "requests",
            ],
          ],
          [
            "Name": "word", "Priority": 1, "Action": ["Count": [:]],
            "Statement": [
              "ByteMatchStatement": [
                "SearchStringBase64": "aGVsbG8=", "PositionalConstraint": "CONTAINS", "FieldToMatch": ["Body": [:]],
                "TextTransformations": [["Priority": 0, "Type": "NONE"]],
              ]
            ],
            "VisibilityConfig": [
              "CloudWatchMetricsEnabled": true, "SampledRequestsEnabled": true, "MetricName": "word",
            ],
          ],
        ],
        "VisibilityConfig": ["CloudWatchMetricsEnabled": true, "SampledRequestsEnabled": true, "MetricName": "front"],
      ]
      let acls = try #require(providers["WebACL"])
      let made = try await acls.create(properties, context)
      #expect(made.physicalID.split(separator: "|").count == 3)
      #expect(made.attributes["Capacity"]?.integer == 12)
      let arn = try #require(made.attributes["Arn"]?.text)
      let id = try #require(made.attributes["Id"]?.text)
      let stored = try await harness.run(WAFv2.getWebACL) {
        $0.id = id
        $0.name = made.physicalID.split(separator: "|").first.map(String.init)
        $0.scope = "REGIONAL"
      }
      #expect(stored.webACL?.rules?.last?.statement.byteMatchStatement?.searchString == Blob(Array("hello".utf8)))
      let associations = try #require(providers["WebACLAssociation"])
      let link: JSONValue = ["ResourceArn": .string(OneLoadBalancer.arn), "WebACLArn": .string(arn)]
      let linked = try await associations.create(link, context)
      #expect(linked.physicalID == "\(OneLoadBalancer.arn)|\(arn)")
      guard case .object(var changed) = properties else { return }
      changed["Rules"] = []
      let updated = try await acls.update(made, properties, .object(changed), context)
      #expect(updated.attributes["Capacity"]?.integer == 0)
      try await associations.delete(linked, link, context)
      try await acls.delete(made, properties, context)
      try await acls.delete(made, properties, context)
      let sets = try #require(providers["IPSet"])
      let set: JSONValue = ["Scope": "REGIONAL", "IPAddressVersion": "IPV4", "Addresses": ["10.0.0.0/8"]]
      let office = try await sets.create(set, context)
      #expect(office.attributes["Arn"]?.text?.contains(":regional/ipset/") == true)
      try await sets.delete(office, set, context)
    }
  }
}
