// From a name, ARN or partial ARN to the secret.

import AWSCore
import ServiceKit
import Store

extension SecretsManagerService {
  /// The secret that a caller names.
  /// - Throws: `ResourceNotFoundException`.
  func secret(_ text: String, _ call: CallContext) async throws -> SecretRecord {
    guard text.hasPrefix("arn:") else {
      guard let secret = try await store.get(SecretRecord.self, call.scope, text) else { throw SecretsError.notFound }
      return secret
    }
    guard let arn = ARN(text), arn.service == "secretsmanager", arn.resource.hasPrefix("secret:") else {
      throw SecretsError.invalidParameter("Invalid ARN \(text).")
    }
    guard arn.region == call.region else { throw SecretsError.notFound }
    let scope = Scope(account: arn.account, region: arn.region)
    let rest = String(arn.resource.dropFirst("secret:".count))
    if let name = SecretName.withoutSuffix(rest), let secret = try await store.get(SecretRecord.self, scope, name),
      secret.arn == text
    {
      return secret
    }
    // An ARN without the six characters.
    if let secret = try await store.get(SecretRecord.self, scope, rest) { return secret }
    throw SecretsError.notFound
  }

  /// Changes a secret in one transaction.
  /// - Parameter body: decides by the record as it is inside the transaction.
  @discardableResult
  func change<T: Sendable>(
    _ text: String, _ call: CallContext, _ body: @escaping @Sendable (inout SecretRecord, Transaction) throws -> T
  ) async throws -> T {
    try await change(try await secret(text, call), body)
  }

  @discardableResult
  func change<T: Sendable>(
    _ found: SecretRecord, _ body: @escaping @Sendable (inout SecretRecord, Transaction) throws -> T
  ) async throws -> T {
    try await store.write { tx in
      let scope = found.scope
      // The name may belong to another secret by now.
      guard var secret = try tx.get(SecretRecord.self, scope, found.name), secret.arn == found.arn else {
        throw SecretsError.notFound
      }
      let result = try body(&secret, tx)
      try tx.put(secret, scope)
      return result
    }
  }
}

extension SecretRecord {
  var scope: Scope { Scope(account: account, region: region) }
}
