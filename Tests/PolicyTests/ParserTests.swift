// What is a policy, what is not, and what IAM says to it.

import AWSCore
import Testing

@testable import Policy

@Suite("Policy documents")
struct ParserTests {
  private func message(_ text: String, _ kind: PolicyDocument.Kind) -> String? {
    do {
      _ = try PolicyDocument(text, kind: kind)
      return nil
    } catch { return error.message }
  }

  @Test("statements, actions, resources and principals may be one or a list")
  func forms() throws {
    let one = try PolicyDocument(
      #"{"Version":"2012-10-17","Id":"x","Statement":{"Sid":"A1","Effect":"Allow","Action":"s3:*","Resource":"*"}}"#,
      kind: .identity)
    #expect(one.statements.count == 1 && one.id == "x" && one.statements[0].sid == "A1")
    let many = try PolicyDocument(
      """
      {"Statement":[{"Effect":"Deny","Action":["s3:*","kms:List*"],"Resource":["*","arn:aws:s3:::b"],
        "Principal":{"AWS":["111122223333","arn:aws:iam::111122223333:role/r"],"Service":"ec2.amazonaws.com",
        "CanonicalUser":"79a5","Federated":"cognito-identity.amazonaws.com"}}]}
      """, kind: .resource)
    #expect(many.version == "2008-10-17")
    #expect(many.statements[0].principals?.count == 5)
  }

