// ListSecretVersionIds, UpdateSecretVersionStage, CancelRotateSecret.

import AWSCore
import AWSWire
import SecretsManagerModel
import ServiceKit

extension SecretsManagerService {
  func listSecretVersionIds(
    _ input: SecretsManager.ListSecretVersionIdsRequest, _ call: CallContext
  ) async throws -> SecretsManager.ListSecretVersionIdsResponse {
    let secret = try await secret(input.secretId, call)
    let shown = secret.versions.filter { input.includeDeprecated == true || !$0.stages.isEmpty }
    let page = try Page(shown, limit: input.maxResults ?? SecretsLimits.pageMax, token: input.nextToken) {
      sortable($0.created) + $0.id
    }
    return .make {
      $0.arn = secret.arn
      $0.name = secret.name
      $0.versions = page.items.map { version in
        .make {
          $0.versionId = version.id
          $0.versionStages = version.stages.isEmpty ? nil : version.stages
          $0.createdDate = version.created
          $0.lastAccessedDate = version.lastAccessed
          $0.kmsKeyIds = [version.kmsKeyID ?? "DefaultEncryptionKey"]
        }
      }
      $0.nextToken = page.next
    }
  }

  func updateSecretVersionStage(
    _ input: SecretsManager.UpdateSecretVersionStageRequest, _ call: CallContext
  ) async throws -> SecretsManager.UpdateSecretVersionStageResponse {
    let (arn, name) = try await change(input.secretId, call) { secret, _ in
      try secret.requireNotDeleted()
      try VersionStages.move(
        input.versionStage, from: input.removeFromVersionId, to: input.moveToVersionId, in: &secret.versions)
      secret.lastChanged = call.now
      return (secret.arn, secret.name)
    }
    return .make {
      $0.arn = arn
      $0.name = name
    }
  }

  /// No secret rotates here yet (RotateSecret answers 501), so there is nothing to turn off.
  func cancelRotateSecret(
    _ input: SecretsManager.CancelRotateSecretRequest, _ call: CallContext
  ) async throws -> SecretsManager.CancelRotateSecretResponse {
    let secret = try await secret(input.secretId, call)
    try secret.requireNotDeleted()
    return .make {
      $0.arn = secret.arn
      $0.name = secret.name
    }
  }
}
