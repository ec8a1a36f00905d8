// What may be set on load balancers, target groups and rules, and what AWS refuses.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit
import Testing

@testable import ELBv2Service

@Suite("ELBv2 settings", .timeLimit(.minutes(1)))
struct ELBv2SettingsTests {
  @Test("capacity that is asked for is there at once, and can be given back")
  func capacity() async throws {
    try await ELBv2Fixture.alone { elb in
      let balancer = try await elb.loadBalancer("shop")
      let refusal = try await elb.failure(ELBv2.modifyCapacityReservation) {
        $0.loadBalancerArn = balancer
        $0.minimumLoadBalancerCapacity = .make { $0.capacityUnits = 10 }
      }
      #expect(refusal.hasPrefix("InvalidConfigurationRequest"))
      _ = try await elb.run(ELBv2.modifyCapacityReservation) {
        $0.loadBalancerArn = balancer
        $0.minimumLoadBalancerCapacity = .make { $0.capacityUnits = 200 }
      }
      let kept = try await elb.run(ELBv2.describeCapacityReservation) { $0.loadBalancerArn = balancer }
      #expect(kept.minimumLoadBalancerCapacity?.capacityUnits == 200)
      #expect(kept.capacityReservationState?.map { $0.state?.code } == ["provisioned", "provisioned"])
      let reset = try await elb.run(ELBv2.modifyCapacityReservation) {
        $0.loadBalancerArn = balancer
        $0.resetCapacityReservation = true
      }
      #expect(reset.capacityReservationState?.isEmpty == true)
    }
  }

  @Test("attributes of a target group must fit each other")
  func targetGroupAttributes() async throws {
    try await ELBv2Fixture.alone { elb in
      let group = try await elb.targetGroup("web")
      let table: [([String: String], String)] = [
        (["slow_start.duration_seconds": "20"], "InvalidConfigurationRequest: Slow start duration '20'"),
        (
          ["slow_start.duration_seconds": "60", "load_balancing.algorithm.type": "least_outstanding_requests"],
          "InvalidConfigurationRequest: Slow start mode cannot be used"
        ),
        (["stickiness.type": "source_ip"], "InvalidConfigurationRequest"),
        (["proxy_protocol_v2.enabled": "true"], "InvalidConfigurationRequest: Target group attribute key"),
        (["slow_start.duration_seconds": "60"], ""),
      ]
      for (attributes, expected) in table {
        let failure = try await elb.failure(ELBv2.modifyTargetGroupAttributes) {
          $0.targetGroupArn = group
          $0.attributes = attributes.map { key, value in
            .make {
              $0.key = key
              $0.value = value
            }
          }
        }
        #expect(expected.isEmpty ? failure.isEmpty : failure.hasPrefix(expected), "\(failure)")
      }
    }
  }

  @Test("conditions are counted, and what AWS does not match on is refused")
  func conditions() async throws {
    try await ELBv2Fixture.alone { elb in
      let balancer = try await elb.loadBalancer("shop")
      let listener = try await elb.listener(balancer, .fixed("404"))
      let table: [(String, ELBv2.RuleCondition)] = [
        ("ValidationError: A rule can only have '5' condition values", .path("/1", "/2", "/3", "/4", "/5", "/6")),
        ("ValidationError: A rule can only have '6' wildcard characters", .path("/*/*/*/*", "/*/?/*")),
        (
          "ValidationError: The host is matched by",
          .make {
            $0.field = "http-header"
            $0.httpHeaderConfig = .make {
              $0.httpHeaderName = "Host"
              $0.values = ["a"]
            }
          }
        ),
        (
          "ValidationError: Regular expressions are not supported in 'source-ip'",
          .make {
            $0.field = "source-ip"
            $0.regexValues = ["a"]
          }
        ),
        (
          "ValidationError: '(a' is not a valid regular expression",
          .make {
            $0.field = "path-pattern"
            $0.pathPatternConfig = .make { $0.regexValues = ["(a"] }
          }
        ),
        (
          "ValidationError: A condition can have values or regular expressions",
          .make {
            $0.field = "path-pattern"
            $0.pathPatternConfig = .make {
              $0.values = ["/a"]
              $0.regexValues = ["a"]
            }
          }
        ),
      ]
      for (expected, condition) in table {
        let failure = try await elb.failure(ELBv2.createRule) {
          $0.listenerArn = listener
          $0.priority = 1
          $0.conditions = [condition]
          $0.actions = [.fixed("200")]
        }
        #expect(failure.hasPrefix(expected), "\(failure)")
      }
    }
  }

