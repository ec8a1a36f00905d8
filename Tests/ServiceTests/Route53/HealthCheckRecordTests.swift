// Health checks as records: what is refused, versions, references, tags, lists, record sets and stacks.

import AWSCore
import CastleTesting
import CloudWatchService
import Route53Model
import ServiceKit
import Testing

@testable import Route53Service

@Suite("Route 53 health check records") struct HealthCheckRecordTests {
  private func withFixture(_ body: (HealthCheckFixture) async throws -> Void) async throws {
    let clock = ManualClock()
    let harness = try ServiceHarness(
      clock: clock, collections: Route53Service.collections + CloudWatchService.collections
    ) { [Route53Service($0), CloudWatchService($0)] }
    defer { harness.remove() }
    try await body(HealthCheckFixture(harness: harness, clock: clock))
  }

  typealias Configure = @Sendable (inout Route53.HealthCheckConfig) -> Void

  private static let wrongSettings: [(String, Configure, String)] = [
    ("HTTP", { _ in }, "must have an IP address or a fully qualified domain name"),
    ("HTTP", { $0.ipAddress = "1.2.3" }, "not a valid IP address"),
    ("HTTP", { $0.fullyQualifiedDomainName = "a.test\r\nX: y" }, "not a valid fully qualified domain name"),
    (
      "HTTP",
      {
        $0.ipAddress = "127.0.0.1"
        $0.requestInterval = 20
      }, "must be 10 or 30 seconds"
    ),
    (
      "HTTP",
      {
        $0.ipAddress = "127.0.0.1"
        $0.searchString = "x"
      }, "must not have a search string"
    ),
    (
      "HTTP",
      {
        $0.ipAddress = "127.0.0.1"
        $0.resourcePath = "/a HTTP/1.1\r\n"
      }, "characters that a path cannot have"
    ),
    (
      "HTTP",
      {
        $0.ipAddress = "127.0.0.1"
        $0.alarmIdentifier = .make { ($0.name, $0.region) = ("a", "us-east-1") }
      }, "Basic health checks must not have an metric region specified."
    ),
    ("HTTPS_STR_MATCH", { $0.ipAddress = "::1" }, "must have a search string"),
    ("TCP", { $0.ipAddress = "127.0.0.1" }, "must have a port"),
    (
      "TCP",
      {
        ($0.ipAddress, $0.port) = ("127.0.0.1", 80)
        $0.fullyQualifiedDomainName = "a.test"
      }, "TCP health checks that have IP address must not have a fully qualified domain name specified."
    ),
    ("CALCULATED", { $0.childHealthChecks = [] }, "must have a health threshold"),
    (
      "CALCULATED",
      {
        $0.healthThreshold = 1
        $0.childHealthChecks = ["nobody"]
      }, "child health check nobody does not exist"
    ),
    (
      "CALCULATED",
      {
        $0.healthThreshold = 1
        $0.port = 80
      }, "Calculated health checks must not have a port"
    ),
    ("CLOUDWATCH_METRIC", { _ in }, "must have an alarm identifier"),
  ]

  @Test("settings that do not fit the type are refused by name", arguments: wrongSettings)
  func refusals(type: String, configure: Configure, message: String) async throws {
    try await withFixture { fixture in
      let refused = await fixture.error {
        _ = try await fixture.harness.run(Route53.createHealthCheck) {
          $0.callerReference = "once"
          $0.healthCheckConfig.type = type
          configure(&$0.healthCheckConfig)
        }
      }
      #expect(refused?.code == "InvalidInput")
      #expect(refused?.message.contains(message) == true, "\(refused?.message ?? "")")
    }
  }

