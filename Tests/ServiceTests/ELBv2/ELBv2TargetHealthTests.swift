// DescribeTargetHealth: anomalies, and attributes of unhealthy targets.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit
import Testing

@testable import ELBv2Service

@Suite("ELBv2 target health", .timeLimit(.minutes(2)), .serialized)
struct ELBv2TargetHealthTests {
  @Test("a target that fails more than the others is anomalous, gets less, and is told of when asked")
  func anomalies() async throws {
    try await ELBv2Fixture.withGate { elb in
      let servers = try ["a", "b", "c"].map { try ELBServer($0) }
      let balancer = try await elb.loadBalancer("shop")
      let group = try await elb.targetGroup("web") { $0.healthCheckPath = "/health" }
      _ = try await elb.run(ELBv2.modifyTargetGroupAttributes) {
        $0.targetGroupArn = group
        $0.attributes = [("type", "weighted_random"), ("anomaly_mitigation", "on")].map { key, value in
          .make {
            $0.key = "load_balancing.algorithm.\(key)"
            $0.value = value
          }
        }
      }
      try await elb.register(group, servers)
      _ = try await elb.listener(balancer, .forward(group))
      let name = try await elb.dnsName(balancer)
      try await elb.until("healthy") { Set(try await elb.health(group).values) == ["healthy"] }
      @Sendable func told(_ include: [String]?) async throws -> [String] {
        let all = try await elb.run(ELBv2.describeTargetHealth) {
          $0.targetGroupArn = group
          $0.include = include
        }
        return (all.targetHealthDescriptions ?? []).map { description in
          description.anomalyDetection.map { "\($0.result ?? "") \($0.mitigationInEffect ?? "")" } ?? "-"
        }
      }
      #expect(try await told(nil) == ["-", "-", "-"])
      #expect(try await told(["AnomalyDetection"]) == ["normal no", "normal no", "normal no"])
      servers[1].fail("/")
      try await elb.until("the failing target is found", seconds: 40) {
        for _ in 0..<40 { _ = try await ELBHTTP.get(name) }
        return try await told(["All"]) == ["normal no", "anomalous yes", "normal no"]
      }
    }
  }

  @Test("an interval to drain unhealthy targets needs connections that are not terminated")
  func draining() async throws {
    try await ELBv2Fixture.alone { elb in
      let group = try await elb.targetGroup("tcp") {
        $0.protocol = "TCP"
        $0.healthCheckTimeoutSeconds = nil
      }
      func set(_ values: [(String, String)]) async throws -> String {
        try await elb.failure(ELBv2.modifyTargetGroupAttributes) {
          $0.targetGroupArn = group
          $0.attributes = values.map { key, value in
            .make {
              $0.key = "target_health_state.unhealthy.\(key)"
              $0.value = value
            }
          }
        }
      }
      let interval = ("draining_interval_seconds", "60")
      #expect(try await set([interval]).hasPrefix("InvalidConfigurationRequest"))
      #expect(try await set([interval, ("connection_termination.enabled", "false")]) == "")
      #expect(try await set([("connection_termination.enabled", "true")]).hasPrefix("InvalidConfigurationRequest"))
    }
  }
}
