// What the Gate is to run, from the records: a pure function.

import GateProtocol

/// All records of ELBv2, of every account and region; ARNs keep them apart.
struct DesiredState: Sendable {
  var loadBalancers: [LoadBalancerRecord] = []
  var listeners: [ListenerRecord] = []
  var rules: [RuleRecord] = []
  var targetGroups: [TargetGroupRecord] = []

  /// ELBv2's part of the Gate's configuration. The same records give the same part, so that a control plane that
  /// starts again changes nothing in a Gate that runs.
  func gatePart(_ ports: PortPlan) -> GateController.Part {
    let rules = Dictionary(grouping: self.rules, by: \.listener)
    let listeners = Dictionary(grouping: self.listeners, by: \.loadBalancer)
    return GateController.Part(
      loadBalancers: loadBalancers.sorted { $0.arn < $1.arn }.map { balancer in
        GateSnapshot.LoadBalancer(
          id: balancer.arn, address: balancer.address,
          listeners: (listeners[balancer.arn] ?? []).sorted { $0.arn < $1.arn }.map { listener in
            Self.listener(listener, rules[listener.arn] ?? [], ports)
          }, attributes: Self.attributes(balancer.attributes))
      },
      targetGroups: targetGroups.sorted { $0.arn < $1.arn }.map(Self.targetGroup))
  }

  private static func listener(
    _ record: ListenerRecord, _ rules: [RuleRecord], _ ports: PortPlan
  ) -> GateSnapshot.Listener {
    GateSnapshot.Listener(
      id: record.arn, port: UInt16(clamping: ports.bindPort(record.port)),
      rules: rules.sorted { $0.priority < $1.priority }.map { rule in
        GateSnapshot.Rule(
          priority: rule.priority, conditions: rule.conditions.map(condition), action: action(rule.action))
      }, defaultAction: action(record.defaultAction))
  }

  private static func attributes(_ set: [String: String]) -> GateSnapshot.Attributes {
    func value(_ key: String) -> String { AttributeTable.loadBalancer.value(key, set) }
    return GateSnapshot.Attributes(
      idleTimeout: Double(value("idle_timeout.timeout_seconds")) ?? 60,
      clientKeepAlive: Double(value("client_keep_alive.seconds")) ?? 3600,
      dropInvalidHeaderFields: value("routing.http.drop_invalid_header_fields.enabled") == "true",
      forwardedForMode: .init(rawValue: value("routing.http.xff_header_processing.mode")) ?? .append,
      preserveHostHeader: value("routing.http.preserve_host_header.enabled") == "true")
  }

  private static func targetGroup(_ record: TargetGroupRecord) -> GateSnapshot.TargetGroup {
    func value(_ key: String) -> String { AttributeTable.targetGroup.value(key, record.attributes) }
    let check = record.healthCheck
    return GateSnapshot.TargetGroup(
      id: record.arn,
      targets: record.targets.map { target in
        GateSnapshot.Target(
          address: target.id, port: UInt16(clamping: target.port),
          state: target.drainingSince == nil ? .registered : .draining)
      },
      healthCheck: GateSnapshot.HealthCheck(
        path: check.path, port: UInt16(check.port), interval: Double(check.interval), timeout: Double(check.timeout),
        healthyThreshold: check.healthyThreshold, unhealthyThreshold: check.unhealthyThreshold, matcher: check.matcher),
      algorithm: .init(rawValue: value("load_balancing.algorithm.type")) ?? .roundRobin,
      deregistrationDelay: Double(value("deregistration_delay.timeout_seconds")) ?? 300,
      slowStart: Double(value("slow_start.duration_seconds")) ?? 0)
  }

  private static func condition(_ record: ConditionRecord) -> GateSnapshot.Condition {
    switch record.field {
    case "host-header": .hostHeader(record.values)
    case "path-pattern": .pathPattern(record.values)
    case "http-request-method": .httpRequestMethod(record.values)
    case "http-header": .httpHeader(name: record.headerName ?? "", values: record.values)
    case "query-string": .queryString(record.queries.map { .init(key: $0.key, value: $0.value) })
    // The Gate listens on IPv4 only, so IPv6 networks never match.
    default: .sourceIP(record.values.filter { Addresses.network($0) != nil })
    }
  }

  private static func action(_ record: ActionRecord) -> GateSnapshot.Action {
    switch record {
    case .forward(let forward):
      .forward(forward.groups.map { .init(targetGroup: $0.arn, weight: $0.weight) })
    case .redirect(let redirect):
      .redirect(
        .init(
          statusCode: redirect.statusCode == "HTTP_301" ? 301 : 302, scheme: redirect.scheme, host: redirect.host,
          port: redirect.port, path: redirect.path, query: redirect.query))
    case .fixedResponse(let fixed):
      .fixedResponse(
        .init(
          statusCode: Int(fixed.statusCode) ?? 503, contentType: fixed.contentType ?? "text/plain",
          body: fixed.body ?? ""))
    }
  }
}
