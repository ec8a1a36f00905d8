// Actions: from the API's shape to the record, and back.

import AWSCore
import AWSWire
import ELBv2Model
import Store

/// The actions of a listener or rule: what a client must prove, and what is then done.
struct ActionList: Sendable, Hashable {
  var checks: [CheckRecord]
  var action: ActionRecord
}

enum ActionRules {
  /// - Parameters:
  ///   - protocolName: the listener's.
  ///   - old: the checks before, see `CheckRules`.
  /// - Throws: `ValidationError`, `InvalidLoadBalancerAction`, `TooManyActions`, 501 for what is not built.
  static func read(
    _ actions: [ELBv2.Action], on protocolName: String, old: [CheckRecord] = [], sealer: Sealer
  ) throws -> ActionList {
    guard !actions.isEmpty else {
      throw ELBv2Error.validation("A listener or rule must have at least one action")
    }
    guard actions.count == 1 || actions.allSatisfy({ $0.order != nil }) else {
      throw ELBv2Error.invalidAction("Each action must have an order when more than one is specified")
    }
    guard Set(actions.map { $0.order ?? 1 }).count == actions.count else {
      throw ELBv2Error.invalidAction("The orders of actions must be unique")
    }
    let sorted = actions.sorted { ($0.order ?? 1) < ($1.order ?? 1) }
    let last = sorted[sorted.count - 1]
    let checks = sorted.dropLast()
    guard !CheckRules.types.contains(last.type) else {
      throw ELBv2Error.invalidAction(
        "The last action must be one of the types forward, redirect and fixed-response")
    }
    guard checks.allSatisfy({ CheckRules.types.contains($0.type) }) else {
      throw ELBv2Error.invalidAction(
        "A rule can have only one action of the types forward, redirect and fixed-response, and it must be the last")
    }
    guard checks.count <= 1 else {
      throw AWSError("TooManyActions", "A rule can have only one action that authenticates")
    }
    if !checks.isEmpty, protocolName != "HTTPS" {
      throw ELBv2Error.invalidAction("Actions of type '\(sorted[0].type)' are supported only on HTTPS listeners")
    }
    if !["HTTP", "HTTPS"].contains(protocolName), last.type != "forward" {
      throw ELBv2Error.invalidAction("Actions of type '\(last.type)' are not supported on \(protocolName) listeners")
    }
    return ActionList(
      checks: try checks.map { try CheckRules.read($0, old: old, sealer: sealer) }, action: try terminal(last))
  }

  private static func terminal(_ action: ELBv2.Action) throws -> ActionRecord {
    switch action.type {
    case "forward": return .forward(try forward(action))
    case "redirect": return .redirect(try redirect(action))
    case "fixed-response": return .fixedResponse(try fixedResponse(action))
    default:
      throw ELBv2Error.validation("Action type '\(action.type)' must be one of 'forward, redirect, fixed-response'")
    }
  }

  private static func forward(_ action: ELBv2.Action) throws -> ForwardRecord {
    var record = ForwardRecord(groups: [], order: action.order)
    if let config = action.forwardConfig {
      if let stickiness = config.targetGroupStickinessConfig {
        if let seconds = stickiness.durationSeconds, !(1...604_800).contains(seconds) {
          throw ELBv2Error.validation("Stickiness duration '\(seconds)' must be between '1' and '604800' seconds")
        }
        guard stickiness.enabled != true || stickiness.durationSeconds != nil else {
          throw ELBv2Error.validation("A stickiness duration must be specified when stickiness is enabled")
        }
        record.stickinessSeconds = stickiness.durationSeconds
        record.isSticky = stickiness.enabled == true ? true : nil
      }
      record.groups = try (config.targetGroups ?? []).map { group in
        let weight = group.weight ?? 1
        guard (0...999).contains(weight) else {
          throw ELBv2Error.validation("Target group weight '\(weight)' must be between '0' and '999' inclusive")
        }
        return .init(arn: group.targetGroupArn ?? "", weight: weight)
      }
    }
    if let arn = action.targetGroupArn {
      if record.groups.isEmpty { record.groups = [.init(arn: arn, weight: 1)] }
      guard record.groups.count == 1, record.groups[0].arn == arn else {
        throw ELBv2Error.validation(
          "You must specify the same target group in 'TargetGroupArn' and 'ForwardConfig', or only one of them")
      }
    }
    guard !record.groups.isEmpty else {
      throw ELBv2Error.validation("A target group ARN must be specified for a forward action")
    }
    guard record.groups.count <= ELBv2Limits.targetGroupsPerActionMax else {
      throw AWSError(
        "TooManyTargetGroups",
        "The maximum number of target groups on a forward action is '\(ELBv2Limits.targetGroupsPerActionMax)'")
    }
    guard Set(record.groups.map(\.arn)).count == record.groups.count else {
      throw ELBv2Error.validation("The target groups of a forward action must be unique")
    }
    return record
  }

