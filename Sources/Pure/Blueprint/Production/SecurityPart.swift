// Security groups: a door is open only where `uses` or a route leads through it.

extension ProductionTemplate {
  mutating func security() {
    out.group("Who may connect to whom")
    if hasPublicRoute {
      let world: Piece = [
        "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0", "Description": "HTTP from everywhere",
      ]
      group("PublicLoadBalancer", "The public load balancer", ingress: [world])
    }
    if hasInternalRoute {
      let offices = blueprint.vpns.flatMap { vpn in
        vpn.networks.map { network -> Piece in
          [
            "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": .text(network),
            "Description": .text("HTTP through the VPN \(vpn.name)"),
          ]
        }
      }
      group("InternalLoadBalancer", "The internal load balancer", ingress: offices)
    }
    for service in blueprint.services { group(service.name.logical, "The service \(service.name)") }
    for database in blueprint.databases {
      group(database.name.logical, "The database \(database.name)", isIsolated: true)
    }
    for cache in blueprint.caches { group(cache.name.logical, "The cache \(cache.name)", isIsolated: true) }
    for service in blueprint.services { doors(of: service) }
  }

  private mutating func group(_ name: String, _ description: String, ingress: [Piece] = [], isIsolated: Bool = false) {
    var properties: [(String, Piece)] = [("GroupDescription", .text(description)), ("VpcId", .ref("Vpc"))]
    if !ingress.isEmpty { properties.append(("SecurityGroupIngress", .list(ingress))) }
    if isIsolated {
      // A rule that lets nothing out: without any, EC2 lets everything out.
      properties.append(
        (
          "SecurityGroupEgress",
          [["IpProtocol": "-1", "CidrIp": "127.0.0.1/32", "Description": "Nothing goes out"]]
        ))
    }
    properties.append(named(String(description.lowercased().dropFirst(4).replacing(" ", with: "-"))))
    out.add("\(name)SecurityGroup", "AWS::EC2::SecurityGroup", properties)
  }

  private mutating func doors(of service: Blueprint.Service) {
    let id = service.name.logical
    if service.publicRoute != nil { door(to: id, from: "PublicLoadBalancer", port: .number(service.port)) }
    if service.internalRoute != nil { door(to: id, from: "InternalLoadBalancer", port: .number(service.port)) }
    var reachesInternal = false
    for use in service.uses {
      if let target = blueprint.services.first(where: { $0.name == use }) {
        reachesInternal = reachesInternal || target.internalRoute != nil
      } else if blueprint.databases.contains(where: { $0.name == use }) {
        door(to: use.logical, from: id, port: 5432)
      } else if blueprint.caches.contains(where: { $0.name == use }) {
        door(to: use.logical, from: id, port: 6379)
      }
    }
    if reachesInternal { door(to: "InternalLoadBalancer", from: id, port: 80) }
  }

  private mutating func door(to: String, from: String, port: Piece) {
    out.add(
      "\(to)From\(from)", "AWS::EC2::SecurityGroupIngress",
      [
        ("GroupId", .attribute("\(to)SecurityGroup", "GroupId")), ("IpProtocol", "tcp"), ("FromPort", port),
        ("ToPort", port), ("SourceSecurityGroupId", .attribute("\(from)SecurityGroup", "GroupId")),
      ])
  }
}
