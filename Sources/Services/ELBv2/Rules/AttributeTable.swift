// The attributes of load balancers, target groups and listeners: keys, defaults, and which values are understood.

import AWSCore

/// One attribute.
struct AttributeRule: Sendable {
  enum Kind: Sendable {
    case flag
    case number(ClosedRange<Int>)
    case choice([String])
    /// A number in the range, or `off`.
    case numberOrOff(ClosedRange<Int>)
    case text
  }
  var key: String
  var standard: String
  var kind: Kind
  /// The values that Castle can do; nil for all of them. Another one is answered with 501.
  var built: Set<String>?
}

/// The attributes that one kind of resource has.
struct AttributeTable: Sendable {
  /// `Load balancer`, for messages.
  var noun: String
  var rules: [AttributeRule]

  /// All attributes with their values, in the table's order.
  func all(_ set: [String: String]) -> [(key: String, value: String)] {
    rules.map { ($0.key, set[$0.key] ?? $0.standard) }
  }

  func value(_ key: String, _ set: [String: String]) -> String {
    set[key] ?? rules.first { $0.key == key }?.standard ?? ""
  }

  /// The attributes after some were changed.
  /// - Throws: `InvalidConfigurationRequest` for unknown keys and bad values, 501 for what is not built.
  func changed(_ old: [String: String], by changes: [(key: String, value: String)]) throws -> [String: String] {
    guard !changes.isEmpty else { throw ELBv2Error.validation("At least one attribute must be specified") }
    guard Set(changes.map(\.key)).count == changes.count else {
      throw ELBv2Error.invalidConfiguration("\(noun) attribute keys cannot be repeated")
    }
    var new = old
    for (key, value) in changes {
      guard let rule = rules.first(where: { $0.key == key }) else {
        throw ELBv2Error.invalidConfiguration("\(noun) attribute key '\(key)' is not recognized")
      }
      try check(rule, value)
      new[key] = value
    }
    return new
  }

  private func check(_ rule: AttributeRule, _ value: String) throws {
    func refuse(_ allowed: String) -> AWSError {
      ELBv2Error.invalidConfiguration(
        "\(noun) attribute value '\(value)' is not valid for the key '\(rule.key)'; it must be \(allowed)")
    }
    switch rule.kind {
    case .flag: if value != "true" && value != "false" { throw refuse("'true' or 'false'") }
    case .number(let range):
      guard let number = Int(value), range.contains(number) else {
        throw refuse("between '\(range.lowerBound)' and '\(range.upperBound)'")
      }
    case .numberOrOff(let range):
      if value != "off" {
        guard let number = Int(value), range.contains(number) else {
          throw refuse("'off' or between '\(range.lowerBound)' and '\(range.upperBound)'")
        }
      }
    case .choice(let values): if !values.contains(value) { throw refuse("one of '\(values.joined(separator: ", "))'") }
    case .text: break
    }
    if let built = rule.built, !built.contains(value) {
      throw AWSError.notImplemented("the \(noun.lowercased()) attribute \(rule.key)=\(value)")
    }
  }
}

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

  /// An application load balancer's.
  static let loadBalancer = AttributeTable(
    noun: "Load balancer",
    rules: [
      flag("access_logs.s3.enabled", built: ["false"]), text("access_logs.s3.bucket"), text("access_logs.s3.prefix"),
      flag("connection_logs.s3.enabled", built: ["false"]), text("connection_logs.s3.bucket"),
      text("connection_logs.s3.prefix"),
      flag("health_check_logs.s3.enabled", built: ["false"]), text("health_check_logs.s3.bucket"),
      text("health_check_logs.s3.prefix"),
      number("client_keep_alive.seconds", 3600, 60...604_800),
      flag("deletion_protection.enabled"),
      number("idle_timeout.timeout_seconds", 60, 1...4000),
      flag("ipv6.deny_all_igw_traffic"),
      flag("load_balancing.cross_zone.enabled", true),
      choice(
        "routing.http.desync_mitigation_mode", ["defensive", "monitor", "strictest"], built: ["defensive", "monitor"]),
      flag("routing.http.drop_invalid_header_fields.enabled"),
      flag("routing.http.preserve_host_header.enabled"),
      flag("routing.http.x_amzn_tls_version_and_cipher_suite.enabled"),
      flag("routing.http.xff_client_port.enabled", built: ["false"]),
      choice("routing.http.xff_header_processing.mode", ["append", "preserve", "remove"]),
      flag("routing.http2.enabled", true),
      flag("waf.fail_open.enabled"),
      flag("zonal_shift.config.enabled"),
    ])

  /// Those of a target group of an application load balancer.
  static let targetGroup = AttributeTable(
    noun: "Target group",
    rules: [
      number("deregistration_delay.timeout_seconds", 300, 0...3600),
      choice("load_balancing.algorithm.anomaly_mitigation", ["off", "on"], built: ["off"]),
      choice(
        "load_balancing.algorithm.type", ["round_robin", "least_outstanding_requests", "weighted_random"],
        built: ["round_robin", "least_outstanding_requests"]),
      choice("load_balancing.cross_zone.enabled", ["use_load_balancer_configuration", "true", "false"]),
      number("slow_start.duration_seconds", 0, 0...900),
      flag("stickiness.enabled", built: ["false"]),
      text("stickiness.app_cookie.cookie_name"),
      number("stickiness.app_cookie.duration_seconds", 86_400, 1...604_800),
      number("stickiness.lb_cookie.duration_seconds", 86_400, 1...604_800),
      choice("stickiness.type", ["lb_cookie", "app_cookie"]),
      AttributeRule(
        key: "target_group_health.dns_failover.minimum_healthy_targets.count", standard: "1",
        kind: .numberOrOff(1...1000)),
      AttributeRule(
        key: "target_group_health.dns_failover.minimum_healthy_targets.percentage", standard: "off",
        kind: .numberOrOff(1...100)),
      AttributeRule(
        key: "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", standard: "1",
        kind: .numberOrOff(1...1000), built: ["1"]),
      AttributeRule(
        key: "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", standard: "off",
        kind: .numberOrOff(1...100), built: ["off"]),
    ])

  /// Those of an HTTP listener. Headers that would be added to answers are not built.
  static let listener = AttributeTable(
    noun: "Listener",
    rules: [flag("routing.http.response.server.enabled", true)]
      + [
        "access_control_allow_credentials", "access_control_allow_headers", "access_control_allow_methods",
        "access_control_allow_origin", "access_control_expose_headers", "access_control_max_age",
        "content_security_policy", "strict_transport_security", "x_content_type_options", "x_frame_options",
      ].map { text("routing.http.response.\($0).header_value", built: [""]) })
}
