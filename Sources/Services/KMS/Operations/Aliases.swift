// CreateAlias, UpdateAlias, DeleteAlias, ListAliases.

import AWSCore
import AWSWire
import KMSModel
import ServiceKit
import Store

extension KMSService {
  func createAlias(_ input: KMS.CreateAliasRequest, _ call: CallContext) async throws -> Empty {
    let name = input.aliasName
    try Self.checkNewAlias(name)
    let target = try await aliasTarget(input.targetKeyId, call)
    try await store.write { tx in
      guard try tx.get(AliasRecord.self, call.scope, name) == nil else {
        throw AWSError(
          "AlreadyExistsException", "An alias with the name \(aliasARN(call.scope, name)) already exists")
      }
      try Self.requireAliasable(target.id, tx, call)
      guard try tx.find(AliasRecord.self, call.scope, index: "key", target.id).count < KMSLimits.aliasesPerKeyMax else {
        throw KMSError.limitExceeded("The key has too many aliases.")
      }
      try tx.put(AliasRecord(name: name, keyID: target.id, created: call.now, updated: call.now), call.scope)
    }
    return Empty()
  }

  func updateAlias(_ input: KMS.UpdateAliasRequest, _ call: CallContext) async throws -> Empty {
    let name = input.aliasName
    try Self.checkNewAlias(name)
    let target = try await aliasTarget(input.targetKeyId, call)
    try await store.write { tx in
      guard var alias = try tx.get(AliasRecord.self, call.scope, name) else {
        throw KMSError.aliasNotFound(aliasARN(call.scope, name))
      }
      try Self.requireAliasable(target.id, tx, call)
      if let old = try tx.get(KeyRecord.self, call.scope, alias.keyID),
        old.usage != target.usage || old.spec.isAsymmetric != target.spec.isAsymmetric
      {
        throw KMSError.validation("The current and new keys of an alias must be of the same type and usage.")
      }
      alias.keyID = target.id
      alias.updated = call.now
      try tx.put(alias, call.scope)
    }
    return Empty()
  }

  func deleteAlias(_ input: KMS.DeleteAliasRequest, _ call: CallContext) async throws -> Empty {
    let name = input.aliasName
    try Self.checkNewAlias(name)
    try await store.write { tx in
      guard try tx.delete(AliasRecord.self, call.scope, name) else {
        throw KMSError.aliasNotFound(aliasARN(call.scope, name))
      }
    }
    return Empty()
  }

  func listAliases(_ input: KMS.ListAliasesRequest, _ call: CallContext) async throws -> KMS.ListAliasesResponse {
    let all: [AliasRecord]
    if let name = input.keyId {
      let key = try await key(name, call)
      all = try await store.read { try $0.find(AliasRecord.self, call.scope, index: "key", key.id) }
    } else {
      all = try await store.read { try $0.list(AliasRecord.self, call.scope) }
    }
    let page = try Page(all, limit: input.limit ?? KMSLimits.grantsPageDefault, marker: input.marker, id: \.name)
    return .make {
      $0.aliases = page.items.map { alias in
        .make {
          $0.aliasName = alias.name
          $0.aliasArn = aliasARN(call.scope, alias.name)
          $0.targetKeyId = alias.keyID
          $0.creationDate = alias.created
          $0.lastUpdatedDate = alias.updated
        }
      }
      $0.truncated = page.next != nil
      $0.nextMarker = page.next
    }
  }

  // MARK: -

  private static func checkNewAlias(_ name: String) throws {
    guard name.hasPrefix("alias/") else {
      throw KMSError.validation(
        "Alias must start with the prefix \"alias/\". Please see "
          + "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")
    }
    let rest = name.dropFirst("alias/".count)
    let isPlain = rest.unicodeScalars.allSatisfy {
      $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "/_-".unicodeScalars.contains($0))
    }
    guard !rest.isEmpty, name.count <= 256, isPlain else {
      throw AWSError("InvalidAliasNameException", "Alias contains invalid characters for resource: \(name)")
    }
    guard !name.hasPrefix(ManagedKeys.prefix) else {
      throw AWSError("NotAuthorizedException", "The alias prefix \(ManagedKeys.prefix) is reserved for AWS.")
    }
  }

  /// The key that an alias is to name: given by id or ARN, in the caller's account.
  private func aliasTarget(_ text: String, _ call: CallContext) async throws -> KeyRecord {
    guard !text.hasPrefix("alias/"), !text.contains(":alias/") else {
      throw KMSError.validation("Aliases must refer to keys. Not aliases")
    }
    let key = try await key(text, call)
    guard key.account == call.account else { throw KMSError.keyNotFound(key.arn) }
    return key
  }

  private static func requireAliasable(_ id: String, _ tx: Transaction, _ call: CallContext) throws {
    guard let key = try tx.get(KeyRecord.self, call.scope, id) else {
      throw KMSError.keyNotFound(keyARN(call.scope, id))
    }
    try key.requireNotPendingDeletion()
  }
}
