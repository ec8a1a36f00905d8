// CreateGroup, GetGroup, ListGroups, UpdateGroup, DeleteGroup, AddUserToGroup, RemoveUserFromGroup, ListGroupsForUser.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addGroupOperations(_ table: inout HandlerTable) {
    table.on(IAM.createGroup, access: creating(GroupRecord.self) { ($0.groupName, path: $0.path) }, createGroup)
    table.on(IAM.getGroup, access: on(GroupRecord.self) { $0.groupName }, getGroup)
    table.on(IAM.listGroups, listGroups)
    table.on(IAM.updateGroup, access: on(GroupRecord.self) { $0.groupName }, updateGroup)
    table.on(IAM.deleteGroup, access: on(GroupRecord.self) { $0.groupName }, deleteGroup)
    table.on(IAM.addUserToGroup, access: on(GroupRecord.self) { $0.groupName }) { input, call in
      try await store.write { tx in
        let group = try tx.require(GroupRecord.self, call.globalScope, input.groupName)
        var user = try tx.require(UserRecord.self, call.globalScope, input.userName)
        guard !user.groups.contains(group.recordID) else { return }
        guard user.groups.count < Limits.groupsPerUser else {
          throw AWSError.limitExceeded("GroupsPerUser", Limits.groupsPerUser)
        }
        user.groups.append(group.recordID)
        try tx.put(user, call.globalScope)
      }
      return Empty()
    }
    table.on(IAM.removeUserFromGroup, access: on(GroupRecord.self) { $0.groupName }) { input, call in
      try await store.write { tx in
        let group = try tx.require(GroupRecord.self, call.globalScope, input.groupName)
        var user = try tx.require(UserRecord.self, call.globalScope, input.userName)
        user.groups.removeAll { $0 == group.recordID }
        try tx.put(user, call.globalScope)
      }
      return Empty()
    }
    table.on(IAM.listGroupsForUser, access: on(UserRecord.self) { $0.userName }, listGroupsForUser)
  }

  private func createGroup(
    _ input: IAM.CreateGroupRequest, _ call: CallContext
  ) async throws -> IAM.CreateGroupResponse {
    try Names.check(input.groupName, "groupName", max: 128)
    let path = try Names.path(input.path)
    let scope = call.globalScope
    let id = call.ids.unique("AGPA")
    let group = try await store.write { tx in
      guard try tx.get(GroupRecord.self, scope, GroupRecord.recordID(for: input.groupName)) == nil else {
        throw AWSError.entityAlreadyExists("Group with name \(input.groupName) already exists.")
      }
      guard try tx.count(GroupRecord.self, scope) < Limits.groups else {
        throw AWSError.limitExceeded("GroupsPerAccount", Limits.groups)
      }
      let group = GroupRecord(name: input.groupName, path: path, id: id, created: call.now)
      try tx.put(group, scope)
      return group
    }
    return .make { $0.group = group.shape(scope) }
  }

  private func getGroup(_ input: IAM.GetGroupRequest, _ call: CallContext) async throws -> IAM.GetGroupResponse {
    let scope = call.globalScope
    let (group, users) = try await store.read { snapshot in
      let group = try snapshot.require(GroupRecord.self, scope, input.groupName)
      return (group, try snapshot.find(UserRecord.self, scope, index: UserRecord.groupIndex(group.name), "1"))
    }
    let page = try Page(users, marker: input.marker, maxItems: input.maxItems, key: \.recordID)
    return .make {
      $0.group = group.shape(scope)
      $0.users = page.items.map { $0.shape(scope) }
      $0.isTruncated = page.isTruncated
      $0.marker = page.marker
    }
  }

  private func listGroups(_ input: IAM.ListGroupsRequest, _ call: CallContext) async throws -> IAM.ListGroupsResponse {
    let scope = call.globalScope
    let all = try await store.read { try $0.list(GroupRecord.self, scope) }
    let page = try Page(
      all.filter { $0.path.hasPrefix(input.pathPrefix ?? "/") }, marker: input.marker, maxItems: input.maxItems,
      key: \.recordID)
    return .make {
      $0.groups = page.items.map { $0.shape(scope) }
      $0.isTruncated = page.isTruncated
      $0.marker = page.marker
    }
  }

  private func listGroupsForUser(
    _ input: IAM.ListGroupsForUserRequest, _ call: CallContext
  ) async throws -> IAM.ListGroupsForUserResponse {
    let scope = call.globalScope
    let groups = try await store.read { snapshot in
      let user = try snapshot.require(UserRecord.self, scope, input.userName)
      return try user.groups.compactMap { try snapshot.get(GroupRecord.self, scope, $0) }
    }
    let page = try Page(groups, marker: input.marker, maxItems: input.maxItems, key: \.recordID)
    return .make {
      $0.groups = page.items.map { $0.shape(scope) }
      $0.isTruncated = page.isTruncated
      $0.marker = page.marker
    }
  }

  private func updateGroup(_ input: IAM.UpdateGroupRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.globalScope
    if let name = input.newGroupName { try Names.check(name, "newGroupName", max: 128) }
    let path = try input.newPath.map { try Names.path($0) }
    try await store.write { tx in
      var group = try tx.require(GroupRecord.self, scope, input.groupName)
      let old = group.recordID
      if let path { group.path = path }
      if let name = input.newGroupName, name != group.name {
        let taken = try tx.get(GroupRecord.self, scope, GroupRecord.recordID(for: name))
        guard taken == nil || taken?.id == group.id else {
          throw AWSError.entityAlreadyExists("Group with name \(name) already exists.")
        }
        try tx.delete(GroupRecord.self, scope, old)
        group.name = name
        for var user in try tx.find(UserRecord.self, scope, index: UserRecord.groupIndex(old), "1") {
          user.groups = user.groups.map { $0 == old ? group.recordID : $0 }
          try tx.put(user, scope)
        }
      }
      try tx.put(group, scope)
    }
    return Empty()
  }

  private func deleteGroup(_ input: IAM.DeleteGroupRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.globalScope
    try await store.write { tx in
      let group = try tx.require(GroupRecord.self, scope, input.groupName)
      guard try tx.find(UserRecord.self, scope, index: UserRecord.groupIndex(group.name), "1").isEmpty else {
        throw AWSError.deleteConflict("Cannot delete entity, must remove users from group first.")
      }
      guard group.policies.attached.isEmpty else {
        throw AWSError.deleteConflict("Cannot delete entity, must detach all policies first.")
      }
      guard group.policies.inline.isEmpty else {
        throw AWSError.deleteConflict("Cannot delete entity, must delete policies first.")
      }
      try tx.delete(GroupRecord.self, scope, group.recordID)
    }
    return Empty()
  }
}
