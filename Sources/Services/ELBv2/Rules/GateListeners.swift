// Listeners and their rules, from the records to the Gate's words.

import GateProtocol
import ServiceKit
import Store

/// What the listeners of one load balancer are translated with.
struct Translation: Sendable {
  var ports: PortPlan
  /// All listeners of the load balancer.
  var listeners: [ListenerRecord]
  var certificates: [String: KeyedCertificate]
  /// The secrets of clients of identity providers, opened.
  var clientSecrets: [SealedBytes: String]
  var keySets: [String: String]
  var authority: String?
  var places: [String: GateSnapshot.Place]
  /// Target groups whose targets take HTTP/2, which their clients have to speak.
  var multiplexed: Set<String>

  /// Nil for a listener whose certificates are all gone: it cannot answer.
  func listener(
    _ record: ListenerRecord, _ rules: [RuleRecord], _ balancer: LoadBalancerRecord
  ) -> GateSnapshot.Listener? {
    var tls: GateSnapshot.ListenerTLS?
    if record.endsTLS {
      let takesHTTP2 = AttributeTable.loadBalancer(balancer.kind).value("routing.http2.enabled", balancer.attributes)
      guard let found = self.tls(record, takesHTTP2 == "true" ? .http2Preferred : .http1Only) else { return nil }
      tls = found
    }
    // On AWS such groups are for HTTPS listeners only; see Decision 0012.
    let actions = [record.defaultAction] + rules.map(\.action)
    let takesCleartextHTTP2 = tls == nil && actions.contains { !multiplexed.isDisjoint(with: $0.targetGroups) }
    return GateSnapshot.Listener(
      id: record.arn, port: UInt16(clamping: ports.bindPort(record.port)), transport: tls == nil ? .http : .https,
      tls: tls,
      rules: rules.sorted { $0.priority < $1.priority }.map { rule in
        GateSnapshot.Rule(
          priority: rule.priority, conditions: rule.conditions.map(condition),
          checks: (rule.checks ?? []).compactMap(check), transforms: (rule.transforms ?? []).compactMap(transform),
          action: action(rule.action))
      }, defaultAction: action(record.defaultAction), defaultChecks: (record.defaultChecks ?? []).compactMap(check),
      headers: headers(record), acceptsCleartextHTTP2: takesCleartextHTTP2 ? true : nil)
  }

  /// Nil for a TLS listener whose certificates are all gone.
  func networkListener(_ record: ListenerRecord) -> GateSnapshot.NetworkListener? {
    guard let transport = GateSnapshot.NetworkListener.Transport(rawValue: record.wireProtocol.lowercased()) else {
      return nil
    }
    var tls: GateSnapshot.ListenerTLS?
    if transport == .tls {
      guard let found = self.tls(record, record.alpnPolicy.flatMap { .init(rawValue: $0) } ?? .none) else { return nil }
      tls = found
    }
    var groups: [GateSnapshot.WeightedTargetGroup] = []
    if case .forward(let forward) = record.defaultAction {
      groups = forward.groups.map { .init(targetGroup: $0.arn, weight: $0.weight) }
    }
    let idle = AttributeTable.listener(record.wireProtocol).value("tcp.idle_timeout.seconds", record.attributes)
    return GateSnapshot.NetworkListener(
      id: record.arn, port: UInt16(clamping: ports.bindPort(record.port)), transport: transport, tls: tls,
      targetGroups: groups, idleTimeout: Double(idle) ?? 350,
      name: record.arn.split(separator: "/").last.map(String.init))
  }

  private func tls(
    _ record: ListenerRecord, _ alpn: GateSnapshot.ListenerTLS.ALPNPolicy
  ) -> GateSnapshot.ListenerTLS? {
    let present = (record.certificates ?? []).filter { certificates[$0] != nil }
    guard !present.isEmpty else { return nil }
    return GateSnapshot.ListenerTLS(
      certificates: present, securityPolicy: record.securityPolicy ?? SecurityPolicies.standard, alpn: alpn,
      mutual: mutual(record.mutual))
  }

  private func mutual(_ record: MutualRecord?) -> GateSnapshot.MutualAuthentication {
    guard let record else { return .off }
    guard record.mode == "verify", let trust = record.trustStore else { return .passthrough }
    return .verify(
      trustStore: trust, ignoresExpiry: record.ignoresExpiry ?? false, advertisesAuthorities: record.advertises == "on")
  }

