// CreateCluster, DescribeClusters, ListClusters, UpdateCluster, UpdateClusterSettings, PutClusterCapacityProviders,
// DeleteCluster.

import AWSCore
import ECSModel
import ServiceKit
import Store

extension ECSService {
  func createCluster(_ input: ECS.CreateClusterRequest, _ call: CallContext) async throws -> ECS.CreateClusterResponse {
    let name = input.clusterName ?? "default"
    guard Names.isValid(name) else { throw ECSError.invalid("Identifier is too long or contains invalid characters.") }
    let tags = try TagRules.map(input.tags)
    try Self.check(input.capacityProviders ?? [], input.defaultCapacityProviderStrategy ?? [])
    let record = try await store.write { tx in
      if let known = try tx.get(ClusterRecord.self, call.scope, name), known.isActive { return known }
      let insights = try Self.setting("containerInsights", tx, call)
      let record = ClusterRecord(
        name: name, createdAt: call.now,
        cluster: Stored(
          .make {
            $0.settings = Self.settings(input.settings ?? [], over: [("containerInsights", insights)])
            $0.configuration = input.configuration
            $0.capacityProviders = input.capacityProviders ?? []
            $0.defaultCapacityProviderStrategy = input.defaultCapacityProviderStrategy ?? []
            $0.serviceConnectDefaults = input.serviceConnectDefaults.map(Self.connect)
          }), tags: tags)
      try tx.put(record, call.scope)
      return record
    }
    let cluster = try await view(record, ["TAGS", "SETTINGS", "CONFIGURATIONS"], call)
    return .make { $0.cluster = cluster }
  }

  func describeClusters(
    _ input: ECS.DescribeClustersRequest, _ call: CallContext
  ) async throws -> ECS.DescribeClustersResponse {
    let names = input.clusters ?? []
    guard names.count <= Limits.describedMany else {
      throw ECSError.invalid("Clusters cannot have more than \(Limits.describedMany) elements.")
    }
    var found: [ECS.Cluster] = []
    var failures: [ECS.Failure] = []
    for name in names.isEmpty ? ["default"] : names {
      if let record = try await store.get(ClusterRecord.self, call.scope, Names.cluster(name)) {
        found.append(try await view(record, input.include ?? [], call))
      } else {
        failures.append(Self.missing(call.ecs("cluster/\(Names.cluster(name))")))
      }
    }
    return .make {
      $0.clusters = found
      $0.failures = failures
    }
  }

  func listClusters(_ input: ECS.ListClustersRequest, _ call: CallContext) async throws -> ECS.ListClustersResponse {
    let names = try await store.read { try $0.list(ClusterRecord.self, call.scope).filter(\.isActive).map(\.name) }
    let page = try Page(names, limit: input.maxResults ?? Limits.page, token: input.nextToken) { $0 }
    return .make {
      $0.clusterArns = page.items.map { call.ecs("cluster/\($0)") }
      $0.nextToken = page.next
    }
  }

  func updateCluster(_ input: ECS.UpdateClusterRequest, _ call: CallContext) async throws -> ECS.UpdateClusterResponse {
    let record = try await changeCluster(input.cluster, call) { cluster in
      if let settings = input.settings { cluster.settings = Self.settings(settings, over: Self.pairs(cluster)) }
      if let configuration = input.configuration { cluster.configuration = configuration }
      if let connect = input.serviceConnectDefaults { cluster.serviceConnectDefaults = Self.connect(connect) }
    }
    let cluster = try await view(record, ["TAGS", "SETTINGS", "CONFIGURATIONS"], call)
    return .make { $0.cluster = cluster }
  }

  func updateClusterSettings(
    _ input: ECS.UpdateClusterSettingsRequest, _ call: CallContext
  ) async throws -> ECS.UpdateClusterSettingsResponse {
    let record = try await changeCluster(input.cluster, call) {
      $0.settings = Self.settings(input.settings, over: Self.pairs($0))
    }
    let cluster = try await view(record, ["TAGS", "SETTINGS", "CONFIGURATIONS"], call)
    return .make { $0.cluster = cluster }
  }

  func putClusterCapacityProviders(
    _ input: ECS.PutClusterCapacityProvidersRequest, _ call: CallContext
  ) async throws -> ECS.PutClusterCapacityProvidersResponse {
    try Self.check(input.capacityProviders, input.defaultCapacityProviderStrategy)
    let record = try await changeCluster(input.cluster, call) {
      $0.capacityProviders = input.capacityProviders
      $0.defaultCapacityProviderStrategy = input.defaultCapacityProviderStrategy
    }
    let cluster = try await view(record, ["TAGS", "SETTINGS", "CONFIGURATIONS"], call)
    return .make { $0.cluster = cluster }
  }

