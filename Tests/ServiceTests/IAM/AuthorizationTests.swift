// Who may do what: identity policies, groups, boundaries, sessions, resources' policies and grants, decided by IAM itself.

import AWSCore
import AWSWire
import IAMModel
import IAMService
import STSModel
import ServiceKit
import Testing

@Suite("IAM: authorization")
struct AuthorizationTests {
  @Test("a user without policies may do nothing but ask who it is")
  func noPolicies() async throws {
    try await IAMFixture.with { f in
      let ann = try await f.user("ann")
      let error = await #expect(throws: AWSError.self) { _ = try await f.run(as: ann, IAM.listUsers) }
      #expect(error?.code == "AccessDenied")
      #expect(error?.status == 403)
      #expect(
        error?.message
          == "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: iam:ListUsers on resource: * because no identity-based policy allows the iam:ListUsers action"
      )
      let me = try await f.run(as: ann, STS.getCallerIdentity)
      #expect(me.arn == "arn:aws:iam::000000000000:user/ann")
      #expect(me.userId == ann.userID)
      #expect(me.account == "000000000000")
    }
  }

  @Test("a group's managed policy allows, a denial in an inline policy wins")
  func groupsAndDenials() async throws {
    try await IAMFixture.with { f in
      let ann = try await f.user("ann", policy: IAMFixture.policy("iam:GetUser", resource: "*", effect: "Deny"))
      _ = try await f.run(IAM.createGroup) { $0.groupName = "readers" }
      _ = try await f.run(IAM.attachGroupPolicy) {
        ($0.groupName, $0.policyArn) = ("readers", "arn:aws:iam::aws:policy/IAMReadOnlyAccess")
      }
      #expect(await errorCode { _ = try await f.run(as: ann, IAM.listUsers) } == "AccessDenied")
      _ = try await f.run(IAM.addUserToGroup) { ($0.groupName, $0.userName) = ("readers", "ann") }
      #expect(try await f.run(as: ann, IAM.listUsers).users?.count == 1)
      let denied = await #expect(throws: AWSError.self) {
        _ = try await f.run(as: ann, IAM.getUser) { $0.userName = "ann" }
      }
      #expect(denied?.message.hasSuffix("with an explicit deny in an identity-based policy") == true)
      _ = try await f.run(IAM.removeUserFromGroup) { ($0.groupName, $0.userName) = ("readers", "ann") }
      #expect(await errorCode { _ = try await f.run(as: ann, IAM.listUsers) } == "AccessDenied")
    }
  }

  @Test("a permissions boundary takes away what it does not allow, and the path of a thing counts")
  func boundary() async throws {
    try await IAMFixture.with { f in
      let ann = try await f.user("ann", policy: IAMFixture.policy("iam:*"))
      let boundary =
        try await f.run(IAM.createPolicy) {
          ($0.policyName, $0.policyDocument) = (
            "edge", IAMFixture.policy("iam:*", resource: "arn:aws:iam::000000000000:user/team/*")
          )
        }.policy?.arn ?? ""
      _ = try await f.run(as: ann, IAM.createUser) { $0.userName = "before" }
      _ = try await f.run(IAM.putUserPermissionsBoundary) { ($0.userName, $0.permissionsBoundary) = ("ann", boundary) }
      _ = try await f.run(as: ann, IAM.createUser) { ($0.userName, $0.path) = ("inside", "/team/") }
      let error = await #expect(throws: AWSError.self) {
        _ = try await f.run(as: ann, IAM.createUser) { $0.userName = "outside" }
      }
      #expect(error?.message.hasSuffix("because no permissions boundary allows the iam:CreateUser action") == true)
    }
  }

  @Test("each service refuses with the code that its clients know")
  func codes() async throws {
    try await IAMFixture.with { f in
      let ann = try await f.user("ann")
      var call = f.call
      call.principal = ann
      let expected = [
        "kms:Decrypt": "AccessDeniedException", "ec2:DescribeVpcs": "UnauthorizedOperation",
        "s3:GetObject": "AccessDenied", "secretsmanager:GetSecretValue": "AccessDeniedException",
        "elasticloadbalancing:DescribeLoadBalancers": "AccessDenied", "logs:PutLogEvents": "AccessDeniedException",
      ]
      for (action, code) in expected {
        let found = await errorCode { try await f.iam.authorize(call, action: action, access: ResourceAccess("*")) }
        #expect(found == code, "\(action)")
      }
    }
  }

  @Test("a KMS key lets in whom its policy names, whom it delegates to, or who holds a grant")
  func kmsKeys() async throws {
    try await IAMFixture.with { f in
      let ann = try await f.user("ann", policy: IAMFixture.policy("kms:Decrypt"))
      let bob = try await f.user("bob")
      let key = "arn:aws:kms:us-east-1:000000000000:key/1"
      func access(_ principal: String, grants: [String] = []) -> ResourceAccess {
        var access = ResourceAccess(
          key,
          policy:
            #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"\#(principal)"},"Action":"kms:*","Resource":"*"}]}"#,
          kind: .kmsKey)
        access.grants = grants
        return access
      }
      func decide(_ principal: Principal, _ access: ResourceAccess) async throws -> Bool {
        var call = f.call
        call.principal = principal
        return await errorCode { try await f.iam.authorize(call, action: "kms:Decrypt", access: access) } == nil
      }
      // Delegated to the account: the caller's own policies decide.
      #expect(try await decide(ann, access("arn:aws:iam::000000000000:root")))
      #expect(try await !decide(bob, access("arn:aws:iam::000000000000:root")))
      // Named by the key: no own policy needed; without either nothing goes.
      #expect(try await decide(bob, access(bob.arn)))
      #expect(try await !decide(ann, access(bob.arn)))
      #expect(try await decide(bob, access(ann.arn, grants: [bob.arn])))
    }
  }

  @Test("the owner passes, unless the resource's policy denies it by name") func deniedOwner() async throws {
    try await IAMFixture.with { f in
      func decide(_ action: String, _ statement: String) async -> Bool {
        let access = ResourceAccess(
          "arn:aws:s3:::assets/a.png",
          policy: #"{"Version":"2012-10-17","Statement":[\#(statement)]}"#)
        do {
          try await f.iam.authorize(f.call, action: action, access: access)
          return true
        } catch {
          return false
        }
      }
      let denied =
        #"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::assets/*"}"#
      let other = #"{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::assets/*"}"#
      #expect(await !decide("s3:GetObject", denied))
      #expect(await decide("s3:GetObject", other))
      #expect(await decide("s3:DeleteBucketPolicy", denied))
    }
  }

  @Test("another account's root needs the resource's leave")
  func otherAccount() async throws {
    try await IAMFixture.with { f in
      let stranger = Principal.root(account: "111122223333")
      let code = await errorCode {
        var call = f.call
        call.principal = stranger
        try await f.iam.authorize(
          call, action: "secretsmanager:GetSecretValue",
          access: ResourceAccess("arn:aws:secretsmanager:us-east-1:000000000000:secret:x"))
      }
      #expect(code == "AccessDeniedException")
      let users = try await f.run(as: stranger, IAM.listUsers).users
      #expect(users?.isEmpty == true)
    }
  }

  @Test("the simulator says what a real call would meet")
  func simulation() async throws {
    try await IAMFixture.with { f in
      let arn = try await f.role("app", trusts: #"{"Service":"ec2.amazonaws.com"}"#)
      _ = try await f.run(IAM.putRolePolicy) {
        $0.roleName = "app"
        $0.policyName = "own"
        $0.policyDocument = IAMFixture.policy("s3:GetObject", resource: "arn:aws:s3:::assets/*")
      }
      let results = try await f.run(IAM.simulatePrincipalPolicy) {
        $0.policySourceArn = arn
        $0.actionNames = ["s3:GetObject", "s3:PutObject"]
        $0.resourceArns = ["arn:aws:s3:::assets/a.png"]
      }.evaluationResults
      #expect(results?.map(\.evalDecision) == ["allowed", "implicitDeny"])
      #expect(results?.first?.matchedStatements?.first?.sourcePolicyId == "own")
      #expect(results?.first?.matchedStatements?.first?.sourcePolicyType == "role")
    }
  }
}
