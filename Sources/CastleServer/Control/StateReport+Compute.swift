// The moving parts of the state: load balancers, services and their tasks.

import AWSCore
import ECSModel
import ELBv2Model
import ServiceKit

extension StateReporter {
  struct Balancers: Sendable {
    var loadBalancers: [CastleState.LoadBalancer]
    var targets: [String: Look.Target]
  }

  static func target(_ group: String, _ address: String) -> String { "\(group) \(address)" }

  func loadBalancers(_ call: CallContext, _ traffic: Traffic?) async throws -> Balancers {
    let balancers = try await Pages.all { token in
      try await call.invoke(ELBv2.describeLoadBalancers, .make { $0.marker = token })
    } next: {
      $0.nextMarker
    }.flatMap { $0.loadBalancers ?? [] }
    let groups = try await Pages.all { token in
      try await call.invoke(ELBv2.describeTargetGroups, .make { $0.marker = token })
    } next: {
      $0.nextMarker
    }.flatMap { $0.targetGroups ?? [] }
    var targets: [String: Look.Target] = [:]
    var members: [String: [CastleState.TargetGroup]] = [:]
    for group in groups {
      let arn = group.targetGroupArn ?? ""
      let health =
        try await call.invoke(ELBv2.describeTargetHealth, .make { $0.targetGroupArn = arn })
        .targetHealthDescriptions ?? []
      for description in health {
        guard let target = description.target else { continue }
        targets[Self.target(arn, target.id)] = Look.Target(
          state: description.targetHealth?.state ?? "unavailable", reason: description.targetHealth?.description,
          port: target.port ?? group.port ?? 0)
      }
      let listed = CastleState.TargetGroup(
        name: group.targetGroupName ?? "", arn: arn,
        healthy: health.filter { $0.targetHealth?.state == "healthy" }.count,
        total: health.filter { $0.targetHealth?.state != "draining" }.count, flow: traffic?.targetGroups[arn])
      for balancer in group.loadBalancerArns ?? [] { members[balancer, default: []].append(listed) }
    }
    return Balancers(
      loadBalancers: balancers.map { Self.loadBalancer($0, members[$0.loadBalancerArn ?? ""] ?? [], traffic) },
      targets: targets)
  }

  private static func loadBalancer(
    _ balancer: ELBv2.LoadBalancer, _ groups: [CastleState.TargetGroup], _ traffic: Traffic?
  ) -> CastleState.LoadBalancer {
    let arn = balancer.loadBalancerArn ?? ""
    var flow = traffic?.loadBalancers[arn]
    flow?.p99 = groups.compactMap { $0.flow?.p99 }.max()
    let name = balancer.dnsName ?? ""
    return CastleState.LoadBalancer(
      name: balancer.loadBalancerName ?? "", label: balancer.loadBalancerName ?? "", arn: arn,
      scheme: balancer.scheme ?? "", dnsName: name, url: name.isEmpty ? nil : "http://\(name)/",
      health: CastleState.health(balancer.state?.code), reason: balancer.state?.reason, flow: flow,
      connections: traffic?.connections[arn], targetGroups: groups)
  }

  /// What a task's environment may name, and the part that is meant.
  struct Names: Sendable {
    private var parts: [(text: String, id: String)] = []

    init(_ state: CastleState) {
      func add(_ text: String?, _ kind: String, _ name: String) {
        if let text, text.count > 3 { parts.append((text, CastleState.id(kind, name))) }
      }
      for balancer in state.loadBalancers ?? [] { add(balancer.dnsName, "loadbalancer", balancer.name) }
      for database in state.databases ?? [] {
        add(database.endpoint, "database", database.name)
        add(database.readerEndpoint, "database", database.name)
      }
      for cache in state.caches ?? [] { add(cache.endpoint, "cache", cache.name) }
      for bucket in state.buckets ?? [] { add(bucket.name, "bucket", bucket.name) }
      for secret in state.secrets ?? [] { add(secret.arn, "secret", secret.name) }
    }

    func used(in values: [String]) -> [String] {
      var found: [String] = []
      for (text, id) in parts where !found.contains(id) && values.contains(where: { Self.names($0, text) }) {
        found.append(id)
      }
      return found
    }

