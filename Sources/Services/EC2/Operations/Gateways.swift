// Internet gateways and NAT gateways.

import AWSCore
import AWSWire
import EC2Model
import ServiceKit
import Store

extension EC2Service {
  // MARK: - Internet gateways

  func createInternetGateway(
    _ input: EC2.CreateInternetGatewayRequest, _ call: CallContext
  ) async throws -> EC2.CreateInternetGatewayResult {
    let gateway = InternetGatewayRecord(
      id: call.ids.ec2("igw"), tags: Dictionary(input.tagSpecifications, for: "internet-gateway"))
    try await store.write { tx in try tx.put(gateway, call.scope) }
    return .make { $0.internetGateway = Self.answer(gateway, call) }
  }

  static func answer(_ gateway: InternetGatewayRecord, _ call: CallContext) -> EC2.InternetGateway {
    .make {
      $0.internetGatewayId = gateway.id
      $0.ownerId = call.account
      $0.tags = gateway.tags.ec2
      $0.attachments =
        gateway.vpc.map { vpc in
          [
            .make {
              $0.vpcId = vpc
              $0.state = "available"
            }
          ]
        } ?? []
    }
  }

  func attachInternetGateway(_ input: EC2.AttachInternetGatewayRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.scope
    try await store.write { tx in
      var gateway = try Self.find(InternetGatewayRecord.self, input.internetGatewayId, tx, scope)
      let vpc = try Self.find(VPCRecord.self, input.vpcId, tx, scope)
      if let held = gateway.vpc {
        throw AWSError("Resource.AlreadyAssociated", "resource \(gateway.id) is already attached to network \(held)")
      }
      if try tx.list(InternetGatewayRecord.self, scope).contains(where: { $0.vpc == vpc.id }) {
        throw EC2Error.invalid(vpc.id, "vpcId", "Network \(vpc.id) already has an internet gateway attached")
      }
      gateway.vpc = vpc.id
      try tx.put(gateway, scope)
    }
    return Empty()
  }

  func detachInternetGateway(_ input: EC2.DetachInternetGatewayRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.scope
    try await store.write { tx in
      var gateway = try Self.find(InternetGatewayRecord.self, input.internetGatewayId, tx, scope)
      guard gateway.vpc == input.vpcId else {
        throw AWSError("Gateway.NotAttached", "resource \(gateway.id) is not attached to network \(input.vpcId)")
      }
      gateway.vpc = nil
      try tx.put(gateway, scope)
    }
    return Empty()
  }

  func deleteInternetGateway(_ input: EC2.DeleteInternetGatewayRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.scope
    try await store.write { tx in
      let gateway = try Self.find(InternetGatewayRecord.self, input.internetGatewayId, tx, scope)
      guard gateway.vpc == nil else { throw EC2Error.dependency("internetGateway", gateway.id) }
      _ = try tx.delete(InternetGatewayRecord.self, scope, gateway.id)
    }
    return Empty()
  }

  func describeInternetGateways(
    _ input: EC2.DescribeInternetGatewaysRequest, _ call: CallContext
  ) async throws -> EC2.DescribeInternetGatewaysResult {
    let (records, next) = try await select(
      InternetGatewayRecord.self, call, ids: input.internetGatewayIds, filters: input.filters, limit: input.maxResults,
      token: input.nextToken
    ) { gateway in
      [
        "internet-gateway-id": [gateway.id], "attachment.vpc-id": gateway.vpc.map { [$0] } ?? [],
        "attachment.state": gateway.vpc == nil ? [] : ["available"], "owner-id": [call.account],
      ]
    }
    return .make {
      $0.internetGateways = records.map { Self.answer($0, call) }
      $0.nextToken = next
    }
  }

  // MARK: - NAT gateways

