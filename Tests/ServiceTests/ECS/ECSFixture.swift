// ECS with real processes.

import AWSCore
import AWSWire
import CastleTesting
import EC2Model
import EC2Service
import ECSModel
import Foundation
import Glibc
import ServiceKit
import Supervisor
import Synchronization
import Tasks
import Testing

@testable import ECSService

/// ECS over the process runtime, with fakes for what it calls, running.
final class ECSFixture: Sendable {
  let harness: ServiceHarness
  let logs = FakeLogs()
  let balancer = FakeBalancer()
  let identity = FakeIdentity()
  private struct Live: Sendable {
    var ecs: ECSService
    var supervisor: Supervisor
    var loop: Task<Void, any Error>
  }
  private let live: Mutex<Live>

  var ecs: ECSService { live.withLock { $0.ecs } }
  var supervisor: Supervisor { live.withLock { $0.supervisor } }

  static func with(_ body: (ECSFixture) async throws -> Void) async throws {
    let fixture = try ECSFixture()
    let result: Result<Void, any Error>
    do { result = .success(try await body(fixture)) } catch { result = .failure(error) }
    await fixture.clean()
    try result.get()
  }

  private init() throws {
    let parts: [any AWSService] = [logs, balancer, identity]
    let made = Mutex<(ECSService, Supervisor)?>(nil)
    harness = try ServiceHarness(
      clock: SystemClock(), collections: ECSService.collections + EC2Service.collections
    ) { environment in
      let (ecs, supervisor) = try Self.make(environment)
      made.withLock { $0 = (ecs, supervisor) }
      return [ecs, EC2Service(environment)] + parts
    }
    guard let (ecs, supervisor) = made.withLock({ $0 }) else { throw AWSError.validation("not made") }
    live = Mutex(Live(ecs: ecs, supervisor: supervisor, loop: Task { try await ecs.run() }))
  }

  private static func make(_ environment: ServiceEnvironment) throws -> (ECSService, Supervisor) {
    let supervisor = try Supervisor(stateDirectory: environment.directory + "/processes")
    return (ECSService(environment, runtime: ProcessTaskRuntime(supervisor: supervisor)), supervisor)
  }

  /// Ends the loop as a killed control plane would: tasks go on.
  func halt() async {
    let loop = live.withLock { $0.loop }
    loop.cancel()
    _ = await loop.result
  }

  /// Another control plane over the same state.
  func restart() async throws {
    await halt()
    let (ecs, supervisor) = try Self.make(harness.environment)
    harness.environment.connect(
      invoker: Dispatcher(
        services: [ecs, EC2Service(harness.environment), logs, balancer, identity], authority: OpenAuthority()))
    live.withLock { $0 = Live(ecs: ecs, supervisor: supervisor, loop: Task { try await ecs.run() }) }
  }

  private func clean() async {
    try? await ecs.removeEverything()
    await halt()
    for process in await supervisor.adopt() { await process.stop(signal: SIGKILL, grace: 0) }
    try? await harness.environment.store.close()
    harness.remove()
  }

  // MARK: Calls

  func run<I, O>(_ operation: APIOperation<I, O>, _ configure: (inout I) -> Void = { _ in }) async throws -> O {
    var input = I()
    configure(&input)
    return try await harness.environment.invoker.invoke(operation, input, harness.call())
  }

  /// Registers a revision whose container runs a shell script.
  @discardableResult
  func register(
    _ script: String?, family: String = "app", _ change: (inout ECS.ContainerDefinition) -> Void = { _ in },
    task: (inout ECS.RegisterTaskDefinitionRequest) -> Void = { _ in }
  ) async throws -> String {
    let definition = try await run(ECS.registerTaskDefinition) {
      $0.family = family
      var container = ECS.ContainerDefinition()
      container.name = "web"
      container.image = "shop/web"
      container.memory = 128
      container.stopTimeout = 5
      container.portMappings = [.make { $0.containerPort = 8080 }]
      container.environment = [
        .make {
          $0.name = "PORT"
          $0.value = "8080"
        }
      ]
      if let script { container.dockerLabels = ["castle.run": "/bin/sh -c '\(script)'", "castle.directory": "/tmp"] }
      change(&container)
      $0.containerDefinitions = [container]
      task(&$0)
    }
    return definition.taskDefinition?.taskDefinitionArn ?? ""
  }

