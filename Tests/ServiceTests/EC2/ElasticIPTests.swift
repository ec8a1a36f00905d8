// Elastic IP addresses.

import AWSCore
import CastleTesting
import EC2Model
import EC2Service
import ELBv2Model
import ServiceKit
import Testing

@Suite("Elastic IP addresses") struct ElasticIPTests {
  private func withHarness(_ body: (ServiceHarness) async throws -> Void) async throws {
    let harness = try ServiceHarness(collections: EC2Service.collections) { [EC2Service($0)] }
    defer { harness.remove() }
    try await body(harness)
  }

  private func allocate(
    _ harness: ServiceHarness, _ configure: (inout EC2.AllocateAddressRequest) -> Void = { _ in }
  ) async throws -> (id: String, ip: String) {
    let made = try await harness.run(EC2.allocateAddress, configure)
    return (made.allocationId ?? "", made.publicIp ?? "")
  }

  private static func filter(_ name: String, _ value: String) -> EC2.Filter {
    .make { ($0.name, $0.values) = (name, [value]) }
  }

  @Test("no two addresses are the same, in any Region, until none is left")
  func pool() async throws {
    try await withHarness { harness in
      var seen: Set<String> = []
      for number in 0..<254 {
        let call = harness.call(region: number % 2 == 0 ? "us-east-1" : "eu-west-1")
        let made = try await harness.dispatcher.invoke(EC2.allocateAddress, .make { $0.domain = "vpc" }, call)
        seen.insert(made.publicIp ?? "")
      }
      #expect(seen.count == 254)
      #expect(await errorCode { _ = try await allocate(harness) } == "AddressLimitExceeded")
      let gone = try await harness.run(EC2.describeAddresses).addresses?.first
      _ = try await harness.run(EC2.releaseAddress) { $0.allocationId = gone?.allocationId }
      #expect(try await allocate(harness).ip == gone?.publicIp)
    }
  }

