// One condition of a statement: operator, key and values, compiled.

import AWSCore

/// `"StringLike": { "aws:PrincipalArn": ["…"] }`.
struct Condition: Sendable, Hashable {
  enum Quantifier: Sendable, Hashable { case single, forAll, forAny }
  enum Comparison: Sendable, Hashable { case equal, less, lessOrEqual, greater, greaterOrEqual }
  enum Kind: Sendable, Hashable {
    case string, stringIgnoringCase
    case numeric(Comparison)
    case date(Comparison)
    case bool, binary, ip, arn, null
  }
  enum Value: Sendable, Hashable {
    case pattern(Pattern)
    case number(Double)
    case date(Timestamp)
    case text(String)
    case range(IPRange)
    case arn(ARNPattern)
  }

  var kind: Kind
  var negated: Bool
  var quantifier: Quantifier
  var ifExists: Bool
  /// In lower case.
  var key: String
  var values: [Value]

  /// Whether the condition holds.
  func holds(_ request: PolicyRequest) -> Bool {
    let actual = request.values(key)
    if kind == .null {
      let isMissing = actual?.isEmpty ?? true
      return values.contains(.text("true")) == isMissing
    }
    guard let actual, !actual.isEmpty else {
      switch quantifier {
      case .forAll: return true
      case .forAny: return ifExists
      // What is not there is equal to nothing, so the negated operators hold.
      case .single: return negated || ifExists
      }
    }
    func fits(_ text: String) -> Bool { matchesAny(text, request) != negated }
    switch quantifier {
    case .forAll: return actual.allSatisfy(fits)
    case .forAny: return actual.contains(where: fits)
    case .single: return negated ? actual.allSatisfy(fits) : actual.contains(where: fits)
    }
  }

  private func matchesAny(_ text: String, _ request: PolicyRequest) -> Bool {
    switch kind {
    case .string, .stringIgnoringCase:
      let folds = kind == .stringIgnoringCase
      let bytes = Array((folds ? text.lowercased() : text).utf8)
      return values.contains {
        guard case .pattern(let pattern) = $0 else { return false }
        return pattern.matches(bytes) { name in
          let value = request.variable(name)
          return folds ? value?.lowercased() : value
        }
      }
    case .arn:
      let parts = ARNPattern.split(text)
      return values.contains {
        guard case .arn(let pattern) = $0 else { return false }
        return pattern.matches(parts, request.variable)
      }
    case .numeric(let comparison):
      guard let number = Double(text) else { return false }
      return values.contains {
        guard case .number(let value) = $0 else { return false }
        return Self.compare(number, comparison, value)
      }
    case .date(let comparison):
      guard let date = Self.date(text) else { return false }
      return values.contains {
        guard case .date(let value) = $0 else { return false }
        return Self.compare(date, comparison, value)
      }
    case .ip:
      guard let address = IPRange.address(text) else { return false }
      return values.contains {
        guard case .range(let range) = $0 else { return false }
        return range.contains(address)
      }
    case .bool:
      return values.contains(.text(text.lowercased()))
    case .binary:
      return values.contains(.text(text))
    case .null: return false
    }
  }

  private static func compare<T: Comparable>(_ a: T, _ comparison: Comparison, _ b: T) -> Bool {
    switch comparison {
    case .equal: a == b
    case .less: a < b
    case .lessOrEqual: a <= b
    case .greater: a > b
    case .greaterOrEqual: a >= b
    }
  }

  /// ISO 8601, or seconds since 1970.
  static func date(_ text: String) -> Timestamp? {
    Timestamp(iso8601: text) ?? Double(text).map { Timestamp(seconds: $0) }
  }
}

// MARK: - From JSON

extension Condition {
  private static let operators: [String: (Kind, negated: Bool, wildcards: Bool)] = [
    "stringequals": (.string, false, false), "stringnotequals": (.string, true, false),
    "stringequalsignorecase": (.stringIgnoringCase, false, false),
    "stringnotequalsignorecase": (.stringIgnoringCase, true, false), "stringlike": (.string, false, true),
    "stringnotlike": (.string, true, true), "numericequals": (.numeric(.equal), false, false),
    "numericnotequals": (.numeric(.equal), true, false), "numericlessthan": (.numeric(.less), false, false),
    "numericlessthanequals": (.numeric(.lessOrEqual), false, false),
    "numericgreaterthan": (.numeric(.greater), false, false),
    "numericgreaterthanequals": (.numeric(.greaterOrEqual), false, false),
    "dateequals": (.date(.equal), false, false), "datenotequals": (.date(.equal), true, false),
    "datelessthan": (.date(.less), false, false), "datelessthanequals": (.date(.lessOrEqual), false, false),
    "dategreaterthan": (.date(.greater), false, false),
    "dategreaterthanequals": (.date(.greaterOrEqual), false, false), "bool": (.bool, false, false),
    "binaryequals": (.binary, false, false), "ipaddress": (.ip, false, false), "notipaddress": (.ip, true, false),
    "arnequals": (.arn, false, true), "arnlike": (.arn, false, true), "arnnotequals": (.arn, true, true),
    "arnnotlike": (.arn, true, true), "null": (.null, false, false),
  ]

  /// - Returns: nil when the operator is unknown or a value does not fit it.
  init?(operator name: String, key: String, values texts: [String], variables: Bool) {
    var rest = name.lowercased()
    quantifier = .single
    if rest.hasPrefix("forallvalues:") {
      quantifier = .forAll
      rest.removeFirst("forallvalues:".count)
    } else if rest.hasPrefix("foranyvalue:") {
      quantifier = .forAny
      rest.removeFirst("foranyvalue:".count)
    }
    ifExists = rest.hasSuffix("ifexists")
    if ifExists { rest.removeLast("ifexists".count) }
    guard let (kind, negated, wildcards) = Self.operators[rest], !(kind == .null && ifExists) else { return nil }
    self.kind = kind
    self.negated = negated
    self.key = key.lowercased()
    values = []
    for text in texts {
      guard let value = Self.value(text, kind, wildcards: wildcards, variables: variables) else { return nil }
      values.append(value)
    }
  }

  private static func value(_ text: String, _ kind: Kind, wildcards: Bool, variables: Bool) -> Value? {
    switch kind {
    case .string: .pattern(Pattern(text, wildcards: wildcards, variables: variables))
    case .stringIgnoringCase:
      // Variables keep their names, which are in lower case already; defaults fold with the rest.
      .pattern(Pattern(text.lowercased(), wildcards: false, variables: variables))
    case .numeric: Double(text).map(Value.number)
    case .date: date(text).map(Value.date)
    case .bool, .null:
      ["true", "false"].contains(text.lowercased()) ? .text(text.lowercased()) : nil
    case .binary: .text(text)
    case .ip: IPRange(text).map(Value.range)
    case .arn: .arn(ARNPattern(text, variables: variables))
    }
  }
}