    /// Whether a value has the name as a whole: `127.3.0.1` is not in `127.3.0.12`.
    private static func names(_ value: String, _ name: String) -> Bool {
      var rest = value[...]
      while let range = rest.firstRange(of: name) {
        let before = range.lowerBound == value.startIndex ? nil : value[value.index(before: range.lowerBound)]
        let after = range.upperBound == value.endIndex ? nil : value[range.upperBound]
        func isPart(_ character: Character?) -> Bool { character.map { $0.isLetter || $0.isNumber } ?? false }
        if !isPart(before), !isPart(after) { return true }
        rest = rest[range.upperBound...]
      }
      return false
    }
  }

  func services(_ look: Look, _ names: Names) async throws -> [CastleState.Service] {
    let clusters = try await Pages.all { token in
      try await look.call.invoke(ECS.listClusters, .make { $0.nextToken = token })
    } next: {
      $0.nextToken
    }.flatMap { $0.clusterArns ?? [] }
    var services: [CastleState.Service] = []
    for cluster in clusters { services += try await self.services(of: cluster, look, names) }
    return services
  }

  private func services(of cluster: String, _ look: Look, _ names: Names) async throws -> [CastleState.Service] {
    let tasks = Dictionary(grouping: try await tasks(of: cluster, look), by: { $0.group ?? "" })
    let arns = try await Pages.all { token in
      try await look.call.invoke(
        ECS.listServices,
        .make {
          $0.cluster = cluster
          $0.nextToken = token
        })
    } next: {
      $0.nextToken
    }.flatMap { $0.serviceArns ?? [] }
    var services: [CastleState.Service] = []
    for start in stride(from: 0, to: arns.count, by: 10) {
      let page = Array(arns[start..<min(start + 10, arns.count)])
      let described =
        try await look.call.invoke(
          ECS.describeServices,
          .make {
            $0.cluster = cluster
            $0.services = page
            $0.include = ["TAGS"]
          }
        ).services ?? []
      for service in described where service.status != "INACTIVE" {
        services.append(try await self.service(service, tasks, look, names))
      }
    }
    // Tasks that no service runs, by their family.
    for (group, own) in tasks.sorted(by: { $0.key < $1.key }) where !group.hasPrefix("service:") {
      let definition = try await definition(own[0].taskDefinitionArn ?? "", look.call)
      let listed = own.map { task($0, groups: [], definition.name, look) }
      services.append(
        CastleState.Service(
          name: String(group.drop { $0 != ":" }.dropFirst()), cluster: Self.name(cluster),
          health: CastleState.together(listed.filter { $0.health != .stopping }.map(\.health)), desired: own.count,
          running: own.filter { $0.lastStatus == "RUNNING" }.count, taskDefinition: definition.name, targetGroups: [],
          uses: names.used(in: definition.values), tasks: listed))
    }
    return services
  }

  /// The tasks that run, and those that have just stopped.
  private func tasks(of cluster: String, _ look: Look) async throws -> [ECS.Task] {
    var arns: [String] = []
    for status in ["RUNNING", "STOPPED"] {
      arns += try await Pages.all { token in
        try await look.call.invoke(
          ECS.listTasks,
          .make {
            $0.cluster = cluster
            $0.desiredStatus = status
            $0.nextToken = token
          })
      } next: {
        $0.nextToken
      }.flatMap { $0.taskArns ?? [] }
    }
    var tasks: [ECS.Task] = []
    for start in stride(from: 0, to: arns.count, by: 100) {
      let page = Array(arns[start..<min(start + 100, arns.count)])
      tasks +=
        try await look.call.invoke(
          ECS.describeTasks,
          .make {
            $0.cluster = cluster
            $0.tasks = page
          }
        ).tasks ?? []
    }
    return tasks.filter { $0.lastStatus != "STOPPED" || look.wasLately($0.stoppedAt) }
      .sorted {
        ($0.createdAt?.milliseconds ?? 0, $0.taskArn ?? "") < ($1.createdAt?.milliseconds ?? 0, $1.taskArn ?? "")
      }
  }

