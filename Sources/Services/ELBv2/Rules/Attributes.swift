// The attributes of each kind of resource, as AWS documents them, with AWS's defaults.

import AWSCore

extension AttributeTable {
  private static func flag(_ key: String, _ standard: Bool = false, built: Set<String>? = nil) -> AttributeRule {
    AttributeRule(key: key, standard: standard ? "true" : "false", kind: .flag, built: built)
  }
  private static func text(_ key: String, built: Set<String>? = nil) -> AttributeRule {
    AttributeRule(key: key, standard: "", kind: .text, built: built)
  }
  private static func number(_ key: String, _ standard: Int, _ range: ClosedRange<Int>) -> AttributeRule {
    AttributeRule(key: key, standard: "\(standard)", kind: .number(range))
  }
  private static func choice(_ key: String, _ values: [String], built: Set<String>? = nil) -> AttributeRule {
    AttributeRule(key: key, standard: values.first ?? "", kind: .choice(values), built: built)
  }
  private static func threshold(
    _ key: String, _ standard: String, _ range: ClosedRange<Int>, built: Set<String>? = nil
  ) -> AttributeRule {
    AttributeRule(key: key, standard: standard, kind: .numberOrOff(range), built: built)
  }
  private static func log(_ name: String) -> [AttributeRule] {
    [flag("\(name).s3.enabled"), text("\(name).s3.bucket"), text("\(name).s3.prefix")]
  }

  // MARK: - Load balancers

  static func loadBalancer(_ kind: LoadBalancerKind) -> AttributeTable {
    kind == .network ? networkLoadBalancer : applicationLoadBalancer
  }

  private static let applicationLoadBalancer = AttributeTable(
    noun: "Load balancer",
    rules: log("access_logs") + log("connection_logs") + log("health_check_logs") + [
      number("client_keep_alive.seconds", 3600, 60...604_800),
      flag("deletion_protection.enabled"),
      number("idle_timeout.timeout_seconds", 60, 1...4000),
      flag("ipv6.deny_all_igw_traffic"),
      // It is always on: an application load balancer turns it off target group by target group.
      choice("load_balancing.cross_zone.enabled", ["true"]),
      choice("routing.http.desync_mitigation_mode", ["defensive", "monitor", "strictest"]),
      flag("routing.http.drop_invalid_header_fields.enabled"),
      flag("routing.http.preserve_host_header.enabled"),
      flag("routing.http.x_amzn_tls_version_and_cipher_suite.enabled"),
      flag("routing.http.xff_client_port.enabled"),
      choice("routing.http.xff_header_processing.mode", ["append", "preserve", "remove"]),
      flag("routing.http2.enabled", true),
      flag("waf.fail_open.enabled"),
      flag("zonal_shift.config.enabled"),
    ])

  private static let networkLoadBalancer = AttributeTable(
    noun: "Load balancer",
    rules: log("access_logs") + [
      flag("deletion_protection.enabled"),
      choice(
        "dns_record.client_routing_policy",
        ["any_availability_zone", "availability_zone_affinity", "partial_availability_zone_affinity"]),
      flag("ipv6.deny_all_igw_traffic"),
      flag("load_balancing.cross_zone.enabled"),
      number("secondary_ips.auto_assigned.per_subnet", 0, 0...7),
      flag("zonal_shift.config.enabled"),
    ])

  // MARK: - Target groups

  static func targetGroup(_ record: TargetGroupRecord) -> AttributeTable {
    targetGroup(protocolName: record.protocolName, targetType: record.targetType)
  }

  static func targetGroup(protocolName: String, targetType: String) -> AttributeTable {
    guard !["HTTP", "HTTPS"].contains(protocolName) else { return applicationTargetGroup }
    return targetType == "alb" ? balancerTargetGroup : networkTargetGroup(protocolName, targetType)
  }

  private static let health = [
    threshold("target_group_health.dns_failover.minimum_healthy_targets.count", "1", 1...1000),
    threshold("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", 1...100),
    threshold(
      "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1", 1...1000),
    threshold(
      "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off", 1...100),
  ]

  private static let applicationTargetGroup = AttributeTable(
    noun: "Target group",
    rules: [
      number("deregistration_delay.timeout_seconds", 300, 0...3600),
      choice("load_balancing.algorithm.anomaly_mitigation", ["off", "on"]),
      choice(
        "load_balancing.algorithm.type", ["round_robin", "least_outstanding_requests", "weighted_random"]),
      choice("load_balancing.cross_zone.enabled", ["use_load_balancer_configuration", "true", "false"]),
      number("slow_start.duration_seconds", 0, 0...900),
      flag("stickiness.enabled"),
      text("stickiness.app_cookie.cookie_name"),
      number("stickiness.app_cookie.duration_seconds", 86_400, 1...604_800),
      number("stickiness.lb_cookie.duration_seconds", 86_400, 1...604_800),
      choice("stickiness.type", ["lb_cookie", "app_cookie"]),
    ] + health)

