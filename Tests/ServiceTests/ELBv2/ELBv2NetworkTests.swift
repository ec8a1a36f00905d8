// Network load balancers: their settings, and their flows over a real castle-gate.

import AWSCore
import AWSWire
import ELBv2Model
import Foundation
import GateProtocol
import S3Model
import ServiceKit
import Testing

@testable import ELBv2Service

@Suite("ELBv2 network load balancers", .timeLimit(.minutes(2)), .serialized)
struct ELBv2NetworkTests {
  private func network(_ elb: ELBv2Fixture, _ name: String) async throws -> ELBv2.LoadBalancer {
    let subnet = elb.subnets[0]
    let made = try await elb.run(ELBv2.createLoadBalancer) {
      $0.name = name
      $0.type = "network"
      $0.subnets = [subnet]
    }
    return try #require(made.loadBalancers?.first)
  }

  private func listener(
    _ elb: ELBv2Fixture, _ balancer: String, _ name: String, _ port: Int, _ group: String
  ) async throws -> String {
    let made = try await elb.run(ELBv2.createListener) {
      $0.loadBalancerArn = balancer
      $0.port = port
      $0.protocol = name
      $0.defaultActions = [.forward(group)]
    }
    return try #require(made.listeners?.first?.listenerArn)
  }

  @Test("a network load balancer has its own names, attributes and protocols")
  func settings() async throws {
    try await ELBv2Fixture.alone { elb in
      let made = try await network(elb, "flows")
      let arn = try #require(made.loadBalancerArn)
      #expect(arn.contains(":loadbalancer/net/flows/") && made.type == "network")
      #expect(made.canonicalHostedZoneId == "Z26RNL4JYFTOTI" && made.securityGroups == [])
      let all = try await elb.run(ELBv2.describeLoadBalancerAttributes) { $0.loadBalancerArn = arn }.attributes ?? []
      let values = Dictionary(all.map { ($0.key ?? "", $0.value ?? "") }) { $1 }
      #expect(values["load_balancing.cross_zone.enabled"] == "false" && values["idle_timeout.timeout_seconds"] == nil)
      let web = try await elb.targetGroup("web")
      let tcp = try await elb.targetGroup("tcp") {
        $0.protocol = "TCP"
        $0.healthCheckTimeoutSeconds = nil
      }
      let found = try await elb.run(ELBv2.describeTargetGroups) { $0.targetGroupArns = [tcp] }.targetGroups?.first
      #expect(found?.healthCheckProtocol == "TCP" && found?.healthCheckPath == nil && found?.matcher == nil)
      #expect(found?.protocolVersion == nil)
      func failure(_ name: String, _ action: ELBv2.Action) async throws -> String {
        try await elb.failure(ELBv2.createListener) {
          $0.loadBalancerArn = arn
          $0.port = 80
          $0.protocol = name
          $0.defaultActions = [action]
        }
      }
      #expect(
        try await failure("HTTP", .forward(tcp)).hasPrefix(
          "UnsupportedProtocol: Protocol 'HTTP' is not supported on Network"))
      #expect(try await failure("TCP", .forward(web)).hasPrefix("IncompatibleProtocols"))
      #expect(try await failure("TCP", .fixed("200")).hasPrefix("InvalidLoadBalancerAction"))
      let listener = try await listener(elb, arn, "TCP", 80, tcp)
      // The same port for UDP is another one.
      let udp = try await elb.targetGroup("udp") {
        $0.protocol = "UDP"
        $0.healthCheckTimeoutSeconds = nil
      }
      _ = try await self.listener(elb, arn, "UDP", 80, udp)
      #expect(
        try await elb.failure(ELBv2.createRule) {
          $0.listenerArn = listener
          $0.priority = 1
          $0.conditions = [.path("/")]
          $0.actions = [.forward(tcp)]
        }.hasPrefix("InvalidConfigurationRequest: Rules are not supported"))
    }
  }

  @Test("a TCP listener passes connections to its targets, and to an application load balancer behind it")
  func flows() async throws {
    try await ELBv2Fixture.withGate { elb in
      let server = try ELBServer("one")
      let group = try await elb.targetGroup("tcp") {
        $0.protocol = "TCP"
        $0.healthCheckTimeoutSeconds = nil
        $0.healthyThresholdCount = 2
      }
      try await elb.register(group, [server])
      let balancer = try #require(try await network(elb, "flows").loadBalancerArn)
      _ = try await listener(elb, balancer, "TCP", 80, group)
      let name = try await elb.dnsName(balancer)
      try await elb.until("healthy", seconds: 40) { try await elb.health(group) == [Int(server.port): "healthy"] }
      #expect(try await ELBHTTP.get(name).body == "one")

      let application = try await elb.loadBalancer("shop")
      _ = try await elb.listener(application, port: 8088, .fixed("200", "behind"))
      let behind = try await elb.targetGroup("behind") {
        $0.protocol = "TCP"
        $0.targetType = "alb"
        $0.port = 8088
        $0.healthCheckTimeoutSeconds = nil
        $0.healthyThresholdCount = 2
      }
      _ = try await elb.run(ELBv2.registerTargets) {
        $0.targetGroupArn = behind
        $0.targets = [.make { $0.id = application }]
      }
      _ = try await listener(elb, balancer, "TCP", 8089, behind)
      try await elb.until("the application load balancer is healthy", seconds: 40) {
        try await elb.health(behind) == [8088: "healthy"]
      }
      let host = name.split(separator: ":")[0]
      #expect(try await ELBHTTP.get("\(host):8089").body == "behind")
    }
  }

  @Test("TLS connections are written to the access log once it is on")
  func accessLog() async throws {
    try await ELBv2Fixture.withGate { elb in
      let server = try ELBServer("one")
      let group = try await elb.targetGroup("tcp") {
        $0.protocol = "TCP"
        $0.healthCheckTimeoutSeconds = nil
        $0.healthyThresholdCount = 2
      }
      try await elb.register(group, [server])
      let balancer = try #require(try await network(elb, "flows").loadBalancerArn)
      _ = try await elb.run(S3.createBucket) { $0.bucket = "logs" }
      _ = try await elb.run(S3.putBucketPolicy) {
        $0.bucket = "logs"
        $0.policy = """
          {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject",
          "Principal": {"Service": "delivery.logs.amazonaws.com"}, "Resource": "arn:aws:s3:::logs/AWSLogs/*",
          "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}}]}
          """
      }
      _ = try await elb.run(ELBv2.modifyLoadBalancerAttributes) {
        $0.loadBalancerArn = balancer
        $0.attributes = [("enabled", "true"), ("bucket", "logs")].map { key, value in
          .make {
            $0.key = "access_logs.s3.\(key)"
            $0.value = value
          }
        }
      }
      let certificate = try await elb.certificate("flows.example")
      let made = try await elb.run(ELBv2.createListener) {
        $0.loadBalancerArn = balancer
        $0.port = 443
        $0.protocol = "TLS"
        $0.alpnPolicy = ["HTTP1Only"]
        $0.certificates = [.make { $0.certificateArn = certificate }]
        $0.defaultActions = [.forward(group)]
      }
      let arn = try #require(made.listeners?.first?.listenerArn)
      let record = try await elb.service.store.read { try $0.list(ListenerRecord.self).first { $0.1.arn == arn }?.1 }
      let bound = try #require(record?.bound)
      let address = try #require(bound.address)
      let port = try #require(bound.port)
      try await elb.until("healthy", seconds: 40) { try await elb.health(group) == [Int(server.port): "healthy"] }
      let answer = try await ELBProgram.run([
        "curl", "-sS", "--max-time", "20", "--cacert", elb.authorityPath, "--resolve",
        "flows.example:\(port):\(address)", "https://flows.example:\(port)/",
      ])
      #expect(answer.body == "one")
      let folder = "\(elb.harness.environment.directory)/elb-logs/\(LogKind.access.folder(balancer))"
      @Sendable func line() -> String {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let texts = names.map { FileManager.default.contents(atPath: "\(folder)/\($0)") ?? Data() }
        return String(decoding: texts.joined(), as: UTF8.self)
      }
      try await elb.until("the line is there") { line().contains(" flows.example ") }
      let fields = line().split(separator: " ").map(String.init)
      #expect(fields[3] == balancer.split(separator: "/").suffix(3).joined(separator: "/"))
      #expect(fields[4] == arn.split(separator: "/").last.map(String.init) && fields[6] == "\(address):\(port)")
      #expect(fields[12] == certificate && fields[15] == "tlsv12" && fields[18] == "http/1.1", "\(fields)")
      let shipped = try #require(
        try await elb.service.store.read { try $0.list(LoadBalancerRecord.self).first { $0.1.arn == balancer }?.1 })
      let key = LogKind.access.key(
        shipped, try #require(ARN(balancer)), prefix: "", end: Timestamp(seconds: 1_795_420_800), random: "01234567")
      let name = balancer.split(separator: "/").suffix(3).joined(separator: ".")
      #expect(
        key == "AWSLogs/000000000000/elasticloadbalancing/us-east-1/2026/11/23/"
          + "000000000000_elasticloadbalancing_us-east-1_\(name)_20261123T0800Z_01234567.log.gz")
    }
  }
}
