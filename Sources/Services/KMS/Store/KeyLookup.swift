// From what a caller calls a key (id, ARN, alias name, alias ARN) to the key.

import AWSCore
import ServiceKit
import Store

/// A key's name as a caller wrote it.
enum KeyName: Hashable {
  case key(Scope, String)
  case alias(Scope, String)

  /// - Throws: `NotFoundException`, `InvalidArnException`.
  init(_ text: String, _ call: CallContext) throws {
    guard text.hasPrefix("arn:") else {
      self = text.hasPrefix("alias/") ? .alias(call.scope, text) : .key(call.scope, text)
      return
    }
    guard let arn = ARN(text), arn.service == "kms" else {
      throw AWSError("InvalidArnException", "Invalid arn \(text)")
    }
    guard arn.region == call.region else { throw KMSError.notFound("Invalid arn \(arn.region)") }
    let scope = Scope(account: arn.account, region: arn.region)
    if arn.resource.hasPrefix("alias/") {
      self = .alias(scope, arn.resource)
    } else if arn.resource.hasPrefix("key/") {
      self = .key(scope, String(arn.resource.dropFirst(4)))
    } else {
      throw AWSError("InvalidArnException", "Invalid arn \(text)")
    }
  }
}

func keyARN(_ scope: Scope, _ id: String) -> String { "arn:aws:kms:\(scope.region):\(scope.account):key/\(id)" }
func aliasARN(_ scope: Scope, _ name: String) -> String { "arn:aws:kms:\(scope.region):\(scope.account):\(name)" }

/// `8-4-4-4-12` hexadecimal digits, or `mrk-` and 32 of them.
func isKeyID(_ text: String) -> Bool {
  if text.hasPrefix("mrk-") { return text.utf8.count == 36 }
  return text.split(separator: "-", omittingEmptySubsequences: false).map(\.count) == [8, 4, 4, 4, 12]
}

extension KMSService {
  /// The key that a caller names.
  /// - Throws: `NotFoundException`, `InvalidArnException`.
  func key(_ text: String, _ call: CallContext) async throws -> KeyRecord {
    switch try KeyName(text, call) {
    case .key(let scope, let id):
      guard let key = try await store.get(KeyRecord.self, scope, id) else {
        // A name that is not even a key id is told apart, as AWS does.
        throw isKeyID(id) ? KMSError.keyNotFound(keyARN(scope, id)) : KMSError.notFound("Invalid keyId '\(id)'")
      }
      return key
    case .alias(let scope, let name):
      if let alias = try await store.get(AliasRecord.self, scope, name),
        let key = try await store.get(KeyRecord.self, scope, alias.keyID)
      {
        return key
      }
      guard let service = ManagedKeys.service(alias: name) else { throw KMSError.aliasNotFound(aliasARN(scope, name)) }
      return try await managedKey(service, scope, call)
    }
  }

  /// Changes a key in one transaction.
  /// - Parameter body: decides by the record as it is inside the transaction.
  @discardableResult
  func change<T: Sendable>(
    _ text: String, _ call: CallContext, _ body: @escaping @Sendable (inout KeyRecord, Transaction) throws -> T
  ) async throws -> T {
    let found = try await key(text, call)
    return try await store.write { tx in
      let scope = Scope(account: found.account, region: found.region)
      guard var key = try tx.get(KeyRecord.self, scope, found.id) else { throw KMSError.keyNotFound(found.arn) }
      let result = try body(&key, tx)
      try tx.put(key, scope)
      return result
    }
  }

  /// The material of a generation, from memory when it was used before.
  func material(_ key: KeyRecord, _ generation: KeyMaterial) throws -> Material {
    try cache.material(generation.id) {
      try Material(key.spec, generation.sealed.open(store.sealer, context: key.sealContext(generation.id)))
    }
  }
}
