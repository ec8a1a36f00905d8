// Every condition operator, with and without its key.

import AWSCore
import Testing

@testable import Policy

@Suite("Conditions")
struct ConditionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var value: String
    var actual: [String]?
    var expected: Bool
    init(_ name: String, _ value: String, _ actual: String?..., expected: Bool) {
      self.name = name
      self.value = value
      self.actual = actual == [nil] ? nil : actual.compactMap { $0 }
      self.expected = expected
    }
    var testDescription: String { "\(name) \(value) \(actual ?? []) is \(expected)" }
  }

  static let strings: [Case] = [
    Case("StringEquals", #""a""#, "a", expected: true), Case("StringEquals", #""a""#, "A", expected: false),
    Case("StringEquals", #"["x","a"]"#, "a", expected: true), Case("StringEquals", #""a""#, nil, expected: false),
    Case("StringEquals", #""a*""#, "ab", expected: false), Case("StringEqualsIfExists", #""a""#, nil, expected: true),
    Case("StringEqualsIfExists", #""a""#, "b", expected: false),
    Case("StringNotEquals", #"["a","b"]"#, "b", expected: false), Case("StringNotEquals", #""a""#, "b", expected: true),
    Case("StringNotEquals", #""a""#, nil, expected: true),
    Case("StringEqualsIgnoreCase", #""Ab""#, "aB", expected: true),
    Case("StringNotEqualsIgnoreCase", #""Ab""#, "aB", expected: false),
    Case("StringLike", #""a*c?""#, "abbcd", expected: true), Case("StringLike", #""a?""#, "aé", expected: true),
    Case("StringLike", #""a?""#, "abc", expected: false), Case("StringNotLike", #""a*""#, "abc", expected: false),
    Case("stringequals", #""a""#, "a", expected: true),
    Case("ForAllValues:StringEquals", #"["a","b"]"#, "a", "b", expected: true),
    Case("ForAllValues:StringEquals", #"["a","b"]"#, "a", "c", expected: false),
    Case("ForAllValues:StringEquals", #"["a"]"#, nil, expected: true),
    Case("ForAnyValue:StringEquals", #"["a","b"]"#, "c", "b", expected: true),
    Case("ForAnyValue:StringEquals", #"["a"]"#, nil, expected: false),
    Case("ForAnyValue:StringLike", #""x*""#, "a", "xy", expected: true),
    Case("ForAnyValue:StringNotEquals", #"["a"]"#, "a", "b", expected: true),
    Case("ForAllValues:StringNotEquals", #"["a"]"#, "a", "b", expected: false),
    Case("ForAllValues:StringNotEquals", #"["a"]"#, "c", "b", expected: true),
    Case("Null", #""true""#, nil, expected: true), Case("Null", "true", "x", expected: false),
    Case("Null", "false", "x", expected: true), Case("Null", #""false""#, nil, expected: false),
    Case("Bool", #""true""#, "true", expected: true), Case("Bool", "false", "true", expected: false),
    Case("Bool", #""true""#, nil, expected: false), Case("BoolIfExists", #""true""#, nil, expected: true),
    Case("BinaryEquals", #""QmluYXJ5""#, "QmluYXJ5", expected: true),
    Case("BinaryEquals", #""QmluYXJ5""#, "qmluYXJ5", expected: false),
  ]

  static let others: [Case] = [
    Case("NumericEquals", "10", "10.0", expected: true), Case("NumericNotEquals", "10", "11", expected: true),
    Case("NumericLessThan", #""10""#, "9.5", expected: true), Case("NumericLessThan", "10", "10", expected: false),
    Case("NumericLessThanEquals", "10", "10", expected: true), Case("NumericGreaterThan", "10", "11", expected: true),
    Case("NumericGreaterThanEquals", "10", "9", expected: false), Case("NumericEquals", "10", "ten", expected: false),
    Case("NumericLessThanIfExists", "10", nil, expected: true),
    Case("DateGreaterThan", #""2026-01-01T00:00:00Z""#, "2026-01-02T00:00:00Z", expected: true),
    Case("DateLessThan", #""2026-01-01T00:00:00Z""#, "2026-01-01T00:00:00Z", expected: false),
    Case("DateLessThanEquals", #""2026-01-01""#, "2026-01-01T00:00:00Z", expected: true),
    Case("DateEquals", "1767225600", "2026-01-01T00:00:00Z", expected: true),
    Case("DateNotEquals", "1767225600", "2026-01-01T00:00:00Z", expected: false),
    Case("IpAddress", #""10.1.0.0/16""#, "10.1.2.3", expected: true),
    Case("IpAddress", #""10.1.0.0/16""#, "10.2.2.3", expected: false),
    Case("IpAddress", #"["192.0.2.1","10.0.0.0/9"]"#, "10.127.0.1", expected: true),
    Case("IpAddress", #""10.0.0.0/9""#, "10.128.0.1", expected: false),
    Case("IpAddress", #""0.0.0.0/0""#, "2001:db8::1", expected: false),
    Case("IpAddress", #""2001:db8::/33""#, "2001:DB8:0:7fff::1", expected: true),
    Case("IpAddress", #""2001:db8::/33""#, "2001:db8:8000::1", expected: false),
    Case("IpAddress", #""127.0.0.0/8""#, "::ffff:127.0.0.1", expected: true),
    Case("NotIpAddress", #""10.0.0.0/8""#, "10.0.0.1", expected: false),
    Case("NotIpAddress", #""10.0.0.0/8""#, "11.0.0.1", expected: true),
    Case("IpAddress", #""10.0.0.0/8""#, nil, expected: false),
    Case("ArnLike", #""arn:aws:s3:::b*""#, "arn:aws:s3:::bucket", expected: true),
    Case(
      "ArnEquals", #""arn:aws:elasticloadbalancing:*:1:loadbalancer/*""#,
      "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/x", expected: true),
    Case("ArnLike", #""arn:aws:*:bucket""#, "arn:aws:s3:::bucket", expected: false),
    Case("ArnNotLike", #""arn:aws:s3:::b*""#, "arn:aws:s3:::bucket", expected: false),
    Case("ArnNotEquals", #""arn:aws:s3:::c""#, "arn:aws:s3:::bucket", expected: true),
    Case("ArnLike", #""arn:aws:s3:::b*""#, "not an arn", expected: false),
  ]

  @Test("each operator compares as documented", arguments: strings + others)
  func operators(_ c: Case) throws {
    let context = c.actual.map { ["s3:Thing": $0] } ?? [:]
    #expect(try Make.holds(#"{"\#(c.name)":{"S3:thing":\#(c.value)}}"#, context) == c.expected)
  }

  @Test("all operators and all keys must hold")
  func conjunction() throws {
    let text = #"{"StringEquals":{"a:x":"1","a:y":"2"},"Bool":{"a:z":"true"}}"#
    #expect(try Make.holds(text, ["a:x": ["1"], "a:y": ["2"], "a:z": ["true"]]))
    #expect(try !Make.holds(text, ["a:x": ["1"], "a:y": ["3"], "a:z": ["true"]]))
    #expect(try !Make.holds(text, ["a:x": ["1"], "a:y": ["2"]]))
  }

  @Test("what is known of the principal and the time needs no context, and context cannot change it")
  func builtIn() throws {
    #expect(try Make.holds(#"{"StringEquals":{"aws:username":"ann","aws:PrincipalTag/TEAM":"blue"}}"#))
    #expect(try Make.holds(#"{"StringEquals":{"aws:PrincipalType":"User","aws:PrincipalAccount":"111122223333"}}"#))
    #expect(
      try Make.holds(
        #"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/app/*"}}"#, principal: People.session))
    #expect(
      try Make.holds(#"{"StringLike":{"aws:userid":"AROAEXAMPLETASK00000:*"}}"#, principal: People.session))
    #expect(
      try !Make.holds(#"{"StringEquals":{"aws:username":"root"}}"#, ["aws:username": ["root"]], principal: People.ann))
    #expect(
      try Make.holds(
        #"{"DateLessThan":{"aws:CurrentTime":"2026-01-02T00:00:00Z"},"NumericEquals":{"aws:EpochTime":1767225600}}"#,
        time: Timestamp(milliseconds: 1_767_225_600_000)))
    #expect(try Make.holds(#"{"Bool":{"aws:PrincipalIsAWSService":"true"}}"#, principal: .service("s3.amazonaws.com")))
  }

  @Test("variables work in the values of string and ARN conditions")
  func variables() throws {
    #expect(try Make.holds(#"{"StringLike":{"s3:prefix":"home/${aws:username}/*"}}"#, ["s3:prefix": ["home/ann/x"]]))
    #expect(try !Make.holds(#"{"StringLike":{"s3:prefix":"home/${aws:username}/*"}}"#, ["s3:prefix": ["home/bob/x"]]))
    #expect(
      try Make.holds(#"{"StringEqualsIgnoreCase":{"a:b":"X-${aws:PrincipalTag/Team}"}}"#, ["a:b": ["x-BLUE"]]))
    #expect(
      try !Make.holds(
        #"{"StringEquals":{"a:b":"${aws:username}"}}"#, ["a:b": ["ann"]], version: "2008-10-17"))
  }
}
