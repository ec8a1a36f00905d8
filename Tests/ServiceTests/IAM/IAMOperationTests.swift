// IAM's operations: names, errors, conflicts, listings.

import AWSCore
import AWSWire
import Foundation
import IAMModel
import STSModel
import ServiceKit
import Testing

@Suite("IAM: operations")
struct IAMOperationTests {
  @Test("a role comes back as it was sent, its trust policy percent-encoded")
  func roleRoundTrip() async throws {
    try await IAMFixture.with { f in
      let trust =
        #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#
      let made = try await f.run(IAM.createRole) {
        $0.roleName = "Exec"
        $0.path = "/svc/"
        $0.assumeRolePolicyDocument = trust
        $0.maxSessionDuration = 7200
        $0.tags = [.make { ($0.key, $0.value) = ("Rev", "1") }]
      }
      #expect(made.role?.arn == "arn:aws:iam::000000000000:role/svc/Exec")
      #expect(made.role?.roleId?.hasPrefix("AROA") == true)
      #expect(made.role?.roleId?.count == 21)
      let role = try await f.run(IAM.getRole) { $0.roleName = "Exec" }.role
      #expect(role?.assumeRolePolicyDocument?.removingPercentEncoding == trust)
      #expect(role?.assumeRolePolicyDocument?.hasPrefix("%7B%22Version%22%3A") == true)
      #expect(role?.maxSessionDuration == 7200)
      #expect(role?.tags?.map(\.key) == ["Rev"])
      #expect(try await f.run(IAM.listRoles) { $0.pathPrefix = "/svc/" }.roles?.count == 1)
      #expect(try await f.run(IAM.listRoles) { $0.pathPrefix = "/other/" }.roles?.isEmpty == true)
    }
  }