  @Test(
    "identity policies are told IAM's objections",
    arguments: [
      ("", "This policy contains invalid Json"), ("[]", "This policy contains invalid Json"),
      ("{}", "Policy document must be version 2012-10-17 or greater."),
      (#"{"Version":"2012-10-17"}"#, "Syntax errors in policy."),
      (#"{"Version":"2012-10-17","Statement":[],"X":1}"#, "Syntax errors in policy."),
      (#"{"Version":"2013-10-17","Statement":[]}"#, "Syntax errors in policy."),
      (Make.policy(Make.statement(), version: "2008-10-17"), "Policy document must be version 2012-10-17 or greater."),
      (Make.policy(Make.statement("Maybe")), "Syntax errors in policy."),
      (Make.policy(#"{"Effect":"Allow","Resource":"*"}"#), "Policy statement must contain actions."),
      (Make.policy(Make.statement("Allow", "s3:*", nil)), "Policy statement must contain resources."),
      (
        Make.policy(Make.statement("Allow", "GetObject")),
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
      ),
      (Make.policy(Make.statement("Allow", "a:b:c")), "Actions/Condition can contain only one colon."),
      (Make.policy(Make.statement("Allow", "s3 :x")), "Vendor s3  is not valid"),
      (Make.policy(Make.statement("Allow", "s3:*", "bucket")), #"Resource bucket must be in ARN format or "*"."#),
      (Make.policy(Make.statement(principal: #""*""#)), "Policy document should not specify a principal."),
      (
        Make.policy(Make.statement(sid: "a"), Make.statement(sid: "a")),
        "Statement IDs (SID) in a single policy must be unique."
      ),
      (
        Make.policy(Make.statement(sid: "a b")),
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
      ),
      (Make.policy(Make.statement(condition: #"{"StringIs":{"a:b":"c"}}"#)), "Invalid Condition type : StringIs"),
      (Make.policy(Make.statement(condition: #"{"IpAddress":{"a:b":"10.0.0.0/33"}}"#)), "Syntax errors in policy."),
      (Make.policy(Make.statement(condition: #"{"NumericEquals":{"a:b":"x"}}"#)), "Syntax errors in policy."),
      (Make.policy(Make.statement(condition: #"{"Bool":{"a:b":{}}}"#)), "Syntax errors in policy."),
      (
        #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}}"#,
        "Syntax errors in policy."
      ),
      (
        #"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}}"#,
        "This policy contains invalid Json"
      ),
    ])
  func identity(_ text: String, _ expected: String) { #expect(message(text, .identity) == expected) }

  @Test("trust and resource policies are told theirs")
  func others() {
    func trust(_ action: String, _ resource: String?, _ principal: String?) -> String? {
      message(Make.policy(Make.statement("Allow", action, resource, principal: principal)), .trust)
    }
    let ec2 = #"{"Service":"ec2.amazonaws.com"}"#
    #expect(trust("sts:AssumeRole", nil, ec2) == nil)
    #expect(trust("sts:AssumeRole", "*", ec2) == "Has prohibited field Resource")
    #expect(trust("s3:*", nil, ec2) == "AssumeRole policy may only specify STS AssumeRole actions.")
    #expect(trust("sts:AssumeRole", nil, nil) == "Missing required field Principal")
    #expect(trust("sts:AssumeRole", nil, "{}") == "Missing required field Principal cannot be empty!")
    for bad in [
      "ann", "arn:aws:iam::111122223333:user/*", "arn:aws:iam::1:root", "arn:aws:s3:::b", "arn:aws:iam::111122223333:x",
    ] {
      #expect(trust("sts:AssumeRole", nil, #"{"AWS":"\#(bad)"}"#) == #"Invalid principal in policy: "AWS":"\#(bad)""#)
    }
    #expect(message(Make.policy(Make.statement(principal: ec2), version: nil), .resource) == nil)
    #expect(
      message(Make.policy(Make.statement("Allow", "s3:*", nil, principal: ec2)), .resource)
        == "Missing required field Resource")
    #expect(message(Make.policy(Make.statement("Allow", "ecr:*", nil, principal: ec2)), .resourceImplied) == nil)
    #expect(message(#"{"Foo":1}"#, .resource) == "Unknown field Foo")
  }

  @Test("each service names a malformed policy its own way")
  func styles() throws {
    let error = #expect(throws: MalformedPolicy.self) { try PolicyDocument("{", kind: .resource) }
    let bad = try #require(error)
    #expect(bad.awsError(.iam).code == "MalformedPolicyDocument")
    #expect(bad.awsError(.kms).code == "MalformedPolicyDocumentException")
    #expect(bad.awsError(.secretsManager).message == "This resource policy contains a syntax error.")
    #expect(bad.awsError(.s3).message == "Policies must be valid JSON and the first byte must be '{'")
    #expect(bad.awsError(.ecr).code == "InvalidParameterException")
  }

  @Test("a policy is public when everyone may and no condition narrows that down")
  func isPublic() throws {
    func isPublic(_ principal: String, _ condition: String? = nil, effect: String = "Allow") throws -> Bool {
      try PolicyDocument(
        Make.policy(Make.statement(effect, principal: principal, condition: condition)), kind: .resource
      ).isPublic
    }
    #expect(try isPublic(#""*""#))
    #expect(try isPublic(#"{"AWS":["111122223333","*"]}"#))
    #expect(try !isPublic(#""*""#, effect: "Deny"))
    #expect(try !isPublic(#"{"AWS":"111122223333"}"#))
    #expect(try !isPublic(#""*""#, #"{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}"#))
    #expect(try !isPublic(#""*""#, #"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#))
    #expect(try isPublic(#""*""#, #"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#))
    #expect(try isPublic(#""*""#, #"{"StringLike":{"aws:PrincipalArn":"*"}}"#))
    #expect(try isPublic(#""*""#, #"{"StringNotEquals":{"aws:PrincipalAccount":"111122223333"}}"#))
    #expect(try isPublic(#""*""#, #"{"Bool":{"aws:SecureTransport":"true"}}"#))
  }

  @Test("JSON is read strictly: escapes, numbers, duplicates, depth, what is left over")
  func json() throws {
    #expect(
      try JSONReader.read(#" {"b":[1,-2.5e+3,true,null],"a":"x\n\u00e9\ud83d\ude00\/"} "#)
        == .object([
          .init(name: "b", value: .array([.number("1"), .number("-2.5e+3"), .bool(true), .null])),
          .init(name: "a", value: .string("x\né😀/")),
        ]))
    for bad in [
      "", " ", "{", "[1,]", "{\"a\":1,}", "{\"a\":1,\"a\":2}", "01", "1.", "1e", "-", "+1", "tru", "nul", "'a'", "\"a",
      "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\u{1}\"", "1 2", "[1 2]", "{\"a\" 1}", "{1:2}",
      String(repeating: "[", count: 33) + String(repeating: "]", count: 33), "\u{FEFF}{}",
    ] {
      #expect(throws: JSONReader.Malformed.self, "\(bad)") { try JSONReader.read(bad) }
    }
    #expect(throws: Never.self) {
      try JSONReader.read(String(repeating: "[", count: 32) + String(repeating: "]", count: 32))
    }
    #expect(throws: JSONReader.Malformed.self) { try JSONReader.read(String(repeating: "[", count: 100_000)) }
  }

  @Test("mangled policies are refused or read, and never crash")
  func fuzz() {
    var generator = SystemRandomNumberGenerator()
    let seed = Array(
      Make.policy(
        Make.statement(
          "Allow", "s3:Get*", "arn:aws:s3:::b/${aws:username, 'x'}/*", principal: #"{"AWS":["*","111122223333"]}"#,
          condition: #"{"ForAnyValue:StringLike":{"aws:x":["a\u0041*"]},"IpAddress":{"a:b":["::1/64",1.5e3]}}"#,
          sid: "A")
      ).utf8)
    let splice = Array(#"{}[]",:\u*?${}0e-."#.utf8)
    let request = PolicyRequest(
      principal: People.ann, action: "s3:GetObject", resource: "arn:aws:s3:::b/ann/k", context: ["aws:x": ["aA"]])
    for _ in 0..<3000 {
      var bytes = seed
      for _ in 0..<Int.random(in: 1...5, using: &generator) {
        let at = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.insert(splice.randomElement(using: &generator) ?? 0, at: at)
        case 2: bytes.remove(at: at)
        default: bytes[at] = splice.randomElement(using: &generator) ?? 0
        }
      }
      let text = String(decoding: bytes, as: UTF8.self)
      for kind in [PolicyDocument.Kind.resource, .identity] {
        guard let document = try? PolicyDocument(text, kind: kind) else { continue }
        _ = PolicySet(resource: .init(document)).decide(request)
      }
    }
  }
}
