// What Shield keeps: the subscription, protections and their groups, and the attacks that the Gate told of.

import AWSCore
import Store

struct SubscriptionRecord: Record {
  static let collection = "shield.subscription"
  var recordID: String { "subscription" }
  var started: Timestamp
  var renews: Bool?
  /// The response team's role and buckets: kept, for there is no team here.
  var responseRole: String?
  var logBuckets: [String]?
  var contacts: [ContactRecord]?
  /// ENABLED, DISABLED; nil before AssociateProactiveEngagementDetails.
  var proactiveEngagement: String?

  /// The end of the year that runs at a time; AWS renews by itself unless told not to.
  func end(at now: Timestamp) -> Timestamp {
    var end = started.adding(seconds: Double(ShieldLimits.commitmentSeconds))
    while renews ?? true, end <= now { end = end.adding(seconds: Double(ShieldLimits.commitmentSeconds)) }
    return end
  }
}

struct ContactRecord: Codable, Sendable {
  var email: String
  var phone: String?
  var notes: String?
}

struct ProtectionRecord: Record {
  static let collection = "shield.protection"
  var recordID: String { id }
  var recordIndex: [String: String] { ["resource": resource] }

  var id: String
  var name: String
  var resource: String
  var created: Timestamp
  var tags: [String: String] = [:]
  var healthChecks: [String]?
  /// BLOCK or COUNT while the automatic response is on.
  var automaticResponse: String?
}

struct ProtectionGroupRecord: Record {
  static let collection = "shield.protection-group"
  var recordID: String { id }

  var id: String
  var aggregation: String
  /// ALL, ARBITRARY, BY_RESOURCE_TYPE.
  var pattern: String
  var resourceType: String?
  var members: [String] = []
  var created: Timestamp
  var tags: [String: String] = [:]
}

struct AttackRecord: Record {
  static let collection = "shield.attack"
  var recordID: String { id }
  var recordIndex: [String: String] { ["resource": resource] }

  struct Vector: Codable, Sendable, Equatable {
    var name: String
    var counter: String
    var max: Double
    var average: Double
    var sum: Double
    var samples: Int
  }

  struct Contributor: Codable, Sendable, Equatable {
    var name: String
    var count: Int
  }

  var id: String
  /// As Shield names it: for a network load balancer the first of its Elastic IP addresses that is protected.
  var resource: String
  /// The load balancer, where that is another.
  var loadBalancer: String?
  var started: Timestamp
  var updated: Timestamp
  var ended: Timestamp?
  var vectors: [Vector]
  var sources: [Contributor]
  var networks: [Contributor]
  var offered: Int
  var refused: Int
  var requests: Int
  var heldSources: Int
  var isMitigated: Bool
  /// Received since it began; nil of attacks recorded before this was.
  var bytes: Int?

  /// Whether it is below HTTP.
  var isNetwork: Bool { (loadBalancer ?? resource).contains(":loadbalancer/net/") }
}
