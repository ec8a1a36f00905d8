// Hosted zones and record sets.

import AWSCore
import CastleTesting
import Route53Model
import Route53Service
import ServiceKit
import Testing

@Suite("Route 53") struct Route53Tests {
  struct Fixture {
    let harness: ServiceHarness
    let zone: String

    init() async throws {
      harness = try ServiceHarness(collections: Route53Service.collections) { [Route53Service($0)] }
      zone =
        try await harness.run(Route53.createHostedZone) {
          $0.name = "Example.com"
          $0.callerReference = "1"
        }.hostedZone?.id ?? ""
    }

    func change(_ changes: (String, Route53.ResourceRecordSet)...) async throws {
      _ = try await harness.run(Route53.changeResourceRecordSets) {
        $0.hostedZoneId = zone
        $0.changeBatch = .make {
          $0.changes = changes.map { action, set in
            .make {
              $0.action = action
              $0.resourceRecordSet = set
            }
          }
        }
      }
    }

    func names() async throws -> [String] {
      try await harness.run(Route53.listResourceRecordSets) { $0.hostedZoneId = zone }.resourceRecordSets?
        .map { "\($0.name) \($0.type)" } ?? []
    }

    static func set(
      _ name: String, _ type: String, _ values: String...,
      configure: (inout Route53.ResourceRecordSet) -> Void = { _ in }
    ) -> Route53.ResourceRecordSet {
      .make {
        $0.name = name
        $0.type = type
        $0.ttl = 60
        $0.resourceRecords = values.map { value in .make { $0.value = value } }
        configure(&$0)
      }
    }
  }

