// What IAM is told about a call: the secret, its policy, and Secrets Manager's condition keys.

import AWSCore
import SecretsManagerModel
import ServiceKit

extension SecretsManagerService {
  /// A call that touches one secret.
  func access(
    _ secretID: String, _ call: CallContext, extra: [String: [String]] = [:]
  ) async throws -> [ResourceAccess] {
    let secret = try await secret(secretID, call)
    var conditions = extra
    conditions["secretsmanager:SecretId"] = [secret.arn]
    for tag in secret.tags {
      conditions["aws:ResourceTag/\(tag.key)"] = [tag.value]
      conditions["secretsmanager:ResourceTag/\(tag.key)"] = [tag.value]
    }
    return [ResourceAccess(secret.arn, policy: secret.policy, context: conditions)]
  }

  func createAccess(_ input: SecretsManager.CreateSecretRequest, _ call: CallContext) async throws -> [ResourceAccess] {
    var conditions: [String: [String]] = ["secretsmanager:Name": [input.name]]
    if let description = input.description { conditions["secretsmanager:Description"] = [description] }
    if let key = input.kmsKeyId { conditions["secretsmanager:KmsKeyId"] = [key] }
    let tags = input.tags ?? []
    if !tags.isEmpty { conditions["aws:TagKeys"] = tags.compactMap(\.key) }
    for tag in tags { if let key = tag.key { conditions["aws:RequestTag/\(key)"] = [tag.value ?? ""] } }
    // The six characters are not known yet; policies name them with `??????` or `*`.
    return [ResourceAccess(call.arn("secretsmanager", "secret:\(input.name)-??????"), context: conditions)]
  }

  func valueAccess(
    _ input: SecretsManager.GetSecretValueRequest, _ call: CallContext
  ) async throws -> [ResourceAccess] {
    var conditions: [String: [String]] = ["secretsmanager:VersionStage": [input.versionStage ?? VersionStages.current]]
    if let version = input.versionId { conditions["secretsmanager:VersionId"] = [version] }
    return try await access(input.secretId, call, extra: conditions)
  }

  /// Deleting what does not exist is no error when no recovery is wanted.
  func deleteAccess(_ input: SecretsManager.DeleteSecretRequest, _ call: CallContext) async throws -> [ResourceAccess] {
    var conditions: [String: [String]] = [:]
    if let days = input.recoveryWindowInDays { conditions["secretsmanager:RecoveryWindowInDays"] = [String(days)] }
    let force = input.forceDeleteWithoutRecovery ?? false
    conditions["secretsmanager:ForceDeleteWithoutRecovery"] = [force ? "true" : "false"]
    do {
      return try await access(input.secretId, call, extra: conditions)
    } catch let error as AWSError where force && error.code == "ResourceNotFoundException" {
      return [ResourceAccess(Self.presumedARN(input.secretId, call), context: conditions)]
    }
  }

  /// The ARN, as far as it can be known, of a secret that does not exist.
  static func presumedARN(_ secretID: String, _ call: CallContext) -> String {
    secretID.hasPrefix("arn:") ? secretID : call.arn("secretsmanager", "secret:\(secretID)")
  }
}
