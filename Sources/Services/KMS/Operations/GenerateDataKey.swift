// GenerateDataKey and its relatives, GenerateRandom.

import AWSCore
import AWSWire
import KMSModel
import ServiceKit

extension KMSService {
  func generateDataKey(
    _ input: KMS.GenerateDataKeyRequest, _ call: CallContext
  ) async throws -> KMS.GenerateDataKeyResponse {
    guard input.recipient == nil else { throw AWSError.notImplemented("kms: Recipient (attestation documents)") }
    let made = try await dataKey(
      input.keyId, input.keySpec, input.numberOfBytes, input.encryptionContext, input.dryRun, "GenerateDataKey", call)
    return .make {
      $0.plaintext = Blob(made.plaintext)
      $0.ciphertextBlob = Blob(made.ciphertext)
      $0.keyId = made.key.arn
      $0.keyMaterialId = made.materialID
    }
  }

  func generateDataKeyWithoutPlaintext(
    _ input: KMS.GenerateDataKeyWithoutPlaintextRequest, _ call: CallContext
  ) async throws -> KMS.GenerateDataKeyWithoutPlaintextResponse {
    let made = try await dataKey(
      input.keyId, input.keySpec, input.numberOfBytes, input.encryptionContext, input.dryRun,
      "GenerateDataKeyWithoutPlaintext", call)
    return .make {
      $0.ciphertextBlob = Blob(made.ciphertext)
      $0.keyId = made.key.arn
      $0.keyMaterialId = made.materialID
    }
  }

  func generateDataKeyPair(
    _ input: KMS.GenerateDataKeyPairRequest, _ call: CallContext
  ) async throws -> KMS.GenerateDataKeyPairResponse {
    guard input.recipient == nil else { throw AWSError.notImplemented("kms: Recipient (attestation documents)") }
    let made = try await dataKeyPair(
      input.keyId, input.keyPairSpec, input.encryptionContext, input.dryRun, "GenerateDataKeyPair", call)
    return .make {
      $0.privateKeyPlaintext = Blob(made.privateKey)
      $0.privateKeyCiphertextBlob = Blob(made.ciphertext)
      $0.publicKey = Blob(made.publicKey)
      $0.keyId = made.key.arn
      $0.keyPairSpec = input.keyPairSpec
      $0.keyMaterialId = made.materialID
    }
  }

  func generateDataKeyPairWithoutPlaintext(
    _ input: KMS.GenerateDataKeyPairWithoutPlaintextRequest, _ call: CallContext
  ) async throws -> KMS.GenerateDataKeyPairWithoutPlaintextResponse {
    let made = try await dataKeyPair(
      input.keyId, input.keyPairSpec, input.encryptionContext, input.dryRun, "GenerateDataKeyPairWithoutPlaintext",
      call)
    return .make {
      $0.privateKeyCiphertextBlob = Blob(made.ciphertext)
      $0.publicKey = Blob(made.publicKey)
      $0.keyId = made.key.arn
      $0.keyPairSpec = input.keyPairSpec
      $0.keyMaterialId = made.materialID
    }
  }

  func generateRandom(_ input: KMS.GenerateRandomRequest, _ call: CallContext) async throws
    -> KMS.GenerateRandomResponse
  {
    guard input.recipient == nil else { throw AWSError.notImplemented("kms: Recipient (attestation documents)") }
    guard input.customKeyStoreId == nil else { throw AWSError.notImplemented("kms: custom key stores") }
    guard let count = input.numberOfBytes, (1...KMSLimits.randomBytesMax).contains(count) else {
      throw KMSError.validation("NumberOfBytes must be between 1 and \(KMSLimits.randomBytesMax).")
    }
    return .make { $0.plaintext = Blob(call.ids.randomBytes(count)) }
  }

  // MARK: -

  private struct DataKey {
    var key: KeyRecord
    var plaintext: [UInt8]
    var ciphertext: [UInt8]
    var materialID: String?
  }

  private func dataKey(
    _ keyID: String, _ spec: String?, _ count: Int?, _ context: [String: String]?, _ dryRun: Bool?,
    _ operation: String, _ call: CallContext
  ) async throws -> DataKey {
    let key = try await symmetricKey(keyID, operation, call)
    let bytes: Int
    switch (spec, count) {
    case ("AES_256", nil): bytes = 32
    case ("AES_128", nil): bytes = 16
    case (nil, let count?) where (1...KMSLimits.randomBytesMax).contains(count): bytes = count
    default: throw KMSError.validation("Please specify either number of bytes or key spec.")
    }
    if dryRun == true { throw KMSError.dryRun }
    let plaintext = call.ids.randomBytes(bytes)
    let (ciphertext, materialID) = try encrypt(plaintext, key, "SYMMETRIC_DEFAULT", context)
    return DataKey(key: key, plaintext: plaintext, ciphertext: ciphertext, materialID: materialID)
  }

  private struct DataKeyPair {
    var key: KeyRecord
    var privateKey: [UInt8]
    var publicKey: [UInt8]
    var ciphertext: [UInt8]
    var materialID: String?
  }

  private func dataKeyPair(
    _ keyID: String, _ spec: String, _ context: [String: String]?, _ dryRun: Bool?, _ operation: String,
    _ call: CallContext
  ) async throws -> DataKeyPair {
    let key = try await symmetricKey(keyID, operation, call)
    guard let pair = KeySpec(rawValue: spec), pair.isAsymmetric else {
      throw AWSError.notImplemented("kms: data key pairs of spec \(spec)")
    }
    if dryRun == true { throw KMSError.dryRun }
    let material = try Material(pair, try await Material.generate(pair, call.ids))
    let privateKey = material.privateKeyDER ?? []
    let (ciphertext, materialID) = try encrypt(privateKey, key, "SYMMETRIC_DEFAULT", context)
    return DataKeyPair(
      key: key, privateKey: privateKey, publicKey: material.publicKeyDER ?? [], ciphertext: ciphertext,
      materialID: materialID)
  }

  private func symmetricKey(_ keyID: String, _ operation: String, _ call: CallContext) async throws -> KeyRecord {
    let key = try await key(keyID, call)
    try key.requireUsable()
    try key.requireUsage(.encryptDecrypt, for: operation)
    guard key.spec == .symmetric else {
      throw KMSError.invalidKeyUsage("\(key.arn) key spec is \(key.spec.rawValue) which is not valid for \(operation).")
    }
    return key
  }
}
