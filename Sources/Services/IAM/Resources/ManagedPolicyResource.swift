// AWS::IAM::ManagedPolicy: a customer managed policy, attached to users, groups and roles.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit

/// Ref: the policy's ARN. GetAtt: PolicyArn, PolicyId, DefaultVersionId, AttachmentCount, IsAttachable.
enum ManagedPolicyResource {
  static let provider = ResourceProvider(
    "AWS::IAM::ManagedPolicy",
    properties: ["Description", "Groups", "ManagedPolicyName", "Path", "PolicyDocument", "Roles", "Users"],
    replacedBy: ["Description", "ManagedPolicyName", "Path"],
    create: create,
    update: { handle, old, new, context in
      if old["PolicyDocument"] != new["PolicyDocument"] {
        try await renew(handle.physicalID, StackProperties.document(new["PolicyDocument"]), context.call)
      }
      try await attach(old: old, new: new, handle.physicalID, context.call)
      return handle
    },
    delete: delete)

  private static func create(_ properties: JSONValue, _ context: ResourceContext) async throws -> ResourceHandle {
    let name = properties["ManagedPolicyName"]?.text ?? context.generatedName(maxLength: 128)
    let policy = try await context.call.invoke(
      IAM.createPolicy,
      .make {
        $0.policyName = name
        $0.path = properties["Path"]?.text
        $0.description = properties["Description"]?.text
        $0.policyDocument = StackProperties.document(properties["PolicyDocument"])
      }
    ).policy
    let arn = policy?.arn ?? ""
    let handle = ResourceHandle(
      arn,
      attributes: [
        "PolicyArn": .string(arn), "PolicyId": .string(policy?.policyId ?? ""), "DefaultVersionId": "v1",
        "AttachmentCount": 0, "IsAttachable": true,
      ])
    do {
      try await attach(old: [:], new: properties, arn, context.call)
    } catch {
      try await delete(handle, properties, context)
      throw error
    }
    return handle
  }

  /// A new default version; the oldest one makes room when there are five.
  private static func renew(_ arn: String, _ text: String, _ call: CallContext) async throws {
    let versions = try await call.invoke(IAM.listPolicyVersions, .make { $0.policyArn = arn }).versions ?? []
    if versions.count >= Limits.policyVersions, let oldest = versions.last(where: { $0.isDefaultVersion != true }) {
      _ = try await call.invoke(
        IAM.deletePolicyVersion, .make { ($0.policyArn, $0.versionId) = (arn, oldest.versionId ?? "") })
    }
    _ = try await call.invoke(
      IAM.createPolicyVersion, .make { ($0.policyArn, $0.policyDocument, $0.setAsDefault) = (arn, text, true) })
  }

  private static func attach(old: JSONValue, new: JSONValue, _ arn: String, _ call: CallContext) async throws {
    for kind in ["Users", "Groups", "Roles"] {
      let (held, wanted) = (StackProperties.texts(old[kind]), StackProperties.texts(new[kind]))
      for holder in wanted where !held.contains(holder) {
        switch kind {
        case "Users":
          _ = try await call.invoke(IAM.attachUserPolicy, .make { ($0.userName, $0.policyArn) = (holder, arn) })
        case "Groups":
          _ = try await call.invoke(IAM.attachGroupPolicy, .make { ($0.groupName, $0.policyArn) = (holder, arn) })
        default:
          _ = try await call.invoke(IAM.attachRolePolicy, .make { ($0.roleName, $0.policyArn) = (holder, arn) })
        }
      }
      for holder in held where !wanted.contains(holder) {
        try await StackProperties.ignoringMissing { try await detach(kind, holder, arn, call) }
      }
    }
  }

  private static func detach(_ kind: String, _ holder: String, _ arn: String, _ call: CallContext) async throws {
    switch kind {
    case "Users":
      _ = try await call.invoke(IAM.detachUserPolicy, .make { ($0.userName, $0.policyArn) = (holder, arn) })
    case "Groups":
      _ = try await call.invoke(IAM.detachGroupPolicy, .make { ($0.groupName, $0.policyArn) = (holder, arn) })
    default:
      _ = try await call.invoke(IAM.detachRolePolicy, .make { ($0.roleName, $0.policyArn) = (holder, arn) })
    }
  }

  private static func delete(
    _ handle: ResourceHandle, _ properties: JSONValue, _ context: ResourceContext
  ) async throws {
    let (arn, call) = (handle.physicalID, context.call)
    try await attach(old: properties, new: [:], arn, call)
    try await StackProperties.ignoringMissing {
      let versions = try await call.invoke(IAM.listPolicyVersions, .make { $0.policyArn = arn }).versions ?? []
      for version in versions where version.isDefaultVersion != true {
        _ = try await call.invoke(
          IAM.deletePolicyVersion, .make { ($0.policyArn, $0.versionId) = (arn, version.versionId ?? "") })
      }
      _ = try await call.invoke(IAM.deletePolicy, .make { $0.policyArn = arn })
    }
  }
}
