// AWS Secrets Manager: secrets in versions, encrypted through KMS.

import AWSCore
import AWSWire
import SecretsManagerModel
import ServiceKit
import Store

/// Secrets Manager.
public struct SecretsManagerService: AWSService {
  let environment: ServiceEnvironment
  var store: Store { environment.store }

  public init(_ environment: ServiceEnvironment) { self.environment = environment }

  public static var collections: [any Record.Type] { [SecretRecord.self, SecretValueRecord.self] }

  public var resourceProviders: [ResourceProvider] {
    [secretProvider, attachmentProvider, policyProvider, rotationProvider]
  }

  public var apis: [ServiceAPI] {
    var table = HandlerTable()
    addSecrets(&table)
    addVersions(&table)
    table.on(SecretsManager.getResourcePolicy, access: { try await access($0.secretId, $1) }, getResourcePolicy)
    table.on(SecretsManager.putResourcePolicy, access: putPolicyAccess, putResourcePolicy)
    table.on(SecretsManager.deleteResourcePolicy, access: { try await access($0.secretId, $1) }, deleteResourcePolicy)
    table.on(SecretsManager.validateResourcePolicy, access: validatePolicyAccess, validateResourcePolicy)
    table.on(SecretsManager.getRandomPassword, getRandomPassword)
    return [ServiceAPI(SecretsManager.model, actionPrefix: "secretsmanager", table)]
  }

  private func addSecrets(_ table: inout HandlerTable) {
    table.on(SecretsManager.createSecret, access: createAccess, createSecret)
    table.on(SecretsManager.describeSecret, access: { try await access($0.secretId, $1) }, describeSecret)
    table.on(SecretsManager.listSecrets, listSecrets)
    table.on(SecretsManager.updateSecret, access: { try await access($0.secretId, $1) }, updateSecret)
    table.on(SecretsManager.deleteSecret, access: deleteAccess, deleteSecret)
    table.on(SecretsManager.restoreSecret, access: { try await access($0.secretId, $1) }, restoreSecret)
    table.on(SecretsManager.tagResource, access: { try await access($0.secretId, $1) }, tagResource)
    table.on(SecretsManager.untagResource, access: { try await access($0.secretId, $1) }, untagResource)
    table.on(SecretsManager.cancelRotateSecret, access: { try await access($0.secretId, $1) }, cancelRotateSecret)
  }

  private func addVersions(_ table: inout HandlerTable) {
    table.on(SecretsManager.getSecretValue, access: valueAccess, getSecretValue)
    table.on(SecretsManager.batchGetSecretValue, batchGetSecretValue)
    table.on(SecretsManager.putSecretValue, access: { try await access($0.secretId, $1) }, putSecretValue)
    table.on(SecretsManager.listSecretVersionIds, access: { try await access($0.secretId, $1) }, listSecretVersionIds)
    table.on(
      SecretsManager.updateSecretVersionStage,
      access: { try await access($0.secretId, $1, extra: ["secretsmanager:VersionStage": [$0.versionStage]]) },
      updateSecretVersionStage)
  }
}