  @discardableResult
  func create(_ definition: String, count: Int, _ change: (inout ECS.CreateServiceRequest) -> Void = { _ in })
    async throws
    -> ECS.Service
  {
    _ = try await run(ECS.createCluster) { $0.clusterName = "main" }
    let service = try await run(ECS.createService) {
      $0.cluster = "main"
      $0.serviceName = "web"
      $0.taskDefinition = definition
      $0.desiredCount = count
      change(&$0)
    }
    return try #require(service.service)
  }

  func service() async throws -> ECS.Service {
    let answer = try await run(ECS.describeServices) {
      $0.cluster = "main"
      $0.services = ["web"]
    }
    return try #require(answer.services?.first)
  }

  func tasks(_ status: String = "RUNNING") async throws -> [ECS.Task] {
    let arns =
      try await run(ECS.listTasks) {
        $0.cluster = "main"
        $0.desiredStatus = status
      }.taskArns ?? []
    guard !arns.isEmpty else { return [] }
    return try await run(ECS.describeTasks) {
      $0.cluster = "main"
      $0.tasks = arns
    }.tasks ?? []
  }

  func task(_ arn: String) async throws -> ECS.Task {
    try #require(
      try await run(ECS.describeTasks) {
        $0.cluster = "main"
        $0.tasks = [arn]
      }.tasks?.first)
  }

  /// One deployment, all running.
  func steady(_ count: Int? = nil, _ definition: String? = nil) async throws {
    try await until("the service is steady") {
      let service = try await self.service()
      return service.deployments?.count == 1 && service.runningCount == service.desiredCount
        && service.deployments?.first?.rolloutState == "COMPLETED" && (count == nil || service.runningCount == count)
        && (definition == nil || service.deployments?.first?.taskDefinition == definition)
    }
  }

  func stopped(_ arn: String) async throws -> ECS.Task {
    try await until("the task has stopped") { try await self.task(arn).lastStatus == "STOPPED" }
    return try await task(arn)
  }

  /// The processes of a task's containers.
  func pids(_ task: ECS.Task) async -> [Int32] {
    let id = task.taskArn?.split(separator: "/").last.map(String.init) ?? ""
    return await supervisor.records().filter { $0.labels["castle.task"] == id }.map(\.child)
  }

  /// Looks often until something holds, for at most twenty seconds.
  func until(_ what: String, _ holds: () async throws -> Bool) async throws {
    let limit = ContinuousClock.now + .seconds(20)
    while try await !holds() {
      guard ContinuousClock.now < limit else {
        let service = try? await self.service()
        let tasks = try? await harness.environment.store.read { try $0.list(TaskRecord.self) }
        let lines =
          (tasks ?? []).map { "\($0.1.id) \($0.1.status) wanted=\($0.1.isWanted) \($0.1.stoppedReason ?? "")" }
          + (service?.events ?? []).compactMap(\.message)
        Issue.record("not within 20 s: \(what)\n\(lines.joined(separator: "\n"))")
        throw AWSError.validation(what)
      }
      try await Task.sleep(for: .milliseconds(5))
    }
  }
}

extension ECSFixture {
  /// A VPC with a subnet in each of two zones.
  func network() async throws -> [String] {
    let vpc = try await run(EC2.createVpc) { $0.cidrBlock = "10.0.0.0/16" }.vpc?.vpcId ?? ""
    var subnets: [String] = []
    for (index, zone) in ["us-east-1a", "us-east-1b"].enumerated() {
      let subnet = try await run(EC2.createSubnet) {
        $0.vpcId = vpc
        $0.cidrBlock = "10.0.\(index).0/24"
        $0.availabilityZone = zone
      }
      subnets.append(subnet.subnet?.subnetId ?? "")
    }
    return subnets
  }
}
