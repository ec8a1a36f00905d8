// What is to be done for a service now: pure, from what is wanted and what is seen.

import AWSCore

/// What a load balancer says of a task.
enum TargetState: String, Sendable, Hashable {
  /// Not asked yet, or nobody answered.
  case unknown
  case initial
  case healthy
  case unhealthy
}

/// A task, as the plan sees it.
struct PlannedTask: Sendable, Hashable {
  enum Phase: Sendable, Hashable {
    /// Not running yet.
    case starting
    case running
    /// Leaving its load balancers.
    case draining
    /// Being ended.
    case ending
    case stopped
  }
  var id: String
  var deployment: String
  var zone = "a"
  var createdAt: Timestamp
  var startedAt: Timestamp?
  var phase: Phase
  var isWanted = true
  var target = TargetState.unknown
  var wasHealthy = false
  /// It ended by itself, or could not be started.
  var hasFailed = false
  /// Its end was counted.
  var isCounted = false

  /// It serves nobody any more.
  var isOver: Bool { !isWanted && (phase == .ending || phase == .stopped) }
}

/// A service, as the plan sees it.
struct ServicePicture: Sendable, Hashable {
  var desired: Int
  var minimumPercent = 100
  var maximumPercent = 200
  var hasBreaker = false
  var rollsBack = false
  var hasTargets = false
  /// Seconds after its start in which a task may be unhealthy.
  var grace = 0.0
  var isDraining = false
  var isSteady = false
  /// The primary first.
  var deployments: [DeploymentRecord]
  var lastCompleted: DeploymentRecord?
  var tasks: [PlannedTask]
}

/// What the reconciler does for a service.
enum ServiceAction: Sendable, Hashable {
  enum StopCause: Sendable, Hashable {
    case scaling
    case unhealthy
  }
  case start(deployment: String, zone: String)
  case stop(task: String, StopCause)
  /// The task is healthy for the first time.
  case noteHealthy(task: String)
  /// The task ended by itself or was found unhealthy.
  case noteEnd(task: String, isFailure: Bool, isQuick: Bool)
  /// Tasks cannot be started; told once.
  case warn(deployment: String)
  case complete(deployment: String)
  case fail(deployment: String)
  case rollBack(from: String, to: String)
  case forget(deployment: String)
  case steady
  case unsteady
  /// A service that was deleted has no tasks any more.
  case retire
}

/// The actions, and when to look again though nothing happens.
struct ServicePlan: Sendable, Hashable {
  var actions: [ServiceAction] = []
  var next: Timestamp?

  private mutating func look(at time: Timestamp) { next = next.map { min($0, time) } ?? time }

  /// Plans. Deterministic: the same picture gives the same plan.
  static func make(_ picture: ServicePicture, now: Timestamp) -> ServicePlan {
    var plan = ServicePlan()
    if picture.isDraining {
      plan.drain(picture)
      return plan
    }
    var picture = picture
    plan.count(&picture, now)
    // A change of roles is written down first; the plan is made anew from it.
    if plan.judge(picture) { return plan }
    plan.scale(picture, now)
    plan.conclude(picture, now)
    return plan
  }

  private mutating func drain(_ picture: ServicePicture) {
    for task in picture.tasks {
      if task.hasFailed, !task.isCounted { actions.append(.noteEnd(task: task.id, isFailure: false, isQuick: false)) }
      if task.isWanted { actions.append(.stop(task: task.id, .scaling)) }
    }
    if picture.tasks.allSatisfy({ $0.phase == .stopped }) { actions.append(.retire) }
  }

  // MARK: What has happened

  private mutating func count(_ picture: inout ServicePicture, _ now: Timestamp) {
    for index in picture.tasks.indices {
      let task = picture.tasks[index]
      guard let at = picture.deployments.firstIndex(where: { $0.id == task.deployment }) else {
        if task.hasFailed, !task.isCounted { actions.append(.noteEnd(task: task.id, isFailure: false, isQuick: false)) }
        continue
      }
      if task.isWanted, !task.wasHealthy, picture.isHealthy(task, now) {
        picture.tasks[index].wasHealthy = true
        picture.deployments[at].failedTasks = 0
        actions.append(.noteHealthy(task: task.id))
      }
      guard !task.isCounted else { continue }
      let isUnhealthy = task.isWanted && at == 0 && picture.isUnhealthy(task, now)
      guard task.hasFailed || (isUnhealthy && !picture.deployments[at].isProven) else { continue }
      let isQuick = !task.wasHealthy || task.startedAt.map { now < $0.adding(seconds: Limits.quickEnd) } ?? true
      actions.append(.noteEnd(task: task.id, isFailure: !task.wasHealthy, isQuick: isQuick))
      picture.tasks[index].isCounted = true
      if !task.wasHealthy { picture.deployments[at].failedTasks += 1 }
      picture.deployments[at].countEnd(isQuick: isQuick, now)
    }
  }

