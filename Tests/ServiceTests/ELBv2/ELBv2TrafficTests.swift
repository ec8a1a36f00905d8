// ELBv2 over a real castle-gate: what the API says is what requests meet.

import AWSCore
import AWSWire
import ELBv2Model
import GateProtocol
import Glibc
import ServiceKit
import Testing

@testable import ELBv2Service

@Suite("ELBv2 and the Gate", .timeLimit(.minutes(2)), .serialized)
struct ELBv2TrafficTests {
  @Test("requests go round the healthy targets; an unhealthy one is found out, a deregistered one drains and is gone")
  func targets() async throws {
    try await ELBv2Fixture.withGate { elb in
      let servers = [try ELBServer("one"), try ELBServer("two")]
      let (one, two) = (servers[0], servers[1])
      let balancer = try await elb.loadBalancer("shop")
      let group = try await elb.targetGroup("web") {
        $0.healthCheckPath = "/health"
        $0.healthyThresholdCount = 2
      }
      try await elb.register(group, servers)
      _ = try await elb.listener(balancer, .forward(group))
      let name = try await elb.dnsName(balancer)
      try await elb.until("both healthy") {
        try await elb.health(group) == [Int(one.port): "healthy", Int(two.port): "healthy"]
      }
      let state = try await elb.run(ELBv2.describeLoadBalancers) { $0.loadBalancerArns = [balancer] }
      #expect(state.loadBalancers?.first?.state?.code == "active")
      var seen: Set<String> = []
      for _ in 0..<6 { seen.insert(try await ELBHTTP.get(name).body) }
      #expect(seen == ["one", "two"])

      two.answer(500)
      try await elb.until("the bad one is unhealthy", seconds: 40) {
        try await elb.health(group)[Int(two.port)] == "unhealthy Target.ResponseCodeMismatch"
      }
      for _ in 0..<4 { #expect(try await ELBHTTP.get(name).body == "one") }

      // A request in flight holds its target in draining; the drained target is then gone.
      let slow = Task { try await ELBHTTP.get(name, "/slow") }
      try await elb.until("the request is there") { one.paths.contains("/slow") }
      _ = try await elb.run(ELBv2.deregisterTargets) {
        $0.targetGroupArn = group
        $0.targets = [
          .make {
            $0.id = "127.0.0.1"
            $0.port = Int(one.port)
          }
        ]
      }
      #expect(try await elb.health(group)[Int(one.port)] == "draining Target.DeregistrationInProgress")
      one.releaseSlow()
      #expect(try await slow.value.body == "one")
      try await elb.until("drained") { try await elb.health(group)[Int(one.port)] == nil }
    }
  }

  @Test("rules send by path and host, redirect, and answer by themselves; changes hold at once")
  func rules() async throws {
    try await ELBv2Fixture.withGate { elb in
      let servers = [try ELBServer("api"), try ELBServer("web")]
      let balancer = try await elb.loadBalancer("shop")
      var made: [String] = []
      for server in servers {
        let group = try await elb.targetGroup(server.name) { $0.healthCheckPath = "/health" }
        try await elb.register(group, [server])
        made.append(group)
      }
      let groups = made
      let listener = try await elb.listener(balancer, .fixed("404", "nothing here"))
      let api = try await elb.rule(listener, 10, .path("/api/*"), .forward(groups[0]))
      _ = try await elb.rule(listener, 20, .host("www.*"), .forward(groups[1]))
      _ = try await elb.rule(
        listener, 30, .path("/old"),
        .make {
          $0.type = "redirect"
          $0.redirectConfig = .make {
            $0.statusCode = "HTTP_302"
            $0.host = "new.test"
            $0.path = "/new"
          }
        })
      let name = try await elb.dnsName(balancer)
      try await elb.until("healthy") {
        let states = try await elb.health(groups[0]).merging(elb.health(groups[1])) { $1 }
        return Set(states.values) == ["healthy"]
      }
      #expect(try await ELBHTTP.get(name, "/api/x").body == "api")
      #expect(try await ELBHTTP.get(name, "/", host: "www.test").body == "web")
      let missing = try await ELBHTTP.get(name, "/")
      #expect(missing.status == 404)
      #expect(missing.body == "nothing here")
      let moved = try await ELBHTTP.get(name, "/old?a=b")
      #expect(moved.status == 302)
      #expect(moved.headers["location"]?.contains("new.test") == true)
      #expect(moved.headers["location"]?.hasSuffix("/new?a=b") == true)

      _ = try await elb.run(ELBv2.modifyRule) {
        $0.ruleArn = api
        $0.actions = [.fixed("503", "closed")]
      }
      #expect(try await ELBHTTP.get(name, "/api/x").status == 503)
      _ = try await elb.run(ELBv2.deleteRule) { $0.ruleArn = api }
      #expect(try await ELBHTTP.get(name, "/api/x").status == 404)
      _ = try await elb.run(ELBv2.deleteListener) { $0.listenerArn = listener }
      await #expect(throws: ELBTestFailure.self) { try await ELBHTTP.get(name) }
    }
  }

  @Test("a service that starts again over the same store leaves the Gate as it is")
  func restart() async throws {
    try await ELBv2Fixture.withGate { elb in
      let server = try ELBServer("one")
      let balancer = try await elb.loadBalancer("shop")
      let group = try await elb.targetGroup("web") { $0.healthCheckPath = "/health" }
      try await elb.register(group, [server])
      let listener = try await elb.listener(balancer, .forward(group))
      let name = try await elb.dnsName(balancer)
      try await elb.until("healthy") { try await elb.health(group) == [Int(server.port): "healthy"] }
      let before = try #require(await elb.gate.currentStatus?.listener(listener))

      // A new controller and a new service, as a new control plane makes them; a slow request spans the change.
      let slow = Task { try await ELBHTTP.get(name, "/slow") }
      try await elb.until("the request is there") { server.paths.contains("/slow") }
      let gate = GateController(socketPath: elb.socketPath, awaiting: ["elbv2"])
      let controller = Task { await gate.run() }
      let second = ELBv2Service(elb.harness.environment, gate: gate)
      let loop = Task { try await second.run() }
      let status = try #require(try await second.reconciler.apply())
      #expect(status.listener(listener) == before)
      #expect(try await gate.health().map(\.state) == [.healthy])
      server.releaseSlow()
      #expect(try await slow.value.body == "one")
      #expect(try await ELBHTTP.get(name).body == "one")
      controller.cancel()
      loop.cancel()
      await controller.value
      _ = await loop.result
    }
  }

  @Test("where port 80 is not to be had, the name carries the port, before and after there is a listener")
  func unprivileged() async throws {
    try await ELBv2Fixture.withGate(ports: PortPlan(privilegedBelow: 1024)) { elb in
      let balancer = try await elb.loadBalancer("shop")
      let before = try await elb.dnsName(balancer)
      #expect(before.hasSuffix(":8080"))
      let listener = try await elb.listener(balancer, .fixed("200", "here"))
      #expect(try await elb.dnsName(balancer) == before)
      #expect(try await ELBHTTP.get(before).body == "here")
      let ports = try await elb.run(ELBv2.describeListeners) { $0.listenerArns = [listener] }.listeners?.map(\.port)
      #expect(ports == [80])
    }
  }

  @Test("a Gate that dies comes back with everything; what was changed meanwhile is there too")
  func gateRestart() async throws {
    try await ELBv2Fixture.withGate { elb in
      let balancer = try await elb.loadBalancer("shop")
      let listener = try await elb.listener(balancer, .fixed("200", "before"))
      let name = try await elb.dnsName(balancer)
      #expect(try await ELBHTTP.get(name).body == "before")
      let worker = try #require(await elb.gate.currentStatus?.workerProcessID)
      kill(worker, SIGKILL)
      _ = try await elb.run(ELBv2.modifyListener) {
        $0.listenerArn = listener
        $0.defaultActions = [.fixed("200", "after")]
      }
      try await elb.until("the change") { try await ELBHTTP.get(name).body == "after" }
    }
  }

  @Test("CloudFormation makes, changes and removes all four types")
  func resources() async throws {
    try await ELBv2Fixture.withGate { elb in
      let providers = Dictionary(elb.service.resourceProviders.map { ($0.type.split(separator: ":").last ?? "", $0) }) {
        $1
      }
      func context(_ name: String) -> ResourceContext {
        ResourceContext(
          stackName: "storefront", stackID: "arn:stack", logicalID: name,
          tags: ["aws:cloudformation:stack-name": "storefront"], call: elb.harness.call())
      }
      let balancer = try #require(providers["LoadBalancer"])
      let properties: JSONValue = [
        "Type": "application", "Scheme": "internal", "IpAddressType": "ipv4",
        "Subnets": .array(elb.subnets.map(JSONValue.string)),
        "LoadBalancerAttributes": [["Key": "idle_timeout.timeout_seconds", "Value": "60"]],
        "Tags": [["Key": "Name", "Value": "storefront-internal"]],
      ]
      let made = try await balancer.create(properties, context("InternalLoadBalancer"))
      #expect(made.attributes["LoadBalancerFullName"]?.text?.hasPrefix("app/storefron-Internal") == true)
      let groupProperties: JSONValue = [
        "TargetType": "ip", "VpcId": .string(elb.vpc), "Protocol": "HTTP", "Port": 4000, "HealthCheckPath": "/healthz",
        "Matcher": ["HttpCode": "200-299"],
        "TargetGroupAttributes": [["Key": "deregistration_delay.timeout_seconds", "Value": "10"]],
      ]
      let groups = try #require(providers["TargetGroup"])
      let group = try await groups.create(groupProperties, context("Backend"))
      #expect(group.attributes["TargetGroupFullName"]?.text?.hasPrefix("targetgroup/") == true)
      let listenerProperties: JSONValue = [
        "LoadBalancerArn": .string(made.physicalID), "Port": 80, "Protocol": "HTTP",
        "DefaultActions": [
          [
            "Type": "fixed-response",
            "FixedResponseConfig": ["StatusCode": "404", "ContentType": "text/plain", "MessageBody": "Not found"],
          ]
        ],
      ]
      let listeners = try #require(providers["Listener"])
      let listener = try await listeners.create(listenerProperties, context("Listener"))
      let rules = try #require(providers["ListenerRule"])
      let ruleProperties: JSONValue = [
        "ListenerArn": .string(listener.physicalID), "Priority": 10,
        "Conditions": [["Field": "path-pattern", "PathPatternConfig": ["Values": ["/api/*"]]]],
        "Actions": [["Type": "forward", "TargetGroupArn": .string(group.physicalID)]],
      ]
      let rule = try await rules.create(ruleProperties, context("Rule"))

      // The name that was told before there was a listener is where the listener is.
      let name = try #require(made.attributes["DNSName"]?.text)
      #expect(try await ELBHTTP.get(name).body == "Not found")
      #expect(try await ELBHTTP.get(name, "/api/x").status == 503)

      guard case .object(var changed) = ruleProperties else { return }
      changed["Priority"] = 20
      changed["Actions"] = [["Type": "fixed-response", "FixedResponseConfig": ["StatusCode": "200"]]]
      _ = try await rules.update(rule, ruleProperties, .object(changed), context("Rule"))
      #expect(try await ELBHTTP.get(name, "/api/x").status == 200)
      try await rules.delete(rule, ruleProperties, context("Rule"))
      try await listeners.delete(listener, listenerProperties, context("Listener"))
      try await listeners.delete(listener, listenerProperties, context("Listener"))
      try await groups.delete(group, groupProperties, context("Backend"))
      try await balancer.delete(made, properties, context("InternalLoadBalancer"))
      #expect(try await elb.run(ELBv2.describeLoadBalancers).loadBalancers?.isEmpty ?? true)
    }
  }

  @Test("an HTTPS listener answers with ACM's certificates, each for its own name")
  func https() async throws {
    try await ELBv2Fixture.withGate { elb in
      let balancer = try await elb.loadBalancer("shop")
      let certificate = try await elb.certificate("shop.example")
      let made = try await elb.run(ELBv2.createListener) {
        $0.loadBalancerArn = balancer
        $0.port = 443
        $0.protocol = "HTTPS"
        $0.sslPolicy = "ELBSecurityPolicy-TLS13-1-2-2021-06"
        $0.certificates = [.make { $0.certificateArn = certificate }]
        $0.defaultActions = [.fixed("200", "secret")]
      }
      let arn = try #require(made.listeners?.first?.listenerArn)
      let record = try await elb.service.store.read { try $0.list(ListenerRecord.self).first { $0.1.arn == arn }?.1 }
      let bound = try #require(record?.bound)
      let address = try #require(bound.address)
      let port = try #require(bound.port)
      func get(_ host: String) async throws -> (status: Int, body: String) {
        try await ELBProgram.run([
          "curl", "-sS", "--max-time", "20", "--cacert", elb.authorityPath, "--resolve", "\(host):\(port):\(address)",
          "--write-out", " over %{http_version}", "https://\(host):\(port)/",
        ])
      }
      let answer = try await get("shop.example")
      #expect(answer.status == 0 && answer.body == "secret over 2")
      _ = try await elb.run(ELBv2.modifyLoadBalancerAttributes) {
        $0.loadBalancerArn = balancer
        $0.attributes = [.make { ($0.key, $0.value) = ("routing.http2.enabled", "false") }]
      }
      #expect(try await get("shop.example").body == "secret over 1.1")
      // Another name is answered with the default certificate, which is not for it.
      #expect(try await get("other.example").status == 60)
      let extra = try await elb.certificate("other.example")
      _ = try await elb.run(ELBv2.addListenerCertificates) {
        $0.listenerArn = arn
        $0.certificates = [.make { $0.certificateArn = extra }]
      }
      #expect(try await get("other.example").body == "secret over 1.1")
      #expect(try await get("shop.example").body == "secret over 1.1")
    }
  }
}
