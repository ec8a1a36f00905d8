// Asymmetric and HMAC keys.

import AWSWire
import CastleTesting
import Foundation
import KMSModel
import Testing

@testable import KMSService

private let opensslPath = "/usr/bin/openssl"

@Suite("KMS: signatures and codes") struct KMSSigningTests {
  @Test(
    "a signature verifies with the key and not with another message",
    arguments: [
      ("ECC_NIST_P256", "ECDSA_SHA_256"), ("ECC_NIST_P384", "ECDSA_SHA_384"), ("ECC_NIST_P521", "ECDSA_SHA_512"),
      ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"), ("RSA_2048", "RSASSA_PSS_SHA_256"),
      ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_512"), ("RSA_3072", "RSASSA_PSS_SHA_384"),
    ])
  func signatures(spec: String, algorithm: String) async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key {
        $0.keySpec = spec
        $0.keyUsage = "SIGN_VERIFY"
      }
      let signature = try await sign(kms, id, algorithm, Array("message".utf8))
      #expect(await verify(kms, id, algorithm, Array("message".utf8), signature) == nil)
      #expect(await verify(kms, id, algorithm, Array("messagf".utf8), signature) == "KMSInvalidSignatureException")
      #expect(await verify(kms, id, algorithm, Array("message".utf8), [1, 2, 3]) == "KMSInvalidSignatureException")
    }
  }

  @Test(
    "OpenSSL accepts the signature of a digest with the public key that is told",
    .enabled(if: FileManager.default.isExecutableFile(atPath: opensslPath)),
    arguments: [
      ("ECC_NIST_P256", "ECDSA_SHA_256", [String]()), ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", []),
      (
        "RSA_2048", "RSASSA_PSS_SHA_256",
        ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"]
      ),
    ])
  func openssl(spec: String, algorithm: String, options: [String]) async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key {
        $0.keySpec = spec
        $0.keyUsage = "SIGN_VERIFY"
      }
      let digest = (0..<32).map { UInt8($0) }
      let signature = try await sign(kms, id, algorithm, digest, type: "DIGEST")
      let publicKey = try await kms.harness.run(KMS.getPublicKey) { $0.keyId = id }.publicKey ?? []
      let folder = kms.harness.directory
      try Data(digest).write(to: URL(fileURLWithPath: "\(folder)/digest"))
      try Data(signature.bytes).write(to: URL(fileURLWithPath: "\(folder)/signature"))
      try Data(publicKey.bytes).write(to: URL(fileURLWithPath: "\(folder)/key"))
      let verified = try await Program.run(
        [opensslPath, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "\(folder)/key"]
          + ["-in", "\(folder)/digest", "-sigfile", "\(folder)/signature", "-pkeyopt", "digest:sha256"] + options)
      #expect(verified.status == 0)
    }
  }

  @Test("a digest of the wrong length, a wrong usage and a wrong algorithm are refused")
  func refusals() async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key {
        $0.keySpec = "ECC_NIST_P256"
        $0.keyUsage = "SIGN_VERIFY"
      }
      let symmetric = try await kms.key()
      #expect(
        await errorCode { try await sign(kms, id, "ECDSA_SHA_256", [1], type: "DIGEST") } == "ValidationException")
      #expect(
        await errorCode { try await sign(kms, id, "ECDSA_SHA_384", [1]) } == "InvalidKeyUsageException")
      #expect(await errorCode { try await sign(kms, symmetric, "ECDSA_SHA_256", [1]) } == "InvalidKeyUsageException")
      #expect(await errorCode { try await kms.encrypt("x", id) } == "InvalidKeyUsageException")
    }
  }

  @Test("an RSA key decrypts what it encrypted, up to the length that its padding leaves")
  func rsaEncryption() async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key {
        $0.keySpec = "RSA_2048"
        $0.keyUsage = "ENCRYPT_DECRYPT"
      }
      for (algorithm, longest) in [("RSAES_OAEP_SHA_1", 214), ("RSAES_OAEP_SHA_256", 190)] {
        let plaintext = Blob([UInt8](repeating: 7, count: longest))
        let blob = try await kms.harness.run(KMS.encrypt) {
          $0.keyId = id
          $0.plaintext = plaintext
          $0.encryptionAlgorithm = algorithm
        }.ciphertextBlob
        let opened = try await kms.harness.run(KMS.decrypt) {
          $0.keyId = id
          $0.ciphertextBlob = blob
          $0.encryptionAlgorithm = algorithm
        }
        #expect(opened.plaintext == plaintext)
        let code = await errorCode {
          try await kms.harness.run(KMS.encrypt) {
            $0.keyId = id
            $0.plaintext = Blob(plaintext.bytes + [7])
            $0.encryptionAlgorithm = algorithm
          }
        }
        #expect(code == "ValidationException")
      }
    }
  }

  @Test("a code verifies, and a changed one does not", arguments: ["224", "256", "384", "512"])
  func codes(bits: String) async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key {
        $0.keySpec = "HMAC_\(bits)"
        $0.keyUsage = "GENERATE_VERIFY_MAC"
      }
      let made = try await kms.harness.run(KMS.generateMac) {
        $0.keyId = id
        $0.message = [1, 2, 3]
        $0.macAlgorithm = "HMAC_SHA_\(bits)"
      }
      #expect(made.mac.map { $0.bytes.count * 8 } == Int(bits))
      for (mac, expected) in [(made.mac ?? [], nil), ([0], "KMSInvalidMacException")] as [(Blob, String?)] {
        let code = await errorCode {
          try await kms.harness.run(KMS.verifyMac) {
            $0.keyId = id
            $0.message = [1, 2, 3]
            $0.mac = mac
            $0.macAlgorithm = "HMAC_SHA_\(bits)"
          }
        }
        #expect(code == expected)
      }
    }
  }

  @Test("SHA-224 and its HMAC give the published values (FIPS 180-4, RFC 4231)")
  func sha224() {
    func hex(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }
    #expect(hex(SHA224.hash(Array("abc".utf8))) == "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7")
    #expect(hex(SHA224.hash([])) == "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f")
    let jefe = SHA224.hmac(key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
    #expect(hex(jefe) == "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44")
  }

  private func sign(
    _ kms: KMSFixture, _ id: String, _ algorithm: String, _ message: [UInt8], type: String = "RAW"
  ) async throws -> Blob {
    try await kms.harness.run(KMS.sign) {
      $0.keyId = id
      $0.message = Blob(message)
      $0.messageType = type
      $0.signingAlgorithm = algorithm
    }.signature ?? []
  }

  private func verify(
    _ kms: KMSFixture, _ id: String, _ algorithm: String, _ message: [UInt8], _ signature: Blob
  ) async -> String? {
    await errorCode {
      try await kms.harness.run(KMS.verify) {
        $0.keyId = id
        $0.message = Blob(message)
        $0.signature = signature
        $0.signingAlgorithm = algorithm
      }
    }
  }
}
