// Attach, Detach and ListAttached of managed policies, for users, groups and roles: one way for all three.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addAttachmentOperations(_ table: inout HandlerTable) {
    table.on(
      IAM.attachUserPolicy,
      access: on(UserRecord.self, context: { ["iam:PolicyARN": [$0.policyArn]] }) { $0.userName }
    ) { i, call in try await attach(UserRecord.self, i.userName, i.policyArn, call) }
    table.on(
      IAM.attachGroupPolicy,
      access: on(GroupRecord.self, context: { ["iam:PolicyARN": [$0.policyArn]] }) { $0.groupName }
    ) { i, call in try await attach(GroupRecord.self, i.groupName, i.policyArn, call) }
    table.on(
      IAM.attachRolePolicy,
      access: on(RoleRecord.self, context: { ["iam:PolicyARN": [$0.policyArn]] }) { $0.roleName }
    ) { i, call in try await attach(RoleRecord.self, i.roleName, i.policyArn, call) }
    table.on(
      IAM.detachUserPolicy,
      access: on(UserRecord.self, context: { ["iam:PolicyARN": [$0.policyArn]] }) { $0.userName }
    ) { i, call in try await detach(UserRecord.self, i.userName, i.policyArn, call) }
    table.on(
      IAM.detachGroupPolicy,
      access: on(GroupRecord.self, context: { ["iam:PolicyARN": [$0.policyArn]] }) { $0.groupName }
    ) { i, call in try await detach(GroupRecord.self, i.groupName, i.policyArn, call) }
    table.on(
      IAM.detachRolePolicy,
      access: on(RoleRecord.self, context: { ["iam:PolicyARN": [$0.policyArn]] }) { $0.roleName }
    ) { i, call in try await detach(RoleRecord.self, i.roleName, i.policyArn, call) }
    table.on(IAM.listAttachedUserPolicies, access: on(UserRecord.self) { $0.userName }) { i, call in
      let page = try await attached(UserRecord.self, i.userName, i.pathPrefix, i.marker, i.maxItems, call)
      return .make { ($0.attachedPolicies, $0.isTruncated, $0.marker) = (page.items, page.isTruncated, page.marker) }
    }
    table.on(IAM.listAttachedGroupPolicies, access: on(GroupRecord.self) { $0.groupName }) { i, call in
      let page = try await attached(GroupRecord.self, i.groupName, i.pathPrefix, i.marker, i.maxItems, call)
      return .make { ($0.attachedPolicies, $0.isTruncated, $0.marker) = (page.items, page.isTruncated, page.marker) }
    }
    table.on(IAM.listAttachedRolePolicies, access: on(RoleRecord.self) { $0.roleName }) { i, call in
      let page = try await attached(RoleRecord.self, i.roleName, i.pathPrefix, i.marker, i.maxItems, call)
      return .make { ($0.attachedPolicies, $0.isTruncated, $0.marker) = (page.items, page.isTruncated, page.marker) }
    }
  }

  private func attach<H: PolicyHolder>(
    _ type: H.Type, _ holder: String, _ arn: String, _ call: CallContext
  ) async throws -> Empty {
    let scope = call.globalScope
    guard !arn.contains(":policy/aws-service-role/") else {
      throw AWSError("PolicyNotAttachable", "Cannot attach a Service Role Policy to a Customer Role.")
    }
    try await store.write { tx in
      var record = try tx.requireChangeable(type, scope, holder)
      try tx.requirePolicy(arn, scope)
      guard !record.policies.attached.contains(arn) else { return }
      guard record.policies.attached.count < Limits.attachedPolicies else {
        throw AWSError.limitExceeded(
          "PoliciesPer\(H.arnType.prefix(1).uppercased())\(H.arnType.dropFirst())", Limits.attachedPolicies)
      }
      record.policies.attached.append(arn)
      try tx.put(record, scope)
    }
    return Empty()
  }

  private func detach<H: PolicyHolder>(
    _ type: H.Type, _ holder: String, _ arn: String, _ call: CallContext
  ) async throws -> Empty {
    let scope = call.globalScope
    try await store.write { tx in
      var record = try tx.requireChangeable(type, scope, holder)
      guard record.policies.attached.contains(arn) else { throw AWSError.policyNotFound(arn) }
      record.policies.attached.removeAll { $0 == arn }
      try tx.put(record, scope)
    }
    return Empty()
  }

  private func attached<H: PolicyHolder>(
    _ type: H.Type, _ holder: String, _ pathPrefix: String?, _ marker: String?, _ maxItems: Int?, _ call: CallContext
  ) async throws -> Page<IAM.AttachedPolicy> {
    let record = try await store.read { try $0.require(type, call.globalScope, holder) }
    let shapes: [IAM.AttachedPolicy] = record.policies.attached.compactMap { arn in
      let resource = arn.firstRange(of: ":policy/").map { arn[$0.upperBound...] } ?? arn[...]
      let parts = resource.split(separator: "/")
      let path = "/" + parts.dropLast().map { "\($0)/" }.joined()
      guard path.hasPrefix(pathPrefix ?? "/") else { return nil }
      return .make { ($0.policyArn, $0.policyName) = (arn, parts.last.map(String.init) ?? arn) }
    }
    return try Page(shapes, marker: marker, maxItems: maxItems) { $0.policyArn ?? "" }
  }
}
