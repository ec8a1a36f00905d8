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
        let wanted = Self.tags(new, context)
        let arn = handle.attributes["Arn"]?.text ?? ""
        let present =
          try await context.call.invoke(CloudWatch.listTagsForResource, .make { $0.resourceARN = arn }).tags ?? []
        try await ResourceContext.updateTags(to: wanted, present: present.map(\.key)) { obsolete in
          _ = try await context.call.invoke(
            CloudWatch.untagResource, .make { ($0.resourceARN, $0.tagKeys) = (arn, obsolete) })
        } add: { tags in
          _ = try await context.call.invoke(
            CloudWatch.tagResource, .make { ($0.resourceARN, $0.tags) = (arn, Self.wire(tags)) })
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
    input.tags = wire(tags(properties, context))
    _ = try await context.call.invoke(CloudWatch.putMetricAlarm, input)
    return ResourceHandle(name, attributes: ["Arn": .string(arn(name, context.call))])
  }

  /// The resource's own tags over those of the stack.
  private static func tags(_ properties: JSONValue, _ context: ResourceContext) -> [String: String] {
    var all = context.tags
    for tag in properties["Tags"]?.array ?? [] { all[tag["Key"]?.text ?? ""] = tag["Value"]?.text ?? "" }
    return all
  }

  private static func wire(_ tags: [String: String]) -> [CloudWatch.Tag] {
    tags.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }
}
