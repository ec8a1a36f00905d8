// What is to be done next for a cluster. Pure: wanted and observed in, actions out.

import PostgresEngine

/// One step of a cluster's keeper.
enum KeeperAction: Hashable, Sendable {
  /// Opens the engine's cluster: makes it or adopts it.
  case open
  /// Tells the engine the new specification.
  case apply
  /// Changes the master password to the wanted one.
  case setPassword
  case failOver(ClusterRecord.Failover)
  case restart(instance: String, request: String)
  /// Forgets an instance that has gone.
  case finishInstance(String)
  /// The cluster that was asked to start has started.
  case finishStart
  /// A reboot or failover that has become pointless.
  case finishFailover(ClusterRecord.Failover)
  /// Copies the stopped writer's data.
  case snapshot(String)
  /// Removes the servers, the data and the records.
  case destroy
}

/// What a keeper knows.
struct KeeperView: Sendable {
  var cluster: ClusterRecord
  var instances: [InstanceRecord]
  var isOpen = false
  /// It is known that the cluster cannot be opened now.
  var isBlocked = false
  /// Whether the engine was told what is wanted (but for the password).
  var isApplied = false
  /// The version of the password that the engine was given.
  var passwordVersion = 0
  var state = PostgresCluster.State()
}

enum ClusterPlan {
  static func actions(_ view: KeeperView) -> [KeeperAction] {
    let cluster = view.cluster
    let isGoing = cluster.wanted == .deleted
    // Nothing to be copied: no need to look at it first.
    if isGoing && cluster.finalSnapshot == nil { return [.destroy] }
    guard view.isOpen else {
      // Nobody has to wait with going; what may be left of it is cleared away when the cluster is opened.
      let leavers = view.isBlocked ? view.instances.filter(\.isDeleting) : []
      return leavers.map { .finishInstance($0.id) } + [.open]
    }
    if !view.isApplied { return [.apply] }
    if isGoing {
      guard view.state.isStopped, let snapshot = cluster.finalSnapshot else { return [] }
      return [.snapshot(snapshot)]
    }
    var actions: [KeeperAction] = []
    for instance in view.instances where instance.isDeleting && view.state[instance.id] == nil {
      actions.append(.finishInstance(instance.id))
    }
    guard cluster.wanted == .running else { return actions }
    let live = view.instances.filter { !$0.isDeleting }
    if cluster.passwordVersion > view.passwordVersion, live.isEmpty || view.state.availableWriter != nil {
      actions.append(.setPassword)
    }
    if cluster.isStarting && (live.isEmpty || view.state.availableWriter != nil) { actions.append(.finishStart) }
    if let failover = cluster.failover { actions += failOver(failover, view, live) }
    for instance in live {
      if let request = instance.reboot, let seen = view.state[instance.id], seen.pid != nil || seen.failure != nil {
        actions.append(.restart(instance: instance.id, request: request))
      }
    }
    return actions
  }

  private static func failOver(
    _ failover: ClusterRecord.Failover, _ view: KeeperView, _ live: [InstanceRecord]
  ) -> [KeeperAction] {
    let readers = view.state.availableReaders.map(\.name)
    if let target = failover.target {
      if view.state.writer == target || !live.contains(where: { $0.id == target }) {
        return [.finishFailover(failover)]
      }
      return readers.contains(target) ? [.failOver(failover)] : []
    }
    if live.count < 2 { return [.finishFailover(failover)] }
    return readers.isEmpty ? [] : [.failOver(failover)]
  }

  /// What the engine shall do, the password apart.
  static func specification(
    _ cluster: ClusterRecord, _ instances: [InstanceRecord], parameters: [String: String], password: String,
    dataRoot: String
  ) -> PostgresCluster.Specification {
    let live = instances.filter { !$0.isDeleting }.sorted { $0.number < $1.number }
    return PostgresCluster.Specification(
      id: cluster.resourceID, dataRoot: dataRoot,
      instances: live.map {
        .init(name: $0.id, address: $0.address, port: $0.port, promotionTier: $0.promotionTier)
      },
      firstWriter: live.first?.id, masterUsername: cluster.masterUsername, masterPassword: password,
      databaseName: cluster.databaseName, parameters: parameters, isRunning: cluster.wanted == .running)
  }
}
