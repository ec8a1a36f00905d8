// Health checks as records, and as the health checker sees endpoints.

import AWSCore
import CastleTesting
import CloudWatchModel
import Route53Model
import ServiceKit
import Testing

@testable import Route53Service

@Suite("Route 53 health checks") struct HealthCheckTests {
  // MARK: - Probing

  @Test("a check turns after as many looks in a row as its threshold says, both ways", .timeLimit(.minutes(1)))
  func thresholds() async throws {
    let server = try ELBServer("green")
    try await HealthCheckFixture.run { fixture in
      let id = try await fixture.make("HTTP", server.port) { $0.resourcePath = "/health" }
      #expect(try await fixture.isHealthy(id))
      #expect(try await fixture.firstReport(id) == "Success: HTTP Status Code 200, OK")
      server.answer(503)
      #expect(try await fixture.nextReport(id) == "Failure: HTTP Status Code 503, Service Unavailable")
      #expect(try await fixture.isHealthy(id))
      server.answer(302)
      try await fixture.nextReport(id)
      server.answer(500)
      try await fixture.nextReport(id)
      #expect(try await fixture.isHealthy(id), "looks that fail count in a row only")
      try await fixture.nextReport(id)
      #expect(try await !fixture.isHealthy(id))
      server.answer(204)
      try await fixture.nextReport(id)
      #expect(try await !fixture.isHealthy(id))
      #expect(try await fixture.nextReport(id) == "Success: HTTP Status Code 204, No Content")
      #expect(try await fixture.isHealthy(id))
      let last = try await fixture.harness.run(Route53.getHealthCheckLastFailureReason) { $0.healthCheckId = id }
      let reason = last.healthCheckObservations?.first
      #expect(reason?.statusReport?.status == "Failure: HTTP Status Code 500, Internal Server Error")
      #expect(reason?.ipAddress == "127.0.0.1" && reason?.region == "us-east-1")
    }
    server.stop()
  }

