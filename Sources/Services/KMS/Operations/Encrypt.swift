// Encrypt, Decrypt, ReEncrypt.

import AWSCore
import AWSWire
import Crypto
import KMSModel
import ServiceKit
import Store

extension KMSService {
  func encrypt(_ input: KMS.EncryptRequest, _ call: CallContext) async throws -> KMS.EncryptResponse {
    let key = try await key(input.keyId, call)
    let algorithm = input.encryptionAlgorithm ?? "SYMMETRIC_DEFAULT"
    let plaintext = input.plaintext.bytes
    guard (1...KMSLimits.plaintextBytesMax).contains(plaintext.count) else {
      throw KMSError.validation(
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length "
          + "between 1 and \(KMSLimits.plaintextBytesMax)")
    }
    try requireEncryption(key, algorithm, input.encryptionContext, "Encrypt")
    if input.dryRun == true { throw KMSError.dryRun }
    let (ciphertext, _) = try encrypt(plaintext, key, algorithm, input.encryptionContext)
    return .make {
      $0.ciphertextBlob = Blob(ciphertext)
      $0.keyId = key.arn
      $0.encryptionAlgorithm = algorithm
    }
  }

  func decrypt(_ input: KMS.DecryptRequest, _ call: CallContext) async throws -> KMS.DecryptResponse {
    guard input.recipient == nil else { throw AWSError.notImplemented("kms: Recipient (attestation documents)") }
    let ciphertext = input.ciphertextBlob?.bytes ?? []
    let key = try await decryptionKey(input.keyId, ciphertext, call)
    let algorithm = input.encryptionAlgorithm ?? "SYMMETRIC_DEFAULT"
    try requireEncryption(key, algorithm, input.encryptionContext, "Decrypt")
    let (plaintext, materialID) = try decrypt(ciphertext, key, algorithm, input.encryptionContext)
    if input.dryRun == true { throw KMSError.dryRun }
    return .make {
      $0.plaintext = Blob(plaintext)
      $0.keyId = key.arn
      $0.keyMaterialId = materialID
      $0.encryptionAlgorithm = algorithm
    }
  }

  func reEncrypt(_ input: KMS.ReEncryptRequest, _ call: CallContext) async throws -> KMS.ReEncryptResponse {
    let ciphertext = input.ciphertextBlob?.bytes ?? []
    let source = try await decryptionKey(input.sourceKeyId, ciphertext, call)
    let destination = try await key(input.destinationKeyId, call)
    let sourceAlgorithm = input.sourceEncryptionAlgorithm ?? "SYMMETRIC_DEFAULT"
    let destinationAlgorithm = input.destinationEncryptionAlgorithm ?? "SYMMETRIC_DEFAULT"
    try requireEncryption(source, sourceAlgorithm, input.sourceEncryptionContext, "ReEncrypt")
    try requireEncryption(destination, destinationAlgorithm, input.destinationEncryptionContext, "ReEncrypt")
    let (plaintext, sourceMaterial) = try decrypt(ciphertext, source, sourceAlgorithm, input.sourceEncryptionContext)
    if input.dryRun == true { throw KMSError.dryRun }
    let (sealed, material) = try encrypt(
      plaintext, destination, destinationAlgorithm, input.destinationEncryptionContext)
    return .make {
      $0.ciphertextBlob = Blob(sealed)
      $0.sourceKeyId = source.arn
      $0.keyId = destination.arn
      $0.sourceEncryptionAlgorithm = sourceAlgorithm
      $0.destinationEncryptionAlgorithm = destinationAlgorithm
      $0.sourceKeyMaterialId = sourceMaterial
      $0.destinationKeyMaterialId = material
    }
  }

  // MARK: -

  /// The key can be used, is for encryption, and with that algorithm.
  func requireEncryption(
    _ key: KeyRecord, _ algorithm: String, _ context: [String: String]?, _ operation: String
  ) throws {
    try key.requireUsable()
    try key.requireUsage(.encryptDecrypt, for: operation)
    guard key.spec.encryptionAlgorithms(key.usage)?.contains(algorithm) == true else {
      throw KMSError.invalidKeyUsage("Algorithm \(algorithm) is incompatible with key spec \(key.spec.rawValue).")
    }
    guard context?.isEmpty ?? true || key.spec == .symmetric else {
      throw KMSError.validation("EncryptionContext is not supported with asymmetric encryption algorithms.")
    }
  }

  /// Encrypts under a key's current generation.
  /// - Returns: the ciphertext, and the generation's id for symmetric keys.
  func encrypt(
    _ plaintext: [UInt8], _ key: KeyRecord, _ algorithm: String, _ context: [String: String]?
  ) throws -> (ciphertext: [UInt8], materialID: String?) {
    guard let current = key.current else { throw KMSError.invalidState("\(key.arn) has no key material.") }
    let material = try material(key, current)
    guard case .symmetric(let secret) = material else { return (try material.encryptRSA(plaintext, algorithm), nil) }
    guard let header = CiphertextBlob.header(keyID: key.id, account: key.account, materialID: current.id) else {
      throw KMSError.invalidState("\(key.arn) has no usable key id.")
    }
    let box = try AES.GCM.seal(plaintext, using: secret, authenticating: header + canonicalEncryptionContext(context))
    var out = header
    out.reserveCapacity(header.count + plaintext.count + 28)
    out.append(contentsOf: box.nonce)
    out.append(contentsOf: box.ciphertext)
    out.append(contentsOf: box.tag)
    return (out, current.id)
  }

  /// Decrypts with whichever generation encrypted.
  /// - Throws: `InvalidCiphertextException` when ciphertext, key or encryption context are not the same.
  func decrypt(
    _ ciphertext: [UInt8], _ key: KeyRecord, _ algorithm: String, _ context: [String: String]?
  ) throws -> (plaintext: [UInt8], materialID: String?) {
    guard key.spec == .symmetric else {
      guard let current = key.current else { throw KMSError.invalidState("\(key.arn) has no key material.") }
      return (try material(key, current).decryptRSA(ciphertext, algorithm), nil)
    }
    guard let blob = CiphertextBlob(ciphertext),
      let generation = key.materials.last(where: { $0.id == blob.materialID }),
      case .symmetric(let secret) = try material(key, generation)
    else { throw KMSError.invalidCiphertext }
    do {
      let box = try AES.GCM.SealedBox(combined: blob.sealed)
      let plaintext = try AES.GCM.open(
        box, using: secret, authenticating: blob.header + canonicalEncryptionContext(context))
      return (Array(plaintext), generation.id)
    } catch {
      // swift-crypto says only that it did not authenticate, which is what AWS says.
      throw KMSError.invalidCiphertext
    }
  }

  /// The key that a ciphertext says, or that the caller says for an asymmetric one.
  /// - Throws: `InvalidCiphertextException`, `IncorrectKeyException`, `NotFoundException`.
  func decryptionKey(_ name: String?, _ ciphertext: [UInt8], _ call: CallContext) async throws -> KeyRecord {
    var named: KeyRecord?
    if let name {
      let found = try await key(name, call)
      // Only symmetric ciphertexts carry their key.
      guard found.spec == .symmetric else { return found }
      named = found
    }
    guard let blob = CiphertextBlob(ciphertext) else { throw KMSError.invalidCiphertext }
    if let named {
      guard named.id == blob.keyID, named.account == blob.account else { throw KMSError.incorrectKey }
      return named
    }
    let scope = Scope(account: blob.account, region: call.region)
    guard let key = try await store.get(KeyRecord.self, scope, blob.keyID) else { throw KMSError.unknownCiphertextKey }
    return key
  }
}
