// AWS::CloudWatch::Alarm for CloudFormation.

import AWSCore
import AWSWire
import CloudWatchModel
import ServiceKit

extension CloudWatchService {
  /// Ref is the alarm's name; Fn::GetAtt knows Arn.
  var alarmProvider: ResourceProvider {
    ResourceProvider(
      "AWS::CloudWatch::Alarm",
      properties: [
        "ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName", "ComparisonOperator", "DatapointsToAlarm",
        "Dimensions", "EvaluateLowSampleCountPercentile", "EvaluationPeriods", "ExtendedStatistic",
        "InsufficientDataActions", "MetricName", "Metrics", "Namespace", "OKActions", "Period", "Statistic", "Tags",
        "Threshold", "ThresholdMetricId", "TreatMissingData", "Unit",
      ],
      replacedBy: ["AlarmName"],
      create: { properties, context in
        let name = properties["AlarmName"]?.text ?? context.generatedName(maxLength: 255)
        return try await Self.put(name, properties, context)
      },
      update: { handle, _, new, context in
        let handle = try await Self.put(handle.physicalID, new, context)
        let tags = Self.tags(new, context)
        let arn = handle.attributes["Arn"]?.text ?? ""
        let old =
          try await context.call.invoke(CloudWatch.listTagsForResource, .make { $0.resourceARN = arn }).tags ?? []
        let gone = old.map(\.key).filter { key in !tags.contains { $0.key == key } }
        if !gone.isEmpty {
          _ = try await context.call.invoke(
            CloudWatch.untagResource,
            .make {
              $0.resourceARN = arn
              $0.tagKeys = gone
            })
        }
        if !tags.isEmpty {
          _ = try await context.call.invoke(
            CloudWatch.tagResource,
            .make {
              $0.resourceARN = arn
              $0.tags = tags
            })
        }
        return handle
      },
      delete: { handle, _, context in
        do {
          _ = try await context.call.invoke(CloudWatch.deleteAlarms, .make { $0.alarmNames = [handle.physicalID] })
        } catch let error as AWSError where error.code == "ResourceNotFound" {
          // It is gone.
        }
      })
  }

  private static func put(
    _ name: String, _ properties: JSONValue, _ context: ResourceContext
  ) async throws -> ResourceHandle {
    var input = try PropertyMapper(CloudWatch.model).input(
      CloudWatch.putMetricAlarm, properties, ignoring: ["AlarmName", "Tags"])
    input.alarmName = name
    input.tags = tags(properties, context)
    _ = try await context.call.invoke(CloudWatch.putMetricAlarm, input)
    return ResourceHandle(name, attributes: ["Arn": .string(arn(name, context.call))])
  }

  /// The resource's own tags over those of the stack.
  private static func tags(_ properties: JSONValue, _ context: ResourceContext) -> [CloudWatch.Tag] {
    var all = context.tags
    for tag in properties["Tags"]?.array ?? [] { all[tag["Key"]?.text ?? ""] = tag["Value"]?.text ?? "" }
    return all.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }
}
