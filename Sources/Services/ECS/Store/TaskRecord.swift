// A task: what is wanted of it, how far it is, and what became of it.

import AWSCore
import ECSModel
import Store

struct TaskRecord: Record {
  static let collection = "ecs.task"
  var recordID: String { id }
  var recordIndex: [String: String] {
    var index = ["cluster": cluster, "live": status == .stopped ? "no" : "yes"]
    // The scheduler looks at a stopped task once more, to count it.
    if let service, status != .stopped || !isCounted { index["service"] = service }
    if let clientToken { index["token"] = clientToken }
    return index
  }

  /// In the order of a task's life.
  enum Status: String, Codable, Sendable, CaseIterable {
    case provisioning = "PROVISIONING"
    case pending = "PENDING"
    case activating = "ACTIVATING"
    case running = "RUNNING"
    case deactivating = "DEACTIVATING"
    case stopping = "STOPPING"
    case deprovisioning = "DEPROVISIONING"
    case stopped = "STOPPED"
  }
  enum StopCode: String, Codable, Sendable {
    case failedToStart = "TaskFailedToStart"
    case essentialExited = "EssentialContainerExited"
    case user = "UserInitiated"
    case scheduler = "ServiceSchedulerInitiated"
    case termination = "TerminationNotice"
  }

  /// 32 hexadecimal digits.
  var id: String
  var arn: String
  var cluster: String
  var clusterArn: String
  var taskDefinition: String
  /// The service's record id.
  var service: String?
  var deployment: String?
  var group: String
  var startedBy: String?
  var clientToken: String?
  var launchType: String?
  var capacityProvider: String?
  var platformVersion: String?
  var place: DeploymentRecord.Place
  var cpu: String?
  var memory: String?
  var isAwsvpc: Bool
  var enableExecuteCommand: Bool
  var overrides: Stored<ECS.TaskOverride>
  var tags: [String: String]

  var status = Status.provisioning
  var isWanted = true
  var stopCode: StopCode?
  var stoppedReason: String?
  var createdAt: Timestamp
  var pullStartedAt: Timestamp?
  var startedAt: Timestamp?
  var stoppingAt: Timestamp?
  var executionStoppedAt: Timestamp?
  var stoppedAt: Timestamp?
  var version = 1
  var containers: [ContainerRecord]

  var address: String?
  var attachmentID: String
  var interfaceID: String
  /// What the task shows to get its role's credentials; context `ecs.task/ID`.
  var token: SealedBytes?
  var targets: [TargetRecord] = []
  var deregisteredAt: Timestamp?
  /// It was healthy once.
  var wasHealthy = false
  /// The scheduler has taken note of its end.
  var isCounted = false

  /// Asks for its end; the first reason stays.
  mutating func requestStop(_ code: StopCode, _ reason: String, _ now: Timestamp) {
    guard isWanted else { return }
    isWanted = false
    stopCode = code
    stoppedReason = reason
    stoppingAt = now
    version += 1
  }
}

/// A container of a task.
struct ContainerRecord: Codable, Sendable, Hashable {
  var name: String
  var arn: String
  var runtimeID: String?
  var image: String?
  var cpu: String
  var memory: String?
  var memoryReservation: String?
  var isEssential: Bool
  var status = "PENDING"
  var exitCode: Int?
  var reason: String?
}

/// A target that was registered for a task.
struct TargetRecord: Codable, Sendable, Hashable {
  var group: String
  var port: Int
}
