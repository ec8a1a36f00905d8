// The plan, as tables: what is there, what is done.

import AWSCore
import Testing

@testable import ECSService

private let start = Timestamp(milliseconds: 1_767_225_600_000)
private func at(_ seconds: Double) -> Timestamp { start.adding(seconds: seconds) }

private func deployment(
  _ id: String, primary: Bool = true, rollout: DeploymentRecord.Rollout = .completed, zones: [String] = ["a", "b"],
  _ change: (inout DeploymentRecord) -> Void = { _ in }
) -> DeploymentRecord {
  var deployment = DeploymentRecord(
    id: id, isPrimary: primary, taskDefinition: "app:\(id)", createdAt: start, updatedAt: start, rollout: rollout,
    reason: "", wasCompleted: rollout == .completed, places: zones.map { .init(subnet: "subnet-\($0)", zone: $0) })
  change(&deployment)
  return deployment
}

/// A task that has run for ten seconds, unless it says otherwise.
private func task(
  _ id: String, of deployment: String, zone: String = "a", phase: PlannedTask.Phase = .running,
  target: TargetState = .healthy, _ change: (inout PlannedTask) -> Void = { _ in }
) -> PlannedTask {
  var task = PlannedTask(
    id: id, deployment: deployment, zone: zone, createdAt: at(0), startedAt: phase == .starting ? nil : at(0),
    phase: phase, target: target, wasHealthy: phase == .running && target == .healthy)
  change(&task)
  return task
}

private func picture(
  desired: Int, _ deployments: [DeploymentRecord], _ tasks: [PlannedTask],
  _ change: (inout ServicePicture) -> Void = { _ in }
) -> ServicePicture {
  var picture = ServicePicture(desired: desired, deployments: deployments, tasks: tasks)
  picture.hasTargets = true
  change(&picture)
  return picture
}

extension ServicePlan {
  fileprivate var starts: [String] {
    actions.compactMap { if case .start(let id, let zone) = $0 { "\(id)/\(zone)" } else { nil } }
  }
  fileprivate var stops: [String] {
    actions.compactMap { if case .stop(let id, _) = $0 { id } else { nil } }
  }
}

@Suite("ECS plans") struct ECSPlanTests {
  @Test("a new service starts its tasks, spread over the zones of its subnets")
  func spread() {
    let plan = ServicePlan.make(
      picture(desired: 5, [deployment("1", rollout: .inProgress, zones: ["a", "b", "c"])], []), now: at(0))
    #expect(plan.starts == ["1/a", "1/b", "1/c", "1/a", "1/b"])
    #expect(plan.stops.isEmpty)
  }

  @Test("a task that died is replaced at once, in the zone that misses it")
  func replacement() {
    let dead = task("2", of: "1", zone: "b", phase: .draining) {
      $0.isWanted = false
      $0.hasFailed = true
    }
    let plan = ServicePlan.make(
      picture(desired: 2, [deployment("1")], [task("1", of: "1"), dead]) { $0.isSteady = true }, now: at(60))
    #expect(plan.starts == ["1/b"])
    #expect(plan.actions.contains(.noteEnd(task: "2", isFailure: true, isQuick: true)))
    #expect(plan.actions.contains(.unsteady))
  }

  @Test("scaling in takes tasks that do not serve first, then from the fullest zone the youngest")
  func scaleIn() {
    let tasks = [
      task("1", of: "1", zone: "a"), task("2", of: "1", zone: "a") { $0.createdAt = at(1) },
      task("3", of: "1", zone: "b"),
      task("4", of: "1", zone: "b", target: .initial),
    ]
    #expect(ServicePlan.make(picture(desired: 3, [deployment("1")], tasks), now: at(60)).stops == ["4"])
    #expect(ServicePlan.make(picture(desired: 2, [deployment("1")], tasks), now: at(60)).stops == ["4", "2"])
    #expect(ServicePlan.make(picture(desired: 0, [deployment("1")], tasks), now: at(60)).stops.count == 4)
  }

  @Test("a steady service needs nothing, and its steadiness is told once")
  func steady() {
    let steady = picture(desired: 2, [deployment("1")], [task("1", of: "1"), task("2", of: "1", zone: "b")])
    #expect(ServicePlan.make(steady, now: at(60)).actions == [.steady])
    var told = steady
    told.isSteady = true
    #expect(ServicePlan.make(told, now: at(60)) == ServicePlan())
  }

  struct RollingCase: CustomTestStringConvertible, Sendable {
    var what: String
    var minimum = 100
    var maximum = 200
    var desired = 2
    var old: [TargetState]
    var new: [TargetState] = []
    var starts = 0
    var stops = 0
    var testDescription: String { what }
  }

