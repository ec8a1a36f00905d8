// DeleteSecret, RestoreSecret.

import AWSCore
import AWSWire
import SecretsManagerModel
import ServiceKit
import Store

extension SecretsManagerService {
  func deleteSecret(
    _ input: SecretsManager.DeleteSecretRequest, _ call: CallContext
  ) async throws -> SecretsManager.DeleteSecretResponse {
    let force = input.forceDeleteWithoutRecovery ?? false
    if force, input.recoveryWindowInDays != nil {
      throw SecretsError.invalidParameter(
        "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
    }
    let days = input.recoveryWindowInDays ?? SecretsLimits.recoveryWindowDaysDefault
    guard SecretsLimits.recoveryWindowDays.contains(days) else {
      throw SecretsError.invalidParameter(
        "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
    }
    let found: SecretRecord
    do {
      found = try await secret(input.secretId, call)
    } catch let error as AWSError where force && error.code == "ResourceNotFoundException" {
      return .make {
        $0.arn = Self.presumedARN(input.secretId, call)
        $0.name = input.secretId
        $0.deletionDate = call.now
      }
    }
    try Self.requireOwner(found, call)
    if force {
      try await remove(found)
      return .make {
        $0.arn = found.arn
        $0.name = found.name
        $0.deletionDate = call.now
      }
    }
    let date = call.now.adding(days: days)
    try await change(found) { secret, _ in
      guard secret.deleted == nil else {
        throw SecretsError.invalidRequest(
          "You can't perform this operation on the secret because it was already scheduled for deletion.")
      }
      secret.deleted = call.now
      secret.deletionDate = date
      secret.lastChanged = call.now
    }
    return .make {
      $0.arn = found.arn
      $0.name = found.name
      $0.deletionDate = date
    }
  }

  func restoreSecret(
    _ input: SecretsManager.RestoreSecretRequest, _ call: CallContext
  ) async throws -> SecretsManager.RestoreSecretResponse {
    let (arn, name) = try await change(input.secretId, call) { secret, _ in
      secret.deleted = nil
      secret.deletionDate = nil
      secret.lastChanged = call.now
      return (secret.arn, secret.name)
    }
    return .make {
      $0.arn = arn
      $0.name = name
    }
  }

  // MARK: -

  /// A secret that a service made for itself goes with that service's resource.
  private static func requireOwner(_ secret: SecretRecord, _ call: CallContext) throws {
    guard let owner = secret.owningService, call.principal.kind != .service else { return }
    throw SecretsError.invalidRequest(
      "You can't delete the secret \(secret.name) because it is managed by the service \(owner).")
  }

  /// Takes away a secret and all its values.
  func remove(_ found: SecretRecord) async throws {
    try await store.write { tx in
      guard let secret = try tx.get(SecretRecord.self, found.scope, found.name), secret.arn == found.arn else { return }
      try Self.remove(secret, tx)
    }
  }

  static func remove(_ secret: SecretRecord, _ tx: Transaction) throws {
    for version in secret.versions {
      try tx.delete(SecretValueRecord.self, secret.scope, SecretValueRecord.id(secret.arn, version.id))
    }
    try tx.delete(SecretRecord.self, secret.scope, secret.name)
  }
}