  func createNatGateway(_ input: EC2.CreateNatGatewayRequest, _ call: CallContext) async throws
    -> EC2.CreateNatGatewayResult
  {
    guard let subnetID = input.subnetId else {
      if input.vpcId != nil { throw AWSError.notImplemented("ec2:CreateNatGateway of a regional gateway") }
      throw EC2Error.missing("subnetId")
    }
    let connectivity = input.connectivityType ?? "public"
    if connectivity == "public", input.allocationId == nil { throw EC2Error.missing("AllocationId") }
    let tags = Dictionary(input.tagSpecifications, for: "natgateway")
    let scope = call.scope
    let (gateway, address) = try await store.write { tx in
      let subnet = try Self.find(SubnetRecord.self, subnetID, tx, scope)
      // The fourth address and up: AWS keeps the first ones of a subnet.
      let number = UInt32(try tx.nextNumber("ec2.nat.\(subnet.id)", scope)) + 4
      let privateIP = input.privateIpAddress ?? CIDR(subnet.cidr)?.address(number) ?? ""
      var gateway = NATGatewayRecord(
        id: call.ids.ec2("nat"), tags: tags, vpc: subnet.vpc, subnet: subnet.id, allocation: input.allocationId,
        connectivity: connectivity, privateIP: privateIP, interface: call.ids.ec2("eni"), created: call.now)
      var address: ElasticIPRecord?
      if let allocation = input.allocationId {
        var found = try Self.find(ElasticIPRecord.self, allocation, tx, scope)
        guard found.association == nil else {
          throw AWSError("Resource.AlreadyAssociated", "Elastic IP address [\(allocation)] is already associated")
        }
        found.association = call.ids.ec2("eipassoc")
        found.interface = gateway.interface
        found.privateIP = privateIP
        gateway.association = found.association
        try tx.put(found, scope)
        address = found
      }
      try tx.put(gateway, scope)
      return (gateway, address)
    }
    return .make {
      $0.clientToken = input.clientToken
      $0.natGateway = Self.answer(gateway, address)
    }
  }

  static func answer(_ gateway: NATGatewayRecord, _ address: ElasticIPRecord?) -> EC2.NatGateway {
    .make {
      $0.natGatewayId = gateway.id
      $0.vpcId = gateway.vpc
      $0.subnetId = gateway.subnet
      $0.connectivityType = gateway.connectivity
      $0.createTime = gateway.created
      $0.deleteTime = gateway.deleted
      $0.state = gateway.deleted == nil ? "available" : "deleted"
      $0.tags = gateway.tags.ec2
      $0.natGatewayAddresses = [
        .make {
          $0.allocationId = gateway.allocation
          $0.associationId = gateway.association
          $0.networkInterfaceId = gateway.interface
          $0.privateIp = gateway.privateIP
          $0.publicIp = address?.publicIP
          $0.isPrimary = true
          $0.status = "succeeded"
        }
      ]
    }
  }

  func deleteNatGateway(_ input: EC2.DeleteNatGatewayRequest, _ call: CallContext) async throws
    -> EC2.DeleteNatGatewayResult
  {
    let scope = call.scope
    try await store.write { tx in
      guard var gateway = try tx.get(NATGatewayRecord.self, scope, input.natGatewayId) else {
        throw AWSError("NatGatewayNotFound", "NatGateway \(input.natGatewayId) was not found")
      }
      if let allocation = gateway.allocation, var address = try tx.get(ElasticIPRecord.self, scope, allocation) {
        address.association = nil
        address.interface = nil
        address.privateIP = nil
        try tx.put(address, scope)
      }
      // A deleted gateway is seen for about an hour.
      gateway.deleted = call.now
      try tx.put(gateway, scope)
      for old in try tx.list(NATGatewayRecord.self, scope) {
        if let deleted = old.deleted, call.now > deleted.adding(seconds: 3600) {
          _ = try tx.delete(NATGatewayRecord.self, scope, old.id)
        }
      }
    }
    return .make { $0.natGatewayId = input.natGatewayId }
  }

  func describeNatGateways(
    _ input: EC2.DescribeNatGatewaysRequest, _ call: CallContext
  ) async throws -> EC2.DescribeNatGatewaysResult {
    let (records, next) = try await select(
      NATGatewayRecord.self, call, ids: input.natGatewayIds, filters: input.filter, limit: input.maxResults,
      token: input.nextToken
    ) { gateway in
      [
        "nat-gateway-id": [gateway.id], "vpc-id": [gateway.vpc], "subnet-id": [gateway.subnet],
        "state": [gateway.deleted == nil ? "available" : "deleted"],
      ]
    }
    let scope = call.scope
    let addresses = try await store.read { try $0.list(ElasticIPRecord.self, scope) }
    let byID = Dictionary(addresses.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
    return .make {
      $0.natGateways = records.map { gateway in Self.answer(gateway, gateway.allocation.flatMap { byID[$0] }) }
      $0.nextToken = next
    }
  }
}
