// The shield's limits as tags of a load balancer: what is refused, and what requests meet.

import AWSCore
import AWSWire
import ELBv2Model
import GateProtocol
import ServiceKit
import Testing

@testable import ELBv2Service

@Suite("ELBv2 limits of the shield", .timeLimit(.minutes(1)))
struct ELBv2ShieldTests {
  private static func tag(_ key: String, _ value: String) -> ELBv2.Tag {
    .make {
      $0.key = "castle:shield:" + key
      $0.value = value
    }
  }

  @Test("tags set limits of their kind of load balancer only, and an error names the tag")
  func tags() async throws {
    try await ELBv2Fixture.alone { elb in
      let subnets = elb.subnets
      func failure(_ type: String, _ key: String, _ value: String) async throws -> String {
        try await elb.failure(ELBv2.createLoadBalancer) {
          $0.name = "shop"
          $0.type = type
          $0.subnets = subnets
          $0.tags = [Self.tag(key, value)]
        }
      }
      let unknown = try await failure("application", "conections", "5")
      #expect(
        unknown
          == "ValidationError: The tag key 'castle:shield:conections' sets no limit of Application Load Balancers: those "
          + "are 'castle:shield:connections', 'castle:shield:new-connections', 'castle:shield:requests'")
      #expect(try await failure("application", "datagrams", "5").contains("'castle:shield:datagrams' sets no limit"))
      #expect(try await failure("network", "requests", "5").contains("'castle:shield:requests' sets no limit"))
      for value in ["0", "1.5", "many", ""] {
        #expect(
          try await failure("application", "connections", value)
            == "ValidationError: The tag 'castle:shield:connections' must be a whole number from 1 to 1000000, "
            + "not '\(value)'")
      }
      for value in ["0", "-1", "nan", "inf", "fast"] {
        let message = try await failure("application", "requests", value)
        #expect(message.hasPrefix("ValidationError: The tag 'castle:shield:requests' must be a number from 0.01"))
      }
      let balancer = try await elb.loadBalancer("shop")
      let wrong = try await elb.failure(ELBv2.addTags) {
        $0.resourceArns = [balancer]
        $0.tags = [Self.tag("new-connections", "0")]
      }
      #expect(wrong.contains("'castle:shield:new-connections'"))
      // Stacks give their tags to all that they make: elsewhere they are tags like others.
      let group = try await elb.targetGroup("web")
      _ = try await elb.run(ELBv2.addTags) {
        $0.resourceArns = [group]
        $0.tags = [Self.tag("connections", "many")]
      }
    }
  }

  @Test("limits become the Gate's, each with its field")
  func translation() throws {
    let shield = try #require(
      try ShieldTags.read(
        [
          "castle:shield:connections": "7", "castle:shield:new-connections": "2.5", "castle:shield:requests": "9",
          "a": "b",
        ],
        .application))
    #expect(shield.connectionsPerSource == 7)
    #expect(shield.newConnectionsPerSource == 2.5)
    #expect(shield.requestsPerSource == 9)
    let network = try #require(try ShieldTags.read(["castle:shield:datagrams": "100"], .network))
    #expect(network.datagramsPerSource == 100)
    #expect(try ShieldTags.read(["Name": "shop"], .network) == nil)
  }

  @Test("a limit holds as soon as its tag is set, and ends with it")
  func traffic() async throws {
    try await ELBv2Fixture.withGate { elb in
      let balancer = try await elb.loadBalancer("shop")
      _ = try await elb.listener(balancer, .fixed("200", "fine"))
      let name = try await elb.dnsName(balancer)
      func statuses(_ count: Int) async throws -> [Int] {
        var all: [Int] = []
        for _ in 0..<count { all.append(try await ELBHTTP.get(name).status) }
        return all
      }
      #expect(try await statuses(30) == Array(repeating: 200, count: 30))
      _ = try await elb.run(ELBv2.addTags) {
        $0.resourceArns = [balancer]
        $0.tags = [Self.tag("requests", "0.01")]
      }
      // The burst is twenty, in each of the Gate's two loops: which of them has a connection is chance.
      let seen = try await statuses(42)
      #expect(seen.prefix(20).allSatisfy { $0 == 200 }, "\(seen)")
      #expect(seen.count { $0 == 403 } >= 2 && Set(seen) == [200, 403], "\(seen)")
      _ = try await elb.run(ELBv2.removeTags) {
        $0.resourceArns = [balancer]
        $0.tagKeys = ["castle:shield:requests"]
      }
      #expect(try await statuses(30) == Array(repeating: 200, count: 30))
    }
  }
}
