// Encrypt, Decrypt, data keys.

import AWSWire
import KMSModel
import Testing

@testable import KMSService

@Suite("KMS: encryption") struct KMSEncryptionTests {
  @Test("a key is found by id, ARN, alias and alias ARN, and a ciphertext finds its key by itself")
  func names() async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key()
      _ = try await kms.harness.run(KMS.createAlias) {
        $0.aliasName = "alias/app"
        $0.targetKeyId = id
      }
      for name in [
        id, "arn:aws:kms:us-east-1:000000000000:key/\(id)", "alias/app",
        "arn:aws:kms:us-east-1:000000000000:alias/app",
      ] {
        let blob = try await kms.encrypt("hello", name)
        #expect(try await kms.decrypt(blob) == "hello")
        #expect(try await kms.decrypt(blob, key: name) == "hello")
      }
    }
  }

  @Test("names that name nothing are told apart")
  func unknownNames() async throws {
    try await KMSFixture.with { kms in
      for name in [
        "nonsense", "12345678-1234-1234-1234-123456789012", "alias/none",
        "arn:aws:kms:eu-west-1:000000000000:alias/aws/s3",
      ] {
        #expect(await errorCode { try await kms.encrypt("x", name) } == "NotFoundException")
      }
      #expect(await errorCode { try await kms.encrypt("x", "arn:aws:s3:::bucket") } == "InvalidArnException")
    }
  }

  @Test("decryption needs the same encryption context, in whatever order")
  func context() async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key()
      let blob = try await kms.encrypt("hello", id, context: ["a": "1", "b": "2"])
      #expect(try await kms.decrypt(blob, context: ["b": "2", "a": "1"]) == "hello")
      for wrong in [nil, ["a": "1"], ["a": "1", "b": "3"], ["a": "1b", "": "2"]] {
        #expect(await errorCode { try await kms.decrypt(blob, context: wrong) } == "InvalidCiphertextException")
      }
    }
  }

  @Test("a changed ciphertext does not decrypt")
  func tampering() async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key()
      let blob = try await kms.encrypt("hello", id)
      for at in [0, CiphertextBlob.headerBytes - 1, blob.bytes.count - 1] {
        var changed = blob.bytes
        changed[at] ^= 1
        #expect(await errorCode { try await kms.decrypt(Blob(changed)) } == "InvalidCiphertextException")
      }
      #expect(await errorCode { try await kms.decrypt([]) } == "InvalidCiphertextException")
    }
  }

  @Test("a ciphertext of another key is told apart")
  func incorrectKey() async throws {
    try await KMSFixture.with { kms in
      let (one, other) = (try await kms.key(), try await kms.key())
      let blob = try await kms.encrypt("hello", one)
      #expect(await errorCode { try await kms.decrypt(blob, key: other) } == "IncorrectKeyException")
    }
  }

  @Test("ReEncrypt moves a ciphertext to another key and context, and IAM is asked about both")
  func reEncrypt() async throws {
    try await KMSFixture.with { kms in
      let (one, other) = (try await kms.key(), try await kms.key())
      let blob = try await kms.encrypt("hello", one, context: ["a": "1"])
      let moved = try await kms.harness.run(KMS.reEncrypt) {
        $0.ciphertextBlob = blob
        $0.sourceEncryptionContext = ["a": "1"]
        $0.destinationKeyId = other
        $0.destinationEncryptionContext = ["b": "2"]
      }
      #expect(try await kms.decrypt(moved.ciphertextBlob ?? [], context: ["b": "2"], key: other) == "hello")
      #expect(kms.authority.actions.suffix(3) == ["kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:Decrypt"])
    }
  }

  @Test("data keys decrypt to the plaintext that came with them")
  func dataKeys() async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key()
      for (spec, count, length) in [("AES_256", nil, 32), ("AES_128", nil, 16), (nil, 64, 64)] as [(String?, Int?, Int)]
      {
        let made = try await kms.harness.run(KMS.generateDataKey) {
          $0.keyId = id
          $0.keySpec = spec
          $0.numberOfBytes = count
          $0.encryptionContext = ["for": "test"]
        }
        let opened = try await kms.harness.run(KMS.decrypt) {
          $0.ciphertextBlob = made.ciphertextBlob
          $0.encryptionContext = ["for": "test"]
        }
        #expect(made.plaintext?.bytes.count == length)
        #expect(opened.plaintext == made.plaintext)
      }
      #expect(
        await errorCode { try await kms.harness.run(KMS.generateDataKey) { $0.keyId = id } } == "ValidationException")
    }
  }

  @Test("the private half of a data key pair is encrypted under the key")
  func dataKeyPairs() async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key()
      for spec in ["ECC_NIST_P256", "RSA_2048"] {
        let made = try await kms.harness.run(KMS.generateDataKeyPair) {
          $0.keyId = id
          $0.keyPairSpec = spec
        }
        let opened = try await kms.harness.run(KMS.decrypt) { $0.ciphertextBlob = made.privateKeyCiphertextBlob }
        #expect(opened.plaintext == made.privateKeyPlaintext)
        #expect(made.publicKey?.bytes.first == 0x30)
      }
    }
  }

  @Test("a dry run decides and does nothing")
  func dryRun() async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key()
      let code = await errorCode {
        try await kms.harness.run(KMS.encrypt) {
          $0.keyId = id
          $0.plaintext = [1]
          $0.dryRun = true
        }
      }
      #expect(code == "DryRunOperationException")
    }
  }

  @Test("a disabled key and one that waits for its deletion refuse, each in its way; enabling brings it back")
  func states() async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key()
      let blob = try await kms.encrypt("hello", id)
      _ = try await kms.harness.run(KMS.disableKey) { $0.keyId = id }
      #expect(await errorCode { try await kms.decrypt(blob) } == "DisabledException")
      _ = try await kms.harness.run(KMS.enableKey) { $0.keyId = id }
      #expect(try await kms.decrypt(blob) == "hello")
      _ = try await kms.harness.run(KMS.scheduleKeyDeletion) { $0.keyId = id }
      #expect(await errorCode { try await kms.decrypt(blob) } == "KMSInvalidStateException")
      #expect(
        await errorCode { try await kms.harness.run(KMS.enableKey) { $0.keyId = id } } == "KMSInvalidStateException")
    }
  }

  @Test("the AWS managed key of a service comes into being when it is asked for, and stays the same")
  func managed() async throws {
    try await KMSFixture.with { kms in
      let blob = try await kms.encrypt("hello", "alias/aws/s3")
      #expect(try await kms.decrypt(blob, key: "alias/aws/s3") == "hello")
      let key = try await kms.harness.run(KMS.describeKey) { $0.keyId = "alias/aws/s3" }.keyMetadata
      #expect(key?.keyManager == "AWS")
      #expect(
        await errorCode { try await kms.harness.run(KMS.disableKey) { $0.keyId = "alias/aws/s3" } }
          == "UnsupportedOperationException")
      #expect(await errorCode { try await kms.encrypt("x", "alias/aws/unknown") } == "NotFoundException")
    }
  }
}
