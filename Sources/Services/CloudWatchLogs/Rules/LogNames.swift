// Names, ARNs and identifiers of log groups and streams.

import AWSCore
import ServiceKit

/// A log group as calls name it.
struct LogGroupName: Sendable, Hashable {
  var account: String
  var region: String
  var name: String

  init(_ name: String, _ call: CallContext) {
    self.name = name
    account = call.account
    region = call.region
  }

  /// The group that `logGroupName` or `logGroupIdentifier` (a name or an ARN) means.
  /// - Throws: `InvalidParameterException` when none, both, or another account's or region's is given.
  init(name: String?, identifier: String?, _ call: CallContext) throws {
    switch (name, identifier) {
    case (let name?, nil): self.init(name, call)
    case (nil, let identifier?):
      guard identifier.hasPrefix("arn:") else {
        self.init(identifier, call)
        return
      }
      self = try LogGroupName(arn: identifier, call)
    case (nil, nil): throw LogsError.invalid("Either logGroupName or logGroupIdentifier is required.")
    default: throw LogsError.invalid("logGroupName and logGroupIdentifier must not both be given.")
    }
  }

  /// The group of an ARN, with or without `:*` at its end.
  init(arn text: String, _ call: CallContext) throws {
    guard let arn = ARN(text), arn.service == "logs", arn.region == call.region, arn.account == call.account,
      arn.resource.hasPrefix("log-group:")
    else {
      throw LogsError.invalid("The specified resource ARN \(text) is not a log group of this account and region.")
    }
    var rest = arn.resource.dropFirst("log-group:".count)
    if rest.hasSuffix(":*") { rest = rest.dropLast(2) }
    guard !rest.isEmpty, !rest.contains(":") else {
      throw LogsError.invalid("The specified resource ARN \(text) is not that of a log group.")
    }
    self.init(String(rest), call)
  }

  /// The group's name in the engine, which knows no accounts.
  var key: String { Self.prefix(account, region) + name }

  /// What the engine's names of a call's groups begin with. No group name has a colon.
  static func prefix(_ account: String, _ region: String) -> String { "\(account)/\(region):" }

  /// `arn:aws:logs:region:account:log-group:name`.
  var arn: String { "arn:aws:logs:\(region):\(account):log-group:\(name)" }

  func arn(stream: String) -> String { "\(arn):log-stream:\(stream)" }
}
