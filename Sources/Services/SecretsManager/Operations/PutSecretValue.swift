// PutSecretValue, UpdateSecret: new versions.

import AWSCore
import AWSWire
import SecretsManagerModel
import ServiceKit
import Store

extension SecretsManagerService {
  func putSecretValue(
    _ input: SecretsManager.PutSecretValueRequest, _ call: CallContext
  ) async throws -> SecretsManager.PutSecretValueResponse {
    let found = try await secret(input.secretId, call)
    try found.requireNotDeleted()
    guard let value = try SecretValue(input.secretString, input.secretBinary) else {
      throw SecretsError.invalidRequest("You must provide either SecretString or SecretBinary.")
    }
    let stages = input.versionStages ?? [VersionStages.current]
    guard (1...SecretsLimits.stagesPerVersionMax).contains(stages.count) else {
      throw SecretsError.invalidParameter("VersionStages must have 1 to 20 labels.")
    }
    let versionID = try Self.versionID(input.clientRequestToken, call)
    let version = try await addVersion(value, versionID, stages, key: found.kmsKeyID, to: found, call)
    return .make {
      $0.arn = found.arn
      $0.name = found.name
      $0.versionId = version.id
      $0.versionStages = version.stages
    }
  }

  func updateSecret(
    _ input: SecretsManager.UpdateSecretRequest, _ call: CallContext
  ) async throws -> SecretsManager.UpdateSecretResponse {
    let found = try await secret(input.secretId, call)
    try found.requireNotDeleted()
    let value = try SecretValue(input.secretString, input.secretBinary)
    let versionID = try Self.versionID(input.clientRequestToken, call)
    let key = input.kmsKeyId.map { $0.isEmpty ? nil : $0 } ?? found.kmsKeyID
    let changes: @Sendable (inout SecretRecord) -> Void = { secret in
      if let description = input.description { secret.description = description }
      if let type = input.type { secret.type = type }
      secret.kmsKeyID = key
      secret.lastChanged = call.now
    }
    if key != found.kmsKeyID { try await reEncrypt(found, key, call) }
    if let value {
      try await addVersion(value, versionID, [VersionStages.current], key: key, to: found, call, alsoChanging: changes)
    } else {
      try await change(found) { secret, _ in
        try secret.requireNotDeleted()
        changes(&secret)
      }
    }
    return .make {
      $0.arn = found.arn
      $0.name = found.name
      if value != nil { $0.versionId = versionID }
    }
  }

  // MARK: -

  /// Adds a version, or finds that this very request was done already.
  /// - Throws: `ResourceExistsException` when the token belongs to another value.
  @discardableResult
  func addVersion(
    _ value: SecretValue, _ versionID: String, _ stages: [String], key: String?, to found: SecretRecord,
    _ call: CallContext, alsoChanging: @escaping @Sendable (inout SecretRecord) -> Void = { _ in }
  ) async throws -> SecretVersion {
    // Before KMS is troubled; decided again inside the transaction.
    if found.versions.contains(where: { $0.id == versionID }) {
      return try await change(found) { secret, tx in
        let known = try self.repeated(versionID, value, secret, tx)
        alsoChanging(&secret)
        return known
      }
    }
    let sealed = try await seal(value, arn: found.arn, versionID: versionID, key: key, found.scope, call)
    return try await change(found) { secret, tx in
      try secret.requireNotDeleted()
      if secret.versions.contains(where: { $0.id == versionID }) {
        return try self.repeated(versionID, value, secret, tx)
      }
      secret.versions.append(SecretVersion(id: versionID, stages: [], created: call.now, kmsKeyID: key))
      VersionStages.attach(stages, to: versionID, in: &secret.versions)
      for old in VersionStages.prune(&secret.versions, now: call.now) {
        try tx.delete(SecretValueRecord.self, secret.scope, SecretValueRecord.id(secret.arn, old))
      }
      guard secret.versions.count <= SecretsLimits.versionsMax else {
        throw SecretsError.limitExceeded("The secret already has \(SecretsLimits.versionsMax) versions.")
      }
      secret.lastChanged = call.now
      alsoChanging(&secret)
      try tx.put(sealed, secret.scope)
      return secret.versions.last { $0.id == versionID }
        ?? SecretVersion(id: versionID, stages: stages, created: call.now)
    }
  }

  private func repeated(
    _ versionID: String, _ value: SecretValue, _ secret: SecretRecord, _ tx: Transaction
  ) throws -> SecretVersion {
    let id = SecretValueRecord.id(secret.arn, versionID)
    guard let version = secret.versions.first(where: { $0.id == versionID }),
      let record = try tx.get(SecretValueRecord.self, secret.scope, id), try isSame(value, as: record)
    else { throw SecretsError.tokenInUse(versionID, secret.arn) }
    return version
  }

  /// Brings the labelled versions under another KMS key, as AWS does when a secret's key changes.
  private func reEncrypt(_ found: SecretRecord, _ key: String?, _ call: CallContext) async throws {
    let labels: Set<String> = [VersionStages.current, VersionStages.previous, VersionStages.pending]
    var sealed: [SecretValueRecord] = []
    for version in found.versions where !labels.isDisjoint(with: version.stages) {
      let id = SecretValueRecord.id(found.arn, version.id)
      guard let record = try await store.get(SecretValueRecord.self, found.scope, id) else { continue }
      let value = try await open(record, found.scope, call)
      sealed.append(try await seal(value, arn: found.arn, versionID: version.id, key: key, found.scope, call))
    }
    let records = sealed
    try await change(found) { secret, tx in
      for record in records {
        guard let at = secret.versions.firstIndex(where: { $0.id == record.versionID }) else { continue }
        secret.versions[at].kmsKeyID = key
        try tx.put(record, secret.scope)
      }
    }
  }
}
