// AWS Key Management Service: keys that never leave, real cryptography, policies, grants and rotation.

import AWSCore
import AWSWire
import KMSModel
import ServiceKit
import Store

/// KMS. Key material is sealed in the store and cached in memory while it is in use.
public struct KMSService: AWSService {
  let environment: ServiceEnvironment
  let cache: MaterialCache
  var store: Store { environment.store }

  public init(_ environment: ServiceEnvironment) {
    self.environment = environment
    cache = MaterialCache()
  }

  public static var collections: [any Record.Type] { [KeyRecord.self, AliasRecord.self, KeyGrantsRecord.self] }

  public var resourceProviders: [ResourceProvider] { [keyProvider, aliasProvider] }

  public var apis: [ServiceAPI] {
    var table = HandlerTable()
    addKeys(&table)
    addAliases(&table)
    addGrants(&table)
    addSymmetricCryptography(&table)
    addAsymmetricCryptography(&table)
    return [ServiceAPI(KMS.model, actionPrefix: "kms", table)]
  }

  private func addKeys(_ table: inout HandlerTable) {
    table.on(KMS.createKey, createKey)
    table.on(KMS.describeKey, access: { try await access($0.keyId, $1, grantOperation: "DescribeKey") }, describeKey)
    table.on(KMS.listKeys, listKeys)
    table.on(KMS.updateKeyDescription, access: { try await access($0.keyId, $1) }, updateKeyDescription)
    table.on(KMS.enableKey, access: { try await access($0.keyId, $1) }, enableKey)
    table.on(KMS.disableKey, access: { try await access($0.keyId, $1) }, disableKey)
    table.on(KMS.scheduleKeyDeletion, access: { try await access($0.keyId, $1) }, scheduleKeyDeletion)
    table.on(KMS.cancelKeyDeletion, access: { try await access($0.keyId, $1) }, cancelKeyDeletion)
    table.on(KMS.getKeyPolicy, access: { try await access($0.keyId, $1) }, getKeyPolicy)
    table.on(KMS.putKeyPolicy, access: { try await access($0.keyId, $1) }, putKeyPolicy)
    table.on(KMS.listKeyPolicies, access: { try await access($0.keyId, $1) }, listKeyPolicies)
    table.on(KMS.tagResource, access: { try await access($0.keyId, $1) }, tagResource)
    table.on(KMS.untagResource, access: { try await access($0.keyId, $1) }, untagResource)
    table.on(KMS.listResourceTags, access: { try await access($0.keyId, $1) }, listResourceTags)
    table.on(KMS.enableKeyRotation, access: { try await access($0.keyId, $1) }, enableKeyRotation)
    table.on(KMS.disableKeyRotation, access: { try await access($0.keyId, $1) }, disableKeyRotation)
    table.on(KMS.getKeyRotationStatus, access: { try await access($0.keyId, $1) }, getKeyRotationStatus)
    table.on(KMS.listKeyRotations, access: { try await access($0.keyId, $1) }, listKeyRotations)
    table.on(KMS.rotateKeyOnDemand, access: { try await access($0.keyId, $1) }, rotateKeyOnDemand)
  }

  private func addAliases(_ table: inout HandlerTable) {
    table.on(
      KMS.createAlias, access: { try await aliasAccess($0.aliasName, to: [$0.targetKeyId], $1) }, createAlias)
    table.on(
      KMS.updateAlias, access: { try await aliasAccess($0.aliasName, to: [$0.aliasName, $0.targetKeyId], $1) },
      updateAlias)
    table.on(KMS.deleteAlias, access: { try await aliasAccess($0.aliasName, to: [$0.aliasName], $1) }, deleteAlias)
    table.on(KMS.listAliases, listAliases)
  }

  private func addGrants(_ table: inout HandlerTable) {
    table.on(KMS.createGrant, access: createGrantAccess, createGrant)
    table.on(KMS.listGrants, access: { try await access($0.keyId, $1) }, listGrants)
    table.on(KMS.listRetirableGrants, listRetirableGrants)
    table.on(KMS.retireGrant, access: retireGrantAccess, retireGrant)
    table.on(KMS.revokeGrant, access: { try await access($0.keyId, $1) }, revokeGrant)
  }

  private func addSymmetricCryptography(_ table: inout HandlerTable) {
    table.on(
      KMS.encrypt,
      access: { try await cryptoAccess($0.keyId, $1, "Encrypt", $0.encryptionContext, $0.encryptionAlgorithm) },
      encrypt)
    table.on(KMS.decrypt, access: decryptAccess, decrypt)
    table.on(KMS.reEncrypt, access: reEncryptAccess, reEncrypt)
    table.on(
      KMS.generateDataKey, access: { try await cryptoAccess($0.keyId, $1, "GenerateDataKey", $0.encryptionContext) },
      generateDataKey)
    table.on(
      KMS.generateDataKeyWithoutPlaintext,
      access: { try await cryptoAccess($0.keyId, $1, "GenerateDataKeyWithoutPlaintext", $0.encryptionContext) },
      generateDataKeyWithoutPlaintext)
    table.on(
      KMS.generateDataKeyPair,
      access: { try await cryptoAccess($0.keyId, $1, "GenerateDataKeyPair", $0.encryptionContext) },
      generateDataKeyPair)
    table.on(
      KMS.generateDataKeyPairWithoutPlaintext,
      access: { try await cryptoAccess($0.keyId, $1, "GenerateDataKeyPairWithoutPlaintext", $0.encryptionContext) },
      generateDataKeyPairWithoutPlaintext)
    table.on(KMS.generateRandom, generateRandom)
  }

  private func addAsymmetricCryptography(_ table: inout HandlerTable) {
    table.on(
      KMS.getPublicKey, access: { try await access($0.keyId, $1, grantOperation: "GetPublicKey") }, getPublicKey)
    table.on(
      KMS.sign,
      access: {
        try await access(
          $0.keyId, $1, grantOperation: "Sign",
          extra: ["kms:SigningAlgorithm": [$0.signingAlgorithm], "kms:MessageType": [$0.messageType ?? "RAW"]])
      }, sign)
    table.on(
      KMS.verify,
      access: {
        try await access(
          $0.keyId, $1, grantOperation: "Verify",
          extra: ["kms:SigningAlgorithm": [$0.signingAlgorithm], "kms:MessageType": [$0.messageType ?? "RAW"]])
      }, verify)
    table.on(
      KMS.generateMac,
      access: {
        try await access($0.keyId, $1, grantOperation: "GenerateMac", extra: ["kms:MacAlgorithm": [$0.macAlgorithm]])
      }, generateMac)
    table.on(
      KMS.verifyMac,
      access: {
        try await access($0.keyId, $1, grantOperation: "VerifyMac", extra: ["kms:MacAlgorithm": [$0.macAlgorithm]])
      }, verifyMac)
  }
}
