// PutUserPermissionsBoundary, DeleteUserPermissionsBoundary, and the same for roles.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addBoundaryOperations(_ table: inout HandlerTable) {
    table.on(
      IAM.putUserPermissionsBoundary,
      access: on(UserRecord.self, context: { ["iam:PermissionsBoundary": [$0.permissionsBoundary]] }) { $0.userName }
    ) { i, call in try await bound(UserRecord.self, i.userName, i.permissionsBoundary, call) }
    table.on(
      IAM.putRolePermissionsBoundary,
      access: on(RoleRecord.self, context: { ["iam:PermissionsBoundary": [$0.permissionsBoundary]] }) { $0.roleName }
    ) { i, call in try await bound(RoleRecord.self, i.roleName, i.permissionsBoundary, call) }
    table.on(IAM.deleteUserPermissionsBoundary, access: on(UserRecord.self) { $0.userName }) { i, call in
      try await bound(UserRecord.self, i.userName, nil, call)
    }
    table.on(IAM.deleteRolePermissionsBoundary, access: on(RoleRecord.self) { $0.roleName }) { i, call in
      try await bound(RoleRecord.self, i.roleName, nil, call)
    }
  }

  private func bound<H: PolicyHolder>(
    _ type: H.Type, _ holder: String, _ arn: String?, _ call: CallContext
  ) async throws -> Empty {
    try await store.write { tx in
      var record = try tx.requireChangeable(type, call.globalScope, holder)
      if let arn {
        try tx.requirePolicy(arn, call.globalScope)
      } else if record.policies.boundary == nil {
        throw AWSError.noSuchEntity("The \(H.arnType) \(record.name) has no permissions boundary.")
      }
      record.policies.boundary = arn
      try tx.put(record, call.globalScope)
    }
    return Empty()
  }
}
