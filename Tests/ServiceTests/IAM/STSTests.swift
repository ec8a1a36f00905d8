// STS: roles assumed, sessions that end, tags handed on.

import AWSCore
import AWSWire
import Foundation
import IAMModel
import IAMService
import STSModel
import ServiceKit
import Testing

@Suite("STS: temporary credentials")
struct STSTests {
  @Test("ECS gets a task's credentials when the role trusts its tasks, and they carry the role's policies")
  func taskRole() async throws {
    try await IAMFixture.with { f in
      let condition =
        #"{"StringEquals":{"aws:SourceAccount":"000000000000"},"ArnLike":{"aws:SourceArn":"arn:aws:ecs:us-east-1:000000000000:*"}}"#
      let arn = try await f.role(
        "task", trusts: #"{"Service":"ecs-tasks.amazonaws.com"}"#, path: "/svc/", condition: condition)
      _ = try await f.run(IAM.putRolePolicy) {
        ($0.roleName, $0.policyName, $0.policyDocument) = ("task", "own", IAMFixture.policy("iam:ListUsers"))
      }
      let answer = try await f.call.acting(as: "ecs-tasks.amazonaws.com").invoke(
        STS.assumeRole, .make { ($0.roleArn, $0.roleSessionName) = (arn, "0123456789abcdef") })
      #expect(answer.assumedRoleUser?.arn == "arn:aws:sts::000000000000:assumed-role/task/0123456789abcdef")
      #expect(answer.credentials?.accessKeyId?.hasPrefix("ASIA") == true)
      let key = try #require(try await f.iam.accessKey(answer.credentials?.accessKeyId ?? ""))
      #expect(key.secret == answer.credentials?.secretAccessKey)
      #expect(key.sessionToken == answer.credentials?.sessionToken)
      #expect(key.expires == answer.credentials?.expiration)
      #expect(key.principal.roleARN == arn)
      #expect(try await f.run(as: key.principal, IAM.listUsers).users?.isEmpty == true)
      #expect(await errorCode { _ = try await f.run(as: key.principal, IAM.listRoles) } == "AccessDenied")
      let me = try await f.run(as: key.principal, STS.getCallerIdentity)
      #expect(me.userId == answer.assumedRoleUser?.assumedRoleId)
      // Another service is not let in.
      let code = await errorCode {
        _ = try await f.call.acting(as: "ec2.amazonaws.com").invoke(
          STS.assumeRole, .make { ($0.roleArn, $0.roleSessionName) = (arn, "session") })
      }
      #expect(code == "AccessDenied")
      // A role that is gone gives nothing any more, also when another one takes its name.
      _ = try await f.run(IAM.deleteRolePolicy) { ($0.roleName, $0.policyName) = ("task", "own") }
      _ = try await f.run(IAM.deleteRole) { $0.roleName = "task" }
      _ = try await f.role("task", trusts: #"{"Service":"ecs-tasks.amazonaws.com"}"#)
      _ = try await f.run(IAM.putRolePolicy) {
        ($0.roleName, $0.policyName, $0.policyDocument) = ("task", "own", IAMFixture.policy("iam:*"))
      }
      let late = try await f.principal(answer.credentials?.accessKeyId)
      #expect(await errorCode { _ = try await f.run(as: late, IAM.listUsers) } == "AccessDenied")
    }
  }

  @Test("a user assumes a role that trusts the account only when its own policies say so too")
  func bothSides() async throws {
    try await IAMFixture.with { f in
      let arn = try await f.role("deploy", trusts: #"{"AWS":"arn:aws:iam::000000000000:root"}"#)
      let ann = try await f.user("ann")
      let bob = try await f.user("bob", policy: IAMFixture.policy("sts:AssumeRole", resource: arn))
      func assume(_ principal: Principal) async throws -> String? {
        await errorCode {
          _ = try await f.run(as: principal, STS.assumeRole) { ($0.roleArn, $0.roleSessionName) = (arn, "s1") }
        }
      }
      #expect(try await assume(ann) == "AccessDenied")
      #expect(try await assume(bob) == nil)
      #expect(try await assume(.root(account: IAMFixture.account)) == nil)
      #expect(try await assume(.root(account: "111122223333")) == "AccessDenied")
      // A trust policy that names the user is enough by itself.
      _ = try await f.run(IAM.updateAssumeRolePolicy) {
        $0.roleName = "deploy"
        $0.policyDocument =
          #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"\#(ann.arn)"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"42"}}}]}"#
      }
      #expect(try await assume(ann) == "AccessDenied")
      _ = try await f.run(as: ann, STS.assumeRole) {
        ($0.roleArn, $0.roleSessionName, $0.externalId) = (arn, "s1", "42")
      }
    }
  }

  @Test("a session policy narrows the role, and may not widen it")
  func sessionPolicy() async throws {
    try await IAMFixture.with { f in
      let arn = try await f.role("wide", trusts: #"{"AWS":"000000000000"}"#)
      _ = try await f.run(IAM.attachRolePolicy) {
        ($0.roleName, $0.policyArn) = ("wide", "arn:aws:iam::aws:policy/IAMReadOnlyAccess")
      }
      let answer = try await f.run(STS.assumeRole) {
        $0.roleArn = arn
        $0.roleSessionName = "narrow"
        $0.policy = IAMFixture.policy("iam:ListUsers", "iam:CreateUser")
      }
      #expect((answer.packedPolicySize ?? 0) > 0)
      let narrow = try await f.principal(answer.credentials?.accessKeyId)
      _ = try await f.run(as: narrow, IAM.listUsers)
      #expect(await errorCode { _ = try await f.run(as: narrow, IAM.listRoles) } == "AccessDenied")
      #expect(
        await errorCode { _ = try await f.run(as: narrow, IAM.createUser) { $0.userName = "x" } } == "AccessDenied")
      // Two policies of a session count together.
      let both = try await f.run(STS.assumeRole) {
        $0.roleArn = arn
        $0.roleSessionName = "both"
        $0.policy = IAMFixture.policy("iam:ListUsers")
        $0.policyArns = [.make { $0.arn = "arn:aws:iam::aws:policy/ReadOnlyAccess" }]
      }
      let wider = try await f.principal(both.credentials?.accessKeyId)
      _ = try await f.run(as: wider, IAM.listRoles)
    }
  }

  @Test("session tags count, and the transitive ones pass on to the next role")
  func tags() async throws {
    try await IAMFixture.with { f in
      let first = try await f.role("first", trusts: #"{"AWS":"000000000000"}"#)
      _ = try await f.run(IAM.putRolePolicy) {
        ($0.roleName, $0.policyName, $0.policyDocument) = (
          "first", "own", IAMFixture.policy("sts:AssumeRole", "sts:TagSession")
        )
      }
      let second = try await f.role(
        "second", trusts: #"{"AWS":"000000000000"}"#, condition: #"{"StringEquals":{"aws:RequestTag/Team":"blue"}}"#)
      let one = try await f.run(STS.assumeRole) {
        $0.roleArn = first
        $0.roleSessionName = "one"
        $0.tags = [.make { ($0.key, $0.value) = ("Team", "blue") }]
        $0.transitiveTagKeys = ["Team"]
      }
      let principal = try await f.principal(one.credentials?.accessKeyId)
      #expect(principal.tags == ["Team": "blue"])
      let two = try await f.run(as: principal, STS.assumeRole) { ($0.roleArn, $0.roleSessionName) = (second, "two") }
      #expect(try await f.principal(two.credentials?.accessKeyId).tags == ["Team": "blue"])
      let long = await errorCode {
        _ = try await f.run(as: principal, STS.assumeRole) {
          ($0.roleArn, $0.roleSessionName, $0.durationSeconds) = (second, "two", 3601)
        }
      }
      #expect(long == "ValidationError")
    }
  }

  @Test("expired sessions are removed by the loop, those that live stay")
  func expiry() async throws {
    try await IAMFixture.with { f in
      let arn = try await f.role("r", trusts: #"{"AWS":"000000000000"}"#)
      func session(_ seconds: Int) async throws -> String {
        let answer = try await f.run(STS.assumeRole) {
          ($0.roleArn, $0.roleSessionName, $0.durationSeconds) = (arn, "session", seconds)
        }
        return answer.credentials?.accessKeyId ?? ""
      }
      let (short, long) = (try await session(900), try await session(3600))
      let changes = f.harness.environment.store.changes(in: ["sts.session"])
      f.clock.advance(seconds: 901)
      let loop = Task { try await f.iam.run() }
      for await _ in changes { break }
      #expect(try await f.iam.accessKey(short) == nil)
      #expect(try await f.iam.accessKey(long) != nil)
      loop.cancel()
      _ = await loop.result
    }
  }

  @Test("a session token stands for its user, a federated user has what its session policy leaves of the user's")
  func userSessions() async throws {
    try await IAMFixture.with { f in
      let ann = try await f.user(
        "ann", policy: IAMFixture.policy("iam:ListUsers", "iam:ListRoles", "sts:GetFederationToken"))
      let token = try await f.run(as: ann, STS.getSessionToken)
      let session = try await f.principal(token.credentials?.accessKeyId)
      #expect(session.arn == ann.arn)
      _ = try await f.run(as: session, IAM.listUsers)
      #expect(await errorCode { _ = try await f.run(as: session, STS.getSessionToken) } == "AccessDenied")
      let federation = try await f.run(as: ann, STS.getFederationToken) {
        ($0.name, $0.policy) = ("guest", IAMFixture.policy("iam:ListUsers", "iam:ListGroups"))
      }
      #expect(federation.federatedUser?.arn == "arn:aws:sts::000000000000:federated-user/guest")
      let guest = try await f.principal(federation.credentials?.accessKeyId)
      _ = try await f.run(as: guest, IAM.listUsers)
      #expect(await errorCode { _ = try await f.run(as: guest, IAM.listRoles) } == "AccessDenied")
      #expect(await errorCode { _ = try await f.run(as: guest, IAM.listGroups) } == "AccessDenied")
    }
  }

  @Test("keys of users are found, switched off and taken away; secrets are not in the store in clear")
  func accessKeys() async throws {
    try await IAMFixture.with { f in
      _ = try await f.run(IAM.createUser) { $0.userName = "ci" }
      let key = try #require(try await f.run(IAM.createAccessKey) { $0.userName = "ci" }.accessKey)
      let id = try #require(key.accessKeyId)
      #expect(try await f.iam.accessKey(id)?.secret == key.secretAccessKey)
      let secret = Data((key.secretAccessKey ?? "").utf8)
      for name in try FileManager.default.contentsOfDirectory(atPath: f.harness.directory) {
        let file = FileManager.default.contents(atPath: "\(f.harness.directory)/\(name)")
        #expect(file?.firstRange(of: secret) == nil, "\(name)")
      }
      #expect(try await f.run(STS.getAccessKeyInfo) { $0.accessKeyId = id }.account == "000000000000")
      _ = try await f.run(IAM.updateAccessKey) { ($0.userName, $0.accessKeyId, $0.status) = ("ci", id, "Inactive") }
      #expect(try await f.iam.accessKey(id)?.isActive == false)
      _ = try await f.run(IAM.createAccessKey) { $0.userName = "ci" }
      #expect(
        await errorCode { _ = try await f.run(IAM.createAccessKey) { $0.userName = "ci" } } == "LimitExceeded")
      _ = try await f.run(IAM.deleteAccessKey) { ($0.userName, $0.accessKeyId) = ("ci", id) }
      #expect(try await f.iam.accessKey(id) == nil)
      #expect(try await f.iam.accessKey("AKIAOWNER00000000000")?.principal.kind == .root)
    }
  }
}
