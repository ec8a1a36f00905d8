// CreateRole, GetRole, ListRoles, UpdateRole, UpdateRoleDescription, UpdateAssumeRolePolicy, DeleteRole.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addRoleOperations(_ table: inout HandlerTable) {
    table.on(
      IAM.createRole,
      access: creating(RoleRecord.self, tags: { $0.tags }, boundary: { $0.permissionsBoundary }) {
        ($0.roleName, path: $0.path)
      }, createRole)
    table.on(IAM.getRole, access: on(RoleRecord.self) { $0.roleName }, getRole)
    table.on(IAM.listRoles, listRoles)
    table.on(IAM.updateRole, access: on(RoleRecord.self) { $0.roleName }, updateRole)
    table.on(IAM.updateRoleDescription, access: on(RoleRecord.self) { $0.roleName }) { input, call in
      let scope = call.globalScope
      let role = try await store.write { tx in
        // AWS lets the description of a service-linked role be changed.
        var role = try tx.require(RoleRecord.self, scope, input.roleName)
        role.description = input.description
        try tx.put(role, scope)
        return role
      }
      return .make { $0.role = role.shape(scope) }
    }
    table.on(IAM.updateAssumeRolePolicy, access: on(RoleRecord.self) { $0.roleName }) { input, call in
      try await store.write { tx in
        var role = try tx.requireChangeable(RoleRecord.self, call.globalScope, input.roleName)
        try PolicyText.checkTrust(input.policyDocument, tx, call.globalScope)
        role.trust = input.policyDocument
        try tx.put(role, call.globalScope)
      }
      return Empty()
    }
    table.on(IAM.deleteRole, access: on(RoleRecord.self) { $0.roleName }, deleteRole)
  }

  private static func check(sessionDuration: Int?) throws -> Int {
    let seconds = sessionDuration ?? 3600
    guard (3600...43200).contains(seconds) else {
      throw AWSError.validationError(
        "1 validation error detected: Value '\(seconds)' at 'maxSessionDuration' failed to satisfy constraint: Member must have value between 3600 and 43200"
      )
    }
    return seconds
  }

  private func createRole(_ input: IAM.CreateRoleRequest, _ call: CallContext) async throws -> IAM.CreateRoleResponse {
    try Names.check(input.roleName, "roleName", max: 64)
    let path = try Names.path(input.path)
    guard !path.hasPrefix("/aws-service-role/") else {
      throw AWSError.validationError("Invalid path, it must not start with /aws-service-role/: that is AWS's own.")
    }
    let tags = try Names.tags(input.tags)
    let duration = try Self.check(sessionDuration: input.maxSessionDuration)
    let scope = call.globalScope
    let id = call.ids.unique("AROA")
    let role = try await store.write { tx in
      guard try tx.get(RoleRecord.self, scope, RoleRecord.recordID(for: input.roleName)) == nil else {
        throw AWSError.entityAlreadyExists("Role with name \(input.roleName) already exists.")
      }
      guard try tx.count(RoleRecord.self, scope) < Limits.roles else {
        throw AWSError.limitExceeded("RolesPerAccount", Limits.roles)
      }
      try PolicyText.checkTrust(input.assumeRolePolicyDocument, tx, scope)
      if let boundary = input.permissionsBoundary { try tx.requirePolicy(boundary, scope) }
      let role = RoleRecord(
        name: input.roleName, path: path, id: id, created: call.now, trust: input.assumeRolePolicyDocument,
        description: input.description.flatMap { $0.isEmpty ? nil : $0 }, maxSessionDuration: duration,
        policies: HeldPolicies(boundary: input.permissionsBoundary), tags: tags)
      try tx.put(role, scope)
      return role
    }
    return .make { $0.role = role.shape(scope, full: true) }
  }

  private func getRole(_ input: IAM.GetRoleRequest, _ call: CallContext) async throws -> IAM.GetRoleResponse {
    let scope = call.globalScope
    guard let role = try await store.get(RoleRecord.self, scope, RoleRecord.recordID(for: input.roleName)) else {
      throw RoleRecord.missing(input.roleName)
    }
    let use = try await store.get(RoleUseRecord.self, scope, role.id)
    return .make { $0.role = role.shape(scope, full: true, use: use) }
  }

  private func listRoles(_ input: IAM.ListRolesRequest, _ call: CallContext) async throws -> IAM.ListRolesResponse {
    let scope = call.globalScope
    let all = try await store.read { try $0.list(RoleRecord.self, scope) }
    let page = try Page(
      all.filter { $0.path.hasPrefix(input.pathPrefix ?? "/") }, marker: input.marker, maxItems: input.maxItems,
      key: \.recordID)
    return .make {
      $0.roles = page.items.map { $0.shape(scope) }
      $0.isTruncated = page.isTruncated
      $0.marker = page.marker
    }
  }

  private func updateRole(_ input: IAM.UpdateRoleRequest, _ call: CallContext) async throws -> IAM.UpdateRoleResponse {
    let duration = try input.maxSessionDuration.map { try Self.check(sessionDuration: $0) }
    try await store.write { tx in
      var role = try tx.require(RoleRecord.self, call.globalScope, input.roleName)
      guard !role.isProtected || duration == nil else { throw AWSError.unmodifiable(role: role.name) }
      if let description = input.description { role.description = description.isEmpty ? nil : description }
      if let duration { role.maxSessionDuration = duration }
      try tx.put(role, call.globalScope)
    }
    return IAM.UpdateRoleResponse()
  }

  private func deleteRole(_ input: IAM.DeleteRoleRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.globalScope
    try await store.write { tx in
      let role = try tx.requireChangeable(RoleRecord.self, scope, input.roleName)
      guard try tx.find(InstanceProfileRecord.self, scope, index: "role", role.recordID).isEmpty else {
        throw AWSError.deleteConflict("Cannot delete entity, must remove roles from instance profile first.")
      }
      guard role.policies.attached.isEmpty else {
        throw AWSError.deleteConflict("Cannot delete entity, must detach all policies first.")
      }
      guard role.policies.inline.isEmpty else {
        throw AWSError.deleteConflict("Cannot delete entity, must delete policies first.")
      }
      try tx.delete(RoleRecord.self, scope, role.recordID)
      try tx.delete(RoleUseRecord.self, scope, role.id)
    }
    return Empty()
  }
}
