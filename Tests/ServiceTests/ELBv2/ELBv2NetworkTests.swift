// Network load balancers: their settings, and their flows over a real castle-gate.

import AWSCore
import AWSWire
import ELBv2Model
import GateProtocol
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
}
