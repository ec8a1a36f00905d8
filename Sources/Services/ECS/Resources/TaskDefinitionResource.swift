// AWS::ECS::TaskDefinition for CloudFormation: each change is a new revision.

import AWSCore
import AWSWire
import ECSModel
import ServiceKit
import Store

extension ECSService {
  /// Ref and Fn::GetAtt TaskDefinitionArn are the ARN with its revision.
  var taskDefinitionProvider: ResourceProvider {
    let mapper = PropertyMapper(
      ECS.model,
      renames: [
        "EFSVolumeConfiguration": "efsVolumeConfiguration", "FilesystemId": "fileSystemId", "IAM": "iam",
        "FSxWindowsFileServerVolumeConfiguration": "fsxWindowsFileServerVolumeConfiguration",
      ])
    let properties: Set<String> = [
      "ContainerDefinitions", "Cpu", "EnableFaultInjection", "EphemeralStorage", "ExecutionRoleArn", "Family",
      "InferenceAccelerators", "IpcMode", "Memory", "NetworkMode", "PidMode", "PlacementConstraints",
      "ProxyConfiguration", "RequiresCompatibilities", "RuntimePlatform", "Tags", "TaskRoleArn", "Volumes",
    ]
    return ResourceProvider(
      "AWS::ECS::TaskDefinition", properties: properties, replacedBy: properties.subtracting(["Tags"]),
      create: { properties, context in
        var input = try mapper.input(ECS.registerTaskDefinition, properties, ignoring: ["Tags"])
        if input.family.isEmpty { input.family = context.generatedName() }
        input.tags = StackTags.list(properties, context)
        let definition = try await context.call.invoke(ECS.registerTaskDefinition, input).taskDefinition
        let arn = definition?.taskDefinitionArn ?? ""
        return ResourceHandle(arn, attributes: ["TaskDefinitionArn": .string(arn)])
      },
      update: { handle, _, new, context in
        try await StackTags.update(handle.physicalID, new, context)
        return handle
      },
      delete: { handle, _, context in
        do {
          _ = try await context.call.invoke(
            ECS.deregisterTaskDefinition, .make { $0.taskDefinition = handle.physicalID })
        } catch let error as AWSError where error.code == "ClientException" {
          // Gone already.
        }
      })
  }
}
