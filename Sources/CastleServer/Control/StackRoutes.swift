// The application's stack, as the command drives it: the same CloudFormation operations that anyone else would call.

import AWSCore
import CloudFormationModel
import ECSModel
import Edge
import ElastiCacheModel
import Foundation
import RDSModel
import ServiceKit
import Store

extension Castle {
  private struct DeployRequest: Codable {
    var stackName: String
    var template: String
    var parameters: [String: String]?
  }

  /// Creates the stack, or updates it when it is there. Answers at once; `/stack` tells how it goes.
  func deploy(_ request: ControlRequest) async throws -> ControlResponse {
    let wanted: DeployRequest
    do {
      wanted = try JSONDecoder().decode(DeployRequest.self, from: Data(request.body))
    } catch {
      throw AWSError.validation("deploy takes stackName, template and parameters as JSON: \(error)")
    }
    let call = ownerCall()
    // What could not start before is tried with what the machine and the file are like now.
    for service in services.all { await service.retryFailed() }
    let parameters = (wanted.parameters ?? [:]).sorted { $0.key < $1.key }.map { key, value in
      CloudFormation.Parameter.make {
        $0.parameterKey = key
        $0.parameterValue = value
      }
    }
    if let existing = try await stack(wanted.stackName, call) {
      if existing.stackStatus == "CREATE_FAILED" || existing.stackStatus == "ROLLBACK_FAILED" {
        throw AWSError(
          "AlreadyExistsException",
          "The stack \(wanted.stackName) failed to be created before (\(existing.stackStatus ?? "")); castle destroy removes it."
        )
      }
      // Nothing is left of it but its name, which it cannot be updated with.
      if existing.stackStatus == "ROLLBACK_COMPLETE" {
        try await remove(existing, call)
        return try await create(wanted, parameters, call)
      }
      do {
        let updated = try await call.invoke(
          CloudFormation.updateStack,
          .make {
            $0.stackName = wanted.stackName
            $0.templateBody = wanted.template
            $0.parameters = parameters
            $0.capabilities = ["CAPABILITY_NAMED_IAM"]
          })
        return .json(["action": "update", "stackId": .string(updated.stackId ?? "")])
      } catch let error as AWSError where error.message.contains("No updates are to be performed") {
        return .json(["action": "none", "stackId": .string(existing.stackId ?? "")])
      }
    }
    return try await create(wanted, parameters, call)
  }

  private func create(
    _ wanted: DeployRequest, _ parameters: [CloudFormation.Parameter], _ call: CallContext
  ) async throws -> ControlResponse {
    let created = try await call.invoke(
      CloudFormation.createStack,
      .make {
        $0.stackName = wanted.stackName
        $0.templateBody = wanted.template
        $0.parameters = parameters
        $0.capabilities = ["CAPABILITY_NAMED_IAM"]
      })
    return .json(["action": "create", "stackId": .string(created.stackId ?? "")])
  }

  /// Deletes a stack and returns when it has gone.
  private func remove(_ stack: CloudFormation.Stack, _ call: CallContext) async throws {
    let id = stack.stackId ?? stack.stackName
    _ = try await call.invoke(CloudFormation.deleteStack, .make { $0.stackName = id ?? "" })
    try await environment.store.wait(for: ["cloudformation.stack"]) {
      let status = try await self.stack(id ?? "", call)?.stackStatus ?? "DELETE_COMPLETE"
      if status == "DELETE_FAILED" { throw AWSError.validation("The stack \(id ?? "") could not be removed.") }
      return status == "DELETE_COMPLETE" ? () : nil
    }
  }

  private func stack(_ name: String, _ call: CallContext) async throws -> CloudFormation.Stack? {
    do {
      return try await call.invoke(CloudFormation.describeStacks, .make { $0.stackName = name }).stacks?.first
    } catch let error as AWSError where error.message.contains("does not exist") {
      return nil
    }
  }

