// CloudFormation with a fake resource type and Secrets Manager, over a store in a folder of its own.

import AWSCore
import AWSWire
import CastleTesting
import CloudFormationModel
import Foundation
import KMSService
import SecretsManagerService
import ServiceKit
import Testing

@testable import CloudFormationService

/// A CloudFormation whose stacks are made of boxes.
struct StackFixture {
  let harness: ServiceHarness
  let boxes: Boxes
  private let runner: Task<Void, any Error>

  /// Runs a test with a CloudFormation of its own.
  static func with(_ body: (inout StackFixture) async throws -> Void) async throws {
    var fixture = try StackFixture(boxes: Boxes(), directory: nil)
    do {
      try await body(&fixture)
    } catch {
      await fixture.end()
      throw error
    }
    await fixture.end()
  }

  private init(boxes: Boxes, directory: String?) throws {
    self.boxes = boxes
    var made: CloudFormationService?
    let collections =
      CloudFormationService.collections + SecretsManagerService.collections + KMSService.collections
    harness = try ServiceHarness(directory: directory, collections: collections) {
      let service = CloudFormationService($0, providers: boxes.providers)
      made = service
      return [service, SecretsManagerService($0), KMSService($0)]
    }
    let service = try #require(made)
    runner = Task { try await service.run() }
  }

  /// Stops the control plane in the middle of whatever it does and starts another one over the same state.
  mutating func restart() async throws {
    runner.cancel()
    _ = await runner.result
    try await harness.close()
    self = try StackFixture(boxes: boxes, directory: harness.directory)
  }

  private func end() async {
    runner.cancel()
    _ = await runner.result
    harness.remove()
  }

  // MARK: - Operations

  @discardableResult
  func create(
    _ name: String, _ template: String, _ parameters: [String: String] = [:],
    _ configure: (inout CloudFormation.CreateStackInput) -> Void = { _ in }
  ) async throws -> String {
    let answer = try await harness.run(CloudFormation.createStack) {
      $0.stackName = name
      $0.templateBody = template
      $0.parameters = Self.parameters(parameters)
      configure(&$0)
    }
    return try #require(answer.stackId)
  }

  @discardableResult
  func update(
    _ name: String, _ template: String, _ parameters: [String: String] = [:],
    _ configure: (inout CloudFormation.UpdateStackInput) -> Void = { _ in }
  ) async throws -> String? {
    try await harness.run(CloudFormation.updateStack) {
      $0.stackName = name
      $0.templateBody = template
      $0.parameters = Self.parameters(parameters)
      configure(&$0)
    }.stackId
  }

  func delete(_ name: String, retain: [String]? = nil) async throws {
    _ = try await harness.run(CloudFormation.deleteStack) {
      $0.stackName = name
      $0.retainResources = retain
    }
  }

  static func parameters(_ values: [String: String]) -> [CloudFormation.Parameter] {
    values.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.parameterKey = key
        $0.parameterValue = value
      }
    }
  }

  func describe(_ name: String) async throws -> CloudFormation.Stack {
    try #require(try await harness.run(CloudFormation.describeStacks) { $0.stackName = name }.stacks?.first)
  }

  /// Waits until nothing is under way on the stack.
  /// - Parameter name: a name, or the ARN for a stack that goes away.
  @discardableResult
  func settled(_ name: String) async throws -> CloudFormation.Stack {
    try await eventually("\(name) settles") {
      try await self.describe(name).stackStatus?.hasSuffix("_IN_PROGRESS") == false
    }
    return try await describe(name)
  }

  func outputs(_ name: String) async throws -> [String: String] {
    let outputs = try await describe(name).outputs ?? []
    return Dictionary(outputs.map { ($0.outputKey ?? "", $0.outputValue ?? "") }, uniquingKeysWith: { $1 })
  }

  /// `A CREATE_COMPLETE` and so on, oldest first; the stack's own are under its name.
  func events(_ name: String) async throws -> [String] {
    var lines: [String] = []
    var token: String?
    repeat {
      let page = try await harness.run(CloudFormation.describeStackEvents) {
        $0.stackName = name
        $0.nextToken = token
      }
      lines += (page.stackEvents ?? []).map { "\($0.logicalResourceId ?? "") \($0.resourceStatus ?? "")" }
      token = page.nextToken
    } while token != nil
    return lines.reversed()
  }

  func resources(_ name: String) async throws -> [String: CloudFormation.StackResource] {
    let found = try await harness.run(CloudFormation.describeStackResources) { $0.stackName = name }.stackResources
    return Dictionary((found ?? []).map { ($0.logicalResourceId ?? "", $0) }, uniquingKeysWith: { $1 })
  }

  /// The message that an operation is refused with, and its code.
  func refusal(_ body: () async throws -> some Any) async -> String {
    do {
      _ = try await body()
      return "nothing was refused"
    } catch let error as AWSError {
      return "\(error.code): \(error.message)"
    } catch {
      return "\(error)"
    }
  }
}

/// A template of boxes, as JSON.
func boxTemplate(_ resources: String, _ more: String = "") -> String { "{\"Resources\":{\(resources)}\(more)}" }