  private func condition(_ record: ConditionRecord) -> GateSnapshot.Condition {
    let expressions = record.regexValues ?? []
    return switch record.field {
    case "host-header" where !expressions.isEmpty: .hostHeaderRegex(expressions)
    case "path-pattern" where !expressions.isEmpty: .pathRegex(expressions)
    case "http-header" where !expressions.isEmpty:
      .httpHeaderRegex(name: record.headerName ?? "", values: expressions)
    case "host-header": .hostHeader(record.values)
    case "path-pattern": .pathPattern(record.values)
    case "http-request-method": .httpRequestMethod(record.values)
    case "http-header": .httpHeader(name: record.headerName ?? "", values: record.values)
    case "query-string": .queryString(record.queries.map { .init(key: $0.key, value: $0.value) })
    // The Gate listens on IPv4 only, so IPv6 networks never match.
    default: .sourceIP(record.values.filter { Addresses.network($0) != nil })
    }
  }

  private func action(_ record: ActionRecord) -> GateSnapshot.Action {
    switch record {
    case .forward(let forward):
      .forward(
        forward.groups.map { .init(targetGroup: $0.arn, weight: $0.weight) },
        stickiness: forward.isSticky == true ? forward.stickinessSeconds.map(Double.init) : nil)
    case .redirect(let redirect):
      .redirect(
        .init(
          statusCode: redirect.statusCode == "HTTP_301" ? 301 : 302, scheme: redirect.scheme, host: redirect.host,
          port: port(redirect), path: redirect.path, query: redirect.query))
    case .fixedResponse(let fixed):
      .fixedResponse(
        .init(
          statusCode: Int(fixed.statusCode) ?? 503, contentType: fixed.contentType ?? "text/plain",
          body: fixed.body ?? ""))
    }
  }

  /// A redirect to another listener of the same load balancer leads where that one was put.
  private func port(_ redirect: RedirectRecord) -> String {
    guard redirect.host == "#{host}", let port = Int(redirect.port), listeners.contains(where: { $0.port == port })
    else { return redirect.port }
    return "\(ports.bindPort(port))"
  }

  private func transform(_ record: TransformRecord) -> GateSnapshot.Transform? {
    GateSnapshot.Transform.Kind(rawValue: record.type).map {
      .init(kind: $0, regex: record.regex, replacement: record.replacement)
    }
  }

  private func check(_ record: CheckRecord) -> GateSnapshot.Check? {
    switch record {
    case .oidc(let oidc):
      .authenticateOIDC(
        .init(
          issuer: oidc.issuer, authorizationEndpoint: oidc.authorizationEndpoint, tokenEndpoint: oidc.tokenEndpoint,
          userInfoEndpoint: oidc.userInfoEndpoint, clientID: oidc.clientID,
          clientSecret: clientSecrets[oidc.clientSecret] ?? "",
          sessionCookieName: oidc.sessionCookieName ?? "AWSELBAuthSessionCookie", scope: oidc.scope ?? "openid",
          sessionTimeout: Double(oidc.sessionTimeout ?? 604_800), extraParameters: oidc.extraParameters ?? [:],
          onUnauthenticated: oidc.onUnauthenticated.flatMap { .init(rawValue: $0) } ?? .authenticate,
          authorities: authority, tokenPlace: places[oidc.tokenEndpoint],
          userInfoPlace: places[oidc.userInfoEndpoint]))
    case .jwt(let jwt):
      .jwtValidation(
        .init(
          issuer: jwt.issuer, keySet: keySets[jwt.endpoint], keySetID: jwt.endpoint,
          claims: (jwt.claims ?? []).map {
            .init(name: $0.name, format: .init(rawValue: $0.format) ?? .singleString, values: $0.values)
          }))
    }
  }

  /// `strict_transport_security` is `Strict-Transport-Security`.
  private func headers(_ record: ListenerRecord) -> GateSnapshot.HeaderModification {
    var headers = GateSnapshot.HeaderModification()
    for (key, value) in AttributeTable.listener(record.wireProtocol).all(record.attributes) {
      let parts = key.split(separator: ".")
      guard parts.count == 5, !value.isEmpty else { continue }
      let words = parts[3].split(separator: "_")
      switch (parts[2], parts[4]) {
      case ("response", "enabled"): headers.sendsServer = value == "true"
      case ("response", "header_value"):
        let name = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined(separator: "-")
        headers.responseHeaders.append(.init(name: name, value: value))
      case ("request", "header_name"): headers.requestHeaderNames[words.joined(separator: "-")] = value
      default: break
      }
    }
    return headers
  }
}
