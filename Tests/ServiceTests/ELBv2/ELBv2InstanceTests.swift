// Target groups of type `instance`: the machine is the instance, its ports are the targets.

import AWSCore
import AWSWire
import EC2Model
import ELBv2Model
import GateProtocol
import ServiceKit
import Testing

@testable import ELBv2Service

@Suite("ELBv2 instances as targets", .timeLimit(.minutes(2)), .serialized)
struct ELBv2InstanceTests {
  private func machine(_ elb: ELBv2Fixture) async throws -> String {
    let found = try await elb.run(EC2.describeInstances)
    return try #require(found.reservations?.first?.instances?.first?.instanceId)
  }

  private func register(_ elb: ELBv2Fixture, _ group: String, _ id: String, _ ports: [Int?]) async throws {
    _ = try await elb.run(ELBv2.registerTargets) {
      $0.targetGroupArn = group
      $0.targets = ports.map { port in
        .make { ($0.id, $0.port) = (id, port) }
      }
    }
  }

  @Test("the machine is taken under several ports, in any VPC; the group's port is the one that is not said")
  func registered() async throws {
    try await ELBv2Fixture.alone { elb in
      let id = try await machine(elb)
      let other = try await elb.run(EC2.createVpc) { $0.cidrBlock = "10.7.0.0/16" }.vpc?.vpcId
      let group = try await elb.targetGroup("web") {
        $0.targetType = "instance"
        $0.vpcId = other
        $0.port = 3000
      }
      try await register(elb, group, id, [nil, 3001, 3000])
      let all = try await elb.run(ELBv2.describeTargetHealth) { $0.targetGroupArn = group }.targetHealthDescriptions
      #expect(all?.map { $0.target?.id } == [id, id])
      #expect(all?.map { $0.target?.port } == [3000, 3001])
      #expect(all?.allSatisfy { $0.target?.availabilityZone == nil } == true)
      #expect(all?.map(\.healthCheckPort) == ["3000", "3001"])
      let record = try await elb.service.store.read { try $0.targetGroup(group, elb.harness.call().scope) }
      #expect(record.targets.map(\.zone) == ["us-east-1a", "us-east-1a"])
      let part = DesiredState(targetGroups: [record]).gatePart(PortPlan(privilegedBelow: 0))
      let targets = try #require(part.targetGroups.first?.targets)
      #expect(targets.map(\.address) == ["127.0.0.1", "127.0.0.1"] && targets.map(\.port) == [3000, 3001])
      #expect(targets.map(\.zone) == ["us-east-1a", "us-east-1a"])
      _ = try await elb.run(ELBv2.deregisterTargets) {
        $0.targetGroupArn = group
        $0.targets = [.make { ($0.id, $0.port) = (id, 3000) }]
      }
      #expect(try await elb.health(group).keys.sorted() == [3001])
    }
  }

