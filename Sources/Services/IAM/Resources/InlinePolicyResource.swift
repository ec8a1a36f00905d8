// AWS::IAM::Policy: one inline policy, put on users, groups and roles.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit

/// Ref: an id of no further meaning, as CloudFormation has it.
enum InlinePolicyResource {
  static let provider = ResourceProvider(
    "AWS::IAM::Policy", properties: ["Groups", "PolicyDocument", "PolicyName", "Roles", "Users"],
    replacedBy: ["PolicyName"],
    create: { properties, context in
      try await apply(old: [:], new: properties, context.call)
      return ResourceHandle(context.generatedName(maxLength: 30))
    },
    update: { handle, old, new, context in
      try await apply(old: old, new: new, context.call)
      return handle
    },
    delete: { _, properties, context in try await apply(old: properties, new: [:], context.call) })

  private static func apply(old: JSONValue, new: JSONValue, _ call: CallContext) async throws {
    let name = (new["PolicyName"] ?? old["PolicyName"])?.text ?? ""
    let text = StackProperties.document(new["PolicyDocument"])
    if new["PolicyName"] != nil, ["Users", "Groups", "Roles"].allSatisfy({ StackProperties.texts(new[$0]).isEmpty }) {
      throw AWSError.validation("At least one of [Groups,Roles,Users] must be non-empty.")
    }
    for kind in ["Users", "Groups", "Roles"] {
      let wanted = StackProperties.texts(new[kind])
      for holder in wanted { try await put(kind, holder, name, text, call) }
      for holder in StackProperties.texts(old[kind]) where !wanted.contains(holder) {
        try await StackProperties.ignoringMissing { try await remove(kind, holder, name, call) }
      }
    }
  }

  private static func put(
    _ kind: String, _ holder: String, _ name: String, _ text: String, _ call: CallContext
  ) async throws {
    switch kind {
    case "Users":
      _ = try await call.invoke(
        IAM.putUserPolicy, .make { ($0.userName, $0.policyName, $0.policyDocument) = (holder, name, text) })
    case "Groups":
      _ = try await call.invoke(
        IAM.putGroupPolicy, .make { ($0.groupName, $0.policyName, $0.policyDocument) = (holder, name, text) })
    default:
      _ = try await call.invoke(
        IAM.putRolePolicy, .make { ($0.roleName, $0.policyName, $0.policyDocument) = (holder, name, text) })
    }
  }

  private static func remove(_ kind: String, _ holder: String, _ name: String, _ call: CallContext) async throws {
    switch kind {
    case "Users":
      _ = try await call.invoke(IAM.deleteUserPolicy, .make { ($0.userName, $0.policyName) = (holder, name) })
    case "Groups":
      _ = try await call.invoke(IAM.deleteGroupPolicy, .make { ($0.groupName, $0.policyName) = (holder, name) })
    default:
      _ = try await call.invoke(IAM.deleteRolePolicy, .make { ($0.roleName, $0.policyName) = (holder, name) })
    }
  }
}
