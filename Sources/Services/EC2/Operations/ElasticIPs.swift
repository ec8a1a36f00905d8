// Elastic IP addresses: allocated, associated with interfaces, described, released; their reverse names.

import AWSCore
import AWSWire
import EC2Model
import ELBv2Model
import ServiceKit
import Store

extension EC2Service {
  /// TEST-NET-3 (RFC 5737): these addresses are nobody's.
  private static let pool = "203.0.113."
  /// Whose addresses AWS gives out.
  private static let poolName = "amazon"

  func allocateAddress(_ input: EC2.AllocateAddressRequest, _ call: CallContext) async throws
    -> EC2.AllocateAddressResult
  {
    try Self.check(input, call)
    let tags = Dictionary(input.tagSpecifications, for: "elastic-ip")
    let scope = call.scope
    let wanted = input.address
    let record = try await store.write { tx in
      // One pool for the whole castle: no two accounts or regions share an address.
      let held = Set(try tx.list(ElasticIPRecord.self).map(\.1.publicIP))
      let record = ElasticIPRecord(
        id: call.ids.ec2("eipalloc"), tags: tags, publicIP: try Self.free(wanted, held, tx))
      try tx.put(record, scope)
      return record
    }
    return .make {
      $0.allocationId = record.id
      $0.publicIp = record.publicIP
      $0.domain = "vpc"
      $0.publicIpv4Pool = Self.poolName
      $0.networkBorderGroup = call.region
    }
  }

  private static func check(_ input: EC2.AllocateAddressRequest, _ call: CallContext) throws {
    if input.customerOwnedIpv4Pool != nil { throw AWSError.notImplemented("customer-owned addresses") }
    if input.ipamPoolId != nil { throw AWSError.notImplemented("addresses of an IPAM pool") }
    if let pool = input.publicIpv4Pool, pool != poolName {
      throw AWSError("InvalidPublicIpv4PoolID.NotFound", "The publicIpv4Pool ID '\(pool)' does not exist")
    }
    if let group = input.networkBorderGroup, group != call.region {
      throw EC2Error.invalid(group, "networkBorderGroup", "The network border group is not one of this Region.")
    }
    if let domain = input.domain, domain != "vpc" {
      throw EC2Error.invalid(domain, "domain", "Addresses are for use in a VPC.")
    }
    if input.dryRun == true { throw EC2Error.dryRun }
  }

  /// The address that is asked for, or the next free one.
  private static func free(_ wanted: String?, _ held: Set<String>, _ tx: Transaction) throws -> String {
    if let wanted {
      guard wanted.hasPrefix(pool), let last = UInt8(wanted.dropFirst(pool.count)), (1...254).contains(last) else {
        throw AWSError("InvalidAddress.NotFound", "Address '\(wanted)' not found.")
      }
      guard !held.contains(wanted) else {
        throw AWSError("InvalidAddress.Locked", "Address '\(wanted)' is allocated already.")
      }
      return wanted
    }
    for _ in 0..<254 {
      let number = try tx.nextNumber("ec2.elastic-ip", Scope(account: "", region: ""))
      let address = "\(pool)\(number % 254 + 1)"
      if !held.contains(address) { return address }
    }
    throw AWSError("AddressLimitExceeded", "The maximum number of addresses has been reached.")
  }

  private static func address(_ allocation: String?, _ publicIP: String?, _ tx: Snapshot, _ scope: Scope) throws
    -> ElasticIPRecord
  {
    if let allocation { return try find(ElasticIPRecord.self, allocation, tx, scope) }
    guard let publicIP else { throw EC2Error.missing("AllocationId") }
    return try address(publicIP, try tx.list(ElasticIPRecord.self, scope))
  }

  private static func address(_ publicIP: String, _ all: [ElasticIPRecord]) throws -> ElasticIPRecord {
    guard let found = all.first(where: { $0.publicIP == publicIP }) else {
      throw AWSError("InvalidAddress.NotFound", "Address '\(publicIP)' not found.")
    }
    return found
  }

  // MARK: - Associations

