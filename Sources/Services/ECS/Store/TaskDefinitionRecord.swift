// A revision of a task definition.

import AWSCore
import ECSModel
import Store

struct TaskDefinitionRecord: Record {
  static let collection = "ecs.task-definition"
  var recordID: String { "\(family):\(revision)" }
  var recordIndex: [String: String] { ["family": family] }
  var family: String
  var revision: Int
  /// As DescribeTaskDefinition tells it.
  var definition: Stored<ECS.TaskDefinition>
  var tags: [String: String]

  var arn: String { definition.value.taskDefinitionArn ?? "" }
  var status: String { definition.value.status ?? "ACTIVE" }
}