  @Test("what is missing, taken or in use is refused with AWS's code and words")
  func errors() async throws {
    try await IAMFixture.with { f in
      let missing = await #expect(throws: AWSError.self) { _ = try await f.run(IAM.getRole) { $0.roleName = "nobody" } }
      #expect(missing?.code == "NoSuchEntity")
      #expect(missing?.status == 404)
      #expect(missing?.message == "The role with name nobody cannot be found.")
      _ = try await f.run(IAM.createUser) { $0.userName = "Ann" }
      #expect(
        await errorCode { _ = try await f.run(IAM.createUser) { $0.userName = "ann" } } == "EntityAlreadyExists")
      let arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
      _ = try await f.run(IAM.attachUserPolicy) { ($0.userName, $0.policyArn) = ("Ann", arn) }
      let conflict = await #expect(throws: AWSError.self) {
        _ = try await f.run(IAM.deleteUser) { $0.userName = "Ann" }
      }
      #expect(conflict?.message == "Cannot delete entity, must detach all policies first.")
      _ = try await f.run(IAM.detachUserPolicy) { ($0.userName, $0.policyArn) = ("Ann", arn) }
      _ = try await f.run(IAM.deleteUser) { $0.userName = "Ann" }
      #expect(await errorCode { _ = try await f.run(IAM.getUser) { $0.userName = "Ann" } } == "NoSuchEntity")
    }
  }

  @Test("a policy that is no policy, and a trust policy that names nobody, are malformed")
  func malformed() async throws {
    try await IAMFixture.with { f in
      for text in ["{", #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3"}]}"#] {
        let code = await errorCode {
          _ = try await f.run(IAM.createPolicy) { ($0.policyName, $0.policyDocument) = ("p", text) }
        }
        #expect(code == "MalformedPolicyDocument")
      }
      let error = await #expect(throws: AWSError.self) {
        _ = try await f.role("r", trusts: #"{"AWS":"arn:aws:iam::000000000000:user/nobody"}"#)
      }
      #expect(error?.message == #"Invalid principal in policy: "AWS":"arn:aws:iam::000000000000:user/nobody""#)
    }
  }

  @Test("a managed policy keeps five versions, the default one is not deleted, and a used policy stays")
  func versions() async throws {
    try await IAMFixture.with { f in
      let arn =
        try await f.run(IAM.createPolicy) {
          ($0.policyName, $0.path, $0.policyDocument) = ("app", "/svc/", IAMFixture.policy("s3:GetObject"))
        }.policy?.arn ?? ""
      #expect(arn == "arn:aws:iam::000000000000:policy/svc/app")
      for _ in 2...5 {
        _ = try await f.run(IAM.createPolicyVersion) {
          ($0.policyArn, $0.policyDocument, $0.setAsDefault) = (arn, IAMFixture.policy("s3:PutObject"), true)
        }
      }
      let full = await errorCode {
        _ = try await f.run(IAM.createPolicyVersion) {
          ($0.policyArn, $0.policyDocument) = (arn, IAMFixture.policy("s3:*"))
        }
      }
      #expect(full == "LimitExceeded")
      let listed = try await f.run(IAM.listPolicyVersions) { $0.policyArn = arn }.versions ?? []
      #expect(listed.map(\.versionId) == ["v5", "v4", "v3", "v2", "v1"])
      #expect(
        await errorCode {
          _ = try await f.run(IAM.deletePolicyVersion) { ($0.policyArn, $0.versionId) = (arn, "v5") }
        } == "DeleteConflict")
      _ = try await f.role("r", trusts: #"{"Service":"ec2.amazonaws.com"}"#)
      _ = try await f.run(IAM.attachRolePolicy) { ($0.roleName, $0.policyArn) = ("r", arn) }
      #expect(try await f.run(IAM.getPolicy) { $0.policyArn = arn }.policy?.attachmentCount == 1)
      #expect(
        try await f.run(IAM.listEntitiesForPolicy) { $0.policyArn = arn }.policyRoles?.map(\.roleName) == ["r"])
      #expect(await errorCode { _ = try await f.run(IAM.deletePolicy) { $0.policyArn = arn } } == "DeleteConflict")
    }
  }

  @Test("lists come in pages that together hold everything once")
  func paging() async throws {
    try await IAMFixture.with { f in
      for i in 0..<7 { _ = try await f.run(IAM.createUser) { $0.userName = "user\(i)" } }
      var names: [String] = []
      var marker: String?
      repeat {
        let page = try await f.run(IAM.listUsers) { ($0.maxItems, $0.marker) = (3, marker) }
        names += (page.users ?? []).compactMap(\.userName)
        marker = page.marker
        #expect(page.isTruncated == (marker != nil))
      } while marker != nil
      #expect(names == (0..<7).map { "user\($0)" })
    }
  }

  @Test("a renamed group keeps its members, a renamed user its keys")
  func renaming() async throws {
    try await IAMFixture.with { f in
      let ann = try await f.user("ann")
      _ = try await f.run(IAM.createGroup) { $0.groupName = "ops" }
      _ = try await f.run(IAM.addUserToGroup) { ($0.groupName, $0.userName) = ("ops", "ann") }
      _ = try await f.run(IAM.updateGroup) { ($0.groupName, $0.newGroupName) = ("ops", "operators") }
      _ = try await f.run(IAM.updateUser) { ($0.userName, $0.newUserName) = ("ann", "anna") }
      #expect(try await f.run(IAM.getGroup) { $0.groupName = "operators" }.users?.map(\.userName) == ["anna"])
      let keys = try await f.run(IAM.listAccessKeys) { $0.userName = "anna" }.accessKeyMetadata ?? []
      #expect(keys.count == 1)
      #expect(try await f.principal(keys.first?.accessKeyId).userID == ann.userID)
      #expect(
        await errorCode { _ = try await f.run(IAM.deleteGroup) { $0.groupName = "operators" } } == "DeleteConflict")
    }
  }

  @Test("a service-linked role is made once, changed by nobody, and deleted through a task")
  func serviceLinkedRole() async throws {
    try await IAMFixture.with { f in
      let role = try await f.run(IAM.createServiceLinkedRole) { $0.awsServiceName = "ecs.amazonaws.com" }.role
      #expect(role?.arn == "arn:aws:iam::000000000000:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS")
      #expect(
        await errorCode { _ = try await f.run(IAM.deleteRole) { $0.roleName = "AWSServiceRoleForECS" } }
          == "UnmodifiableEntity")
      let again = await errorCode {
        _ = try await f.run(IAM.createServiceLinkedRole) { $0.awsServiceName = "ecs.amazonaws.com" }
      }
      #expect(again == "InvalidInput")
      let task = try await f.run(IAM.deleteServiceLinkedRole) { $0.roleName = "AWSServiceRoleForECS" }.deletionTaskId
      let status = try await f.run(IAM.getServiceLinkedRoleDeletionStatus) { $0.deletionTaskId = task ?? "" }.status
      #expect(status == "SUCCEEDED")
    }
  }

  @Test("a server certificate tells when it ends, and another key than its own is refused")
  func serverCertificate() async throws {
    try await IAMFixture.with { f in
      let made = try await f.run(IAM.uploadServerCertificate) {
        $0.serverCertificateName = "web"
        $0.certificateBody = Self.certificate
        $0.privateKey = Self.key
      }
      #expect(made.serverCertificateMetadata?.serverCertificateId?.hasPrefix("ASCA") == true)
      let read = try await f.run(IAM.getServerCertificate) { $0.serverCertificateName = "web" }.serverCertificate
      #expect(read?.certificateBody == Self.certificate)
      #expect(read?.serverCertificateMetadata?.expiration?.civil.year == 2046)
      let code = await errorCode {
        _ = try await f.run(IAM.uploadServerCertificate) {
          $0.serverCertificateName = "other"
          $0.certificateBody = Self.certificate
          $0.privateKey = Self.otherKey
        }
      }
      #expect(code == "KeyPairMismatch")
    }
  }

  @Test("the built-in managed policies of AWS are all well-formed and can be read")
  func managedPolicies() async throws {
    try await IAMFixture.with { f in
      var marker: String?
      var arns: [String] = []
      repeat {
        let page = try await f.run(IAM.listPolicies) { ($0.scope, $0.marker, $0.maxItems) = ("AWS", marker, 25) }
        arns += (page.policies ?? []).compactMap(\.arn)
        marker = page.marker
      } while marker != nil
      #expect(arns.contains("arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"))
      for arn in arns {
        let policy = try await f.run(IAM.getPolicy) { $0.policyArn = arn }.policy
        let version = try await f.run(IAM.getPolicyVersion) {
          ($0.policyArn, $0.versionId) = (arn, policy?.defaultVersionId ?? "")
        }.policyVersion
        let text = version?.document?.removingPercentEncoding ?? ""
        let name = "copy-\(policy?.policyName ?? "")"
        _ = try await f.run(IAM.createPolicy) { ($0.policyName, $0.policyDocument) = (name, text) }
      }
    }
  }
}
