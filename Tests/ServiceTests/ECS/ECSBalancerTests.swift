// Services behind a load balancer.

import AWSCore
import ECSModel
import Testing

@testable import ECSService

private let forever = "exec sleep 1000"

@Suite("ECS behind load balancers", .timeLimit(.minutes(2))) struct ECSBalancerTests {
  private func create(_ f: ECSFixture, _ definition: String, count: Int) async throws {
    try await f.create(definition, count: count) {
      $0.loadBalancers = [
        .make {
          $0.targetGroupArn = FakeBalancer.group
          $0.containerName = "web"
          $0.containerPort = 8080
        }
      ]
    }
  }

  @Test("an old task leaves when its replacement is healthy: deregistered, drained, then ended")
  func rolling() async throws {
    try await ECSFixture.with { f in
      try await create(f, try await f.register(forever), count: 1)
      try await f.steady(1)
      let old = try #require(try await f.tasks().first)
      f.balancer.state.withLock {
        $0.newState = "initial"
        $0.holdsDraining = true
      }
      let second = try await f.register("echo two; exec sleep 1000")
      _ = try await f.run(ECS.updateService) {
        $0.cluster = "main"
        $0.service = "web"
        $0.taskDefinition = second
      }
      try await f.until("the new task is registered") { f.balancer.state.withLock { $0.calls.count } == 2 }
      #expect(try await f.task(old.taskArn ?? "").desiredStatus == "RUNNING")
      let (oldTarget, newTarget) = f.balancer.state.withLock { s in
        (String(s.calls[0].dropFirst("register ".count)), String(s.calls[1].dropFirst("register ".count)))
      }
      f.balancer.state.withLock { $0.targets[newTarget] = "healthy" }
      try await f.until("the old one drains") { f.balancer.state.withLock { $0.targets[oldTarget] } == "draining" }
      #expect(try await f.task(old.taskArn ?? "").lastStatus == "DEACTIVATING")
      #expect(await f.supervisor.adopt().count == 2)
      f.balancer.state.withLock { $0.targets[oldTarget] = nil }
      let end = try await f.stopped(old.taskArn ?? "")
      #expect(end.stopCode == "ServiceSchedulerInitiated")
      #expect(end.stoppedReason?.hasPrefix("Scaling activity initiated by (deployment ecs-svc/") == true)
      try await f.steady(1, second)
      let messages = try await f.service().events?.compactMap(\.message) ?? []
      #expect(messages.contains("(service web) registered 1 targets in (target-group \(FakeBalancer.group))"))
      #expect(messages.contains("(service web) deregistered 1 targets in (target-group \(FakeBalancer.group))"))
      #expect(messages.contains("(service web) has begun draining connections on 1 tasks."))
    }
  }

  @Test("a task that its load balancer finds unhealthy is replaced")
  func unhealthy() async throws {
    try await ECSFixture.with { f in
      try await create(f, try await f.register(forever), count: 1)
      try await f.steady(1)
      let sick = try #require(try await f.tasks().first?.taskArn)
      f.balancer.state.withLock { s in for key in s.targets.keys { s.targets[key] = "unhealthy" } }
      let end = try await f.stopped(sick)
      #expect(end.stoppedReason?.hasPrefix("Task failed ELB health checks in (target-group ") == true)
      try await f.steady(1)
    }
  }

  @Test("a service is checked against its task definition and its target groups")
  func checks() async throws {
    try await ECSFixture.with { f in
      let definition = try await f.register(forever)
      func attempt(_ change: @escaping (inout ECS.LoadBalancer) -> Void) async -> String? {
        do {
          try await f.create(definition, count: 1) {
            var balancer = ECS.LoadBalancer()
            balancer.targetGroupArn = FakeBalancer.group
            balancer.containerName = "web"
            balancer.containerPort = 8080
            change(&balancer)
            $0.loadBalancers = [balancer]
          }
          return nil
        } catch { return (error as? AWSError)?.message }
      }
      #expect(
        await attempt { $0.containerName = "other" } == "The container other does not exist in the task definition.")
      #expect(await attempt { $0.containerPort = 1 } == "The container web did not have a container port 1 defined.")
      #expect(
        await attempt { $0.targetGroupArn = "arn:none" }
          == "The target group with targetGroupArn arn:none does not have an associated load balancer.")
    }
  }
}