  func associateAddress(_ input: EC2.AssociateAddressRequest, _ call: CallContext) async throws
    -> EC2.AssociateAddressResult
  {
    guard let interface = input.networkInterfaceId else {
      guard input.instanceId != nil else { throw EC2Error.missing("networkInterfaceId") }
      throw AWSError.notImplemented("ec2:AssociateAddress with an instance")
    }
    if input.dryRun == true { throw EC2Error.dryRun }
    let scope = call.scope
    let id = try await store.write { tx in
      var address = try Self.address(input.allocationId, input.publicIp, tx, scope)
      if address.association != nil, input.allowReassociation == false {
        throw AWSError("Resource.AlreadyAssociated", "resource \(address.id) is already associated")
      }
      try Self.refuseManaged(address, tx, scope)
      let id = call.ids.ec2("eipassoc")
      address.association = id
      address.interface = interface
      address.privateIP = input.privateIpAddress
      try tx.put(address, scope)
      return id
    }
    return .make { $0.associationId = id }
  }

  func disassociateAddress(_ input: EC2.DisassociateAddressRequest, _ call: CallContext) async throws -> Empty {
    if input.dryRun == true { throw EC2Error.dryRun }
    guard input.associationId != nil || input.publicIp != nil else { throw EC2Error.missing("AssociationId") }
    let scope = call.scope
    try await store.write { tx in
      let all = try tx.list(ElasticIPRecord.self, scope)
      var address: ElasticIPRecord
      if let association = input.associationId {
        guard let found = all.first(where: { $0.association == association }) else {
          throw AWSError("InvalidAssociationID.NotFound", "The association ID '\(association)' does not exist")
        }
        address = found
      } else {
        address = try Self.address(input.publicIp ?? "", all)
      }
      try Self.refuseManaged(address, tx, scope)
      address.association = nil
      address.interface = nil
      address.privateIP = nil
      try tx.put(address, scope)
    }
    return Empty()
  }

  /// What a NAT gateway holds is given back with the gateway, and in no other way.
  private static func refuseManaged(_ address: ElasticIPRecord, _ tx: Snapshot, _ scope: Scope) throws {
    guard let interface = address.interface else { return }
    let gateways = try tx.list(NATGatewayRecord.self, scope)
    guard gateways.contains(where: { $0.interface == interface && $0.deleted == nil }) else { return }
    throw AWSError("AuthFailure", "You do not have permission to access the specified resource.", status: 403)
  }

  func releaseAddress(_ input: EC2.ReleaseAddressRequest, _ call: CallContext) async throws -> Empty {
    if input.dryRun == true { throw EC2Error.dryRun }
    if let group = input.networkBorderGroup, group != call.region {
      throw EC2Error.invalid(group, "networkBorderGroup", "The address is not in this network border group.")
    }
    let scope = call.scope
    let held = try await heldByLoadBalancers(call)
    try await store.write { tx in
      let address = try Self.address(input.allocationId, input.publicIp, tx, scope)
      guard address.association == nil, !held.contains(address.id) else {
        throw AWSError("InvalidIPAddress.InUse", "Address \(address.publicIP) is in use.")
      }
      _ = try tx.delete(ElasticIPRecord.self, scope, address.id)
    }
    return Empty()
  }

  /// The allocations that network load balancers were made with; Elastic Load Balancing keeps them.
  private func heldByLoadBalancers(_ call: CallContext) async throws -> Set<String> {
    var held: Set<String> = []
    var marker: String?
    repeat {
      let from = marker
      let page: ELBv2.DescribeLoadBalancersOutput
      do {
        page = try await call.acting(as: "ec2.amazonaws.com").invoke(
          ELBv2.describeLoadBalancers, .make { $0.marker = from })
      } catch let error as AWSError where error.status == 501 {
        return []
      }
      for zone in (page.loadBalancers ?? []).flatMap({ $0.availabilityZones ?? [] }) {
        held.formUnion((zone.loadBalancerAddresses ?? []).compactMap(\.allocationId))
      }
      marker = page.nextMarker
    } while marker != nil
    return held
  }

  // MARK: - Descriptions

  func describeAddresses(_ input: EC2.DescribeAddressesRequest, _ call: CallContext) async throws
    -> EC2.DescribeAddressesResult
  {
    let wanted = input.publicIps ?? []
    if !wanted.isEmpty {
      let scope = call.scope
      let all = try await store.read { try $0.list(ElasticIPRecord.self, scope) }
      for ip in wanted { _ = try Self.address(ip, all) }
    }
    let (records, _) = try await select(
      ElasticIPRecord.self, call, ids: input.allocationIds, filters: input.filters, limit: nil, token: nil
    ) { Self.fields($0, call) }
    return .make {
      $0.addresses = records.filter { wanted.isEmpty || wanted.contains($0.publicIP) }.map { Self.answer($0, call) }
    }
  }

