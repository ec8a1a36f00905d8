// Values, versions and staging labels.

import AWSCore
import AWSWire
import KMSModel
import SecretsManagerModel
import Testing

@testable import SecretsManagerService

private let token = "11111111-1111-1111-1111-111111111111"

@Suite("Secrets Manager: values") struct SecretsValueTests {
  @Test("a value is read by name, ARN and ARN without its six characters")
  func names() async throws {
    try await SecretsFixture.with { secrets in
      let made = try await secrets.create("app/db-secret", "s3cret")
      let arn = try #require(made.arn)
      #expect(arn.hasPrefix("arn:aws:secretsmanager:us-east-1:000000000000:secret:app/db-secret-"))
      for name in ["app/db-secret", arn, String(arn.dropLast(7))] {
        #expect(try await secrets.value(name) == "s3cret")
      }
      for name in ["app/db", "\(arn)x", String(arn.dropLast(1)) + "_"] {
        #expect(await errorCode { try await secrets.value(name) } == "ResourceNotFoundException")
      }
    }
  }

  @Test("bytes come back as bytes")
  func binary() async throws {
    try await SecretsFixture.with { secrets in
      try await secrets.create("b") { $0.secretBinary = [0, 255, 1] }
      let value = try await secrets.harness.run(SecretsManager.getSecretValue) { $0.secretId = "b" }
      #expect(value.secretBinary == [0, 255, 1])
      #expect(value.secretString == nil)
    }
  }

  @Test("the same request again is the same secret; another value under the same token or name is refused")
  func idempotency() async throws {
    try await SecretsFixture.with { secrets in
      let first = try await secrets.create("a", "1") { $0.clientRequestToken = token }
      let again = try await secrets.create("a", "1") { $0.clientRequestToken = token }
      #expect(first.arn == again.arn && again.versionId == token)
      for (value, token) in [("2", token), ("1", token.replacing("1", with: "2"))] {
        let code = await errorCode { try await secrets.create("a", value) { $0.clientRequestToken = token } }
        #expect(code == "ResourceExistsException")
      }
      #expect(try await secrets.put("a", "1", token: token).versionId == token)
      #expect(await errorCode { try await secrets.put("a", "2", token: token) } == "ResourceExistsException")
    }
  }

