// Where the log of a web ACL goes.

import AWSCore
import AWSWire
import ServiceKit
import Store
import WAFv2Model
import WebACL

extension WAFv2Service {
  func putLoggingConfiguration(
    _ input: WAFv2.PutLoggingConfigurationRequest, _ call: CallContext
  ) async throws -> WAFv2.PutLoggingConfigurationResponse {
    var configuration = input.loggingConfiguration
    configuration.logType = configuration.logType ?? "WAF_LOGS"
    configuration.logScope = configuration.logScope ?? "CUSTOMER"
    configuration.managedByFirewallManager = configuration.managedByFirewallManager ?? false
    guard configuration.logDestinationConfigs.count == 1 else {
      throw WAFError.invalid(
        "Exactly one destination is needed", field: "LOG_DESTINATION", parameter: "LogDestinationConfigs")
    }
    _ = try LogDestination(configuration.logDestinationConfigs[0])
    _ = try LogRules.logging(configuration)
    let record = LoggingRecord(webACL: configuration.resourceArn, configuration: Self.shapes.json(configuration))
    try await store.write { tx in
      guard try !tx.find(WebACLRecord.self, call.scope, index: "arn", record.webACL).isEmpty else {
        throw WAFError.notFound
      }
      try tx.put(record, call.scope)
    }
    let answer = configuration
    return .make { $0.loggingConfiguration = answer }
  }

  func getLoggingConfiguration(
    _ input: WAFv2.GetLoggingConfigurationRequest, _ call: CallContext
  ) async throws -> WAFv2.GetLoggingConfigurationResponse {
    guard let record = try await store.get(LoggingRecord.self, call.scope, input.resourceArn) else {
      throw WAFError.notFound
    }
    return .make { $0.loggingConfiguration = Self.answer(record) }
  }

  static func answer(_ record: LoggingRecord) -> WAFv2.LoggingConfiguration {
    shapes.structure(WAFv2.LoggingConfiguration.self, record.configuration)
  }

  func deleteLoggingConfiguration(
    _ input: WAFv2.DeleteLoggingConfigurationRequest, _ call: CallContext
  ) async throws -> WAFv2.DeleteLoggingConfigurationResponse {
    try await store.write { tx in
      guard try tx.delete(LoggingRecord.self, call.scope, input.resourceArn) else { throw WAFError.notFound }
    }
    return .init()
  }

  func listLoggingConfigurations(
    _ input: WAFv2.ListLoggingConfigurationsRequest, _ call: CallContext
  ) async throws -> WAFv2.ListLoggingConfigurationsResponse {
    try Self.requireRegional(input.scope)
    let all = try await store.read { try $0.list(LoggingRecord.self, call.scope) }
    let (items, next) = try Self.page(all, limit: input.limit, marker: input.nextMarker, id: \.webACL)
    return .make {
      $0.loggingConfigurations = items.map(Self.answer)
      $0.nextMarker = next
    }
  }
}

/// A place for log lines. AWS wants its name to begin with `aws-waf-logs-`.
enum LogDestination: Equatable, Sendable {
  case logGroup(String)
  case bucket(String, prefix: String)

  /// - Throws: `WAFInvalidParameterException`; 501 for Firehose, which is not here.
  init(_ arn: String) throws {
    guard let parsed = ARN(arn) else {
      throw WAFError.invalid("The ARN isn't valid", field: "LOG_DESTINATION", parameter: arn)
    }
    let resource = parsed.resource
    switch parsed.service {
    case "logs" where resource.hasPrefix("log-group:aws-waf-logs-"):
      var name = String(resource.dropFirst(10))
      if name.hasSuffix(":*") { name.removeLast(2) }
      self = .logGroup(name)
    case "s3" where resource.hasPrefix("aws-waf-logs-"):
      let parts = resource.split(separator: "/", maxSplits: 1)
      self = .bucket(String(parts[0]), prefix: parts.count > 1 ? String(parts[1]) : "")
    case "firehose": throw AWSError.notImplemented("WAF logs to Amazon Data Firehose (\(arn))")
    default: throw WAFError.invalid("The ARN isn't valid", field: "LOG_DESTINATION", parameter: arn)
    }
  }
}

/// From the API's logging configuration to what the Gate does about it.
enum LogRules {
  /// - Throws: `WAFInvalidParameterException` for redactions that do not exist.
  static func logging(_ configuration: WAFv2.LoggingConfiguration) throws -> WebACL.Logging {
    var logging = WebACL.Logging()
    for field in configuration.redactedFields ?? [] {
      switch try FieldTranslator.inspection(field, []).field {
      case .uriPath: logging.redactsPath = true
      case .queryString: logging.redactsQuery = true
      case .method: logging.redactsMethod = true
      case .header(let name): logging.redactedHeaders.append(name)
      default:
        throw WAFError.invalid(
          "Only the path, the query string, the method and single headers can be redacted", field: "REDACTED_FIELDS",
          parameter: "RedactedFields")
      }
    }
    guard let filter = configuration.loggingFilter else { return logging }
    logging.keepsByDefault = filter.defaultBehavior == "KEEP"
    logging.filters = filter.filters.map { one in
      WebACL.Logging.Filter(
        keeps: one.behavior == "KEEP", meetsAll: one.requirement == "MEETS_ALL",
        conditions: one.conditions.compactMap { condition in
          if let action = condition.actionCondition { return .action(action.action) }
          return condition.labelNameCondition.map { .label($0.labelName) }
        })
    }
    return logging
  }
}