  private static func redirect(_ action: ELBv2.Action) throws -> RedirectRecord {
    guard let config = action.redirectConfig else {
      throw ELBv2Error.validation("A redirect configuration must be specified for a redirect action")
    }
    guard ["HTTP_301", "HTTP_302"].contains(config.statusCode) else {
      throw ELBv2Error.validation("Redirect status code '\(config.statusCode)' must be one of 'HTTP_301, HTTP_302'")
    }
    let record = RedirectRecord(
      statusCode: config.statusCode, scheme: config.protocol ?? "#{protocol}", host: config.host ?? "#{host}",
      port: config.port ?? "#{port}", path: config.path ?? "/#{path}", query: config.query ?? "#{query}",
      order: action.order)
    guard record.path.hasPrefix("/") else {
      throw ELBv2Error.validation("The redirect path '\(record.path)' must start with '/'")
    }
    if record.port != "#{port}" {
      guard let number = Int(record.port), (1...65_535).contains(number) else {
        throw ELBv2Error.validation("The redirect port '\(record.port)' must be between '1' and '65535' or '#{port}'")
      }
    }
    let parts = [record.scheme, record.host, record.port, record.path, record.query]
    guard !parts.contains(where: { $0.utf8.contains { $0 < 0x20 || $0 == 0x7F } }) else {
      throw ELBv2Error.validation("A redirect configuration cannot have control characters")
    }
    if record.scheme == "#{protocol}", record.host == "#{host}", record.port == "#{port}", record.path == "/#{path}" {
      throw ELBv2Error.invalidAction("The redirect configuration is not valid because it creates a loop.")
    }
    return record
  }

  private static func fixedResponse(_ action: ELBv2.Action) throws -> FixedResponseRecord {
    guard let config = action.fixedResponseConfig else {
      throw ELBv2Error.validation("A fixed response configuration must be specified for a fixed-response action")
    }
    guard let code = Int(config.statusCode), [2, 4, 5].contains(code / 100) else {
      throw ELBv2Error.validation("Fixed response status code '\(config.statusCode)' must be a 2XX, 4XX or 5XX code")
    }
    let types = ["text/plain", "text/css", "text/html", "application/javascript", "application/json"]
    if let type = config.contentType, !types.contains(type) {
      throw ELBv2Error.validation(
        "Fixed response content type '\(type)' must be one of '\(types.joined(separator: ", "))'")
    }
    guard (config.messageBody ?? "").utf8.count <= 1024 else {
      throw ELBv2Error.validation("The fixed response body cannot be longer than '1024' characters")
    }
    return FixedResponseRecord(
      statusCode: config.statusCode, contentType: config.contentType, body: config.messageBody, order: action.order)
  }

  /// As the Describe operations tell them.
  static func answer(_ checks: [CheckRecord]?, _ action: ActionRecord) -> [ELBv2.Action] {
    (checks ?? []).map(CheckRules.answer) + [answer(action)]
  }

  static func answer(_ record: ActionRecord) -> ELBv2.Action {
    .make {
      switch record {
      case .forward(let forward):
        $0.type = "forward"
        $0.order = forward.order
        if forward.groups.count == 1 { $0.targetGroupArn = forward.groups[0].arn }
        $0.forwardConfig = .make {
          $0.targetGroups = forward.groups.map { group in
            .make {
              $0.targetGroupArn = group.arn
              $0.weight = group.weight
            }
          }
          $0.targetGroupStickinessConfig = .make {
            $0.enabled = forward.isSticky ?? false
            $0.durationSeconds = forward.stickinessSeconds
          }
        }
      case .redirect(let redirect):
        $0.type = "redirect"
        $0.order = redirect.order
        $0.redirectConfig = .make {
          $0.statusCode = redirect.statusCode
          $0.protocol = redirect.scheme
          $0.host = redirect.host
          $0.port = redirect.port
          $0.path = redirect.path
          $0.query = redirect.query
        }
      case .fixedResponse(let fixed):
        $0.type = "fixed-response"
        $0.order = fixed.order
        $0.fixedResponseConfig = .make {
          $0.statusCode = fixed.statusCode
          $0.contentType = fixed.contentType
          $0.messageBody = fixed.body
        }
      }
    }
  }
}
