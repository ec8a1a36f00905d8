// Operations and stack resources: answers, defaults, errors.

import AWSCore
import ECSModel
import ServiceKit
import Testing

@testable import ECSService

@Suite("ECS operations", .timeLimit(.minutes(2))) struct ECSOperationTests {
  private func message(_ body: () async throws -> Void) async -> String? {
    do {
      try await body()
      return nil
    } catch { return (error as? AWSError).map { "\($0.code): \($0.message)" } ?? "\(error)" }
  }

  @Test("what is not there is told in AWS's words")
  func missing() async throws {
    try await ECSFixture.with { f in
      #expect(await message { _ = try await f.run(ECS.listServices) } == "ClusterNotFoundException: Cluster not found.")
      #expect(
        await message { _ = try await f.run(ECS.describeTaskDefinition) { $0.taskDefinition = "none" } }
          == "ClientException: Unable to describe task definition.")
      let clusters = try await f.run(ECS.describeClusters) { $0.clusters = ["none"] }
      #expect(clusters.clusters == nil || clusters.clusters?.isEmpty == true)
      #expect(clusters.failures?.first?.reason == "MISSING")
      #expect(clusters.failures?.first?.arn == "arn:aws:ecs:us-east-1:000000000000:cluster/none")
      _ = try await f.run(ECS.createCluster) { $0.clusterName = "main" }
      let services = try await f.run(ECS.describeServices) {
        $0.cluster = "main"
        $0.services = ["none"]
      }
      #expect(services.failures?.first?.arn == "arn:aws:ecs:us-east-1:000000000000:service/main/none")
      #expect(
        await message {
          _ = try await f.run(ECS.updateService) {
            $0.cluster = "main"
            $0.service = "none"
          }
        }
          == "ServiceNotFoundException: Service not found.")
      #expect(
        await message {
          _ = try await f.run(ECS.runTask) {
            $0.cluster = "main"
            $0.taskDefinition = "none"
          }
        }
          == "ClientException: TaskDefinition not found.")
    }
  }

  @Test("a cluster comes back as it was made; a name is made once")
  func cluster() async throws {
    try await ECSFixture.with { f in
      let made = try await f.run(ECS.createCluster) {
        $0.clusterName = "main"
        $0.settings = [
          .make {
            $0.name = "containerInsights"
            $0.value = "enabled"
          }
        ]
        $0.configuration = .make { $0.executeCommandConfiguration = .make { $0.logging = "OVERRIDE" } }
        $0.tags = [
          .make {
            $0.key = "Rev"
            $0.value = "1"
          }
        ]
      }
      _ = try await f.run(ECS.createCluster) { $0.clusterName = "main" }
      let bare = try await f.run(ECS.describeClusters) { $0.clusters = [made.cluster?.clusterArn ?? ""] }.clusters?
        .first
      #expect(bare?.status == "ACTIVE" && bare?.settings?.isEmpty == true && bare?.configuration == nil)
      let full = try await f.run(ECS.describeClusters) {
        $0.clusters = ["main"]
        $0.include = ["SETTINGS", "CONFIGURATIONS", "TAGS", "STATISTICS"]
      }.clusters?.first
      #expect(full?.settings?.first?.value == "enabled")
      #expect(full?.configuration?.executeCommandConfiguration?.logging == "OVERRIDE")
      #expect(full?.tags?.first?.value == "1")
      #expect(full?.statistics?.count == 6)
      _ = try await f.run(ECS.putClusterCapacityProviders) {
        $0.cluster = "main"
        $0.capacityProviders = ["FARGATE", "FARGATE_SPOT"]
        $0.defaultCapacityProviderStrategy = [
          .make {
            $0.capacityProvider = "FARGATE"
            $0.base = 1
            $0.weight = 100
          }
        ]
      }
      let after = try await f.run(ECS.describeClusters) { $0.clusters = ["main"] }.clusters?.first
      #expect(after?.defaultCapacityProviderStrategy?.first?.weight == 100)
    }
  }

  @Test("revisions count up for each family; a bare family is the newest active one")
  func revisions() async throws {
    try await ECSFixture.with { f in
      let first = try await f.register("exit 0")
      let second = try await f.register("exit 0")
      #expect(first == "arn:aws:ecs:us-east-1:000000000000:task-definition/app:1")
      #expect(try await f.run(ECS.describeTaskDefinition) { $0.taskDefinition = "app" }.taskDefinition?.revision == 2)
      _ = try await f.run(ECS.deregisterTaskDefinition) { $0.taskDefinition = second }
      #expect(try await f.run(ECS.describeTaskDefinition) { $0.taskDefinition = "app" }.taskDefinition?.revision == 1)
      #expect(
        try await f.run(ECS.describeTaskDefinition) { $0.taskDefinition = second }.taskDefinition?.status == "INACTIVE")
      #expect(try await f.run(ECS.listTaskDefinitions).taskDefinitionArns == [first])
      #expect(try await f.run(ECS.listTaskDefinitions) { $0.status = "INACTIVE" }.taskDefinitionArns == [second])
      #expect(try await f.run(ECS.listTaskDefinitionFamilies).families == ["app"])
      _ = try await f.run(ECS.deleteTaskDefinitions) { $0.taskDefinitions = [second] }
      #expect(await message { _ = try await f.run(ECS.describeTaskDefinition) { $0.taskDefinition = second } } != nil)
      // A revision's number is never given twice.
      #expect(try await f.register("exit 0").hasSuffix("app:3"))
      let container = try await f.run(ECS.describeTaskDefinition) { $0.taskDefinition = first }.taskDefinition?
        .containerDefinitions?.first
      #expect(container?.essential == true && container?.cpu == 0 && container?.portMappings?.first?.protocol == "tcp")
      #expect(container?.mountPoints?.isEmpty == true && container?.volumesFrom?.isEmpty == true)
    }
  }

  @Test("a definition is checked as AWS checks it")
  func definitions() async throws {
    try await ECSFixture.with { f in
      func fargate(_ cpu: String, _ memory: String) async -> String? {
        await message {
          try await f.register("exit 0") { _ in
          } task: {
            $0.requiresCompatibilities = ["FARGATE"]
            $0.networkMode = "awsvpc"
            $0.cpu = cpu
            $0.memory = memory
          }
        }
      }
      #expect(await fargate("256", "512") == nil)
      #expect(await fargate(".5 vCPU", "1 GB") == nil)
      #expect(
        await fargate("256", "4096")
          == "ClientException: No Fargate configuration exists for given values: 256 CPU, 4096 memory.")
      #expect(
        await message { try await f.register(nil) { $0.image = nil } }
          == "ClientException: Container.image should not be null or empty.")
      #expect(await message { try await f.register("exit 0") { $0.essential = false } }?.contains("essential") == true)
    }
  }

  @Test("a service tells its settings back, with defaults and tags, and does not change by itself")
  func service() async throws {
    try await ECSFixture.with { f in
      let definition = try await f.register("exec sleep 1000")
      let made = try await f.create(definition, count: 1) {
        $0.tags = [
          .make {
            $0.key = "castle:service"
            $0.value = "web"
          }
        ]
        $0.propagateTags = "SERVICE"
        $0.enableExecuteCommand = true
        $0.availabilityZoneRebalancing = "ENABLED"
        $0.clientToken = "token"
      }
      #expect(made.status == "ACTIVE" && made.serviceArn == "arn:aws:ecs:us-east-1:000000000000:service/main/web")
      #expect(
        made.launchType == "EC2" && made.schedulingStrategy == "REPLICA" && made.deploymentController?.type == "ECS")
      #expect(
        made.deploymentConfiguration?.maximumPercent == 200
          && made.deploymentConfiguration?.minimumHealthyPercent == 100)
      #expect(made.availabilityZoneRebalancing == "ENABLED" && made.enableExecuteCommand == true)
      #expect(made.deployments?.first?.rolloutState == "IN_PROGRESS")
      // The same token is the same service, another one is refused.
      try await f.create(definition, count: 1) { $0.clientToken = "token" }
      #expect(
        await message { try await f.create(definition, count: 1) }
          == "InvalidParameterException: Creation of service was not idempotent.")
      try await f.steady(1)
      let before = try await f.service()
      let update = try await f.run(ECS.updateService) {
        $0.cluster = "main"
        $0.service = "web"
        $0.taskDefinition = definition
        $0.desiredCount = 1
      }
      #expect(update.service?.deployments?.map(\.id) == before.deployments?.map(\.id))
      let task = try #require(try await f.tasks().first)
      let tags = try await f.run(ECS.listTagsForResource) { $0.resourceArn = task.taskArn ?? "" }
      #expect(tags.tags?.first?.key == "castle:service")
      #expect(
        await message { _ = try await f.run(ECS.deleteCluster) { $0.cluster = "main" } }
          == "ClusterContainsServicesException: The Cluster cannot be deleted while Services are active.")
      #expect(
        await message {
          try await f.create(definition, count: 1) { $0.deploymentController = .make { $0.type = "CODE_DEPLOY" } }
        }?.hasPrefix("NotImplemented") == true)
    }
  }

  @Test("account settings have defaults, and can be put")
  func settings() async throws {
    try await ECSFixture.with { f in
      func insights() async throws -> String? {
        try await f.run(ECS.listAccountSettings) {
          $0.name = "containerInsights"
          $0.effectiveSettings = true
        }.settings?.first?.value
      }
      #expect(try await insights() == "disabled")
      _ = try await f.run(ECS.putAccountSettingDefault) {
        $0.name = "containerInsights"
        $0.value = "enabled"
      }
      #expect(try await insights() == "enabled")
    }
  }

  @Test("a stack's service is made when it is steady, changed in place, and removed with its tasks")
  func stack() async throws {
    try await ECSFixture.with { f in
      let providers = Dictionary(uniqueKeysWithValues: f.ecs.resourceProviders.map { ($0.type, $0) })
      let context = ResourceContext(
        stackName: "shop", stackID: "arn:stack", logicalID: "Web", tags: ["stack": "shop"], call: f.harness.call())
      let clusters = try #require(providers["AWS::ECS::Cluster"])
      let definitions = try #require(providers["AWS::ECS::TaskDefinition"])
      let services = try #require(providers["AWS::ECS::Service"])
      let cluster = try await clusters.create(["ClusterName": "main"], context)
      func definition(_ script: String) -> JSONValue {
        [
          "Family": "shop-web", "Cpu": "256", "Memory": 512,
          "ContainerDefinitions": [
            [
              "Name": "web", "Image": "x", "Essential": true,
              "PortMappings": [["ContainerPort": 3000, "Protocol": "tcp"]],
              "Environment": [["Name": "PORT", "Value": "3000"]],
              "DockerLabels": ["castle.run": .string("/bin/sh -c '\(script)'"), "castle.directory": "/tmp"],
            ]
          ],
        ]
      }
      let first = try await definitions.create(definition("exec sleep 1000"), context)
      #expect(first.physicalID.hasSuffix("task-definition/shop-web:1"))
      func properties(_ definition: String, count: Int) -> JSONValue {
        [
          "ServiceName": "web", "Cluster": .string(cluster.physicalID), "TaskDefinition": .string(definition),
          "DesiredCount": .integer(count), "PropagateTags": "SERVICE",
          "DeploymentConfiguration": ["DeploymentCircuitBreaker": ["Enable": true, "Rollback": true]],
        ]
      }
      let handle = try await services.make(properties(first.physicalID, count: 1), context)
      #expect(handle.attributes["Name"] == "web")
      #expect(try await f.service().runningCount == 1)
      let second = try await definitions.create(definition("echo two; exec sleep 1000"), context)
      _ = try await services.update(
        handle, properties(first.physicalID, count: 1), properties(second.physicalID, count: 2), context)
      #expect(try await f.service().runningCount == 2)
      #expect(try await f.service().taskDefinition == second.physicalID)

      let bad = try await definitions.create(definition("echo no database; exit 9"), context)
      let failure = await message {
        _ = try await services.update(
          handle, properties(second.physicalID, count: 2), properties(bad.physicalID, count: 2), context)
      }
      #expect(failure?.contains("ECS Deployment Circuit Breaker was triggered") == true)
      #expect(failure?.contains("exit code 9") == true && failure?.contains("no database") == true, "\(failure ?? "")")
      // The stack engine's own roll-back finds it steady again.
      _ = try await services.update(
        handle, properties(bad.physicalID, count: 2), properties(second.physicalID, count: 2), context)
      #expect(try await f.service().runningCount == 2)

      try await services.delete(handle, .object([:]), context)
      #expect(try await f.service().status == "INACTIVE")
      try await services.delete(handle, .object([:]), context)
      for handle in [first, second, bad] { try await definitions.delete(handle, .object([:]), context) }
      try await clusters.delete(cluster, .object([:]), context)
      #expect(try await f.run(ECS.listTaskDefinitions).taskDefinitionArns == [])
    }
  }
}
