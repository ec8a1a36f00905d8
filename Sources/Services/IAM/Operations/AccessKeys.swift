// CreateAccessKey, ListAccessKeys, UpdateAccessKey, DeleteAccessKey.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addAccessKeyOperations(_ table: inout HandlerTable) {
    table.on(IAM.createAccessKey, access: onUser { $0.userName }, createAccessKey)
    table.on(IAM.listAccessKeys, access: onUser { $0.userName }, listAccessKeys)
    table.on(IAM.updateAccessKey, access: onUser { $0.userName }) { input, call in
      guard input.status == "Active" || input.status == "Inactive" else {
        throw AWSError.validationError("The status of an access key is Active or Inactive, not \(input.status).")
      }
      try await changeKey(input.accessKeyId, of: input.userName, call) { tx, key in
        var key = key
        key.isActive = input.status == "Active"
        try tx.put(key, credentialScope)
      }
      return Empty()
    }
    table.on(IAM.deleteAccessKey, access: onUser { $0.userName }) { input, call in
      try await changeKey(input.accessKeyId, of: input.userName, call) { tx, key in
        try tx.delete(AccessKeyRecord.self, credentialScope, key.id)
      }
      return Empty()
    }
  }

  /// Whose keys an operation is about: a user's, or the root's (nil).
  private func keyOwner(_ name: String?, _ call: CallContext) throws -> String? {
    if name == nil, call.principal.kind == .root { return nil }
    return try Self.userName(name, call)
  }

  private func changeKey(
    _ id: String, of name: String?, _ call: CallContext,
    _ body: @escaping @Sendable (Transaction, AccessKeyRecord) throws -> Void
  ) async throws {
    let user = try keyOwner(name, call)
    if user == nil, id == owner.id {
      throw AWSError.validationError("The key of the machine's owner cannot be changed: it is the way in.")
    }
    try await store.write { tx in
      if let user { _ = try tx.require(UserRecord.self, call.globalScope, user) }
      guard let key = try tx.get(AccessKeyRecord.self, credentialScope, id), key.account == call.account,
        key.user?.lowercased() == user?.lowercased()
      else { throw AWSError.noSuchEntity("The Access Key with id \(id) cannot be found.") }
      try body(tx, key)
    }
  }

  private func createAccessKey(
    _ input: IAM.CreateAccessKeyRequest, _ call: CallContext
  ) async throws -> IAM.CreateAccessKeyResponse {
    let user = try keyOwner(input.userName, call)
    let scope = call.globalScope
    let id = "AKIA" + call.ids.upperAlphanumeric(16)
    let secret = call.ids.alphanumeric(40)
    let sealed = try SealedBytes(Array(secret.utf8), sealer: store.sealer, context: AccessKeyRecord.context(id))
    let name = try await store.write { tx in
      let name = try user.map { try tx.require(UserRecord.self, scope, $0).name }
      let held = try tx.find(
        AccessKeyRecord.self, credentialScope, index: "owner", AccessKeyRecord.owner(scope.account, name))
      guard held.count < Limits.accessKeysPerUser else {
        throw AWSError.limitExceeded("AccessKeysPerUser", Limits.accessKeysPerUser)
      }
      let key = AccessKeyRecord(
        id: id, account: scope.account, user: name, secret: sealed, isActive: true, created: call.now)
      try tx.put(key, credentialScope)
      return name
    }
    return .make {
      $0.accessKey = .make {
        $0.accessKeyId = id
        $0.secretAccessKey = secret
        $0.status = "Active"
        $0.userName = name
        $0.createDate = call.now
      }
    }
  }

  private func listAccessKeys(
    _ input: IAM.ListAccessKeysRequest, _ call: CallContext
  ) async throws -> IAM.ListAccessKeysResponse {
    let user = try keyOwner(input.userName, call)
    let scope = call.globalScope
    let keys = try await store.read { snapshot in
      let name = try user.map { try snapshot.require(UserRecord.self, scope, $0).name }
      return try snapshot.find(
        AccessKeyRecord.self, credentialScope, index: "owner", AccessKeyRecord.owner(scope.account, name))
    }
    let page = try Page(keys, marker: input.marker, maxItems: input.maxItems, key: \.id)
    var shapes: [IAM.AccessKeyMetadata] = page.items.map { key in
      .make {
        $0.accessKeyId = key.id
        $0.status = key.isActive ? "Active" : "Inactive"
        $0.userName = key.user
        $0.createDate = key.created
      }
    }
    if user == nil, call.account == owner.principal.account, input.marker == nil {
      shapes.insert(
        .make {
          $0.accessKeyId = owner.id
          $0.status = "Active"
        }, at: 0)
    }
    return .make { [shapes] in
      $0.accessKeyMetadata = shapes
      $0.isTruncated = page.isTruncated
      $0.marker = page.marker
    }
  }
}
