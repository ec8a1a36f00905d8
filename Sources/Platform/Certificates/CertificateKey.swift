// Private keys of certificates: made, read, and written as PEM.

import Crypto
import CryptoExtras
import Dispatch
import Foundation
import X509

/// A private key of one of the algorithms that ACM names (`KeyAlgorithm` of `RequestCertificate`).
public struct CertificateKey: Sendable {
  public enum Algorithm: String, Sendable, CaseIterable {
    case rsa2048 = "RSA_2048"
    case rsa3072 = "RSA_3072"
    case rsa4096 = "RSA_4096"
    case p256 = "EC_prime256v1"
    case p384 = "EC_secp384r1"
    case p521 = "EC_secp521r1"
  }

  let key: Certificate.PrivateKey
  /// PKCS #8 (RFC 5958), unencrypted.
  public let der: [UInt8]

  /// The key as `PRIVATE KEY` PEM.
  public var pem: String { Self.pem("PRIVATE KEY", der) }

  /// Makes a key. Finding the primes of an RSA key takes up to seconds, so that happens on a thread that may block.
  /// - Throws: what the cryptographic library reports.
  public static func make(_ algorithm: Algorithm) async throws -> CertificateKey {
    switch algorithm {
    case .rsa2048: try await rsa(2048)
    case .rsa3072: try await rsa(3072)
    case .rsa4096: try await rsa(4096)
    case .p256: p256()
    case .p384: elliptic(P384.Signing.PrivateKey())
    case .p521: elliptic(P521.Signing.PrivateKey())
    }
  }

  static func p256() -> CertificateKey {
    let key = P256.Signing.PrivateKey()
    return CertificateKey(key: .init(key), der: Array(key.derRepresentation))
  }

  private static func elliptic(_ key: P384.Signing.PrivateKey) -> CertificateKey {
    CertificateKey(key: .init(key), der: Array(key.derRepresentation))
  }

  private static func elliptic(_ key: P521.Signing.PrivateKey) -> CertificateKey {
    CertificateKey(key: .init(key), der: Array(key.derRepresentation))
  }

  private static func rsa(_ bits: Int) async throws -> CertificateKey {
    let key = try await withCheckedThrowingContinuation { caller in
      DispatchQueue.global().async {
        caller.resume(with: Result { try _RSA.Signing.PrivateKey(keySize: .init(bitCount: bits)) })
      }
    }
    return CertificateKey(key: .init(key), der: Array(key.pkcs8DERRepresentation))
  }

  /// Bytes as PEM (RFC 7468): 64 characters to a line.
  public static func pem(_ label: String, _ bytes: [UInt8]) -> String {
    let text = Data(bytes).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
    return "-----BEGIN \(label)-----\n\(text)\n-----END \(label)-----\n"
  }
}
