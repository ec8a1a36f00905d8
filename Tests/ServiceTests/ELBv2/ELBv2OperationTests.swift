// ELBv2's operations without a data plane: answers, errors, defaults.

import AWSCore
import AWSWire
import EC2Model
import ELBv2Model
import ServiceKit
import Testing

@testable import ELBv2Service

@Suite("ELBv2 operations", .timeLimit(.minutes(1)))
struct ELBv2OperationTests {
  private static let tag = ELBv2.Tag.make {
    $0.key = "team"
    $0.value = "a"
  }

  private static func create(
    _ elb: ELBv2Fixture, scheme: String? = nil
  ) async throws -> ELBv2.LoadBalancer? {
    let subnets = elb.subnets
    return try await elb.run(ELBv2.createLoadBalancer) {
      $0.name = "shop"
      $0.subnets = subnets
      $0.scheme = scheme
      $0.tags = [Self.tag]
    }.loadBalancers?.first
  }

  @Test("a load balancer has AWS's names, an address as its DNS name, and the VPC's default security group")
  func creates() async throws {
    try await ELBv2Fixture.alone { elb in
      let made = try #require(try await Self.create(elb))
      let arn = try #require(made.loadBalancerArn)
      let prefix = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/shop/"
      #expect(arn.hasPrefix(prefix))
      #expect(arn.dropFirst(prefix.count).count == 16)
      #expect(made.state?.code == "provisioning")
      #expect(made.scheme == "internet-facing")
      #expect(made.type == "application")
      #expect(made.canonicalHostedZoneId == "Z35SXDOTRQ7X7K")
      #expect(made.availabilityZones?.compactMap(\.subnetId) == elb.subnets)
      #expect(made.dnsName?.hasPrefix("127.") == true)
      let ids = made.securityGroups
      let groups = try await elb.run(EC2.describeSecurityGroups) { $0.groupIds = ids }.securityGroups
      #expect(groups?.map(\.groupName) == ["default"])
      let tags = try await elb.run(ELBv2.describeTags) { $0.resourceArns = [arn] }.tagDescriptions?.first?.tags
      #expect(tags?.map(\.key) == ["team"])
    }
  }

