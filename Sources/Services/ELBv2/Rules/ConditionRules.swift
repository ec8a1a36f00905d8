// Conditions of rules: both of their forms, from the API's shape to the record, and back.

import AWSCore
import AWSWire
import ELBv2Model

enum ConditionRules {
  static let fields = [
    "path-pattern", "host-header", "http-header", "http-request-method", "query-string", "source-ip",
  ]

  /// The conditions of a rule.
  /// - Throws: `ValidationError`.
  static func read(_ conditions: [ELBv2.RuleCondition]) throws -> [ConditionRecord] {
    guard !conditions.isEmpty else { throw ELBv2Error.validation("A condition must be specified") }
    let records = try conditions.map(read)
    for field in ["path-pattern", "host-header", "http-request-method", "source-ip"]
    where records.filter({ $0.field == field }).count > 1 {
      throw ELBv2Error.validation("A rule can only have one '\(field)' condition")
    }
    let count = records.reduce(0) { $0 + $1.values.count + $1.queries.count + ($1.regexValues?.count ?? 0) }
    guard count <= ELBv2Limits.conditionValuesPerRuleMax else {
      throw ELBv2Error.validation("A rule can only have '\(ELBv2Limits.conditionValuesPerRuleMax)' condition values")
    }
    let texts = records.flatMap { $0.values + $0.queries.flatMap { [$0.key ?? "", $0.value] } }
    let wildcards = texts.reduce(0) {
      $0 + $1.utf8.count(where: { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") })
    }
    guard wildcards <= ELBv2Limits.conditionWildcardsPerRuleMax else {
      throw ELBv2Error.validation(
        "A rule can only have '\(ELBv2Limits.conditionWildcardsPerRuleMax)' wildcard characters")
    }
    return records
  }

  private static func read(_ condition: ELBv2.RuleCondition) throws -> ConditionRecord {
    guard let field = condition.field ?? implied(condition) else {
      throw ELBv2Error.validation("A condition field must be specified")
    }
    guard fields.contains(field) else {
      throw ELBv2Error.validation("Condition field '\(field)' must be one of '[\(fields.joined(separator: ", "))]'")
    }
    var record = ConditionRecord(field: field, values: condition.values ?? [])
    switch field {
    case "path-pattern": merge(condition.pathPatternConfig?.values, &record)
    case "host-header": merge(condition.hostHeaderConfig?.values, &record)
    case "http-request-method": merge(condition.httpRequestMethodConfig?.values, &record)
    case "source-ip": merge(condition.sourceIpConfig?.values, &record)
    case "http-header":
      merge(condition.httpHeaderConfig?.values, &record)
      record.headerName = condition.httpHeaderConfig?.httpHeaderName
    default:
      guard record.values.isEmpty else {
        throw ELBv2Error.validation("A query string condition takes its values from QueryStringConfig")
      }
      record.queries = (condition.queryStringConfig?.values ?? []).map { .init(key: $0.key, value: $0.value ?? "") }
    }
    let expressions =
      [
        condition.regexValues, condition.hostHeaderConfig?.regexValues, condition.pathPatternConfig?.regexValues,
        condition.httpHeaderConfig?.regexValues,
      ].compactMap(\.self).first { !$0.isEmpty } ?? []
    guard expressions.isEmpty else { return try regular(record, expressions) }
    try check(record)
    return record
  }

  /// A condition by regular expressions.
  private static func regular(_ record: ConditionRecord, _ expressions: [String]) throws -> ConditionRecord {
    guard ["host-header", "path-pattern", "http-header"].contains(record.field) else {
      throw ELBv2Error.validation("Regular expressions are not supported in '\(record.field)' conditions")
    }
    guard record.values.isEmpty else {
      throw ELBv2Error.validation("A condition can have values or regular expressions, not both")
    }
    for expression in expressions {
      guard expression.utf8.count <= 128 else {
        throw ELBv2Error.validation("Regular expression '\(expression)' cannot be longer than '128' characters")
      }
      try Expressions.check(expression)
    }
    if record.field == "http-header" { try checkHeaderName(record) }
    var record = record
    record.regexValues = expressions
    return record
  }

  private static func checkHeaderName(_ record: ConditionRecord) throws {
    guard let name = record.headerName, !name.isEmpty, name.utf8.count <= 40 else {
      throw ELBv2Error.validation("An HTTP header name of at most '40' characters must be specified")
    }
    guard name.lowercased() != "host" else {
      throw ELBv2Error.validation("The host is matched by a 'host-header' condition")
    }
  }

  /// A condition may leave its field to be told from its configuration.
  private static func implied(_ condition: ELBv2.RuleCondition) -> String? {
    if condition.pathPatternConfig != nil { return "path-pattern" }
    if condition.hostHeaderConfig != nil { return "host-header" }
    if condition.httpHeaderConfig != nil { return "http-header" }
    if condition.httpRequestMethodConfig != nil { return "http-request-method" }
    if condition.queryStringConfig != nil { return "query-string" }
    if condition.sourceIpConfig != nil { return "source-ip" }
    return nil
  }

  private static func merge(_ values: [String]?, _ record: inout ConditionRecord) {
    if let values, !values.isEmpty { record.values = values }
  }

  private static func check(_ record: ConditionRecord) throws {
    if record.field == "query-string" {
      guard !record.queries.isEmpty else { throw ELBv2Error.validation("A condition value must be specified") }
      for query in record.queries {
        guard !query.value.isEmpty else { throw ELBv2Error.validation("A query string condition must have a value") }
        guard query.value.utf8.count <= 128, (query.key ?? "").utf8.count <= 128 else {
          throw ELBv2Error.validation("A query string key or value cannot be longer than '128' characters")
        }
      }
      return
    }
    guard !record.values.isEmpty, !record.values.contains("") else {
      throw ELBv2Error.validation("A condition value must be specified")
    }
    for value in record.values where value.utf8.count > 128 {
      throw ELBv2Error.validation("Condition value '\(value)' cannot be longer than '128' characters")
    }
    switch record.field {
    case "http-header":
      try checkHeaderName(record)
    case "http-request-method":
      for value in record.values
      where value.utf8.count > 40 || !value.utf8.allSatisfy({ (65...90).contains($0) || $0 == 45 || $0 == 95 }) {
        throw ELBv2Error.validation("HTTP request method '\(value)' is not valid")
      }
    case "source-ip":
      for value in record.values where !value.contains(":") && Addresses.network(value) == nil {
        throw ELBv2Error.validation("'\(value)' is not a valid CIDR block")
      }
    default: break
    }
  }

  /// As the Describe operations tell it: AWS gives paths and hosts in both forms.
  static func answer(_ record: ConditionRecord) -> ELBv2.RuleCondition {
    .make {
      $0.field = record.field
      $0.values = []
      let expressions = record.regexValues
      switch record.field {
      case "path-pattern" where expressions != nil:
        $0.regexValues = expressions
        $0.pathPatternConfig = .make { $0.regexValues = expressions }
      case "host-header" where expressions != nil:
        $0.regexValues = expressions
        $0.hostHeaderConfig = .make { $0.regexValues = expressions }
      case "http-header" where expressions != nil:
        $0.httpHeaderConfig = .make {
          $0.httpHeaderName = record.headerName
          $0.regexValues = expressions
        }
      case "path-pattern":
        $0.values = record.values
        $0.pathPatternConfig = .make { $0.values = record.values }
      case "host-header":
        $0.values = record.values
        $0.hostHeaderConfig = .make { $0.values = record.values }
      case "http-request-method": $0.httpRequestMethodConfig = .make { $0.values = record.values }
      case "source-ip": $0.sourceIpConfig = .make { $0.values = record.values }
      case "http-header":
        $0.httpHeaderConfig = .make {
          $0.httpHeaderName = record.headerName
          $0.values = record.values
        }
      default:
        $0.queryStringConfig = .make {
          $0.values = record.queries.map { query in
            .make {
              $0.key = query.key
              $0.value = query.value
            }
          }
        }
      }
    }
  }
}
