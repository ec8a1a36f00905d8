// Keys: policies, aliases, tags, grants, rotation and deletion by the clock, CloudFormation.

import AWSCore
import AWSWire
import KMSModel
import Policy
import ServiceKit
import Testing

@testable import KMSService

private let day = 86_400.0

@Suite("KMS: keys") struct KMSKeyTests {
  @Test("what is sent to CreateKey comes back from the describing operations")
  func roundTrip() async throws {
    try await KMSFixture.with { kms in
      let policy = KeyPolicy.default(account: "000000000000").replacing("key-default-1", with: "mine")
      let id = try await kms.key {
        $0.description = "main"
        $0.policy = policy
        $0.multiRegion = true
        $0.tags = [tag("b", "2"), tag("a", "1")]
      }
      let key = try await kms.harness.run(KMS.describeKey) { $0.keyId = id }.keyMetadata
      #expect(id.hasPrefix("mrk-"))
      #expect(key?.description == "main")
      #expect(key?.multiRegionConfiguration?.multiRegionKeyType == "PRIMARY")
      #expect(key?.encryptionAlgorithms == ["SYMMETRIC_DEFAULT"])
      #expect(try await kms.harness.run(KMS.getKeyPolicy) { $0.keyId = id }.policy == policy)
      let tags = try await kms.harness.run(KMS.listResourceTags) { $0.keyId = id }.tags
      #expect(tags?.map(\.tagKey) == ["a", "b"])
      let rotation = try await kms.harness.run(KMS.getKeyRotationStatus) { $0.keyId = id }
      #expect(rotation.keyRotationEnabled == false)
      let blob = try await kms.encrypt("hello", id)
      #expect(try await kms.decrypt(blob) == "hello")
    }
  }

