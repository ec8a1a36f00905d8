// The application's stack, as the command drives it: the same CloudFormation operations that anyone else would call.

import AWSCore
import CloudFormationModel
import Edge
import Foundation
import ServiceKit

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
    let parameters = (wanted.parameters ?? [:]).sorted { $0.key < $1.key }.map { key, value in
      CloudFormation.Parameter.make {
        $0.parameterKey = key
        $0.parameterValue = value
      }
    }
    if let existing = try await stack(wanted.stackName, call) {
      if existing.stackStatus == "ROLLBACK_COMPLETE" || existing.stackStatus == "CREATE_FAILED"
        || existing.stackStatus == "ROLLBACK_FAILED"
      {
        throw AWSError(
          "AlreadyExistsException",
          "The stack \(wanted.stackName) failed to be created before (\(existing.stackStatus ?? "")); castle destroy removes it."
        )
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
    let rows = resources.map { resource -> JSONValue in
      [
        "logicalId": .string(resource.logicalResourceId ?? ""), "type": .string(resource.resourceType ?? ""),
        "status": .string(resource.resourceStatus ?? ""), "physicalId": .string(resource.physicalResourceId ?? ""),
        "reason": .string(resource.resourceStatusReason ?? ""),
      ]
    }
    let outputs = (stack.outputs ?? []).map { ($0.outputKey ?? "", JSONValue.string($0.outputValue ?? "")) }
    return .json([
      "exists": true, "status": .string(stack.stackStatus ?? ""), "reason": .string(stack.stackStatusReason ?? ""),
      "resources": .array(rows), "outputs": .object(Dictionary(outputs, uniquingKeysWith: { $1 })),
    ])
  }
}
