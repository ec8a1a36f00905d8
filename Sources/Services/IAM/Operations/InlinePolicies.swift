// Put, Get, List and Delete of the inline policies of users, groups and roles: one way for all three.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addInlinePolicyOperations(_ table: inout HandlerTable) {
    table.on(IAM.putUserPolicy, access: on(UserRecord.self) { $0.userName }) { i, call in
      try await putInline(UserRecord.self, i.userName, i.policyName, i.policyDocument, call)
    }
    table.on(IAM.putGroupPolicy, access: on(GroupRecord.self) { $0.groupName }) { i, call in
      try await putInline(GroupRecord.self, i.groupName, i.policyName, i.policyDocument, call)
    }
    table.on(IAM.putRolePolicy, access: on(RoleRecord.self) { $0.roleName }) { i, call in
      try await putInline(RoleRecord.self, i.roleName, i.policyName, i.policyDocument, call)
    }
    table.on(IAM.deleteUserPolicy, access: on(UserRecord.self) { $0.userName }) { i, call in
      try await deleteInline(UserRecord.self, i.userName, i.policyName, call)
    }
    table.on(IAM.deleteGroupPolicy, access: on(GroupRecord.self) { $0.groupName }) { i, call in
      try await deleteInline(GroupRecord.self, i.groupName, i.policyName, call)
    }
    table.on(IAM.deleteRolePolicy, access: on(RoleRecord.self) { $0.roleName }) { i, call in
      try await deleteInline(RoleRecord.self, i.roleName, i.policyName, call)
    }
    table.on(IAM.getUserPolicy, access: on(UserRecord.self) { $0.userName }) { i, call in
      let (name, text) = try await inline(UserRecord.self, i.userName, i.policyName, call)
      return .make { ($0.userName, $0.policyName, $0.policyDocument) = (name, i.policyName, text) }
    }
    table.on(IAM.getGroupPolicy, access: on(GroupRecord.self) { $0.groupName }) { i, call in
      let (name, text) = try await inline(GroupRecord.self, i.groupName, i.policyName, call)
      return .make { ($0.groupName, $0.policyName, $0.policyDocument) = (name, i.policyName, text) }
    }
    table.on(IAM.getRolePolicy, access: on(RoleRecord.self) { $0.roleName }) { i, call in
      let (name, text) = try await inline(RoleRecord.self, i.roleName, i.policyName, call)
      return .make { ($0.roleName, $0.policyName, $0.policyDocument) = (name, i.policyName, text) }
    }
    table.on(IAM.listUserPolicies, access: on(UserRecord.self) { $0.userName }) { i, call in
      let page = try await inlineNames(UserRecord.self, i.userName, i.marker, i.maxItems, call)
      return .make { ($0.policyNames, $0.isTruncated, $0.marker) = (page.items, page.isTruncated, page.marker) }
    }
    table.on(IAM.listGroupPolicies, access: on(GroupRecord.self) { $0.groupName }) { i, call in
      let page = try await inlineNames(GroupRecord.self, i.groupName, i.marker, i.maxItems, call)
      return .make { ($0.policyNames, $0.isTruncated, $0.marker) = (page.items, page.isTruncated, page.marker) }
    }
    table.on(IAM.listRolePolicies, access: on(RoleRecord.self) { $0.roleName }) { i, call in
      let page = try await inlineNames(RoleRecord.self, i.roleName, i.marker, i.maxItems, call)
      return .make { ($0.policyNames, $0.isTruncated, $0.marker) = (page.items, page.isTruncated, page.marker) }
    }
  }

  private func putInline<H: PolicyHolder>(
    _ type: H.Type, _ holder: String, _ name: String, _ text: String, _ call: CallContext
  ) async throws -> Empty {
    try Names.check(name, "policyName", max: 128)
    try PolicyText.checkIdentity(text)
    let scope = call.globalScope
    try await store.write { tx in
      var record = try tx.requireChangeable(type, scope, holder)
      record.policies.inline[name] = text
      let size = record.policies.inline.values.reduce(0) { $0 + PolicyText.size($1) }
      guard size <= H.inlinePolicySize else {
        throw AWSError(
          "LimitExceeded",
          "Maximum policy size of \(H.inlinePolicySize) bytes exceeded for \(H.arnType) \(record.name)", status: 409)
      }
      try tx.put(record, scope)
    }
    return Empty()
  }

  private static func missing<H: PolicyHolder>(_ type: H.Type, _ name: String) -> AWSError {
    .noSuchEntity("The \(H.arnType) policy with name \(name) cannot be found.")
  }

  private func deleteInline<H: PolicyHolder>(
    _ type: H.Type, _ holder: String, _ name: String, _ call: CallContext
  ) async throws -> Empty {
    let scope = call.globalScope
    try await store.write { tx in
      var record = try tx.requireChangeable(type, scope, holder)
      guard record.policies.inline.removeValue(forKey: name) != nil else { throw Self.missing(type, name) }
      try tx.put(record, scope)
    }
    return Empty()
  }

  private func inline<H: PolicyHolder>(
    _ type: H.Type, _ holder: String, _ name: String, _ call: CallContext
  ) async throws -> (holder: String, text: String) {
    let record = try await store.read { try $0.require(type, call.globalScope, holder) }
    guard let text = record.policies.inline[name] else { throw Self.missing(type, name) }
    return (record.name, PolicyText.encoded(text))
  }

  private func inlineNames<H: PolicyHolder>(
    _ type: H.Type, _ holder: String, _ marker: String?, _ maxItems: Int?, _ call: CallContext
  ) async throws -> Page<String> {
    let record = try await store.read { try $0.require(type, call.globalScope, holder) }
    return try Page(Array(record.policies.inline.keys), marker: marker, maxItems: maxItems) { $0 }
  }
}
