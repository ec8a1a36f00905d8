// DescribeSecret, ListSecrets.

import AWSCore
import AWSWire
import SecretsManagerModel
import ServiceKit

extension SecretsManagerService {
  func describeSecret(
    _ input: SecretsManager.DescribeSecretRequest, _ call: CallContext
  ) async throws -> SecretsManager.DescribeSecretResponse {
    let secret = try await secret(input.secretId, call)
    return .make {
      $0.arn = secret.arn
      $0.name = secret.name
      $0.description = secret.description
      $0.kmsKeyId = secret.kmsKeyID
      $0.type = secret.type
      $0.tags = secret.wireTags
      $0.createdDate = secret.created
      $0.lastChangedDate = secret.lastChanged
      $0.lastAccessedDate = secret.lastAccessed
      $0.deletedDate = secret.deleted
      $0.owningService = secret.owningService
      $0.versionIdsToStages = secret.stagesByVersion
    }
  }

  func listSecrets(
    _ input: SecretsManager.ListSecretsRequest, _ call: CallContext
  ) async throws -> SecretsManager.ListSecretsResponse {
    let filters = input.filters ?? []
    try SecretFilter.check(filters)
    let all = try await store.read { try $0.list(SecretRecord.self, call.scope) }
    let shown = all.filter {
      ($0.deleted == nil || input.includePlannedDeletion == true) && SecretFilter.matches($0, filters)
    }
    let page = try Page(
      shown, ascending: input.sortOrder == "asc", limit: input.maxResults ?? SecretsLimits.pageMax,
      token: input.nextToken
    ) { secret in
      switch input.sortBy {
      case "name": secret.name
      case "last-changed-date": sortable(secret.lastChanged) + secret.arn
      case "last-accessed-date": sortable(secret.lastAccessed) + secret.arn
      default: sortable(secret.created) + secret.arn
      }
    }
    return .make {
      $0.secretList = page.items.map(Self.entry)
      $0.nextToken = page.next
    }
  }

  private static func entry(_ secret: SecretRecord) -> SecretsManager.SecretListEntry {
    .make {
      $0.arn = secret.arn
      $0.name = secret.name
      $0.description = secret.description
      $0.kmsKeyId = secret.kmsKeyID
      $0.type = secret.type
      $0.tags = secret.wireTags
      $0.createdDate = secret.created
      $0.lastChangedDate = secret.lastChanged
      $0.lastAccessedDate = secret.lastAccessed
      $0.deletedDate = secret.deleted
      $0.owningService = secret.owningService
      $0.secretVersionsToStages = secret.stagesByVersion
    }
  }
}
