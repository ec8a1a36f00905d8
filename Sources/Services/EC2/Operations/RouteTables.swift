// Route tables, their routes and associations.

import AWSCore
import AWSWire
import EC2Model
import ServiceKit
import Store

extension EC2Service {
  func createRouteTable(_ input: EC2.CreateRouteTableRequest, _ call: CallContext) async throws
    -> EC2.CreateRouteTableResult
  {
    let tags = Dictionary(input.tagSpecifications, for: "route-table")
    let scope = call.scope
    let table = try await store.write { tx in
      let vpc = try Self.find(VPCRecord.self, input.vpcId, tx, scope)
      let table = RouteTableRecord(
        id: call.ids.ec2("rtb"), tags: tags, vpc: vpc.id,
        routes: [RouteEntry(destination: vpc.cidr, target: "local", origin: "CreateRouteTable")])
      try tx.put(table, scope)
      return table
    }
    return .make { $0.routeTable = Self.answer(table, call) }
  }

  static func answer(_ table: RouteTableRecord, _ call: CallContext) -> EC2.RouteTable {
    .make {
      $0.routeTableId = table.id
      $0.vpcId = table.vpc
      $0.ownerId = call.account
      $0.tags = table.tags.ec2
      $0.propagatingVgws = []
      $0.routes = table.routes.map { route in
        .make {
          if route.destination.hasPrefix("pl-") {
            $0.destinationPrefixListId = route.destination
          } else if route.destination.contains(":") {
            $0.destinationIpv6CidrBlock = route.destination
          } else {
            $0.destinationCidrBlock = route.destination
          }
          $0.origin = route.origin
          $0.state = "active"
          switch route.target.prefix(while: { $0 != "-" }) {
          case "nat": $0.natGatewayId = route.target
          case "eni": $0.networkInterfaceId = route.target
          case "pcx": $0.vpcPeeringConnectionId = route.target
          case "tgw": $0.transitGatewayId = route.target
          default: $0.gatewayId = route.target
          }
        }
      }
      $0.associations = table.associations.map { association in
        .make {
          $0.routeTableAssociationId = association.id
          $0.routeTableId = table.id
          $0.subnetId = association.subnet
          $0.gatewayId = association.gateway
          $0.main = association.isMain
          $0.associationState = .make { $0.state = "associated" }
        }
      }
    }
  }

  func deleteRouteTable(_ input: EC2.DeleteRouteTableRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.scope
    try await store.write { tx in
      let table = try Self.find(RouteTableRecord.self, input.routeTableId, tx, scope)
      guard table.associations.isEmpty else { throw EC2Error.dependency("routeTable", table.id) }
      _ = try tx.delete(RouteTableRecord.self, scope, table.id)
    }
    return Empty()
  }

  func describeRouteTables(
    _ input: EC2.DescribeRouteTablesRequest, _ call: CallContext
  ) async throws -> EC2.DescribeRouteTablesResult {
    let (records, next) = try await select(
      RouteTableRecord.self, call, ids: input.routeTableIds, filters: input.filters, limit: input.maxResults,
      token: input.nextToken
    ) { table in
      [
        "route-table-id": [table.id], "vpc-id": [table.vpc], "owner-id": [call.account],
        "association.main": table.associations.map { "\($0.isMain)" },
        "association.subnet-id": table.associations.compactMap(\.subnet),
        "association.gateway-id": table.associations.compactMap(\.gateway),
        "association.route-table-association-id": table.associations.map(\.id),
        "association.route-table-id": [table.id],
        "route.destination-cidr-block": table.routes.map(\.destination),
        "route.gateway-id": table.routes.map(\.target).filter { $0.hasPrefix("igw-") || $0 == "local" },
        "route.nat-gateway-id": table.routes.map(\.target).filter { $0.hasPrefix("nat-") },
        "route.origin": table.routes.map(\.origin), "route.state": ["active"],
      ]
    }
    return .make {
      $0.routeTables = records.map { Self.answer($0, call) }
      $0.nextToken = next
    }
  }

  // MARK: - Routes

  private struct Wanted: Sendable {
    var destination: String
    var target: String
  }

  private static func destination(_ cidr: String?, _ ipv6: String?, _ list: String?) throws -> String {
    if let cidr {
      guard let network = CIDR(cidr) else {
        throw EC2Error.invalid(cidr, "destinationCidrBlock", "This is not a valid CIDR block.")
      }
      return network.description
    }
    guard let other = ipv6 ?? list else { throw EC2Error.missing("destinationCidrBlock") }
    return other
  }

  private func check(_ wanted: Wanted, _ tx: Transaction, _ scope: Scope) throws {
    if wanted.target.hasPrefix("igw-") { _ = try Self.find(InternetGatewayRecord.self, wanted.target, tx, scope) }
    if wanted.target.hasPrefix("nat-") { _ = try Self.find(NATGatewayRecord.self, wanted.target, tx, scope) }
  }

  func createRoute(_ input: EC2.CreateRouteRequest, _ call: CallContext) async throws -> EC2.CreateRouteResult {
    let targets = [
      input.gatewayId, input.natGatewayId, input.networkInterfaceId, input.vpcPeeringConnectionId,
      input.transitGatewayId,
      input.vpcEndpointId, input.instanceId, input.egressOnlyInternetGatewayId,
    ].compactMap { $0 }
    guard targets.count == 1 else {
      throw AWSError("InvalidParameterCombination", "Exactly one of the route's targets must be given.")
    }
    let wanted = Wanted(
      destination: try Self.destination(
        input.destinationCidrBlock, input.destinationIpv6CidrBlock, input.destinationPrefixListId), target: targets[0])
    let scope = call.scope
    try await store.write { tx in
      var table = try Self.find(RouteTableRecord.self, input.routeTableId, tx, scope)
      try check(wanted, tx, scope)
      if table.routes.contains(where: { $0.destination == wanted.destination }) {
        throw AWSError("RouteAlreadyExists", "The route identified by \(wanted.destination) already exists.")
      }
      table.routes.append(RouteEntry(destination: wanted.destination, target: wanted.target, origin: "CreateRoute"))
      try tx.put(table, scope)
    }
    return .make { $0.return = true }
  }

