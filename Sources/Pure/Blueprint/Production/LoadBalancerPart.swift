// The public and the internal load balancer, their target groups and rules.

extension ProductionTemplate {
  mutating func loadBalancers() {
    if hasPublicRoute {
      out.group("The public load balancer")
      loadBalancer("Public", scheme: "internet-facing", subnets: "Public") { $0.publicRoute }
    }
    if hasInternalRoute {
      out.group("The internal load balancer, through which services reach each other")
      loadBalancer("Internal", scheme: "internal", subnets: "Private") { $0.internalRoute }
      out.output("InternalUrl", "Where services reach each other", .sub("http://${InternalLoadBalancer.DNSName}"))
    }
  }

  private mutating func loadBalancer(
    _ kind: String, scheme: String, subnets: String, _ route: (Blueprint.Service) -> Blueprint.Route?
  ) {
    out.add(
      "\(kind)LoadBalancer", "AWS::ElasticLoadBalancingV2::LoadBalancer",
      [
        ("Type", "application"), ("Scheme", .text(scheme)), ("IpAddressType", "ipv4"),
        ("Subnets", [.ref("\(subnets)SubnetA"), .ref("\(subnets)SubnetB")]),
        ("SecurityGroups", [.attribute("\(kind)LoadBalancerSecurityGroup", "GroupId")]),
        (
          "LoadBalancerAttributes",
          [
            ["Key": "idle_timeout.timeout_seconds", "Value": "60"],
            ["Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"],
          ]
        ),
        named(kind.lowercased(), kind == "Public" ? shieldTags : []),
      ],
      .init(dependsOn: kind == "Public" ? ["InternetGatewayAttachment"] : []))
    let routed = blueprint.services.compactMap { service in route(service).map { (service, $0) } }
    for (service, route) in routed { targetGroup(kind, service, route) }
    let whole = routed.first { ["/", "/*"].contains($0.1.path) }
    out.add(
      "\(kind)Listener", "AWS::ElasticLoadBalancingV2::Listener",
      [
        ("LoadBalancerArn", .ref("\(kind)LoadBalancer")), ("Port", 80), ("Protocol", "HTTP"),
        ("DefaultActions", [whole.map { forward(kind, $0.0) } ?? notFound]),
      ])
    // The more a path says, the earlier it is asked.
    let rules = routed.filter { $0.0.name != whole?.0.name }
      .sorted { ($1.1.path.count, $0.1.path) < ($0.1.path.count, $1.1.path) }
    for (index, (service, route)) in rules.enumerated() {
      let patterns: [Piece] =
        route.path.contains("*") || route.path.hasSuffix("/")
        ? [.text(route.path)] : [.text(route.path), .text(route.path + "/*")]
      out.add(
        "\(service.name.logical)\(kind)Rule", "AWS::ElasticLoadBalancingV2::ListenerRule",
        [
          ("ListenerArn", .ref("\(kind)Listener")), ("Priority", .number((index + 1) * 10)),
          ("Conditions", [["Field": "path-pattern", "PathPatternConfig": ["Values": .list(patterns)]]]),
          ("Actions", [forward(kind, service)]),
        ])
    }
  }

  /// The listener or the rule that a service must wait for, since ECS refuses a target group without a load balancer.
  func entrance(_ kind: String, _ service: Blueprint.Service) -> String {
    let route = kind == "Public" ? service.publicRoute : service.internalRoute
    let isWhole = route.map { ["/", "/*"].contains($0.path) } ?? false
    return isWhole ? "\(kind)Listener" : "\(service.name.logical)\(kind)Rule"
  }

  private func forward(_ kind: String, _ service: Blueprint.Service) -> Piece {
    ["Type": "forward", "TargetGroupArn": .ref("\(service.name.logical)\(kind)Targets")]
  }

  private var notFound: Piece {
    [
      "Type": "fixed-response",
      "FixedResponseConfig": ["StatusCode": "404", "ContentType": "text/plain", "MessageBody": "Not found"],
    ]
  }

  private mutating func targetGroup(_ kind: String, _ service: Blueprint.Service, _ route: Blueprint.Route) {
    out.add(
      "\(service.name.logical)\(kind)Targets", "AWS::ElasticLoadBalancingV2::TargetGroup",
      [
        ("TargetType", "ip"), ("VpcId", .ref("Vpc")), ("Protocol", "HTTP"), ("Port", .number(service.port)),
        ("HealthCheckPath", .text(route.health)), ("HealthCheckIntervalSeconds", 5),
        ("HealthCheckTimeoutSeconds", 2), ("HealthyThresholdCount", 2), ("UnhealthyThresholdCount", 2),
        ("Matcher", ["HttpCode": "200-299"]),
        (
          "TargetGroupAttributes",
          [["Key": "deregistration_delay.timeout_seconds", "Value": "10"]]
        ),
        named("\(service.name)-\(kind.lowercased())"),
      ])
  }
}