  private static func networkTargetGroup(_ protocolName: String, _ targetType: String) -> AttributeTable {
    // The address of the client stays unless targets are reached by address over TCP or TLS.
    let preserves = targetType == "instance" || protocolName.contains("UDP")
    return AttributeTable(
      noun: "Target group",
      rules: [
        flag("deregistration_delay.connection_termination.enabled"),
        number("deregistration_delay.timeout_seconds", 300, 0...3600),
        choice("load_balancing.cross_zone.enabled", ["use_load_balancer_configuration", "true", "false"]),
        flag("preserve_client_ip.enabled", preserves),
        flag("proxy_protocol_v2.enabled"),
        flag("stickiness.enabled"),
        choice("stickiness.type", ["source_ip"]),
        flag(AttributeChecks.unhealthyTermination, true),
        number(AttributeChecks.unhealthyDraining, 0, 0...360_000),
      ] + health)
  }

  private static let balancerTargetGroup = AttributeTable(
    noun: "Target group",
    rules: [
      choice("load_balancing.cross_zone.enabled", ["use_load_balancer_configuration", "true", "false"]),
      flag("preserve_client_ip.enabled", true),
      flag("proxy_protocol_v2.enabled"),
    ] + health)

  // MARK: - Listeners

  static func listener(_ protocolName: String) -> AttributeTable {
    switch protocolName {
    case "HTTP": httpListener
    case "HTTPS": httpsListener
    case "TCP": tcpListener
    default: AttributeTable(noun: "Listener", rules: [])
    }
  }

  private static let httpRules =
    [flag("routing.http.response.server.enabled", true)]
    + [
      "access_control_allow_credentials", "access_control_allow_headers", "access_control_allow_methods",
      "access_control_allow_origin", "access_control_expose_headers", "access_control_max_age",
      "content_security_policy", "strict_transport_security", "x_content_type_options", "x_frame_options",
    ].map { AttributeRule(key: "routing.http.response.\($0).header_value", standard: "", kind: .headerValue) }

  private static let httpListener = AttributeTable(noun: "Listener", rules: httpRules)

  private static let httpsListener = AttributeTable(
    noun: "Listener",
    rules: [
      "mtls_clientcert_serial_number", "mtls_clientcert_issuer", "mtls_clientcert_subject", "mtls_clientcert_validity",
      "mtls_clientcert_leaf", "mtls_clientcert", "tls_version", "tls_cipher_suite",
    ].map { AttributeRule(key: "routing.http.request.x_amzn_\($0).header_name", standard: "", kind: .headerName) }
      + httpRules)

  private static let tcpListener = AttributeTable(
    noun: "Listener", rules: [number("tcp.idle_timeout.seconds", 350, 60...6000)])
}

/// What several attributes must be together.
enum AttributeChecks {
  static let unhealthyTermination = "target_health_state.unhealthy.connection_termination.enabled"
  static let unhealthyDraining = "target_health_state.unhealthy.draining_interval_seconds"

  /// - Throws: `InvalidConfigurationRequest`.
  static func loadBalancer(_ set: [String: String], _ kind: LoadBalancerKind) throws {
    let table = AttributeTable.loadBalancer(kind)
    for log in ["access_logs", "connection_logs", "health_check_logs"]
    where table.value("\(log).s3.enabled", set) == "true" {
      guard !table.value("\(log).s3.bucket", set).isEmpty else {
        throw ELBv2Error.invalidConfiguration("An S3 bucket must be specified when \(log).s3.enabled is true")
      }
      guard !table.value("\(log).s3.prefix", set).contains("AWSLogs") else {
        throw ELBv2Error.invalidConfiguration("The \(log).s3.prefix cannot contain 'AWSLogs'")
      }
    }
  }

  /// - Throws: `InvalidConfigurationRequest`.
  static func targetGroup(_ set: [String: String], _ table: AttributeTable) throws {
    let algorithm = table.value("load_balancing.algorithm.type", set)
    let slowStart = Int(table.value("slow_start.duration_seconds", set)) ?? 0
    guard slowStart == 0 || slowStart >= 30 else {
      throw ELBv2Error.invalidConfiguration("Slow start duration '\(slowStart)' must be '0' or between '30' and '900'")
    }
    guard slowStart == 0 || algorithm == "round_robin" else {
      throw ELBv2Error.invalidConfiguration(
        "Slow start mode cannot be used with the '\(algorithm)' load balancing algorithm")
    }
    guard (Int(table.value(unhealthyDraining, set)) ?? 0) == 0 || table.value(unhealthyTermination, set) == "false"
    else {
      throw ELBv2Error.invalidConfiguration(
        "The unhealthy draining interval can only be set when connection termination for unhealthy targets is disabled")
    }
    guard table.value("load_balancing.algorithm.anomaly_mitigation", set) != "on" || algorithm == "weighted_random"
    else {
      throw ELBv2Error.invalidConfiguration(
        "Anomaly mitigation can only be used with the 'weighted_random' load balancing algorithm")
    }
    if table.value("stickiness.enabled", set) == "true", table.value("stickiness.type", set) == "app_cookie" {
      let name = table.value("stickiness.app_cookie.cookie_name", set)
      guard !name.isEmpty else {
        throw ELBv2Error.invalidConfiguration("A cookie name must be specified for stickiness of type app_cookie")
      }
      guard !["AWSALB", "AWSALBAPP", "AWSALBTG"].contains(where: name.hasPrefix) else {
        throw ELBv2Error.invalidConfiguration("The cookie name '\(name)' is reserved by the load balancer")
      }
    }
  }
}
