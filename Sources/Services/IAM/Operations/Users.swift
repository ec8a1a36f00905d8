// CreateUser, GetUser, ListUsers, UpdateUser, DeleteUser, and listings of what Castle has none of.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addUserOperations(_ table: inout HandlerTable) {
    table.on(
      IAM.createUser,
      access: creating(UserRecord.self, tags: { $0.tags }, boundary: { $0.permissionsBoundary }) {
        ($0.userName, path: $0.path)
      }, createUser)
    table.on(IAM.getUser, access: onUser { $0.userName }, getUser)
    table.on(IAM.listUsers, listUsers)
    table.on(IAM.updateUser, access: on(UserRecord.self) { $0.userName }, updateUser)
    table.on(IAM.deleteUser, access: on(UserRecord.self) { $0.userName }, deleteUser)
    table.on(IAM.listMFADevices, access: onUser { $0.userName }) { input, call in
      try await checkUser(input.userName, call)
      return .make {
        $0.mfaDevices = []
        $0.isTruncated = false
      }
    }
    table.on(IAM.listSSHPublicKeys, access: onUser { $0.userName }) { input, call in
      try await checkUser(input.userName, call)
      return .make {
        $0.sshPublicKeys = []
        $0.isTruncated = false
      }
    }
    table.on(IAM.listSigningCertificates, access: onUser { $0.userName }) { input, call in
      try await checkUser(input.userName, call)
      return .make {
        $0.certificates = []
        $0.isTruncated = false
      }
    }
    table.on(IAM.listServiceSpecificCredentials, access: onUser { $0.userName }) { input, call in
      if input.allUsers != true { try await checkUser(input.userName, call) }
      return .make {
        $0.serviceSpecificCredentials = []
        $0.isTruncated = false
      }
    }
    table.on(IAM.listVirtualMFADevices) { _, _ in
      .make {
        $0.virtualMFADevices = []
        $0.isTruncated = false
      }
    }
  }

  /// The user that is named must exist; nobody is named by the root.
  private func checkUser(_ name: String?, _ call: CallContext) async throws {
    guard let name else { return }
    _ = try await store.read { try $0.require(UserRecord.self, call.globalScope, name) }
  }

  private func createUser(_ input: IAM.CreateUserRequest, _ call: CallContext) async throws -> IAM.CreateUserResponse {
    try Names.check(input.userName, "userName", max: 64)
    let path = try Names.path(input.path)
    let tags = try Names.tags(input.tags)
    let scope = call.globalScope
    let id = call.ids.unique("AIDA")
    let user = try await store.write { tx in
      guard try tx.get(UserRecord.self, scope, UserRecord.recordID(for: input.userName)) == nil else {
        throw AWSError.entityAlreadyExists("User with name \(input.userName) already exists.")
      }
      guard try tx.count(UserRecord.self, scope) < Limits.users else {
        throw AWSError.limitExceeded("UsersPerAccount", Limits.users)
      }
      if let boundary = input.permissionsBoundary { try tx.requirePolicy(boundary, scope) }
      let user = UserRecord(
        name: input.userName, path: path, id: id, created: call.now,
        policies: HeldPolicies(boundary: input.permissionsBoundary), tags: tags)
      try tx.put(user, scope)
      return user
    }
    return .make { $0.user = user.shape(scope, full: true) }
  }

  private func getUser(_ input: IAM.GetUserRequest, _ call: CallContext) async throws -> IAM.GetUserResponse {
    let scope = call.globalScope
    if input.userName == nil, call.principal.kind == .root {
      let account = try await store.get(AccountRecord.self, scope, AccountRecord.id)
      return .make {
        $0.user = .make {
          $0.arn = call.principal.arn
          $0.userId = call.principal.account
          $0.createDate = account?.created ?? call.now
          $0.userName = account?.alias
        }
      }
    }
    let name = try Self.userName(input.userName, call)
    return try await store.read { snapshot in
      let user = try snapshot.require(UserRecord.self, scope, name)
      return .make { $0.user = user.shape(scope, full: true) }
    }
  }

  private func listUsers(_ input: IAM.ListUsersRequest, _ call: CallContext) async throws -> IAM.ListUsersResponse {
    let scope = call.globalScope
    let all = try await store.read { try $0.list(UserRecord.self, scope) }
    let page = try Page(
      all.filter { $0.path.hasPrefix(input.pathPrefix ?? "/") }, marker: input.marker, maxItems: input.maxItems,
      key: \.recordID)
    return .make {
      $0.users = page.items.map { $0.shape(scope) }
      $0.isTruncated = page.isTruncated
      $0.marker = page.marker
    }
  }

  private func updateUser(_ input: IAM.UpdateUserRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.globalScope
    if let name = input.newUserName { try Names.check(name, "newUserName", max: 64) }
    let path = try input.newPath.map { try Names.path($0) }
    try await store.write { tx in
      var user = try tx.require(UserRecord.self, scope, input.userName)
      let old = user.name
      if let path { user.path = path }
      if let name = input.newUserName, name != old {
        let taken = try tx.get(UserRecord.self, scope, UserRecord.recordID(for: name))
        guard taken == nil || taken?.id == user.id else {
          throw AWSError.entityAlreadyExists("User with name \(name) already exists.")
        }
        try tx.delete(UserRecord.self, scope, user.recordID)
        user.name = name
        let owner = AccessKeyRecord.owner(scope.account, old)
        for var key in try tx.find(AccessKeyRecord.self, credentialScope, index: "owner", owner) {
          key.user = name
          try tx.put(key, credentialScope)
        }
      }
      try tx.put(user, scope)
    }
    return Empty()
  }

  private func deleteUser(_ input: IAM.DeleteUserRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.globalScope
    try await store.write { tx in
      let user = try tx.require(UserRecord.self, scope, input.userName)
      let keys = try tx.find(
        AccessKeyRecord.self, credentialScope, index: "owner", AccessKeyRecord.owner(scope.account, user.name))
      guard keys.isEmpty else { throw AWSError.deleteConflict("Cannot delete entity, must delete access keys first.") }
      guard user.policies.attached.isEmpty else {
        throw AWSError.deleteConflict("Cannot delete entity, must detach all policies first.")
      }
      guard user.policies.inline.isEmpty else {
        throw AWSError.deleteConflict("Cannot delete entity, must delete policies first.")
      }
      guard user.groups.isEmpty else {
        throw AWSError.deleteConflict("Cannot delete entity, must remove users from group first.")
      }
      guard user.login == nil else {
        throw AWSError.deleteConflict("Cannot delete entity, must delete login profile first.")
      }
      try tx.delete(UserRecord.self, scope, user.recordID)
    }
    return Empty()
  }
}
