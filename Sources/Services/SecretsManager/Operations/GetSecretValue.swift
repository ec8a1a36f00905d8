// GetSecretValue, BatchGetSecretValue.

import AWSCore
import AWSWire
import SecretsManagerModel
import ServiceKit
import Store

extension SecretsManagerService {
  func getSecretValue(
    _ input: SecretsManager.GetSecretValueRequest, _ call: CallContext
  ) async throws -> SecretsManager.GetSecretValueResponse {
    let secret = try await secret(input.secretId, call)
    try secret.requireNotDeleted()
    let version = try Self.version(of: secret, id: input.versionId, stage: input.versionStage)
    let id = SecretValueRecord.id(secret.arn, version.id)
    guard let record = try await store.get(SecretValueRecord.self, secret.scope, id) else {
      throw SecretsError.valueNotFound(version: version.id)
    }
    let value = try await open(record, secret.scope, call)
    try await noteAccess(to: secret, version, call)
    return .make {
      $0.arn = secret.arn
      $0.name = secret.name
      $0.versionId = version.id
      $0.versionStages = version.stages
      $0.createdDate = version.created
      $0.secretString = value.string
      $0.secretBinary = value.blob
    }
  }

  func batchGetSecretValue(
    _ input: SecretsManager.BatchGetSecretValueRequest, _ call: CallContext
  ) async throws -> SecretsManager.BatchGetSecretValueResponse {
    let wanted: [String]
    var next: String?
    switch (input.secretIdList, input.filters) {
    case (let list?, nil):
      guard (1...SecretsLimits.batchMax).contains(list.count) else {
        throw SecretsError.invalidParameter("SecretIdList must have 1 to \(SecretsLimits.batchMax) secrets.")
      }
      guard input.maxResults == nil else {
        throw SecretsError.invalidParameter("MaxResults can be used with Filters only.")
      }
      wanted = list
    case (nil, let filters?):
      try SecretFilter.check(filters)
      let all = try await store.read { try $0.list(SecretRecord.self, call.scope) }
      let page = try Page(
        all.filter { $0.deleted == nil && SecretFilter.matches($0, filters) },
        limit: input.maxResults ?? SecretsLimits.batchMax, token: input.nextToken, place: \.name)
      wanted = page.items.map(\.arn)
      next = page.next
    default: throw SecretsError.invalidParameter("Either SecretIdList or Filters must be provided, but not both.")
    }
    var values: [SecretsManager.SecretValueEntry] = []
    var errors: [SecretsManager.APIErrorType] = []
    for id in wanted {
      do {
        // Through the front door, so that IAM decides on each secret.
        values.append(Self.entry(try await call.invoke(SecretsManager.getSecretValue, .make { $0.secretId = id })))
      } catch let error as AWSError {
        errors.append(
          .make {
            $0.secretId = id
            $0.errorCode = error.code
            $0.message = error.message
          })
      }
    }
    let (found, failed, token) = (values, errors, next)
    return .make {
      $0.secretValues = found
      $0.errors = failed
      $0.nextToken = token
    }
  }

  // MARK: -

  private static func entry(_ value: SecretsManager.GetSecretValueResponse) -> SecretsManager.SecretValueEntry {
    .make {
      $0.arn = value.arn
      $0.name = value.name
      $0.versionId = value.versionId
      $0.versionStages = value.versionStages
      $0.createdDate = value.createdDate
      $0.secretString = value.secretString
      $0.secretBinary = value.secretBinary
    }
  }

  /// The version that a reader means: by id, by label, by both, or the current one.
  static func version(of secret: SecretRecord, id: String?, stage: String?) throws -> SecretVersion {
    if let id {
      guard let version = secret.versions.first(where: { $0.id == id }) else {
        throw SecretsError.valueNotFound(version: id)
      }
      guard stage.map(version.stages.contains) ?? true else {
        throw SecretsError.invalidRequest(
          "You provided a VersionStage that is not associated to the provided VersionId.")
      }
      return version
    }
    let stage = stage ?? VersionStages.current
    guard let at = VersionStages.holder(of: stage, in: secret.versions) else {
      throw SecretsError.valueNotFound(stage: stage)
    }
    return secret.versions[at]
  }

  /// Notes the day of a read: at most one write a day and version.
  private func noteAccess(to secret: SecretRecord, _ version: SecretVersion, _ call: CallContext) async throws {
    let dayMilliseconds: Int64 = 86_400_000
    let today = Timestamp(milliseconds: call.now.milliseconds / dayMilliseconds * dayMilliseconds)
    guard version.lastAccessed != today || secret.lastAccessed != today else { return }
    try await change(secret) { secret, _ in
      secret.lastAccessed = today
      guard let at = secret.versions.firstIndex(where: { $0.id == version.id }) else { return }
      secret.versions[at].lastAccessed = today
    }
  }
}
