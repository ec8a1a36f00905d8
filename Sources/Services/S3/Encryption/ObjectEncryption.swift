// Data keys: made, sealed, opened.

import AWSCore
import AWSWire
import KMSModel
import ObjectStore
import S3Model
import ServiceKit
import Store

extension S3Service {
  /// The alias of the key that KMS keeps for S3.
  static let defaultKMSKey = "alias/aws/s3"

  /// A new data key for an object, and what the object keeps of it.
  /// - Throws: KMS's refusal in S3's words.
  func newDataKey(
    _ choice: EncryptionChoice, _ bucket: Bucket, _ key: String, _ call: CallContext
  ) async throws -> (key: DataKey, bytes: [UInt8], envelope: Envelope) {
    let bytes = call.ids.randomBytes(32)
    return (try DataKey(bytes), bytes, try await seal(bytes, choice, bucket, key, call))
  }

  /// Seals a data key as an object of this bucket and key keeps it.
  func seal(
    _ dataKey: [UInt8], _ choice: EncryptionChoice, _ bucket: Bucket, _ key: String, _ call: CallContext
  ) async throws -> Envelope {
    let name = Self.sealName(bucket, key)
    switch choice {
    case .managed: return .managed(sealedKey: try environment.store.sealer.seal(dataKey, context: name))
    case .kms(let kmsKey, let bucketKey, let context):
      let made = try await wrappingKey(
        kmsKey ?? Self.defaultKMSKey, bucketKey: bucketKey, context: context ?? "", bucket, key, call)
      return .kms(made.part, sealedKey: try Sealer(rootKey: made.plaintext).seal(dataKey, context: name))
    }
  }

  /// Opens an object's data key; nil when its content is not encrypted.
  /// - Throws: KMS's refusal in S3's words.
  func openDataKey(
    _ encryption: [UInt8], _ bucket: Bucket, _ key: String, _ call: CallContext
  ) async throws -> [UInt8]? {
    guard let envelope = try Envelope(encryption) else { return nil }
    let name = Self.sealName(bucket, key)
    switch envelope {
    case .managed(let sealed): return try environment.store.sealer.open(sealed, context: name)
    case .kms(let part, let sealed):
      let wrapping = try await unwrapped(part, bucket, key, call)
      return try Sealer(rootKey: wrapping).open(sealed, context: name)
    }
  }

  private static func sealName(_ bucket: Bucket, _ key: String) -> String { "s3.object/\(bucket.name)/\(key)" }

  // MARK: KMS

  /// KMS is asked with the caller's identity, through S3 (`kms:ViaService`), in the bucket's account and region.
  private func kmsCall(_ call: CallContext, _ bucket: Bucket) -> CallContext {
    var copy = call
    copy.account = bucket.account
    copy.region = bucket.region
    copy.calledVia.append("s3.amazonaws.com")
    return copy
  }

  private func encryptionContext(
    _ given: String, bucketKey: Bool, _ bucket: Bucket, _ key: String
  ) throws -> [String: String] {
    var context: [String: String] = [:]
    if !given.isEmpty {
      guard let bytes = Base64.decode(given), let json = try? JSON.parse(bytes), let entries = json.object,
        entries.allSatisfy({ $0.value.string != nil })
      else {
        throw S3Error.invalidArgument(
          "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which "
            + "represents a string-string map", "x-amz-server-side-encryption-context", given)
      }
      for entry in entries { context[entry.key] = entry.value.string }
    }
    context["aws:s3:arn"] = bucketKey ? bucket.arn : bucket.arn(key)
    return context
  }

  private func wrappingKey(
    _ kmsKey: String, bucketKey: Bool, context given: String, _ bucket: Bucket, _ key: String, _ call: CallContext
  ) async throws -> BucketKeys.Made {
    let name = "\(bucket.name)\n\(kmsKey)\n\(given)\n\(call.principal.arn)"
    if bucketKey, let known = bucketKeys.key(name, now: call.now) { return known }
    let context = try encryptionContext(given, bucketKey: bucketKey, bucket, key)
    let answer: KMS.GenerateDataKeyResponse
    do {
      answer = try await kmsCall(call, bucket).invoke(
        KMS.generateDataKey,
        .make {
          $0.keyId = kmsKey
          $0.keySpec = "AES_256"
          $0.encryptionContext = context
        })
    } catch let error as AWSError {
      throw S3Error.kms(error)
    }
    guard let plaintext = answer.plaintext?.bytes, let blob = answer.ciphertextBlob?.bytes else {
      throw AWSError("InternalError", "KMS gave no data key.", status: 500)
    }
    let part = Envelope.KMSPart(key: answer.keyId ?? kmsKey, bucketKey: bucketKey, context: given, blob: blob)
    let made = BucketKeys.Made(plaintext: plaintext, part: part)
    if bucketKey {
      bucketKeys.keep(made, name, now: call.now)
      bucketKeys.keep(made, Self.decryptName(part, call), now: call.now)
    }
    return made
  }

  private static func decryptName(_ part: Envelope.KMSPart, _ call: CallContext) -> String {
    "\(hexadecimal(part.blob))\n\(call.principal.arn)"
  }

  private func unwrapped(
    _ part: Envelope.KMSPart, _ bucket: Bucket, _ key: String, _ call: CallContext
  ) async throws -> [UInt8] {
    if part.bucketKey, let known = bucketKeys.key(Self.decryptName(part, call), now: call.now) {
      return known.plaintext
    }
    let context = try encryptionContext(part.context, bucketKey: part.bucketKey, bucket, key)
    let answer: KMS.DecryptResponse
    do {
      answer = try await kmsCall(call, bucket).invoke(
        KMS.decrypt,
        .make {
          $0.ciphertextBlob = Blob(part.blob)
          $0.keyId = part.key
          $0.encryptionContext = context
        })
    } catch let error as AWSError {
      throw S3Error.kms(error)
    }
    guard let plaintext = answer.plaintext?.bytes else {
      throw AWSError("InternalError", "KMS gave no data key.", status: 500)
    }
    if part.bucketKey {
      bucketKeys.keep(.init(plaintext: plaintext, part: part), Self.decryptName(part, call), now: call.now)
    }
    return plaintext
  }
}
