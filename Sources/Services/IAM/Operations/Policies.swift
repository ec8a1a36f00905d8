// CreatePolicy, GetPolicy, ListPolicies, DeletePolicy, ListEntitiesForPolicy.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

/// A managed policy, the account's or AWS's.
struct ManagedPolicyView: Sendable {
  var arn: String
  var shape: IAM.Policy
}

extension Snapshot {
  /// - Throws: NoSuchEntity when no managed policy has that ARN.
  func requirePolicy(_ arn: String, _ scope: Scope) throws {
    guard AWSManagedPolicies.all[arn] == nil else { return }
    guard let record = try get(PolicyRecord.self, scope, PolicyRecord.recordID(for: arn)),
      record.isMeant(by: arn, scope)
    else { throw AWSError.policyNotAttachable(arn) }
  }

  /// How many users, groups and roles have the policy attached.
  func attachmentCount(_ arn: String, _ scope: Scope) throws -> Int {
    let index = HeldPolicies.attachedIndex(arn)
    return try find(UserRecord.self, scope, index: index, "1").count
      + find(GroupRecord.self, scope, index: index, "1").count
      + find(RoleRecord.self, scope, index: index, "1").count
  }

  func boundaryCount(_ arn: String, _ scope: Scope) throws -> Int {
    let index = HeldPolicies.boundaryIndex(arn)
    return try find(UserRecord.self, scope, index: index, "1").count
      + find(RoleRecord.self, scope, index: index, "1").count
  }
}

extension IAMService {
  func addPolicyOperations(_ table: inout HandlerTable) {
    table.on(
      IAM.createPolicy,
      access: creating(PolicyRecord.self, tags: { $0.tags }) { ($0.policyName, path: $0.path) }, createPolicy)
    table.on(IAM.getPolicy, access: on(PolicyRecord.self) { $0.policyArn }, getPolicy)
    table.on(IAM.listPolicies, listPolicies)
    table.on(IAM.deletePolicy, access: on(PolicyRecord.self) { $0.policyArn }, deletePolicy)
    table.on(IAM.listEntitiesForPolicy, access: on(PolicyRecord.self) { $0.policyArn }, listEntitiesForPolicy)
  }

  /// - Throws: LimitExceeded, MalformedPolicyDocument.
  static func check(managedPolicy text: String) throws {
    try PolicyText.checkIdentity(text)
    guard PolicyText.size(text) <= Limits.policySize else {
      throw AWSError.limitExceeded("PolicySize", Limits.policySize)
    }
  }

  private func createPolicy(
    _ input: IAM.CreatePolicyRequest, _ call: CallContext
  ) async throws -> IAM.CreatePolicyResponse {
    try Names.check(input.policyName, "policyName", max: 128)
    let path = try Names.path(input.path)
    let tags = try Names.tags(input.tags)
    try Self.check(managedPolicy: input.policyDocument)
    let scope = call.globalScope
    let id = call.ids.unique("ANPA")
    return try await store.write { tx in
      let name = input.policyName
      guard try tx.get(PolicyRecord.self, scope, name.lowercased()) == nil else {
        throw AWSError.entityAlreadyExists(
          "A policy called \(name) already exists. Duplicate names are not allowed.")
      }
      guard try tx.count(PolicyRecord.self, scope) < Limits.policies else {
        throw AWSError.limitExceeded("PoliciesPerAccount", Limits.policies)
      }
      let policy = PolicyRecord(
        name: name, path: path, id: id, created: call.now, updated: call.now,
        description: input.description.flatMap { $0.isEmpty ? nil : $0 },
        versions: [.init(id: "v1", document: input.policyDocument, created: call.now)], defaultVersion: "v1",
        nextVersion: 2, tags: tags)
      try tx.put(policy, scope)
      let shape = try Self.shape(policy, tx, scope, full: true)
      return .make { $0.policy = shape }
    }
  }

  private func getPolicy(_ input: IAM.GetPolicyRequest, _ call: CallContext) async throws -> IAM.GetPolicyResponse {
    let scope = call.globalScope
    return try await store.read { snapshot in
      let shape =
        if let known = AWSManagedPolicies.all[input.policyArn] {
          try Self.shape(known, snapshot, scope, full: true)
        } else {
          try Self.shape(try snapshot.require(PolicyRecord.self, scope, input.policyArn), snapshot, scope, full: true)
        }
      return .make { $0.policy = shape }
    }
  }

  /// - Parameter full: with what only `GetPolicy` and `CreatePolicy` tell.
  private static func shape(
    _ policy: PolicyRecord, _ snapshot: Snapshot, _ scope: Scope, full: Bool
  ) throws -> IAM.Policy {
    let arn = policy.arn(scope)
    let attached = try snapshot.attachmentCount(arn, scope)
    let bounding = try snapshot.boundaryCount(arn, scope)
    return .make {
      $0.arn = arn
      $0.attachmentCount = attached
      $0.permissionsBoundaryUsageCount = bounding
      $0.createDate = policy.created
      $0.updateDate = policy.updated
      $0.defaultVersionId = policy.defaultVersion
      $0.isAttachable = true
      $0.path = policy.path
      $0.policyId = policy.id
      $0.policyName = policy.name
      if full {
        $0.description = policy.description
        $0.tags = Names.list(policy.tags)
      }
    }
  }

