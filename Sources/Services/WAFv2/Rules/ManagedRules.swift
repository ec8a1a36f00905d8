// Managed rule groups. AWS does not publish the contents of its own; under their names stands here a subset made from
// what their documentation says each rule is for, so that stacks which name them are protected by something that is
// told honestly (`DescribeManagedRuleGroup`: version Castle_1.0). Groups that live from AWS's data are refused.

import AWSCore
import WebACL

/// A managed group as Castle has it.
struct ManagedGroup: Sendable {
  let name: String
  let capacity: Int
  let labelNamespace: String
  let description: String
  let rules: [WebACL.Rule]

  var content: WebACL.RuleGroup {
    WebACL.RuleGroup(
      id: "AWS:\(name)", rules: rules, labelPrefix: labelNamespace, managedName: "AWS#\(name)")
  }
}

enum ManagedRules {
  /// The only version of each.
  static let version = "Castle_1.0"

  static let groups: [ManagedGroup] = [common, badInputs, sql, admin, linux]

  static func group(vendor: String, name: String) -> ManagedGroup? {
    vendor == "AWS" ? groups.first { $0.name == name } : nil
  }

  /// Groups of AWS whose content is data that only AWS has.
  private static let unavailable: Set<String> = [
    "AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesAnonymousIpList", "AWSManagedRulesBotControlRuleSet",
    "AWSManagedRulesATPRuleSet", "AWSManagedRulesACFPRuleSet", "AWSManagedRulesAntiDDoSRuleSet",
    "AWSManagedRulesUnixRuleSet", "AWSManagedRulesWindowsRuleSet", "AWSManagedRulesPHPRuleSet",
    "AWSManagedRulesWordPressRuleSet",
  ]

  /// The error of a group that is not here.
  static func missing(vendor: String, name: String) -> AWSError {
    if vendor == "AWS", unavailable.contains(name) {
      return AWSError.notImplemented("the managed rule group \(name): its content is AWS's and is not public")
    }
    return WAFError.notFound
  }

  // MARK: - Making rules

  private static func rule(_ name: String, _ priority: Int, _ label: String, _ statement: WebACL.Statement)
    -> WebACL.Rule
  {
    WebACL.Rule(name: name, priority: priority, statement, .block(), labels: [label])
  }

  private static func contains(_ field: WebACL.Field, _ changes: [WebACL.Transformation], _ words: [String])
    -> WebACL.Statement
  {
    let matches = words.map { word in
      WebACL.Statement.byteMatch(WebACL.Inspection(field, changes), .contains, Array(word.utf8))
    }
    return matches.count == 1 ? matches[0] : .or(matches)
  }

  private static func matches(_ field: WebACL.Field, _ changes: [WebACL.Transformation], _ pattern: String)
    -> WebACL.Statement
  {
    .regexMatch(WebACL.Inspection(field, changes), pattern: pattern)
  }

  private static let decoded: [WebACL.Transformation] = [.urlDecodeUnicode, .lowercase]
  private static let body = WebACL.Field.body(.proceed)
  private static let cookies = WebACL.Field.cookies(.all, .values, .proceed)

  /// The same search in several parts of the request, a rule for each: the name's end tells the part.
  private static func family(
    _ name: String, _ label: String, from priority: Int, _ parts: [(suffix: String, field: WebACL.Field)],
    _ make: (WebACL.Field) -> WebACL.Statement
  ) -> [WebACL.Rule] {
    parts.enumerated().map { index, part in
      rule("\(name)_\(part.suffix)", priority + index, "\(label)_\(part.suffix)", make(part.field))
    }
  }

  // MARK: - The groups

  private static let traversal = "(?:^|[/\\\\=&?])\\.\\.(?:[/\\\\]|$)"
  private static let metadata = ["169.254.169.254", "metadata.google.internal", "fd00:ec2::254"]
  private static let inclusion = "^(?:https?|ftp|file)://(?:[0-9]{1,3}\\.){3}[0-9]{1,3}"

