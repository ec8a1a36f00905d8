// A service and its deployments: desired state, and what the scheduler remembers of it.

import AWSCore
import ECSModel
import Store

struct ServiceRecord: Record {
  static let collection = "ecs.service"
  /// `cluster/name`.
  var recordID: String { Self.id(cluster: cluster, name: name) }
  var recordIndex: [String: String] { ["cluster": cluster, "run": status == .inactive ? "no" : "yes"] }
  static func id(cluster: String, name: String) -> String { "\(cluster)/\(name)" }

  enum Status: String, Codable, Sendable {
    case active = "ACTIVE"
    case draining = "DRAINING"
    case inactive = "INACTIVE"
  }
  var name: String
  var cluster: String
  var arn: String
  var clusterArn: String
  var status = Status.active
  var createdAt: Timestamp
  var createdBy: String
  var deletedAt: Timestamp?
  /// What was asked for, kept up to date by UpdateService. Its taskDefinition is an ARN with a revision.
  var settings: Stored<ECS.CreateServiceRequest>
  var tags: [String: String]
  /// The primary first, then newer before older.
  var deployments: [DeploymentRecord]
  /// What a failed deployment goes back to.
  var lastCompleted: DeploymentRecord?
  /// Deployments that failed, with the reason; the latest few, for whoever waits for one.
  var failed: [String: String] = [:]
  /// Newest first.
  var events: [EventRecord] = []
  /// The steady state was told and still holds.
  var isSteady = false

  var desiredCount: Int { settings.value.desiredCount ?? 0 }
  var hasTargets: Bool { !targetGroups.isEmpty }
  var targetGroups: [(arn: String, container: String, port: Int)] {
    (settings.value.loadBalancers ?? []).compactMap { balancer in
      guard let arn = balancer.targetGroupArn else { return nil }
      return (arn, balancer.containerName ?? "", balancer.containerPort ?? 0)
    }
  }
  var primary: DeploymentRecord? { deployments.first { $0.isPrimary } }

  /// Adds an event in AWS's form.
  mutating func note(_ message: String, _ now: Timestamp, id: String) {
    events.insert(EventRecord(id: id, at: now, message: "(service \(name)) \(message)"), at: 0)
    if events.count > Limits.events { events.removeLast(events.count - Limits.events) }
  }
}

struct EventRecord: Codable, Sendable, Hashable {
  var id: String
  var at: Timestamp
  var message: String
}

/// One roll-out of a service.
struct DeploymentRecord: Codable, Sendable, Hashable {
  enum Rollout: String, Codable, Sendable {
    case inProgress = "IN_PROGRESS"
    case completed = "COMPLETED"
    case failed = "FAILED"
  }
  /// A subnet and the zone that it is in.
  struct Place: Codable, Sendable, Hashable {
    var subnet: String?
    var zone: String
  }

  /// `ecs-svc/` and 19 digits.
  var id: String
  var isPrimary = true
  var taskDefinition: String
  var createdAt: Timestamp
  var updatedAt: Timestamp
  var rollout = Rollout.inProgress
  var reason: String
  /// Tasks that failed in a row before any became healthy.
  var failedTasks = 0
  /// Tasks that ended by themselves soon after their start, in a row.
  var restarts = 0
  var lastFailureAt: Timestamp?
  /// The event about tasks that cannot be started was told.
  var isWarned = false
  /// It was completed once, with tasks: good enough to go back to.
  var wasCompleted = false
  var places: [Place]
  var securityGroups: [String] = []
  var assignPublicIp: String?
  var platformVersion: String?
}
