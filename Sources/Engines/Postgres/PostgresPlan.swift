// What to do next with a cluster. Pure: desired, observed and the time in, actions out.
//
// The promise that the rules keep: with `isSynchronous`, a commit that was acknowledged is never lost. A commit waits
// for any one replica of the synchronous set, so only after *all* members of that set have been asked is it known which
// one has everything; while one of them cannot be asked, the old writer is started again in place instead.

import AWSCore

extension PostgresCluster {
  /// What is known of a cluster.
  struct Observed: Sendable, Hashable {
    /// The recorded writer.
    var writer: String?
    /// Replicas of which at least one has every acknowledged commit; empty: none is known to.
    var synchronous: Set<String> = []
    /// What the writer's `synchronous_standby_names` says now; `nil`: not known.
    var appliedSynchronous: Set<String>?
    var instances: [String: InstanceFacts] = [:]
    /// Roles and databases are as specified.
    var isPrepared = false
    /// They were once, for this cluster: it can be used.
    var hasBeenPrepared = false
    /// When the writer's process was seen gone.
    var writerLostAt: Timestamp?
    /// The one that a planned failover shall make the writer.
    var switchTo: String?
    /// Instances to be restarted once.
    var restarting: Set<String> = []
    /// Work of the cluster as a whole that is going on.
    var isInitialising = false
    var isSettingSynchronous = false
    var isPreparing = false
  }

  struct InstanceFacts: Sendable, Hashable {
    var hasData = false
    /// Its data may hold what the writer's history does not: it was a writer that was replaced.
    var needsRewind = false
    /// Whom its configuration makes it follow.
    var follows: String?
    var isBusy = false
    var isRunning = false
    /// Where the running process listens, `address:port`.
    var endpoint: String?
    /// Its last end was not a clean shutdown.
    var hasCrashed = false
    var isReady = false
    var isInRecovery: Bool?
    /// Since when a server that had answered does not.
    var silentSince: Timestamp?
    var isStreaming = false
    /// Since when it runs as a replica without streaming.
    var notStreamingSince: Timestamp?
    /// How much it had received when asked last, and when that was.
    var received: UInt64?
    var measuredAt: Timestamp?
    var measureFailedAt: Timestamp?
    /// Failures to start in a row, and when it may be tried again.
    var failures = 0
    var notBefore: Timestamp?
    var parameters: [String: String] = [:]
  }

  enum Action: Sendable, Hashable {
    /// Makes the data of a new cluster: the writer's, and that of replicas as cold copies of the same beginning.
    case initialise(writer: String, replicas: [String])
    case start(String)
    case stop(String)
    /// Ends a server that hangs; what follows is what follows any crash.
    case kill(String)
    /// Asks replicas how much they have received.
    case measure([String])
    case promote(String)
    /// Points a running replica at the writer.
    case follow(String)
    /// Copies the writer's data into a replica, then starts it.
    case clone(String)
    /// Takes a replaced writer's data back to where the histories part, then starts it as a replica.
    case rejoin(String)
    case configure(String)
    case setSynchronous(Set<String>)
    case prepare
    /// Drops an instance that is no longer wanted, with its data.
    case remove(String)
    /// Lets the only data, left by an instance that is no longer wanted, go on as another instance.
    case takeOver(from: String, by: String)
    /// Looks again then.
    case wake(Timestamp)
  }

  /// The rules.
  struct Planner {
    let desired: Specification
    let observed: Observed
    let now: Timestamp

    /// A running replica that has not streamed for so many seconds is copied anew.
    static let rebuildAfter = 45.0
    /// A server that has answered and then not for so many seconds hangs, and is killed.
    static let killAfter = 60.0
    /// After so many failed starts in a row of a crashed writer, a replica takes over whatever it may lack.
    static let mostWriterFailures = 5

    static func plan(_ desired: Specification, _ observed: Observed, now: Timestamp) -> [Action] {
      Planner(desired: desired, observed: observed, now: now).actions()
    }