  // MARK: Roles

  /// Trips the circuit breaker.
  /// - Returns: whether the deployments' roles change.
  private mutating func judge(_ picture: ServicePicture) -> Bool {
    // What has worked before is not given up: it fails for another reason than its revision.
    guard let primary = picture.deployments.first, primary.rollout != .failed, !primary.wasCompleted,
      picture.hasBreaker, primary.failedTasks >= TaskBounds.breakerThreshold(desired: picture.desired)
    else { return false }
    actions.append(.fail(deployment: primary.id))
    if picture.rollsBack, let last = picture.lastCompleted {
      actions.append(.rollBack(from: primary.id, to: last.id))
    }
    return true
  }

  // MARK: Numbers

  private mutating func scale(_ picture: ServicePicture, _ now: Timestamp) {
    guard let primary = picture.deployments.first else { return }
    let isFailed = primary.rollout == .failed
    let wanted = picture.tasks.filter(\.isWanted)
    let bounds = TaskBounds(
      desired: picture.desired, minimumPercent: picture.minimumPercent, maximumPercent: picture.maximumPercent)
    if isFailed { return stall(picture, wanted, now) }
    var mine = wanted.filter { $0.deployment == primary.id }
    var others = wanted.filter { $0.deployment != primary.id }
    var total = wanted.count
    let sick = mine.filter { picture.isUnhealthy($0, now) }
    mine.removeAll { sick.contains($0) }
    watchClock(picture, wanted, now)

    // A sick task of a roll-out in progress gives its place to the next try at once; one of a service that was well
    // stays until its replacement serves, if there is room for both.
    if !primary.isProven {
      for task in sick { actions.append(.stop(task: task.id, .unhealthy)) }
      total -= sick.count
    }
    // Older tasks that never served are of no use.
    for task in others where task.phase != .running || !(task.wasHealthy || picture.isHealthy(task, now)) {
      actions.append(.stop(task: task.id, .scaling))
      total -= 1
    }
    others.removeAll { task in actions.contains(.stop(task: task.id, .scaling)) }
    // Those that served and are unhealthy now may still be better than nothing; they are the first to make room.
    let ailing = others.filter { !picture.isHealthy($0, now) }
    others.removeAll { ailing.contains($0) }

    let missing = picture.desired - mine.count
    let room = max(0, bounds.maximum - total)
    let ready = mine.filter { picture.isHealthy($0, now) }.count
    if missing > 0 { start(min(missing, room), of: primary, besides: wanted, picture, now) }
    if missing < 0 { stopSurplus(-missing, of: mine, picture, now) }
    if ready >= picture.desired {
      for task in others + ailing { actions.append(.stop(task: task.id, .scaling)) }
    } else if !others.isEmpty || !ailing.isEmpty {
      let made = min(max(missing - room, 0), ailing.count)
      stopSurplus(made, of: ailing, picture, now)
      let healthy = ready + others.count
      let surplus = healthy - max(bounds.minimum, picture.desired)
      let forRoom = min(healthy - bounds.minimum, missing - room - made)
      stopSurplus(min(max(surplus, forRoom, 0), others.count), of: others, picture, now)
    }
    if primary.isProven, !sick.isEmpty {
      let replaced = ready >= picture.desired ? sick.count : max(0, missing - room)
      for task in sick.sorted(by: { $0.id < $1.id }).prefix(replaced) {
        actions.append(.stop(task: task.id, .unhealthy))
      }
    }
  }

  /// A failed roll-out without roll-back starts nothing more; the deployment before it goes on with what it has.
  private mutating func stall(_ picture: ServicePicture, _ wanted: [PlannedTask], _ now: Timestamp) {
    watchClock(picture, wanted, now)
    let surplus = wanted.count - picture.desired
    if surplus > 0 {
      let newFirst = wanted.filter { $0.deployment == picture.deployments[0].id }
      stopSurplus(min(surplus, newFirst.count), of: newFirst, picture, now)
      if surplus > newFirst.count {
        let rest = wanted.filter { $0.deployment != picture.deployments[0].id }
        stopSurplus(surplus - newFirst.count, of: rest, picture, now)
      }
    } else if let old = picture.deployments.dropFirst().first(where: \.wasCompleted) {
      start(-surplus, of: old, besides: wanted, picture, now)
    }
  }

  private mutating func start(
    _ count: Int, of deployment: DeploymentRecord, besides wanted: [PlannedTask], _ picture: ServicePicture,
    _ now: Timestamp
  ) {
    guard count > 0 else { return }
    let pause = TaskBounds.restartPause(restarts: deployment.restarts, desired: picture.desired)
    if pause > 0, let last = deployment.lastFailureAt {
      if !deployment.isWarned { actions.append(.warn(deployment: deployment.id)) }
      let due = last.adding(seconds: pause)
      if now < due { return look(at: due) }
    }
    var load: [String: Int] = [:]
    for task in wanted { load[task.zone, default: 0] += 1 }
    let zones = Self.zones(deployment)
    for _ in 0..<count {
      // The first of the emptiest zones, in the order of the subnets.
      guard let zone = zones.min(by: { load[$0, default: 0] < load[$1, default: 0] }) else { return }
      load[zone, default: 0] += 1
      actions.append(.start(deployment: deployment.id, zone: zone))
    }
  }

