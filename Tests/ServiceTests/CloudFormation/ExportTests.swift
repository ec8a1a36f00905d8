// What stacks give one another, and change sets.

import AWSCore
import CloudFormationModel
import Testing

@Suite("CloudFormation: exports and change sets", .timeLimit(.minutes(1))) struct ExportTests {
  private func exporter(size: Int = 1, export: String = "shared-size") -> String {
    boxTemplate(
      #""A":{"Type":"Test::Box","Properties":{"Size":\#(size)}}"#,
      #","Outputs":{"Size":{"Value":{"Fn::GetAtt":"A.Size"},"Export":{"Name":"\#(export)"}}}"#)
  }
  private let importer = boxTemplate(
    #""B":{"Type":"Test::Box","Properties":{"Size":{"Fn::ImportValue":"shared-size"}}}"#)

  @Test("a stack takes over what another exports, and holds it fast") func exports() async throws {
    try await StackFixture.with { cloud in
      try await cloud.create("early", importer)
      let early = try await cloud.settled("early")
      #expect(early.stackStatus == "ROLLBACK_COMPLETE")
      let why = try await cloud.harness.run(CloudFormation.describeStackEvents) { $0.stackName = "early" }.stackEvents
      #expect(why?.contains { $0.resourceStatusReason?.contains("No export named shared-size found") == true } == true)
      let giver = try await cloud.create("giver", exporter(size: 5))
      try await cloud.settled("giver")
      let taker = try await cloud.create("taker", importer)
      #expect(try await cloud.settled("taker").stackStatus == "CREATE_COMPLETE")
      #expect(cloud.boxes.standing["box-2"]?["Size"] == "5")
      let listed = try await cloud.harness.run(CloudFormation.listExports).exports
      #expect(listed?.map(\.name) == ["shared-size"] && listed?.first?.value == "5")
      #expect(listed?.first?.exportingStackId == giver)
      let takers = try await cloud.harness.run(CloudFormation.listImports) { $0.exportName = "shared-size" }.imports
      #expect(takers == ["taker"])
      #expect(
        await cloud.refusal { try await cloud.delete("giver") }
          == "ValidationError: Export shared-size cannot be deleted as it is in use by taker")
      // A value in use may neither change nor go.
      for template in [exporter(size: 6), exporter(size: 5, export: "other")] {
        try await cloud.update("giver", template)
        #expect(try await cloud.settled("giver").stackStatus == "UPDATE_ROLLBACK_COMPLETE")
        #expect(try await cloud.harness.run(CloudFormation.listExports).exports?.first?.value == "5")
      }
      try await cloud.delete("taker")
      try await cloud.settled(taker)
      try await cloud.delete("giver")
      #expect(try await cloud.settled(giver).stackStatus == "DELETE_COMPLETE")
    }
  }

  @Test("an export's name belongs to one stack") func sameName() async throws {
    try await StackFixture.with { cloud in
      try await cloud.create("first", exporter())
      try await cloud.settled("first")
      try await cloud.create("second", exporter())
      #expect(try await cloud.settled("second").stackStatus == "ROLLBACK_COMPLETE")
      #expect(cloud.boxes.standing.count == 1)
    }
  }

  // MARK: - Change sets

  private func changeSet(
    _ cloud: StackFixture, _ name: String, _ template: String, kind: String = "UPDATE"
  ) async throws -> CloudFormation.DescribeChangeSetOutput {
    let made = try await cloud.harness.run(CloudFormation.createChangeSet) {
      $0.stackName = "s"
      $0.changeSetName = name
      $0.templateBody = template
      $0.changeSetType = kind
    }
    return try await cloud.harness.run(CloudFormation.describeChangeSet) { $0.changeSetName = made.id ?? "" }
  }

  private func execute(_ cloud: StackFixture, _ name: String) async throws {
    _ = try await cloud.harness.run(CloudFormation.executeChangeSet) {
      $0.stackName = "s"
      $0.changeSetName = name
    }
  }

  @Test("a change set makes a stack, and does nothing before it is executed") func createSet() async throws {
    try await StackFixture.with { cloud in
      let set = try await changeSet(cloud, "new", exporter(), kind: "CREATE")
      #expect(set.status == "CREATE_COMPLETE" && set.executionStatus == "AVAILABLE")
      #expect(
        set.changes?.map { "\($0.resourceChange?.action ?? "") \($0.resourceChange?.logicalResourceId ?? "")" } == [
          "Add A"
        ])
      #expect(try await cloud.describe("s").stackStatus == "REVIEW_IN_PROGRESS")
      #expect(cloud.boxes.journal.isEmpty)
      try await execute(cloud, "new")
      try await eventually("made") { try await cloud.describe("s").stackStatus == "CREATE_COMPLETE" }
      #expect(cloud.boxes.standing.count == 1)
      #expect(await cloud.refusal { try await self.execute(cloud, "new") }.hasPrefix("InvalidChangeSetStatus: "))
    }
  }

  @Test("a change set tells what an update adds, changes, replaces and removes") func updateSet() async throws {
    let before = boxTemplate(
      #"""
      "Same":{"Type":"Test::Box"},"Grown":{"Type":"Test::Box","Properties":{"Size":1}},
      "Renamed":{"Type":"Test::Box","Properties":{"Name":"old"}},"Gone":{"Type":"Test::Box"}
      """#)
    let after = boxTemplate(
      #"""
      "Same":{"Type":"Test::Box"},"Grown":{"Type":"Test::Box","Properties":{"Size":2}},
      "Renamed":{"Type":"Test::Box","Properties":{"Name":"new"}},"New":{"Type":"Test::Box"}
      """#)
    try await StackFixture.with { cloud in
      try await cloud.create("s", before)
      try await cloud.settled("s")
      cloud.boxes.clearJournal()
      let set = try await changeSet(cloud, "next", after)
      let changes = Set(
        (set.changes ?? []).compactMap(\.resourceChange).map {
          "\($0.action ?? "") \($0.logicalResourceId ?? "") \($0.replacement ?? "")"
        })
      #expect(changes == ["Add New ", "Modify Grown False", "Modify Renamed True", "Remove Gone "])
      #expect(cloud.boxes.journal.isEmpty)
      let nothing = try await changeSet(cloud, "same", before)
      #expect(nothing.status == "FAILED" && nothing.statusReason?.contains("didn't contain changes") == true)
      #expect(await cloud.refusal { try await self.execute(cloud, "same") }.hasPrefix("InvalidChangeSetStatus: "))
      try await execute(cloud, "next")
      try await eventually("updated") { try await cloud.describe("s").stackStatus == "UPDATE_COMPLETE" }
      #expect(try await cloud.resources("s").keys.sorted() == ["Grown", "New", "Renamed", "Same"])
      let sets = try await cloud.harness.run(CloudFormation.listChangeSets) { $0.stackName = "s" }.summaries ?? []
      #expect(Set(sets.compactMap(\.changeSetName)).isSuperset(of: ["same"]))
    }
  }

  @Test("a template is checked and summed up without making anything") func validation() async throws {
    let template = #"""
      Description: Two boxes
      Parameters: { Size: { Type: Number, Default: 3, Description: How big }, Pass: { Type: String, NoEcho: true } }
      Resources:
        A: { Type: "Test::Box", Properties: { Size: !Ref Size } }
        R: { Type: "AWS::IAM::Role" }
      """#
    try await StackFixture.with { cloud in
      let valid = try await cloud.harness.run(CloudFormation.validateTemplate) { $0.templateBody = template }
      #expect(valid.description == "Two boxes" && valid.capabilities == ["CAPABILITY_IAM"])
      #expect(Set((valid.parameters ?? []).compactMap(\.parameterKey)) == ["Size", "Pass"])
      let summary = try await cloud.harness.run(CloudFormation.getTemplateSummary) { $0.templateBody = template }
      #expect(Set(summary.resourceTypes ?? []) == ["Test::Box", "AWS::IAM::Role"])
      let bad = await cloud.refusal {
        try await cloud.harness.run(CloudFormation.validateTemplate) {
          $0.templateBody = "Resources:\n  A:\n    Type: Test::Box\n    Properties: { Size: !Ref Nobody }"
        }
      }
      #expect(bad.contains("Nobody"))
    }
  }
}