  @Test("actions come in order, one of them last, and sign-in needs HTTPS")
  func actions() async throws {
    try await ELBv2Fixture.alone { elb in
      let balancer = try await elb.loadBalancer("shop")
      func failure(_ actions: [ELBv2.Action]) async throws -> String {
        try await elb.failure(ELBv2.createListener) {
          $0.loadBalancerArn = balancer
          $0.port = 80
          $0.protocol = "HTTP"
          $0.defaultActions = actions
        }
      }
      func ordered(_ action: ELBv2.Action, _ order: Int) -> ELBv2.Action {
        var copy = action
        copy.order = order
        return copy
      }
      let signIn = ELBv2.Action.make { $0.type = "authenticate-oidc" }
      #expect(try await failure([.fixed("200"), .fixed("201")]).hasPrefix("InvalidLoadBalancerAction: Each action"))
      #expect(
        try await failure([ordered(.fixed("200"), 1), ordered(.fixed("201"), 1)])
          .hasPrefix("InvalidLoadBalancerAction: The orders"))
      #expect(try await failure([ordered(signIn, 1)]).hasPrefix("InvalidLoadBalancerAction: The last action"))
      #expect(
        try await failure([ordered(signIn, 1), ordered(.fixed("200"), 2)])
          .hasPrefix("InvalidLoadBalancerAction: Actions of type 'authenticate-oidc' are supported only on HTTPS"))
    }
  }

  @Test("target groups take the protocols of their load balancers, with AWS's defaults")
  func protocols() async throws {
    try await ELBv2Fixture.alone { elb in
      let table: [(String, @Sendable (inout ELBv2.CreateTargetGroupInput) -> Void)] = [
        ("NotImplemented: Castle does not implement target groups of type lambda", { $0.targetType = "lambda" }),
        ("ValidationError: Protocol 'FTP' must be one of", { $0.protocol = "FTP" }),
        ("ValidationError: Protocol version 'HTTP3' must be one of", { $0.protocolVersion = "HTTP3" }),
        (
          "ValidationError: Protocol 'HTTP' is not supported for target groups with target type",
          { $0.targetType = "alb" }
        ),
        (
          "ValidationError: Protocol version cannot be specified",
          {
            $0.protocol = "TCP"
            $0.protocolVersion = "HTTP1"
          }
        ),
      ]
      for (expected, change) in table {
        let failure = try await elb.failure(ELBv2.createTargetGroup) {
          $0.name = "web"
          $0.targetType = "ip"
          $0.protocol = "HTTP"
          $0.port = 80
          $0.vpcId = elb.vpc
          change(&$0)
        }
        #expect(failure.hasPrefix(expected), "\(failure)")
      }
      let tcp = HealthCheckInput.standard(protocolName: "TCP", version: "", targetType: "ip")
      #expect(tcp.wireProtocol == "TCP" && tcp.timeout == 10)
      let calls = HealthCheckInput.standard(protocolName: "HTTP", version: "GRPC", targetType: "ip")
      #expect(calls.path == "/AWS.ALB/healthcheck" && calls.grpcMatcher == "12")
    }
  }
  @Test("target groups of HTTP/2 and gRPC are made, and a listener without TLS that has one takes HTTP/2 all the same")
  func versions() async throws {
    try await ELBv2Fixture.alone { elb in
      let balancer = try await elb.loadBalancer("calls")
      let calls = try await elb.targetGroup("calls") { $0.protocolVersion = "GRPC" }
      let pages = try await elb.targetGroup("pages") { $0.protocolVersion = "HTTP2" }
      let groups = try await elb.run(ELBv2.describeTargetGroups) { $0.targetGroupArns = [calls, pages] }.targetGroups
      #expect(groups?.map(\.protocolVersion) == ["GRPC", "HTTP2"])
      #expect(groups?.map { $0.matcher?.grpcCode ?? $0.matcher?.httpCode } == ["12", "200"])
      let plain = try await elb.targetGroup("plain")
      for (port, group) in [(80, calls), (81, pages), (82, plain)] {
        _ = try await elb.run(ELBv2.createListener) {
          $0.loadBalancerArn = balancer
          $0.port = port
          $0.protocol = "HTTP"
          $0.defaultActions = [.make { ($0.type, $0.targetGroupArn) = ("forward", group) }]
        }
      }
      for group in [calls, pages] {
        _ = try await elb.run(ELBv2.modifyTargetGroup) {
          $0.targetGroupArn = group
          $0.healthCheckProtocol = "HTTPS"
        }
      }
      let state = try await elb.service.store.read { snapshot in
        DesiredState(
          loadBalancers: try snapshot.list(LoadBalancerRecord.self).map(\.1),
          listeners: try snapshot.list(ListenerRecord.self).map(\.1),
          targetGroups: try snapshot.list(TargetGroupRecord.self).map(\.1))
      }
      let part = state.gatePart(PortPlan(privilegedBelow: 0))
      #expect(Set(part.targetGroups.filter { $0.name != "plain" }.map(\.healthCheck.probe)) == [.http2s, .grpcs])
      let listeners = part.loadBalancers.flatMap(\.listeners)
      let answers = listeners.sorted { $0.port < $1.port }.map(\.acceptsCleartextHTTP2)
      #expect(answers == [true, true, nil])
    }
  }
}
