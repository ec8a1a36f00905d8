// AWS::Logs::LogGroup and AWS::Logs::LogStream for CloudFormation.

import AWSCore
import AWSWire
import CloudWatchLogsModel
import ServiceKit

extension CloudWatchLogsService {
  /// Ref is the group's name; Fn::GetAtt knows Arn, which ends in `:*`.
  var groupProvider: ResourceProvider {
    ResourceProvider(
      "AWS::Logs::LogGroup",
      properties: [
        "DeletionProtectionEnabled", "KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags",
      ],
      replacedBy: ["LogGroupName", "LogGroupClass", "DeletionProtectionEnabled"],
      create: { properties, context in
        var input = try PropertyMapper(CloudWatchLogs.model).input(
          CloudWatchLogs.createLogGroup, properties, ignoring: ["RetentionInDays", "Tags"])
        if input.logGroupName.isEmpty { input.logGroupName = context.generatedName() }
        let tags = context.allTags(properties)
        if !tags.isEmpty { input.tags = tags }
        _ = try await context.call.invoke(CloudWatchLogs.createLogGroup, input)
        try await Self.applyRetention(properties, to: input.logGroupName, context)
        return Self.handle(input.logGroupName, context)
      },
      update: { handle, old, new, context in
        let name = handle.physicalID
        if new["RetentionInDays"] != old["RetentionInDays"] {
          if new["RetentionInDays"] == nil {
            _ = try await context.call.invoke(CloudWatchLogs.deleteRetentionPolicy, .make { $0.logGroupName = name })
          } else {
            try await Self.applyRetention(new, to: name, context)
          }
        }
        if new["KmsKeyId"] != old["KmsKeyId"] {
          if let key = new["KmsKeyId"]?.text {
            _ = try await context.call.invoke(
              CloudWatchLogs.associateKmsKey,
              .make {
                $0.logGroupName = name
                $0.kmsKeyId = key
              })
          } else {
            _ = try await context.call.invoke(CloudWatchLogs.disassociateKmsKey, .make { $0.logGroupName = name })
          }
        }
        try await Self.updateTags(name, new, context)
        return Self.handle(name, context)
      },
      delete: { handle, _, context in
        do {
          _ = try await context.call.invoke(
            CloudWatchLogs.deleteLogGroup, .make { $0.logGroupName = handle.physicalID })
        } catch let error as AWSError where error.code == "ResourceNotFoundException" {
          // Gone already.
        }
      })
  }

  /// Ref is the stream's name.
  var streamProvider: ResourceProvider {
    ResourceProvider(
      "AWS::Logs::LogStream", properties: ["LogGroupName", "LogStreamName"],
      replacedBy: ["LogGroupName", "LogStreamName"],
      create: { properties, context in
        var input = try PropertyMapper(CloudWatchLogs.model).input(CloudWatchLogs.createLogStream, properties)
        if input.logStreamName.isEmpty { input.logStreamName = context.generatedName() }
        _ = try await context.call.invoke(CloudWatchLogs.createLogStream, input)
        return ResourceHandle(input.logStreamName)
      },
      update: { handle, _, _, _ in handle },
      delete: { handle, properties, context in
        do {
          _ = try await context.call.invoke(
            CloudWatchLogs.deleteLogStream,
            .make {
              $0.logGroupName = properties["LogGroupName"]?.text ?? ""
              $0.logStreamName = handle.physicalID
            })
        } catch let error as AWSError where error.code == "ResourceNotFoundException" {
          // Gone already.
        }
      })
  }

  // MARK: -

  private static func handle(_ name: String, _ context: ResourceContext) -> ResourceHandle {
    ResourceHandle(name, attributes: ["Arn": .string(LogGroupName(name, context.call).arn + ":*")])
  }

  private static func applyRetention(
    _ properties: JSONValue, to name: String, _ context: ResourceContext
  ) async throws {
    guard let days = properties["RetentionInDays"] else { return }
    guard let number = days.integer else {
      throw AWSError.validation("Properties validation failed: #/RetentionInDays: expected type: Integer")
    }
    _ = try await context.call.invoke(
      CloudWatchLogs.putRetentionPolicy,
      .make {
        $0.logGroupName = name
        $0.retentionInDays = number
      })
  }

  private static func updateTags(_ name: String, _ new: JSONValue, _ context: ResourceContext) async throws {
    let arn = LogGroupName(name, context.call).arn
    let wanted = context.allTags(new)
    let present = try await context.call.invoke(CloudWatchLogs.listTagsForResource, .make { $0.resourceArn = arn })
    try await ResourceContext.updateTags(to: wanted, present: (present.tags ?? [:]).keys.sorted()) { obsolete in
      _ = try await context.call.invoke(
        CloudWatchLogs.untagResource, .make { ($0.resourceArn, $0.tagKeys) = (arn, obsolete) })
    } add: { tags in
      _ = try await context.call.invoke(CloudWatchLogs.tagResource, .make { ($0.resourceArn, $0.tags) = (arn, tags) })
    }
  }
}
