// Unsealed key material and what is done with it.

import AWSCore
import Crypto
import CryptoExtras
import Dispatch
import FoundationEssentials

/// A key's material, ready for use.
enum Material: Sendable {
  case symmetric(SymmetricKey)
  /// Kept as bytes too, for SHA-224.
  case hmac(SymmetricKey, [UInt8])
  case rsa(_RSA.Signing.PrivateKey)
  case p256(P256.Signing.PrivateKey)
  case p384(P384.Signing.PrivateKey)
  case p521(P521.Signing.PrivateKey)
  case ed25519(Curve25519.Signing.PrivateKey)

  /// Reads what ``generate(_:_:)`` made.
  init(_ spec: KeySpec, _ bytes: [UInt8]) throws {
    switch spec {
    case .symmetric: self = .symmetric(SymmetricKey(data: bytes))
    case .hmac224, .hmac256, .hmac384, .hmac512: self = .hmac(SymmetricKey(data: bytes), bytes)
    case .rsa2048, .rsa3072, .rsa4096: self = .rsa(try _RSA.Signing.PrivateKey(derRepresentation: bytes))
    case .p256: self = .p256(try P256.Signing.PrivateKey(rawRepresentation: bytes))
    case .p384: self = .p384(try P384.Signing.PrivateKey(rawRepresentation: bytes))
    case .p521: self = .p521(try P521.Signing.PrivateKey(rawRepresentation: bytes))
    case .ed25519: self = .ed25519(try Curve25519.Signing.PrivateKey(rawRepresentation: bytes))
    }
  }

  /// New material of a spec: PKCS #1 for RSA, the raw private key for curves, the bytes themselves for secrets.
  static func generate(_ spec: KeySpec, _ ids: any IdentifierSource) async throws -> [UInt8] {
    if let count = spec.secretBytes { return ids.randomBytes(count) }
    if let bits = spec.rsaBits { return Array(try await rsaKey(bits).derRepresentation) }
    switch spec {
    case .p384: return Array(P384.Signing.PrivateKey().rawRepresentation)
    case .p521: return Array(P521.Signing.PrivateKey().rawRepresentation)
    case .ed25519: return Array(Curve25519.Signing.PrivateKey().rawRepresentation)
    default: return Array(P256.Signing.PrivateKey().rawRepresentation)
    }
  }

  /// A new RSA key. Finding the primes takes up to seconds, so that happens on a thread that may block.
  static func rsaKey(_ bits: Int) async throws -> _RSA.Signing.PrivateKey {
    try await withCheckedThrowingContinuation { caller in
      DispatchQueue.global().async {
        caller.resume(with: Result { try _RSA.Signing.PrivateKey(keySize: .init(bitCount: bits)) })
      }
    }
  }

  /// SubjectPublicKeyInfo in DER (RFC 5280, section 4.1); nil for secret keys.
  var publicKeyDER: [UInt8]? {
    switch self {
    case .symmetric, .hmac: nil
    case .rsa(let key): Array(key.publicKey.derRepresentation)
    case .p256(let key): Array(key.publicKey.derRepresentation)
    case .p384(let key): Array(key.publicKey.derRepresentation)
    case .p521(let key): Array(key.publicKey.derRepresentation)
    // RFC 8410: the algorithm's identifier, then the 32 bytes as a bit string.
    case .ed25519(let key):
      [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00] + Array(key.publicKey.rawRepresentation)
    }
  }

  /// The private key as PKCS #8 in DER (RFC 5208); nil for secret keys.
  var privateKeyDER: [UInt8]? {
    switch self {
    case .symmetric, .hmac: nil
    case .rsa(let key): Array(key.pkcs8DERRepresentation)
    case .p256(let key): Array(key.derRepresentation)
    case .p384(let key): Array(key.derRepresentation)
    case .p521(let key): Array(key.derRepresentation)
    case .ed25519(let key):
      [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]
        + Array(key.rawRepresentation)
    }
  }
}

// MARK: - RSA encryption

extension Material {
  private static func oaep(_ algorithm: String) throws -> _RSA.Encryption.Padding {
    switch algorithm {
    case "RSAES_OAEP_SHA_1": .PKCS1_OAEP
    case "RSAES_OAEP_SHA_256": .PKCS1_OAEP_SHA256
    default: throw AWSError.notImplemented("the encryption algorithm \(algorithm)")
    }
  }

  /// RSAES-OAEP (RFC 8017, section 7.1).
  /// - Throws: `ValidationException` when the plaintext is longer than the key can take.
  func encryptRSA(_ plaintext: [UInt8], _ algorithm: String) throws -> [UInt8] {
    guard case .rsa(let key) = self else { throw KMSError.invalidCiphertext }
    let padding = try Self.oaep(algorithm)
    let overhead = algorithm == "RSAES_OAEP_SHA_1" ? 42 : 66
    guard plaintext.count <= key.keySizeInBits / 8 - overhead else {
      throw KMSError.validation(
        "Algorithm \(algorithm) and key spec RSA_\(key.keySizeInBits) cannot encrypt data larger than "
          + "\(key.keySizeInBits / 8 - overhead) bytes.")
    }
    let encryptionKey = try _RSA.Encryption.PublicKey(derRepresentation: key.publicKey.derRepresentation)
    return Array(try encryptionKey.encrypt(plaintext, padding: padding))
  }

