// A web ACL as plain values: rules in order of priority, what they look at and what they do. The Gate gets it in its
// snapshot, compiles it (`CompiledWebACL`) and evaluates it on every request (`WebACLEvaluator`).

/// A web ACL with everything that its rules refer to.
public struct WebACL: Codable, Sendable, Equatable {
  /// Any unique text (an ARN, say).
  public var id: String
  /// Ids of the load balancers whose requests it judges.
  public var loadBalancers: [String] = []
  /// Those of them that let requests pass when the ACL cannot be evaluated; the others answer 500.
  public var failOpen: [String]?
  public var rules: [Rule]
  /// What is done when no rule has ended the evaluation; `.count` is not possible here.
  public var defaultAction: Action
  /// What labels that rules of the ACL itself add begin with, `awswaf:ACCOUNT:webacl:NAME:`.
  public var labelPrefix: String
  /// Bytes of a body that are looked at.
  public var bodyLimit: Int
  public var visibility: Visibility
  public var ruleGroups: [RuleGroup] = []
  public var ipSets: [IPSet] = []
  public var patternSets: [PatternSet] = []
  /// nil: no log.
  public var logging: Logging?
  /// What logs and samples tell masked; nil for nothing.
  public var protections: [DataProtection]?

  /// Application load balancers look at the first 8 KB of a body unless told otherwise.
  public static let bodyLimitDefault = 8 << 10
  public static let bodyLimitMax = 64 << 10

  public init(
    id: String, rules: [Rule], defaultAction: Action = .allow(), labelPrefix: String = "",
    bodyLimit: Int = WebACL.bodyLimitDefault, visibility: Visibility = Visibility(metricName: "")
  ) {
    self.id = id
    self.rules = rules
    self.defaultAction = defaultAction
    self.labelPrefix = labelPrefix
    self.bodyLimit = bodyLimit
    self.visibility = visibility
  }
}

extension WebACL {
  /// What a rule is to be seen in: counters by a metric's name, and samples of requests.
  public struct Visibility: Codable, Sendable, Equatable {
    public var metricName: String
    public var hasMetrics: Bool
    public var hasSamples: Bool

    public init(metricName: String, hasMetrics: Bool = true, hasSamples: Bool = true) {
      self.metricName = metricName
      self.hasMetrics = hasMetrics
      self.hasSamples = hasSamples
    }
  }

  public struct Header: Codable, Sendable, Equatable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// The answer to a blocked request.
  public struct Response: Codable, Sendable, Equatable {
    public var status: Int
    public var headers: [Header]
    /// A media type; nil without a body of its own.
    public var contentType: String?
    public var body: String

    public init(status: Int, headers: [Header] = [], contentType: String? = nil, body: String = "") {
      self.status = status
      self.headers = headers
      self.contentType = contentType
      self.body = body
    }
  }

  /// What a rule does. Headers are inserted into the request, with `x-amzn-waf-` in front of their names.
  public enum Action: Codable, Sendable, Equatable {
    case allow(insert: [Header] = [])
    /// nil: 403.
    case block(Response? = nil)
    case count(insert: [Header] = [])
  }

  public struct Rule: Codable, Sendable, Equatable {
    public enum Kind: Codable, Sendable, Equatable {
      case statement(Statement, Action)
      case group(GroupReference)
    }

    public var name: String
    /// The lowest comes first.
    public var priority: Int
    public var kind: Kind
    /// Labels that a match adds, without the prefix.
    public var labels: [String]
    public var visibility: Visibility

    public init(
      name: String, priority: Int, _ kind: Kind, labels: [String] = [], visibility: Visibility? = nil
    ) {
      self.name = name
      self.priority = priority
      self.kind = kind
      self.labels = labels
      self.visibility = visibility ?? Visibility(metricName: name)
    }

    public init(
      name: String, priority: Int, _ statement: Statement, _ action: Action, labels: [String] = [],
      visibility: Visibility? = nil
    ) {
      self.init(
        name: name, priority: priority, .statement(statement, action), labels: labels, visibility: visibility)
    }
  }

  /// A rule that stands for the rules of a group.
  public struct GroupReference: Codable, Sendable, Equatable {
    /// The group's id.
    public var group: String
    /// Whatever the group decides is counted only (override action COUNT).
    public var countsOnly: Bool
    /// Actions in the place of those of the group's rules, by the rules' names.
    public var overrides: [String: Action]
    /// Only requests that it matches are given to the group.
    public var scopeDown: Statement?

    public init(
      group: String, countsOnly: Bool = false, overrides: [String: Action] = [:], scopeDown: Statement? = nil
    ) {
      self.group = group
      self.countsOnly = countsOnly
      self.overrides = overrides
      self.scopeDown = scopeDown
    }
  }

  public struct RuleGroup: Codable, Sendable, Equatable {
    public var id: String
    public var rules: [Rule]
    /// What its rules' labels begin with, `awswaf:ACCOUNT:rulegroup:NAME:`.
    public var labelPrefix: String
    /// The metric dimension of a group that AWS (or here: Castle) manages, `VENDOR#NAME`; nil for the user's own.
    public var managedName: String?
    /// The metric dimension of a group of the user's own; nil: its metrics have the name of the rule that refers to it.
    public var metricName: String?

    public init(
      id: String, rules: [Rule], labelPrefix: String = "", managedName: String? = nil, metricName: String? = nil
    ) {
      self.metricName = metricName
      self.id = id
      self.rules = rules
      self.labelPrefix = labelPrefix
      self.managedName = managedName
    }
  }

  public struct IPSet: Codable, Sendable, Equatable {
    public var id: String
    /// Networks such as `192.0.2.0/24` and `2001:db8::/32`.
    public var addresses: [String]

    public init(id: String, addresses: [String]) {
      self.id = id
      self.addresses = addresses
    }
  }

  /// A regex pattern set: any of its patterns may match.
  public struct PatternSet: Codable, Sendable, Equatable {
    public var id: String
    public var patterns: [String]

    public init(id: String, patterns: [String]) {
      self.id = id
      self.patterns = patterns
    }
  }

  /// What is logged, and what of it is hidden.
  public struct Logging: Codable, Sendable, Equatable {
    public enum Condition: Codable, Sendable, Equatable {
      /// `ALLOW`, `BLOCK`, `COUNT`, `EXCLUDED_AS_COUNT`.
      case action(String)
      /// A label's full name.
      case label(String)
    }

    public struct Filter: Codable, Sendable, Equatable {
      public var keeps: Bool
      /// All conditions rather than any.
      public var meetsAll: Bool
      public var conditions: [Condition]

      public init(keeps: Bool, meetsAll: Bool, conditions: [Condition]) {
        self.keeps = keeps
        self.meetsAll = meetsAll
        self.conditions = conditions
      }
    }

    public var filters: [Filter]
    public var keepsByDefault: Bool
    public var redactsPath: Bool
    public var redactsQuery: Bool
    public var redactsMethod: Bool
    /// Lower-case names.
    public var redactedHeaders: [String]

    public init(
      filters: [Filter] = [], keepsByDefault: Bool = true, redactsPath: Bool = false, redactsQuery: Bool = false,
      redactsMethod: Bool = false, redactedHeaders: [String] = []
    ) {
      self.filters = filters
      self.keepsByDefault = keepsByDefault
      self.redactsPath = redactsPath
      self.redactsQuery = redactsQuery
      self.redactsMethod = redactsMethod
      self.redactedHeaders = redactedHeaders
    }
  }
}
