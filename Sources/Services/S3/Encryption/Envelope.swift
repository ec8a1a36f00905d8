// What an object keeps about its encryption: its data key, sealed, and how to unseal it.

import AWSCore
import ObjectStore

/// The sealed data key of an object; the bytes of `ObjectAttributes.encryption`.
///
/// Each object's content is encrypted under a key of its own (AES-256-GCM, block by block, by the engine). That key is
/// sealed under the installation's root key (SSE-S3), or under a data key of KMS that is itself kept encrypted
/// (SSE-KMS). Copies share content, so a copy seals the same key again in its own way.
enum Envelope: Sendable, Equatable {
  case managed(sealedKey: [UInt8])
  case kms(KMSPart, sealedKey: [UInt8])

  struct KMSPart: Sendable, Equatable {
    /// The KMS key's ARN.
    var key: String
    var bucketKey: Bool
    /// The encryption context that the request gave, base64 of JSON; empty when none.
    var context: String
    /// KMS's ciphertext of the wrapping key.
    var blob: [UInt8]
  }

  var bytes: [UInt8] {
    switch self {
    case .managed(let sealed): return [1] + sealed
    case .kms(let part, let sealed):
      var out: [UInt8] = [2, part.bucketKey ? 1 : 0]
      for field in [Array(part.key.utf8), Array(part.context.utf8), part.blob] {
        withUnsafeBytes(of: UInt32(field.count).bigEndian) { out.append(contentsOf: $0) }
        out += field
      }
      return out + sealed
    }
  }

  /// Nil for content that is not encrypted.
  init?(_ bytes: [UInt8]) throws {
    guard let kind = bytes.first else { return nil }
    if kind == 1 {
      self = .managed(sealedKey: Array(bytes.dropFirst()))
      return
    }
    guard kind == 2, bytes.count > 2 else { throw ObjectStoreError.corrupt("the encryption of an object") }
    var at = 2
    func field() throws -> [UInt8] {
      guard at + 4 <= bytes.count else { throw ObjectStoreError.corrupt("the encryption of an object") }
      let count = bytes[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) }
      guard at + 4 + count <= bytes.count else { throw ObjectStoreError.corrupt("the encryption of an object") }
      defer { at += 4 + count }
      return Array(bytes[(at + 4)..<(at + 4 + count)])
    }
    let part = KMSPart(
      key: String(decoding: try field(), as: UTF8.self), bucketKey: bytes[1] == 1,
      context: String(decoding: try field(), as: UTF8.self), blob: try field())
    self = .kms(part, sealedKey: Array(bytes[at...]))
  }
}