  func replaceRoute(_ input: EC2.ReplaceRouteRequest, _ call: CallContext) async throws -> Empty {
    let targets = [
      input.gatewayId, input.natGatewayId, input.networkInterfaceId, input.vpcPeeringConnectionId,
      input.transitGatewayId,
      input.vpcEndpointId, input.instanceId, input.egressOnlyInternetGatewayId,
      input.localTarget == true ? "local" : nil,
    ].compactMap { $0 }
    guard targets.count == 1 else {
      throw AWSError("InvalidParameterCombination", "Exactly one of the route's targets must be given.")
    }
    let wanted = Wanted(
      destination: try Self.destination(
        input.destinationCidrBlock, input.destinationIpv6CidrBlock, input.destinationPrefixListId), target: targets[0])
    let scope = call.scope
    try await store.write { tx in
      var table = try Self.find(RouteTableRecord.self, input.routeTableId, tx, scope)
      try check(wanted, tx, scope)
      guard let at = table.routes.firstIndex(where: { $0.destination == wanted.destination }) else {
        throw AWSError(
          "InvalidRoute.NotFound",
          "no route with destination-cidr-block \(wanted.destination) in route table \(table.id)")
      }
      table.routes[at].target = wanted.target
      try tx.put(table, scope)
    }
    return Empty()
  }

  func deleteRoute(_ input: EC2.DeleteRouteRequest, _ call: CallContext) async throws -> Empty {
    let destination = try Self.destination(
      input.destinationCidrBlock, input.destinationIpv6CidrBlock, input.destinationPrefixListId)
    let scope = call.scope
    try await store.write { tx in
      var table = try Self.find(RouteTableRecord.self, input.routeTableId, tx, scope)
      guard let at = table.routes.firstIndex(where: { $0.destination == destination }) else {
        throw AWSError(
          "InvalidRoute.NotFound", "no route with destination-cidr-block \(destination) in route table \(table.id)")
      }
      guard table.routes[at].target != "local" else {
        throw AWSError("InvalidParameterValue", "cannot remove local route \(destination) in route table \(table.id)")
      }
      table.routes.remove(at: at)
      try tx.put(table, scope)
    }
    return Empty()
  }

  // MARK: - Associations

  func associateRouteTable(
    _ input: EC2.AssociateRouteTableRequest, _ call: CallContext
  ) async throws -> EC2.AssociateRouteTableResult {
    let scope = call.scope
    let id = try await store.write { tx in
      var table = try Self.find(RouteTableRecord.self, input.routeTableId, tx, scope)
      if let subnet = input.subnetId {
        let found = try Self.find(SubnetRecord.self, subnet, tx, scope)
        for other in try tx.find(RouteTableRecord.self, scope, index: "vpc", found.vpc)
        where other.associations.contains(where: { $0.subnet == subnet }) {
          throw AWSError(
            "Resource.AlreadyAssociated",
            "the specified association for route table \(other.id) conflicts with an existing association")
        }
      } else if input.gatewayId == nil {
        throw EC2Error.missing("subnetId")
      }
      let association = RouteAssociation(
        id: call.ids.ec2("rtbassoc"), subnet: input.subnetId, gateway: input.gatewayId)
      table.associations.append(association)
      try tx.put(table, scope)
      return association.id
    }
    return .make {
      $0.associationId = id
      $0.associationState = .make { $0.state = "associated" }
    }
  }

  private static func tableWithAssociation(_ id: String, _ tx: Transaction, _ scope: Scope) throws -> RouteTableRecord {
    for table in try tx.list(RouteTableRecord.self, scope) where table.associations.contains(where: { $0.id == id }) {
      return table
    }
    throw AWSError("InvalidAssociationID.NotFound", "The association ID '\(id)' does not exist")
  }

  func disassociateRouteTable(_ input: EC2.DisassociateRouteTableRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.scope
    try await store.write { tx in
      var table = try Self.tableWithAssociation(input.associationId, tx, scope)
      if table.associations.contains(where: { $0.id == input.associationId && $0.isMain }) {
        throw AWSError(
          "InvalidParameterValue", "cannot disassociate the main route table association \(input.associationId)")
      }
      table.associations.removeAll { $0.id == input.associationId }
      try tx.put(table, scope)
    }
    return Empty()
  }

  func replaceRouteTableAssociation(
    _ input: EC2.ReplaceRouteTableAssociationRequest, _ call: CallContext
  ) async throws -> EC2.ReplaceRouteTableAssociationResult {
    let scope = call.scope
    let new = try await store.write { tx in
      var old = try Self.tableWithAssociation(input.associationId, tx, scope)
      guard let at = old.associations.firstIndex(where: { $0.id == input.associationId }) else {
        throw AWSError("InvalidAssociationID.NotFound", "The association ID '\(input.associationId)' does not exist")
      }
      var moved = old.associations.remove(at: at)
      try tx.put(old, scope)
      var table = try Self.find(RouteTableRecord.self, input.routeTableId, tx, scope)
      moved.id = call.ids.ec2("rtbassoc")
      table.associations.append(moved)
      try tx.put(table, scope)
      return moved.id
    }
    return .make {
      $0.newAssociationId = new
      $0.associationState = .make { $0.state = "associated" }
    }
  }
}
