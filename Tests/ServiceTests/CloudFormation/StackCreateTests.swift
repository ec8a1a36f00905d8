// Creating and deleting stacks: order, values, failures.

import AWSCore
import CloudFormationModel
import Foundation
import SecretsManagerModel
import Testing

@Suite("CloudFormation: creating and deleting", .timeLimit(.minutes(1))) struct StackCreateTests {
  private let chain = boxTemplate(
    #"""
    "C":{"Type":"Test::Box","DependsOn":["B"]},
    "B":{"Type":"Test::Box","Properties":{"Content":{"Fn::GetAtt":["A","Label"]}}},
    "A":{"Type":"Test::Box","Properties":{"Name":"first","Size":3}}
    """#)

  @Test("resources are made after what they refer to, and removed before it") func order() async throws {
    try await StackFixture.with { cloud in
      let id = try await cloud.create("chain", chain)
      #expect(try await cloud.settled("chain").stackStatus == "CREATE_COMPLETE")
      #expect(cloud.boxes.journal == ["create A", "create B", "create C"])
      #expect(cloud.boxes.standing["box-2"]?["Content"] == "first/3")
      try await cloud.delete("chain")
      #expect(try await cloud.settled(id).stackStatus == "DELETE_COMPLETE")
      #expect(cloud.boxes.journal.suffix(3) == ["delete C", "delete B", "delete A"])
      #expect(cloud.boxes.standing.isEmpty)
      #expect(
        await cloud.refusal { try await cloud.describe("chain") }
          == "ValidationError: Stack with id chain does not exist")
    }
  }

  @Test("what needs nothing of one another is made at the same time") func parallel() async throws {
    try await StackFixture.with { cloud in
      for id in ["A", "B", "C"] { cloud.boxes.hold("create \(id)") }
      try await cloud.create(
        "wide", boxTemplate(#""A":{"Type":"Test::Box"},"B":{"Type":"Test::Box"},"C":{"Type":"Test::Box"}"#))
      for id in ["A", "B", "C"] { try await cloud.boxes.begun("create \(id)") }
      #expect(try await cloud.describe("wide").stackStatus == "CREATE_IN_PROGRESS")
      for id in ["A", "B", "C"] { cloud.boxes.release("create \(id)") }
      #expect(try await cloud.settled("wide").stackStatus == "CREATE_COMPLETE")
    }
  }

  @Test("parameters, conditions, mappings and pseudo parameters reach resources and outputs") func values() async throws
  {
    let template = #"""
      Parameters:
        Stage: { Type: String, AllowedValues: [test, live] }
        Size: { Type: Number, Default: 4 }
      Conditions:
        IsLive: !Equals [!Ref Stage, live]
      Mappings:
        Names: { us-east-1: { name: east } }
      Resources:
        Always: { Type: "Test::Box", Properties: { Name: !FindInMap [Names, !Ref "AWS::Region", name], Size: !Ref Size } }
        Live: { Type: "Test::Box", Condition: IsLive }
      Outputs:
        Box: { Value: !Sub "${AWS::StackName}-${Always}-${Always.Size}-${AWS::AccountId}" }
        Extra: { Condition: IsLive, Value: !Ref Live }
      """#
    try await StackFixture.with { cloud in
      try await cloud.create("test", template, ["Stage": "test"])
      try await cloud.settled("test")
      #expect(try await cloud.outputs("test") == ["Box": "test-box-1-4-000000000000"])
      #expect(cloud.boxes.standing["box-1"] == ["Name": "east", "Size": "4"])
      try await cloud.create("live", template, ["Stage": "live", "Size": "5"])
      #expect(try await cloud.settled("live").stackStatus == "CREATE_COMPLETE")
      #expect(try await cloud.outputs("live").keys.sorted() == ["Box", "Extra"])
      let refused = await cloud.refusal { try await cloud.create("bad", template, ["Stage": "other"]) }
      #expect(refused.hasPrefix("ValidationError: ") && refused.contains("Stage"))
    }
  }

  @Test("a resource is told its stack, its name and the stack's tags") func context() async throws {
    try await StackFixture.with { cloud in
      let id = try await cloud.create("tagged", boxTemplate(#""A":{"Type":"Test::Box"}"#)) {
        $0.tags = [
          .make {
            $0.key = "team"
            $0.value = "shop"
          }
        ]
      }
      try await cloud.settled("tagged")
      let context = try #require(cloud.boxes.context("A"))
      #expect(context.tags["team"] == "shop")
      #expect(context.tags["aws:cloudformation:stack-name"] == "tagged")
      #expect(context.tags["aws:cloudformation:logical-id"] == "A")
      #expect(context.tags["aws:cloudformation:stack-id"] == id)
      #expect(context.call.calledVia == ["cloudformation.amazonaws.com"])
      #expect(context.call.principal == .root(account: "000000000000"))
    }
  }

  @Test("when one resource fails, those under way are awaited and everything is removed again") func rollback()
    async throws
  {
    try await StackFixture.with { cloud in
      cloud.boxes.fail("create B")
      cloud.boxes.hold("create Slow")
      let template = boxTemplate(
        #"""
        "A":{"Type":"Test::Box"},"B":{"Type":"Test::Box","DependsOn":"A"},
        "C":{"Type":"Test::Box","DependsOn":"B"},"Slow":{"Type":"Test::Box"}
        """#)
      try await cloud.create("broken", template)
      try await cloud.boxes.begun("create B")
      try await eventually("B has failed") {
        try await cloud.resources("broken")["B"]?.resourceStatus == "CREATE_FAILED"
      }
      #expect(try await cloud.describe("broken").stackStatus == "CREATE_IN_PROGRESS")
      cloud.boxes.release("create Slow")
      let stack = try await cloud.settled("broken")
      #expect(stack.stackStatus == "ROLLBACK_COMPLETE")
      #expect(cloud.boxes.standing.isEmpty)
      #expect(!cloud.boxes.journal.contains("create C"))
      let events = try await cloud.events("broken")
      #expect(events.contains("B CREATE_FAILED") && events.contains("A DELETE_COMPLETE"))
      #expect(events.contains("Slow DELETE_COMPLETE") && events.contains("broken ROLLBACK_IN_PROGRESS"))
      #expect(events.last == "broken ROLLBACK_COMPLETE")
      let reasons = try await cloud.harness.run(CloudFormation.describeStackEvents) { $0.stackName = "broken" }
        .stackEvents
      #expect(reasons?.contains { $0.resourceStatusReason == "create B went wrong (BoxError)" } == true)
      #expect(reasons?.contains { $0.resourceStatusReason == "The following resource(s) failed: [B]." } == true)
      // A stack that was never made can only be deleted.
      #expect(
        await cloud.refusal { try await cloud.update("broken", chain) }.contains(
          "ROLLBACK_COMPLETE state and can not be updated"))
    }
  }

  @Test("OnFailure decides what becomes of a stack that could not be made") func onFailure() async throws {
    let template = boxTemplate(#""A":{"Type":"Test::Box"},"B":{"Type":"Test::Box","DependsOn":"A"}"#)
    try await StackFixture.with { cloud in
      cloud.boxes.fail("create B")
      try await cloud.create("kept", template) { $0.onFailure = "DO_NOTHING" }
      #expect(try await cloud.settled("kept").stackStatus == "CREATE_FAILED")
      #expect(cloud.boxes.standing.count == 1)
      let id = try await cloud.create("gone", template) { $0.onFailure = "DELETE" }
      #expect(try await cloud.settled(id).stackStatus == "DELETE_COMPLETE")
      #expect(cloud.boxes.standing.count == 1)
      try await cloud.create("plain", template) { $0.disableRollback = true }
      #expect(try await cloud.settled("plain").stackStatus == "CREATE_FAILED")
    }
  }

  @Test("Retain keeps a resource when its stack goes, also when the stack was never made") func retain() async throws {
    let template = boxTemplate(
      #"""
      "Kept":{"Type":"Test::Box","DeletionPolicy":"Retain","Properties":{"Name":"kept"}},
      "Late":{"Type":"Test::Box","DeletionPolicy":"RetainExceptOnCreate","Properties":{"Name":"late"}},
      "Gone":{"Type":"Test::Box","DependsOn":["Kept","Late"]}
      """#)
    try await StackFixture.with { cloud in
      let id = try await cloud.create("policies", template)
      try await cloud.settled("policies")
      try await cloud.delete("policies")
      #expect(try await cloud.settled(id).stackStatus == "DELETE_COMPLETE")
      #expect(cloud.boxes.standing.values.compactMap { $0["Name"]?.text }.sorted() == ["kept", "late"])
      #expect(try await cloud.events(id).contains("Kept DELETE_SKIPPED"))
    }
    try await StackFixture.with { cloud in
      cloud.boxes.fail("create Gone")
      try await cloud.create("policies", template)
      #expect(try await cloud.settled("policies").stackStatus == "ROLLBACK_COMPLETE")
      #expect(cloud.boxes.standing.values.map { $0["Name"] } == ["kept"])
    }
  }

  @Test("a deletion that failed can be tried again, or leave out what cannot go") func deleteFailed() async throws {
    try await StackFixture.with { cloud in
      let id = try await cloud.create("sticky", chain)
      try await cloud.settled("sticky")
      cloud.boxes.fail("delete B")
      try await cloud.delete("sticky")
      #expect(try await cloud.settled("sticky").stackStatus == "DELETE_FAILED")
      #expect(cloud.boxes.standing.count == 2, "A is still needed by B")
      try await cloud.delete("sticky", retain: ["B"])
      #expect(try await cloud.settled(id).stackStatus == "DELETE_COMPLETE")
      #expect(Array(cloud.boxes.standing.keys) == ["box-2"])
      // Deleting what is gone is well.
      try await cloud.delete("sticky")
    }
  }

  @Test("a protected stack is not deleted") func protection() async throws {
    try await StackFixture.with { cloud in
      let id = try await cloud.create("safe", chain) { $0.enableTerminationProtection = true }
      try await cloud.settled("safe")
      #expect(await cloud.refusal { try await cloud.delete("safe") }.contains("TerminationProtection is enabled"))
      _ = try await cloud.harness.run(CloudFormation.updateTerminationProtection) {
        $0.stackName = "safe"
        $0.enableTerminationProtection = false
      }
      try await cloud.delete("safe")
      #expect(try await cloud.settled(id).stackStatus == "DELETE_COMPLETE")
    }
  }

  @Test("the same name is taken until its stack is gone") func names() async throws {
    try await StackFixture.with { cloud in
      let first = try await cloud.create("one", chain)
      #expect(
        await cloud.refusal { try await cloud.create("one", chain) }
          == "AlreadyExistsException: Stack [one] already exists")
      try await cloud.settled("one")
      try await cloud.delete("one")
      try await cloud.settled(first)
      let second = try await cloud.create("one", chain)
      try await cloud.settled("one")
      #expect(first != second)
      let all = try await cloud.harness.run(CloudFormation.listStacks).stackSummaries ?? []
      #expect(Set(all.map(\.stackStatus)) == ["DELETE_COMPLETE", "CREATE_COMPLETE"])
      let live = try await cloud.harness.run(CloudFormation.listStacks) { $0.stackStatusFilter = ["CREATE_COMPLETE"] }
      #expect(live.stackSummaries?.map(\.stackId) == [second])
    }
  }

  @Test("what cannot be made is refused before anything is begun, by name") func refusals() async throws {
    try await StackFixture.with { cloud in
      let unknown = await cloud.refusal {
        try await cloud.create("x", boxTemplate(#""A":{"Type":"AWS::Robots::Robot"}"#))
      }
      #expect(unknown.contains("Unrecognized resource types: [AWS::Robots::Robot]"))
      let role = boxTemplate(#""R":{"Type":"AWS::IAM::Role"}"#)
      #expect(
        await cloud.refusal { try await cloud.create("x", role) }
          == "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_IAM]")
      let named = boxTemplate(#""R":{"Type":"AWS::IAM::Role","Properties":{"RoleName":"r"}}"#)
      let some = await cloud.refusal { try await cloud.create("x", named) { $0.capabilities = ["CAPABILITY_IAM"] } }
      #expect(some == "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_NAMED_IAM]")
      let circle = boxTemplate(#""A":{"Type":"Test::Box","DependsOn":"B"},"B":{"Type":"Test::Box","DependsOn":"A"}"#)
      #expect(await cloud.refusal { try await cloud.create("x", circle) }.contains("Circular dependency"))
      #expect(
        await cloud.refusal { try await cloud.create("x", "{") }.hasPrefix("ValidationError: Template format error"))
      #expect(cloud.boxes.journal.isEmpty)
      #expect(try await cloud.harness.run(CloudFormation.describeStacks).stacks?.isEmpty == true)
      // A property that nobody understands fails its resource: nothing is dropped silently.
      try await cloud.create("x", boxTemplate(#""A":{"Type":"Test::Box","Properties":{"Colour":"red"}}"#))
      #expect(try await cloud.settled("x").stackStatus == "ROLLBACK_COMPLETE")
      #expect(try await cloud.resources("x")["A"] != nil)
      let events =
        try await cloud.harness.run(CloudFormation.describeStackEvents) { $0.stackName = "x" }.stackEvents ?? []
      #expect(events.contains { $0.resourceStatusReason?.contains("the property Colour of Test::Box") == true })
    }
  }

  @Test("secrets come into properties through dynamic references and NoEcho, and show nowhere") func secrets()
    async throws
  {
    let template = #"""
      Parameters: { Pass: { Type: String, NoEcho: true } }
      Resources:
        A:
          Type: Test::Box
          Properties: { Content: [!Ref Pass, "{{resolve:secretsmanager:db:SecretString:password}}"] }
      """#
    try await StackFixture.with { cloud in
      _ = try await cloud.harness.run(SecretsManager.createSecret) {
        $0.name = "db"
        $0.secretString = #"{"username":"u","password":"pa55-from-secret"}"#
      }
      try await cloud.create("quiet", template, ["Pass": "no-echo-value"])
      let stack = try await cloud.settled("quiet")
      #expect(cloud.boxes.standing["box-1"] == ["Content": ["no-echo-value", "pa55-from-secret"]])
      #expect(stack.parameters?.first?.parameterValue == "****")
      try await cloud.harness.close()
      let files = try #require(FileManager.default.enumerator(atPath: cloud.harness.directory))
      for case let file as String in files {
        let bytes = FileManager.default.contents(atPath: "\(cloud.harness.directory)/\(file)") ?? Data()
        #expect(bytes.range(of: Data("no-echo-value".utf8)) == nil, "\(file) holds the parameter")
        #expect(bytes.range(of: Data("pa55-from-secret".utf8)) == nil, "\(file) holds the secret")
      }
    }
  }
}
