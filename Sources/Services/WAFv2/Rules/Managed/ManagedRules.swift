// Managed rule groups. AWS does not publish the contents of its own; under their names, with the names, labels and
// capacities of AWS's documentation, stands here what Castle made from what that documentation says each rule is for, so
// that stacks which name them are protected by something that is told honestly (`DescribeManagedRuleGroup`: version
// Castle_1.0). Groups that live from what only AWS can know are refused.

import AWSCore
import WebACL

/// A managed group as Castle has it.
struct ManagedGroup: Sendable {
  let name: String
  let capacity: Int
  let labelNamespace: String
  let description: String
  /// The only one; nil for groups that have no versions.
  var version: String? = ManagedRules.version
  let rules: [WebACL.Rule]

  var content: WebACL.RuleGroup {
    WebACL.RuleGroup(
      id: "AWS:\(name)", rules: rules, labelPrefix: labelNamespace, managedName: "AWS#\(name)")
  }
}

enum ManagedRules {
  static let version = "Castle_1.0"

  /// In the order of AWS's documentation.
  static let groups: [ManagedGroup] = [
    common, admin, badInputs, sql, linux, unix, windows, php, wordPress, reputation, anonymous,
  ]

  static func group(vendor: String, name: String) -> ManagedGroup? {
    vendor == "AWS" ? groups.first { $0.name == name } : nil
  }

  /// Groups of AWS that learn from its customers' traffic, or talk to scripts in clients.
  private static let unavailable: Set<String> = [
    "AWSManagedRulesBotControlRuleSet", "AWSManagedRulesATPRuleSet", "AWSManagedRulesACFPRuleSet",
    "AWSManagedRulesAntiDDoSRuleSet",
  ]

  /// The error of a group that is not here.
  static func missing(vendor: String, name: String) -> AWSError {
    if vendor == "AWS", unavailable.contains(name) {
      return AWSError.notImplemented("the managed rule group \(name): its content is AWS's and is not public")
    }
    return WAFError.notFound
  }

  // MARK: - Making rules

  /// A part of the request as the names of managed rules and of their labels have it.
  struct Part: Sendable {
    let name: String
    let label: String
    let field: WebACL.Field

    static let body = Part(name: "BODY", label: "Body", field: .body(.proceed))
    static let cookie = Part(name: "COOKIE", label: "Cookie", field: .cookies(.all, .values, .proceed))
    static let path = Part(name: "URIPATH", label: "URIPath", field: .uriPath)
    /// As the groups for single uses label it.
    static let useCasePath = Part(name: "URIPATH", label: "UriPath", field: .uriPath)
    static let queryString = Part(name: "QUERYSTRING", label: "QueryString", field: .queryString)
    static let queryArguments = Part(name: "QUERYARGUMENTS", label: "QueryArguments", field: .allQueryArguments)
    static let header = Part(name: "HEADER", label: "Header", field: .headers(.all, .values, .proceed))
    /// Where names of headers are looked at, too.
    static let wholeHeader = Part(name: "HEADER", label: "Header", field: .headers(.all, .all, .proceed))
  }

  /// What one rule of a group is, before it has its place.
  struct Draft: Sendable {
    let name: String
    let label: String
    let statement: WebACL.Statement
    var action = WebACL.Action.block()
  }

  static func rules(_ drafts: [Draft]) -> [WebACL.Rule] {
    drafts.enumerated().map { index, draft in
      WebACL.Rule(
        name: draft.name, priority: index, draft.statement, draft.action, labels: [draft.label])
    }
  }

  /// The same search in several parts of the request, a rule for each: the name's end tells the part.
  static func family(_ name: String, _ parts: [Part], _ make: (WebACL.Field) -> WebACL.Statement) -> [Draft] {
    parts.map { part in
      Draft(name: "\(name)_\(part.name)", label: "\(name)_\(part.label)", statement: make(part.field))
    }
  }

  static func contains(_ field: WebACL.Field, _ changes: [WebACL.Transformation], _ words: [String])
    -> WebACL.Statement
  {
    let matches = words.map { word in
      WebACL.Statement.byteMatch(WebACL.Inspection(field, changes), .contains, Array(word.utf8))
    }
    return matches.count == 1 ? matches[0] : .or(matches)
  }

  static func matches(_ field: WebACL.Field, _ changes: [WebACL.Transformation], _ pattern: String)
    -> WebACL.Statement
  {
    .regexMatch(WebACL.Inspection(field, changes), pattern: pattern)
  }

  static let decoded: [WebACL.Transformation] = [.urlDecodeUnicode, .lowercase]
}
