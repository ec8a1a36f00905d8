// What ELBv2 keeps: load balancers, listeners, rules, target groups with their targets.

import AWSCore
import Store

/// A subnet in its availability zone.
struct ZoneRecord: Codable, Sendable, Hashable {
  var zone: String
  var subnet: String
}

/// An application load balancer.
struct LoadBalancerRecord: Record {
  static let collection = "elbv2.load-balancer"
  var recordID: String { arn }
  var recordIndex: [String: String] { ["name": name] }

  var arn: String
  var name: String
  /// `internet-facing` or `internal`.
  var scheme: String
  var vpc: String
  var zones: [ZoneRecord]
  var securityGroups: [String]
  var ipAddressType: String
  var created: Timestamp
  /// Its own loopback address.
  var address: String
  /// False until the Gate has it.
  var isActive = false
  /// Attributes that were set; the others have their defaults.
  var attributes: [String: String] = [:]
  var enforcesPrivateLinkRules: String?
  var tags: [String: String] = [:]
}

/// Where the Gate really listens.
struct BoundRecord: Codable, Sendable, Hashable {
  /// Nil when nothing could be bound.
  var address: String?
  var port: Int?
  /// Why the wanted address or port was not bound.
  var problem: String?
}

/// A listener with its default action.
struct ListenerRecord: Record {
  static let collection = "elbv2.listener"
  var recordID: String { arn }
  var recordIndex: [String: String] { ["loadBalancer": loadBalancer] }

  var arn: String
  var loadBalancer: String
  var port: Int
  var defaultAction: ActionRecord
  /// The default rule has an ARN of its own.
  var defaultRule: String
  var bound: BoundRecord?
  var attributes: [String: String] = [:]
  var tags: [String: String] = [:]
  var defaultRuleTags: [String: String] = [:]
}

/// A rule other than the default one.
struct RuleRecord: Record {
  static let collection = "elbv2.rule"
  var recordID: String { arn }
  var recordIndex: [String: String] { ["listener": listener] }

  var arn: String
  var listener: String
  var priority: Int
  var conditions: [ConditionRecord]
  var action: ActionRecord
  var tags: [String: String] = [:]
}

/// What is done with a request.
enum ActionRecord: Codable, Sendable, Hashable {
  case forward(ForwardRecord)
  case redirect(RedirectRecord)
  case fixedResponse(FixedResponseRecord)

  /// The target groups it forwards to.
  var targetGroups: [String] {
    guard case .forward(let forward) = self else { return [] }
    return forward.groups.map(\.arn)
  }
}

struct ForwardRecord: Codable, Sendable, Hashable {
  struct Share: Codable, Sendable, Hashable {
    var arn: String
    var weight: Int
  }
  var groups: [Share]
  /// Recorded only: group stickiness is refused while enabled.
  var stickinessSeconds: Int?
  var order: Int?
}

struct RedirectRecord: Codable, Sendable, Hashable {
  var statusCode: String
  var scheme: String
  var host: String
  var port: String
  var path: String
  var query: String
  var order: Int?
}

struct FixedResponseRecord: Codable, Sendable, Hashable {
  var statusCode: String
  var contentType: String?
  var body: String?
  var order: Int?
}

/// A condition, in whichever of its two forms it was given.
struct ConditionRecord: Codable, Sendable, Hashable {
  struct Query: Codable, Sendable, Hashable {
    var key: String?
    var value: String
  }
  /// `path-pattern`, `host-header`, `http-header`, `http-request-method`, `query-string`, `source-ip`.
  var field: String
  var values: [String]
  var headerName: String?
  var queries: [Query] = []
}

/// A target group with its targets.
struct TargetGroupRecord: Record {
  static let collection = "elbv2.target-group"
  var recordID: String { arn }
  var recordIndex: [String: String] { ["name": name] }

  var arn: String
  var name: String
  /// `ip` or `instance`.
  var targetType: String
  var protocolName: String
  var protocolVersion: String
  var port: Int
  var vpc: String
  var healthCheck: HealthCheckRecord
  var attributes: [String: String] = [:]
  var tags: [String: String] = [:]
  var targets: [TargetRecord] = []
}

struct HealthCheckRecord: Codable, Sendable, Hashable {
  var path = "/"
  /// A port number or `traffic-port`.
  var port = "traffic-port"
  var interval = 30
  var timeout = 5
  var healthyThreshold = 5
  var unhealthyThreshold = 2
  var matcher = "200"
}

struct TargetRecord: Codable, Sendable, Hashable {
  var id: String
  var port: Int
  var zone: String?
  /// Since when it drains; nil while it is registered.
  var drainingSince: Timestamp?

  func isSame(_ id: String, _ port: Int) -> Bool { self.id == id && self.port == port }
}
