// A private key under a passphrase, as ACM exports it.

import Crypto
import CryptoExtras
import Foundation
import SwiftASN1

extension CertificateKey {
  /// Rounds of the key derivation, as OWASP advises for PBKDF2 with SHA-256.
  static let rounds = 600_000

  /// A PKCS #8 key encrypted with AES-256 in CBC mode under a key that PBKDF2 derives from the passphrase
  /// (PBES2, RFC 8018), as `ENCRYPTED PRIVATE KEY` PEM. `openssl pkey` reads it.
  /// - Parameters:
  ///   - der: PKCS #8, unencrypted.
  ///   - salt: 16 random bytes.
  ///   - iv: 16 random bytes.
  /// - Throws: what the cryptographic library reports.
  public static func encrypted(
    _ der: [UInt8], passphrase: [UInt8], salt: [UInt8], iv: [UInt8]
  ) async throws -> String {
    // A tenth of a second of hashing.
    let key: SymmetricKey = try await withCheckedThrowingContinuation { caller in
      DispatchQueue.global().async {
        caller.resume(
          with: Result {
            try KDF.Insecure.PBKDF2.deriveKey(
              from: passphrase, salt: salt, using: .sha256, outputByteCount: 32, rounds: rounds)
          })
      }
    }
    let box = try AES._CBC.encrypt(der, using: key, iv: .init(ivBytes: iv))
    var serializer = DER.Serializer()
    try serializer.appendConstructedNode(identifier: .sequence) { info in
      try info.appendConstructedNode(identifier: .sequence) { scheme in
        try scheme.serialize(try ASN1ObjectIdentifier(dotRepresentation: "1.2.840.113549.1.5.13"))
        try scheme.appendConstructedNode(identifier: .sequence) { parameters in
          try parameters.appendConstructedNode(identifier: .sequence) { derivation in
            try derivation.serialize(try ASN1ObjectIdentifier(dotRepresentation: "1.2.840.113549.1.5.12"))
            try derivation.appendConstructedNode(identifier: .sequence) { values in
              try values.serialize(ASN1OctetString(contentBytes: salt[...]))
              try values.serialize(rounds)
              try values.appendConstructedNode(identifier: .sequence) { function in
                try function.serialize(try ASN1ObjectIdentifier(dotRepresentation: "1.2.840.113549.2.9"))
                try function.serialize(ASN1Null())
              }
            }
          }
          try parameters.appendConstructedNode(identifier: .sequence) { cipher in
            try cipher.serialize(try ASN1ObjectIdentifier(dotRepresentation: "2.16.840.1.101.3.4.1.42"))
            try cipher.serialize(ASN1OctetString(contentBytes: iv[...]))
          }
        }
      }
      try info.serialize(ASN1OctetString(contentBytes: Array(box)[...]))
    }
    return pem("ENCRYPTED PRIVATE KEY", serializer.serializedBytes)
  }

  /// The PKCS #8 form of a PEM key, whatever form it came in: what this module makes is PKCS #8 already.
  /// - Throws: when the text holds no key.
  public static func der(pem: String) throws -> [UInt8] { try PEMDocument(pemString: pem).derBytes }
}
