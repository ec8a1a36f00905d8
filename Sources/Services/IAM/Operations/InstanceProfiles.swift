// CreateInstanceProfile, GetInstanceProfile, ListInstanceProfiles, ListInstanceProfilesForRole, DeleteInstanceProfile,
// AddRoleToInstanceProfile, RemoveRoleFromInstanceProfile.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addInstanceProfileOperations(_ table: inout HandlerTable) {
    table.on(
      IAM.createInstanceProfile,
      access: creating(InstanceProfileRecord.self, tags: { $0.tags }) { ($0.instanceProfileName, path: $0.path) },
      createInstanceProfile)
    table.on(IAM.getInstanceProfile, access: on(InstanceProfileRecord.self) { $0.instanceProfileName }) { input, call in
      try await store.read { snapshot in
        let profile = try snapshot.require(InstanceProfileRecord.self, call.globalScope, input.instanceProfileName)
        let shape = try profile.shape(snapshot, call.globalScope, full: true)
        return .make { $0.instanceProfile = shape }
      }
    }
    table.on(IAM.listInstanceProfiles) { input, call in
      let scope = call.globalScope
      return try await store.read { snapshot in
        let all = try snapshot.list(InstanceProfileRecord.self, scope)
        let page = try Page(
          all.filter { $0.path.hasPrefix(input.pathPrefix ?? "/") }, marker: input.marker, maxItems: input.maxItems,
          key: \.recordID)
        let shapes = try page.items.map { try $0.shape(snapshot, scope) }
        return .make {
          $0.instanceProfiles = shapes
          $0.isTruncated = page.isTruncated
          $0.marker = page.marker
        }
      }
    }
    table.on(IAM.listInstanceProfilesForRole, access: on(RoleRecord.self) { $0.roleName }) { input, call in
      let scope = call.globalScope
      return try await store.read { snapshot in
        let role = try snapshot.require(RoleRecord.self, scope, input.roleName)
        let found = try snapshot.find(InstanceProfileRecord.self, scope, index: "role", role.recordID)
        let page = try Page(found, marker: input.marker, maxItems: input.maxItems, key: \.recordID)
        let shapes = try page.items.map { try $0.shape(snapshot, scope) }
        return .make {
          $0.instanceProfiles = shapes
          $0.isTruncated = page.isTruncated
          $0.marker = page.marker
        }
      }
    }
    table.on(IAM.deleteInstanceProfile, access: on(InstanceProfileRecord.self) { $0.instanceProfileName }) {
      input, call in
      try await store.write { tx in
        let profile = try tx.require(InstanceProfileRecord.self, call.globalScope, input.instanceProfileName)
        guard profile.role == nil else {
          throw AWSError.deleteConflict("Cannot delete entity, must remove roles from instance profile first.")
        }
        try tx.delete(InstanceProfileRecord.self, call.globalScope, profile.recordID)
      }
      return Empty()
    }
    addProfileRoleOperations(&table)
  }

  private func addProfileRoleOperations(_ table: inout HandlerTable) {
    table.on(IAM.addRoleToInstanceProfile, access: on(InstanceProfileRecord.self) { $0.instanceProfileName }) {
      input, call in
      try await store.write { tx in
        var profile = try tx.require(InstanceProfileRecord.self, call.globalScope, input.instanceProfileName)
        let role = try tx.requireChangeable(RoleRecord.self, call.globalScope, input.roleName)
        guard profile.role == nil else { throw AWSError.limitExceeded("InstanceSessionsPerInstanceProfile", 1) }
        profile.role = role.name
        try tx.put(profile, call.globalScope)
      }
      return Empty()
    }
    table.on(IAM.removeRoleFromInstanceProfile, access: on(InstanceProfileRecord.self) { $0.instanceProfileName }) {
      input, call in
      try await store.write { tx in
        var profile = try tx.require(InstanceProfileRecord.self, call.globalScope, input.instanceProfileName)
        guard profile.role?.lowercased() == input.roleName.lowercased() else {
          throw RoleRecord.missing(input.roleName)
        }
        profile.role = nil
        try tx.put(profile, call.globalScope)
      }
      return Empty()
    }
  }

  private func createInstanceProfile(
    _ input: IAM.CreateInstanceProfileRequest, _ call: CallContext
  ) async throws -> IAM.CreateInstanceProfileResponse {
    try Names.check(input.instanceProfileName, "instanceProfileName", max: 128)
    let path = try Names.path(input.path)
    let tags = try Names.tags(input.tags)
    let scope = call.globalScope
    let id = call.ids.unique("AIPA")
    return try await store.write { tx in
      let name = input.instanceProfileName
      guard try tx.get(InstanceProfileRecord.self, scope, InstanceProfileRecord.recordID(for: name)) == nil else {
        throw AWSError.entityAlreadyExists("Instance Profile \(name) already exists.")
      }
      guard try tx.count(InstanceProfileRecord.self, scope) < Limits.instanceProfiles else {
        throw AWSError.limitExceeded("InstanceProfilesPerAccount", Limits.instanceProfiles)
      }
      let profile = InstanceProfileRecord(name: name, path: path, id: id, created: call.now, tags: tags)
      try tx.put(profile, scope)
      let shape = try profile.shape(tx, scope, full: true)
      return .make { $0.instanceProfile = shape }
    }
  }
}