  private static func shape(
    _ policy: AWSManagedPolicy, _ snapshot: Snapshot, _ scope: Scope, full: Bool
  ) throws -> IAM.Policy {
    let attached = try snapshot.attachmentCount(policy.arn, scope)
    let bounding = try snapshot.boundaryCount(policy.arn, scope)
    return .make {
      $0.arn = policy.arn
      $0.attachmentCount = attached
      $0.permissionsBoundaryUsageCount = bounding
      $0.createDate = policy.created
      $0.updateDate = policy.created
      $0.defaultVersionId = policy.version
      $0.isAttachable = true
      $0.path = policy.path
      $0.policyId = policy.id
      $0.policyName = policy.name
      if full {
        $0.description = policy.description
        $0.tags = []
      }
    }
  }

  private func listPolicies(
    _ input: IAM.ListPoliciesRequest, _ call: CallContext
  ) async throws -> IAM.ListPoliciesResponse {
    let scope = call.globalScope
    return try await store.read { snapshot in
      var all: [ManagedPolicyView] = []
      if input.scope != "AWS" {
        for policy in try snapshot.list(PolicyRecord.self, scope) {
          let shape = try Self.shape(policy, snapshot, scope, full: false)
          all.append(ManagedPolicyView(arn: policy.arn(scope), shape: shape))
        }
      }
      if input.scope != "Local" {
        for policy in AWSManagedPolicies.all.values {
          let shape = try Self.shape(policy, snapshot, scope, full: false)
          all.append(ManagedPolicyView(arn: policy.arn, shape: shape))
        }
      }
      all = all.filter { view in
        let shape = view.shape
        if let prefix = input.pathPrefix, shape.path?.hasPrefix(prefix) != true { return false }
        let attached = shape.attachmentCount ?? 0
        let bounding = shape.permissionsBoundaryUsageCount ?? 0
        switch input.policyUsageFilter {
        case "PermissionsPolicy" where attached == 0: return false
        case "PermissionsBoundary" where bounding == 0: return false
        default: return input.onlyAttached != true || attached > 0
        }
      }
      let page = try Page(all, marker: input.marker, maxItems: input.maxItems, key: \.arn)
      return .make {
        $0.policies = page.items.map(\.shape)
        $0.isTruncated = page.isTruncated
        $0.marker = page.marker
      }
    }
  }

  private func deletePolicy(_ input: IAM.DeletePolicyRequest, _ call: CallContext) async throws -> Empty {
    let scope = call.globalScope
    guard AWSManagedPolicies.all[input.policyArn] == nil else { throw Self.notYours(input.policyArn) }
    try await store.write { tx in
      let policy = try tx.require(PolicyRecord.self, scope, input.policyArn)
      let users = try tx.attachmentCount(input.policyArn, scope) + tx.boundaryCount(input.policyArn, scope)
      guard users == 0 else { throw AWSError.deleteConflict("Cannot delete a policy attached to entities.") }
      guard policy.versions.count == 1 else {
        throw AWSError.deleteConflict(
          "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy."
        )
      }
      try tx.delete(PolicyRecord.self, scope, policy.recordID)
    }
    return Empty()
  }

  /// Changing a policy of AWS's.
  static func notYours(_ arn: String) -> AWSError {
    AWSError("AccessDenied", "Policy \(arn) is outside your own account.", status: 403)
  }

  private func listEntitiesForPolicy(
    _ input: IAM.ListEntitiesForPolicyRequest, _ call: CallContext
  ) async throws -> IAM.ListEntitiesForPolicyResponse {
    enum Holder: Sendable {
      case user(UserRecord)
      case group(GroupRecord)
      case role(RoleRecord)
      var key: String {
        switch self {
        case .group(let group): "group/\(group.recordID)"
        case .role(let role): "role/\(role.recordID)"
        case .user(let user): "user/\(user.recordID)"
        }
      }
      var path: String {
        switch self {
        case .group(let group): group.path
        case .role(let role): role.path
        case .user(let user): user.path
        }
      }
    }
    let scope = call.globalScope
    let arn = input.policyArn
    let filter = input.entityFilter
    let holders = try await store.read { snapshot in
      if AWSManagedPolicies.all[arn] == nil { _ = try snapshot.require(PolicyRecord.self, scope, arn) }
      var indexes: [String] = []
      if input.policyUsageFilter != "PermissionsBoundary" { indexes.append(HeldPolicies.attachedIndex(arn)) }
      if input.policyUsageFilter != "PermissionsPolicy" { indexes.append(HeldPolicies.boundaryIndex(arn)) }
      var found: [String: Holder] = [:]
      for index in indexes {
        var some: [Holder] = []
        if filter == nil || filter == "User" {
          some += try snapshot.find(UserRecord.self, scope, index: index, "1").map { .user($0) }
        }
        if filter == nil || filter == "Group" {
          some += try snapshot.find(GroupRecord.self, scope, index: index, "1").map { .group($0) }
        }
        if filter == nil || filter == "Role" {
          some += try snapshot.find(RoleRecord.self, scope, index: index, "1").map { .role($0) }
        }
        for holder in some { found[holder.key] = holder }
      }
      return Array(found.values)
    }
    let page = try Page(
      holders.filter { $0.path.hasPrefix(input.pathPrefix ?? "/") }, marker: input.marker, maxItems: input.maxItems,
      key: \.key)
    return .make { output in
      output.policyGroups = []
      output.policyRoles = []
      output.policyUsers = []
      for holder in page.items {
        switch holder {
        case .group(let group):
          output.policyGroups?.append(.make { ($0.groupId, $0.groupName) = (group.id, group.name) })
        case .role(let role): output.policyRoles?.append(.make { ($0.roleId, $0.roleName) = (role.id, role.name) })
        case .user(let user): output.policyUsers?.append(.make { ($0.userId, $0.userName) = (user.id, user.name) })
        }
      }
      output.isTruncated = page.isTruncated
      output.marker = page.marker
    }
  }
}
