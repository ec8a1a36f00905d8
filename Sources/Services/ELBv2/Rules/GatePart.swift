// What the Gate is to run, from the records: a pure function.

import GateProtocol
import ServiceKit
import Store

/// All records of ELBv2, of every account and region; ARNs keep them apart.
struct DesiredState: Sendable {
  var loadBalancers: [LoadBalancerRecord] = []
  var listeners: [ListenerRecord] = []
  var rules: [RuleRecord] = []
  var targetGroups: [TargetGroupRecord] = []
  var trustStores: [TrustStoreRecord] = []
  /// Those that listeners name, by ARN, as far as there are any.
  var certificates: [String: KeyedCertificate] = [:]
  /// The secrets of clients of identity providers, opened.
  var clientSecrets: [SealedBytes: String] = [:]
  /// The key sets of issuers of tokens, by where they are fetched.
  var keySets: [String: String] = [:]
  /// PEM: the castle's own authority, whom identity providers on this machine may have a certificate of.
  var authority: String?
  /// Where the endpoints of identity providers are whose hosts the castle's zones answer for, by endpoint.
  var places: [String: GateSnapshot.Place] = [:]
  /// Seals the cookies of sticky clients.
  var cookieKey: [UInt8]?
  /// Where segments of logs are written.
  var logDirectory = ""

  /// What clients must prove, in all listeners and rules.
  var checks: [CheckRecord] { listeners.flatMap { $0.defaultChecks ?? [] } + rules.flatMap { $0.checks ?? [] } }

  /// ELBv2's part of the Gate's configuration. The same records give the same part, so that a control plane that
  /// starts again changes nothing in a Gate that runs.
  func gatePart(_ ports: PortPlan) -> GateController.Part {
    let rules = Dictionary(grouping: self.rules, by: \.listener)
    let listeners = Dictionary(grouping: self.listeners, by: \.loadBalancer)
    let used = Set(self.listeners.compactMap { $0.mutual?.trustStore })
    let balancers = loadBalancers.sorted { $0.arn < $1.arn }
    let multiplexed = Set(targetGroups.filter { ["HTTP2", "GRPC"].contains($0.protocolVersion) }.map(\.arn))
    func translation(_ balancer: LoadBalancerRecord) -> Translation {
      Translation(
        ports: ports, listeners: (listeners[balancer.arn] ?? []).sorted { $0.arn < $1.arn }, certificates: certificates,
        clientSecrets: clientSecrets, keySets: keySets, authority: authority, places: places,
        multiplexed: multiplexed)
    }
    return GateController.Part(
      loadBalancers: balancers.filter { $0.kind == .application }.map { balancer in
        let translation = translation(balancer)
        return GateSnapshot.LoadBalancer(
          id: balancer.arn, address: balancer.address,
          listeners: translation.listeners.compactMap { translation.listener($0, rules[$0.arn] ?? [], balancer) },
          attributes: Self.attributes(balancer.attributes, balancer.kind),
          zones: balancer.zones.map { .init(name: $0.zone) }, logs: logs(balancer), shield: balancer.shield)
      },
      targetGroups: targetGroups.sorted { $0.arn < $1.arn }.map { targetGroup($0, ports) },
      certificates: certificates.values.sorted { $0.arn < $1.arn }.map { certificate in
        GateSnapshot.Certificate(
          id: certificate.arn, chain: Self.joined(certificate.certificate, certificate.chain ?? ""),
          privateKey: certificate.privateKey)
      },
      trustStores: trustStores.filter { used.contains($0.arn) }.sorted { $0.arn < $1.arn }.map { trust in
        GateSnapshot.TrustStore(
          id: trust.arn, authorities: trust.bundle, revocations: trust.revocations.map(\.content))
      },
      networkLoadBalancers: balancers.filter { $0.kind == .network }.map { balancer in
        let translation = translation(balancer)
        return GateSnapshot.NetworkLoadBalancer(
          id: balancer.arn, address: balancer.address,
          listeners: translation.listeners.compactMap { translation.networkListener($0) },
          logs: balancer.log(.access) == nil ? nil : logs(balancer),
          zones: balancer.zones.map { .init(name: $0.zone) },
          crossZone: AttributeTable.loadBalancer(.network).value(
            "load_balancing.cross_zone.enabled", balancer.attributes) == "true",
          shield: balancer.shield)
      },
      cookieKey: cookieKey)
  }

  /// Where a target is: an instance is at the address that it was registered with, an application load balancer behind a
  /// network load balancer at its own. Nil when that load balancer is gone.
  func place(of target: TargetRecord, in group: TargetGroupRecord, _ ports: PortPlan) -> (address: String, port: Int)? {
    guard group.targetType == "alb" else { return (target.address ?? target.id, target.port) }
    guard let balancer = loadBalancers.first(where: { $0.arn == target.id }) else { return nil }
    let bound = listeners.first { $0.loadBalancer == balancer.arn && $0.port == target.port }?.bound
    return (bound?.address ?? balancer.address, bound?.port ?? ports.bindPort(target.port))
  }

  private func logs(_ balancer: LoadBalancerRecord) -> GateSnapshot.Logs {
    func folder(_ kind: LogKind) -> String? {
      balancer.log(kind).map { _ in "\(logDirectory)/\(kind.folder(balancer.arn))" }
    }
    return GateSnapshot.Logs(
      name: Names.fullName(loadBalancer: balancer.arn), accessFolder: folder(.access),
      connectionFolder: folder(.connection), healthFolder: folder(.healthCheck))
  }

  /// The folders that the Gate writes logs to; they must be there.
  var logFolders: [String] {
    loadBalancers.map(logs).flatMap { [$0.accessFolder, $0.connectionFolder, $0.healthFolder].compactMap(\.self) }
  }

