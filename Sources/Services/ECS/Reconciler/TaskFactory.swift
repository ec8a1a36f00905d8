// New task records.

import AWSCore
import ECSModel
import ServiceKit
import Store

/// What a new task is to be.
struct TaskOrder: Sendable {
  var cluster: ClusterRecord
  var definition: TaskDefinitionRecord
  var service: ServiceRecord?
  var deployment: String?
  var group: String
  var startedBy: String?
  var clientToken: String?
  var launchType: String?
  var capacityProvider: String?
  var platformVersion: String?
  var place: DeploymentRecord.Place
  var overrides = ECS.TaskOverride()
  var enableExecuteCommand = false
  var tags: [String: String] = [:]
}

extension TaskRecord {
  /// A task that waits to be provisioned.
  static func make(_ order: TaskOrder, _ call: CallContext) -> TaskRecord {
    let id = call.ids.hex(32)
    let definition = order.definition.definition.value
    let overridden = order.overrides.containerOverrides ?? []
    let containers = (definition.containerDefinitions ?? []).map { container in
      let override = overridden.first { $0.name == container.name }
      return ContainerRecord(
        name: container.name ?? "", arn: call.ecs("container/\(order.cluster.name)/\(id)/\(call.ids.uuid())"),
        image: container.image, cpu: String(override?.cpu ?? container.cpu ?? 0),
        memory: (override?.memory ?? container.memory).map { String($0) },
        memoryReservation: (override?.memoryReservation ?? container.memoryReservation).map { String($0) },
        isEssential: container.essential ?? true)
    }
    return TaskRecord(
      id: id, arn: call.ecs("task/\(order.cluster.name)/\(id)"), cluster: order.cluster.name,
      clusterArn: call.ecs("cluster/\(order.cluster.name)"), taskDefinition: order.definition.arn,
      service: order.service?.recordID, deployment: order.deployment, group: order.group, startedBy: order.startedBy,
      clientToken: order.clientToken, launchType: order.launchType, capacityProvider: order.capacityProvider,
      platformVersion: order.platformVersion, place: order.place, cpu: order.overrides.cpu ?? definition.cpu,
      memory: order.overrides.memory ?? definition.memory, isAwsvpc: definition.networkMode == "awsvpc",
      enableExecuteCommand: order.enableExecuteCommand, overrides: Stored(order.overrides), tags: order.tags,
      createdAt: call.now, containers: containers, attachmentID: call.ids.uuid(), interfaceID: call.ids.ec2("eni"))
  }
}
