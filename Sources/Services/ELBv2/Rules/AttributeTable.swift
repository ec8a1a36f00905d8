// The attributes of load balancers, target groups and listeners: keys, defaults, and which values are understood.

import AWSCore

/// One attribute.
struct AttributeRule: Sendable {
  enum Kind: Sendable {
    case flag
    case number(ClosedRange<Int>)
    case choice([String])
    /// A number in the range, or `off`.
    case numberOrOff(ClosedRange<Int>)
    case text
    /// A header's name, or nothing.
    case headerName
    /// What can stand behind a header's name, or nothing.
    case headerValue
  }
  var key: String
  var standard: String
  var kind: Kind
  /// The values that Castle can do; nil for all of them. Another one is answered with 501.
  var built: Set<String>?
}

/// The attributes that one kind of resource has.
struct AttributeTable: Sendable {
  /// `Load balancer`, for messages.
  var noun: String
  var rules: [AttributeRule]

  /// All attributes with their values, in the table's order.
  func all(_ set: [String: String]) -> [(key: String, value: String)] {
    rules.map { ($0.key, set[$0.key] ?? $0.standard) }
  }

  func value(_ key: String, _ set: [String: String]) -> String {
    set[key] ?? rules.first { $0.key == key }?.standard ?? ""
  }

  /// The attributes after some were changed.
  /// - Throws: `InvalidConfigurationRequest` for unknown keys and bad values, 501 for what is not built.
  func changed(_ old: [String: String], by changes: [(key: String, value: String)]) throws -> [String: String] {
    guard !changes.isEmpty else { throw ELBv2Error.validation("At least one attribute must be specified") }
    guard Set(changes.map(\.key)).count == changes.count else {
      throw ELBv2Error.invalidConfiguration("\(noun) attribute keys cannot be repeated")
    }
    var new = old
    for (key, value) in changes {
      guard let rule = rules.first(where: { $0.key == key }) else {
        throw ELBv2Error.invalidConfiguration("\(noun) attribute key '\(key)' is not recognized")
      }
      try check(rule, value)
      new[key] = value
    }
    return new
  }

  private func check(_ rule: AttributeRule, _ value: String) throws {
    func refuse(_ allowed: String) -> AWSError {
      ELBv2Error.invalidConfiguration(
        "\(noun) attribute value '\(value)' is not valid for the key '\(rule.key)'; it must be \(allowed)")
    }
    switch rule.kind {
    case .flag: if value != "true" && value != "false" { throw refuse("'true' or 'false'") }
    case .number(let range):
      guard let number = Int(value), range.contains(number) else {
        throw refuse("between '\(range.lowerBound)' and '\(range.upperBound)'")
      }
    case .numberOrOff(let range):
      if value != "off" {
        guard let number = Int(value), range.contains(number) else {
          throw refuse("'off' or between '\(range.lowerBound)' and '\(range.upperBound)'")
        }
      }
    case .choice(let values): if !values.contains(value) { throw refuse("one of '\(values.joined(separator: ", "))'") }
    case .text: break
    case .headerName: if !isHeaderName(value) { throw refuse("the name of a header that says nothing of the message") }
    case .headerValue:
      guard value.utf8.count <= 1024, value.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
        throw refuse("at most 1024 printable characters")
      }
    }
    if let built = rule.built, !built.contains(value) {
      throw AWSError.notImplemented("the \(noun.lowercased()) attribute \(rule.key)=\(value)")
    }
  }

  /// The names that say where a message ends or goes belong to the load balancer.
  private static let ownNames: Set<String> = [
    "connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
  ]

  private func isHeaderName(_ text: String) -> Bool {
    let isWord = text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
      default: false
      }
    }
    return isWord && text.utf8.count <= 40 && !Self.ownNames.contains(text.lowercased())
  }
}
