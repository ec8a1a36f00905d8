// AWS::WAFv2::RuleGroup, ::RegexPatternSet and ::LoggingConfiguration for CloudFormation.

import AWSCore
import AWSWire
import ServiceKit
import WAFv2Model

extension WAFv2Service {
  /// Ref is `name|id|scope`.
  var ruleGroupProvider: ResourceProvider {
    ResourceProvider(
      "AWS::WAFv2::RuleGroup",
      properties: [
        "AvailableLabels", "Capacity", "ConsumedLabels", "CustomResponseBodies", "Description", "Name", "Rules",
        "Scope",
        "Tags", "VisibilityConfig",
      ],
      replacedBy: ["Capacity", "Name", "Scope"],
      create: { properties, context in
        var input = try Self.mapper.input(
          WAFv2.createRuleGroup, Self.plain(properties),
          ignoring: ["AvailableLabels", "ConsumedLabels", "Name", "Tags"])
        input.name = properties["Name"]?.text ?? context.generatedName(maxLength: 128)
        input.tags = Self.tags(properties, context)
        let made = try await context.call.invoke(WAFv2.createRuleGroup, input).summary
        return try await Self.ruleGroupHandle("\(input.name)|\(made?.id ?? "")|\(input.scope)", context)
      },
      update: { handle, _, new, context in
        var input = try Self.mapper.input(
          WAFv2.updateRuleGroup, Self.plain(new),
          ignoring: ["AvailableLabels", "Capacity", "ConsumedLabels", "Name", "Tags"])
        (input.name, input.id, input.scope) = try Self.reference(handle.physicalID)
        let now = try await Self.ruleGroup(handle.physicalID, context)
        input.lockToken = now.lockToken ?? ""
        _ = try await context.call.invoke(WAFv2.updateRuleGroup, input)
        try await Self.updateTags(now.ruleGroup?.arn ?? "", new, context)
        return try await Self.ruleGroupHandle(handle.physicalID, context)
      },
      delete: { handle, _, context in
        _ = try await Self.unlessGone(Self.gone) {
          let token = try await Self.ruleGroup(handle.physicalID, context).lockToken
          let (name, id, scope) = try Self.reference(handle.physicalID)
          _ = try await context.call.invoke(
            WAFv2.deleteRuleGroup,
            .make {
              $0.name = name
              $0.id = id
              $0.scope = scope
              $0.lockToken = token ?? ""
            })
        }
      })
  }

  private static func ruleGroup(_ text: String, _ context: ResourceContext) async throws -> WAFv2.GetRuleGroupResponse {
    let (name, id, scope) = try reference(text)
    return try await context.call.invoke(
      WAFv2.getRuleGroup,
      .make {
        $0.name = name
        $0.id = id
        $0.scope = scope
      })
  }

  private static func ruleGroupHandle(_ text: String, _ context: ResourceContext) async throws -> ResourceHandle {
    let group = try await ruleGroup(text, context).ruleGroup
    return ResourceHandle(
      text,
      attributes: [
        "Arn": .string(group?.arn ?? ""), "Id": .string(group?.id ?? ""),
        "LabelNamespace": .string(group?.labelNamespace ?? ""),
      ])
  }

  /// Templates give the patterns as plain texts.
  private static func patterns(_ properties: JSONValue) -> [WAFv2.Regex] {
    (properties["RegularExpressionList"]?.array ?? []).compactMap(\.text).map { text in
      .make { $0.regexString = text }
    }
  }

  /// Ref is `name|id|scope`.
  var patternSetProvider: ResourceProvider {
    ResourceProvider(
      "AWS::WAFv2::RegexPatternSet", properties: ["Description", "Name", "RegularExpressionList", "Scope", "Tags"],
      replacedBy: ["Name", "Scope"],
      create: { properties, context in
        let name = properties["Name"]?.text ?? context.generatedName(maxLength: 128)
        let scope = properties["Scope"]?.text ?? ""
        let made = try await context.call.invoke(
          WAFv2.createRegexPatternSet,
          .make {
            $0.name = name
            $0.scope = scope
            $0.description = properties["Description"]?.text
            $0.regularExpressionList = Self.patterns(properties)
            $0.tags = Self.tags(properties, context)
          }
        ).summary
        let id = made?.id ?? ""
        return ResourceHandle(
          "\(name)|\(id)|\(scope)", attributes: ["Arn": .string(made?.arn ?? ""), "Id": .string(id)])
      },
      update: { handle, _, new, context in
        let now = try await Self.patternSet(handle.physicalID, context)
        let (name, id, scope) = try Self.reference(handle.physicalID)
        _ = try await context.call.invoke(
          WAFv2.updateRegexPatternSet,
          .make {
            $0.name = name
            $0.id = id
            $0.scope = scope
            $0.lockToken = now.lockToken ?? ""
            $0.description = new["Description"]?.text
            $0.regularExpressionList = Self.patterns(new)
          })
        try await Self.updateTags(now.regexPatternSet?.arn ?? "", new, context)
        return handle
      },
      delete: { handle, _, context in
        _ = try await Self.unlessGone(Self.gone) {
          let token = try await Self.patternSet(handle.physicalID, context).lockToken
          let (name, id, scope) = try Self.reference(handle.physicalID)
          _ = try await context.call.invoke(
            WAFv2.deleteRegexPatternSet,
            .make {
              $0.name = name
              $0.id = id
              $0.scope = scope
              $0.lockToken = token ?? ""
            })
        }
      })
  }

  private static func patternSet(
    _ text: String, _ context: ResourceContext
  ) async throws -> WAFv2.GetRegexPatternSetResponse {
    let (name, id, scope) = try reference(text)
    return try await context.call.invoke(
      WAFv2.getRegexPatternSet,
      .make {
        $0.name = name
        $0.id = id
        $0.scope = scope
      })
  }

  /// Ref is the web ACL's ARN.
  var loggingProvider: ResourceProvider {
    let properties: Set<String> = ["LogDestinationConfigs", "LoggingFilter", "RedactedFields", "ResourceArn"]
    @Sendable func put(_ properties: JSONValue, _ context: ResourceContext) async throws -> ResourceHandle {
      let input = try Self.mapper.input(
        WAFv2.putLoggingConfiguration, .object(["LoggingConfiguration": properties]))
      _ = try await context.call.invoke(WAFv2.putLoggingConfiguration, input)
      return ResourceHandle(
        input.loggingConfiguration.resourceArn, attributes: ["ManagedByFirewallManager": .boolean(false)])
    }
    return ResourceProvider(
      "AWS::WAFv2::LoggingConfiguration", properties: properties, replacedBy: ["ResourceArn"],
      create: { properties, context in try await put(properties, context) },
      update: { _, _, new, context in try await put(new, context) },
      delete: { handle, _, context in
        _ = try await Self.unlessGone(Self.gone) {
          _ = try await context.call.invoke(
            WAFv2.deleteLoggingConfiguration, .make { $0.resourceArn = handle.physicalID })
        }
      })
  }
}
