// What WAF keeps: web ACLs and rule groups whole, sets, which resource has which web ACL, and what is logged where.

import AWSCore
import Store

struct WebACLRecord: Record {
  static let collection = "wafv2.web-acl"
  var recordID: String { id }
  var recordIndex: [String: String] { ["name": name, "arn": arn] }

  var id: String
  var name: String
  var arn: String
  var lockToken: String
  /// The API's WebACL as JSON, with everything that was sent.
  var acl: JSONValue
  var tags: [String: String] = [:]
}

struct RuleGroupRecord: Record {
  static let collection = "wafv2.rule-group"
  var recordID: String { id }
  var recordIndex: [String: String] { ["name": name, "arn": arn] }

  var id: String
  var name: String
  var arn: String
  var lockToken: String
  /// The API's RuleGroup as JSON, with everything that was sent.
  var group: JSONValue
  var capacity: Int
  /// The policy that shares it, JSON.
  var policy: String?
  var tags: [String: String] = [:]
}

struct IPSetRecord: Record {
  static let collection = "wafv2.ip-set"
  var recordID: String { id }
  var recordIndex: [String: String] { ["name": name, "arn": arn] }

  var id: String
  var name: String
  var arn: String
  var lockToken: String
  /// `IPV4` or `IPV6`.
  var version: String
  var addresses: [String]
  var description: String?
  var tags: [String: String] = [:]
}

struct PatternSetRecord: Record {
  static let collection = "wafv2.regex-pattern-set"
  var recordID: String { id }
  var recordIndex: [String: String] { ["name": name, "arn": arn] }

  var id: String
  var name: String
  var arn: String
  var lockToken: String
  var patterns: [String]
  var description: String?
  var tags: [String: String] = [:]
}

struct AssociationRecord: Record {
  static let collection = "wafv2.association"
  var recordID: String { resource }
  var recordIndex: [String: String] { ["webACL": webACL] }

  var resource: String
  /// The web ACL's ARN.
  var webACL: String
}

struct LoggingRecord: Record {
  static let collection = "wafv2.logging"
  var recordID: String { webACL }
  var recordIndex: [String: String] { [:] }

  /// The web ACL's ARN.
  var webACL: String
  /// The API's LoggingConfiguration as JSON.
  var configuration: JSONValue
}