  private static func joined(_ one: String, _ other: String) -> String {
    one.hasSuffix("\n") || other.isEmpty ? one + other : one + "\n" + other
  }

  private static func attributes(_ set: [String: String], _ kind: LoadBalancerKind) -> GateSnapshot.Attributes {
    let table = AttributeTable.loadBalancer(kind)
    func value(_ key: String) -> String { table.value(key, set) }
    return GateSnapshot.Attributes(
      idleTimeout: Double(value("idle_timeout.timeout_seconds")) ?? 60,
      clientKeepAlive: Double(value("client_keep_alive.seconds")) ?? 3600,
      dropInvalidHeaderFields: value("routing.http.drop_invalid_header_fields.enabled") == "true",
      forwardedForMode: .init(rawValue: value("routing.http.xff_header_processing.mode")) ?? .append,
      preserveHostHeader: value("routing.http.preserve_host_header.enabled") == "true",
      tlsHeaders: value("routing.http.x_amzn_tls_version_and_cipher_suite.enabled") == "true",
      forwardedClientPort: value("routing.http.xff_client_port.enabled") == "true",
      desyncMitigation: .init(rawValue: value("routing.http.desync_mitigation_mode")) ?? .defensive,
      crossZone: value("load_balancing.cross_zone.enabled") == "true")
  }

  private func targetGroup(_ record: TargetGroupRecord, _ ports: PortPlan) -> GateSnapshot.TargetGroup {
    let table = AttributeTable.targetGroup(record)
    func value(_ key: String) -> String { table.value(key, record.attributes) }
    let isApplication = record.kind == .application
    var group = GateSnapshot.TargetGroup(
      id: record.arn,
      targets: record.targets.compactMap { target in
        place(of: target, in: record, ports).map { place in
          GateSnapshot.Target(
            address: place.address, port: UInt16(clamping: place.port),
            state: target.drainingSince == nil ? .registered : .draining, zone: target.zone == "all" ? nil : target.zone
          )
        }
      },
      healthCheck: Self.healthCheck(record.healthCheck, record, ports),
      algorithm: .init(rawValue: value("load_balancing.algorithm.type")) ?? .roundRobin,
      deregistrationDelay: Double(value("deregistration_delay.timeout_seconds")) ?? 300,
      slowStart: Double(value("slow_start.duration_seconds")) ?? 0,
      mitigatesAnomalies: value("load_balancing.algorithm.anomaly_mitigation") == "on",
      stickiness: isApplication ? Self.stickiness(value) : nil,
      // Whatever is not said is as the load balancer has it.
      crossZone: Bool(value("load_balancing.cross_zone.enabled")),
      minimumHealthy: .init(attribute: "unhealthy_state_routing", value),
      transport: .init(rawValue: record.protocolName.lowercased()),
      flow: isApplication
        ? nil
        : .init(
          proxyProtocol: value("proxy_protocol_v2.enabled") == "true", isSticky: value("stickiness.enabled") == "true",
          preservesClientAddress: value("preserve_client_ip.enabled") == "true",
          endsWithDeregistration: value("deregistration_delay.connection_termination.enabled") == "true",
          endsWhenUnhealthy: value(AttributeChecks.unhealthyTermination) != "false",
          unhealthyDraining: Double(value(AttributeChecks.unhealthyDraining))),
      protocolVersion: isApplication ? .init(rawValue: record.protocolVersion) : nil, name: record.name)
    if !isApplication { group.minimumHealthyForDNS = .init(attribute: "dns_failover", value) }
    return group
  }

  private static func stickiness(_ value: (String) -> String) -> GateSnapshot.TargetGroup.Stickiness? {
    guard value("stickiness.enabled") == "true" else { return nil }
    guard value("stickiness.type") == "app_cookie" else {
      return .loadBalancerCookie(duration: Double(value("stickiness.lb_cookie.duration_seconds")) ?? 86_400)
    }
    return .applicationCookie(
      name: value("stickiness.app_cookie.cookie_name"),
      duration: Double(value("stickiness.app_cookie.duration_seconds")) ?? 86_400)
  }

  private static func healthCheck(
    _ check: HealthCheckRecord, _ record: TargetGroupRecord, _ ports: PortPlan
  ) -> GateSnapshot.HealthCheck {
    let probe: GateSnapshot.HealthCheck.Probe
    switch (check.wireProtocol, record.protocolVersion) {
    case ("TCP", _): probe = .tcp
    case ("HTTPS", "HTTP2"): probe = .http2s
    case ("HTTPS", "GRPC"): probe = .grpcs
    case ("HTTPS", _): probe = .https
    case (_, "HTTP2"): probe = .http2
    case (_, "GRPC"): probe = .grpc
    default: probe = .http
    }
    return GateSnapshot.HealthCheck(
      probe: probe, path: check.path, port: UInt16(check.port), interval: Double(check.interval),
      timeout: Double(check.timeout), healthyThreshold: check.healthyThreshold,
      unhealthyThreshold: check.unhealthyThreshold,
      matcher: probe.isGRPC ? check.grpcMatcher ?? "12" : check.matcher)
  }
}

extension GateSnapshot.HealthThreshold {
  /// What a target group's attributes `target_group_health.NAME.minimum_healthy_targets.*` say.
  /// - Parameter value: of an attribute's key.
  init(attribute name: String, _ value: (String) -> String?) {
    let key = "target_group_health.\(name).minimum_healthy_targets."
    self.init(
      count: value(key + "count").flatMap { Int($0) } ?? 0, percentage: value(key + "percentage").flatMap { Int($0) })
  }
}
