// Envelope encryption: each value has a data key of its own, which only KMS can decrypt.

import AWSCore
import AWSWire
import Crypto
import KMSModel
import ServiceKit
import Store

/// A secret value: text or bytes.
enum SecretValue: Sendable, Hashable {
  case string(String)
  case binary([UInt8])

  var bytes: [UInt8] {
    switch self {
    case .string(let text): Array(text.utf8)
    case .binary(let bytes): bytes
    }
  }
  var isBinary: Bool { if case .binary = self { true } else { false } }
  var string: String? { if case .string(let text) = self { text } else { nil } }
  var blob: Blob? { if case .binary(let bytes) = self { Blob(bytes) } else { nil } }

  /// Kind and content.
  var fingerprint: [UInt8] { Array(SHA256.hash(data: [isBinary ? 1 : 0] + bytes)) }

  /// The value of a request; nil when it has none.
  /// - Throws: `InvalidParameterException` for two values, or one that is too long.
  init?(_ string: String?, _ binary: Blob?) throws {
    switch (string, binary) {
    case (nil, nil): return nil
    case (let text?, nil): self = .string(text)
    case (nil, let blob?): self = .binary(blob.bytes)
    default:
      throw SecretsError.invalidParameter("You can't specify both a binary secret value and a string secret value.")
    }
    let count = bytes.count
    guard count <= SecretsLimits.valueBytesMax else {
      throw SecretsError.invalidParameter("The secret value is longer than \(SecretsLimits.valueBytesMax) bytes.")
    }
  }
}

extension SecretsManagerService {
  static let defaultKey = "alias/aws/secretsmanager"

  /// KMS is asked with the caller's identity, through Secrets Manager (`kms:ViaService`), in the secret's account.
  private func kmsCall(_ call: CallContext, _ scope: Scope) -> CallContext {
    var copy = call
    copy.account = scope.account
    copy.region = scope.region
    copy.calledVia.append("secretsmanager.amazonaws.com")
    return copy
  }

  private static func context(_ arn: String, _ versionID: String) -> [String: String] {
    ["SecretARN": arn, "SecretVersionId": versionID]
  }

  /// Encrypts a value under a new data key.
  /// - Parameter key: the KMS key as it was given; nil or empty for the AWS managed one.
  /// - Throws: `EncryptionFailure`, `AccessDeniedException`.
  func seal(
    _ value: SecretValue, arn: String, versionID: String, key: String?, _ scope: Scope, _ call: CallContext
  ) async throws -> SecretValueRecord {
    let wanted = key.flatMap { $0.isEmpty ? nil : $0 } ?? Self.defaultKey
    let made: KMS.GenerateDataKeyResponse
    do {
      made = try await kmsCall(call, scope).invoke(
        KMS.generateDataKey,
        .make {
          $0.keyId = wanted
          $0.keySpec = "AES_256"
          $0.encryptionContext = Self.context(arn, versionID)
        })
    } catch let error as AWSError {
      throw SecretsError.kms(error, encrypting: true)
    }
    guard let plaintext = made.plaintext?.bytes, let wrapped = made.ciphertextBlob?.bytes else {
      throw AWSError("InternalServiceError", "KMS gave no data key.", status: 500)
    }
    let record = SecretValueRecord.id(arn, versionID)
    let box = try AES.GCM.seal(value.bytes, using: SymmetricKey(data: plaintext), authenticating: Array(record.utf8))
    let fingerprint = try SealedBytes(
      value.fingerprint, sealer: store.sealer, context: SecretValueRecord.sealContext(arn, versionID))
    return SecretValueRecord(
      arn: arn, versionID: versionID, dataKey: SealedBytes(sealed: wrapped),
      ciphertext: SealedBytes(sealed: Array(box.nonce) + box.ciphertext + box.tag), isBinary: value.isBinary,
      fingerprint: fingerprint)
  }

  /// Decrypts a value. KMS is asked each time, in process: who may not use the key, or a key that is disabled, counts
  /// at once.
  /// - Throws: `DecryptionFailure`, `AccessDeniedException`.
  func open(_ record: SecretValueRecord, _ scope: Scope, _ call: CallContext) async throws -> SecretValue {
    let dataKey: KMS.DecryptResponse
    do {
      dataKey = try await kmsCall(call, scope).invoke(
        KMS.decrypt,
        .make {
          $0.ciphertextBlob = Blob(record.dataKey.sealed)
          $0.encryptionContext = Self.context(record.arn, record.versionID)
        })
    } catch let error as AWSError {
      throw SecretsError.kms(error, encrypting: false)
    }
    let plaintext: [UInt8]
    do {
      let box = try AES.GCM.SealedBox(combined: record.ciphertext.sealed)
      plaintext = Array(
        try AES.GCM.open(
          box, using: SymmetricKey(data: dataKey.plaintext?.bytes ?? []), authenticating: Array(record.recordID.utf8)))
    } catch {
      throw AWSError("DecryptionFailure", "The secret's value does not open under its data key: \(error).")
    }
    return record.isBinary ? .binary(plaintext) : .string(String(decoding: plaintext, as: UTF8.self))
  }

  /// The value is the one that the record holds, found without KMS.
  func isSame(_ value: SecretValue, as record: SecretValueRecord) throws -> Bool {
    try record.fingerprint.open(
      store.sealer, context: SecretValueRecord.sealContext(record.arn, record.versionID)) == value.fingerprint
  }
}
