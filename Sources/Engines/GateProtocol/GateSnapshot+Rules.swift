// The rules of a listener: conditions, checks, transforms and actions.

extension GateSnapshot {
  /// Conditions that must all hold, and what is then done. The lowest priority number wins.
  public struct Rule: Codable, Sendable, Equatable {
    public var priority: Int
    public var conditions: [Condition]
    /// What must hold before the action is done, in this order: tokens and sign-in.
    public var checks: [Check]
    /// What is rewritten of a request that is forwarded; at most one of each kind.
    public var transforms: [Transform]
    public var action: Action

    public init(
      priority: Int, conditions: [Condition], checks: [Check] = [], transforms: [Transform] = [], action: Action
    ) {
      self.priority = priority
      self.conditions = conditions
      self.checks = checks
      self.transforms = transforms
      self.action = action
    }
  }

  /// One condition; any of its values may match. `*` stands for any characters, `?` for exactly one.
  public enum Condition: Codable, Sendable, Equatable {
    /// Case-insensitive, without the port.
    case hostHeader([String])
    /// Case-sensitive, without the query.
    case pathPattern([String])
    case httpHeader(name: String, values: [String])
    /// Exact, case-sensitive.
    case httpRequestMethod([String])
    case queryString([QueryMatch])
    /// IPv4 networks such as `127.0.0.0/8`; compared with the connection's address, not with X-Forwarded-For.
    case sourceIP([String])
    /// Regular expressions (ELBv2 `RegexValues`), looked for anywhere in the value; hosts ignore case. The dialect is
    /// that of the module ByteRegex.
    case hostHeaderRegex([String])
    case pathRegex([String])
    case httpHeaderRegex(name: String, values: [String])
  }

  /// A query parameter to look for; without a key the value may belong to any.
  public struct QueryMatch: Codable, Sendable, Equatable {
    public var key: String?
    public var value: String

    public init(key: String? = nil, value: String) {
      self.key = key
      self.value = value
    }
  }

  public enum Action: Codable, Sendable, Equatable {
    /// With `stickiness` a client stays with the target group chosen first for so many seconds (cookie `AWSALBTG`).
    case forward([WeightedTargetGroup], stickiness: Double? = nil)
    case redirect(Redirect)
    case fixedResponse(FixedResponse)

    /// Forward to one target group.
    public static func forward(to targetGroup: String) -> Action {
      .forward([WeightedTargetGroup(targetGroup: targetGroup)])
    }
  }

  public struct WeightedTargetGroup: Codable, Sendable, Equatable {
    /// The id of the target group.
    public var targetGroup: String
    /// 0...999; a group of weight 0 gets nothing while another has weight.
    public var weight: Int

    public init(targetGroup: String, weight: Int = 1) {
      self.targetGroup = targetGroup
      self.weight = weight
    }
  }

  /// ELBv2 `RuleTransform`: the first match of the regular expression is replaced; `$1` to `$9` stand for what its
  /// groups took. Without a match the request stays as it is.
  public struct Transform: Codable, Sendable, Equatable {
    public enum Kind: String, Codable, Sendable {
      /// The path with the query.
      case url = "url-rewrite"
      /// The host, without its port.
      case host = "host-header-rewrite"
    }
    public var kind: Kind
    public var regex: String
    public var replacement: String

    public init(kind: Kind, regex: String, replacement: String) {
      self.kind = kind
      self.regex = regex
      self.replacement = replacement
    }
  }

  /// ELBv2 `RedirectActionConfig`; each part may hold `#{protocol}` `#{host}` `#{port}` `#{path}` `#{query}`.
  public struct Redirect: Codable, Sendable, Equatable {
    /// 301 or 302.
    public var statusCode: Int
    public var scheme: String
    public var host: String
    public var port: String
    public var path: String
    public var query: String

    public init(
      statusCode: Int, scheme: String = "#{protocol}", host: String = "#{host}", port: String = "#{port}",
      path: String = "/#{path}", query: String = "#{query}"
    ) {
      self.statusCode = statusCode
      self.scheme = scheme
      self.host = host
      self.port = port
      self.path = path
      self.query = query
    }
  }

  public struct FixedResponse: Codable, Sendable, Equatable {
    public var statusCode: Int
    public var contentType: String
    public var body: String

    public init(statusCode: Int, contentType: String = "text/plain", body: String = "") {
      self.statusCode = statusCode
      self.contentType = contentType
      self.body = body
    }
  }
}
