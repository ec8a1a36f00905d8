// The scheduler with real processes.

import AWSCore
import ECSModel
import Glibc
import ServiceKit
import Supervisor
import Testing

@testable import ECSService

private let forever = "echo up; exec sleep 1000"

@Suite("ECS scheduler", .timeLimit(.minutes(2))) struct ECSSchedulerTests {
  @Test("a killed task is replaced")
  func replacement() async throws {
    try await ECSFixture.with { f in
      try await f.create(try await f.register(forever), count: 2)
      try await f.steady(2)
      let before = try await f.tasks()
      #expect(Set(before.compactMap { $0.containers?.first?.lastStatus }) == ["RUNNING"])
      let victim = try #require(before.first)
      let pids = await f.pids(victim)
      #expect(pids.count == 1)
      let start = ContinuousClock.now
      for pid in pids { kill(pid, SIGKILL) }
      try await f.until("two other tasks run") {
        let running = try await f.tasks().filter { $0.lastStatus == "RUNNING" && $0.taskArn != victim.taskArn }
        return running.count == 2
      }
      print("a killed task was replaced after \(ContinuousClock.now - start)")
      let end = try await f.stopped(victim.taskArn ?? "")
      #expect(end.stopCode == "EssentialContainerExited")
      #expect(end.stoppedReason == "Essential container in task exited")
      #expect(end.containers?.first?.exitCode == 137)
    }
  }

  @Test("a new revision replaces the tasks; one deployment is left, and the events tell of it")
  func rolling() async throws {
    try await ECSFixture.with { f in
      try await f.create(try await f.register(forever), count: 2)
      try await f.steady(2)
      let before = Set(try await f.tasks().compactMap(\.taskArn))
      let second = try await f.register("echo two; exec sleep 1000")
      let update = try await f.run(ECS.updateService) {
        $0.cluster = "main"
        $0.service = "web"
        $0.taskDefinition = second
      }
      #expect(update.service?.deployments?.map(\.status) == ["PRIMARY", "ACTIVE"])
      try await f.steady(2, second)
      let after = try await f.tasks()
      #expect(before.isDisjoint(with: after.compactMap(\.taskArn)))
      #expect(after.allSatisfy { $0.taskDefinitionArn == second })
      let messages = try await f.service().events?.compactMap(\.message) ?? []
      #expect(messages.first == "(service web) has reached a steady state.")
      #expect(
        messages.contains {
          $0.hasPrefix("(service web) (deployment ecs-svc/") && $0.hasSuffix("deployment completed.")
        })
      #expect(messages.contains { $0.hasPrefix("(service web) has started 2 tasks: (task ") })
      #expect(messages.contains { $0.hasPrefix("(service web) has stopped ") })

      // The same again, by force.
      _ = try await f.run(ECS.updateService) {
        $0.cluster = "main"
        $0.service = "web"
        $0.forceNewDeployment = true
      }
      try await f.until("all tasks are new") {
        let now = try await f.tasks()
        return now.count == 2 && Set(now.compactMap(\.taskArn)).isDisjoint(with: after.compactMap(\.taskArn))
      }
    }
  }

  @Test("a deployment whose tasks fail trips the circuit breaker and is rolled back")
  func breaker() async throws {
    try await ECSFixture.with { f in
      let good = try await f.register(forever)
      try await f.create(good, count: 1) {
        $0.deploymentConfiguration = .make {
          $0.deploymentCircuitBreaker = .make {
            $0.enable = true
            $0.rollback = true
          }
        }
      }
      try await f.steady(1)
      let survivor = try #require(try await f.tasks().first?.taskArn)
      let bad = try await f.register("echo broken; exit 9")
      _ = try await f.run(ECS.updateService) {
        $0.cluster = "main"
        $0.service = "web"
        $0.taskDefinition = bad
      }
      try await f.until("the service has rolled back") {
        let service = try await f.service()
        return service.taskDefinition == good && service.deployments?.count == 1
          && service.events?.first?.message == "(service web) has reached a steady state."
      }
      #expect(try await f.tasks().map(\.taskArn) == [survivor])
      let messages = try await f.service().events?.compactMap(\.message) ?? []
      #expect(messages.contains { $0.hasSuffix("deployment failed: tasks failed to start.") })
      #expect(messages.contains { $0.hasPrefix("(service web) rolling back to deployment ecs-svc/") })
    }
  }

  @Test("scaling to zero and deleting end the tasks; the service stays describable as INACTIVE")
  func deletion() async throws {
    try await ECSFixture.with { f in
      try await f.create(try await f.register(forever), count: 2)
      try await f.steady(2)
      await #expect(throws: ECSError.scaledAboveZero) {
        _ = try await f.run(ECS.deleteService) {
          $0.cluster = "main"
          $0.service = "web"
        }
      }
      _ = try await f.run(ECS.updateService) {
        $0.cluster = "main"
        $0.service = "web"
        $0.desiredCount = 0
      }
      try await f.steady(0)
      let deleted = try await f.run(ECS.deleteService) {
        $0.cluster = "main"
        $0.service = "web"
      }
      #expect(deleted.service?.status == "DRAINING")
      try await f.until("it is inactive") { try await f.service().status == "INACTIVE" }
      #expect(try await f.run(ECS.listServices) { $0.cluster = "main" }.serviceArns == [])
      await #expect(throws: ECSError.serviceNotActive) {
        _ = try await f.run(ECS.updateService) {
          $0.cluster = "main"
          $0.service = "web"
        }
      }
      let cluster = try await f.run(ECS.deleteCluster) { $0.cluster = "main" }
      #expect(cluster.cluster?.status == "INACTIVE")
    }
  }

  @Test("a restarted control plane adopts the running tasks, and replaces the one that died meanwhile")
  func adoption() async throws {
    try await ECSFixture.with { f in
      try await f.create(
        try await f.register("i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done") {
          $0.logConfiguration = .make {
            $0.logDriver = "awslogs"
            $0.options = ["awslogs-group": "app", "awslogs-stream-prefix": "s"]
          }
        }, count: 2)
      try await f.steady(2)
      let before = try await f.tasks()
      let (kept, lost) = (before[0], before[1])
      let keptPids = await f.pids(kept)
      await f.halt()
      for pid in await f.pids(lost) { kill(pid, SIGKILL) }
      let stream = "s/web/\(kept.taskArn?.split(separator: "/").last ?? "")"
      let shipped = f.logs.lines(stream).count
      try await f.restart()
      try await f.until("a new task runs beside the kept one") {
        let running = try await f.tasks().filter { $0.lastStatus == "RUNNING" }
        return running.count == 2 && running.contains { $0.taskArn == kept.taskArn }
          && !running.contains { $0.taskArn == lost.taskArn }
      }
      #expect(await f.pids(kept) == keptPids)
      try await f.until("its log goes on") { f.logs.lines(stream).count > shipped + 5 }
      // Nothing lost, nothing twice.
      let lines = f.logs.lines(stream)
      #expect(lines == (1...lines.count).map { "line \($0)" })
    }
  }

  @Test("what was stopped with the castle starts again with it")
  func downAndUp() async throws {
    try await ECSFixture.with { f in
      try await f.create(try await f.register(forever), count: 1)
      try await f.steady(1)
      let task = try #require(try await f.tasks().first)
      let pids = await f.pids(task)
      await f.halt()
      try await f.ecs.stopEngines()
      #expect(pids.allSatisfy { kill($0, 0) != 0 })
      #expect(try await f.task(task.taskArn ?? "").lastStatus == "STOPPED")
      #expect(try await f.service().desiredCount == 1)
      try await f.restart()
      try await f.steady(1)
      try await f.ecs.removeEverything()
      #expect(await f.ecs.hasEngines == false)
      #expect(await f.supervisor.records().isEmpty)
    }
  }

  @Test("tasks are spread over the zones of the service's subnets, each with an address of its own")
  func spread() async throws {
    try await ECSFixture.with { f in
      let vpc = try await f.network()
      let definition = try await f.register(
        forever,
        task: {
          $0.networkMode = "awsvpc"
          $0.memory = "512"
          $0.cpu = "256"
        })
      try await f.create(definition, count: 4) {
        $0.launchType = "FARGATE"
        $0.networkConfiguration = .make { $0.awsvpcConfiguration = .make { $0.subnets = vpc } }
        $0.loadBalancers = [
          .make {
            $0.targetGroupArn = FakeBalancer.group
            $0.containerName = "web"
            $0.containerPort = 8080
          }
        ]
      }
      try await f.steady(4)
      let tasks = try await f.tasks()
      let zones = Dictionary(grouping: tasks) { $0.availabilityZone ?? "" }.mapValues(\.count)
      #expect(zones == ["us-east-1a": 2, "us-east-1b": 2])
      let addresses = tasks.compactMap {
        $0.attachments?.first?.details?.first { $0.name == "privateIPv4Address" }?.value
      }
      #expect(Set(addresses).count == 4 && addresses.allSatisfy { $0.hasPrefix("127.") })
      // The load balancer is told the zones, which the addresses do not tell.
      let told = f.balancer.state.withLock { $0.zones }
      #expect(told.sorted() == ["us-east-1a", "us-east-1a", "us-east-1b", "us-east-1b"])
      await #expect(throws: AWSError.self) {
        _ = try await f.run(ECS.updateService) {
          $0.cluster = "main"
          $0.service = "web"
          $0.networkConfiguration = .make { $0.awsvpcConfiguration = .make { $0.subnets = ["subnet-0"] } }
        }
      }
    }
  }
}