  @Test("what is no instance is refused by name, all of them at once; so is a zone, which an instance has already")
  func refused() async throws {
    try await ELBv2Fixture.alone { elb in
      let id = try await machine(elb)
      let group = try await elb.targetGroup("web") { $0.targetType = "instance" }
      func failure(_ ids: [String], port: Int? = nil, zone: String? = nil) async throws -> String {
        try await elb.failure(ELBv2.registerTargets) {
          $0.targetGroupArn = group
          $0.targets = ids.map { id in
            .make { ($0.id, $0.port, $0.availabilityZone) = (id, port, zone) }
          }
        }
      }
      #expect(
        try await failure([id, "i-0123456789abcdef0", "127.0.0.1", "127.0.0.1"])
          == "InvalidTarget: The following targets are not valid instances: 'i-0123456789abcdef0', '127.0.0.1'")
      #expect(try await failure(["i-*"]) == "InvalidTarget: The following targets are not valid instances: 'i-*'")
      #expect(try await failure([id], port: 0).hasPrefix("ValidationError"))
      #expect(try await failure([id], zone: "us-east-1a").hasPrefix("ValidationError"))
      #expect(try await elb.health(group).isEmpty)
      // In groups of addresses it is none.
      let addresses = try await elb.targetGroup("addresses")
      let wrong = try await elb.failure(ELBv2.registerTargets) {
        $0.targetGroupArn = addresses
        $0.targets = [.make { $0.id = id }]
      }
      #expect(wrong.hasPrefix("ValidationError"))
    }
  }

  @Test("instances see the client's address unless they are told not to, as on AWS")
  func clientAddresses() async throws {
    try await ELBv2Fixture.alone { elb in
      for name in ["TCP", "TLS", "UDP", "TCP_UDP"] {
        let group = try await elb.targetGroup(name.replacing("_", with: "-")) {
          $0.targetType = "instance"
          $0.protocol = name
          $0.healthCheckTimeoutSeconds = nil
        }
        let record = try await elb.service.store.read { try $0.targetGroup(group, elb.harness.call().scope) }
        let part = DesiredState(targetGroups: [record]).gatePart(PortPlan(privilegedBelow: 0))
        #expect(part.targetGroups.first?.flow?.preservesClientAddress == true, "\(name)")
      }
    }
  }

  @Test("a template registers the machine's ports, and takes them back")
  func template() async throws {
    try await ELBv2Fixture.alone { elb in
      let id = try await machine(elb)
      let provider = try #require(
        elb.service.resourceProviders.first { $0.type == "AWS::ElasticLoadBalancingV2::TargetGroup" })
      func properties(_ ports: [Int]) -> JSONValue {
        [
          "VpcId": .string(elb.vpc), "Protocol": "HTTP", "Port": 3000,
          "Targets": .array(ports.map { ["Id": .string(id), "Port": .integer($0)] }),
        ]
      }
      let context = ResourceContext(
        stackName: "s", stackID: "s", logicalID: "Group", tags: [:], call: elb.harness.call())
      let made = try await provider.create(properties([3000, 3001]), context)
      #expect(try await elb.health(made.physicalID).keys.sorted() == [3000, 3001])
      _ = try await provider.update(made, properties([3000, 3001]), properties([3001, 3002]), context)
      #expect(try await elb.health(made.physicalID).keys.sorted() == [3001, 3002])
    }
  }

  @Test("two ports of the machine are healthy targets; clients stick to one; a deregistered one drains and is gone")
  func traffic() async throws {
    try await ELBv2Fixture.withGate { elb in
      let servers = [try ELBServer("one"), try ELBServer("two")]
      let ports = servers.map { Int($0.port) }
      let id = try await machine(elb)
      let balancer = try await elb.loadBalancer("shop")
      let group = try await elb.targetGroup("web") {
        $0.targetType = "instance"
        $0.healthCheckPath = "/health"
        $0.healthyThresholdCount = 2
      }
      try await register(elb, group, id, ports)
      _ = try await elb.listener(balancer, .forward(group))
      let name = try await elb.dnsName(balancer)
      try await elb.until("both healthy") { Set(try await elb.health(group).values) == ["healthy"] }
      var seen: Set<String> = []
      for _ in 0..<6 { seen.insert(try await ELBHTTP.get(name).body) }
      #expect(seen == ["one", "two"])

      _ = try await elb.run(ELBv2.modifyTargetGroupAttributes) {
        $0.targetGroupArn = group
        $0.attributes = [.make { ($0.key, $0.value) = ("stickiness.enabled", "true") }]
      }
      let first = try await ELBHTTP.get(name)
      let cookie = try #require(first.headers["set-cookie"]?.split(separator: ";").first)
      for _ in 0..<4 {
        #expect(try await ELBHTTP.get(name, headers: "Cookie: \(cookie)\r\n").body == first.body)
      }

      let slow = Task { try await ELBHTTP.get(name, "/slow", headers: "Cookie: \(cookie)\r\n") }
      let index = first.body == "one" ? 0 : 1
      let (gone, port) = (servers[index], ports[index])
      try await elb.until("the request is there") { gone.paths.contains("/slow") }
      _ = try await elb.run(ELBv2.deregisterTargets) {
        $0.targetGroupArn = group
        $0.targets = [.make { ($0.id, $0.port) = (id, port) }]
      }
      #expect(try await elb.health(group)[port] == "draining Target.DeregistrationInProgress")
      gone.releaseSlow()
      #expect(try await slow.value.body == first.body)
      try await elb.until("drained") { try await elb.health(group).keys.sorted() == [ports[1 - index]] }
      #expect(try await ELBHTTP.get(name).body != first.body)
    }
  }
}