  func deleteCluster(_ input: ECS.DeleteClusterRequest, _ call: CallContext) async throws -> ECS.DeleteClusterResponse {
    let record = try await store.write { tx in
      guard var record = try Lookup.cluster(input.cluster, tx, call.scope) else { throw ECSError.clusterNotFound }
      guard record.isActive else { return record }
      let services = try tx.find(ServiceRecord.self, call.scope, index: "cluster", record.name)
      guard !services.contains(where: { $0.status == .active }) else { throw ECSError.clusterContainsServices }
      let tasks = try tx.find(TaskRecord.self, call.scope, index: "cluster", record.name)
      guard !tasks.contains(where: { $0.status != .stopped }) else { throw ECSError.clusterContainsTasks }
      record.isActive = false
      record.deletedAt = call.now
      try tx.put(record, call.scope)
      return record
    }
    let cluster = try await view(record, ["TAGS", "SETTINGS", "CONFIGURATIONS"], call)
    return .make { $0.cluster = cluster }
  }

  // MARK: -

  private func changeCluster(
    _ name: String, _ call: CallContext, _ body: @escaping @Sendable (inout ECS.Cluster) throws -> Void
  ) async throws -> ClusterRecord {
    try await store.write { tx in
      var record = try Lookup.activeCluster(name, tx, call.scope)
      try body(&record.cluster.value)
      try tx.put(record, call.scope)
      return record
    }
  }

  private static func check(_ providers: [String], _ strategy: [ECS.CapacityProviderStrategyItem]) throws {
    for provider in providers where !["FARGATE", "FARGATE_SPOT"].contains(provider) {
      throw ECSError.invalid(
        "The specified capacity provider '\(provider)' was not found. Specify a valid capacity provider and try again.")
    }
    for item in strategy where !providers.contains(item.capacityProvider) {
      throw ECSError.invalid(
        "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the "
          + "cluster. Associate the capacity provider with the cluster and try again.")
    }
  }

  private static func pairs(_ cluster: ECS.Cluster) -> [(String, String)] {
    (cluster.settings ?? []).map { ($0.name ?? "", $0.value ?? "") }
  }

  private static func settings(
    _ new: [ECS.ClusterSetting], over old: [(String, String)]
  ) -> [ECS.ClusterSetting] {
    var values = Dictionary(old) { _, last in last }
    for setting in new { if let name = setting.name { values[name] = setting.value ?? "" } }
    return values.sorted { $0.key < $1.key }.map { name, value in
      .make {
        $0.name = name
        $0.value = value
      }
    }
  }

  private static func connect(_ defaults: ECS.ClusterServiceConnectDefaultsRequest) -> ECS.ClusterServiceConnectDefaults
  {
    .make { $0.namespace = defaults.namespace }
  }

  static func missing(_ arn: String) -> ECS.Failure {
    .make {
      $0.arn = arn
      $0.reason = "MISSING"
    }
  }

  /// The cluster as it is told: the optional parts only when they are asked for.
  private func view(_ record: ClusterRecord, _ include: [String], _ call: CallContext) async throws -> ECS.Cluster {
    let (services, tasks) = try await store.read { snapshot in
      (
        try snapshot.find(ServiceRecord.self, call.scope, index: "cluster", record.name).filter {
          $0.status == .active
        },
        try snapshot.find(TaskRecord.self, call.scope, index: "cluster", record.name).filter { $0.status != .stopped }
      )
    }
    let stored = record.cluster.value
    return .make {
      $0.clusterArn = call.ecs("cluster/\(record.name)")
      $0.clusterName = record.name
      $0.status = record.isActive ? "ACTIVE" : "INACTIVE"
      $0.registeredContainerInstancesCount = 0
      $0.activeServicesCount = services.count
      $0.runningTasksCount = tasks.filter { $0.status == .running }.count
      $0.pendingTasksCount = tasks.filter { $0.isWanted && $0.status != .running }.count
      $0.capacityProviders = stored.capacityProviders ?? []
      $0.defaultCapacityProviderStrategy = stored.defaultCapacityProviderStrategy ?? []
      $0.serviceConnectDefaults = stored.serviceConnectDefaults
      $0.settings = include.contains("SETTINGS") ? stored.settings : []
      $0.tags = include.contains("TAGS") ? TagRules.list(record.tags) : []
      $0.statistics = include.contains("STATISTICS") ? Self.statistics(tasks, services) : []
      if include.contains("CONFIGURATIONS") { $0.configuration = stored.configuration }
    }
  }

  private static func statistics(_ tasks: [TaskRecord], _ services: [ServiceRecord]) -> [ECS.KeyValuePair] {
    let running = tasks.filter { $0.status == .running }
    let pending = tasks.filter { $0.isWanted && $0.status != .running }
    var pairs: [ECS.KeyValuePair] = []
    func add(_ name: String, _ types: [String?]) {
      let fargate = types.filter { $0 == "FARGATE" }.count
      for (kind, count) in [("EC2", types.count - fargate), ("Fargate", fargate)] {
        var pair = ECS.KeyValuePair()
        pair.name = name.replacing("*", with: kind)
        pair.value = String(count)
        pairs.append(pair)
      }
    }
    add("active*ServiceCount", services.map(\.settings.value.launchType))
    add("pending*TasksCount", pending.map(\.launchType))
    add("running*TasksCount", running.map(\.launchType))
    return pairs
  }
}
