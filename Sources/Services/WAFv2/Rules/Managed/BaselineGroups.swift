// The groups for every application: the core rule set, what administers, and inputs known to be bad.
// https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html

import WebACL

extension ManagedRules {
  private static let traversal = "(?:^|[/\\\\=&?])\\.\\.(?:[/\\\\]|$)"
  private static let metadata = ["169.254.169.254", "metadata.google.internal", "fd00:ec2::254"]
  private static let inclusion = "\\b(?:https?|ftps?|file)://(?:[0-9]{1,3}\\.){3}[0-9]{1,3}"

  static let common = ManagedGroup(
    name: "AWSManagedRulesCommonRuleSet", capacity: 700, labelNamespace: "awswaf:managed:aws:core-rule-set:",
    description:
      "Castle's own reading of the core rule set: sizes, user agents, path traversal, metadata addresses, scripts.",
    rules: rules(
      [
        Draft(
          name: "NoUserAgent_HEADER", label: "NoUserAgent_Header",
          statement: .not(.size(WebACL.Inspection(.header("user-agent")), .above, 0))),
        Draft(
          name: "UserAgent_BadBots_HEADER", label: "BadBots_Header",
          statement: contains(
            .header("user-agent"), [.lowercase],
            ["nessus", "nmap", "nikto", "sqlmap", "acunetix", "masscan", "zgrab"])),
        size("SizeRestrictions_QUERYSTRING", "SizeRestrictions_QueryString", .queryString, 2048),
        size("SizeRestrictions_Cookie_HEADER", "SizeRestrictions_Cookie_Header", .header("cookie"), 10_240),
        size("SizeRestrictions_BODY", "SizeRestrictions_Body", .body(.match), 8192),
        size("SizeRestrictions_URIPATH", "SizeRestrictions_URIPath", .uriPath, 1024),
      ]
        + family("EC2MetaDataSSRF", [.body, .cookie, .path, .queryArguments]) { contains($0, decoded, metadata) }
        + family("GenericLFI", [.queryArguments, .path, .body]) { matches($0, decoded, traversal) }
        + family("RestrictedExtensions", [.path]) {
          matches($0, decoded, "\\.(?:log|ini|bak|swp|old|sql|conf|cfg|pem|key)$")
        }
        + family("RestrictedExtensions", [.queryArguments]) { matches($0, decoded, "\\.(?:log|ini|bak|swp|pem)$") }
        + family("GenericRFI", [.queryArguments, .body, .path]) { matches($0, decoded, inclusion) }
        + family("CrossSiteScripting", [.cookie, .queryArguments, .body, .path]) {
          .crossSiteScripting(WebACL.Inspection($0, [.urlDecodeUnicode, .htmlEntityDecode]))
        }))

  private static func size(_ name: String, _ label: String, _ field: WebACL.Field, _ most: Int) -> Draft {
    Draft(name: name, label: label, statement: .size(WebACL.Inspection(field), .above, most))
  }

  static let admin = ManagedGroup(
    name: "AWSManagedRulesAdminProtectionRuleSet", capacity: 100,
    labelNamespace: "awswaf:managed:aws:admin-protection:",
    description: "Castle's own list of paths that administer.",
    rules: rules(
      family("AdminProtection", [.path]) {
        matches(
          $0, decoded,
          "/(?:admin|administrator|phpmyadmin|pma|adminer|(?:my)?sqlmanager|sqladmin|manager/html|host-manager"
            + "|jmx-console|web-console|wp-admin|server-(?:status|info))(?:/|$|\\.)")
      }))

  private static let serialised = [
    "rO0AB", "(java.lang.Runtime)", "java.lang.Runtime", "getRuntime(", "java.lang.ProcessBuilder", "ProcessBuilder(",
    "class.module.classLoader",
  ]

  static let badInputs = ManagedGroup(
    name: "AWSManagedRulesKnownBadInputsRuleSet", capacity: 200, labelNamespace: "awswaf:managed:aws:known-bad-inputs:",
    description: "Castle's own reading of the known bad inputs: Java look-ups, serialised objects, probes for secrets.",
    rules: rules(
      // Not among them: Host_localhost_HEADER, since here every host is local.
      family("JavaDeserializationRCE", [.wholeHeader, .body, .path, .queryString]) {
        contains($0, [.urlDecodeUnicode], serialised)
      }
        + [
          Draft(
            name: "PROPFIND_METHOD", label: "Propfind_Method", statement: contains(.method, [.lowercase], ["propfind"]))
        ]
        + family("ExploitablePaths", [.path]) {
          contains(
            $0, decoded, ["/web-inf", "/meta-inf", "/.git/", "/.env", "/.aws/", "/.ssh/", "/actuator/heapdump"])
        }
        + family("Log4JRCE", [.wholeHeader, .queryString, .body, .path]) {
          matches($0, decoded, "\\$\\{[^}]{0,40}(?:jndi|\\$\\{[^}]{0,20}(?:lower|upper|env|::-))")
        }
        // A reference that reaches through an object to what made it (CVE-2025-55182).
        + family("ReactJSRCE", [.body]) {
          matches(
            $0, [.jsDecode, .lowercase], "\\$[0-9a-f@]+:(?:[a-z0-9_$]+:){0,8}(?:__proto__|prototype|constructor)\\b")
        }))
}
