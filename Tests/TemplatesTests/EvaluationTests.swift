// The functions, parameters and conditions.
import Testing

@testable import Templates

@Suite("Evaluating a template")
struct EvaluationTests {
  static let sections = """
    Parameters:
      Name: { Type: String, Default: cart }
      Zones: { Type: 'List<AWS::EC2::AvailabilityZone::Name>', Default: 'a, b' }
      Count: { Type: Number, Default: 3 }
    Mappings:
      Sizes: { small: { cpu: 256, names: [x, y] }, eu-west-1: { cpu: 512 } }
    Conditions:
      Yes: !Equals [!Ref Count, 3]
      No: !Not [!Condition Yes]
      Both: !And [!Condition Yes, !Condition No]
      Either: !Or [!Condition No, !Condition Yes, !Equals [a, b]]
    """

  @Test(
    "functions give what CloudFormation gives",
    arguments: [
      ("!Ref Name", "\"cart\""),
      ("!Ref Zones", #"["a","b"]"#),
      ("!Ref B", "\"B-physical\""),
      ("!Ref AWS::Region", "\"eu-west-1\""),
      ("!Ref AWS::AccountId", "\"123456789012\""),
      ("!Ref AWS::Partition", "\"aws\""),
      ("!Ref AWS::URLSuffix", "\"amazonaws.com\""),
      ("!Ref AWS::NotificationARNs", #"["arn:a","arn:b"]"#),
      ("!GetAtt B.Arn", "\"arn:aws:s3:::b\""),
      (
        "!Sub '${AWS::StackName}-${Name}-${B.Arn}-${!Literal}-$x-${Count}'",
        "\"shop-cart-arn:aws:s3:::b-${Literal}-$x-3\""
      ),
      ("!Sub ['${A}:${B.Endpoint.Port}/${Name}', {A: !Join ['', [h, o]]}]", "\"ho:5432/cart\""),
      ("!Join ['-', [a, !Ref Name, 5, true]]", "\"a-cart-5-true\""),
      ("!Join [',', !Ref Zones]", "\"a,b\""),
      ("!Join ['', []]", "\"\""),
      ("!Select [1, !Split ['|', 'a|b|c']]", "\"b\""),
      ("!Split ['--', 'a--b----c']", #"["a","b","","c"]"#),
      ("!Select ['0', !GetAZs '']", "\"eu-west-1a\""),
      ("!GetAZs us-east-1", #"["us-east-1a","us-east-1b","us-east-1c"]"#),
      ("!FindInMap [Sizes, small, cpu]", "256"),
      ("!FindInMap [Sizes, !Ref AWS::Region, cpu]", "512"),
      ("!FindInMap [Sizes, small, names]", #"["x","y"]"#),
      ("!ImportValue Network-Vpc", "\"vpc-1\""),
      ("{'Fn::ImportValue': !Sub 'Network-${X}'}", "Unresolved"),
      ("!Base64 {'Fn::Sub': 'hi ${Name}'}", "\"aGkgY2FydA==\""),
      ("!If [Yes, a, b]", "\"a\""),
      ("!If [No, a, b]", "\"b\""),
      ("!If [Both, a, !If [Either, c, d]]", "\"c\""),
      ("{a: !Ref AWS::NoValue, b: 1}", #"{"b":1}"#),
      ("[1, !If [No, 2, !Ref AWS::NoValue], 3]", "[1,3]"),
      ("!Cidr [10.0.0.0/16, 3, 8]", #"["10.0.0.0/24","10.0.1.0/24","10.0.2.0/24"]"#),
      ("!Select [2, !Cidr [10.0.7.9/16, 4, 12]]", "\"10.0.32.0/20\""),
      ("!Cidr ['2001:db8::/56', 2, 64]", #"["2001:db8::/64","2001:db8:0:1::/64"]"#),
      ("{Condition: {StringEquals: {a: b}}}", #"{"Condition":{"StringEquals":{"a":"b"}}}"#),
    ])
  func functions(expression: String, json: String) throws {
    if json == "Unresolved" {
      #expect(fault { _ = try evaluate(expression, sections: Self.sections) } != nil)
    } else {
      #expect(try evaluate(expression, sections: Self.sections).json() == json)
    }
  }

  @Test(
    "functions fail in CloudFormation's words",
    arguments: [
      ("!GetAtt B.Nothing", "Template error: resource B does not support attribute type Nothing in Fn::GetAtt"),
      ("!Select [7, [a]]", "Template error: Fn::Select  cannot select nonexistent value at index 7"),
      ("!FindInMap [Sizes, small, memory]", "Template error: Unable to get mapping for Sizes::small::memory"),
      ("!ImportValue Nothing", "No export named Nothing found."),
      ("!Join [',', text]", "Template error: " + FunctionFaults.join),
      ("!Sub '${Zones}'", "Template error: variable Zones in Fn::Sub expression does not resolve to a string"),
      (
        "!Cidr [10.0.0.0/24, 300, 4]",
        "Template error: Fn::Cidr cannot make 300 blocks of 4 host bits from 10.0.0.0/24"
      ),
      ("!Cidr [nonsense, 3, 4]", "Template error: Fn::Cidr cannot make 3 blocks of 4 host bits from nonsense"),
    ])
  func faults(expression: String, message: String) {
    #expect(fault { _ = try evaluate(expression, sections: Self.sections) } == message)
  }

  @Test(
    "parameter values obey their declarations",
    arguments: [
      ("Type: String, AllowedValues: [a, b]", "c", "Parameter 'P' must be one of AllowedValues"),
      ("Type: String, AllowedPattern: '[a-z]+'", "A", "Parameter 'P' must match pattern [a-z]+"),
      ("Type: String, AllowedPattern: '[a-z]+'", "ab1", "Parameter 'P' must match pattern [a-z]+"),
      ("Type: String, MinLength: 3", "ab", "Parameter 'P' must contain at least 3 characters"),
      ("Type: String, MaxLength: 3", "abcd", "Parameter 'P' must contain at most 3 characters"),
      ("Type: Number", "x", "Parameter 'P' must be a number"),
      ("Type: Number, MinValue: 2", "1.5", "Parameter 'P' must be a number not less than 2"),
      ("Type: Number, MaxValue: 2", "3", "Parameter 'P' must be a number not greater than 2"),
      (
        "Type: String, MinLength: 3, ConstraintDescription: say more", "a",
        "Parameter 'P' failed to satisfy constraint: say more"
      ),
      ("Type: 'List<Number>'", "1,x", "Parameter 'P' must be a number"),
      ("Type: CommaDelimitedList, AllowedValues: [a, b]", "a, c", "Parameter 'P' must be one of AllowedValues"),
    ])
  func parameterRules(declaration: String, value: String, message: String) throws {
    let template = try Template.parse("Parameters: {P: {\(declaration)}}\nResources: {A: {Type: T}}")
    #expect(fault { _ = try template.parameterValues(given: ["P": value]) } == message)
  }

  @Test("missing and unknown parameters are listed")
  func missingParameters() throws {
    let template = try Template.parse(
      "Parameters: {P: {Type: String}, Q: {Type: String, NoEcho: true}, R: {Type: String, Default: d}}\n"
        + "Resources: {A: {Type: T}}")
    #expect(fault { _ = try template.parameterValues(given: [:]) } == "Parameters: [P, Q] must have values")
    #expect(
      fault { _ = try template.parameterValues(given: ["X": "1", "P": "1"]) }
        == "Parameters: [X] do not exist in the template")
    #expect(try template.parameterValues(given: ["P": "1", "Q": "2"]) == ["P": "1", "Q": "2", "R": "d"])
    #expect(template.parameters[1].noEcho)
  }

  @Test("outputs are evaluated, exports named, and those without their condition left out")
  func outputs() throws {
    let template = try Template.parse(
      """
      Conditions: { Never: !Equals [a, b] }
      Resources: { A: { Type: T } }
      Outputs:
        One: { Value: !Sub 'x-${A}', Description: first, Export: { Name: !Sub '${AWS::StackName}-One' } }
        Two: { Value: 2 }
        Three: { Value: x, Condition: Never }
      """)
    let evaluator = try TemplateEvaluator(template: template, parameters: [:], context: context)
    let outputs = try evaluator.outputs { _ in "a" }
    #expect(
      outputs == [
        .init(name: "One", value: "x-a", description: "first", exportName: "shop-One"),
        .init(name: "Two", value: "2", description: nil, exportName: nil),
      ])
  }

  @Test("imports are listed by their evaluated names")
  func imports() throws {
    let template = try Template.parse(
      "Resources: {A: {Type: T, Properties: {V: {'Fn::ImportValue': !Sub '${AWS::StackName}-x'}, W: !ImportValue y}}}")
    let evaluator = try TemplateEvaluator(template: template, parameters: [:], context: context)
    #expect(try evaluator.importedNames { _ in nil } == ["shop-x", "y"])
  }

  @Test("conditions that go in a circle are refused")
  func conditionCircle() throws {
    let text = "Conditions: {A: !Not [!Condition B], B: !Not [!Condition A]}\nResources: {R: {Type: T}}"
    let template = try Template.parse(text)
    #expect(
      fault { _ = try TemplateEvaluator(template: template, parameters: [:], context: context) }
        == "Template format error: Circular dependency between conditions: [A, B, A]")
  }
}

@Suite("Dynamic references")
struct DynamicReferenceTests {
  @Test("are found with their parts, and replaced where they stand")
  func findAndReplace() throws {
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:login-AbCdEf"
    let value: TemplateValue = [
      "url": .string("pg://{{resolve:secretsmanager:\(arn):SecretString:username}}:{{resolve:ssm:/db/port:3}}@h"),
      "again": ["{{resolve:ssm:/db/port:3}}", "{{resolve:secretsmanager:plain}}", 5],
    ]
    let found = try DynamicReference.all(in: value)
    #expect(
      found.map(\.target) == [
        .secret(secretId: arn, jsonKey: "username", versionStage: nil, versionId: nil),
        .parameter(name: "/db/port", version: 3, isSecure: false),
        .secret(secretId: "plain", jsonKey: nil, versionStage: nil, versionId: nil),
      ])
    let replaced = value.substituting([found[0]: "castle", found[1]: "5432"])
    #expect(replaced["url"] == "pg://castle:5432@h")
    #expect(replaced["again"] == ["5432", "{{resolve:secretsmanager:plain}}", 5])
  }

  @Test(
    "of a wrong form are refused",
    arguments: ["{{resolve:s3:x}}", "{{resolve:ssm:}}", "{{resolve:secretsmanager:a:SecretBinary}}", "{{resolve:}}"])
  func malformed(text: String) {
    #expect(throws: TemplateError.self) { try DynamicReference.all(in: .string(text)) }
  }

  @Test("stages and versions are read")
  func stages() throws {
    let found = try DynamicReference.all(in: "{{resolve:secretsmanager:s:SecretString:k:AWSPREVIOUS:v1}}")
    #expect(
      found.first?.target == .secret(secretId: "s", jsonKey: "k", versionStage: "AWSPREVIOUS", versionId: "v1"))
  }
}
