// Bad input gets AWS's own error before a handler sees it.

import AWSCore
import AWSWire
import Testing

@testable import AWSWire

@Suite("Validation")
struct ValidationTests {
  private func error(
    _ module: String, _ operation: String, _ wire: WireProtocol? = nil, _ json: String
  ) throws -> AWSError? {
    let model = try Models.named(module)
    let op = try #require(model.operation(operation))
    let tree = try PlainTree(model).tree(try JSON.parse(Array(json.utf8)), shape: op.input)
    do {
      try Validation.check(tree, operation: op, model: model, wireProtocol: wire ?? model.header.protocols[0])
      return nil
    } catch {
      return error
    }
  }

  @Test("JSON services list every broken constraint in one message")
  func json() throws {
    let found = try error("KMS", "ScheduleKeyDeletion", nil, #"{"KeyId": "", "PendingWindowInDays": 400}"#)
    #expect(found?.code == "ValidationException")
    #expect(
      found?.message
        == "2 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater "
        + "than or equal to 1; Value '400' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value "
        + "less than or equal to 365")
  }

  @Test("a required member that is absent is null, and a token is never missed")
  func required() throws {
    let found = try error("KMS", "Encrypt", nil, #"{"Plaintext": {"$bytes": "AA=="}}"#)
    #expect(
      found?.message
        == "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
    #expect(try error("SecretsManager", "CreateSecret", nil, #"{"Name": "a"}"#) == nil)
  }

  @Test("enumerations and patterns are checked and told")
  func patterns() throws {
    let usage = try error("KMS", "CreateKey", nil, #"{"KeyUsage": "NONSENSE"}"#)
    #expect(
      usage?.message.contains(
        "Value 'NONSENSE' at 'keyUsage' failed to satisfy constraint: Member must satisfy enum value set: [") == true)
    let name = try error("IAM", "CreateUser", nil, #"{"UserName": "a b"}"#)
    #expect(name?.code == "ValidationError")
    #expect(name?.message.contains("Member must satisfy regular expression pattern: [\\w+=,.@-]+") == true)
    #expect(try error("IAM", "CreateUser", nil, #"{"UserName": "a.b@c-d"}"#) == nil)
  }

  @Test("elements of lists are named by their place")
  func nested() throws {
    let found = try error(
      "IAM", "CreateUser", nil, #"{"UserName": "a", "Tags": [{"Key": "k", "Value": "v"}, {"Key": "", "Value": "v"}]}"#)
    #expect(found?.message.contains("at 'tags.2.member.key'") == true)
  }

  @Test("a sensitive value is never told back")
  func sensitive() throws {
    let found = try error("SecretsManager", "CreateSecret", nil, #"{"Name": "a", "SecretString": ""}"#)
    let password = try error("IAM", "CreateLoginProfile", nil, #"{"UserName": "a", "Password": "hunter2\u0001"}"#)
    for message in [found?.message, password?.message].compactMap({ $0 }) {
      #expect(!message.contains("hunter2"))
      #expect(message.contains("Value at '"))
    }
    #expect(password != nil)
  }

  @Test("EC2 and S3 have words of their own")
  func dialects() throws {
    let missing = try error("EC2", "CreateSubnet", nil, "{}")
    #expect(missing?.code == "MissingParameter")
    #expect(missing?.message == "The request must contain the parameter VpcId")
    let small = try error("EC2", "DescribeVpcs", nil, #"{"MaxResults": 1}"#)
    #expect(small?.code == "InvalidParameterValue")
    let body = try error("S3", "PutBucketTagging", nil, #"{"Bucket": "b"}"#)
    #expect(body?.code == "MissingRequestBodyError")
    let nested = try error("S3", "PutBucketTagging", nil, #"{"Bucket": "b", "Tagging": {}}"#)
    #expect(nested?.code == "MalformedXML")
    #expect(try error("Route53", "CreateHostedZone", nil, #"{"Name": "a"}"#)?.code == "InvalidInput")
  }

  @Test("a value of the wrong type is told without the value")
  func types() throws {
    let request = WireRequest(
      method: "POST", path: "/", headers: ["X-Amz-Target": "TrentService.ListKeys"],
      body: Array(#"{"Limit": "x"}"#.utf8))
    let error = #expect(throws: AWSError.self) { try Models.router.route(request, signingName: "kms").input() }
    #expect(error?.code == "SerializationException")
    #expect(error?.message == "STRING_VALUE can not be converted to an Integer (member Limit).")
  }

  @Test("nulls and members that nobody knows are passed over")
  func nulls() throws {
    let request = WireRequest(
      method: "POST", path: "/", headers: ["X-Amz-Target": "TrentService.ListKeys"],
      body: Array(#"{"Limit": null, "Nobody": {"a": [1]}, "Marker": "m"}"#.utf8))
    let routed = try Models.router.route(request, signingName: "kms")
    #expect(
      PlainTree(routed.model).plain(try routed.input(), shape: routed.operation?.input)
        == .object([.init("Marker", .string("m"))]))
  }

  // MARK: - Patterns

  @Test(
    "patterns match whole strings",
    arguments: [
      ("[\\w+=,.@-]+", "a+b", true), ("[\\w+=,.@-]+", "a b", false), ("^a$", "a", true), ("a|bc", "bc", true),
      ("a|bc", "ab", false), ("v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?", "v12.x-1", true), ("a{2,3}", "aaa", true),
      ("a{2,3}", "a", false), ("a{2,}", "aaaa", true), ("(a{1,2}){2}b", "aaab", true), ("[^:*]*", "a:b", false),
      ("arn:\\b(aws|aws-cn)\\b:[a-z]+", "arn:aws-cn:x", true), ("\\p{L}+", "é漢", true), (".*\\S.*", " \n ", false),
      ("[\\u0020-\\uD7FF\\uE000-\\uFFFD\\uD800\\uDC00-\\uDBFF\\uDFFF\\r\\n\\t]*", "x\u{1F3F0}", true),
      ("[A-Za-z][0-9A-Za-z-:._]*", "a-:", true), ("([a-z]+-){2,3}\\d+", "us-east-1", true),
      ("\\d{12}", "0123456789a1", false),
      ("-{5}BEGIN-{5}\\u000A([A-Z]{4}\\u000A)*", "-----BEGIN-----\nABCD\n", true), ("", "", true), ("", "a", false),
    ])
  func pattern(pattern: String, text: String, isMatch: Bool) throws {
    let compiled = try #require(Pattern(pattern))
    #expect(compiled.matches(text) == isMatch)
  }

  @Test("all patterns of the models compile but the few with look-ahead")
  func compiles() {
    var unknown: Set<String> = []
    for model in Models.all {
      for shape in model.shapes { if let pattern = shape.pattern, Pattern(pattern) == nil { unknown.insert(pattern) } }
    }
    #expect(unknown.allSatisfy { $0.contains("(?!") }, "\(unknown)")
    #expect(unknown.count <= 3)
  }

  @Test("no pattern makes a long text slow: this one would backtrack for ages", .timeLimit(.minutes(1)))
  func linear() throws {
    let pattern = try #require(Pattern("(a*)*(a|aa)+b"))
    #expect(!pattern.matches(String(repeating: "a", count: 20_000)))
  }
}