  @Test("a caller reference names one health check, also after it is gone")
  func references() async throws {
    try await withFixture { fixture in
      func make(_ path: String) async throws -> String {
        try await fixture.make("HTTP", reference: "one") {
          $0.ipAddress = "127.0.0.1"
          $0.resourcePath = path
        }.id ?? ""
      }
      let id = try await make("/a")
      #expect(try await make("/a") == id)
      #expect(await fixture.error { _ = try await make("/b") }?.code == "HealthCheckAlreadyExists")
      _ = try await fixture.harness.run(Route53.deleteHealthCheck) { $0.healthCheckId = id }
      let gone = await fixture.error {
        _ = try await fixture.harness.run(Route53.getHealthCheck) { $0.healthCheckId = id }
      }
      #expect(gone?.code == "NoSuchHealthCheck" && gone?.status == 404)
      #expect(await fixture.error { _ = try await make("/a") }?.code == "HealthCheckAlreadyExists")
      fixture.clock.advance(seconds: 4 * 86_400)
      #expect(try await make("/a") != id)
    }
  }

  @Test("defaults are filled in; a change counts versions, keeps what it does not name, and resets what it is told to")
  func updates() async throws {
    try await withFixture { fixture in
      let made = try await fixture.harness.run(Route53.createHealthCheck) {
        $0.callerReference = "one"
        $0.healthCheckConfig = .make {
          ($0.type, $0.fullyQualifiedDomainName, $0.resourcePath) = ("HTTPS", "a.test", "/a")
        }
      }
      #expect(made.location?.hasSuffix("/2013-04-01/healthcheck/\(made.healthCheck?.id ?? "")") == true)
      let config = made.healthCheck?.healthCheckConfig
      #expect(config?.requestInterval == 30 && config?.failureThreshold == 3 && config?.enableSNI == true)
      #expect(config?.inverted == false && config?.disabled == false && config?.port == nil)
      let id = made.healthCheck?.id ?? ""
      let changed = try await fixture.harness.run(Route53.updateHealthCheck) {
        $0.healthCheckId = id
        $0.healthCheckVersion = 1
        $0.ipAddress = "127.0.0.9"
        $0.resetElements = ["ResourcePath"]
      }.healthCheck
      #expect(changed?.healthCheckVersion == 2)
      #expect(changed?.healthCheckConfig?.fullyQualifiedDomainName == "a.test")
      #expect(changed?.healthCheckConfig?.resourcePath == nil)
      let late = await fixture.error {
        _ = try await fixture.harness.run(Route53.updateHealthCheck) {
          $0.healthCheckId = id
          $0.healthCheckVersion = 1
        }
      }
      #expect(late?.code == "HealthCheckVersionMismatch" && late?.status == 409)
      // Checks that ask nobody come back without what only endpoints have.
      let calculated = try await fixture.make("CALCULATED") {
        $0.childHealthChecks = [id]
        $0.healthThreshold = 1
      }.healthCheckConfig
      #expect(calculated?.requestInterval == nil && calculated?.failureThreshold == nil && calculated?.port == nil)
    }
  }

  @Test("lists come in pages, counts count, tags are kept and listed for several at once")
  func listsAndTags() async throws {
    try await withFixture { fixture in
      var ids: [String] = []
      for number in 1...3 {
        ids.append(try await fixture.make("TCP", UInt16(number)))
      }
      #expect(try await fixture.harness.run(Route53.getHealthCheckCount).healthCheckCount == 3)
      let first = try await fixture.harness.run(Route53.listHealthChecks) { $0.maxItems = "2" }
      #expect(first.isTruncated == true && first.healthChecks?.count == 2)
      let rest = try await fixture.harness.run(Route53.listHealthChecks) { $0.marker = first.nextMarker }
      let all = ((first.healthChecks ?? []) + (rest.healthChecks ?? [])).compactMap(\.id)
      #expect(all == ids.sorted() && rest.isTruncated == false)
      _ = try await fixture.harness.run(Route53.changeTagsForResource) {
        ($0.resourceType, $0.resourceId) = ("healthcheck", ids[0])
        $0.addTags = [.make { ($0.key, $0.value) = ("Name", "front") }]
      }
      let tags = try await fixture.harness.run(Route53.listTagsForResources) {
        ($0.resourceType, $0.resourceIds) = ("healthcheck", [ids[0], ids[1]])
      }.resourceTagSets
      #expect(tags?.map(\.resourceId) == [ids[0], ids[1]])
      #expect(tags?.first?.tags?.map(\.value) == ["front"] && tags?.last?.tags?.isEmpty != false)
      let strange = await fixture.error {
        _ = try await fixture.harness.run(Route53.listTagsForResource) {
          ($0.resourceType, $0.resourceId) = ("healthcheck", "nobody")
        }
      }
      #expect(strange?.code == "NoSuchHealthCheck")
      #expect(try await fixture.harness.run(Route53.getCheckerIpRanges).checkerIpRanges == ["127.0.0.1/32"])
    }
  }

