// Deletion, lists, policies, passwords, CloudFormation.

import AWSCore
import AWSWire
import SecretsManagerModel
import ServiceKit
import Testing

@testable import SecretsManagerService

private let day = 86_400.0

@Suite("Secrets Manager: secrets") struct SecretsLifeTests {
  @Test("a deleted secret can be restored until its window is over, then its name is free")
  func deletion() async throws {
    try await SecretsFixture.with { secrets in
      try await secrets.create("a", "1")
      let deleted = try await delete(secrets, "a", days: 7)
      #expect(deleted.deletionDate == secrets.clock.now.adding(days: 7))
      #expect(await errorCode { try await secrets.value("a") } == "InvalidRequestException")
      #expect(await errorCode { try await secrets.create("a", "2") } == "InvalidRequestException")
      #expect(try await secrets.describe("a").deletedDate == secrets.clock.now)
      _ = try await secrets.harness.run(SecretsManager.restoreSecret) { $0.secretId = "a" }
      #expect(try await secrets.value("a") == "1")
      _ = try await delete(secrets, "a", days: 7)
      secrets.clock.advance(seconds: 6 * day)
      #expect(try await secrets.service.settle() == secrets.clock.now.adding(days: 1))
      secrets.clock.advance(seconds: day)
      #expect(try await secrets.service.settle() == nil)
      #expect(await errorCode { try await secrets.describe("a") } == "ResourceNotFoundException")
      let left = try await secrets.harness.environment.store.read { try $0.count(SecretValueRecord.self) }
      #expect(left == 0)
      try await secrets.create("a", "3")
      #expect(try await secrets.value("a") == "3")
    }
  }

  @Test("without recovery a secret is gone at once, and deleting nothing is no error")
  func forced() async throws {
    try await SecretsFixture.with { secrets in
      try await secrets.create("a", "1")
      for _ in 0..<2 {
        _ = try await secrets.harness.run(SecretsManager.deleteSecret) {
          $0.secretId = "a"
          $0.forceDeleteWithoutRecovery = true
        }
      }
      #expect(await errorCode { try await secrets.describe("a") } == "ResourceNotFoundException")
      #expect(await errorCode { try await delete(secrets, "a", days: 7) } == "ResourceNotFoundException")
      try await secrets.create("a", "1")
      #expect(await errorCode { try await delete(secrets, "a", days: 3) } == "InvalidParameterException")
    }
  }

  @Test("what is sent comes back, and lists are filtered, sorted and paged")
  func lists() async throws {
    try await SecretsFixture.with { secrets in
      for (name, description, team) in [("app/a", "first secret", "x"), ("app/b", "Second thing", "y"), ("z", "", "x")]
      {
        secrets.clock.advance(seconds: 1)
        try await secrets.create(name, "1") {
          $0.description = description
          $0.tags = [
            .make {
              $0.key = "team"
              $0.value = team
            }
          ]
        }
      }
      #expect(try await secrets.describe("app/a").tags?.map(\.value) == ["x"])
      #expect(try await names(secrets) == ["z", "app/b", "app/a"])
      #expect(try await names(secrets, "name", ["app/"]) == ["app/b", "app/a"])
      #expect(try await names(secrets, "name", ["!app/"]) == ["z"])
      #expect(try await names(secrets, "description", ["SEC"]) == ["app/b", "app/a"])
      #expect(try await names(secrets, "tag-value", ["x"]) == ["z", "app/a"])
      #expect(try await names(secrets, "all", ["thing app"]) == ["app/b"])
      let first = try await secrets.harness.run(SecretsManager.listSecrets) {
        $0.maxResults = 2
        $0.sortBy = "name"
        $0.sortOrder = "asc"
      }
      let second = try await secrets.harness.run(SecretsManager.listSecrets) {
        $0.maxResults = 2
        $0.sortBy = "name"
        $0.sortOrder = "asc"
        $0.nextToken = first.nextToken
      }
      #expect(first.secretList?.map(\.name) == ["app/a", "app/b"])
      #expect(second.secretList?.map(\.name) == ["z"])
      #expect(second.nextToken == nil)
    }
  }

