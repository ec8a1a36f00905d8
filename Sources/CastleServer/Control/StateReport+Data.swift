// Where the data is kept: databases and caches.

import AWSCore
import ElastiCacheModel
import RDSModel
import ServiceKit

extension StateReporter {
  func databases(_ look: Look) async throws -> [CastleState.Database] {
    let clusters = try await Pages.all { token in
      try await look.call.invoke(RDS.describeDBClusters, .make { $0.marker = token })
    } next: {
      $0.marker
    }.flatMap { $0.dbClusters ?? [] }
    let instances = try await Pages.all { token in
      try await look.call.invoke(RDS.describeDBInstances, .make { $0.marker = token })
    } next: {
      $0.marker
    }.flatMap { $0.dbInstances ?? [] }
    let known = Dictionary(instances.map { ($0.dbInstanceIdentifier ?? "", $0) }, uniquingKeysWith: { $1 })
    return clusters.map { cluster in
      let name = cluster.dbClusterIdentifier ?? ""
      let nodes = (cluster.dbClusterMembers ?? []).map { member in
        let id = member.dbInstanceIdentifier ?? ""
        return CastleState.Node(
          name: id, role: member.isClusterWriter == true ? "writer" : "reader",
          status: known[id]?.dbInstanceStatus ?? "", health: CastleState.health(known[id]?.dbInstanceStatus),
          reason: known[id]?.statusInfos?.first?.message)
      }.sorted { ($0.role == "reader" ? 1 : 0, $0.name) < ($1.role == "reader" ? 1 : 0, $1.name) }
      return CastleState.Database(
        name: name, label: look.label(name),
        engine: [cluster.engine ?? "", cluster.engineVersion ?? ""].joined(separator: " "),
        status: cluster.status ?? "", health: Self.health(cluster.status, nodes), endpoint: cluster.endpoint,
        readerEndpoint: cluster.readerEndpoint, port: cluster.port,
        connections: look.connections([cluster.endpoint, cluster.readerEndpoint], name),
        reason: cluster.statusInfos?.first?.message, instances: nodes)
    }
  }

  func caches(_ look: Look) async throws -> [CastleState.Cache] {
    let groups = try await Pages.all { token in
      try await look.call.invoke(ElastiCache.describeReplicationGroups, .make { $0.marker = token })
    } next: {
      $0.marker
    }.flatMap { $0.replicationGroups ?? [] }
    let clusters = try await Pages.all { token in
      try await look.call.invoke(ElastiCache.describeCacheClusters, .make { $0.marker = token })
    } next: {
      $0.marker
    }.flatMap { $0.cacheClusters ?? [] }
    let status = Dictionary(
      clusters.map { ($0.cacheClusterId ?? "", $0.cacheClusterStatus ?? "") }, uniquingKeysWith: { $1 })
    var reasons: [String: String] = [:]
    if clusters.contains(where: { CastleState.health($0.cacheClusterStatus) == .failed }) {
      reasons = try await cacheReasons(look.call)
    }
    return groups.map { group in
      let name = group.replicationGroupId ?? ""
      let shards = group.nodeGroups ?? []
      let nodes = shards.flatMap { shard in
        (shard.nodeGroupMembers ?? []).map { member in
          let id = member.cacheClusterId ?? ""
          let health = CastleState.health(status[id])
          return CastleState.Node(
            name: id, role: member.currentRole ?? "member", status: status[id] ?? "", health: health,
            reason: health == .failed ? reasons[id] ?? reasons[name] : nil)
        }
      }.sorted { ($0.role, $0.name) < ($1.role, $1.name) }
      let endpoint = shards.first?.primaryEndpoint ?? group.configurationEndpoint
      return CastleState.Cache(
        name: name, label: look.label(name), engine: group.engine ?? "redis", status: group.status ?? "",
        health: Self.health(group.status, nodes), endpoint: endpoint?.address, port: endpoint?.port,
        connections: look.connections([endpoint?.address, shards.first?.readerEndpoint?.address], name), nodes: nodes)
    }
  }

  /// The last event of each node and group in the last two weeks: why one has failed stands nowhere else.
  private func cacheReasons(_ call: CallContext) async throws -> [String: String] {
    let pages = try await Pages.all { token in
      try await call.invoke(
        ElastiCache.describeEvents,
        .make {
          $0.duration = 14 * 24 * 60
          $0.marker = token
        })
    } next: {
      $0.marker
    }
    let events = pages.flatMap { $0.events ?? [] }
    return Dictionary(events.map { ($0.sourceIdentifier ?? "", $0.message ?? "") }, uniquingKeysWith: { $1 })
  }

  /// That of the whole, unless a server is worse off.
  private static func health(_ status: String?, _ nodes: [CastleState.Node]) -> CastleState.Health {
    let whole = CastleState.health(status)
    guard whole == .healthy, !nodes.isEmpty else { return whole }
    return CastleState.together(nodes.map(\.health))
  }
}

extension StateReporter.Look {
  /// Open client connections of the Gate's endpoints at these addresses, or whose id names the thing.
  func connections(_ addresses: [String?], _ name: String) -> Int? {
    guard let traffic else { return nil }
    let ids = endpoints.filter { id, address in
      addresses.contains(address) || id.split(whereSeparator: { $0 == "/" || $0 == ":" }).contains { $0 == name }
    }.keys
    return ids.isEmpty ? nil : ids.reduce(0) { $0 + (traffic.connections[$1] ?? 0) }
  }
}
