// AWS::IAM::Group.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit

/// Ref: the group's name. GetAtt: Arn.
enum GroupResource {
  static let provider = ResourceProvider(
    "AWS::IAM::Group", properties: ["GroupName", "ManagedPolicyArns", "Path", "Policies"], replacedBy: ["GroupName"],
    create: { properties, context in
      let name = properties["GroupName"]?.text ?? context.generatedName(maxLength: 128)
      let group = try await context.call.invoke(
        IAM.createGroup, .make { ($0.groupName, $0.path) = (name, properties["Path"]?.text) }
      ).group
      let handle = ResourceHandle(name, attributes: ["Arn": .string(group?.arn ?? "")])
      do {
        try await apply(old: [:], new: properties, name, context.call)
      } catch {
        try await delete(handle, properties, context)
        throw error
      }
      return handle
    },
    update: { handle, old, new, context in
      let name = handle.physicalID
      if old["Path"] != new["Path"] {
        _ = try await context.call.invoke(
          IAM.updateGroup, .make { ($0.groupName, $0.newPath) = (name, new["Path"]?.text ?? "/") })
      }
      try await apply(old: old, new: new, name, context.call)
      let group = try await context.call.invoke(IAM.getGroup, .make { $0.groupName = name }).group
      return ResourceHandle(name, attributes: ["Arn": .string(group?.arn ?? "")])
    },
    delete: delete)

  private static func apply(old: JSONValue, new: JSONValue, _ name: String, _ call: CallContext) async throws {
    try await StackProperties.add("ManagedPolicyArns", old, new) { arn in
      _ = try await call.invoke(IAM.attachGroupPolicy, .make { ($0.groupName, $0.policyArn) = (name, arn) })
    }
    try await StackProperties.remove("ManagedPolicyArns", old, new) { arn in
      _ = try await call.invoke(IAM.detachGroupPolicy, .make { ($0.groupName, $0.policyArn) = (name, arn) })
    }
    try await StackProperties.applyPolicies(old, new) { policy in
      _ = try await call.invoke(IAM.deleteGroupPolicy, .make { ($0.groupName, $0.policyName) = (name, policy) })
    } put: { policy, text in
      _ = try await call.invoke(
        IAM.putGroupPolicy, .make { ($0.groupName, $0.policyName, $0.policyDocument) = (name, policy, text) })
    }
  }

  private static func delete(
    _ handle: ResourceHandle, _ properties: JSONValue, _ context: ResourceContext
  ) async throws {
    try await StackProperties.ignoringMissing {
      try await apply(old: properties, new: [:], handle.physicalID, context.call)
      _ = try await context.call.invoke(IAM.deleteGroup, .make { $0.groupName = handle.physicalID })
    }
  }
}
