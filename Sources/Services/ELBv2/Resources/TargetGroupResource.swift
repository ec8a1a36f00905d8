// AWS::ElasticLoadBalancingV2::TargetGroup for CloudFormation.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit

extension ELBv2Service {
  /// Ref is the ARN.
  var targetGroupProvider: ResourceProvider {
    ResourceProvider(
      "AWS::ElasticLoadBalancingV2::TargetGroup",
      properties: [
        "HealthCheckEnabled", "HealthCheckIntervalSeconds", "HealthCheckPath", "HealthCheckPort", "HealthCheckProtocol",
        "HealthCheckTimeoutSeconds", "HealthyThresholdCount", "IpAddressType", "Matcher", "Name", "Port", "Protocol",
        "ProtocolVersion", "Tags", "TargetControlPort", "TargetGroupAttributes", "Targets", "TargetType",
        "UnhealthyThresholdCount", "VpcId",
      ],
      replacedBy: [
        "IpAddressType", "Name", "Port", "Protocol", "ProtocolVersion", "TargetControlPort", "TargetType", "VpcId",
      ],
      create: { properties, context in
        let call = context.call.viaCloudFormation
        var input = try Self.mapper.input(
          ELBv2.createTargetGroup, properties, ignoring: ["Name", "Tags", "TargetGroupAttributes", "Targets"])
        input.name = properties["Name"]?.text ?? context.generatedName(maxLength: ELBv2Limits.nameLengthMax)
        input.tags = Self.tags(properties, context)
        let made = try await call.invoke(ELBv2.createTargetGroup, input).targetGroups?.first
        guard let made, let arn = made.targetGroupArn else {
          throw AWSError("InternalFailure", "CreateTargetGroup told no target group.", status: 500)
        }
        try await Self.apply(arn, old: nil, properties, call)
        return ResourceHandle(
          arn,
          attributes: [
            "TargetGroupArn": .string(arn), "TargetGroupName": .string(made.targetGroupName ?? ""),
            "TargetGroupFullName": .string(Names.fullName(targetGroup: arn)),
            "LoadBalancerArns": .array((made.loadBalancerArns ?? []).map(JSONValue.string)),
          ])
      },
      update: { handle, old, new, context in
        let call = context.call.viaCloudFormation
        var input = try Self.mapper.input(
          ELBv2.modifyTargetGroup, new,
          ignoring: [
            "IpAddressType", "Name", "Port", "Protocol", "ProtocolVersion", "Tags", "TargetControlPort",
            "TargetGroupAttributes", "Targets", "TargetType", "VpcId",
          ])
        input.targetGroupArn = handle.physicalID
        _ = try await call.invoke(ELBv2.modifyTargetGroup, input)
        try await Self.apply(handle.physicalID, old: old, new, call)
        try await Self.updateTags(handle.physicalID, new, context)
        return handle
      },
      delete: { handle, _, context in
        _ = try await context.call.viaCloudFormation.invoke(
          ELBv2.deleteTargetGroup, .make { $0.targetGroupArn = handle.physicalID })
      })
  }

  /// Attributes and targets, which have operations of their own.
  private static func apply(_ arn: String, old: JSONValue?, _ new: JSONValue, _ call: CallContext) async throws {
    let changes = attributes(
      old?["TargetGroupAttributes"], new["TargetGroupAttributes"],
      .targetGroup(
        protocolName: new["Protocol"]?.text ?? "HTTP", targetType: new["TargetType"]?.text ?? "instance"))
    if !changes.isEmpty {
      _ = try await call.invoke(
        ELBv2.modifyTargetGroupAttributes,
        .make {
          $0.targetGroupArn = arn
          $0.attributes = changes.map { key, value in
            .make {
              $0.key = key
              $0.value = value
            }
          }
        })
    }
    let before = old?["Targets"]?.array ?? []
    let after = new["Targets"]?.array ?? []
    let gone = try list(ELBv2.TargetDescription.self, .array(before.filter { !after.contains($0) })) ?? []
    let come = try list(ELBv2.TargetDescription.self, .array(after.filter { !before.contains($0) })) ?? []
    if !gone.isEmpty {
      _ = try await call.invoke(
        ELBv2.deregisterTargets,
        .make {
          $0.targetGroupArn = arn
          $0.targets = gone
        })
    }
    if !come.isEmpty {
      _ = try await call.invoke(
        ELBv2.registerTargets,
        .make {
          $0.targetGroupArn = arn
          $0.targets = come
        })
    }
  }
}
