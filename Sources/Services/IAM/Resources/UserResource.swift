// AWS::IAM::User and AWS::IAM::AccessKey.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit

/// Ref: the user's name. GetAtt: Arn.
enum UserResource {
  static let provider = ResourceProvider(
    "AWS::IAM::User",
    properties: [
      "Groups", "LoginProfile", "ManagedPolicyArns", "Path", "PermissionsBoundary", "Policies", "Tags", "UserName",
    ],
    replacedBy: ["UserName"],
    create: create,
    update: { handle, old, new, context in
      let (name, call) = (handle.physicalID, context.call)
      if old["Path"] != new["Path"] {
        _ = try await call.invoke(
          IAM.updateUser, .make { ($0.userName, $0.newPath) = (name, new["Path"]?.text ?? "/") })
      }
      if old["PermissionsBoundary"] != new["PermissionsBoundary"] {
        if let boundary = new["PermissionsBoundary"]?.text {
          _ = try await call.invoke(
            IAM.putUserPermissionsBoundary, .make { ($0.userName, $0.permissionsBoundary) = (name, boundary) })
        } else {
          _ = try await call.invoke(IAM.deleteUserPermissionsBoundary, .make { $0.userName = name })
        }
      }
      try await updateTags(name, new, context)
      try await apply(old: old, new: new, name, call)
      let user = try await call.invoke(IAM.getUser, .make { $0.userName = name }).user
      return ResourceHandle(name, attributes: ["Arn": .string(user?.arn ?? "")])
    },
    delete: delete)

  private static func create(_ properties: JSONValue, _ context: ResourceContext) async throws -> ResourceHandle {
    let name = properties["UserName"]?.text ?? context.generatedName(maxLength: 64)
    let tags = Names.list(try StackProperties.tags(properties, context))
    let user = try await context.call.invoke(
      IAM.createUser,
      .make {
        $0.userName = name
        $0.path = properties["Path"]?.text
        $0.permissionsBoundary = properties["PermissionsBoundary"]?.text
        $0.tags = tags
      }
    ).user
    let handle = ResourceHandle(name, attributes: ["Arn": .string(user?.arn ?? "")])
    do {
      try await apply(old: [:], new: properties, name, context.call)
    } catch {
      try await delete(handle, properties, context)
      throw error
    }
    return handle
  }

  private static func updateTags(_ name: String, _ new: JSONValue, _ context: ResourceContext) async throws {
    let wanted = try StackProperties.tags(new, context)
    let present = try await context.call.invoke(IAM.listUserTags, .make { $0.userName = name }).tags ?? []
    try await ResourceContext.updateTags(to: wanted, present: present.map(\.key)) { obsolete in
      _ = try await context.call.invoke(IAM.untagUser, .make { ($0.userName, $0.tagKeys) = (name, obsolete) })
    } add: { tags in
      _ = try await context.call.invoke(IAM.tagUser, .make { ($0.userName, $0.tags) = (name, Names.list(tags)) })
    }
  }

  private static func apply(old: JSONValue, new: JSONValue, _ name: String, _ call: CallContext) async throws {
    try await applyLogin(old: old["LoginProfile"], new: new["LoginProfile"], name, call)
    try await StackProperties.add("Groups", old, new) { group in
      _ = try await call.invoke(IAM.addUserToGroup, .make { ($0.userName, $0.groupName) = (name, group) })
    }
    try await StackProperties.remove("Groups", old, new) { group in
      _ = try await call.invoke(IAM.removeUserFromGroup, .make { ($0.userName, $0.groupName) = (name, group) })
    }
    try await StackProperties.add("ManagedPolicyArns", old, new) { arn in
      _ = try await call.invoke(IAM.attachUserPolicy, .make { ($0.userName, $0.policyArn) = (name, arn) })
    }
    try await StackProperties.remove("ManagedPolicyArns", old, new) { arn in
      _ = try await call.invoke(IAM.detachUserPolicy, .make { ($0.userName, $0.policyArn) = (name, arn) })
    }
    try await StackProperties.applyPolicies(old, new) { policy in
      _ = try await call.invoke(IAM.deleteUserPolicy, .make { ($0.userName, $0.policyName) = (name, policy) })
    } put: { policy, text in
      _ = try await call.invoke(
        IAM.putUserPolicy, .make { ($0.userName, $0.policyName, $0.policyDocument) = (name, policy, text) })
    }
  }

  private static func applyLogin(old: JSONValue?, new: JSONValue?, _ name: String, _ call: CallContext) async throws {
    guard old != new else { return }
    if old != nil {
      try await StackProperties.ignoringMissing {
        _ = try await call.invoke(IAM.deleteLoginProfile, .make { $0.userName = name })
      }
    }
    guard let new else { return }
    _ = try await call.invoke(
      IAM.createLoginProfile,
      .make {
        $0.userName = name
        $0.password = new["Password"]?.text
        $0.passwordResetRequired = new["PasswordResetRequired"]?.boolean
      })
  }

  private static func delete(
    _ handle: ResourceHandle, _ properties: JSONValue, _ context: ResourceContext
  ) async throws {
    try await StackProperties.ignoringMissing {
      try await apply(old: properties, new: [:], handle.physicalID, context.call)
      _ = try await context.call.invoke(IAM.deleteUser, .make { $0.userName = handle.physicalID })
    }
  }
}

/// Ref: the key's id. GetAtt: SecretAccessKey.
enum AccessKeyResource {
  static let provider = ResourceProvider(
    "AWS::IAM::AccessKey", properties: ["Serial", "Status", "UserName"], replacedBy: ["Serial", "UserName"],
    create: { properties, context in
      let user = properties["UserName"]?.text ?? ""
      let key = try await context.call.invoke(IAM.createAccessKey, .make { $0.userName = user }).accessKey
      let handle = ResourceHandle(
        key?.accessKeyId ?? "", attributes: ["SecretAccessKey": .string(key?.secretAccessKey ?? "")])
      if properties["Status"]?.text == "Inactive" { try await setStatus(handle, properties, context.call) }
      return handle
    },
    update: { handle, _, new, context in
      try await setStatus(handle, new, context.call)
      return handle
    },
    delete: { handle, properties, context in
      try await StackProperties.ignoringMissing {
        _ = try await context.call.invoke(
          IAM.deleteAccessKey,
          .make { ($0.userName, $0.accessKeyId) = (properties["UserName"]?.text, handle.physicalID) })
      }
    })

  private static func setStatus(_ handle: ResourceHandle, _ properties: JSONValue, _ call: CallContext) async throws {
    _ = try await call.invoke(
      IAM.updateAccessKey,
      .make {
        $0.userName = properties["UserName"]?.text
        $0.accessKeyId = handle.physicalID
        $0.status = properties["Status"]?.text ?? "Active"
      })
  }
}
