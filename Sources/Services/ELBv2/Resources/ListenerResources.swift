// AWS::ElasticLoadBalancingV2::Listener and ::ListenerRule for CloudFormation.

import AWSCore
import AWSWire
import ELBv2Model
import ServiceKit

extension ELBv2Service {
  /// Ref is the ARN.
  var listenerProvider: ResourceProvider {
    ResourceProvider(
      "AWS::ElasticLoadBalancingV2::Listener",
      properties: [
        "AlpnPolicy", "Certificates", "DefaultActions", "ListenerAttributes", "LoadBalancerArn", "MutualAuthentication",
        "Port", "Protocol", "SslPolicy", "Tags",
      ],
      replacedBy: ["LoadBalancerArn"],
      create: { properties, context in
        let call = context.call.viaCloudFormation
        var input = try Self.mapper.input(
          ELBv2.createListener, properties, ignoring: ["ListenerAttributes", "Tags"])
        input.tags = Self.tags(properties, context)
        guard let arn = try await call.invoke(ELBv2.createListener, input).listeners?.first?.listenerArn else {
          throw AWSError("InternalFailure", "CreateListener told no listener.", status: 500)
        }
        try await Self.setListenerAttributes(arn, old: nil, properties, call)
        return ResourceHandle(arn, attributes: ["ListenerArn": .string(arn)])
      },
      update: { handle, old, new, context in
        let call = context.call.viaCloudFormation
        var input = try Self.mapper.input(
          ELBv2.modifyListener, new, ignoring: ["ListenerAttributes", "LoadBalancerArn", "Tags"])
        input.listenerArn = handle.physicalID
        _ = try await call.invoke(ELBv2.modifyListener, input)
        try await Self.setListenerAttributes(handle.physicalID, old: old, new, call)
        try await Self.updateTags(handle.physicalID, new, context)
        return handle
      },
      delete: { handle, _, context in
        do {
          _ = try await context.call.viaCloudFormation.invoke(
            ELBv2.deleteListener, .make { $0.listenerArn = handle.physicalID })
        } catch let error as AWSError where error.code == "ListenerNotFound" {
          // Gone already, with its load balancer perhaps.
        }
      })
  }

  private static func setListenerAttributes(
    _ arn: String, old: JSONValue?, _ new: JSONValue, _ call: CallContext
  ) async throws {
    let changes = attributes(
      old?["ListenerAttributes"], new["ListenerAttributes"], .listener(new["Protocol"]?.text ?? "HTTP"))
    guard !changes.isEmpty else { return }
    _ = try await call.invoke(
      ELBv2.modifyListenerAttributes,
      .make {
        $0.listenerArn = arn
        $0.attributes = changes.map { key, value in
          .make {
            $0.key = key
            $0.value = value
          }
        }
      })
  }

  /// Ref is the ARN.
  var listenerRuleProvider: ResourceProvider {
    ResourceProvider(
      "AWS::ElasticLoadBalancingV2::ListenerRule",
      properties: ["Actions", "Conditions", "ListenerArn", "Priority", "Tags", "Transforms"],
      replacedBy: ["ListenerArn"],
      create: { properties, context in
        let call = context.call.viaCloudFormation
        var input = try Self.mapper.input(ELBv2.createRule, properties, ignoring: ["Tags"])
        input.tags = Self.tags(properties, context)
        guard let rule = try await call.invoke(ELBv2.createRule, input).rules?.first, let arn = rule.ruleArn else {
          throw AWSError("InternalFailure", "CreateRule told no rule.", status: 500)
        }
        return ResourceHandle(arn, attributes: ["RuleArn": .string(arn), "IsDefault": false])
      },
      update: { handle, old, new, context in
        let call = context.call.viaCloudFormation
        if let priority = new["Priority"]?.integer, priority != old["Priority"]?.integer {
          _ = try await call.invoke(
            ELBv2.setRulePriorities,
            .make {
              $0.rulePriorities = [
                .make {
                  $0.ruleArn = handle.physicalID
                  $0.priority = priority
                }
              ]
            })
        }
        var input = try Self.mapper.input(ELBv2.modifyRule, new, ignoring: ["ListenerArn", "Priority", "Tags"])
        input.ruleArn = handle.physicalID
        _ = try await call.invoke(ELBv2.modifyRule, input)
        try await Self.updateTags(handle.physicalID, new, context)
        return handle
      },
      delete: { handle, _, context in
        do {
          _ = try await context.call.viaCloudFormation.invoke(
            ELBv2.deleteRule, .make { $0.ruleArn = handle.physicalID })
        } catch let error as AWSError where error.code == "RuleNotFound" {
          // Gone already, with its listener perhaps.
        }
      })
  }
}