  static let rollingCases: [RollingCase] = [
    .init(what: "100/200 starts all new ones beside the old", old: [.healthy, .healthy], starts: 2),
    .init(what: "100/200 waits for the new ones to be healthy", old: [.healthy, .healthy], new: [.initial, .initial]),
    .init(
      what: "100/200 stops an old one for each healthy new one", old: [.healthy, .healthy], new: [.healthy, .initial],
      stops: 1),
    .init(
      what: "100/200 stops all old ones when all new ones are healthy", old: [.healthy, .healthy],
      new: [.healthy, .healthy], stops: 2),
    .init(what: "100/150 starts one of two", maximum: 150, old: [.healthy, .healthy], starts: 1),
    .init(what: "100/150 goes on when there is room", maximum: 150, old: [.healthy], new: [.healthy], starts: 1),
    .init(what: "50/100 stops one for room", minimum: 50, maximum: 100, old: [.healthy, .healthy], stops: 1),
    .init(what: "50/100 starts one in the room", minimum: 50, maximum: 100, old: [.healthy], starts: 1),
    .init(what: "0/100 of one stops it first", minimum: 0, maximum: 100, desired: 1, old: [.healthy], stops: 1),
    .init(what: "100/100 cannot do anything", maximum: 100, old: [.healthy, .healthy]),
    .init(what: "an unhealthy old one stays while there is room", old: [.healthy, .unhealthy], starts: 2),
    .init(
      what: "an unhealthy old one is the first to make room", minimum: 50, maximum: 100, old: [.healthy, .unhealthy],
      stops: 1),
    .init(
      what: "a load balancer that looks anew makes nobody unhealthy", old: [.initial, .initial],
      new: [.initial, .initial]),
    .init(
      what: "never fewer healthy ones than the minimum", minimum: 50, maximum: 100, desired: 4,
      old: [.healthy, .healthy], new: [.initial, .initial]),
  ]

  @Test("a rolling deployment keeps to its percents", arguments: rollingCases)
  func rolling(_ c: RollingCase) {
    let tasks =
      c.old.enumerated().map { task("old\($0)", of: "1", target: $1) { $0.wasHealthy = true } }
      + c.new.enumerated().map { task("new\($0)", of: "2", target: $1) }
    let plan = ServicePlan.make(
      picture(desired: c.desired, [deployment("2", rollout: .inProgress), deployment("1", primary: false)], tasks) {
        $0.minimumPercent = c.minimum
        $0.maximumPercent = c.maximum
        $0.grace = 60
      }, now: at(30))
    #expect(plan.starts.count == c.starts)
    #expect(plan.starts.allSatisfy { $0.hasPrefix("2/") })
    #expect(plan.stops.count == c.stops)
    #expect(plan.stops.allSatisfy { $0.hasPrefix("old") })
  }

  @Test("a deployment is completed when the last old task has drained")
  func completion() {
    let deployments = [deployment("2", rollout: .inProgress), deployment("1", primary: false)]
    let new = task("new", of: "2")
    func old(_ phase: PlannedTask.Phase) -> PlannedTask { task("old", of: "1", phase: phase) { $0.isWanted = false } }
    #expect(ServicePlan.make(picture(desired: 1, deployments, [new, old(.draining)]), now: at(60)).actions.isEmpty)
    let done = ServicePlan.make(picture(desired: 1, deployments, [new, old(.ending)]), now: at(60))
    #expect(done.actions == [.forget(deployment: "1"), .complete(deployment: "2"), .steady])
  }

  @Test("a service of zero tasks is steady with none")
  func zero() {
    let plan = ServicePlan.make(picture(desired: 0, [deployment("1", rollout: .inProgress)], []), now: at(0))
    #expect(plan.actions == [.complete(deployment: "1"), .steady])
  }