  @Test("a record set names a health check that is there, and outlives it")
  func recordSets() async throws {
    try await withFixture { fixture in
      let zone =
        try await fixture.harness.run(Route53.createHostedZone) {
          ($0.name, $0.callerReference) = ("shop.test", "zone")
        }.hostedZone?.id ?? ""
      func change(_ action: String, _ check: String) async throws {
        _ = try await fixture.harness.run(Route53.changeResourceRecordSets) {
          $0.hostedZoneId = zone
          $0.changeBatch.changes = [
            .make {
              $0.action = action
              $0.resourceRecordSet = .make {
                ($0.name, $0.type, $0.ttl, $0.setIdentifier) = ("www.shop.test", "A", 60, "first")
                ($0.failover, $0.healthCheckId) = ("PRIMARY", check)
                $0.resourceRecords = [.make { $0.value = "192.0.2.1" }]
              }
            }
          ]
        }
      }
      #expect(await fixture.error { try await change("CREATE", "nobody") }?.code == "NoSuchHealthCheck")
      let check = try await fixture.make("TCP", 80)
      try await change("CREATE", check)
      let sets = try await fixture.harness.run(Route53.listResourceRecordSets) { $0.hostedZoneId = zone }
      #expect(sets.resourceRecordSets?.compactMap(\.healthCheckId) == [check])
      // Route 53 does not keep a check for its record sets.
      _ = try await fixture.harness.run(Route53.deleteHealthCheck) { $0.healthCheckId = check }
      try await change("DELETE", check)
    }
  }

  @Test("a stack makes, changes, replaces and removes a health check")
  func stackResource() async throws {
    try await withFixture { fixture in
      let providers = Route53Service(fixture.harness.environment).resourceProviders
      let provider = try #require(providers.first { $0.type == "AWS::Route53::HealthCheck" })
      let context = ResourceContext(
        stackName: "shop", stackID: "arn", logicalID: "Check", tags: ["team": "web"], call: fixture.harness.call())
      func properties(_ interval: String, _ path: String?) -> JSONValue {
        var config: [String: JSONValue] = [
          "Type": "HTTP", "IPAddress": "127.0.0.1", "RequestInterval": .string(interval), "Port": "8080",
        ]
        if let path { config["ResourcePath"] = .string(path) }
        return ["HealthCheckConfig": .object(config), "HealthCheckTags": [["Key": "Name", "Value": "front"]]]
      }
      let old = properties("30", "/a")
      let made = try await provider.make(old, context)
      #expect(made.attributes["HealthCheckId"] == .string(made.physicalID))
      func config(_ id: String) async throws -> Route53.HealthCheckConfig? {
        try await fixture.harness.run(Route53.getHealthCheck) { $0.healthCheckId = id }.healthCheck?.healthCheckConfig
      }
      #expect(try await config(made.physicalID)?.resourcePath == "/a")
      let without = properties("30", nil)
      let changed = try await provider.update(made, old, without, context)
      #expect(changed.physicalID == made.physicalID)
      #expect(try await config(made.physicalID)?.resourcePath == nil)
      let replaced = try await provider.update(made, without, properties("10", nil), context)
      #expect(replaced.physicalID != made.physicalID)
      #expect(try await config(replaced.physicalID)?.requestInterval == 10)
      let tags = try await fixture.harness.run(Route53.listTagsForResource) {
        ($0.resourceType, $0.resourceId) = ("healthcheck", replaced.physicalID)
      }.resourceTagSet?.tags
      #expect(tags?.map(\.key) == ["Name", "team"])
      try await provider.delete(replaced, old, context)
      try await provider.delete(replaced, old, context)
      #expect(try await fixture.harness.run(Route53.getHealthCheckCount).healthCheckCount == 1)
    }
  }
}