  @Test("a certain address is given when it is free")
  func certainAddress() async throws {
    try await withHarness { harness in
      let first = try await allocate(harness) { $0.address = "203.0.113.77" }
      #expect(first.ip == "203.0.113.77")
      #expect(
        await errorCode { _ = try await allocate(harness) { $0.address = "203.0.113.77" } }
          == "InvalidAddress.Locked")
      #expect(
        await errorCode { _ = try await allocate(harness) { $0.address = "8.8.8.8" } } == "InvalidAddress.NotFound")
      let wrong = await errorCode { _ = try await allocate(harness) { $0.networkBorderGroup = "eu-west-1" } }
      #expect(wrong == "InvalidParameterValue")
      #expect(await errorCode { _ = try await allocate(harness) { $0.dryRun = true } } == "DryRunOperation")
      #expect(
        await errorCode { _ = try await allocate(harness) { $0.ipamPoolId = "ipam-pool-1" } } == "NotImplemented")
    }
  }

  @Test("addresses are found by id, address, tag and what they are associated with")
  func description() async throws {
    try await withHarness { harness in
      let one = try await allocate(harness) {
        $0.tagSpecifications = [
          .make {
            $0.resourceType = "elastic-ip"
            $0.tags = [.make { ($0.key, $0.value) = ("Name", "nlb") }]
          }
        ]
      }
      let two = try await allocate(harness)
      let association = try await harness.run(EC2.associateAddress) {
        $0.allocationId = two.id
        $0.networkInterfaceId = "eni-1"
        $0.privateIpAddress = "10.0.0.9"
      }.associationId
      func ids(_ filter: EC2.Filter) async throws -> [String?] {
        try await harness.run(EC2.describeAddresses) { $0.filters = [filter] }.addresses?.map(\.allocationId) ?? []
      }
      #expect(try await ids(Self.filter("tag:Name", "n*")) == [one.id])
      #expect(try await ids(Self.filter("public-ip", two.ip)) == [two.id])
      #expect(try await ids(Self.filter("association-id", association ?? "")) == [two.id])
      #expect(try await ids(Self.filter("network-interface-id", "eni-1")) == [two.id])
      #expect(try await ids(Self.filter("network-border-group", "us-east-1")).count == 2)
      #expect(try await ids(Self.filter("instance-id", "i-1")) == [])
      let found = try await harness.run(EC2.describeAddresses) {
        $0.publicIps = [one.ip]
        $0.filters = [Self.filter("association-id", "*")]
      }
      #expect(found.addresses == nil || found.addresses?.isEmpty == true)
      let unknown = await errorCode {
        _ = try await harness.run(EC2.describeAddresses) { $0.publicIps = ["203.0.113.250"] }
      }
      #expect(unknown == "InvalidAddress.NotFound")
      let missing = await errorCode {
        _ = try await harness.run(EC2.describeAddresses) { $0.allocationIds = ["eipalloc-0"] }
      }
      #expect(missing == "InvalidAllocationID.NotFound")
    }
  }

  @Test("an associated address is not released, and a NAT gateway's is given back by the gateway only")
  func associations() async throws {
    try await withHarness { harness in
      let free = try await allocate(harness)
      let association = try await harness.run(EC2.associateAddress) {
        $0.allocationId = free.id
        $0.networkInterfaceId = "eni-1"
      }.associationId
      func release(_ id: String) async -> String? {
        await errorCode { _ = try await harness.run(EC2.releaseAddress) { $0.allocationId = id } }
      }
      #expect(await release(free.id) == "InvalidIPAddress.InUse")
      let again = await errorCode {
        _ = try await harness.run(EC2.associateAddress) {
          $0.allocationId = free.id
          $0.networkInterfaceId = "eni-2"
          $0.allowReassociation = false
        }
      }
      #expect(again == "Resource.AlreadyAssociated")
      _ = try await harness.run(EC2.disassociateAddress) { $0.associationId = association }
      #expect(
        await errorCode { _ = try await harness.run(EC2.disassociateAddress) { $0.associationId = association } }
          == "InvalidAssociationID.NotFound")
      #expect(await release(free.id) == nil)
      #expect(await release(free.id) == "InvalidAllocationID.NotFound")

      let held = try await allocate(harness)
      let vpc = try await harness.run(EC2.createVpc) { $0.cidrBlock = "10.0.0.0/16" }.vpc?.vpcId ?? ""
      let subnet = try await harness.run(EC2.createSubnet) {
        $0.vpcId = vpc
        $0.cidrBlock = "10.0.0.0/24"
      }.subnet?.subnetId
      let gateway = try await harness.run(EC2.createNatGateway) {
        $0.subnetId = subnet
        $0.allocationId = held.id
      }.natGateway?.natGatewayId
      let own = try await harness.run(EC2.describeAddresses) { $0.allocationIds = [held.id] }
        .addresses?.first?.associationId
      #expect(
        await errorCode { _ = try await harness.run(EC2.disassociateAddress) { $0.associationId = own } }
          == "AuthFailure")
      _ = try await harness.run(EC2.deleteNatGateway) { $0.natGatewayId = gateway ?? "" }
      #expect(await release(held.id) == nil)
    }
  }

  @Test("an address that a network load balancer was made with is not released before it") func balancers() async throws
  {
    try await ELBv2Fixture.alone { fixture in
      let address = try await allocate(fixture.harness)
      let made = try await fixture.run(ELBv2.createLoadBalancer) {
        $0.name = "fixed"
        $0.type = "network"
        $0.subnetMappings = [
          .make {
            $0.subnetId = fixture.subnets[0]
            $0.allocationId = address.id
          }
        ]
      }
      func release() async -> String? {
        await errorCode { _ = try await fixture.run(EC2.releaseAddress) { $0.allocationId = address.id } }
      }
      #expect(await release() == "InvalidIPAddress.InUse")
      _ = try await fixture.run(ELBv2.deleteLoadBalancer) {
        $0.loadBalancerArn = made.loadBalancers?.first?.loadBalancerArn ?? ""
      }
      #expect(await release() == nil)
    }
  }

  @Test("an address has a reverse name once one is set, and none again after a reset")
  func reverseNames() async throws {
    try await withHarness { harness in
      let address = try await allocate(harness)
      func name() async throws -> String? {
        let found =
          try await harness.run(EC2.describeAddressesAttribute) {
            $0.allocationIds = [address.id]
            $0.attribute = "domain-name"
          }.addresses ?? []
        #expect(found.allSatisfy { $0.publicIp == address.ip && $0.allocationId == address.id })
        return found.first?.ptrRecord
      }
      #expect(try await name() == nil)
      let set = try await harness.run(EC2.modifyAddressAttribute) {
        $0.allocationId = address.id
        $0.domainName = "mail.example.com"
      }
      #expect(set.address?.ptrRecord == "mail.example.com.")
      #expect(try await name() == "mail.example.com.")
      _ = try await harness.run(EC2.resetAddressAttribute) {
        $0.allocationId = address.id
        $0.attribute = "domain-name"
      }
      #expect(try await name() == nil)
      for wrong in ["mail", "a b.example.com", "-a.example.com"] {
        let refused = await errorCode {
          _ = try await harness.run(EC2.modifyAddressAttribute) {
            $0.allocationId = address.id
            $0.domainName = wrong
          }
        }
        #expect(refused == "InvalidParameterValue", "\(wrong)")
      }
    }
  }
}