  /// Each zone of the deployment's subnets once, in their order.
  static func zones(_ deployment: DeploymentRecord) -> [String] {
    var zones: [String] = []
    for place in deployment.places where !zones.contains(place.zone) { zones.append(place.zone) }
    return zones
  }

  /// Stops tasks: those that do not serve first, then from the fullest zone, the youngest first.
  private mutating func stopSurplus(_ count: Int, of tasks: [PlannedTask], _ picture: ServicePicture, _ now: Timestamp)
  {
    var left = tasks
    for _ in 0..<min(max(count, 0), tasks.count) {
      var load: [String: Int] = [:]
      for task in left { load[task.zone, default: 0] += 1 }
      func rank(_ task: PlannedTask) -> (Int, Int, Int64, String) {
        (picture.isHealthy(task, now) ? 1 : 0, -load[task.zone, default: 0], -task.createdAt.milliseconds, task.id)
      }
      guard let victim = left.min(by: { rank($0) < rank($1) }) else { return }
      left.removeAll { $0.id == victim.id }
      actions.append(.stop(task: victim.id, .scaling))
    }
  }

  /// When time alone makes a task healthy or unhealthy.
  private mutating func watchClock(_ picture: ServicePicture, _ wanted: [PlannedTask], _ now: Timestamp) {
    for task in wanted where task.phase == .running {
      guard let started = task.startedAt else { continue }
      let due: Timestamp
      if !picture.hasTargets {
        due = started.adding(seconds: Limits.settle)
      } else if task.target == .unhealthy {
        due = started.adding(seconds: picture.grace)
      } else {
        continue
      }
      if due > now { look(at: due) }
    }
  }

  // MARK: Ends

  private mutating func conclude(_ picture: ServicePicture, _ now: Timestamp) {
    guard let primary = picture.deployments.first else { return }
    let older = picture.deployments.dropFirst()
    // An older deployment goes from the list when none of its tasks serves or drains any more.
    let gone = older.filter { deployment in
      picture.tasks.allSatisfy { $0.deployment != deployment.id || $0.isOver }
    }
    // A failed roll-out that is stuck keeps what it could go back to.
    let isStuck = primary.rollout == .failed
    if !isStuck { for deployment in gone { actions.append(.forget(deployment: deployment.id)) } }
    let mine = picture.tasks.filter { $0.deployment == primary.id && $0.isWanted }
    let isWell =
      mine.count == picture.desired && mine.allSatisfy { picture.isHealthy($0, now) } && gone.count == older.count
      && !actions.contains(where: \.isStop)
    if isWell, primary.rollout == .inProgress { actions.append(.complete(deployment: primary.id)) }
    let isSteady =
      isWell && !isStuck
      && picture.tasks.allSatisfy { $0.isOver || ($0.isWanted && $0.phase == .running) }
    if isSteady != picture.isSteady { actions.append(isSteady ? .steady : .unsteady) }
  }
}

extension ServiceAction {
  fileprivate var isStop: Bool { if case .stop = self { true } else { false } }
}

extension DeploymentRecord {
  /// Completed, with tasks that served.
  var isProven: Bool { rollout == .completed && wasCompleted }

  /// Takes note of the end of one of its tasks.
  mutating func countEnd(isQuick: Bool, _ now: Timestamp) {
    let isRecent = lastFailureAt.map { now < $0.adding(seconds: Limits.restartMemory) } ?? false
    restarts = isQuick ? (isRecent ? restarts : 0) + 1 : 0
    lastFailureAt = now
  }
}

extension ServicePicture {
  /// RUNNING, and with load balancers healthy there; without them, running for a moment. What nobody can tell now
  /// (after a restart of the control plane or the load balancer, which look anew) is as it was.
  func isHealthy(_ task: PlannedTask, _ now: Timestamp) -> Bool {
    guard task.isWanted, task.phase == .running, let started = task.startedAt else { return false }
    if hasTargets { return task.target == .healthy || (task.wasHealthy && task.target != .unhealthy) }
    return now >= started.adding(seconds: Limits.settle)
  }

  /// Running, but its load balancer has found it wanting, and the grace period is over.
  func isUnhealthy(_ task: PlannedTask, _ now: Timestamp) -> Bool {
    guard hasTargets, task.isWanted, task.phase == .running, task.target == .unhealthy, let started = task.startedAt
    else { return false }
    return now >= started.adding(seconds: grace)
  }
}
