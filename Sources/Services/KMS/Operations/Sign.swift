// Sign, Verify, GetPublicKey, GenerateMac, VerifyMac.

import AWSCore
import AWSWire
import KMSModel
import ServiceKit

extension KMSService {
  func sign(_ input: KMS.SignRequest, _ call: CallContext) async throws -> KMS.SignResponse {
    let key = try await key(input.keyId, call)
    try requireSigning(key, input.signingAlgorithm, input.messageType, "Sign")
    if input.dryRun == true { throw KMSError.dryRun }
    let signature = try currentMaterial(key).sign(
      input.signingAlgorithm, input.message.bytes, isDigest: input.messageType == "DIGEST")
    return .make {
      $0.keyId = key.arn
      $0.signature = Blob(signature)
      $0.signingAlgorithm = input.signingAlgorithm
    }
  }

  func verify(_ input: KMS.VerifyRequest, _ call: CallContext) async throws -> KMS.VerifyResponse {
    let key = try await key(input.keyId, call)
    try requireSigning(key, input.signingAlgorithm, input.messageType, "Verify")
    if input.dryRun == true { throw KMSError.dryRun }
    let isValid = try currentMaterial(key).isValidSignature(
      input.signature.bytes, input.signingAlgorithm, input.message.bytes, isDigest: input.messageType == "DIGEST")
    guard isValid else { throw AWSError("KMSInvalidSignatureException", "") }
    return .make {
      $0.keyId = key.arn
      $0.signatureValid = true
      $0.signingAlgorithm = input.signingAlgorithm
    }
  }

  func getPublicKey(_ input: KMS.GetPublicKeyRequest, _ call: CallContext) async throws -> KMS.GetPublicKeyResponse {
    let key = try await key(input.keyId, call)
    try key.requireUsable()
    guard key.spec.isAsymmetric, let publicKey = try currentMaterial(key).publicKeyDER else {
      throw KMSError.unsupported("\(key.arn) is not an asymmetric key.")
    }
    return .make {
      $0.keyId = key.arn
      $0.publicKey = Blob(publicKey)
      $0.keySpec = key.spec.rawValue
      $0.customerMasterKeySpec = key.spec.rawValue
      $0.keyUsage = key.usage.rawValue
      $0.encryptionAlgorithms = key.spec.encryptionAlgorithms(key.usage)
      $0.signingAlgorithms = key.spec.signingAlgorithms(key.usage)
    }
  }

  func generateMac(_ input: KMS.GenerateMacRequest, _ call: CallContext) async throws -> KMS.GenerateMacResponse {
    let key = try await macKey(input.keyId, input.macAlgorithm, "GenerateMac", call)
    if input.dryRun == true { throw KMSError.dryRun }
    let code = try currentMaterial(key).mac(input.message.bytes, key.spec)
    return .make {
      $0.keyId = key.arn
      $0.mac = Blob(code)
      $0.macAlgorithm = input.macAlgorithm
    }
  }

  func verifyMac(_ input: KMS.VerifyMacRequest, _ call: CallContext) async throws -> KMS.VerifyMacResponse {
    let key = try await macKey(input.keyId, input.macAlgorithm, "VerifyMac", call)
    if input.dryRun == true { throw KMSError.dryRun }
    let code = try currentMaterial(key).mac(input.message.bytes, key.spec)
    guard isEqualInConstantTime(code, input.mac.bytes) else { throw AWSError("KMSInvalidMacException", "") }
    return .make {
      $0.keyId = key.arn
      $0.macValid = true
      $0.macAlgorithm = input.macAlgorithm
    }
  }

  // MARK: -

  private func currentMaterial(_ key: KeyRecord) throws -> Material {
    guard let current = key.current else { throw KMSError.invalidState("\(key.arn) has no key material.") }
    return try material(key, current)
  }

  private func requireSigning(
    _ key: KeyRecord, _ algorithm: String, _ messageType: String?, _ operation: String
  ) throws {
    try key.requireUsable()
    try key.requireUsage(.signVerify, for: operation)
    guard key.spec.signingAlgorithms(key.usage)?.contains(algorithm) == true else {
      throw KMSError.invalidKeyUsage("Algorithm \(algorithm) is incompatible with key spec \(key.spec.rawValue).")
    }
    switch messageType ?? "RAW" {
    case "RAW": return
    case "DIGEST" where key.spec != .ed25519: return
    default:
      throw KMSError.validation("MessageType \(messageType ?? "RAW") is not valid for algorithm \(algorithm).")
    }
  }

  private func macKey(
    _ keyID: String, _ algorithm: String, _ operation: String, _ call: CallContext
  ) async throws -> KeyRecord {
    let key = try await key(keyID, call)
    try key.requireUsable()
    try key.requireUsage(.generateVerifyMac, for: operation)
    guard key.spec.macAlgorithms?.contains(algorithm) == true else {
      throw KMSError.invalidKeyUsage("Algorithm \(algorithm) is incompatible with key spec \(key.spec.rawValue).")
    }
    return key
  }
}

/// Takes the same time wherever the difference is.
private func isEqualInConstantTime(_ a: [UInt8], _ b: [UInt8]) -> Bool {
  guard a.count == b.count else { return false }
  var difference: UInt8 = 0
  for i in a.indices { difference |= a[i] ^ b[i] }
  return difference == 0
}