  @Test("the same load balancer again is the same one; with other settings it is an error")
  func duplicates() async throws {
    try await ELBv2Fixture.alone { elb in
      let first = try await Self.create(elb)?.loadBalancerArn
      let again = try await Self.create(elb)?.loadBalancerArn
      #expect(first == again)
      let subnets = elb.subnets
      let other = try await elb.failure(ELBv2.createLoadBalancer) {
        $0.name = "shop"
        $0.subnets = subnets
        $0.scheme = "internal"
      }
      #expect(
        other
          == "DuplicateLoadBalancerName: A load balancer with the same name 'shop' exists, but with different settings")
    }
  }

  @Test("what a load balancer may not be is refused in AWS's words, what is not built by name")
  func refuses() async throws {
    try await ELBv2Fixture.alone { elb in
      let table: [(String, @Sendable (inout ELBv2.CreateLoadBalancerInput) -> Void)] = [
        (
          "ValidationError: At least two subnets in two different Availability Zones must be specified",
          { $0.subnets = [elb.subnets[0]] }
        ),
        ("NotImplemented: Castle does not implement load balancers of type gateway yet.", { $0.type = "gateway" }),
        ("SubnetNotFound", { $0.subnets = [elb.subnets[0], "subnet-0123456789abcdef0"] }),
        ("InvalidSecurityGroup", { $0.securityGroups = ["sg-0123456789abcdef0"] }),
        ("ValidationError: Load balancer name 'a_b' can only contain", { $0.name = "a_b" }),
        ("ValidationError: Load balancer name '-a' cannot begin", { $0.name = "-a" }),
        ("InvalidScheme", { $0.scheme = "outward" }),
      ]
      for (expected, change) in table {
        let failure = try await elb.failure(ELBv2.createLoadBalancer) {
          $0.name = "shop"
          $0.subnets = elb.subnets
          change(&$0)
        }
        #expect(failure.hasPrefix(expected), "\(failure)")
      }
      #expect(
        try await elb.failure(ELBv2.describeLoadBalancers) { $0.names = ["none"] }
          == "LoadBalancerNotFound: Load balancers '[none]' not found")
      #expect(
        try await elb.failure(ELBv2.describeTargetGroups) { $0.names = ["none"] }
          == "TargetGroupNotFound: One or more target groups not found")
    }
  }

  @Test("attributes are complete, keep what was set, and refuse unknown keys and what is not built")
  func attributes() async throws {
    try await ELBv2Fixture.alone { elb in
      let balancer = try await elb.loadBalancer("shop")
      func set(_ key: String, _ value: String) async throws -> String {
        try await elb.failure(ELBv2.modifyLoadBalancerAttributes) {
          $0.loadBalancerArn = balancer
          $0.attributes = [
            .make {
              $0.key = key
              $0.value = value
            }
          ]
        }
      }
      #expect(try await set("idle_timeout.timeout_seconds", "5") == "")
      #expect(try await set("idle_timeout.timeout_seconds", "5000").hasPrefix("InvalidConfigurationRequest"))
      #expect(try await set("no.such.key", "1").hasPrefix("InvalidConfigurationRequest"))
      #expect(try await set("access_logs.s3.enabled", "true").hasPrefix("InvalidConfigurationRequest: An S3 bucket"))
      #expect(try await set("health_check_logs.s3.enabled", "true").hasPrefix("InvalidConfigurationRequest: An S3"))
      let all =
        try await elb.run(ELBv2.describeLoadBalancerAttributes) { $0.loadBalancerArn = balancer }.attributes ?? []
      let values = Dictionary(all.map { ($0.key ?? "", $0.value ?? "") }) { $1 }
      #expect(values["idle_timeout.timeout_seconds"] == "5")
      #expect(values["routing.http2.enabled"] == "true")
      #expect(values["access_logs.s3.bucket"] == "")
      let part = DesiredState(
        loadBalancers: try await elb.service.store.read { try $0.list(LoadBalancerRecord.self).map(\.1) }
      ).gatePart(PortPlan(privilegedBelow: 0))
      #expect(part.loadBalancers.first?.attributes.idleTimeout == 5)

      #expect(try await set("deletion_protection.enabled", "true") == "")
      #expect(
        try await elb.failure(ELBv2.deleteLoadBalancer) { $0.loadBalancerArn = balancer }
          == "OperationNotPermitted: Load balancer '\(balancer)' cannot be deleted because deletion protection is enabled"
      )
      #expect(try await set("deletion_protection.enabled", "false") == "")
      _ = try await elb.run(ELBv2.deleteLoadBalancer) { $0.loadBalancerArn = balancer }
      _ = try await elb.run(ELBv2.deleteLoadBalancer) { $0.loadBalancerArn = balancer }
    }
  }

  @Test("a target group has AWS's defaults; health checks are validated")
  func targetGroups() async throws {
    try await ELBv2Fixture.alone { elb in
      let made = try #require(
        try await elb.run(ELBv2.createTargetGroup) {
          $0.name = "web"
          $0.targetType = "ip"
          $0.protocol = "HTTP"
          $0.port = 3000
          $0.vpcId = elb.vpc
        }.targetGroups?.first)
      #expect(made.healthCheckIntervalSeconds == 30)
      #expect(made.healthCheckTimeoutSeconds == 5)
      #expect(made.healthyThresholdCount == 5)
      #expect(made.unhealthyThresholdCount == 2)
      #expect(made.healthCheckPath == "/")
      #expect(made.healthCheckPort == "traffic-port")
      #expect(made.matcher?.httpCode == "200")
      #expect(made.protocolVersion == "HTTP1")
      #expect(made.loadBalancerArns == [])
      let arn = try #require(made.targetGroupArn)
      let table: [(String, @Sendable (inout ELBv2.ModifyTargetGroupInput) -> Void)] = [
        ("ValidationError: Health check timeout '30' must be smaller", { $0.healthCheckTimeoutSeconds = 30 }),
        ("ValidationError: A gRPC code matcher needs", { $0.matcher = .make { $0.grpcCode = "0" } }),
        ("ValidationError: Health check path", { $0.healthCheckPath = "x" }),
        ("ValidationError: Health check matcher", { $0.matcher = .make { $0.httpCode = "600" } }),
        ("ValidationError: Health check enabled", { $0.healthCheckEnabled = false }),
        ("ValidationError: Health check protocol 'TCP' must be one of", { $0.healthCheckProtocol = "TCP" }),
        ("", { $0.matcher = .make { $0.httpCode = "200-299,301" } }),
      ]
      for (expected, change) in table {
        let failure = try await elb.failure(ELBv2.modifyTargetGroup) {
          $0.targetGroupArn = arn
          change(&$0)
        }
        #expect(expected.isEmpty ? failure.isEmpty : failure.hasPrefix(expected), "\(failure)")
      }
      let sticky = try await elb.failure(ELBv2.modifyTargetGroupAttributes) {
        $0.targetGroupArn = arn
        $0.attributes = [
          .make {
            $0.key = "stickiness.enabled"
            $0.value = "maybe"
          }
        ]
      }
      #expect(sticky.hasPrefix("InvalidConfigurationRequest"))
      #expect(
        try await elb.failure(ELBv2.createTargetGroup) {
          $0.name = "web"
          $0.targetType = "ip"
          $0.protocol = "HTTP"
          $0.port = 3001
          $0.vpcId = elb.vpc
        } == "DuplicateTargetGroupName: A target group with the same name 'web' exists, but with different settings")
      #expect(
        try await elb.failure(ELBv2.registerTargets) {
          $0.targetGroupArn = arn
          $0.targets = [.make { $0.id = "8.8.8.8" }]
        }.hasPrefix("InvalidTarget"))
    }
  }

  @Test("rules keep both forms of conditions, and priorities are unique, may be swapped, and are refused when taken")
  func rules() async throws {
    try await ELBv2Fixture.alone { elb in
      let balancer = try await elb.loadBalancer("shop")
      let listener = try await elb.listener(balancer, .fixed("404"))
      let first = try await elb.rule(listener, 10, .path("/api/*"), .fixed("200"))
      let second = try await elb.rule(listener, 20, .host("*.example.com"), .fixed("201"))
      #expect(
        try await elb.failure(ELBv2.createRule) {
          $0.listenerArn = listener
          $0.priority = 10
          $0.conditions = [.path("/x")]
          $0.actions = [.fixed("200")]
        } == "PriorityInUse: Priority '10' is currently in use")
      _ = try await elb.run(ELBv2.setRulePriorities) {
        $0.rulePriorities = [
          .make {
            $0.ruleArn = first
            $0.priority = 20
          },
          .make {
            $0.ruleArn = second
            $0.priority = 10
          },
        ]
      }
      let rules = try await elb.run(ELBv2.describeRules) { $0.listenerArn = listener }.rules ?? []
      #expect(rules.map(\.priority) == ["10", "20", "default"])
      #expect(rules.map(\.ruleArn)[0...1] == [second, first])
      #expect(rules[1].conditions?.first?.values == ["/api/*"])
      #expect(rules[1].conditions?.first?.pathPatternConfig?.values == ["/api/*"])
      #expect(rules[0].conditions?.first?.hostHeaderConfig?.values == ["*.example.com"])
      #expect(rules[2].actions?.first?.fixedResponseConfig?.statusCode == "404")
      let standard = try #require(rules[2].ruleArn)
      #expect(
        try await elb.failure(ELBv2.deleteRule) { $0.ruleArn = standard }
          == "OperationNotPermitted: Default rule '\(standard)' cannot be deleted")
      #expect(
        try await elb.failure(ELBv2.modifyRule) {
          $0.ruleArn = first
          $0.actions = [
            .make {
              $0.type = "authenticate-oidc"
              $0.order = 1
            }, .fixed("200"),
          ]
        }.hasPrefix("InvalidLoadBalancerAction: Each action must have an order"))
      #expect(
        try await elb.failure(ELBv2.modifyRule) {
          $0.ruleArn = first
          $0.conditions = [.make { $0.field = "cookie" }]
        }.hasPrefix("ValidationError: Condition field 'cookie' must be one of"))
    }
  }

  @Test("a redirect keeps AWS's defaults, and one that leads to itself is refused")
  func redirects() async throws {
    try await ELBv2Fixture.alone { elb in
      let balancer = try await elb.loadBalancer("shop")
      let made = try await elb.run(ELBv2.createListener) {
        $0.loadBalancerArn = balancer
        $0.port = 80
        $0.protocol = "HTTP"
        $0.defaultActions = [
          .make {
            $0.type = "redirect"
            $0.redirectConfig = .make {
              $0.statusCode = "HTTP_301"
              $0.protocol = "HTTPS"
              $0.port = "443"
            }
          }
        ]
      }
      let config = made.listeners?.first?.defaultActions?.first?.redirectConfig
      #expect(config?.host == "#{host}")
      #expect(config?.path == "/#{path}")
      #expect(config?.query == "#{query}")
      #expect(
        try await elb.failure(ELBv2.createListener) {
          $0.loadBalancerArn = balancer
          $0.port = 81
          $0.protocol = "HTTP"
          $0.defaultActions = [
            .make {
              $0.type = "redirect"
              $0.redirectConfig = .make { $0.statusCode = "HTTP_302" }
            }
          ]
        }.hasPrefix("InvalidLoadBalancerAction"))
      #expect(
        try await elb.failure(ELBv2.createListener) {
          $0.loadBalancerArn = balancer
          $0.port = 443
          $0.protocol = "HTTPS"
          $0.defaultActions = [.fixed("200")]
        } == "ValidationError: A certificate must be specified for HTTPS listeners")
      #expect(
        try await elb.failure(ELBv2.createListener) {
          $0.loadBalancerArn = balancer
          $0.port = 80
          $0.protocol = "HTTP"
          $0.defaultActions = [.fixed("200")]
        } == "DuplicateListener: A listener already exists on this port for this load balancer '\(balancer)'")
    }
  }

  @Test("a target group in use is not deleted, belongs to one load balancer, and goes with its listener's use")
  func dependencies() async throws {
    try await ELBv2Fixture.alone { elb in
      let group = try await elb.targetGroup("web")
      #expect(try await elb.health(group) == [:])
      _ = try await elb.run(ELBv2.registerTargets) {
        $0.targetGroupArn = group
        $0.targets = [.make { $0.id = "127.0.0.1" }]
      }
      #expect(try await elb.health(group) == [8080: "unused Target.NotInUse"])
      let first = try await elb.loadBalancer("first")
      let second = try await elb.loadBalancer("second")
      let listener = try await elb.listener(first, .forward(group))
      #expect(try await elb.health(group) == [8080: "initial Elb.RegistrationInProgress"])
      #expect(
        try await elb.failure(ELBv2.deleteTargetGroup) { $0.targetGroupArn = group }
          == "ResourceInUse: Target group '\(group)' is currently in use by a listener or a rule")
      #expect(
        try await elb.failure(ELBv2.createListener) {
          $0.loadBalancerArn = second
          $0.port = 80
          $0.protocol = "HTTP"
          $0.defaultActions = [.forward(group)]
        }.hasPrefix("TargetGroupAssociationLimit"))
      let described = try await elb.run(ELBv2.describeTargetGroups) { $0.loadBalancerArn = first }.targetGroups
      #expect(described?.first?.loadBalancerArns == [first])
      let answer = try await elb.run(ELBv2.describeListeners) { $0.listenerArns = [listener] }.listeners?.first
      #expect(answer?.defaultActions?.first?.targetGroupArn == group)
      #expect(answer?.defaultActions?.first?.forwardConfig?.targetGroups?.first?.weight == 1)
      _ = try await elb.run(ELBv2.deleteLoadBalancer) { $0.loadBalancerArn = first }
      _ = try await elb.run(ELBv2.deregisterTargets) {
        $0.targetGroupArn = group
        $0.targets = [.make { $0.id = "127.0.0.1" }]
      }
      #expect(try await elb.health(group) == [:])
      _ = try await elb.run(ELBv2.deleteTargetGroup) { $0.targetGroupArn = group }
    }
  }

  @Test("lists come in pages")
  func pages() async throws {
    try await ELBv2Fixture.alone { elb in
      for name in ["a", "b", "c"] { _ = try await elb.targetGroup(name) }
      var names: [String] = []
      var marker: String?
      repeat {
        let page = try await elb.run(ELBv2.describeTargetGroups) {
          $0.pageSize = 2
          $0.marker = marker
        }
        names += page.targetGroups?.compactMap(\.targetGroupName) ?? []
        marker = page.nextMarker
      } while marker != nil
      #expect(names == ["a", "b", "c"])
      #expect(try await elb.failure(ELBv2.describeTargetGroups) { $0.marker = "x" }.hasPrefix("ValidationError"))
    }
  }

  @Test("a load balancer's name is its address, with the port wherever 80 is not to be had")
  func dnsNames() {
    let balancer = LoadBalancerRecord(
      arn: "a", name: "n", scheme: "internal", vpc: "v", zones: [], securityGroups: [], ipAddressType: "ipv4",
      created: Timestamp(milliseconds: 0), address: "127.20.0.1")
    func listener(_ port: Int, _ bound: BoundRecord?) -> ListenerRecord {
      ListenerRecord(
        arn: "l\(port)", loadBalancer: "a", port: port, defaultAction: .fixedResponse(.init(statusCode: "200")),
        defaultRule: "r", bound: bound)
    }
    let root = PortPlan(privilegedBelow: 0)
    let user = PortPlan(privilegedBelow: 1024)
    #expect(root.dnsName(balancer, []) == "127.20.0.1")
    #expect(user.dnsName(balancer, []) == "127.20.0.1:8080")
    #expect(user.bindPort(80) == 8080)
    #expect(user.bindPort(4000) == 4000)
    #expect(user.dnsName(balancer, [listener(80, nil)]) == "127.20.0.1:8080")
    #expect(root.dnsName(balancer, [listener(80, .init(address: "127.20.0.1", port: 80))]) == "127.20.0.1")
    #expect(root.dnsName(balancer, [listener(80, .init(address: "127.0.0.1", port: 18080))]) == "127.0.0.1:18080")
    #expect(root.dnsName(balancer, [listener(4000, .init(address: "127.20.0.1", port: 4000))]) == "127.20.0.1")
    #expect(root.dnsName(balancer, [listener(4000, .init(address: "127.0.0.1", port: 4000))]) == "127.0.0.1:4000")
  }
}