    private func facts(_ name: String) -> InstanceFacts { observed.instances[name] ?? InstanceFacts() }

    private func actions() -> [Action] {
      if observed.isInitialising { return [] }
      if !desired.isRunning { return stopping() }
      guard let writer = observed.writer else { return beginning() }
      if desired.instances.isEmpty { return stopping() }
      var actions = ofWriter(writer)
      for instance in desired.instances where instance.name != writer { actions += ofReplica(instance, writer) }
      actions += ofLeavers(writer)
      actions += ofSynchronous(writer)
      return actions
    }

    // MARK: Begin and end

    private func beginning() -> [Action] {
      let lowest = desired.instances.enumerated().min {
        ($0.element.promotionTier, $0.offset) < ($1.element.promotionTier, $1.offset)
      }
      guard let writer = desired.firstWriter ?? lowest?.element.name else { return [] }
      if let notBefore = facts(writer).notBefore, notBefore > now { return [.wake(notBefore)] }
      return [.initialise(writer: writer, replicas: desired.instances.map(\.name).filter { $0 != writer })]
    }

    /// The writer first, so that the replicas receive its last word.
    private func stopping() -> [Action] {
      if let writer = observed.writer, facts(writer).isRunning || facts(writer).isBusy {
        return facts(writer).isBusy ? [] : [.stop(writer)]
      }
      return observed.instances.filter { $0.value.isRunning && !$0.value.isBusy }.keys.sorted().map { .stop($0) }
    }

    // MARK: The writer

    private func ofWriter(_ writer: String) -> [Action] {
      let it = facts(writer)
      if it.isBusy { return [] }
      return it.isRunning ? ofRunningWriter(writer, it) : ofStoppedWriter(writer, it)
    }

    private func ofRunningWriter(_ writer: String, _ it: InstanceFacts) -> [Action] {
      if let hung = ofHung(writer, it) { return hung }
      guard it.isReady else { return [] }
      if it.isInRecovery == true { return [.promote(writer)] }
      if let target = switchTarget(writer), canTakeOver(target) { return [.stop(writer)] }
      if observed.restarting.contains(writer) { return [.stop(writer)] }
      if let wanted = desired.instance(writer), it.endpoint != wanted.endpoint { return [.stop(writer)] }
      var actions: [Action] = []
      if !observed.isPrepared && !observed.isPreparing { actions.append(.prepare) }
      if it.parameters != desired.parameters { actions.append(.configure(writer)) }
      return actions
    }

    private func ofHung(_ name: String, _ it: InstanceFacts) -> [Action]? {
      guard let due = it.silentSince?.adding(seconds: Self.killAfter) else { return nil }
      return due <= now ? [.kill(name)] : it.isReady ? nil : [.wake(due)]
    }

    /// Whom a planned failover goes to: as asked, or the best when the writer is not wanted any more.
    private func switchTarget(_ writer: String) -> String? {
      if let target = observed.switchTo { return target == writer ? nil : target }
      if desired.instance(writer) != nil { return nil }
      return desired.instances.filter { canTakeOver($0.name) }
        .min { ($0.promotionTier, $0.name) < ($1.promotionTier, $1.name) }?.name
    }

    private func canTakeOver(_ name: String) -> Bool {
      let it = facts(name)
      return desired.instance(name) != nil && it.isRunning && it.isStreaming && !it.isBusy
        && it.follows == observed.writer
        && (observed.synchronous.contains(name) || !desired.isSynchronous)
    }

    private func ofStoppedWriter(_ writer: String, _ it: InstanceFacts) -> [Action] {
      let isLeaving = desired.instance(writer) == nil
      if it.hasCrashed || observed.switchTo != nil || isLeaving, let takeover = takeover(writer, it) { return takeover }
      if isLeaving {
        // Nobody has its data: another instance goes on with it.
        let free = desired.instances.first { !facts($0.name).isRunning && !facts($0.name).isBusy }
        return free.map { [.takeOver(from: writer, by: $0.name)] } ?? []
      }
      if let notBefore = it.notBefore, notBefore > now { return [.wake(notBefore)] }
      return [.start(writer)]
    }

