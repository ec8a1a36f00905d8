// The CloudFormation resources of IAM: made, changed in place, and removed.

import AWSCore
import AWSWire
import Foundation
import IAMModel
import ServiceKit
import Testing

@Suite("IAM: stack resources")
struct IAMResourceTests {
  private func context(_ f: IAMFixture, _ logicalID: String) -> ResourceContext {
    ResourceContext(
      stackName: "shop", stackID: "arn:aws:cloudformation:us-east-1:000000000000:stack/shop/1", logicalID: logicalID,
      tags: ["aws:cloudformation:stack-name": "shop"], call: f.call)
  }

  private func provider(_ f: IAMFixture, _ type: String) throws -> ResourceProvider {
    try #require(f.iam.resourceProviders.first { $0.type == type })
  }

  private func trust(_ service: String) -> JSONValue {
    [
      "Version": "2012-10-17",
      "Statement": [["Effect": "Allow", "Principal": ["Service": .string(service)], "Action": "sts:AssumeRole"]],
    ]
  }

  private func allow(_ action: String) -> JSONValue {
    ["Version": "2012-10-17", "Statement": [["Effect": "Allow", "Action": .string(action), "Resource": "*"]]]
  }

  @Test("a role with policies is made, updated in place and removed with all that hangs on it")
  func role() async throws {
    try await IAMFixture.with { f in
      let provider = try self.provider(f, "AWS::IAM::Role")
      let execution = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
      let old: JSONValue = [
        "AssumeRolePolicyDocument": trust("ecs-tasks.amazonaws.com"), "ManagedPolicyArns": [.string(execution)],
        "Policies": [["PolicyName": "own", "PolicyDocument": allow("s3:GetObject")]], "Path": "/app/",
        "Tags": [["Key": "Team", "Value": "blue"]],
      ]
      let context = context(f, "TaskRole")
      let handle = try await provider.create(old, context)
      let name = handle.physicalID
      #expect(name.hasPrefix("shop-TaskRole-"))
      #expect(handle.attributes["Arn"] == .string("arn:aws:iam::000000000000:role/app/\(name)"))
      #expect(handle.attributes["RoleId"]?.text?.hasPrefix("AROA") == true)
      let role = try await f.run(IAM.getRole) { $0.roleName = name }.role
      #expect(role?.tags?.map(\.key) == ["Team", "aws:cloudformation:stack-name"])
      let new: JSONValue = [
        "AssumeRolePolicyDocument": trust("ec2.amazonaws.com"), "Description": "changed",
        "Policies": [["PolicyName": "other", "PolicyDocument": allow("s3:PutObject")]], "Path": "/app/",
        "MaxSessionDuration": "7200",
      ]
      let after = try await provider.update(handle, old, new, context)
      #expect(after == handle)
      let changed = try await f.run(IAM.getRole) { $0.roleName = name }.role
      #expect(changed?.description == "changed")
      #expect(changed?.maxSessionDuration == 7200)
      #expect(changed?.assumeRolePolicyDocument?.removingPercentEncoding?.contains("ec2.amazonaws.com") == true)
      #expect(changed?.tags?.map(\.key) == ["aws:cloudformation:stack-name"])
      #expect(try await f.run(IAM.listRolePolicies) { $0.roleName = name }.policyNames == ["other"])
      #expect(try await f.run(IAM.listAttachedRolePolicies) { $0.roleName = name }.attachedPolicies?.isEmpty == true)
      try await provider.delete(handle, new, context)
      #expect(await errorCode { _ = try await f.run(IAM.getRole) { $0.roleName = name } } == "NoSuchEntity")
      try await provider.delete(handle, new, context)
    }
  }

  @Test("a role whose policy does not exist fails and leaves nothing behind")
  func failedRole() async throws {
    try await IAMFixture.with { f in
      let provider = try self.provider(f, "AWS::IAM::Role")
      let properties: JSONValue = [
        "RoleName": "broken", "AssumeRolePolicyDocument": trust("ec2.amazonaws.com"),
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/NoSuchPolicy"],
      ]
      await #expect(throws: AWSError.self) { _ = try await provider.create(properties, context(f, "Role")) }
      #expect(try await f.run(IAM.listRoles).roles?.isEmpty == true)
    }
  }

  @Test("user, group, key, managed and inline policy, instance profile and service-linked role come and go")
  func others() async throws {
    try await IAMFixture.with { f in
      var made: [(ResourceProvider, ResourceHandle, JSONValue)] = []
      func make(_ type: String, _ properties: JSONValue) async throws -> ResourceHandle {
        let provider = try self.provider(f, type)
        let handle = try await provider.create(properties, context(f, "R\(made.count)"))
        made.append((provider, handle, properties))
        return handle
      }
      _ = try await make("AWS::IAM::Group", ["GroupName": "ops"])
      let user = try await make(
        "AWS::IAM::User",
        ["Groups": ["ops"], "Policies": [["PolicyName": "own", "PolicyDocument": allow("s3:ListBucket")]]])
      let key = try await make("AWS::IAM::AccessKey", ["UserName": .string(user.physicalID)])
      #expect(key.attributes["SecretAccessKey"]?.text?.count == 40)
      let role = try await make(
        "AWS::IAM::Role", ["RoleName": "node", "AssumeRolePolicyDocument": trust("ec2.amazonaws.com")])
      let managed = try await make(
        "AWS::IAM::ManagedPolicy",
        ["ManagedPolicyName": "m", "PolicyDocument": allow("s3:GetObject"), "Roles": [.string(role.physicalID)]])
      #expect(managed.physicalID == "arn:aws:iam::000000000000:policy/m")
      _ = try await make(
        "AWS::IAM::Policy", ["PolicyName": "inline", "PolicyDocument": allow("s3:PutObject"), "Roles": ["node"]])
      let profile = try await make("AWS::IAM::InstanceProfile", ["Roles": ["node"]])
      #expect(profile.attributes["Arn"]?.text?.hasSuffix(":instance-profile/\(profile.physicalID)") == true)
      let linked = try await make("AWS::IAM::ServiceLinkedRole", ["AWSServiceName": "ecs.amazonaws.com"])
      #expect(linked.physicalID == "AWSServiceRoleForECS")
      #expect(try await f.run(IAM.listRolePolicies) { $0.roleName = "node" }.policyNames == ["inline"])
      // A new document is a new default version.
      let (provider, handle, old) = try #require(made.first { $0.0.type == "AWS::IAM::ManagedPolicy" })
      var new = old.object ?? [:]
      new["PolicyDocument"] = allow("s3:*")
      for _ in 0..<6 {
        _ = try await provider.update(handle, old, .object(new), context(f, "R"))
      }
      #expect(try await f.run(IAM.getPolicy) { $0.policyArn = handle.physicalID }.policy?.defaultVersionId == "v7")
      for (provider, handle, properties) in made.reversed() {
        try await provider.delete(handle, properties, context(f, "R"))
      }
      #expect(try await f.run(IAM.listRoles).roles?.isEmpty == true)
      #expect(try await f.run(IAM.listUsers).users?.isEmpty == true)
      #expect(try await f.run(IAM.listGroups).groups?.isEmpty == true)
    }
  }
}
