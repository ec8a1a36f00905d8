// AWS::IAM::InstanceProfile and AWS::IAM::ServiceLinkedRole.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit

/// Ref: the profile's name. GetAtt: Arn.
enum InstanceProfileResource {
  static let provider = ResourceProvider(
    "AWS::IAM::InstanceProfile", properties: ["InstanceProfileName", "Path", "Roles"],
    replacedBy: ["InstanceProfileName", "Path"],
    create: { properties, context in
      let name = properties["InstanceProfileName"]?.text ?? context.generatedName(maxLength: 128)
      let profile = try await context.call.invoke(
        IAM.createInstanceProfile, .make { ($0.instanceProfileName, $0.path) = (name, properties["Path"]?.text) }
      ).instanceProfile
      let handle = ResourceHandle(name, attributes: ["Arn": .string(profile?.arn ?? "")])
      do {
        try await apply(old: [:], new: properties, name, context.call)
      } catch {
        try await delete(handle, properties, context)
        throw error
      }
      return handle
    },
    update: { handle, old, new, context in
      try await apply(old: old, new: new, handle.physicalID, context.call)
      return handle
    },
    delete: delete)

  private static func apply(old: JSONValue, new: JSONValue, _ name: String, _ call: CallContext) async throws {
    try await StackProperties.remove("Roles", old, new) { role in
      _ = try await call.invoke(
        IAM.removeRoleFromInstanceProfile, .make { ($0.instanceProfileName, $0.roleName) = (name, role) })
    }
    try await StackProperties.add("Roles", old, new) { role in
      _ = try await call.invoke(
        IAM.addRoleToInstanceProfile, .make { ($0.instanceProfileName, $0.roleName) = (name, role) })
    }
  }

  private static func delete(
    _ handle: ResourceHandle, _ properties: JSONValue, _ context: ResourceContext
  ) async throws {
    try await StackProperties.ignoringMissing {
      try await apply(old: properties, new: [:], handle.physicalID, context.call)
      _ = try await context.call.invoke(
        IAM.deleteInstanceProfile, .make { $0.instanceProfileName = handle.physicalID })
    }
  }
}

/// Ref and GetAtt RoleName: the role's name.
enum ServiceLinkedRoleResource {
  static let provider = ResourceProvider(
    "AWS::IAM::ServiceLinkedRole", properties: ["AWSServiceName", "CustomSuffix", "Description"],
    replacedBy: ["AWSServiceName", "CustomSuffix"],
    create: { properties, context in
      let role = try await context.call.invoke(
        IAM.createServiceLinkedRole,
        .make {
          $0.awsServiceName = properties["AWSServiceName"]?.text ?? ""
          $0.customSuffix = properties["CustomSuffix"]?.text
          $0.description = properties["Description"]?.text
        }
      ).role
      let name = role?.roleName ?? ""
      return ResourceHandle(name, attributes: ["RoleName": .string(name)])
    },
    update: { handle, _, new, context in
      _ = try await context.call.invoke(
        IAM.updateRole, .make { ($0.roleName, $0.description) = (handle.physicalID, new["Description"]?.text ?? "") })
      return handle
    },
    delete: { handle, _, context in
      try await StackProperties.ignoringMissing {
        _ = try await context.call.invoke(IAM.deleteServiceLinkedRole, .make { $0.roleName = handle.physicalID })
      }
    })
}
