// Repositories and what is set on them.

import AWSCore
import CastleTesting
import ECRModel
import ECRService
import KMSService
import ServiceKit
import Testing

@Suite("ECR") struct ECRTests {
  private func harness() throws -> ServiceHarness {
    try ServiceHarness(collections: ECRService.collections + KMSService.collections) {
      [ECRService($0), KMSService($0)]
    }
  }

  @Test("a repository comes back as it was made, and is gone when it is deleted")
  func life() async throws {
    let harness = try harness()
    defer { harness.remove() }
    let made = try await harness.run(ECR.createRepository) {
      $0.repositoryName = "team/app"
      $0.imageTagMutability = "IMMUTABLE"
      $0.imageScanningConfiguration = .make { $0.scanOnPush = true }
      $0.encryptionConfiguration = .make { $0.encryptionType = "KMS" }
      $0.tags = [
        .make {
          $0.key = "team"
          $0.value = "web"
        }
      ]
    }.repository
    #expect(made?.repositoryUri == "000000000000.dkr.ecr.us-east-1.amazonaws.com/team/app")
    #expect(made?.encryptionConfiguration?.kmsKey?.hasPrefix("arn:aws:kms:") == true)
    let found = try await harness.run(ECR.describeRepositories) { $0.repositoryNames = ["team/app"] }
    #expect(found.repositories?.first?.imageTagMutability == "IMMUTABLE")
    #expect(found.repositories?.first?.imageScanningConfiguration?.scanOnPush == true)
    let tags = try await harness.run(ECR.listTagsForResource) { $0.resourceArn = made?.repositoryArn ?? "" }
    #expect(tags.tags?.map(\.value) == ["web"])
    var error = await #expect(throws: AWSError.self) {
      _ = try await harness.run(ECR.createRepository) { $0.repositoryName = "team/app" }
    }
    #expect(error?.code == "RepositoryAlreadyExistsException")
    _ = try await harness.run(ECR.deleteRepository) { $0.repositoryName = "team/app" }
    error = await #expect(throws: AWSError.self) {
      _ = try await harness.run(ECR.describeRepositories) { $0.repositoryNames = ["team/app"] }
    }
    #expect(error?.code == "RepositoryNotFoundException")
  }

  @Test("policies are kept, checked and removed")
  func policies() async throws {
    let harness = try harness()
    defer { harness.remove() }
    _ = try await harness.run(ECR.createRepository) { $0.repositoryName = "app" }
    var error = await #expect(throws: AWSError.self) {
      _ = try await harness.run(ECR.getLifecyclePolicy) { $0.repositoryName = "app" }
    }
    #expect(error?.code == "LifecyclePolicyNotFoundException")
    let text = """
      {"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":5},\
      "action":{"type":"expire"}}]}
      """
    _ = try await harness.run(ECR.putLifecyclePolicy) {
      $0.repositoryName = "app"
      $0.lifecyclePolicyText = text
    }
    #expect(try await harness.run(ECR.getLifecyclePolicy) { $0.repositoryName = "app" }.lifecyclePolicyText == text)
    error = await #expect(throws: AWSError.self) {
      _ = try await harness.run(ECR.setRepositoryPolicy) {
        $0.repositoryName = "app"
        $0.policyText = "no policy"
      }
    }
    #expect(error?.code == "InvalidParameterException")
    _ = try await harness.run(ECR.setRepositoryPolicy) {
      $0.repositoryName = "app"
      $0.policyText = #"{"Version":"2012-10-17","Statement":[]}"#
    }
    _ = try await harness.run(ECR.deleteRepositoryPolicy) { $0.repositoryName = "app" }
    error = await #expect(throws: AWSError.self) {
      _ = try await harness.run(ECR.getRepositoryPolicy) { $0.repositoryName = "app" }
    }
    #expect(error?.code == "RepositoryPolicyNotFoundException")
  }

  @Test("lists come in pages, and names are checked")
  func pages() async throws {
    let harness = try harness()
    defer { harness.remove() }
    for name in ["a1", "b1", "c1"] { _ = try await harness.run(ECR.createRepository) { $0.repositoryName = name } }
    let first = try await harness.run(ECR.describeRepositories) { $0.maxResults = 2 }
    #expect(first.repositories?.map(\.repositoryName) == ["a1", "b1"])
    let second = try await harness.run(ECR.describeRepositories) {
      $0.maxResults = 2
      $0.nextToken = first.nextToken
    }
    #expect(second.repositories?.map(\.repositoryName) == ["c1"] && second.nextToken == nil)
    await #expect(throws: AWSError.self) {
      _ = try await harness.run(ECR.createRepository) { $0.repositoryName = "Upper" }
    }
  }

  @Test("the stack resource makes, changes and removes a repository")
  func resource() async throws {
    let harness = try harness()
    defer { harness.remove() }
    let provider = try #require(ECRService(harness.environment).resourceProviders.first)
    let context = ResourceContext(
      stackName: "Shop", stackID: "arn", logicalID: "Images", tags: [:], call: harness.call())
    let old: JSONValue = [
      "LifecyclePolicy": [
        "LifecyclePolicyText": #"{"rules":[{"rulePriority":1,"selection":{},"action":{"type":"expire"}}]}"#
      ], "RepositoryPolicyText": ["Version": "2012-10-17", "Statement": []],
      "ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
      "ImageTagMutabilityExclusionFilters": [
        ["ImageTagMutabilityExclusionFilterType": "WILDCARD", "ImageTagMutabilityExclusionFilterValue": "latest*"]
      ],
    ]
    let made = try await provider.create(old, context)
    #expect(made.physicalID.hasPrefix("shop-images-"))
    var found = try await harness.run(ECR.describeRepositories).repositories?.first
    #expect(found?.imageTagMutabilityExclusionFilters?.first?.filter == "latest*")
    _ = try await provider.update(made, old, ["ImageScanningConfiguration": ["ScanOnPush": true]], context)
    found = try await harness.run(ECR.describeRepositories).repositories?.first
    #expect(found?.imageScanningConfiguration?.scanOnPush == true && found?.imageTagMutability == "MUTABLE")
    await #expect(throws: AWSError.self) {
      _ = try await harness.run(ECR.getRepositoryPolicy) { $0.repositoryName = made.physicalID }
    }
    try await provider.delete(made, old, context)
    #expect(try await harness.run(ECR.describeRepositories).repositories?.isEmpty == true)
  }
}
