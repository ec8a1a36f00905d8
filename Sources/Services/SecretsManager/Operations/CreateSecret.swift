// CreateSecret.

import AWSCore
import AWSWire
import SecretsManagerModel
import ServiceKit
import Store

extension SecretsManagerService {
  func createSecret(
    _ input: SecretsManager.CreateSecretRequest, _ call: CallContext
  ) async throws -> SecretsManager.CreateSecretResponse {
    try SecretName.check(input.name)
    guard input.addReplicaRegions?.isEmpty ?? true else {
      throw AWSError.notImplemented("secretsmanager: replicating secrets to other Regions (AddReplicaRegions)")
    }
    let value = try SecretValue(input.secretString, input.secretBinary)
    let versionID = try Self.versionID(input.clientRequestToken, call)
    let tags = try Self.merged([], Self.tags(input.tags), call)
    // Before KMS is troubled; decided again inside the transaction.
    if let known = try await store.get(SecretRecord.self, call.scope, input.name) {
      return try await store.read { try self.repeated(known, versionID, value, $0) }
    }
    let new = Self.record(input, arn: arn(for: input.name, call), tags: tags, call)
    var sealed: SecretValueRecord?
    if let value {
      sealed = try await seal(value, arn: new.arn, versionID: versionID, key: input.kmsKeyId, call.scope, call)
    }
    let valueRecord = sealed
    return try await store.write { tx in
      if let known = try tx.get(SecretRecord.self, call.scope, input.name) {
        return try self.repeated(known, versionID, value, tx)
      }
      var secret = new
      if let valueRecord {
        secret.versions.append(
          SecretVersion(id: versionID, stages: [], created: call.now, kmsKeyID: secret.kmsKeyID))
        VersionStages.attach([VersionStages.current], to: versionID, in: &secret.versions)
        try tx.put(valueRecord, call.scope)
      }
      try tx.put(secret, call.scope)
      return .make {
        $0.arn = new.arn
        $0.name = new.name
        if valueRecord != nil { $0.versionId = versionID }
      }
    }
  }

  // MARK: -

  /// A secret of that name is there: fine when it is this very request again.
  private func repeated(
    _ known: SecretRecord, _ versionID: String, _ value: SecretValue?, _ snapshot: Snapshot
  ) throws -> SecretsManager.CreateSecretResponse {
    if known.deleted != nil { throw SecretsError.nameScheduledForDeletion }
    guard let value,
      let record = try snapshot.get(
        SecretValueRecord.self, known.scope, SecretValueRecord.id(known.arn, versionID)),
      try isSame(value, as: record)
    else { throw SecretsError.exists(known.name) }
    return .make {
      $0.arn = known.arn
      $0.name = known.name
      $0.versionId = versionID
    }
  }

  private func arn(for name: String, _ call: CallContext) -> String {
    call.arn("secretsmanager", "secret:\(name)-\(call.ids.alphanumeric(6))")
  }

  private static func record(
    _ input: SecretsManager.CreateSecretRequest, arn: String, tags: [SecretTag], _ call: CallContext
  ) -> SecretRecord {
    SecretRecord(
      name: input.name, arn: arn, account: call.account, region: call.region, description: input.description,
      kmsKeyID: input.kmsKeyId.flatMap { $0.isEmpty ? nil : $0 }, type: input.type, tags: tags, created: call.now,
      lastChanged: call.now, owningService: owningService(call), versions: [])
  }

  /// `rds` when RDS makes the secret for itself.
  private static func owningService(_ call: CallContext) -> String? {
    guard call.principal.kind == .service else { return nil }
    return call.principal.arn.split(separator: ".").first.map(String.init)
  }

  /// A new version's id: the request's token, or one of our own.
  /// - Throws: `InvalidParameterException`.
  static func versionID(_ token: String?, _ call: CallContext) throws -> String {
    guard let token else { return call.ids.uuid() }
    guard SecretsLimits.tokenLength.contains(token.count) else {
      throw SecretsError.invalidParameter("ClientRequestToken must be 32-64 characters long.")
    }
    return token
  }
}