  static let common = ManagedGroup(
    name: "AWSManagedRulesCommonRuleSet", capacity: 700, labelNamespace: "awswaf:managed:aws:core-rule-set:",
    description:
      "Castle's own subset of the core rule set: sizes, user agents, path traversal, metadata addresses, scripts.",
    rules: [
      rule(
        "NoUserAgent_HEADER", 0, "NoUserAgent_Header", .not(.size(WebACL.Inspection(.header("user-agent")), .above, 0))),
      rule(
        "UserAgent_BadBots_HEADER", 1, "BadBots_Header",
        contains(
          .header("user-agent"), [.lowercase], ["nessus", "nmap", "nikto", "sqlmap", "acunetix", "masscan", "zgrab"])),
      rule(
        "SizeRestrictions_QUERYSTRING", 2, "SizeRestrictions_QueryString",
        .size(WebACL.Inspection(.queryString), .above, 2048)),
      rule(
        "SizeRestrictions_Cookie_HEADER", 3, "SizeRestrictions_Cookie_Header",
        .size(WebACL.Inspection(.header("cookie")), .above, 10240)),
      rule("SizeRestrictions_BODY", 4, "SizeRestrictions_Body", .size(WebACL.Inspection(.body(.match)), .above, 8192)),
      rule("SizeRestrictions_URIPATH", 5, "SizeRestrictions_URIPath", .size(WebACL.Inspection(.uriPath), .above, 1024)),
    ]
      + family(
        "EC2MetaDataSSRF", "EC2MetaDataSSRF", from: 6,
        [("BODY", body), ("COOKIE", cookies), ("URIPATH", .uriPath), ("QUERYARGUMENTS", .allQueryArguments)]
      ) { contains($0, decoded, metadata) }
      + family(
        "GenericLFI", "GenericLFI", from: 10,
        [("QUERYARGUMENTS", .allQueryArguments), ("URIPATH", .uriPath), ("BODY", body)]
      ) { matches($0, decoded, traversal) }
      + [
        rule(
          "RestrictedExtensions_URIPATH", 13, "RestrictedExtensions_URIPath",
          matches(.uriPath, decoded, "\\.(?:log|ini|bak|swp|old|sql|conf|cfg|pem|key)$")),
        rule(
          "RestrictedExtensions_QUERYARGUMENTS", 14, "RestrictedExtensions_QueryArguments",
          matches(.allQueryArguments, decoded, "\\.(?:ini|bak|swp|pem)$")),
      ]
      + family(
        "GenericRFI", "GenericRFI", from: 15,
        [("QUERYARGUMENTS", .allQueryArguments), ("BODY", body), ("URIPATH", .uriPath)]
      ) { matches($0, decoded, inclusion) }
      + family(
        "CrossSiteScripting", "CrossSiteScripting", from: 18,
        [("COOKIE", cookies), ("QUERYARGUMENTS", .allQueryArguments), ("BODY", body), ("URIPATH", .uriPath)]
      ) { .crossSiteScripting(WebACL.Inspection($0, [.urlDecodeUnicode, .htmlEntityDecode])) })

  static let badInputs = ManagedGroup(
    name: "AWSManagedRulesKnownBadInputsRuleSet", capacity: 200, labelNamespace: "awswaf:managed:aws:known-bad-inputs:",
    description: "Castle's own subset of the known bad inputs: Java look-ups, serialised objects, probes for secrets.",
    rules: family(
      "JavaDeserializationRCE", "JavaDeserializationRCE", from: 0,
      [
        ("BODY", body), ("URIPATH", .uriPath), ("QUERYSTRING", .queryString),
        ("HEADER", .headers(.all, .values, .proceed)),
      ]
    ) { contains($0, [.urlDecodeUnicode], ["rO0AB", "java.lang.Runtime", "ProcessBuilder"]) }
      + [
        // Not among them: Host_localhost_HEADER, since here every host is local.
        rule("PROPFIND_METHOD", 5, "Propfind_Method", contains(.method, [.lowercase], ["propfind"])),
        rule(
          "ExploitablePaths_URIPATH", 6, "ExploitablePaths_URIPath",
          contains(
            .uriPath, decoded, ["/web-inf", "/meta-inf", "/.git/", "/.env", "/.aws/", "/.ssh/", "/actuator/heapdump"])),
      ]
      + family(
        "Log4JRCE", "Log4JRCE", from: 7,
        [
          ("QUERYSTRING", .queryString), ("BODY", body), ("URIPATH", .uriPath),
          ("HEADER", .headers(.all, .values, .proceed)),
        ]
      ) { matches($0, decoded, "\\$\\{[^}]{0,40}(?:jndi|\\$\\{[^}]{0,20}(?:lower|upper|env|::-))") })

  static let sql = ManagedGroup(
    name: "AWSManagedRulesSQLiRuleSet", capacity: 200, labelNamespace: "awswaf:managed:aws:sql-database:",
    description: "Castle's own detector of SQL injection on all parts of the request.",
    rules: family(
      "SQLi", "SQLi", from: 0,
      [("QUERYARGUMENTS", .allQueryArguments), ("BODY", body), ("COOKIE", cookies), ("URIPATH", .uriPath)]
    ) { .sqlInjection(WebACL.Inspection($0, [.urlDecodeUnicode]), isSensitive: false) })

  static let admin = ManagedGroup(
    name: "AWSManagedRulesAdminProtectionRuleSet", capacity: 100,
    labelNamespace: "awswaf:managed:aws:admin-protection:",
    description: "Castle's own list of paths that administer.",
    rules: [
      rule(
        "AdminProtection_URIPATH", 0, "AdminProtection_URIPath",
        matches(.uriPath, decoded, "/(?:admin|administrator|phpmyadmin|manager/html|wp-admin|server-status)(?:/|$|\\.)")
      )
    ])

  static let linux = ManagedGroup(
    name: "AWSManagedRulesLinuxRuleSet", capacity: 200, labelNamespace: "awswaf:managed:aws:linux-os:",
    description: "Castle's own list of files of Linux that attackers read.",
    rules: family(
      "LFI", "LFI", from: 0,
      [("URIPATH", .uriPath), ("QUERYSTRING", .queryString), ("HEADER", .headers(.all, .values, .proceed))]
    ) {
      contains(
        $0, decoded + [.normalizePath],
        ["etc/passwd", "etc/shadow", "etc/hosts", "proc/self", "proc/version", "boot.ini"])
    })
}
