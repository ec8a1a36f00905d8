// What the rules of a web ACL look for.

extension WebACL {
  public indirect enum Statement: Codable, Sendable, Equatable {
    case byteMatch(Inspection, Position, [UInt8])
    case regexMatch(Inspection, pattern: String)
    case patternSet(Inspection, id: String)
    case size(Inspection, Comparison, Int)
    case sqlInjection(Inspection, isSensitive: Bool)
    case crossSiteScripting(Inspection)
    /// ISO 3166 country codes.
    case geo([String], ForwardedIP?)
    case ipSet(id: String, ForwardedIP?)
    /// Numbers of autonomous systems; 0 for addresses of which none is known.
    case system([UInt32], ForwardedIP?)
    /// A list of addresses (`AddressLists`).
    case addressList(String)
    /// Scope LABEL: the end of a label, in whole parts. Scope NAMESPACE: parts in front of a label's name.
    case label(key: String, isNamespace: Bool)
    case rate(Rate)
    case and([Statement])
    case or([Statement])
    case not(Statement)
  }

  /// A part of the request, and what is done to its text before it is looked at, in this order.
  public struct Inspection: Codable, Sendable, Hashable {
    public var field: Field
    public var transformations: [Transformation]

    public init(_ field: Field, _ transformations: [Transformation] = []) {
      self.field = field
      self.transformations = transformations
    }
  }

  public enum Position: String, Codable, Sendable {
    case exactly = "EXACTLY"
    case startsWith = "STARTS_WITH"
    case endsWith = "ENDS_WITH"
    case contains = "CONTAINS"
    case containsWord = "CONTAINS_WORD"
  }

  public enum Comparison: String, Codable, Sendable {
    case equal = "EQ"
    case notEqual = "NE"
    case atMost = "LE"
    case below = "LT"
    case atLeast = "GE"
    case above = "GT"
  }

  /// What to do about a part that is larger than what is looked at.
  public enum Oversize: String, Codable, Sendable {
    /// Look at what there is.
    case proceed = "CONTINUE"
    case match = "MATCH"
    case noMatch = "NO_MATCH"
  }

  /// Which headers, cookies or members.
  public enum Selection: Codable, Sendable, Hashable {
    case all
    case only([String])
    case except([String])
  }

  public enum Scope: String, Codable, Sendable {
    case all = "ALL"
    case keys = "KEY"
    case values = "VALUE"
  }

  /// What to do about a body that is no JSON.
  public enum InvalidJSON: String, Codable, Sendable {
    /// Look at what was read before the fault.
    case partly = "NONE"
    case asText = "EVALUATE_AS_STRING"
    case match = "MATCH"
    case noMatch = "NO_MATCH"
  }

  public enum Field: Codable, Sendable, Hashable {
    case method
    case uriPath
    case queryString
    /// Any case.
    case header(String)
    case queryArgument(String)
    case allQueryArguments
    case headers(Selection, Scope, Oversize)
    case cookies(Selection, Scope, Oversize)
    /// The names of the headers in their order, with `:` between.
    case headerOrder(Oversize)
    case body(Oversize)
    /// `.only` holds JSON pointers (RFC 6901).
    case jsonBody(Selection, Scope, Oversize, InvalidJSON)
    /// Fingerprints of the client's TLS hello, where whoever took the connection made one.
    case ja3(fallback: Bool)
    case ja4(fallback: Bool)
    case uriFragment(fallback: Bool)
  }

  /// The client's address as a header tells it.
  public struct ForwardedIP: Codable, Sendable, Hashable {
    public enum Position: String, Codable, Sendable {
      case first = "FIRST"
      case last = "LAST"
      case any = "ANY"
    }

    public var header: String
    /// Whether the statement matches when the header holds no address.
    public var fallback: Bool
    public var position: Position

    public init(header: String, fallback: Bool, position: Position = .first) {
      self.header = header
      self.fallback = fallback
      self.position = position
    }
  }

  /// A rate-based statement: matches requests whose key was seen more often than the limit within the window.
  public struct Rate: Codable, Sendable, Equatable {
    public enum Key: Codable, Sendable, Hashable {
      case ip
      case forwardedIP
      /// The number of the autonomous system of the address, or of the forwarded one where the rule has one.
      case system
      case header(String, [Transformation])
      case cookie(String, [Transformation])
      case queryArgument(String, [Transformation])
      case queryString([Transformation])
      case uriPath([Transformation])
      case method
      case labelNamespace(String)
      case ja3(fallback: Bool)
      case ja4(fallback: Bool)
    }

    /// Requests.
    public var limit: Int
    /// Seconds.
    public var window: Int
    /// What makes up the key; empty for one key that all requests share.
    public var keys: [Key]
    public var forwardedIP: ForwardedIP?
    /// Only requests that it matches are counted and limited.
    public var scopeDown: Statement?

    public init(
      limit: Int, window: Int = 300, keys: [Key] = [.ip], forwardedIP: ForwardedIP? = nil,
      scopeDown: Statement? = nil
    ) {
      self.limit = limit
      self.window = window
      self.keys = keys
      self.forwardedIP = forwardedIP
      self.scopeDown = scopeDown
    }
  }

  /// Changes to a text before it is looked at (WAFv2 `TextTransformation`).
  public enum Transformation: String, Codable, Sendable, CaseIterable {
    case none = "NONE"
    case compressWhiteSpace = "COMPRESS_WHITE_SPACE"
    case htmlEntityDecode = "HTML_ENTITY_DECODE"
    case lowercase = "LOWERCASE"
    case commandLine = "CMD_LINE"
    case urlDecode = "URL_DECODE"
    case base64Decode = "BASE64_DECODE"
    case hexDecode = "HEX_DECODE"
    case md5 = "MD5"
    case replaceComments = "REPLACE_COMMENTS"
    case escapeSequenceDecode = "ESCAPE_SEQ_DECODE"
    case sqlHexDecode = "SQL_HEX_DECODE"
    case cssDecode = "CSS_DECODE"
    case jsDecode = "JS_DECODE"
    case normalizePath = "NORMALIZE_PATH"
    case normalizePathWindows = "NORMALIZE_PATH_WIN"
    case removeNulls = "REMOVE_NULLS"
    case replaceNulls = "REPLACE_NULLS"
    case base64DecodeExtended = "BASE64_DECODE_EXT"
    case urlDecodeUnicode = "URL_DECODE_UNI"
    case utf8ToUnicode = "UTF8_TO_UNICODE"
  }
}
