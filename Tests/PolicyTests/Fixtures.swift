// People, and short ways to write policies.

import AWSCore

@testable import Policy

enum People {
  static let account = "111122223333"
  static let other = "444455556666"
  static let root = PolicyPrincipal.root(account: account)
  static let ann = PolicyPrincipal.user(
    arn: ARN(service: "iam", region: "", account: account, resource: "user/team/ann"), uniqueID: "AIDAEXAMPLEANN000000",
    tags: ["Team": "blue"])
  static let session = PolicyPrincipal.assumedRole(
    role: ARN(service: "iam", region: "", account: account, resource: "role/app/task"),
    roleID: "AROAEXAMPLETASK00000", session: "s1")
  static let stranger = PolicyPrincipal.assumedRole(
    role: ARN(service: "iam", region: "", account: other, resource: "role/guest"), roleID: "AROAEXAMPLEGUEST0000",
    session: "g")
}

enum Make {
  static func statement(
    _ effect: String = "Allow", _ action: String = "*", _ resource: String? = "*", principal: String? = nil,
    condition: String? = nil, sid: String? = nil
  ) -> String {
    var parts = [#""Effect":"\#(effect)""#, #""Action":"\#(action)""#]
    if let sid { parts.append(#""Sid":"\#(sid)""#) }
    if let resource { parts.append(#""Resource":"\#(resource)""#) }
    if let principal { parts.append(#""Principal":\#(principal)"#) }
    if let condition { parts.append(#""Condition":\#(condition)"#) }
    return "{\(parts.joined(separator: ","))}"
  }

  static func policy(_ statements: String..., version: String? = "2012-10-17") -> String {
    let head = version.map { #""Version":"\#($0)","# } ?? ""
    return #"{\#(head)"Statement":[\#(statements.joined(separator: ","))]}"#
  }

  static func named(_ text: String, _ kind: PolicyDocument.Kind = .identity, name: String? = nil) throws
    -> PolicySet.Named
  { PolicySet.Named(try PolicyDocument(text, kind: kind), name: name) }

  static func identity(_ statements: String...) throws -> PolicySet.Named {
    try named(#"{"Version":"2012-10-17","Statement":[\#(statements.joined(separator: ","))]}"#)
  }

  static func resource(_ statements: String...) throws -> PolicySet.Named {
    try named(#"{"Version":"2012-10-17","Statement":[\#(statements.joined(separator: ","))]}"#, .resource)
  }

  /// Whether a statement with this condition allows a request with this context.
  static func holds(
    _ condition: String, _ context: [String: [String]] = [:], principal: PolicyPrincipal = People.ann,
    time: Timestamp? = nil, version: String = "2012-10-17"
  ) throws -> Bool {
    let text = policy(
      statement("Allow", "s3:GetObject", "*", principal: #""*""#, condition: condition), version: version)
    let request = PolicyRequest(
      principal: principal, action: "s3:GetObject", resource: "arn:aws:s3:::b/k", resourceAccount: People.account,
      time: time, context: context)
    return PolicySet(resource: try named(text, .resource)).decide(request).isAllowed
  }
}
