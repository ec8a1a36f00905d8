// The order of resources, and what changes between two states.
import Testing

@testable import Templates

@Suite("The dependency graph")
struct GraphTests {
  private let text = """
    Parameters: { Zones: { Type: String, Default: two } }
    Conditions: { Two: !Equals [!Ref Zones, two] }
    Resources:
      Service: { Type: T, DependsOn: Rule, Properties: { Role: !GetAtt Role.Arn, Net: !Sub '${Vpc}/${AWS::Region}' } }
      Rule: { Type: T, Properties: { Nat: !If [Two, !Ref NatB, !Ref NatA] } }
      NatA: { Type: T, Properties: { Vpc: !Ref Vpc } }
      NatB: { Type: T, Condition: Two, Properties: { Vpc: !Ref Vpc }, DependsOn: [NatA] }
      Role: { Type: T }
      Vpc: { Type: T }
    """

  @Test("gives levels whose members can be made together, following conditions")
  func levels() throws {
    let template = try Template.parse(text)
    let two = try TemplateEvaluator(template: template, parameters: [:], context: context)
    #expect(try two.graph.levels() == [["Role", "Vpc"], ["NatA"], ["NatB"], ["Rule"], ["Service"]])
    let one = try TemplateEvaluator(template: template, parameters: ["Zones": "one"], context: context)
    #expect(try one.graph.levels() == [["Role", "Vpc"], ["NatA"], ["Rule"], ["Service"]])
    #expect(one.graph.dependents["Vpc"] == ["NatA", "Service"])
    #expect(one.resources.map(\.logicalId) == ["Service", "Rule", "NatA", "Role", "Vpc"])
  }

  @Test("names the members of a circle and not what hangs on it")
  func circle() {
    let text = """
      Resources:
        A: { Type: T, Properties: { V: !Ref B } }
        B: { Type: T, DependsOn: C }
        C: { Type: T, Properties: { V: !Sub '${A.Arn}' } }
        D: { Type: T, DependsOn: A }
        E: { Type: T }
      """
    #expect(fault { _ = try Template.parse(text) } == "Circular dependency between resources: [A, B, C]")
  }

  @Test("refuses a reference to a resource that its condition leaves out")
  func leftOut() throws {
    let template = try Template.parse(
      """
      Conditions: { Never: !Equals [a, b] }
      Resources: { A: { Type: T, Condition: Never }, B: { Type: T, Properties: { V: !Ref A } } }
      """)
    #expect(
      fault { _ = try TemplateEvaluator(template: template, parameters: [:], context: context) }
        == "Template format error: Unresolved resource dependencies [A] in the Resources block of the template")
  }
}

@Suite("The difference between two templates")
struct DiffTests {
  private func resource(_ id: String, _ properties: TemplateValue, type: String = "T") -> EvaluatedResource {
    EvaluatedResource(logicalId: id, type: type, properties: properties)
  }

  @Test("lists what is added, modified and removed, with the paths inside")
  func changes() {
    let old = [
      resource("Same", ["A": 80, "B": ["x": true, "y": "2"]]),
      resource("Changed", ["Name": "n", "Rules": [["Id": "a", "Days": 1], ["Id": "b"]], "Gone": 1]),
      resource("Removed", [:]),
    ]
    let new = [
      resource("Added", [:]),
      resource("Same", ["B": ["y": 2, "x": "true"], "A": "80"]),
      resource("Changed", ["Name": "n", "Rules": [["Id": "a", "Days": 2], ["Id": "b"]], "New": ["k": "v"]]),
    ]
    let changes = TemplateDiff.changes(from: old, to: new)
    #expect(changes.map(\.logicalId) == ["Added", "Changed", "Removed"])
    #expect(changes.map(\.action) == [.add, .modify, .remove])
    #expect(
      changes[1].properties == [
        .init(kind: .modify, path: ["Rules", "0", "Days"], before: 1, after: 2),
        .init(kind: .add, path: ["New"], before: nil, after: ["k": "v"]),
        .init(kind: .remove, path: ["Gone"], before: 1, after: nil),
      ])
    #expect(changes[1].properties.map(\.property) == ["Rules", "New", "Gone"])
    #expect(changes[1].scope == [.properties])
  }

  @Test("sees a changed type, metadata and policies")
  func attributes() {
    let old = EvaluatedResource(logicalId: "A", type: "T", properties: [:], deletionPolicy: .delete, metadata: ["a": 1])
    let new = EvaluatedResource(logicalId: "A", type: "U", properties: [:], deletionPolicy: .retain, metadata: ["a": 2])
    let change = TemplateDiff.change(from: old, to: new)
    #expect(change?.typeChanged == true)
    #expect(change?.scope == [.metadata, .deletionPolicy])
    #expect(TemplateDiff.change(from: old, to: old) == nil)
  }
}
