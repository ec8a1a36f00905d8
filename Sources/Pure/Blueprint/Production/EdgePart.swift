// The limit at the front door, and the VPN.

extension ProductionTemplate {
  mutating func shield() {
    guard let rate = blueprint.shield?.rate, hasPublicRoute else { return }
    out.group("The limit at the front door")
    func visibility(_ name: String) -> Piece {
      [
        "CloudWatchMetricsEnabled": true, "SampledRequestsEnabled": true,
        "MetricName": .sub("${AWS::StackName}-\(name)"),
      ]
    }
    out.add(
      "WebAcl", "AWS::WAFv2::WebACL",
      [
        (
          "Description",
          .text("At most \(rate.requests) requests in \(rate.windowSeconds) seconds from one address")
        ),
        ("Scope", "REGIONAL"), ("DefaultAction", ["Allow": [:]]),
        (
          "Rules",
          [
            [
              "Name": "requests", "Priority": 0, "Action": ["Block": [:]],
              "Statement": [
                "RateBasedStatement": [
                  "AggregateKeyType": "IP", "EvaluationWindowSec": .number(rate.windowSeconds),
                  "Limit": .number(rate.requests),
                ]
              ],
              "VisibilityConfig": visibility("requests"),
            ]
          ]
        ),
        ("VisibilityConfig", visibility("front-door")),
      ])
    out.add(
      "WebAclAssociation", "AWS::WAFv2::WebACLAssociation",
      [("ResourceArn", .ref("PublicLoadBalancer")), ("WebACLArn", .attribute("WebAcl", "Arn"))])
  }

  /// The limits that a castle's Gate keeps, as tags of the public load balancer: AWS keeps those without acting on them.
  var shieldTags: [Piece] {
    guard let shield = blueprint.shield else { return [] }
    let limits: [(String, String?)] = [
      ("connections", shield.connections.map { "\($0)" }), ("new-connections", shield.newConnections.map(Self.text)),
      ("requests", shield.requestsPerSecond.map(Self.text)),
    ]
    return limits.compactMap { key, value in
      value.map { ["Key": .text("castle:shield:\(key)"), "Value": .text($0)] }
    }
  }

  /// Whole numbers without a point.
  private static func text(_ number: Double) -> String {
    number == number.rounded() ? "\(Int(number))" : "\(number)"
  }

  mutating func vpns() {
    guard !blueprint.vpns.isEmpty else { return }
    out.group("The VPN")
    out.add("VpnGateway", "AWS::EC2::VPNGateway", [("Type", "ipsec.1"), named("vpn")])
    out.add(
      "VpnGatewayAttachment", "AWS::EC2::VPCGatewayAttachment",
      [("VpcId", .ref("Vpc")), ("VpnGatewayId", .ref("VpnGateway"))])
    out.add(
      "VpnRoutes", "AWS::EC2::VPNGatewayRoutePropagation",
      [
        ("RouteTableIds", [.ref("PrivateRoutesA"), .ref("PrivateRoutesB")]), ("VpnGatewayId", .ref("VpnGateway")),
      ],
      .init(dependsOn: ["VpnGatewayAttachment"]))
    for vpn in blueprint.vpns {
      let id = vpn.name.logical
      out.add(
        "\(id)Gateway", "AWS::EC2::CustomerGateway",
        [("Type", "ipsec.1"), ("BgpAsn", 65000), ("IpAddress", .text(vpn.peer)), named(vpn.name)])
      out.add(
        "\(id)Connection", "AWS::EC2::VPNConnection",
        [
          ("Type", "ipsec.1"), ("StaticRoutesOnly", true), ("CustomerGatewayId", .ref("\(id)Gateway")),
          ("VpnGatewayId", .ref("VpnGateway")), named(vpn.name),
        ])
      for (index, network) in vpn.networks.enumerated() {
        out.add(
          "\(id)Route\(index + 1)", "AWS::EC2::VPNConnectionRoute",
          [("DestinationCidrBlock", .text(network)), ("VpnConnectionId", .ref("\(id)Connection"))])
      }
      out.output("\(id)ConnectionId", "The VPN connection \(vpn.name)", .ref("\(id)Connection"))
    }
  }
}
