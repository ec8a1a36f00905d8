// What the Gate is to run, from the records: a pure function.

import GateProtocol
import ServiceKit

/// All records of ELBv2, of every account and region; ARNs keep them apart.
struct DesiredState: Sendable {
  var loadBalancers: [LoadBalancerRecord] = []
  var listeners: [ListenerRecord] = []
  var rules: [RuleRecord] = []
  var targetGroups: [TargetGroupRecord] = []
  var trustStores: [TrustStoreRecord] = []
  /// Those that listeners name, by ARN, as far as there are any.
  var certificates: [String: KeyedCertificate] = [:]

  /// ELBv2's part of the Gate's configuration. The same records give the same part, so that a control plane that
  /// starts again changes nothing in a Gate that runs.
  func gatePart(_ ports: PortPlan) -> GateController.Part {
    let rules = Dictionary(grouping: self.rules, by: \.listener)
    let listeners = Dictionary(grouping: self.listeners, by: \.loadBalancer)
    let used = Set(self.listeners.compactMap { $0.mutual?.trustStore })
    let balancers = loadBalancers.sorted { $0.arn < $1.arn }
    func translation(_ balancer: LoadBalancerRecord) -> Translation {
      Translation(
        ports: ports, listeners: (listeners[balancer.arn] ?? []).sorted { $0.arn < $1.arn }, certificates: certificates)
    }
    return GateController.Part(
      loadBalancers: balancers.filter { $0.kind == .application }.map { balancer in
        let translation = translation(balancer)
        return GateSnapshot.LoadBalancer(
          id: balancer.arn, address: balancer.address,
          listeners: translation.listeners.compactMap { translation.listener($0, rules[$0.arn] ?? [], balancer) },
          attributes: Self.attributes(balancer.attributes, balancer.kind))
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
          listeners: translation.listeners.compactMap { translation.networkListener($0) })
      })
  }

  /// Where a target is: an application load balancer behind a network load balancer is at its own address.
  /// Nil when that load balancer is gone.
  func place(of target: TargetRecord, in group: TargetGroupRecord, _ ports: PortPlan) -> (address: String, port: Int)? {
    guard group.targetType == "alb" else { return (target.id, target.port) }
    guard let balancer = loadBalancers.first(where: { $0.arn == target.id }) else { return nil }
    let bound = listeners.first { $0.loadBalancer == balancer.arn && $0.port == target.port }?.bound
    return (bound?.address ?? balancer.address, bound?.port ?? ports.bindPort(target.port))
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
      tlsHeaders: value("routing.http.x_amzn_tls_version_and_cipher_suite.enabled") == "true")
  }

  private func targetGroup(_ record: TargetGroupRecord, _ ports: PortPlan) -> GateSnapshot.TargetGroup {
    let table = AttributeTable.targetGroup(record)
    func value(_ key: String) -> String { table.value(key, record.attributes) }
    let isApplication = record.kind == .application
    return GateSnapshot.TargetGroup(
      id: record.arn,
      targets: record.targets.compactMap { target in
        place(of: target, in: record, ports).map { place in
          GateSnapshot.Target(
            address: place.address, port: UInt16(clamping: place.port),
            state: target.drainingSince == nil ? .registered : .draining)
        }
      },
      healthCheck: Self.healthCheck(record.healthCheck, record, ports),
      algorithm: .init(rawValue: value("load_balancing.algorithm.type")) ?? .roundRobin,
      deregistrationDelay: Double(value("deregistration_delay.timeout_seconds")) ?? 300,
      slowStart: Double(value("slow_start.duration_seconds")) ?? 0,
      transport: .init(rawValue: record.protocolName.lowercased()),
      flow: isApplication
        ? nil
        : .init(
          proxyProtocol: value("proxy_protocol_v2.enabled") == "true", isSticky: value("stickiness.enabled") == "true",
          preservesClientAddress: value("preserve_client_ip.enabled") == "true",
          endsWithDeregistration: value("deregistration_delay.connection_termination.enabled") == "true",
          endsWhenUnhealthy: value("target_health_state.unhealthy.connection_termination.enabled") != "false"),
      protocolVersion: isApplication ? .init(rawValue: record.protocolVersion) : nil)
  }

  private static func healthCheck(
    _ check: HealthCheckRecord, _ record: TargetGroupRecord, _ ports: PortPlan
  ) -> GateSnapshot.HealthCheck {
    let probe: GateSnapshot.HealthCheck.Probe
    switch (check.wireProtocol, record.protocolVersion) {
    case ("TCP", _): probe = .tcp
    case ("HTTPS", _): probe = .https
    case (_, "HTTP2"): probe = .http2
    case (_, "GRPC"): probe = .grpc
    default: probe = .http
    }
    return GateSnapshot.HealthCheck(
      probe: probe, path: check.path, port: UInt16(check.port), interval: Double(check.interval),
      timeout: Double(check.timeout), healthyThreshold: check.healthyThreshold,
      unhealthyThreshold: check.unhealthyThreshold,
      matcher: probe == .grpc ? check.grpcMatcher ?? "12" : check.matcher)
  }
}