  /// What an address can be filtered by.
  private static func fields(_ address: ElasticIPRecord, _ call: CallContext) -> [String: [String]] {
    [
      "allocation-id": [address.id], "public-ip": [address.publicIP], "domain": ["vpc"], "instance-id": [],
      "association-id": address.association.map { [$0] } ?? [],
      "network-interface-id": address.interface.map { [$0] } ?? [],
      "network-interface-owner-id": address.interface.map { _ in [call.account] } ?? [],
      "private-ip-address": address.privateIP.map { [$0] } ?? [], "network-border-group": [call.region],
      "public-ipv4-pool": [poolName],
    ]
  }

  private static func answer(_ address: ElasticIPRecord, _ call: CallContext) -> EC2.Address {
    .make {
      $0.allocationId = address.id
      $0.publicIp = address.publicIP
      $0.domain = "vpc"
      $0.associationId = address.association
      $0.networkInterfaceId = address.interface
      $0.privateIpAddress = address.privateIP
      $0.networkInterfaceOwnerId = address.interface.map { _ in call.account }
      $0.publicIpv4Pool = poolName
      $0.networkBorderGroup = call.region
      $0.tags = address.tags.ec2
    }
  }

  // MARK: - Reverse names

  func describeAddressesAttribute(
    _ input: EC2.DescribeAddressesAttributeRequest, _ call: CallContext
  ) async throws -> EC2.DescribeAddressesAttributeResult {
    if input.dryRun == true { throw EC2Error.dryRun }
    // Only addresses that have the attribute are told of: that is how Terraform sees that one lost it.
    let (records, _) = try await select(
      ElasticIPRecord.self, call, ids: input.allocationIds, filters: nil, limit: nil, token: input.nextToken
    ) { Self.fields($0, call) }
    let named = records.filter { $0.reverseName != nil }
    let size = input.maxResults ?? named.count
    return .make {
      $0.addresses = named.prefix(size).map(Self.attribute)
      $0.nextToken = size > 0 && named.count > size ? named[size - 1].id : nil
    }
  }

  private static func attribute(_ address: ElasticIPRecord) -> EC2.AddressAttribute {
    .make {
      $0.allocationId = address.id
      $0.publicIp = address.publicIP
      $0.ptrRecord = address.reverseName
    }
  }

  func modifyAddressAttribute(
    _ input: EC2.ModifyAddressAttributeRequest, _ call: CallContext
  ) async throws -> EC2.ModifyAddressAttributeResult {
    guard let name = input.domainName else { throw EC2Error.missing("DomainName") }
    let labels = (name.hasSuffix(".") ? name.dropLast() : name[...]).split(
      separator: ".", omittingEmptySubsequences: false)
    let isName = labels.count > 1 && name.utf8.count <= 255 && labels.allSatisfy(Self.isLabel)
    guard isName else { throw EC2Error.invalid(name, "domainName", "It is not a fully qualified domain name.") }
    if input.dryRun == true { throw EC2Error.dryRun }
    let address = try await setReverseName(input.allocationId, labels.joined(separator: ".") + ".", call)
    return .make { $0.address = Self.attribute(address) }
  }

  private static func isLabel(_ label: Substring) -> Bool {
    (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
      && label.utf8.allSatisfy { (48...57).contains($0) || (97...122).contains($0 | 32) || $0 == 45 || $0 == 95 }
  }

  func resetAddressAttribute(
    _ input: EC2.ResetAddressAttributeRequest, _ call: CallContext
  ) async throws -> EC2.ResetAddressAttributeResult {
    if input.dryRun == true { throw EC2Error.dryRun }
    let address = try await setReverseName(input.allocationId, nil, call)
    return .make { $0.address = Self.attribute(address) }
  }

  private func setReverseName(_ id: String, _ name: String?, _ call: CallContext) async throws -> ElasticIPRecord {
    let scope = call.scope
    return try await store.write { tx in
      var address = try Self.find(ElasticIPRecord.self, id, tx, scope)
      address.reverseName = name
      try tx.put(address, scope)
      return address
    }
  }
}