  @Test("without load balancers a task is healthy when it has run for a moment")
  func settling() {
    let young = picture(desired: 1, [deployment("1", rollout: .inProgress)], [task("1", of: "1", target: .unknown)]) {
      $0.hasTargets = false
    }
    let early = ServicePlan.make(young, now: at(0.5))
    #expect(early.actions.isEmpty)
    #expect(early.next == at(Limits.settle))
    #expect(
      ServicePlan.make(young, now: at(1)).actions == [.noteHealthy(task: "1"), .complete(deployment: "1"), .steady])
  }

  @Test("an unhealthy target counts after the grace period only")
  func grace() {
    let sick = picture(desired: 1, [deployment("1", rollout: .inProgress)], [task("1", of: "1", target: .unhealthy)]) {
      $0.grace = 60
    }
    let early = ServicePlan.make(sick, now: at(30))
    #expect(early.actions.isEmpty)
    #expect(early.next == at(60))
    let late = ServicePlan.make(sick, now: at(60))
    #expect(late.stops == ["1"])
    #expect(late.actions.contains(.noteEnd(task: "1", isFailure: true, isQuick: true)))
  }

  @Test("an unhealthy task of a service that was well stays until its replacement serves")
  func sick() {
    let tasks = [task("1", of: "1"), task("2", of: "1", zone: "b", target: .unhealthy)]
    let first = ServicePlan.make(picture(desired: 2, [deployment("1")], tasks), now: at(60))
    #expect(first.starts == ["1/a"] || first.starts == ["1/b"])
    #expect(first.stops.isEmpty)
    let second = ServicePlan.make(picture(desired: 2, [deployment("1")], tasks + [task("3", of: "1")]), now: at(60))
    #expect(second.stops == ["2"])
    // Without room for both, it goes first.
    let tight = ServicePlan.make(picture(desired: 2, [deployment("1")], tasks) { $0.maximumPercent = 100 }, now: at(60))
    #expect(tight.stops == ["2"])
    #expect(tight.starts.isEmpty)
  }

  @Test("the circuit breaker trips at half of the desired count, at least three, and rolls back")
  func breaker() {
    func tripped(_ failures: Int, desired: Int) -> [ServiceAction] {
      let new = deployment("2", rollout: .inProgress) { $0.failedTasks = failures }
      let old = deployment("1", primary: false)
      return ServicePlan.make(
        picture(desired: desired, [new, old], (0..<desired).map { task("\($0)", of: "1") }) {
          $0.hasBreaker = true
          $0.rollsBack = true
          $0.lastCompleted = old
        }, now: at(60)
      ).actions
    }
    #expect(tripped(2, desired: 2).allSatisfy { if case .start = $0 { true } else { false } })
    #expect(tripped(3, desired: 2) == [.fail(deployment: "2"), .rollBack(from: "2", to: "1")])
    #expect(tripped(4, desired: 10).contains(.fail(deployment: "2")) == false)
    #expect(tripped(5, desired: 10) == [.fail(deployment: "2"), .rollBack(from: "2", to: "1")])
  }

  @Test("a failed deployment without roll-back starts nothing more; what served before is kept up")
  func stalled() {
    let failed = deployment("2", rollout: .failed)
    let only = ServicePlan.make(picture(desired: 2, [failed], []), now: at(60))
    #expect(only.actions.isEmpty)
    let old = ServicePlan.make(
      picture(desired: 2, [failed, deployment("1", primary: false)], [task("1", of: "1")]), now: at(60))
    #expect(old.starts == ["1/b"])
    #expect(old.stops.isEmpty)
  }

  @Test("after a roll-back the failed deployment's tasks go, and its entry with them")
  func rolledBack() {
    let deployments = [
      deployment("1", rollout: .inProgress) { $0.wasCompleted = true },
      deployment("2", primary: false, rollout: .failed),
    ]
    let bad = task("bad", of: "2", phase: .starting)
    let plan = ServicePlan.make(picture(desired: 1, deployments, [task("1", of: "1"), bad]), now: at(60))
    #expect(plan.stops == ["bad"])
    let done = ServicePlan.make(picture(desired: 1, deployments, [task("1", of: "1")]), now: at(60))
    #expect(done.actions == [.forget(deployment: "2"), .complete(deployment: "1"), .steady])
  }

  @Test("tasks that keep ending soon are restarted ever more slowly, and that is told")
  func pause() {
    func plan(_ restarts: Int, after seconds: Double, warned: Bool = false) -> ServicePlan {
      let primary = deployment("1") {
        $0.restarts = restarts
        $0.lastFailureAt = at(0)
        $0.isWarned = warned
      }
      return ServicePlan.make(picture(desired: 1, [primary], []), now: at(seconds))
    }
    #expect(plan(5, after: 0).starts.count == 1)
    #expect(plan(6, after: 0).actions == [.warn(deployment: "1")])
    #expect(plan(6, after: 0).next == at(1))
    #expect(plan(6, after: 1, warned: true).starts.count == 1)
    #expect(plan(9, after: 7, warned: true).next == at(8))
    #expect(plan(100, after: 7, warned: true).next == at(60))
  }

  @Test("quick ends in a row are counted; a task that lived clears them, and so does time")
  func quickEnds() {
    var record = deployment("1")
    record.countEnd(isQuick: true, at(0))
    record.countEnd(isQuick: true, at(1))
    #expect(record.restarts == 2)
    record.countEnd(isQuick: true, at(1000))
    #expect(record.restarts == 1)
    record.countEnd(isQuick: false, at(1001))
    #expect(record.restarts == 0)
  }

  @Test("a deleted service ends its tasks and is retired when the last has stopped")
  func draining() {
    func plan(_ tasks: [PlannedTask]) -> [ServiceAction] {
      ServicePlan.make(picture(desired: 0, [deployment("1")], tasks) { $0.isDraining = true }, now: at(60)).actions
    }
    #expect(plan([task("1", of: "1")]) == [.stop(task: "1", .scaling)])
    #expect(plan([task("1", of: "1", phase: .ending) { $0.isWanted = false }]).isEmpty)
    #expect(plan([task("1", of: "1", phase: .stopped) { $0.isWanted = false }]) == [.retire])
    #expect(plan([]) == [.retire])
  }

  @Test("after a restart of the control plane, what was healthy is so until somebody says otherwise")
  func afterRestart() {
    let tasks = [
      task("1", of: "1", target: .unknown) { $0.wasHealthy = true },
      task("2", of: "1", target: .unknown) { $0.wasHealthy = true },
    ]
    #expect(
      ServicePlan.make(picture(desired: 2, [deployment("1")], tasks) { $0.isSteady = true }, now: at(60))
        == ServicePlan())
  }
}
