// AWS::IAM::Role.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit

/// Ref: the role's name. GetAtt: Arn, RoleId.
enum RoleResource {
  static let provider = ResourceProvider(
    "AWS::IAM::Role",
    properties: [
      "AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "MaxSessionDuration", "Path",
      "PermissionsBoundary", "Policies", "RoleName", "Tags",
    ],
    replacedBy: ["RoleName", "Path"],
    create: create, update: update, delete: delete)

  private static func create(_ properties: JSONValue, _ context: ResourceContext) async throws -> ResourceHandle {
    let call = context.call
    let name = properties["RoleName"]?.text ?? context.generatedName(maxLength: 64)
    let tags = Names.list(try StackProperties.tags(properties, context))
    let role = try await call.invoke(
      IAM.createRole,
      .make {
        $0.roleName = name
        $0.assumeRolePolicyDocument = StackProperties.document(properties["AssumeRolePolicyDocument"])
        $0.description = properties["Description"]?.text
        $0.maxSessionDuration = properties["MaxSessionDuration"]?.integer
        $0.path = properties["Path"]?.text
        $0.permissionsBoundary = properties["PermissionsBoundary"]?.text
        $0.tags = tags
      }
    ).role
    let handle = ResourceHandle(
      name, attributes: ["Arn": .string(role?.arn ?? ""), "RoleId": .string(role?.roleId ?? "")])
    do {
      try await HeldByRole.apply(old: [:], new: properties, name, call)
    } catch {
      // What failed halfway leaves nothing behind that would be in the way of the next attempt.
      try await delete(handle, properties, context)
      throw error
    }
    return handle
  }

  private static func update(
    _ handle: ResourceHandle, _ old: JSONValue, _ new: JSONValue, _ context: ResourceContext
  ) async throws -> ResourceHandle {
    let call = context.call
    let name = handle.physicalID
    if old["AssumeRolePolicyDocument"] != new["AssumeRolePolicyDocument"] {
      _ = try await call.invoke(
        IAM.updateAssumeRolePolicy,
        .make {
          $0.roleName = name
          $0.policyDocument = StackProperties.document(new["AssumeRolePolicyDocument"])
        })
    }
    if old["Description"] != new["Description"] || old["MaxSessionDuration"] != new["MaxSessionDuration"] {
      _ = try await call.invoke(
        IAM.updateRole,
        .make {
          $0.roleName = name
          $0.description = new["Description"]?.text ?? ""
          $0.maxSessionDuration = new["MaxSessionDuration"]?.integer ?? 3600
        })
    }
    if old["PermissionsBoundary"] != new["PermissionsBoundary"] {
      if let boundary = new["PermissionsBoundary"]?.text {
        _ = try await call.invoke(
          IAM.putRolePermissionsBoundary,
          .make {
            $0.roleName = name
            $0.permissionsBoundary = boundary
          })
      } else {
        _ = try await call.invoke(IAM.deleteRolePermissionsBoundary, .make { $0.roleName = name })
      }
    }
    try await updateTags(name, new, context)
    try await HeldByRole.apply(old: old, new: new, name, call)
    return handle
  }

  private static func updateTags(_ name: String, _ new: JSONValue, _ context: ResourceContext) async throws {
    let wanted = try StackProperties.tags(new, context)
    let present = try await context.call.invoke(IAM.listRoleTags, .make { $0.roleName = name }).tags ?? []
    try await ResourceContext.updateTags(to: wanted, present: present.map(\.key)) { obsolete in
      _ = try await context.call.invoke(IAM.untagRole, .make { ($0.roleName, $0.tagKeys) = (name, obsolete) })
    } add: { tags in
      _ = try await context.call.invoke(IAM.tagRole, .make { ($0.roleName, $0.tags) = (name, Names.list(tags)) })
    }
  }

  private static func delete(
    _ handle: ResourceHandle, _ properties: JSONValue, _ context: ResourceContext
  ) async throws {
    try await StackProperties.ignoringMissing {
      // The role's own policies only: one that somebody else attached stops the deletion, as on AWS.
      try await HeldByRole.apply(old: properties, new: [:], handle.physicalID, context.call)
      _ = try await context.call.invoke(IAM.deleteRole, .make { $0.roleName = handle.physicalID })
    }
  }
}

/// A role's inline and managed policies as properties.
private enum HeldByRole {
  static func apply(old: JSONValue, new: JSONValue, _ name: String, _ call: CallContext) async throws {
    try await StackProperties.remove("ManagedPolicyArns", old, new) { arn in
      _ = try await call.invoke(IAM.detachRolePolicy, .make { ($0.roleName, $0.policyArn) = (name, arn) })
    }
    try await StackProperties.add("ManagedPolicyArns", old, new) { arn in
      _ = try await call.invoke(IAM.attachRolePolicy, .make { ($0.roleName, $0.policyArn) = (name, arn) })
    }
    try await StackProperties.applyPolicies(old, new) { policy in
      _ = try await call.invoke(IAM.deleteRolePolicy, .make { ($0.roleName, $0.policyName) = (name, policy) })
    } put: { policy, text in
      _ = try await call.invoke(
        IAM.putRolePolicy, .make { ($0.roleName, $0.policyName, $0.policyDocument) = (name, policy, text) })
    }
  }
}
