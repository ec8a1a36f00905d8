// The plan in a simulated world: a seed makes a story of deaths, sick targets, new revisions and new counts; whatever
// happens, the bounds are kept and the service comes to rest.

import AWSCore
import Testing

@testable import ECSService

private struct Random: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// One service in time steps of half a second.
private struct World {
  var picture: ServicePicture
  var random: Random
  var now = Timestamp(milliseconds: 0)
  var nextID = 0
  /// Revisions whose tasks never become healthy.
  var broken: Set<String> = []

  init(seed: UInt64) {
    random = Random(state: seed)
    let percents =
      [(100, 200), (50, 200), (50, 100), (100, 150), (0, 100), (75, 125)].randomElement(using: &random) ?? (100, 200)
    picture = ServicePicture(desired: Int.random(in: 2...6, using: &random), deployments: [], tasks: [])
    (picture.minimumPercent, picture.maximumPercent) = percents
    picture.hasTargets = Bool.random(using: &random)
    picture.hasBreaker = Bool.random(using: &random)
    picture.rollsBack = picture.hasBreaker
    picture.grace = 1
    deploy()
  }

  mutating func name(_ prefix: String) -> String {
    nextID += 1
    return "\(prefix)\(nextID)"
  }

  mutating func deploy(isBroken: Bool = false) {
    for index in picture.deployments.indices { picture.deployments[index].isPrimary = false }
    let id = name("d")
    if isBroken { broken.insert(id) }
    picture.deployments.insert(
      DeploymentRecord(
        id: id, taskDefinition: id, createdAt: now, updatedAt: now, reason: "",
        places: ["a", "b", "c"].map { .init(subnet: $0, zone: $0) }), at: 0)
    picture.isSteady = false
  }

  mutating func apply(_ plan: ServicePlan) {
    for action in plan.actions {
      switch action {
      case .start(let deployment, let zone):
        picture.tasks.append(
          PlannedTask(id: name("t"), deployment: deployment, zone: zone, createdAt: now, phase: .starting))
      case .stop(let id, _):
        change(id) {
          $0.isWanted = false
          $0.phase = $0.phase == .starting ? .ending : .draining
        }
      case .noteHealthy(let id):
        change(id) { $0.wasHealthy = true }
        if let task = picture.tasks.first(where: { $0.id == id }) { deployment(task.deployment) { $0.failedTasks = 0 } }
      case .noteEnd(let id, let isFailure, let isQuick):
        change(id) { $0.isCounted = true }
        guard let task = picture.tasks.first(where: { $0.id == id }) else { continue }
        let now = now
        deployment(task.deployment) {
          if isFailure { $0.failedTasks += 1 }
          $0.countEnd(isQuick: isQuick, now)
        }
      case .warn(let id): deployment(id) { $0.isWarned = true }
      case .complete(let id):
        let isServing = picture.desired > 0
        deployment(id) {
          $0.rollout = .completed
          if isServing { $0.wasCompleted = true }
        }
        if isServing { picture.lastCompleted = picture.deployments.first { $0.id == id } }
      case .fail(let id): deployment(id) { $0.rollout = .failed }
      case .rollBack(let from, let to):
        guard var target = picture.deployments.first(where: { $0.id == to }) ?? picture.lastCompleted else { continue }
        target.isPrimary = true
        target.rollout = .inProgress
        target.failedTasks = 0
        target.restarts = 0
        deployment(from) { $0.isPrimary = false }
        picture.deployments.removeAll { $0.id == to }
        picture.deployments.insert(target, at: 0)
      case .forget(let id): picture.deployments.removeAll { $0.id == id }
      case .steady: picture.isSteady = true
      case .unsteady: picture.isSteady = false
      case .retire: break
      }
    }
  }

  private mutating func change(_ id: String, _ body: (inout PlannedTask) -> Void) {
    if let index = picture.tasks.firstIndex(where: { $0.id == id }) { body(&picture.tasks[index]) }
  }

  private mutating func deployment(_ id: String, _ body: (inout DeploymentRecord) -> Void) {
    if let index = picture.deployments.firstIndex(where: { $0.id == id }) { body(&picture.deployments[index]) }
  }

