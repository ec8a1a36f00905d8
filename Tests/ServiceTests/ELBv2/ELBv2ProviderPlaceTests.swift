// Where identity providers are that are named by hosts of the castle's own zones.

import ELBv2Model
import GateProtocol
import Route53Model
import Route53Service
import Testing

@testable import ELBv2Service

@Suite("ELBv2 provider places", .timeLimit(.minutes(1)))
struct ELBv2ProviderPlaceTests {
  private func zone(_ elb: ELBv2Fixture, _ name: String, isPrivate: Bool = false) async throws -> String {
    let made = try await elb.run(Route53.createHostedZone) {
      $0.name = name
      $0.callerReference = name
      if isPrivate {
        $0.vpc = .make {
          $0.vpcId = elb.vpc
          $0.vpcRegion = "us-east-1"
        }
      }
    }
    return try #require(made.hostedZone?.id)
  }

  private func put(
    _ elb: ELBv2Fixture, _ zone: String, _ name: String, _ type: String, _ value: String, isAlias: Bool = false
  ) async throws {
    _ = try await elb.run(Route53.changeResourceRecordSets) {
      $0.hostedZoneId = zone
      $0.changeBatch = .make {
        $0.changes = [
          .make {
            $0.action = "UPSERT"
            $0.resourceRecordSet = .make {
              $0.name = name
              $0.type = type
              if isAlias {
                $0.aliasTarget = .make {
                  $0.hostedZoneId = "Z35SXDOTRQ7X7K"
                  $0.dnsName = value
                }
              } else {
                $0.ttl = 60
                $0.resourceRecords = [.make { $0.value = value }]
              }
            }
          }
        ]
      }
    }
  }

  private func places(_ elb: ELBv2Fixture) -> ProviderPlaces {
    ProviderPlaces(
      names: Route53Service(elb.harness.environment), ports: PortPlan(privilegedBelow: 1024),
      store: elb.harness.environment.store)
  }

  @Test("a host of a public zone is where its records say now, one of no zone is left to the machine's resolver")
  func records() async throws {
    try await ELBv2Fixture.alone { elb in
      let places = places(elb)
      let shop = try await zone(elb, "shop.example")
      try await put(elb, shop, "login.shop.example", "A", "127.0.0.9")
      try await put(elb, shop, "auth.shop.example", "CNAME", "login.shop.example")
      try await put(elb, shop, "vendor.shop.example", "CNAME", "idp.vendor.example")
      try await put(elb, shop, "*.apps.shop.example", "A", "127.0.0.10")
      #expect(try await places.place(of: "https://login.shop.example/token") == .at(host: "127.0.0.9", port: 443))
      #expect(try await places.place(of: "https://LOGIN.shop.example:8443/t") == .at(host: "127.0.0.9", port: 8443))
      #expect(try await places.place(of: "https://auth.shop.example/token") == .at(host: "127.0.0.9", port: 443))
      #expect(try await places.place(of: "https://a.apps.shop.example/") == .at(host: "127.0.0.10", port: 443))
      let vendor = try await places.place(of: "https://vendor.shop.example/token")
      #expect(vendor == .at(host: "idp.vendor.example", port: 443))
      #expect(try await places.place(of: "https://none.shop.example/token") == .nowhere)
      for url in ["https://idp.vendor.example/", "https://127.0.0.1:9/", "http://localhost:9/"] {
        #expect(try await places.place(of: url) == nil, "\(url)")
      }
      try await put(elb, shop, "login.shop.example", "A", "127.0.0.11")
      #expect(try await places.place(of: "https://auth.shop.example/token") == .at(host: "127.0.0.11", port: 443))
      let inner = try await zone(elb, "inner.example", isPrivate: true)
      try await put(elb, inner, "login.inner.example", "A", "127.0.0.9")
      #expect(try await places.place(of: "https://login.inner.example/") == nil)
    }
  }

  @Test("an alias of a load balancer leads to where its listener is bound")
  func alias() async throws {
    try await ELBv2Fixture.alone { elb in
      let places = places(elb)
      let shop = try await zone(elb, "shop.test")
      let balancer = try await elb.loadBalancer("login")
      let name = try await elb.dnsName(balancer)
      try await put(elb, shop, "login.shop.test", "A", name, isAlias: true)
      let address = String(name.prefix { $0 != ":" })
      #expect(try await places.place(of: "https://login.shop.test/t") == .at(host: address, port: 443))
      _ = try await elb.listener(balancer, port: 443, .fixed("200"))
      // A normal user's port 443 is 8443.
      #expect(try await places.place(of: "https://login.shop.test/t") == .at(host: address, port: 8443))
      #expect(try await places.place(of: "https://login.shop.test:444/t") == .at(host: address, port: 444))
    }
  }
}
