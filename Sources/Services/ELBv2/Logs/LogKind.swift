// The logs of a load balancer: where their segments lie, and what they are called in S3.

import AWSCore

/// A kind of log, as the attributes name it.
enum LogKind: String, Sendable, CaseIterable {
  case access = "access_logs"
  case connection = "connection_logs"
  case healthCheck = "health_check_logs"

  /// The object that shows that the bucket may be written to.
  var testFile: String {
    switch self {
    case .access: "ELBAccessLogTestFile"
    case .connection: "ELBConnectionLogTestFile"
    case .healthCheck: "ELBHealthCheckLogTestFile"
    }
  }

  private var filePrefix: String {
    switch self {
    case .access: ""
    case .connection: "conn_log_"
    case .healthCheck: "health_check_log_"
    }
  }

  /// The folder of a load balancer's segments below the service's own.
  func folder(_ arn: String) -> String { "\(Self.folder(arn))/\(rawValue)" }

  /// The folder of all logs of a load balancer.
  static func folder(_ arn: String) -> String {
    Names.fullName(loadBalancer: arn).split(separator: "/").joined(separator: ".")
  }

  /// `AWSLogs/ACCOUNT`, behind the prefix that was chosen.
  static func root(prefix: String, account: String) -> String {
    prefix.isEmpty ? "AWSLogs/\(account)" : "\(prefix)/AWSLogs/\(account)"
  }

  /// The key of a segment, as AWS lays them out.
  /// - Parameters:
  ///   - end: when its interval ended.
  ///   - random: eight characters.
  func key(_ balancer: LoadBalancerRecord, _ arn: ARN, prefix: String, end: Timestamp, random: String) -> String {
    // 2026-11-23T07:45:00.000Z
    let text = end.iso8601
    let day = text.prefix(10).split(separator: "-").joined(separator: "/")
    let minute = text.prefix(16).filter { $0 != "-" && $0 != ":" } + "Z"
    let name = Names.fullName(loadBalancer: balancer.arn).split(separator: "/").joined(separator: ".")
    // The logs of network load balancers are not told apart by address.
    let address = balancer.kind == .application ? "_\(balancer.address)" : ""
    return "\(Self.root(prefix: prefix, account: arn.account))/elasticloadbalancing/\(arn.region)/\(day)/"
      + "\(filePrefix)\(arn.account)_elasticloadbalancing_\(arn.region)_\(name)_\(minute)\(address)_\(random).log.gz"
  }
}