  @Test("a resource policy is given to IAM; a broken or public one is refused")
  func policies() async throws {
    try await SecretsFixture.with { secrets in
      try await secrets.create("a", "1")
      let policy = #"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"secretsmanager:*","Resource":"*"}]}"#
      func put(_ text: String, block: Bool) async throws {
        _ = try await secrets.harness.run(SecretsManager.putResourcePolicy) {
          $0.secretId = "a"
          $0.resourcePolicy = text
          $0.blockPublicPolicy = block
        }
      }
      #expect(await errorCode { try await put("{", block: false) } == "MalformedPolicyDocumentException")
      #expect(await errorCode { try await put(policy, block: true) } == "PublicPolicyException")
      try await put(policy, block: false)
      let told = try await secrets.harness.run(SecretsManager.getResourcePolicy) { $0.secretId = "a" }
      #expect(told.resourcePolicy == policy)
      #expect(secrets.authority.last?.access.policy == policy)
      _ = try await secrets.harness.run(SecretsManager.deleteResourcePolicy) { $0.secretId = "a" }
      #expect(
        try await secrets.harness.run(SecretsManager.getResourcePolicy) { $0.secretId = "a" }.resourcePolicy == nil)
    }
  }

  @Test("a password has the length and the kinds of characters that were asked for")
  func passwords() throws {
    func make(_ configure: (inout SecretsManager.GetRandomPasswordRequest) -> Void) throws -> String {
      try RandomPassword.make(.make { configure(&$0) }, SystemIdentifiers())
    }
    let plain = try make { _ in }
    #expect(plain.count == 32)
    #expect(
      plain.contains(where: \.isLowercase) && plain.contains(where: \.isUppercase) && plain.contains(where: \.isNumber))
    let letters = try make {
      $0.passwordLength = 200
      $0.excludePunctuation = true
      $0.excludeNumbers = true
      $0.excludeCharacters = "abcABC"
    }
    #expect(letters.allSatisfy { $0.isLetter && !"abcABC".contains($0) })
    #expect(throws: AWSError.self) { try make { $0.passwordLength = 3 } }
    #expect(try make { ($0.passwordLength, $0.requireEachIncludedType) = (3, false) }.count == 3)
    #expect(throws: AWSError.self) {
      try make {
        ($0.excludeLowercase, $0.excludeUppercase, $0.excludeNumbers, $0.excludePunctuation) = (true, true, true, true)
      }
    }
  }

  @Test("a stack generates a password into a template, and attaches the database to the secret")
  func stack() async throws {
    try await SecretsFixture.with { secrets in
      let context = ResourceContext(
        stackName: "s", stackID: "id", logicalID: "Secret", tags: ["aws:cloudformation:stack-name": "s"],
        call: secrets.harness.call())
      let properties: JSONValue = [
        "GenerateSecretString": [
          "SecretStringTemplate": #"{"username":"app"}"#, "GenerateStringKey": "password", "PasswordLength": 20,
          "ExcludePunctuation": true,
        ]
      ]
      let provider = secrets.service.secretProvider
      let handle = try await provider.create(properties, context)
      #expect(handle.attributes["Id"] == .string(handle.physicalID))
      let text = try await secrets.value(handle.physicalID) ?? ""
      #expect(text.hasPrefix(#"{"password":""#) && text.hasSuffix(#"","username":"app"}"#))
      let attachment = secrets.service.attachmentProvider
      let target: JSONValue = [
        "SecretId": .string(handle.physicalID), "TargetId": "orders", "TargetType": "AWS::RDS::DBCluster",
      ]
      let attached = try await attachment.create(target, context)
      #expect(attached.physicalID == handle.physicalID)
      let whole = try await secrets.value(handle.physicalID) ?? ""
      #expect(whole.contains(#""dbClusterIdentifier":"orders","dbname":"orders","engine":"postgres""#))
      #expect(whole.contains(#""host":"orders.cluster.local""#) && whole.contains(#""port":5432"#))
      _ = try await provider.update(handle, properties, properties, context)
      #expect(try await secrets.value(handle.physicalID) == whole)
      try await attachment.delete(attached, target, context)
      #expect(try await secrets.value(handle.physicalID) == text)
      let policy = try await secrets.service.policyProvider.create(
        ["SecretId": .string(handle.physicalID), "ResourcePolicy": ["Statement": [policyStatement]]], context)
      for _ in 0..<2 {
        try await secrets.service.policyProvider.delete(policy, [:], context)
        try await provider.delete(handle, properties, context)
      }
      #expect(
        await errorCode { try await secrets.service.rotationProvider.create([:], context) } == "NotImplemented")
    }
  }

  @Test("what is not built says so")
  func notBuilt() async throws {
    try await SecretsFixture.with { secrets in
      let code = await errorCode {
        try await secrets.create("a", "1") { $0.addReplicaRegions = [.make { $0.region = "eu-west-1" }] }
      }
      #expect(code == "NotImplemented")
    }
  }

  // MARK: -

  private let policyStatement: JSONValue = [
    "Effect": "Allow", "Principal": ["AWS": "arn:aws:iam::000000000000:root"], "Action": "secretsmanager:*",
    "Resource": "*",
  ]

  private func delete(
    _ secrets: SecretsFixture, _ id: String, days: Int
  ) async throws -> SecretsManager.DeleteSecretResponse {
    try await secrets.harness.run(SecretsManager.deleteSecret) {
      $0.secretId = id
      $0.recoveryWindowInDays = days
    }
  }

  private func names(_ secrets: SecretsFixture, _ key: String? = nil, _ values: [String] = []) async throws -> [String]
  {
    try await secrets.harness.run(SecretsManager.listSecrets) {
      if let key {
        $0.filters = [
          .make {
            $0.key = key
            $0.values = values
          }
        ]
      }
    }.secretList?.compactMap(\.name) ?? []
  }
}
