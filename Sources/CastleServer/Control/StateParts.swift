// The flat list of parts and the arrows between them, out of the state: pure functions.

extension CastleState {
  static func id(_ kind: String, _ name: String) -> String { "\(kind)/\(name)" }

  /// The health of several things that together are one.
  static func together(_ all: [Health]) -> Health {
    guard !all.isEmpty else { return .unknown }
    if all.allSatisfy({ $0 == .healthy }) { return .healthy }
    if all.contains(.healthy) {
      return all.contains(.failed) || all.contains(.degraded)
        ? .degraded : all.contains(.starting) ? .starting : .degraded
    }
    return all.contains(.starting) ? .starting : all.contains(.failed) ? .failed : all[0]
  }

  /// The words that services use for how a thing is (`available`, `active`, `CREATE_COMPLETE`, …).
  static func health(_ status: String?) -> Health {
    guard let status = status?.lowercased() else { return .unknown }
    switch status {
    case "available", "active", "enabled", "healthy", "issued": return .healthy
    case "stopped", "deleting", "stopping", "pendingdeletion", "disabled": return .stopping
    case "creating", "starting", "provisioning", "backing-up", "modifying", "rebooting", "snapshotting",
      "configuring-enhanced-monitoring", "initial", "pending":
      return .starting
    case "storage-full": return .failed
    case "failing-over", "active_impaired", "storage-optimization": return .degraded
    default: break
    }
    if status.contains("fail") || status.contains("incompatible") || status.contains("inaccessible") { return .failed }
    if status.hasPrefix("rebooting") { return .starting }
    if status.contains("rollback") { return status.hasSuffix("complete") ? .degraded : .starting }
    if status.hasSuffix("in_progress") { return .starting }
    if status.hasSuffix("complete") { return .healthy }
    return .unknown
  }

  /// Fills `edges` from what is known of the parts.
  mutating func connect() {
    var edges: [Edge] = []
    let balancers = loadBalancers ?? []
    for balancer in balancers where balancer.scheme == "internet-facing" {
      edges.append(Edge(from: "frontdoor/shield", to: Self.id("loadbalancer", balancer.name), flow: balancer.flow))
    }
    if !edges.isEmpty {
      edges.insert(
        Edge(from: "frontdoor/internet", to: "frontdoor/shield", flow: Self.sum(edges.compactMap(\.flow))), at: 0)
    }
    for service in services ?? [] {
      for balancer in balancers {
        let groups = balancer.targetGroups.filter { service.targetGroups.contains($0.arn) }
        guard !groups.isEmpty else { continue }
        edges.append(
          Edge(
            from: Self.id("loadbalancer", balancer.name), to: Self.id("service", service.name),
            flow: Self.sum(groups.compactMap(\.flow))))
      }
      for used in service.uses where !used.hasPrefix("secret/") && !used.hasPrefix("key/") {
        edges.append(Edge(from: Self.id("service", service.name), to: used))
      }
    }
    // What several services use counts its requests together: the number stands on the arrow only when it is one's own.
    for index in edges.indices where edges[index].from.hasPrefix("service/") {
      let to = edges[index].to
      let users = edges.filter { $0.to == to && $0.from.hasPrefix("service/") }.count
      if let balancer = balancers.first(where: { Self.id("loadbalancer", $0.name) == to }), users == 1 {
        edges[index].flow = balancer.flow
      }
      if users == 1 { edges[index].connections = connections(of: to) }
    }
    self.edges = edges
  }

  private func connections(of id: String) -> Int? {
    databases?.first { Self.id("database", $0.name) == id }?.connections
      ?? caches?.first { Self.id("cache", $0.name) == id }?.connections
  }

  /// Rates add up; of the latencies the worst is what a client may meet.
  static func sum(_ flows: [Flow]) -> Flow? {
    guard !flows.isEmpty else { return nil }
    return Flow(
      rate: flows.reduce(0) { $0 + $1.rate }, errorRate: flows.reduce(0) { $0 + $1.errorRate },
      p99: flows.compactMap(\.p99).max())
  }

  /// Fills `parts`.
  mutating func list() {
    var parts: [Part] = []
    func add(
      _ kind: String, _ name: String, _ health: Health, _ detail: String, id: String? = nil, reason: String? = nil
    ) {
      let detail = [detail, reason ?? ""].filter { !$0.isEmpty }.joined(separator: ": ")
      parts.append(
        Part(kind: kind, name: name, health: health, detail: detail, id: id ?? Self.id(kind, name), reason: reason))
    }
    for stack in stacks ?? [] {
      add(
        "stack", stack.name, stack.health,
        [stack.status, stack.reason ?? ""].filter { !$0.isEmpty }.joined(separator: ": "))
    }
    for acl in frontDoor?.webACLs ?? [] {
      add("web acl", acl.name, .healthy, acl.rules.joined(separator: ", "), id: Self.id("webacl", acl.name))
    }
    for balancer in loadBalancers ?? [] {
      add(
        "load balancer", balancer.name, balancer.health,
        [balancer.scheme, balancer.url ?? "", balancer.reason ?? "", Self.text(balancer.flow)].filter { !$0.isEmpty }
          .joined(separator: ", "), id: Self.id("loadbalancer", balancer.name))
    }
    for service in services ?? [] {
      add(
        "service", service.name, service.health,
        "\(service.running) of \(service.desired) tasks, \(service.taskDefinition)"
          + (service.rollout == "IN_PROGRESS" ? ", a deployment is under way" : ""))
      for task in service.tasks {
        add(
          "task", task.id, task.health,
          [service.name, task.address ?? "", task.status, task.reason ?? ""]
            .filter { !$0.isEmpty }.joined(separator: ", "))
      }
    }
    for database in databases ?? [] {
      add(
        "database", database.name, database.health, Self.address(database.engine, database.endpoint, database.port),
        reason: database.reason)
      for node in database.instances {
        add("instance", node.name, node.health, "\(node.role), \(node.status)", reason: node.reason)
      }
    }
    for cache in caches ?? [] {
      add("cache", cache.name, cache.health, Self.address(cache.engine, cache.endpoint, cache.port))
      for node in cache.nodes {
        add("node", node.name, node.health, "\(node.role), \(node.status)", reason: node.reason)
      }
    }
    for bucket in buckets ?? [] { add("bucket", bucket.name, bucket.health, bucket.detail) }
    for secret in secrets ?? [] { add("secret", secret.name, secret.health, secret.detail) }
    for key in keys ?? [] { add("key", key.name, key.health, key.detail) }
    self.parts = parts
  }

  private static func address(_ engine: String, _ endpoint: String?, _ port: Int?) -> String {
    guard let endpoint else { return engine }
    return "\(engine), \(endpoint)" + (port.map { ":\($0)" } ?? "")
  }

  /// `12.5 requests a second, p99 8 ms`; empty without traffic.
  static func text(_ flow: Flow?) -> String {
    guard let flow, flow.rate > 0 else { return "" }
    let tenths = Int((flow.rate * 10).rounded())
    let rate = flow.rate >= 100 ? "\(Int(flow.rate.rounded()))" : "\(tenths / 10).\(tenths % 10)"
    return "\(rate) requests a second" + (flow.p99.map { ", p99 \(Int($0.rounded(.up))) ms" } ?? "")
  }
}