  @Test("a zone has its NS and SOA, and names come back in Route 53's form and order")
  func zone() async throws {
    let fixture = try await Fixture()
    defer { fixture.harness.remove() }
    try await fixture.change(
      ("CREATE", Fixture.set("www.example.com", "A", "192.0.2.1")),
      ("UPSERT", Fixture.set("*.API.example.com.", "AAAA", "2001:db8::1")))
    #expect(
      try await fixture.names() == [
        "example.com. NS", "example.com. SOA", "\\052.api.example.com. AAAA", "www.example.com. A",
      ])
    let got = try await fixture.harness.run(Route53.getHostedZone) { $0.id = fixture.zone }
    #expect(got.delegationSet?.nameServers?.count == 4 && got.hostedZone?.resourceRecordSetCount == 4)
  }

  @Test("a batch is carried out whole or not at all, and names every problem")
  func batches() async throws {
    let fixture = try await Fixture()
    defer { fixture.harness.remove() }
    let error = await #expect(throws: AWSError.self) {
      try await fixture.change(
        ("CREATE", Fixture.set("a.example.com", "A", "192.0.2.1")),
        ("DELETE", Fixture.set("b.example.com", "A", "192.0.2.1")),
        ("CREATE", Fixture.set("c.other.com", "A", "192.0.2.1")))
    }
    #expect(error?.code == "InvalidChangeBatch")
    #expect(
      error?.message
        == "[Tried to delete resource record set [name='b.example.com.', type='A'] but it was not found, "
        + "RRSet with DNS name c.other.com. is not permitted in zone example.com.]")
    #expect(try await fixture.names().count == 2)
  }

  @Test(
    "what Route 53 does not permit is refused",
    arguments: [
      (Fixture.set("example.com", "CNAME", "x.net"), "not permitted at apex"),
      (Fixture.set("www.example.com", "CNAME", "x.net"), "conflicts with other records"),
      (Fixture.set("n.example.com", "A", "300.1.1.1"), "not a valid IPv4 address"),
      (Fixture.set("n.example.com", "TXT", "bare"), "enclosed in quotation marks"),
      (Fixture.set("www.example.com", "A", "192.0.2.9"), "but it already exists"),
      (
        Fixture.set("www.example.com", "A", "192.0.2.9") {
          $0.setIdentifier = "one"
          $0.weight = 1
        }, "a simple RRSet with the same name and type"
      ),
    ])
  func refusals(set: Route53.ResourceRecordSet, message: String) async throws {
    let fixture = try await Fixture()
    defer { fixture.harness.remove() }
    try await fixture.change(("CREATE", Fixture.set("www.example.com", "A", "192.0.2.1")))
    let error = await #expect(throws: AWSError.self) { try await fixture.change(("CREATE", set)) }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
  }

  @Test("a zone with record sets of its own cannot be deleted; an empty one can")
  func deletion() async throws {
    let fixture = try await Fixture()
    defer { fixture.harness.remove() }
    let set = Fixture.set("www.example.com", "A", "192.0.2.1", "192.0.2.2")
    try await fixture.change(("CREATE", set))
    let error = await #expect(throws: AWSError.self) {
      _ = try await fixture.harness.run(Route53.deleteHostedZone) { $0.id = fixture.zone }
    }
    #expect(error?.code == "HostedZoneNotEmpty")
    try await fixture.change(("DELETE", Fixture.set("www.example.com", "A", "192.0.2.2", "192.0.2.1")))
    let gone = try await fixture.harness.run(Route53.deleteHostedZone) { $0.id = fixture.zone }
    let change = try await fixture.harness.run(Route53.getChange) { $0.id = gone.changeInfo?.id ?? "" }
    #expect(change.changeInfo?.status == "INSYNC")
  }

  @Test("lists come in pages, zones also by name")
  func pages() async throws {
    let fixture = try await Fixture()
    defer { fixture.harness.remove() }
    for name in ["b.org", "a.org"] {
      _ = try await fixture.harness.run(Route53.createHostedZone) {
        $0.name = name
        $0.callerReference = name
      }
    }
    let first = try await fixture.harness.run(Route53.listHostedZonesByName) { $0.maxItems = "2" }
    #expect(first.hostedZones?.map(\.name) == ["example.com.", "a.org."] && first.nextDNSName == "b.org.")
    let sets = try await fixture.harness.run(Route53.listResourceRecordSets) {
      $0.hostedZoneId = fixture.zone
      $0.maxItems = "1"
    }
    #expect(sets.isTruncated == true && sets.nextRecordType == "SOA")
    let rest = try await fixture.harness.run(Route53.listResourceRecordSets) {
      $0.hostedZoneId = fixture.zone
      $0.startRecordName = sets.nextRecordName
      $0.startRecordType = sets.nextRecordType
    }
    #expect(rest.resourceRecordSets?.map(\.type) == ["SOA"])
  }

  @Test("the stack resources make, change and remove a zone and its records")
  func resources() async throws {
    let fixture = try await Fixture()
    defer { fixture.harness.remove() }
    let providers = Route53Service(fixture.harness.environment).resourceProviders
    let zones = try #require(providers.first { $0.type == "AWS::Route53::HostedZone" })
    let sets = try #require(providers.first { $0.type == "AWS::Route53::RecordSet" })
    let context = ResourceContext(
      stackName: "shop", stackID: "arn", logicalID: "Zone", tags: ["team": "web"], call: fixture.harness.call())
    let zone = try await zones.create(["Name": "shop.test"], context)
    #expect(zone.attributes["NameServers"]?.array?.count == 4)
    let record: JSONValue = [
      "HostedZoneName": "shop.test.", "Name": "www.shop.test", "Type": "CNAME", "TTL": "300",
      "ResourceRecords": ["lb.example.com"],
    ]
    let made = try await sets.create(record, context)
    let changed: JSONValue = [
      "HostedZoneId": .string(zone.physicalID), "Name": "www.shop.test", "Type": "CNAME", "TTL": "60",
      "ResourceRecords": ["lb.example.com"],
    ]
    _ = try await sets.update(made, record, changed, context)
    try await sets.delete(made, changed, context)
    try await sets.delete(made, changed, context)
    try await zones.delete(zone, ["Name": "shop.test"], context)
    let left = try await fixture.harness.run(Route53.listHostedZones).hostedZones
    #expect(left?.map(\.name) == ["example.com."])
  }
}
