// The VPC: public, private and data subnets in two zones.

extension ProductionTemplate {
  private static let zones = ["A", "B"]

  mutating func network() {
    out.group("The network: public subnets for load balancers, private ones for services, isolated ones for data")
    out.add(
      "Vpc", "AWS::EC2::VPC",
      [("CidrBlock", "10.0.0.0/16"), ("EnableDnsHostnames", true), ("EnableDnsSupport", true), named("vpc")])
    out.add("InternetGateway", "AWS::EC2::InternetGateway", [named("internet")])
    out.add(
      "InternetGatewayAttachment", "AWS::EC2::VPCGatewayAttachment",
      [("VpcId", .ref("Vpc")), ("InternetGatewayId", .ref("InternetGateway"))])
    for (index, zone) in Self.zones.enumerated() {
      subnet("PublicSubnet\(zone)", zone: index, block: "10.0.\(index * 16).0/20", name: "public-\(zone.lowercased())")
    }
    for (index, zone) in Self.zones.enumerated() {
      let block = "10.0.\(64 + index * 32).0/19"
      subnet("PrivateSubnet\(zone)", zone: index, block: block, name: "private-\(zone.lowercased())")
    }
    if hasData {
      for (index, zone) in Self.zones.enumerated() {
        subnet(
          "DataSubnet\(zone)", zone: index, block: "10.0.\(160 + index * 16).0/20", name: "data-\(zone.lowercased())")
      }
    }
    natGateways()
    routes()
  }

  private mutating func subnet(_ id: String, zone: Int, block: String, name: String) {
    out.add(
      id, "AWS::EC2::Subnet",
      [
        ("VpcId", .ref("Vpc")), ("CidrBlock", .text(block)),
        ("AvailabilityZone", .call("Select", [.number(zone), .call("GetAZs", "")])), named(name),
      ])
  }

  private mutating func natGateways() {
    for zone in Self.zones {
      let condition = zone == "A" ? nil : "NatPerZone"
      out.add(
        "NatAddress\(zone)", "AWS::EC2::EIP", [("Domain", "vpc"), named("nat-\(zone.lowercased())")],
        .init(condition: condition, dependsOn: ["InternetGatewayAttachment"]))
      out.add(
        "NatGateway\(zone)", "AWS::EC2::NatGateway",
        [
          ("AllocationId", .attribute("NatAddress\(zone)", "AllocationId")),
          ("SubnetId", .ref("PublicSubnet\(zone)")), named("nat-\(zone.lowercased())"),
        ],
        .init(condition: condition))
    }
  }

  private mutating func routes() {
    table("PublicRoutes", name: "public", subnets: ["PublicSubnetA", "PublicSubnetB"])
    out.add(
      "PublicRoute", "AWS::EC2::Route",
      [
        ("RouteTableId", .ref("PublicRoutes")), ("DestinationCidrBlock", "0.0.0.0/0"),
        ("GatewayId", .ref("InternetGateway")),
      ],
      .init(dependsOn: ["InternetGatewayAttachment"]))
    for zone in Self.zones {
      table("PrivateRoutes\(zone)", name: "private-\(zone.lowercased())", subnets: ["PrivateSubnet\(zone)"])
      let gateway: Piece =
        zone == "A" ? .ref("NatGatewayA") : .choose("NatPerZone", .ref("NatGatewayB"), .ref("NatGatewayA"))
      out.add(
        "PrivateRoute\(zone)", "AWS::EC2::Route",
        [
          ("RouteTableId", .ref("PrivateRoutes\(zone)")), ("DestinationCidrBlock", "0.0.0.0/0"),
          ("NatGatewayId", gateway),
        ])
    }
    if hasData { table("DataRoutes", name: "data", subnets: ["DataSubnetA", "DataSubnetB"]) }
  }

  private mutating func table(_ id: String, name: String, subnets: [String]) {
    out.add(id, "AWS::EC2::RouteTable", [("VpcId", .ref("Vpc")), named(name)])
    for subnet in subnets {
      out.add(
        "\(subnet)Routes", "AWS::EC2::SubnetRouteTableAssociation",
        [("SubnetId", .ref(subnet)), ("RouteTableId", .ref(id))])
    }
  }
}