  /// - Throws: `InvalidCiphertextException`.
  func decryptRSA(_ ciphertext: [UInt8], _ algorithm: String) throws -> [UInt8] {
    guard case .rsa(let key) = self else { throw KMSError.invalidCiphertext }
    let padding = try Self.oaep(algorithm)
    let decryptionKey = try _RSA.Encryption.PrivateKey(derRepresentation: key.derRepresentation)
    do {
      return Array(try decryptionKey.decrypt(ciphertext, padding: padding))
    } catch {
      // Whatever does not decrypt is told in the same words, so that nobody learns from the difference.
      throw KMSError.invalidCiphertext
    }
  }
}

// MARK: - Signatures and codes

extension Material {
  /// The signature of a message or of its digest. ECDSA signatures are DER (RFC 3279), RSA's are as long as the key.
  /// - Throws: `ValidationException` for a digest of another length than the algorithm's.
  func sign(_ algorithm: String, _ message: [UInt8], isDigest: Bool) throws -> [UInt8] {
    if case .ed25519(let key) = self { return Array(try key.signature(for: message)) }
    switch algorithm.suffix(3) {
    case "256": return try sign(algorithm, isDigest ? digest(message, algorithm) : SHA256.hash(data: message))
    case "384": return try sign(algorithm, isDigest ? digest(message, algorithm) : SHA384.hash(data: message))
    default: return try sign(algorithm, isDigest ? digest(message, algorithm) : SHA512.hash(data: message))
    }
  }

  func isValidSignature(_ signature: [UInt8], _ algorithm: String, _ message: [UInt8], isDigest: Bool) throws -> Bool {
    if case .ed25519(let key) = self { return key.publicKey.isValidSignature(signature, for: message) }
    switch algorithm.suffix(3) {
    case "256":
      return try verify(signature, algorithm, isDigest ? digest(message, algorithm) : SHA256.hash(data: message))
    case "384":
      return try verify(signature, algorithm, isDigest ? digest(message, algorithm) : SHA384.hash(data: message))
    default: return try verify(signature, algorithm, isDigest ? digest(message, algorithm) : SHA512.hash(data: message))
    }
  }

  /// The message authentication code (RFC 2104).
  func mac(_ message: [UInt8], _ spec: KeySpec) throws -> [UInt8] {
    guard case .hmac(let key, let bytes) = self else { throw KMSError.invalidKeyUsage("The key is no HMAC key.") }
    switch spec {
    case .hmac224: return SHA224.hmac(key: bytes, message)
    case .hmac384: return Array(HMAC<SHA384>.authenticationCode(for: message, using: key))
    case .hmac512: return Array(HMAC<SHA512>.authenticationCode(for: message, using: key))
    default: return Array(HMAC<SHA256>.authenticationCode(for: message, using: key))
    }
  }

  private func sign<D: Digest>(_ algorithm: String, _ digest: D) throws -> [UInt8] {
    switch self {
    case .rsa(let key): Array(try key.signature(for: digest, padding: Self.padding(algorithm)).rawRepresentation)
    case .p256(let key): Array(try key.signature(for: digest).derRepresentation)
    case .p384(let key): Array(try key.signature(for: digest).derRepresentation)
    case .p521(let key): Array(try key.signature(for: digest).derRepresentation)
    case .symmetric, .hmac, .ed25519: throw KMSError.invalidKeyUsage("The key does not sign digests.")
    }
  }

  private func verify<D: Digest>(_ signature: [UInt8], _ algorithm: String, _ digest: D) throws -> Bool {
    switch self {
    case .rsa(let key):
      return key.publicKey.isValidSignature(
        .init(rawRepresentation: signature), for: digest, padding: Self.padding(algorithm))
    case .p256(let key):
      guard let parsed = try? P256.Signing.ECDSASignature(derRepresentation: signature) else { return false }
      return key.publicKey.isValidSignature(parsed, for: digest)
    case .p384(let key):
      guard let parsed = try? P384.Signing.ECDSASignature(derRepresentation: signature) else { return false }
      return key.publicKey.isValidSignature(parsed, for: digest)
    case .p521(let key):
      guard let parsed = try? P521.Signing.ECDSASignature(derRepresentation: signature) else { return false }
      return key.publicKey.isValidSignature(parsed, for: digest)
    case .symmetric, .hmac, .ed25519: throw KMSError.invalidKeyUsage("The key does not verify digests.")
    }
  }

  private static func padding(_ algorithm: String) -> _RSA.Signing.Padding {
    algorithm.contains("PSS") ? .PSS : .insecurePKCS1v1_5
  }

  /// A digest that somebody else computed, as the type that swift-crypto signs.
  private func digest<D: Digest>(_ bytes: [UInt8], _ algorithm: String) throws -> D {
    guard bytes.count == D.byteCount else {
      throw KMSError.validation("Digest is invalid length for algorithm \(algorithm).")
    }
    // swift-crypto gives no way to make a digest from bytes. Its digests are plain structs of exactly their bytes,
    // in order, which the precondition holds it to.
    precondition(MemoryLayout<D>.size == D.byteCount)
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: D.byteCount, alignment: MemoryLayout<D>.alignment)
    defer { copy.deallocate() }
    copy.copyBytes(from: bytes)
    return copy.load(as: D.self)
  }
}
