// What is told of the requests that a web ACL judged: counters, samples, log lines.

/// Counters of one rule (or of the default action) of a web ACL, or of something else that requests have in common.
/// They only rise.
public struct WebACLCounter: Codable, Sendable, Equatable {
  /// What is counted.
  public enum Subject: String, Codable, Sendable {
    case rule
    /// A rule inside of a group that AWS (or here: Castle) manages.
    case managedRule
    /// Requests with a label; of a rule group's: labels that its rules added which only count.
    case label
    case country, device
    /// A kind of attack that rules look for.
    case attack

    var isTally: Bool { self != .rule && self != .managedRule }
  }

  /// What tells counters apart.
  public struct Key: Hashable, Sendable {
    private let name: String
    private let group: String?
    private let subject: Subject

    fileprivate init(_ counter: WebACLCounter) {
      name = counter.name
      group = counter.group
      subject = counter.subject
    }
  }

  /// The metric's name; of labels the full name, of countries two letters.
  public var name: String
  /// The metric's name of the group, for rules inside of one.
  public var group: String?
  /// `VENDOR#NAME` of a managed group, for the rule that refers to it and for the rules inside.
  public var managedGroup: String?
  public var subject: Subject
  /// False: not to be published.
  public var hasMetrics: Bool
  public var allowed: UInt64 = 0
  public var blocked: UInt64 = 0
  public var counted: UInt64 = 0
  /// Groups: requests that none of their rules matched.
  public var passed: UInt64 = 0

  public init(
    name: String, group: String? = nil, managedGroup: String? = nil, hasMetrics: Bool = true, subject: Subject = .rule
  ) {
    self.name = name
    self.group = group
    self.managedGroup = managedGroup
    self.hasMetrics = hasMetrics
    self.subject = subject
  }

  /// Adds another loop's counts of the same.
  public mutating func add(_ other: WebACLCounter) {
    allowed += other.allowed
    blocked += other.blocked
    counted += other.counted
    passed += other.passed
  }

  public var key: Key { Key(self) }

  /// Whether both count the same.
  public func isSame(_ other: WebACLCounter) -> Bool { key == other.key }
}

/// A request that was judged, as GetSampledRequests tells it.
public struct WebACLSample: Codable, Sendable, Equatable {
  public var webACL: String
  /// The metric it is a sample of; `Default_Action` for the default action.
  public var metric: String
  /// Milliseconds since 1970.
  public var time: UInt64
  public var clientIP: String
  public var country: String?
  public var method: String
  public var uri: String
  public var version: String
  public var headers: [WebACL.Header]
  /// `ALLOW`, `BLOCK`, `COUNT`.
  public var action: String
  /// The action that an override took the place of.
  public var overriddenAction: String?
  public var ruleWithinGroup: String?
  public var labels: [String]
  public var inserted: [WebACL.Header]
  /// The status of a block's own response.
  public var status: Int?
  /// How many requests it stands for.
  public var weight: Int
}

/// Text for JSON.
struct JSONText {
  private(set) var text = ""

  mutating func raw(_ piece: String) { text += piece }

  mutating func member(_ name: String, isFirst: Bool = false) {
    if !isFirst { text += "," }
    text += "\"\(name)\":"
  }

  mutating func string(_ value: String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      default:
        if scalar.value < 0x20 {
          let digits = String(scalar.value, radix: 16)
          text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        } else {
          text.unicodeScalars.append(scalar)
        }
      }
    }
    text += "\""
  }

  mutating func string(_ value: String?) {
    if let value { string(value) } else { text += "null" }
  }

  mutating func list<Item>(_ items: [Item], _ write: (inout JSONText, Item) -> Void) {
    text += "["
    for (index, item) in items.enumerated() {
      if index > 0 { text += "," }
      write(&self, item)
    }
    text += "]"
  }

  mutating func headers(_ headers: [WebACL.Header]) {
    list(headers) { out, header in
      out.raw("{\"name\":")
      out.string(header.name)
      out.raw(",\"value\":")
      out.string(header.value)
      out.raw("}")
    }
  }
}