    /// Makes a replica the writer when that loses nothing; `nil` when the old one must come back instead.
    private func takeover(_ writer: String, _ it: InstanceFacts) -> [Action]? {
      var members = observed.synchronous.subtracting([writer])
      let isDesperate = it.failures >= Self.mostWriterFailures
      if isDesperate || !desired.isSynchronous {
        members = Set(desired.instances.map(\.name)).subtracting([writer])
          .filter { facts($0).isRunning && facts($0).isReady && !facts($0).needsRewind }
      }
      let lost = observed.writerLostAt ?? now
      let askable = members.filter { name in
        let member = facts(name)
        return desired.instance(name) != nil && member.isRunning
          && !(member.measureFailedAt.map { $0 >= lost } ?? false)
      }
      guard !members.isEmpty, askable.count == members.count else { return nil }
      if members.contains(where: { facts($0).isBusy }) { return [] }
      let open = members.filter { name in facts(name).measuredAt.map { $0 < lost } ?? true }
      if !open.isEmpty { return [.measure(open.sorted())] }
      return best(of: members).map { [.promote($0)] }
    }

    /// Who has received most; then the one asked for, then the lowest tier.
    private func best(of members: Set<String>) -> String? {
      func rank(_ name: String) -> (UInt64, Int, Int, String) {
        (
          UInt64.max - (facts(name).received ?? 0), name == observed.switchTo ? 0 : 1,
          desired.instance(name)?.promotionTier ?? .max, name
        )
      }
      return members.min { rank($0) < rank($1) }
    }

    // MARK: Replicas

    private func ofReplica(_ instance: Instance, _ writer: String) -> [Action] {
      let it = facts(instance.name)
      let source = facts(writer)
      let isSourceReady = source.isRunning && source.isReady && source.isInRecovery == false && !source.isBusy
      if it.isBusy { return [] }
      if it.isRunning {
        if let hung = ofHung(instance.name, it) { return hung }
        if it.endpoint != instance.endpoint || observed.restarting.contains(instance.name) {
          return [.stop(instance.name)]
        }
        guard isSourceReady else { return [] }
        if it.follows != writer { return [.follow(instance.name)] }
        if let since = it.notStreamingSince {
          let due = since.adding(seconds: Self.rebuildAfter)
          return due <= now ? [.clone(instance.name)] : [.wake(due)]
        }
        return it.parameters != desired.parameters ? [.configure(instance.name)] : []
      }
      if let notBefore = it.notBefore, notBefore > now { return [.wake(notBefore)] }
      if !it.hasData { return isSourceReady ? [.clone(instance.name)] : [] }
      if it.needsRewind { return isSourceReady ? [.rejoin(instance.name)] : [] }
      // Servers that belong together start together; but not while it is open who the writer will be.
      return source.isRunning || source.isBusy ? [.start(instance.name)] : []
    }

    private func ofLeavers(_ writer: String) -> [Action] {
      let leavers = observed.instances.keys.filter { $0 != writer && desired.instance($0) == nil }.sorted()
      return leavers.compactMap { name in
        let it = facts(name)
        if it.isBusy { return nil }
        return it.isRunning ? .stop(name) : .remove(name)
      }
    }

    private func ofSynchronous(_ writer: String) -> [Action] {
      let it = facts(writer)
      guard it.isRunning, it.isReady, it.isInRecovery == false, !it.isBusy, !observed.isSettingSynchronous else {
        return []
      }
      let streaming = desired.instances.map(\.name).filter { name in
        let replica = facts(name)
        return name != writer && replica.isRunning && replica.isStreaming && replica.follows == writer
          && !observed.restarting.contains(name)
      }
      let wanted = desired.isSynchronous ? Set(streaming) : []
      return wanted == observed.appliedSynchronous ? [] : [.setSynchronous(wanted)]
    }
  }
}