  /// The stack's state, its resources and its outputs.
  func stackReport(_ request: ControlRequest) async throws -> ControlResponse {
    let name = request.query["name"] ?? ""
    let call = ownerCall()
    guard let stack = try await stack(name, call) else { return .json(["exists": false]) }
    let resources =
      try await call.invoke(
        CloudFormation.describeStackResources, .make { $0.stackName = name }
      ).stackResources ?? []
    var rows: [JSONValue] = []
    for resource in resources {
      var row: [String: JSONValue] = [
        "logicalId": .string(resource.logicalResourceId ?? ""), "type": .string(resource.resourceType ?? ""),
        "status": .string(resource.resourceStatus ?? ""), "physicalId": .string(resource.physicalResourceId ?? ""),
        "reason": .string(resource.resourceStatusReason ?? ""),
      ]
      if resource.resourceStatus?.hasSuffix("_IN_PROGRESS") == true, let event = try await lastEvent(of: resource, call)
      {
        row["event"] = .string(event)
      }
      rows.append(.object(row))
    }
    let isTroubled =
      stack.stackStatus?.contains("ROLLBACK") == true || stack.stackStatus?.hasSuffix("_FAILED") == true
      || resources.contains { $0.resourceStatus?.hasSuffix("_FAILED") == true }
    let failures = isTroubled ? try await failures(name, call) : []
    let outputs = (stack.outputs ?? []).map { ($0.outputKey ?? "", JSONValue.string($0.outputValue ?? "")) }
    return .json([
      "exists": true, "status": .string(stack.stackStatus ?? ""), "reason": .string(stack.stackStatusReason ?? ""),
      "resources": .array(rows), "failures": .array(failures),
      "outputs": .object(Dictionary(outputs, uniquingKeysWith: { $1 })),
    ])
  }

  /// What failed in the stack's last operation, the first first. A rollback hurries over the resources' own statuses.
  private func failures(_ name: String, _ call: CallContext) async throws -> [JSONValue] {
    var failures: [JSONValue] = []
    var token: String?
    var pages = 0
    repeat {
      let page = try await call.invoke(
        CloudFormation.describeStackEvents,
        .make {
          $0.stackName = name
          $0.nextToken = token
        })
      for event in page.stackEvents ?? [] {
        let status = event.resourceStatus ?? ""
        let isBeginning = ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"].contains(status)
        if event.physicalResourceId == event.stackId && isBeginning { return failures.reversed() }
        guard event.physicalResourceId != event.stackId, status.hasSuffix("_FAILED") else { continue }
        failures.append([
          "logicalId": .string(event.logicalResourceId ?? ""), "type": .string(event.resourceType ?? ""),
          "status": .string(status), "reason": .string(event.resourceStatusReason ?? ""),
        ])
      }
      token = page.nextToken
      pages += 1
    } while token != nil && pages < 100
    return failures.reversed()
  }

  /// What a resource's service told of it last; nil for those that tell nothing.
  private func lastEvent(of resource: CloudFormation.StackResource, _ call: CallContext) async throws -> String? {
    guard let id = resource.physicalResourceId, !id.isEmpty else { return nil }
    func ofDatabase(_ type: String) async throws -> String? {
      let all = try await call.invoke(
        RDS.describeEvents,
        .make {
          $0.sourceType = type
          $0.sourceIdentifier = id
        })
      return all.events?.last?.message
    }
    switch resource.resourceType {
    case "AWS::RDS::DBInstance": return try await ofDatabase("db-instance")
    case "AWS::RDS::DBCluster": return try await ofDatabase("db-cluster")
    case "AWS::ElastiCache::ReplicationGroup":
      // A group's nodes tell more than the group.
      let all = try await call.invoke(ElastiCache.describeEvents, .make { _ in })
      return all.events?.last { $0.sourceIdentifier == id || $0.sourceIdentifier?.hasPrefix(id + "-") == true }?.message
    case "AWS::ECS::Service":
      // arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME
      let parts = id.split(separator: "/")
      guard parts.count == 3 else { return nil }
      let answer = try await call.invoke(
        ECS.describeServices,
        .make {
          $0.cluster = String(parts[1])
          $0.services = [id]
        })
      return answer.services?.first?.events?.first?.message
    default: return nil
    }
  }
}