  @Test("a new value is current, and what was current is previous")
  func stages() async throws {
    try await SecretsFixture.with { secrets in
      try await secrets.create("a", "1")
      try await secrets.put("a", "2")
      try await secrets.put("a", "3")
      #expect(try await secrets.value("a") == "3")
      #expect(try await secrets.value("a", stage: "AWSPREVIOUS") == "2")
      let pending = try await secrets.put("a", "4", stages: ["AWSPENDING"])
      #expect(try await secrets.value("a") == "3")
      #expect(try await secrets.value("a", stage: "AWSPENDING") == "4")
      let current = try await secrets.describe("a").versionIdsToStages?.first { $0.value.contains("AWSCURRENT") }?.key
      #expect(
        await errorCode { try await move(secrets, "AWSCURRENT", to: pending.versionId) } == "InvalidParameterException")
      try await move(secrets, "AWSCURRENT", from: current, to: pending.versionId)
      #expect(try await secrets.value("a") == "4")
      #expect(try await secrets.value("a", stage: "AWSPREVIOUS") == "3")
      #expect(
        await errorCode { try await secrets.value("a", stage: "AWSCURRENT", version: current) }
          == "InvalidRequestException")
      let all = try await secrets.harness.run(SecretsManager.listSecretVersionIds) {
        $0.secretId = "a"
        $0.includeDeprecated = true
      }
      #expect(all.versions?.count == 4)
      let labelled = try await secrets.harness.run(SecretsManager.listSecretVersionIds) { $0.secretId = "a" }
      #expect(labelled.versions?.count == 2)
    }
  }

  @Test("the first value is current whatever its labels")
  func firstVersion() async throws {
    try await SecretsFixture.with { secrets in
      try await secrets.create("a")
      #expect(await errorCode { try await secrets.value("a") } == "ResourceNotFoundException")
      let put = try await secrets.put("a", "1", stages: ["MINE"])
      #expect(put.versionStages == ["MINE", "AWSCURRENT"])
    }
  }

  @Test("beyond a hundred versions the oldest without labels go")
  func pruning() {
    var versions: [SecretVersion] = []
    let start = Timestamp(milliseconds: 0)
    for number in 0..<101 {
      versions.append(SecretVersion(id: "\(number)", stages: [], created: start.adding(seconds: Double(number))))
      VersionStages.attach([VersionStages.current], to: "\(number)", in: &versions)
    }
    #expect(VersionStages.prune(&versions, now: start.adding(seconds: 200)) == [])
    #expect(VersionStages.prune(&versions, now: start.adding(days: 2)) == ["0"])
  }

  @Test("values are under the secret's KMS key, with the caller's rights to it, through Secrets Manager")
  func kms() async throws {
    try await SecretsFixture.with { secrets in
      let key = try await secrets.harness.run(KMS.createKey).keyMetadata?.arn ?? ""
      let arn = try await secrets.create("a", "1") { $0.kmsKeyId = key }.arn ?? ""
      #expect(try await secrets.describe("a").kmsKeyId == key)
      #expect(try await secrets.value("a") == "1")
      let asked = try #require(secrets.authority.last)
      #expect(asked.action == "kms:Decrypt")
      #expect(asked.access.arn == key)
      #expect(asked.access.context["kms:EncryptionContext:SecretARN"] == [arn])
      #expect(asked.access.context["kms:ViaService"] == ["secretsmanager.us-east-1.amazonaws.com"])
      _ = try await secrets.harness.run(KMS.disableKey) { $0.keyId = key }
      #expect(await errorCode { try await secrets.value("a") } == "DecryptionFailure")
      #expect(await errorCode { try await secrets.put("a", "2") } == "EncryptionFailure")
      _ = try await secrets.harness.run(KMS.enableKey) { $0.keyId = key }
      #expect(try await secrets.value("a") == "1")
    }
  }

  @Test("when a secret's KMS key changes, its values are under the new one and no version is made")
  func keyChange() async throws {
    try await SecretsFixture.with { secrets in
      let old = try await secrets.harness.run(KMS.createKey).keyMetadata?.arn ?? ""
      let new = try await secrets.harness.run(KMS.createKey).keyMetadata?.arn ?? ""
      try await secrets.create("a", "1") { $0.kmsKeyId = old }
      try await secrets.put("a", "2")
      let update = try await secrets.harness.run(SecretsManager.updateSecret) {
        $0.secretId = "a"
        $0.kmsKeyId = new
        $0.description = "moved"
        $0.clientRequestToken = token
      }
      #expect(update.versionId == nil)
      _ = try await secrets.harness.run(KMS.disableKey) { $0.keyId = old }
      #expect(try await secrets.value("a") == "2")
      #expect(try await secrets.value("a", stage: "AWSPREVIOUS") == "1")
      let described = try await secrets.describe("a")
      #expect(described.kmsKeyId == new && described.description == "moved")
    }
  }

  @Test("a batch tells values and errors apart, by list or by filter")
  func batch() async throws {
    try await SecretsFixture.with { secrets in
      try await secrets.create("app/a", "1")
      try await secrets.create("app/b", "2")
      try await secrets.create("other", "3")
      let listed = try await secrets.harness.run(SecretsManager.batchGetSecretValue) {
        $0.secretIdList = ["app/a", "none"]
      }
      #expect(listed.secretValues?.map(\.secretString) == ["1"])
      #expect(listed.errors?.map(\.errorCode) == ["ResourceNotFoundException"])
      let filtered = try await secrets.harness.run(SecretsManager.batchGetSecretValue) {
        $0.filters = [
          .make {
            $0.key = "name"
            $0.values = ["app/"]
          }
        ]
      }
      #expect(filtered.secretValues?.map(\.secretString) == ["1", "2"])
    }
  }

  private func move(_ secrets: SecretsFixture, _ stage: String, from: String? = nil, to: String?) async throws {
    _ = try await secrets.harness.run(SecretsManager.updateSecretVersionStage) {
      $0.secretId = "a"
      $0.versionStage = stage
      $0.removeFromVersionId = from
      $0.moveToVersionId = to
    }
  }
}