  @Test("a policy that is no policy, or locks its author out, is refused unless that is wanted")
  func policies() async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key()
      let lockout = """
        {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/x"},
        "Action":"kms:*","Resource":"*"}]}
        """
      for policy in ["{", "{}", #"{"Statement":[{"Effect":"Allow"}]}"#, lockout] {
        #expect(await errorCode { try await put(kms, id, policy, false) } == "MalformedPolicyDocumentException")
      }
      #expect(await errorCode { try await put(kms, id, lockout, true) } == nil)
    }
  }

  @Test("a policy that names a role lets the role's session keep the key; a condition that does not hold locks it out")
  func lockoutOfARole() throws {
    let role = "arn:aws:iam::000000000000:role/ops"
    var session = Principal(
      kind: .assumedRole, account: "000000000000", arn: "arn:aws:sts::000000000000:assumed-role/ops/s",
      userID: "AROA:s")
    session.roleARN = role
    func check(_ condition: String) throws {
      try KeyPolicy.check(
        """
        {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"\(role)"},"Action":"kms:Put*",
        "Resource":"*"\(condition)}]}
        """, caller: PolicyPrincipal(session), key: "arn:aws:kms:us-east-1:000000000000:key/k",
        bypassLockoutCheck: false)
    }
    #expect(throws: Never.self) { try check("") }
    #expect(throws: Never.self) { try check(#","Condition":{"StringEquals":{"kms:CallerAccount":"000000000000"}}"#) }
    #expect(throws: AWSError.self) { try check(#","Condition":{"StringEquals":{"kms:CallerAccount":"1"}}"#) }
  }

  @Test("an alias names one key at a time, and is listed by its key")
  func aliases() async throws {
    try await KMSFixture.with { kms in
      let (one, other) = (try await kms.key(), try await kms.key())
      try await create(kms, "alias/a", one)
      #expect(await errorCode { try await create(kms, "alias/a", other) } == "AlreadyExistsException")
      #expect(await errorCode { try await create(kms, "b", other) } == "ValidationException")
      #expect(await errorCode { try await create(kms, "alias/aws/mine", other) } == "NotAuthorizedException")
      #expect(await errorCode { try await create(kms, "alias/b", "alias/a") } == "ValidationException")
      _ = try await kms.harness.run(KMS.updateAlias) {
        $0.aliasName = "alias/a"
        $0.targetKeyId = other
      }
      let listed = try await kms.harness.run(KMS.listAliases) { $0.keyId = other }.aliases
      #expect(listed?.map(\.aliasName) == ["alias/a"])
      _ = try await kms.harness.run(KMS.deleteAlias) { $0.aliasName = "alias/a" }
      #expect(
        await errorCode { try await kms.harness.run(KMS.deleteAlias) { $0.aliasName = "alias/a" } }
          == "NotFoundException")
    }
  }

  @Test("lists come in pages")
  func pages() async throws {
    try await KMSFixture.with { kms in
      var made: Set<String> = []
      for _ in 0..<5 { made.insert(try await kms.key()) }
      var listed: [String] = []
      var marker: String?
      repeat {
        let page = try await kms.harness.run(KMS.listKeys) {
          $0.limit = 2
          $0.marker = marker
        }
        listed += page.keys?.compactMap(\.keyId) ?? []
        marker = page.nextMarker
        #expect(page.truncated == (marker != nil))
      } while marker != nil
      #expect(listed.count == 5 && Set(listed) == made)
      #expect(
        await errorCode { try await kms.harness.run(KMS.listKeys) { $0.marker = "?" } } == "InvalidMarkerException")
    }
  }

  @Test("after a rotation new data is under new material, and old ciphertexts still decrypt")
  func rotation() async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key()
      let before = try await kms.encrypt("old", id)
      _ = try await kms.harness.run(KMS.rotateKeyOnDemand) { $0.keyId = id }
      let after = try await kms.encrypt("new", id)
      #expect(CiphertextBlob(before.bytes)?.materialID != CiphertextBlob(after.bytes)?.materialID)
      #expect(try await kms.decrypt(before) == "old")
      #expect(try await kms.decrypt(after) == "new")
      let rotations = try await kms.harness.run(KMS.listKeyRotations) { $0.keyId = id }.rotations
      #expect(rotations?.map(\.rotationType) == ["ON_DEMAND"])
      let all = try await kms.harness.run(KMS.listKeyRotations) {
        $0.keyId = id
        $0.includeKeyMaterial = "ALL_KEY_MATERIAL"
      }.rotations
      #expect(all?.map(\.keyMaterialState) == ["NON_CURRENT", "CURRENT"])
    }
  }

  @Test("automatic rotation comes when its period is over, again and again")
  func automaticRotation() async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key()
      _ = try await kms.harness.run(KMS.enableKeyRotation) {
        $0.keyId = id
        $0.rotationPeriodInDays = 90
      }
      let blob = try await kms.encrypt("old", id)
      kms.clock.advance(seconds: 89 * day)
      #expect(try await kms.service.settle() == kms.clock.now.adding(days: 1))
      #expect(try await rotations(kms, id) == 0)
      for round in 1...2 {
        kms.clock.advance(seconds: 90 * day)
        _ = try await kms.service.settle()
        #expect(try await rotations(kms, id) == round)
      }
      #expect(try await kms.decrypt(blob) == "old")
      let status = try await kms.harness.run(KMS.getKeyRotationStatus) { $0.keyId = id }
      #expect(status.rotationPeriodInDays == 90)
      #expect(status.nextRotationDate == kms.clock.now.adding(days: 90))
    }
  }

  @Test("a key that waits for its deletion goes when the window is over, with its aliases; the loop sees the clock")
  func deletion() async throws {
    try await KMSFixture.with { kms in
      let (kept, gone) = (try await kms.key(), try await kms.key())
      try await create(kms, "alias/gone", gone)
      let blob = try await kms.encrypt("hello", gone)
      for id in [kept, gone] {
        let answer = try await kms.harness.run(KMS.scheduleKeyDeletion) {
          $0.keyId = id
          $0.pendingWindowInDays = 7
        }
        #expect(answer.deletionDate == kms.clock.now.adding(days: 7))
      }
      _ = try await kms.harness.run(KMS.cancelKeyDeletion) { $0.keyId = kept }
      #expect(try await kms.state(kept) == "Disabled")
      let changes = kms.harness.environment.store.changes(in: [KeyRecord.collection])
      let loop = Task { try await kms.service.run() }
      defer { loop.cancel() }
      kms.clock.advance(seconds: 8 * day)
      var iterator = changes.makeAsyncIterator()
      while await errorCode({ try await kms.state(gone) }) == nil { _ = await iterator.next() }
      #expect(await errorCode { try await kms.decrypt(blob) } == "AccessDeniedException")
      #expect(await errorCode { try await kms.encrypt("x", "alias/gone") } == "NotFoundException")
      #expect(try await kms.state(kept) == "Disabled")
    }
  }

  @Test("a grant is told to IAM for its operations and encryption context only")
  func grants() async throws {
    try await KMSFixture.with { kms in
      let id = try await kms.key()
      let grantee = "arn:aws:iam::000000000000:role/app"
      func make() async throws -> KMS.CreateGrantResponse {
        try await kms.harness.run(KMS.createGrant) {
          $0.keyId = id
          $0.granteePrincipal = grantee
          $0.retiringPrincipal = "arn:aws:iam::000000000000:role/owner"
          $0.operations = ["Encrypt", "Decrypt"]
          $0.name = "g"
          $0.constraints = .make { $0.encryptionContextSubset = ["app": "x"] }
        }
      }
      let made = try await make()
      #expect(try await make().grantId == made.grantId)
      _ = try await kms.encrypt("hello", id, context: ["app": "x", "more": "y"])
      #expect(kms.authority.last?.access.grants == [grantee])
      #expect(kms.authority.last?.access.kind == .kmsKey)
      #expect(kms.authority.last?.access.context["kms:EncryptionContext:app"] == ["x"])
      _ = try await kms.encrypt("hello", id, context: ["app": "z"])
      #expect(kms.authority.last?.access.grants == [])
      _ = try await kms.harness.run(KMS.generateDataKey) {
        $0.keyId = id
        $0.keySpec = "AES_256"
        $0.encryptionContext = ["app": "x"]
      }
      #expect(kms.authority.last?.access.grants == [])
      let listed = try await kms.harness.run(KMS.listRetirableGrants) {
        $0.retiringPrincipal = "arn:aws:iam::000000000000:role/owner"
      }
      #expect(listed.grants?.map(\.grantId) == [made.grantId])
      _ = try await kms.harness.run(KMS.retireGrant) { $0.grantToken = made.grantToken }
      #expect(try await kms.harness.run(KMS.listGrants) { $0.keyId = id }.grants?.isEmpty == true)
      let again = try await make()
      _ = try await kms.harness.run(KMS.revokeGrant) {
        $0.keyId = id
        $0.grantId = again.grantId ?? ""
      }
      #expect(
        await errorCode { try await kms.harness.run(KMS.retireGrant) { $0.grantToken = again.grantToken } }
          == "InvalidGrantTokenException")
    }
  }

  @Test("a stack makes, changes and removes a key and its alias")
  func stack() async throws {
    try await KMSFixture.with { kms in
      let context = ResourceContext(
        stackName: "s", stackID: "id", logicalID: "Key", tags: ["aws:cloudformation:stack-name": "s"],
        call: kms.harness.call())
      let key = kms.service.keyProvider
      let first: JSONValue = [
        "Description": "one", "EnableKeyRotation": true, "KeyPolicy": policyObject,
        "Tags": [["Key": "a", "Value": "1"]],
      ]
      let handle = try await key.create(first, context)
      #expect(
        handle.attributes["Arn"] == .string("arn:aws:kms:us-east-1:000000000000:key/\(handle.physicalID)"))
      let alias = kms.service.aliasProvider
      let name = try await alias.create(
        ["AliasName": "alias/s", "TargetKeyId": .string(handle.physicalID)], context)
      #expect(name.physicalID == "alias/s")
      let second: JSONValue = ["Description": "two", "Enabled": false, "KeyPolicy": policyObject]
      // Rotation is turned off before the key is, as AWS wants the key enabled for it.
      _ = try await key.update(handle, first, second, context)
      let tags = try await kms.harness.run(KMS.listResourceTags) { $0.keyId = handle.physicalID }.tags
      #expect(tags?.map(\.tagKey) == ["aws:cloudformation:stack-name"])
      #expect(try await kms.state(handle.physicalID) == "Disabled")
      for _ in 0..<2 {
        try await alias.delete(name, [:], context)
        try await key.delete(handle, second, context)
      }
      #expect(try await kms.state(handle.physicalID) == "PendingDeletion")
    }
  }

  // MARK: -

  private let policyObject: JSONValue = [
    "Version": "2012-10-17",
    "Statement": [
      [
        "Effect": "Allow", "Principal": ["AWS": "arn:aws:iam::000000000000:root"], "Action": "kms:*", "Resource": "*",
      ]
    ],
  ]

  private func tag(_ key: String, _ value: String) -> KMS.Tag {
    .make {
      $0.tagKey = key
      $0.tagValue = value
    }
  }

  private func put(_ kms: KMSFixture, _ id: String, _ policy: String, _ bypass: Bool) async throws {
    _ = try await kms.harness.run(KMS.putKeyPolicy) {
      $0.keyId = id
      $0.policy = policy
      $0.bypassPolicyLockoutSafetyCheck = bypass
    }
  }

  private func create(_ kms: KMSFixture, _ alias: String, _ key: String) async throws {
    _ = try await kms.harness.run(KMS.createAlias) {
      $0.aliasName = alias
      $0.targetKeyId = key
    }
  }

  private func rotations(_ kms: KMSFixture, _ id: String) async throws -> Int {
    try await kms.harness.run(KMS.listKeyRotations) { $0.keyId = id }.rotations?.count ?? -1
  }
}
