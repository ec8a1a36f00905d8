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
    let status = Dictionary(
      instances.map { ($0.dbInstanceIdentifier ?? "", $0.dbInstanceStatus ?? "") }, uniquingKeysWith: { $1 })
    return clusters.map { cluster in
      let name = cluster.dbClusterIdentifier ?? ""
      let nodes = (cluster.dbClusterMembers ?? []).map { member in
        let id = member.dbInstanceIdentifier ?? ""
        return CastleState.Node(
          name: id, role: member.isClusterWriter == true ? "writer" : "reader", status: status[id] ?? "",
          health: CastleState.health(status[id]))
      }.sorted { ($0.role == "reader" ? 1 : 0, $0.name) < ($1.role == "reader" ? 1 : 0, $1.name) }
      return CastleState.Database(
        name: name, label: look.label(name),
        engine: [cluster.engine ?? "", cluster.engineVersion ?? ""].joined(separator: " "),
        status: cluster.status ?? "", health: Self.health(cluster.status, nodes), endpoint: cluster.endpoint,
        readerEndpoint: cluster.readerEndpoint, port: cluster.port,
        connections: look.connections([cluster.endpoint, cluster.readerEndpoint], name), instances: nodes)
    }
  }

  func caches(_ look: Look) async throws -> [CastleState.Cache] {
    let groups = try await Pages.all { token in
      try await look.call.invoke(ElastiCache.describeReplicationGroups, .make { $0.marker = token })
    } next: {
      $0.marker
    }.flatMap { $0.replicationGroups ?? [] }
    return groups.map { group in
      let name = group.replicationGroupId ?? ""
      let shards = group.nodeGroups ?? []
      let nodes = shards.flatMap { shard in
        (shard.nodeGroupMembers ?? []).map { member in
          CastleState.Node(
            name: member.cacheClusterId ?? "", role: member.currentRole ?? "member", status: shard.status ?? "",
            health: CastleState.health(shard.status))
        }
      }.sorted { ($0.role, $0.name) < ($1.role, $1.name) }
      let endpoint = shards.first?.primaryEndpoint ?? group.configurationEndpoint
      return CastleState.Cache(
        name: name, label: look.label(name), engine: group.engine ?? "redis", status: group.status ?? "",
        health: Self.health(group.status, nodes), endpoint: endpoint?.address, port: endpoint?.port,
        connections: look.connections([endpoint?.address, shards.first?.readerEndpoint?.address], name), nodes: nodes)
    }
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
