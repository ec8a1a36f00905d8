// What to do next with a group. Pure: desired, observed and the time in, actions out.

import AWSCore

extension RedisGroup {
  struct Observed: Sendable, Hashable {
    /// The recorded primary.
    var primary: String?
    var nodes: [String: NodeFacts] = [:]
    /// When the primary's process was seen gone.
    var primaryLostAt: Timestamp?
    /// The one that a planned failover shall make the primary.
    var switchTo: String?
    var restarting: Set<String> = []
  }

  struct NodeFacts: Sendable, Hashable {
    var isBusy = false
    var isRunning = false
    var endpoint: String?
    var hasCrashed = false
    var isReady = false
    /// As the server says: `master` or `slave`.
    var isPrimary: Bool?
    /// Whom it follows: a name, when that one is known.
    var follows: String?
    /// Whether it has been in step with the primary since it last started or was pointed at it.
    var isInStep = false
    /// How much it has received when asked last, and when that was.
    var offset: Int64?
    var measuredAt: Timestamp?
    var measureFailedAt: Timestamp?
    var notBefore: Timestamp?
    var failures = 0
    /// The tokens and parameters it was last told.
    var applied: Applied?
  }

  struct Applied: Sendable, Hashable {
    var tokens: [String]
    var isRestricted: Bool
    var parameters: [String: String]
  }

  enum Action: Sendable, Hashable {
    case start(String)
    case stop(String)
    case measure([String])
    case promote(String)
    /// A planned failover between two that run: no write is lost.
    case handOver(from: String, to: String)
    case follow(String)
    case configure(String)
    case remove(String)
    case elect(String)
    case wake(Timestamp)
  }

  struct Planner {
    let desired: Specification
    let observed: Observed
    let now: Timestamp

    static func plan(_ desired: Specification, _ observed: Observed, now: Timestamp) -> [Action] {
      Planner(desired: desired, observed: observed, now: now).actions()
    }

    private func facts(_ name: String) -> NodeFacts { observed.nodes[name] ?? NodeFacts() }

    private var applied: Applied {
      Applied(tokens: desired.authTokens, isRestricted: desired.isRestricted, parameters: desired.parameters)
    }

    private func actions() -> [Action] {
      if !desired.isRunning || desired.nodes.isEmpty { return stopping() }
      guard let primary = observed.primary, desired.node(primary) != nil || facts(primary).isRunning else {
        return desired.nodes.first.map { [.elect($0.name)] } ?? []
      }
      var actions = ofPrimary(primary)
      for node in desired.nodes where node.name != primary { actions += ofReplica(node, primary) }
      for name in observed.nodes.keys.sorted() where name != primary && desired.node(name) == nil {
        let it = facts(name)
        if !it.isBusy { actions.append(it.isRunning ? .stop(name) : .remove(name)) }
      }
      return actions
    }

    /// Replicas first: they keep what the primary gave them; the primary then writes its own data down.
    private func stopping() -> [Action] {
      let running = observed.nodes.filter { $0.value.isRunning }
      if running.contains(where: { $0.value.isBusy }) { return [] }
      let replicas = running.keys.filter { $0 != observed.primary }.sorted()
      return (replicas.isEmpty ? running.keys.sorted() : replicas).map { .stop($0) }
    }

    private func ofPrimary(_ primary: String) -> [Action] {
      let it = facts(primary)
      if it.isBusy { return [] }
      if it.isRunning {
        guard it.isReady else { return [] }
        if it.isPrimary == false { return [.promote(primary)] }
        if let target = switchTarget(primary) { return [.handOver(from: primary, to: target)] }
        if observed.restarting.contains(primary) { return [.stop(primary)] }
        if let wanted = desired.node(primary), it.endpoint != wanted.endpoint { return [.stop(primary)] }
        return it.applied != applied && desired.node(primary) != nil ? [.configure(primary)] : []
      }
      if it.hasCrashed || desired.node(primary) == nil, let takeover = takeover(primary) { return takeover }
      if let notBefore = it.notBefore, notBefore > now { return [.wake(notBefore)] }
      return [.start(primary)]
    }

    private func switchTarget(_ primary: String) -> String? {
      let ready = desired.nodes.map(\.name).filter { name in
        let it = facts(name)
        return name != primary && it.isRunning && it.isReady && it.isInStep && !it.isBusy && it.follows == primary
      }
      if let target = observed.switchTo { return ready.contains(target) ? target : nil }
      return desired.node(primary) == nil ? ready.first : nil
    }

    /// A replica that was in step takes over; the one that has received most. `nil` when there is none.
    private func takeover(_ primary: String) -> [Action]? {
      let lost = observed.primaryLostAt ?? now
      let members = desired.nodes.map(\.name).filter { name in
        let it = facts(name)
        return name != primary && it.isRunning && it.isInStep && !(it.measureFailedAt.map { $0 >= lost } ?? false)
      }
      if members.isEmpty { return nil }
      if members.contains(where: { facts($0).isBusy }) { return [] }
      let open = members.filter { facts($0).measuredAt.map { $0 < lost } ?? true }
      if !open.isEmpty { return [.measure(open)] }
      let best = members.min { (-(facts($0).offset ?? 0), $0) < (-(facts($1).offset ?? 0), $1) }
      return best.map { [.promote($0)] }
    }

    private func ofReplica(_ node: Node, _ primary: String) -> [Action] {
      let it = facts(node.name)
      let source = facts(primary)
      if it.isBusy { return [] }
      if it.isRunning {
        if it.endpoint != node.endpoint || observed.restarting.contains(node.name) { return [.stop(node.name)] }
        guard source.isRunning, source.isReady, source.isPrimary == true, !source.isBusy else { return [] }
        if it.isReady && (it.follows != primary || it.isPrimary == true) { return [.follow(node.name)] }
        return it.isReady && it.applied != applied ? [.configure(node.name)] : []
      }
      if let notBefore = it.notBefore, notBefore > now { return [.wake(notBefore)] }
      // Its configuration names the primary: while it is open who that is, it waits.
      return source.isRunning || source.isBusy ? [.start(node.name)] : []
    }
  }
}