  /// Time passes: tasks go on with their lives.
  mutating func step() {
    now = now.adding(seconds: 0.5)
    for index in picture.tasks.indices {
      let isBroken = broken.contains(picture.tasks[index].deployment)
      switch picture.tasks[index].phase {
      case .starting where Int.random(in: 0..<2, using: &random) == 0:
        picture.tasks[index].phase = .running
        picture.tasks[index].startedAt = now
        picture.tasks[index].target = .initial
      case .running where isBroken && !picture.hasTargets: die(index)
      case .running where picture.tasks[index].target == .initial && Int.random(in: 0..<2, using: &random) == 0:
        picture.tasks[index].target = isBroken ? .unhealthy : .healthy
      case .draining: picture.tasks[index].phase = .ending
      case .ending: picture.tasks[index].phase = .stopped
      default: break
      }
    }
    picture.tasks.removeAll { $0.phase == .stopped && ($0.isCounted || !$0.hasFailed) }
  }

  mutating func die(_ index: Int) {
    guard picture.tasks[index].isWanted else { return }
    picture.tasks[index].isWanted = false
    picture.tasks[index].hasFailed = true
    picture.tasks[index].phase = .ending
  }

  /// Something goes wrong, or somebody wants something.
  mutating func trouble() {
    switch Int.random(in: 0..<20, using: &random) {
    case 0: deploy()
    case 1: deploy(isBroken: picture.hasBreaker && picture.lastCompleted != nil)
    case 2: picture.desired = Int.random(in: 0...6, using: &random)
    case 3, 4: if !picture.tasks.isEmpty { die(Int.random(in: 0..<picture.tasks.count, using: &random)) }
    case 5:
      if let index = picture.tasks.indices.randomElement(using: &random), picture.tasks[index].phase == .running {
        picture.tasks[index].target = .unhealthy
      }
    default: break
    }
  }

  var healthy: Int { picture.tasks.filter { picture.isHealthy($0, now) }.count }
  var wanted: Int { picture.tasks.filter(\.isWanted).count }
}

@Suite("ECS plans in a simulated world") struct ECSPlanSimulation {
  /// Plans until nothing more is to be done at this moment.
  private func settle(_ world: inout World, seed: UInt64) {
    for round in 0..<20 {
      let plan = ServicePlan.make(world.picture, now: world.now)
      if plan.actions.isEmpty { return }
      let bounds = TaskBounds(
        desired: world.picture.desired, minimumPercent: world.picture.minimumPercent,
        maximumPercent: world.picture.maximumPercent)
      let (healthy, wanted) = (world.healthy, world.wanted)
      world.apply(plan)
      // What the plan stops never takes the healthy ones below the minimum, nor do its starts go beyond the maximum.
      #expect(world.healthy >= min(healthy, bounds.minimum), "seed \(seed): healthy \(healthy) to \(world.healthy)")
      #expect(world.wanted <= max(wanted, bounds.maximum), "seed \(seed): wanted \(wanted) to \(world.wanted)")
      #expect(round < 10, "seed \(seed): the plan does not come to an end: \(plan.actions)")
    }
  }

  @Test("whatever happens, the bounds are kept and the service comes to rest", arguments: 0..<8)
  func stories(_ block: Int) {
    for seed in UInt64(block * 50)..<UInt64(block * 50 + 50) {
      var world = World(seed: seed)
      for _ in 0..<100 {
        world.trouble()
        settle(&world, seed: seed)
        world.step()
      }
      // Peace: sick tasks stay sick, so they must be replaced; what is broken must be rolled back.
      var quiet = 0
      for _ in 0..<600 where !world.picture.isSteady || world.picture.deployments.count != 1 {
        settle(&world, seed: seed)
        world.step()
        quiet += 1
      }
      settle(&world, seed: seed)
      let bounds = TaskBounds(
        desired: world.picture.desired, minimumPercent: world.picture.minimumPercent,
        maximumPercent: world.picture.maximumPercent)
      // 100/150 of one and the like leave no room to move, as on AWS.
      guard bounds.maximum > bounds.minimum || world.picture.desired == 0 else { continue }
      #expect(
        world.picture.isSteady && world.healthy == world.picture.desired && world.picture.deployments.count == 1,
        "seed \(seed): \(world.picture) at \(world.now)")
    }
  }
}
