// Updating stacks: in place, by replacement, and back again when something fails; going on after a restart.

import AWSCore
import CloudFormationModel
import Testing

@Suite("CloudFormation: updating", .timeLimit(.minutes(1))) struct StackUpdateTests {
  /// A, which B refers to.
  private func pair(name: String = "a", size: Int = 1, more: String = "", policy: String = "") -> String {
    boxTemplate(
      #"""
      "A":{"Type":"Test::Box"\#(policy),"Properties":{"Name":"\#(name)","Size":\#(size)}},
      "B":{"Type":"Test::Box","Properties":{"Content":{"Ref":"A"}}}\#(more)
      """#, #","Outputs":{"A":{"Value":{"Ref":"A"}},"Size":{"Value":{"Fn::GetAtt":"A.Size"}}}"#)
  }

  private func made(_ cloud: StackFixture, _ template: String) async throws {
    try await cloud.create("s", template)
    #expect(try await cloud.settled("s").stackStatus == "CREATE_COMPLETE")
    cloud.boxes.clearJournal()
  }

  @Test("what can be changed is changed in place, and nothing else is touched") func inPlace() async throws {
    try await StackFixture.with { cloud in
      try await made(cloud, pair())
      try await cloud.update("s", pair(size: 2))
      #expect(try await cloud.settled("s").stackStatus == "UPDATE_COMPLETE")
      #expect(cloud.boxes.journal == ["update A"])
      #expect(try await cloud.outputs("s") == ["A": "box-1", "Size": "2"])
      #expect(
        await cloud.refusal { try await cloud.update("s", pair(size: 2)) }
          == "ValidationError: No updates are to be performed.")
      #expect(
        await cloud.refusal { try await cloud.update("t", pair()) } == "ValidationError: Stack [t] does not exist")
    }
  }

  @Test("what cannot be changed is replaced: the new comes first, is referred to, and the old goes last")
  func replacement() async throws {
    try await StackFixture.with { cloud in
      try await made(cloud, pair())
      try await cloud.update("s", pair(name: "other"))
      #expect(try await cloud.settled("s").stackStatus == "UPDATE_COMPLETE")
      #expect(cloud.boxes.journal == ["create A", "update B", "delete A"])
      #expect(try await cloud.outputs("s")["A"] == "box-3")
      #expect(cloud.boxes.standing["box-2"] == ["Content": "box-3"])
      #expect(cloud.boxes.standing["box-1"] == nil)
      #expect(try await cloud.events("s").suffix(2) == ["A DELETE_COMPLETE", "s UPDATE_COMPLETE"])
      #expect(try await cloud.events("s").contains("s UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))
    }
  }

  @Test("UpdateReplacePolicy and DeletionPolicy keep what an update replaces or drops") func policies() async throws {
    let dropped = #","C":{"Type":"Test::Box","DeletionPolicy":"Retain"},"D":{"Type":"Test::Box"}"#
    try await StackFixture.with { cloud in
      try await made(cloud, pair(more: dropped, policy: #","UpdateReplacePolicy":"Retain""#))
      let before = try await cloud.resources("s")
      try await cloud.update("s", pair(name: "other", policy: #","UpdateReplacePolicy":"Retain""#))
      #expect(try await cloud.settled("s").stackStatus == "UPDATE_COMPLETE")
      #expect(cloud.boxes.journal == ["create A", "update B", "delete D"])
      for id in ["A", "C"] { #expect(cloud.boxes.standing[before[id]?.physicalResourceId ?? ""] != nil) }
      #expect(try await cloud.resources("s").keys.sorted() == ["A", "B"])
    }
  }

  @Test("an update that fails leads back to what was: changed, replaced, added and dropped") func rollback()
    async throws
  {
    let extra = #","Dropped":{"Type":"Test::Box"},"Grown":{"Type":"Test::Box","Properties":{"Size":1}}"#
    let next = #"""
      ,"Added":{"Type":"Test::Box"},"Grown":{"Type":"Test::Box","Properties":{"Size":2}},
      "Z":{"Type":"Test::Box","DependsOn":["A","B","Added","Grown"]}
      """#
    try await StackFixture.with { cloud in
      try await made(cloud, pair(more: extra))
      let before = cloud.boxes.standing
      // Boxes are numbered as they are made, and the first ones are made at the same time.
      let boxA = try await cloud.outputs("s")["A"]
      let template = try await cloud.harness.run(CloudFormation.getTemplate) { $0.stackName = "s" }.templateBody
      cloud.boxes.fail("create Z")
      try await cloud.update("s", pair(name: "other", more: next))
      let stack = try await cloud.settled("s")
      #expect(stack.stackStatus == "UPDATE_ROLLBACK_COMPLETE")
      #expect(cloud.boxes.standing == before)
      #expect(boxA != nil)
      #expect(try await cloud.outputs("s")["A"] == boxA)
      #expect(try await cloud.resources("s").keys.sorted() == ["A", "B", "Dropped", "Grown"])
      #expect(try await cloud.harness.run(CloudFormation.getTemplate) { $0.stackName = "s" }.templateBody == template)
      // The stack can be updated again, and then all of it comes.
      cloud.boxes.mend("create Z")
      try await cloud.update("s", pair(name: "other", more: next))
      #expect(try await cloud.settled("s").stackStatus == "UPDATE_COMPLETE")
      #expect(try await cloud.resources("s").keys.sorted() == ["A", "Added", "B", "Grown", "Z"])
      #expect(cloud.boxes.standing.count == 5)
    }
  }

  @Test("a rollback that fails says so") func rollbackFails() async throws {
    let added = #","C":{"Type":"Test::Box","DependsOn":["A","B"]}"#
    try await StackFixture.with { cloud in
      try await made(cloud, pair())
      cloud.boxes.fail("create C")
      cloud.boxes.hold("create C")
      try await cloud.update("s", pair(size: 2, more: added))
      try await cloud.boxes.begun("create C")
      cloud.boxes.fail("update A")
      cloud.boxes.release("create C")
      #expect(try await cloud.settled("s").stackStatus == "UPDATE_ROLLBACK_FAILED")
      #expect(try await cloud.resources("s")["A"]?.resourceStatus == "UPDATE_FAILED")
    }
  }

  @Test("parameters and tags alone make an update; the template stays") func parameters() async throws {
    let template = #"""
      Parameters: { Size: { Type: Number }, Name: { Type: String } }
      Resources: { A: { Type: "Test::Box", Properties: { Size: !Ref Size, Name: !Ref Name } } }
      """#
    try await StackFixture.with { cloud in
      try await cloud.create("s", template, ["Size": "1", "Name": "n"])
      try await cloud.settled("s")
      _ = try await cloud.harness.run(CloudFormation.updateStack) {
        $0.stackName = "s"
        $0.usePreviousTemplate = true
        $0.parameters =
          StackFixture.parameters(["Size": "7"]) + [
            .make {
              $0.parameterKey = "Name"
              $0.usePreviousValue = true
            }
          ]
      }
      #expect(try await cloud.settled("s").stackStatus == "UPDATE_COMPLETE")
      #expect(cloud.boxes.standing["box-1"] == ["Size": "7", "Name": "n"])
      try await cloud.update("s", template, ["Size": "7", "Name": "n"]) {
        $0.tags = [
          .make {
            $0.key = "k"
            $0.value = "v"
          }
        ]
      }
      #expect(try await cloud.settled("s").stackStatus == "UPDATE_COMPLETE")
      #expect(cloud.boxes.context("A")?.tags["k"] == "v")
    }
  }

  @Test("two operations on one stack do not meet") func oneAtATime() async throws {
    try await StackFixture.with { cloud in
      try await made(cloud, pair())
      cloud.boxes.hold("update A")
      try await cloud.update("s", pair(size: 2))
      try await cloud.boxes.begun("update A")
      #expect(
        await cloud.refusal { try await cloud.update("s", pair(size: 3)) }.contains(
          "is in UPDATE_IN_PROGRESS state and can not be updated"))
      cloud.boxes.release("update A")
      #expect(try await cloud.settled("s").stackStatus == "UPDATE_COMPLETE")
    }
  }

  // MARK: - Restarts

  @Test("a create goes on after a restart and makes nothing twice") func resumeCreate() async throws {
    try await StackFixture.with { cloud in
      cloud.boxes.hold("create B")
      try await cloud.create("s", pair())
      try await cloud.boxes.begun("create B")
      try await cloud.restart()
      cloud.boxes.release("create B")
      #expect(try await cloud.settled("s").stackStatus == "CREATE_COMPLETE")
      #expect(cloud.boxes.journal.filter { $0 == "create A" }.count == 1)
      #expect(cloud.boxes.standing.count == 2)
      #expect(try await cloud.outputs("s")["A"] == "box-1")
    }
  }

  @Test("an update goes on after a restart, and still knows the way back") func resumeUpdate() async throws {
    try await StackFixture.with { cloud in
      try await made(cloud, pair())
      cloud.boxes.hold("update B")
      try await cloud.update("s", pair(name: "other"))
      try await cloud.boxes.begun("update B")
      try await cloud.restart()
      #expect(try await cloud.describe("s").stackStatus == "UPDATE_IN_PROGRESS")
      cloud.boxes.release("update B")
      #expect(try await cloud.settled("s").stackStatus == "UPDATE_COMPLETE")
      #expect(cloud.boxes.journal.filter { $0 == "create A" }.count == 1)
      #expect(cloud.boxes.standing.keys.sorted() == ["box-2", "box-3"])

      cloud.boxes.fail("update B")
      cloud.boxes.hold("update B")
      cloud.boxes.clearJournal()
      try await cloud.update("s", pair(name: "third"))
      try await cloud.boxes.begun("update B")
      try await cloud.restart()
      cloud.boxes.release("update B")
      try await eventually("the update failed") { try await cloud.describe("s").stackStatus != "UPDATE_IN_PROGRESS" }
      cloud.boxes.mend("update B")
      _ = try await cloud.settled("s")
      #expect(cloud.boxes.standing["box-3"] == ["Name": "other", "Size": 1])
    }
  }

  private func slow(name: String = "x") -> String {
    boxTemplate(
      """
      "A": {"Type": "Test::SlowBox", "Properties": {"Name": "\(name)"}},
      "B": {"Type": "Test::Box", "Properties": {"Content": {"Fn::GetAtt": ["A", "Label"]}}}
      """)
  }

  @Test("a resource that was created before a restart is waited for, not created again") func resumeStabilizing()
    async throws
  {
    try await StackFixture.with { cloud in
      cloud.boxes.hold("settle A")
      try await cloud.create("s", slow())
      try await cloud.boxes.begun("settle A")
      #expect(try await cloud.resources("s")["A"]?.physicalResourceId == "box-1")
      #expect(try await cloud.resources("s")["A"]?.resourceStatus == "CREATE_IN_PROGRESS")
      try await cloud.restart()
      cloud.boxes.release("settle A")
      #expect(try await cloud.settled("s").stackStatus == "CREATE_COMPLETE")
      #expect(cloud.boxes.journal.filter { $0 == "create A" }.count == 1)
      #expect(cloud.boxes.standing["box-2"]?["Content"] == "settled")

      // The same for a replacement.
      cloud.boxes.hold("settle A")
      cloud.boxes.clearJournal()
      try await cloud.update("s", slow(name: "y"))
      try await cloud.boxes.begun("settle A")
      try await cloud.restart()
      cloud.boxes.release("settle A")
      #expect(try await cloud.settled("s").stackStatus == "UPDATE_COMPLETE")
      #expect(cloud.boxes.journal.filter { $0 == "create A" }.count == 1)
      #expect(cloud.boxes.standing.keys.sorted() == ["box-2", "box-3"])
    }
  }

  @Test("a resource that is created and never becomes stable goes when its stack rolls back") func neverStable()
    async throws
  {
    try await StackFixture.with { cloud in
      cloud.boxes.fail("settle A")
      try await cloud.create("s", slow())
      #expect(try await cloud.settled("s").stackStatus == "ROLLBACK_COMPLETE")
      #expect(cloud.boxes.standing.isEmpty)

      cloud.boxes.mend("settle A")
      try await cloud.create("t", slow())
      #expect(try await cloud.settled("t").stackStatus == "CREATE_COMPLETE")
      let before = cloud.boxes.standing
      cloud.boxes.fail("settle A")
      try await cloud.update("t", slow(name: "y"))
      #expect(try await cloud.settled("t").stackStatus == "UPDATE_ROLLBACK_COMPLETE")
      #expect(cloud.boxes.standing == before)
    }
  }

  @Test("a deletion goes on after a restart") func resumeDelete() async throws {
    try await StackFixture.with { cloud in
      let id = try await cloud.create("s", pair())
      try await cloud.settled("s")
      cloud.boxes.hold("delete A")
      try await cloud.delete("s")
      try await cloud.boxes.begun("delete A")
      try await cloud.restart()
      cloud.boxes.release("delete A")
      #expect(try await cloud.settled(id).stackStatus == "DELETE_COMPLETE")
      #expect(cloud.boxes.standing.isEmpty)
      #expect(cloud.boxes.journal.filter { $0 == "delete B" }.count == 1)
    }
  }
}
