// Reading templates: both notations, short forms, places and faults.
import Testing

@testable import Templates

@Suite("Reading a template")
struct ParsingTests {
  @Test(
    "a short-form tag is its long form",
    arguments: [
      ("!Ref B", #"{"Ref":"B"}"#),
      ("!GetAtt B.Arn", #"{"Fn::GetAtt":["B","Arn"]}"#),
      ("!GetAtt [B, Arn]", #"{"Fn::GetAtt":["B","Arn"]}"#),
      ("!GetAtt B.Endpoint.Address", #"{"Fn::GetAtt":["B","Endpoint.Address"]}"#),
      ("!Sub 'a-${B}'", #"{"Fn::Sub":"a-${B}"}"#),
      ("!Sub ['${X}', {X: 1}]", #"{"Fn::Sub":["${X}",{"X":1}]}"#),
      ("!Join [',', [a, b]]", #"{"Fn::Join":[",",["a","b"]]}"#),
      ("!Select [0, !GetAZs '']", #"{"Fn::Select":[0,{"Fn::GetAZs":""}]}"#),
      ("!Split ['|', 'a|b']", #"{"Fn::Split":["|","a|b"]}"#),
      ("!ImportValue x", #"{"Fn::ImportValue":"x"}"#),
      ("!Base64 text", #"{"Fn::Base64":"text"}"#),
      ("!Cidr [10.0.0.0/16, 2, 8]", #"{"Fn::Cidr":["10.0.0.0/16",2,8]}"#),
      ("!FindInMap [M, a, b]", #"{"Fn::FindInMap":["M","a","b"]}"#),
      ("!If [C, a, !Ref AWS::NoValue]", #"{"Fn::If":["C","a",{"Ref":"AWS::NoValue"}]}"#),
      (
        "!And [!Condition A, !Not [!Equals [a, b]]]",
        #"{"Fn::And":[{"Condition":"A"},{"Fn::Not":[{"Fn::Equals":["a","b"]}]}]}"#
      ),
      ("!Or [!Condition A, !Condition B]", #"{"Fn::Or":[{"Condition":"A"},{"Condition":"B"}]}"#),
    ])
  func shortForms(yaml: String, json: String) throws {
    let node = try Template.parseNode("v: \(yaml)")
    #expect(node["v"]?.value.json() == json)
  }

  @Test("the same template in JSON and in YAML is the same tree, in the order of the text")
  func bothNotations() throws {
    let yaml = try Template.parseNode(
      "Zebra: 1\nApple: [true, 'x', 1.50, null]\nDate: 2012-10-17\nAccount: 012345678901\nText: \"5\"\nYes: yes")
    let json = try Template.parseNode(
      #"{"Zebra": 1, "Apple": [true, "x", 1.50, null], "Date": "2012-10-17", "Account": "012345678901","#
        + #" "Text": "5", "Yes": "yes"}"#
    )
    #expect(yaml.value == json.value)
    #expect(yaml.value.map?.keys == ["Zebra", "Apple", "Date", "Account", "Text", "Yes"])
    #expect(yaml["Apple"]?.items?[2].value == .number("1.50"))
  }

  @Test("JSON strings keep their escapes and what lies beyond the basic plane")
  func jsonEscapes() throws {
    let node = try Template.parseNode(#"{"a": "x\n\"\\\/\u00e9\ud83d\ude00"}"#)
    #expect(node["a"]?.value == .string("x\n\"\\/é😀"))
    #expect(try Template.parseNode(node.value.json()).value == node.value)
  }

  @Test("every node knows its line and column, in both notations")
  func places() throws {
    let yaml = try Template.parseNode("a:\n  b: x\n  c:\n    - !Ref Y\n")
    #expect(yaml["a"]?["b"]?.location == SourceLocation(line: 2, column: 6))
    #expect(yaml["a"]?["c"]?.items?[0].location.line == 4)
    let json = try Template.parseNode("{\n  \"a\": {\"é\": 1,\n  \"b\": 2}}")
    #expect(json["a"]?["é"]?.location == SourceLocation(line: 2, column: 14))
    #expect(json["a"]?.entries?[1].keyLocation == SourceLocation(line: 3, column: 3))
  }

  @Test(
    "a malformed template is refused in CloudFormation's words",
    arguments: [
      ("{\"Resources\": {,}}", "Template format error: JSON not well-formed. (line 1, column 16)"),
      ("a: [1", "Template format error: YAML not well-formed. (line 2, column 1)"),
      ("- a", "Template format error: unsupported structure."),
      ("", "Template format error: unsupported structure."),
      ("Description: x", "Template format error: At least one Resources member must be defined."),
      ("Resources: {}", "Template format error: At least one Resources member must be defined."),
      ("Resources: {A: {Type: T}}\nFoo: 1\nBar: 2", "Invalid template property or properties [Foo, Bar]"),
      (
        "Resources: {A: {Properties: {}}}",
        "Template format error: [/Resources/A] Every Resources object must contain a Type member."
      ),
      ("Resources: {A: {Type: T, Propertys: {}}}", "Invalid template resource property 'Propertys'"),
      ("Resources: {A-B: {Type: T}}", "Template format error: Resource name A-B is non alphanumeric."),
      (
        "Resources: {A: {Type: T, Properties: {X: null}}}",
        "[/Resources/A/Properties/X] 'null' values are not allowed in templates"
      ),
      (
        "Resources: {A: {Type: T}}\nOutputs: {O: {Description: d}}",
        "Template format error: Output O is malformed. Every Outputs member must contain a Value object"
      ),
      (
        "Parameters: {P: {Type: Text}}\nResources: {A: {Type: T}}",
        "Template format error: Unrecognized parameter type: Text"
      ),
      (
        "Parameters: {P: {Default: x}}\nResources: {A: {Type: T}}",
        "Template format error: Every Parameters object must contain a Type member."
      ),
      (
        "Parameters: {P: {Type: 'AWS::SSM::Parameter::Value<String>'}}\nResources: {A: {Type: T}}",
        "Template validation error: Parameter P has type AWS::SSM::Parameter::Value<String>, but Systems Manager "
          + "parameters are not provided here."
      ),
      (
        "Transform: AWS::Serverless-2016-10-31\nResources: {A: {Type: T}}",
        "Template validation error: Transform is not supported: macros cannot be run here."
      ),
      (
        "Resources: {A: &x {Type: T}, B: *x}",
        "Template error: YAML aliases are not allowed in CloudFormation templates"
      ),
      (
        "Resources: {A: !Include {Type: T}}", "Template format error: Unsupported YAML tag !Include (line 1, column 16)"
      ),
      (
        "AWSTemplateFormatVersion: 2011-01-01\nResources: {A: {Type: T}}",
        "Template format error: Template format version 2011-01-01 is not supported. The valid value is 2010-09-09."
      ),
      (
        "Resources: {A: {Type: T, DeletionPolicy: Keep}}",
        "Template format error: Unrecognized DeletionPolicy Keep. The valid values are: Delete, Retain, "
          + "RetainExceptOnCreate, Snapshot"
      ),
      ("Resources: {A: {Type: T}, A: {Type: T}}", "Template format error: Duplicate key \"A\" (line 1, column 13)"),
    ])
  func malformed(text: String, message: String) {
    #expect(fault { _ = try Template.parse(text) } == message)
  }

  @Test(
    "what does not exist is named",
    arguments: [
      ("!Ref X", "Template format error: Unresolved resource dependencies [X] in the Resources block of the template"),
      (
        "!Sub '${X}'",
        "Template format error: Unresolved resource dependencies [X] in the Resources block of the template"
      ),
      ("!GetAtt X.Arn", "Template error: instance of Fn::GetAtt references undefined resource X"),
      ("!Sub '${X.Arn}'", "Template error: instance of Fn::GetAtt references undefined resource X"),
      ("!If [X, 1, 2]", "Template format error: Unresolved condition dependency X in the Fn::If block of the template"),
      (
        "!FindInMap [X, 1, 2]",
        "Template error: Mapping named 'X' is not present in the 'Mappings' section of template."
      ),
      (
        "{'Fn::Foo': 1}",
        "Template error: Encountered unsupported function: Fn::Foo Supported functions are: "
          + "[Fn::And, Fn::Base64, Fn::Cidr, Fn::Equals, Fn::FindInMap, Fn::GetAZs, Fn::GetAtt, Fn::If, "
          + "Fn::ImportValue, Fn::Join, Fn::Not, Fn::Or, Fn::Select, Fn::Split, Fn::Sub]"
      ),
      ("!Join [a]", "Template error: " + FunctionFaults.join),
      ("!Select 1", "Template error: " + FunctionFaults.select),
      (
        "!GetAtt Arn",
        "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name "
          + "and the resource attribute"
      ),
      ("!Transform {Name: x}", "Template validation error: Fn::Transform is not supported: macros cannot be run here."),
    ])
  func unresolved(expression: String, message: String) {
    #expect(fault { _ = try Template.parse("Resources: {A: {Type: T, Properties: {V: \(expression)}}}") } == message)
  }

  @Test("an unknown name in Outputs, DependsOn, Condition and Conditions is found")
  func unresolvedElsewhere() {
    let unresolved = "Unresolved resource dependencies [X] in the"
    #expect(
      fault { _ = try Template.parse("Resources: {A: {Type: T}}\nOutputs: {O: {Value: !Ref X}}") }
        == "Template format error: \(unresolved) Outputs block of the template")
    #expect(
      fault { _ = try Template.parse("Resources: {A: {Type: T, DependsOn: [X]}}") }
        == "Template format error: \(unresolved) Resources block of the template")
    #expect(
      fault { _ = try Template.parse("Resources: {A: {Type: T, Condition: X}}") }
        == "Template format error: Unresolved condition dependency X in the Resources block of the template")
    #expect(
      fault { _ = try Template.parse("Conditions: {C: !Equals [!Ref A, 1]}\nResources: {A: {Type: T}}") }
        == "Template format error: Unresolved dependencies [A]. Cannot reference resources in the Conditions block of "
        + "the template")
  }

  @Test("a fault carries its place beside its message")
  func faultPlace() throws {
    let error = #expect(throws: TemplateError.self) {
      try Template.parse("Resources:\n  A:\n    Type: T\n    Properties:\n      V: !Ref X\n")
    }
    #expect(error?.location == SourceLocation(line: 5, column: 10))
  }

  @Test("random bytes and truncated templates are refused or read, never fatal")
  func noise() {
    var generator = SplitMix(state: 42)
    let whole =
      #"{"Resources": {"A": {"Type": "T", "Properties": {"X": {"Fn::Sub": ["${!a}${B}$", {"B": [1.5e3]}]}}}}}"#
    let yaml = """
      Parameters: {P: {Type: Number, Default: 5, AllowedPattern: '[a-z'}}
      Conditions: {C: !Equals [!Ref P, "5"]}
      Resources:
        A:
          Type: T
          Properties: {V: !If [C, !Sub "${P}", !GetAtt A.B.C], W: !Cidr [a, b, c], X: "{{resolve:ssm:}}"}
      """
    for text in [whole, yaml] {
      for length in 0...text.utf8.count { read(String(decoding: text.utf8.prefix(length), as: UTF8.self)) }
      for _ in 0..<400 {
        var bytes = Array(text.utf8)
        for _ in 0...Int(generator.next() % 4) {
          bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
        }
        read(String(decoding: bytes, as: UTF8.self))
      }
    }
    let alphabet = Array("{}[]:,!&*|>'\"\\- \n\t#?%@`aRef0${}\u{0}\u{e9}".unicodeScalars)
    for _ in 0..<1500 {
      var text = ""
      for _ in 0..<Int(generator.next() % 60) {
        text.unicodeScalars.append(alphabet[Int(generator.next() % UInt64(alphabet.count))])
      }
      read(text)
      read("Resources: " + text)
    }
  }

  @Test("a template nested without end is refused", arguments: ["[", "{\"a\":", "- ", "a:\n "])
  func nesting(part: String) {
    #expect(fault { _ = try Template.parse("{\"x\":" + String(repeating: part, count: 20_000)) } != nil)
    #expect(fault { _ = try Template.parse(String(repeating: part, count: 20_000)) } != nil)
  }

  private func read(_ text: String) {
    guard let template = try? Template.parse(text) else { return }
    let evaluator = try? TemplateEvaluator(template: template, parameters: [:], context: context)
    for resource in evaluator?.resources ?? [] {
      guard let evaluated = try? evaluator?.evaluate(resource, lookup: { _ in "x" }) else { continue }
      _ = try? DynamicReference.all(in: evaluated.properties)
      _ = evaluated.properties.json(pretty: true)
    }
  }
}

/// A small repeatable source of numbers.
struct SplitMix {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