  @Test("strings are searched for, ports are connected to, and what is closed refuses", .timeLimit(.minutes(1)))
  func kinds() async throws {
    let server = try ELBServer("all is green here")
    try await HealthCheckFixture.run { fixture in
      let found = try await fixture.make("HTTP_STR_MATCH", server.port) { $0.searchString = "green" }
      let other = try await fixture.make("HTTP_STR_MATCH", server.port) { $0.searchString = "red" }
      let tcp = try await fixture.make("TCP", server.port)
      let tls = try await fixture.make("HTTPS", server.port)
      #expect(try await fixture.firstReport(found) == "Success: HTTP Status Code 200, OK")
      #expect(
        try await fixture.firstReport(other)
          == "Failure: HTTP Status Code 200, OK. The search string was not found in the first bytes of the response body"
      )
      #expect(try await fixture.firstReport(tcp) == "Success: TCP connection established")
      #expect(try await fixture.firstReport(tls).hasPrefix("Failure: "))
      server.stop()
      #expect(try await fixture.nextReport(tcp) == "Failure: Connection refused")
    }
  }

  @Test("a name is looked up in the account's own zones: aliases, CNAMEs, wildcards", .timeLimit(.minutes(1)))
  func names() async throws {
    let server = try ELBServer("green")
    try await HealthCheckFixture.run { fixture in
      let zone =
        try await fixture.harness.run(Route53.createHostedZone) {
          $0.name = "shop.test"
          $0.callerReference = "zone"
        }.hostedZone?.id ?? ""
      func set(_ name: String, _ type: String, _ value: String) -> Route53.Change {
        .make {
          $0.action = "CREATE"
          $0.resourceRecordSet = .make {
            ($0.name, $0.type, $0.ttl) = (name, type, 60)
            $0.resourceRecords = [.make { $0.value = value }]
          }
        }
      }
      let alias = Route53.Change.make {
        $0.action = "CREATE"
        $0.resourceRecordSet = .make {
          ($0.name, $0.type) = ("shop.test", "A")
          $0.aliasTarget = .make {
            $0.hostedZoneId = "Z35SXDOTRQ7X7K"
            $0.dnsName = "127.0.0.1:\(server.port)"
            $0.evaluateTargetHealth = true
          }
        }
      }
      _ = try await fixture.harness.run(Route53.changeResourceRecordSets) {
        $0.hostedZoneId = zone
        $0.changeBatch = .make {
          $0.changes = [
            alias, set("www.shop.test", "CNAME", "shop.test"), set("*.api.shop.test", "A", "127.0.0.1"),
            set("loop.shop.test", "CNAME", "loop.shop.test"),
          ]
        }
      }
      func ask(_ name: String, _ port: Int?) async throws -> String {
        let check = try await fixture.make("HTTP") {
          $0.fullyQualifiedDomainName = name
          $0.port = port
        }
        return try await fixture.firstReport(check.id ?? "")
      }
      let well = "Success: HTTP Status Code 200, OK. Resolved IP: 127.0.0.1"
      // The alias's target has no port 80 and says which one it has.
      #expect(try await ask("shop.test", nil) == well)
      #expect(try await ask("WWW.shop.test", 80) == well)
      #expect(try await ask("v1.api.shop.test", Int(server.port)) == well)
      #expect(try await ask("none.shop.test", 80) == "Failure: DNS resolution failed")
      #expect(try await ask("loop.shop.test", 80) == "Failure: DNS resolution failed")
      #expect(try await ask("localhost", Int(server.port)) == well)
    }
    server.stop()
  }

  @Test("inverted checks say the opposite; disabled ones are healthy and ask nobody", .timeLimit(.minutes(1)))
  func invertedAndDisabled() async throws {
    let server = try ELBServer("green")
    server.answer(500)
    try await HealthCheckFixture.run { fixture in
      let inverted = try await fixture.make("HTTP", server.port) {
        $0.resourcePath = "/health"
        $0.inverted = true
      }
      #expect(try await !fixture.isHealthy(inverted), "healthy until known, and inverted")
      _ = try await fixture.firstReport(inverted)
      try await fixture.nextReport(inverted)
      #expect(try await fixture.isHealthy(inverted))
      let changed = try await fixture.harness.run(Route53.updateHealthCheck) {
        $0.healthCheckId = inverted
        $0.inverted = false
        $0.disabled = true
      }
      #expect(changed.healthCheck?.healthCheckVersion == 2)
      #expect(try await fixture.isHealthy(inverted))
      let before = try await fixture.report(inverted)?.checkedTime
      // Another check's look shows that time went on.
      let other = try await fixture.make("TCP", server.port)
      _ = try await fixture.firstReport(other)
      try await fixture.nextReport(other)
      #expect(try await fixture.report(inverted)?.checkedTime == before)
    }
    server.stop()
  }

  @Test("a calculated check counts its healthy children", .timeLimit(.minutes(1))) func calculated() async throws {
    let server = try ELBServer("green")
    try await HealthCheckFixture.run { fixture in
      let up = try await fixture.make("TCP", server.port)
      let down = try await fixture.make("HTTP", server.port) {
        $0.resourcePath = "/health"
        $0.failureThreshold = 1
      }
      func calculated(_ threshold: Int) async throws -> String {
        try await fixture.make("CALCULATED") {
          $0.childHealthChecks = [up, down]
          $0.healthThreshold = threshold
        }.id ?? ""
      }
      let one = try await calculated(1)
      let both = try await calculated(2)
      #expect(try await fixture.isHealthy(both))
      server.answer(404)
      _ = try await fixture.firstReport(down)
      try await fixture.nextReport(down)
      #expect(try await fixture.isHealthy(one))
      #expect(try await !fixture.isHealthy(both))
      let refused = await fixture.error { _ = try await fixture.report(one) }
      #expect(refused?.code == "InvalidInput")
      let circle = await fixture.error {
        _ = try await fixture.harness.run(Route53.updateHealthCheck) {
          $0.healthCheckId = one
          $0.childHealthChecks = [one]
        }
      }
      #expect(circle?.message == "Invalid parameter : A health check cannot monitor itself.")
    }
    server.stop()
  }

  @Test(
    "a check of an alarm follows the alarm, and is told by its settings when there is no data", .timeLimit(.minutes(1)))
  func alarms() async throws {
    try await HealthCheckFixture.run { fixture in
      func make(_ insufficient: String?) async throws -> Route53.HealthCheck {
        try await fixture.make("CLOUDWATCH_METRIC") {
          $0.alarmIdentifier = .make { ($0.name, $0.region) = ("errors", "us-east-1") }
          $0.insufficientDataHealthStatus = insufficient
        }
      }
      let missing = await fixture.error { _ = try await make(nil) }
      #expect(missing?.code == "InvalidInput" && missing?.message.contains("errors does not exist") == true)
      _ = try await fixture.harness.run(CloudWatch.putMetricAlarm) {
        $0.alarmName = "errors"
        $0.metricName = "Errors"
        $0.namespace = "Shop"
        $0.comparisonOperator = "GreaterThanThreshold"
        $0.evaluationPeriods = 1
        $0.period = 60
        $0.statistic = "Sum"
        $0.threshold = 5
      }
      let check = try await make("Unhealthy")
      #expect(check.cloudWatchAlarmConfiguration?.metricName == "Errors")
      #expect(check.cloudWatchAlarmConfiguration?.threshold == 5)
      let id = check.id ?? ""
      let last = try await make(nil).id ?? ""
      #expect(
        try await fixture.firstReport(id) == "Failure: The alarm's state is INSUFFICIENT_DATA")
      #expect(try await fixture.isHealthy(last))
      for (state, isHealthy) in [("OK", true), ("ALARM", false)] {
        _ = try await fixture.harness.run(CloudWatch.setAlarmState) {
          ($0.alarmName, $0.stateValue, $0.stateReason) = ("errors", state, "test")
        }
        try await fixture.until { try await fixture.report(last)?.status?.hasSuffix(state) == true }
        try await fixture.until { try await fixture.report(id)?.status?.hasSuffix(state) == true }
        #expect(try await fixture.isHealthy(id) == isHealthy)
        #expect(try await fixture.isHealthy(last) == isHealthy)
      }
    }
  }

  @Test("CloudWatch is told each minute, in us-east-1", .timeLimit(.minutes(1))) func metrics() async throws {
    let server = try ELBServer("green")
    try await HealthCheckFixture.run { fixture in
      let id = try await fixture.make("TCP", server.port) { $0.measureLatency = true }
      _ = try await fixture.firstReport(id)
      func names() async throws -> Set<String> {
        let found = try await fixture.harness.run(CloudWatch.listMetrics) { $0.namespace = "AWS/Route53" }
        return Set((found.metrics ?? []).compactMap(\.metricName))
      }
      fixture.clock.advance(seconds: 60)
      try await fixture.until { try await names().count == 3 }
      #expect(try await names() == ["HealthCheckStatus", "HealthCheckPercentageHealthy", "ConnectionTime"])
      let now = fixture.clock.now
      let statistics = try await fixture.harness.run(CloudWatch.getMetricStatistics) {
        ($0.namespace, $0.metricName) = ("AWS/Route53", "HealthCheckStatus")
        $0.dimensions = [.make { ($0.name, $0.value) = ("HealthCheckId", id) }]
        ($0.startTime, $0.endTime, $0.period) = (now.adding(seconds: -600), now.adding(seconds: 60), 60)
        $0.statistics = ["Minimum"]
      }
      #expect(statistics.datapoints?.isEmpty == false)
      #expect(statistics.datapoints?.allSatisfy { $0.minimum == 1 } == true)
    }
    server.stop()
  }
}