  private func service(
    _ service: ECS.Service, _ tasks: [String: [ECS.Task]], _ look: Look, _ names: Names
  ) async throws -> CastleState.Service {
    let own = service.serviceName ?? ""
    let groups = (service.loadBalancers ?? []).compactMap(\.targetGroupArn)
    let definition = try await definition(service.taskDefinition ?? "", look.call)
    var listed: [CastleState.Task] = []
    for task in tasks["service:\(own)"] ?? [] {
      let name = try await self.definition(task.taskDefinitionArn ?? "", look.call).name
      listed.append(self.task(task, groups: groups, name, look))
    }
    let desired = service.desiredCount ?? 0
    let healthy = listed.filter { $0.health == .healthy }.count
    let primary = service.deployments?.first { $0.status == "PRIMARY" } ?? service.deployments?.first
    let health: CastleState.Health =
      service.status == "DRAINING"
      ? .stopping
      : healthy >= desired
        ? primary?.rolloutState == "FAILED" ? .degraded : .healthy
        : healthy > 0 ? .degraded : listed.contains { $0.health == .starting } ? .starting : .failed
    return CastleState.Service(
      name: service.tags?.first { $0.key == "castle:service" }?.value ?? own, serviceName: own,
      arn: service.serviceArn, cluster: Self.name(service.clusterArn ?? ""), health: health, desired: desired,
      running: service.runningCount ?? 0, rollout: primary?.rolloutState, taskDefinition: definition.name,
      targetGroups: groups, uses: names.used(in: definition.values), tasks: listed,
      event: service.events?.first?.message)
  }

  private func task(
    _ task: ECS.Task, groups: [String], _ definition: String, _ look: Look
  ) -> CastleState.Task {
    let arn = task.taskArn ?? ""
    let address =
      (task.containers ?? []).compactMap { $0.networkInterfaces?.first?.privateIpv4Address }.first
      ?? (task.attachments ?? []).flatMap { $0.details ?? [] }.first { $0.name == "privateIPv4Address" }?.value
    let targets = groups.compactMap { group in
      address.flatMap { address in look.targets[Self.target(group, address)].map { (group, $0) } }
    }
    let status = task.lastStatus ?? ""
    var health: CastleState.Health
    var word = status.lowercased()
    var reason = task.stoppedReason
    switch status {
    case "RUNNING" where task.desiredStatus == "STOPPED": health = .stopping
    case "RUNNING":
      let states = targets.map(\.1.state)
      if !groups.isEmpty, states.count < groups.count || states.contains("initial") {
        health = .starting
      } else if states.contains("unhealthy") || states.contains("unavailable") || task.healthStatus == "UNHEALTHY" {
        (health, word) = (.failed, "unhealthy")
        reason = targets.compactMap(\.1.reason).first
      } else if states.contains("draining") {
        (health, word) = (.stopping, "draining")
      } else {
        health = .healthy
      }
    case "STOPPED":
      let code = (task.containers ?? []).compactMap(\.exitCode).first { $0 != 0 }
      health = code == nil && task.stopCode != "TaskFailedToStart" ? .stopping : .failed
      if let code { reason = [reason ?? "", "exit code \(code)"].filter { !$0.isEmpty }.joined(separator: ", ") }
    case "DEACTIVATING", "STOPPING", "DEPROVISIONING": health = .stopping
    default: health = .starting
    }
    let flows = targets.compactMap { group, target in
      look.traffic?.targets[Traffic.target(group, address ?? "", target.port)]
    }
    return CastleState.Task(
      id: Self.name(arn), arn: arn, health: health, status: word, address: address,
      since: (task.stoppedAt ?? task.startedAt ?? task.createdAt)?.milliseconds, taskDefinition: definition,
      reason: reason, flow: CastleState.sum(flows))
  }

  static func name(_ arn: String) -> String { arn.split(separator: "/").last.map { String($0) } ?? arn }

  /// What is needed of a task definition, asked for once.
  func definition(_ arn: String, _ call: CallContext) async throws -> Definition {
    if let known = definitions[arn] { return known }
    let found = try await call.invoke(ECS.describeTaskDefinition, .make { $0.taskDefinition = arn }).taskDefinition
    let containers = found?.containerDefinitions ?? []
    let definition = Definition(
      name: "\(found?.family ?? Self.name(arn)):\(found?.revision ?? 0)",
      values: containers.flatMap { container in
        (container.environment ?? []).compactMap(\.value) + (container.secrets ?? []).map(\.valueFrom)
      },
      logGroups: Array(Set(containers.compactMap { $0.logConfiguration?.options?["awslogs-group"] })).sorted())
    remember(definition, as: arn)
    return definition
  }
}
