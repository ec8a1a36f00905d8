// AWS::WAFv2::WebACL, ::WebACLAssociation and ::IPSet for CloudFormation.

import AWSCore
import AWSWire
import ServiceKit
import WAFv2Model

extension WAFv2Service {
  /// Ref is `name|id|scope`.
  var webACLProvider: ResourceProvider {
    ResourceProvider(
      "AWS::WAFv2::WebACL",
      properties: [
        "ApplicationConfig", "AssociationConfig", "CaptchaConfig", "ChallengeConfig", "CustomResponseBodies",
        "DataProtectionConfig", "DefaultAction", "Description", "Name", "OnSourceDDoSProtectionConfig", "Rules",
        "Scope", "Tags", "TokenDomains", "VisibilityConfig",
      ],
      replacedBy: ["Name", "Scope"],
      create: { properties, context in
        var input = try Self.mapper.input(WAFv2.createWebACL, Self.plain(properties), ignoring: ["Name", "Tags"])
        input.name = properties["Name"]?.text ?? context.generatedName(maxLength: 128)
        input.tags = Self.tags(properties, context)
        let made = try await context.call.invoke(WAFv2.createWebACL, input).summary
        return try await Self.webACLHandle("\(input.name)|\(made?.id ?? "")|\(input.scope)", context)
      },
      update: { handle, _, new, context in
        var input = try Self.mapper.input(WAFv2.updateWebACL, Self.plain(new), ignoring: ["Name", "Tags"])
        (input.name, input.id, input.scope) = try Self.reference(handle.physicalID)
        let now = try await Self.webACL(handle.physicalID, context)
        input.lockToken = now.lockToken ?? ""
        _ = try await context.call.invoke(WAFv2.updateWebACL, input)
        try await Self.updateTags(now.webACL?.arn ?? "", new, context)
        return try await Self.webACLHandle(handle.physicalID, context)
      },
      delete: { handle, _, context in
        _ = try await Self.unlessGone(Self.gone) {
          let now = try await Self.webACL(handle.physicalID, context)
          let (name, id, scope) = try Self.reference(handle.physicalID)
          _ = try await context.call.invoke(
            WAFv2.deleteWebACL,
            .make {
              $0.name = name
              $0.id = id
              $0.scope = scope
              $0.lockToken = now.lockToken ?? ""
            })
        }
      })
  }

  private static func webACL(_ text: String, _ context: ResourceContext) async throws -> WAFv2.GetWebACLResponse {
    let (name, id, scope) = try reference(text)
    return try await context.call.invoke(
      WAFv2.getWebACL,
      .make {
        $0.name = name
        $0.id = id
        $0.scope = scope
      })
  }

  private static func webACLHandle(_ text: String, _ context: ResourceContext) async throws -> ResourceHandle {
    let acl = try await webACL(text, context).webACL
    return ResourceHandle(
      text,
      attributes: [
        "Arn": .string(acl?.arn ?? ""), "Id": .string(acl?.id ?? ""), "Capacity": .integer(acl?.capacity ?? 0),
        "LabelNamespace": .string(acl?.labelNamespace ?? ""),
      ])
  }

  /// Ref is `resource|web ACL`.
  var webACLAssociationProvider: ResourceProvider {
    ResourceProvider(
      "AWS::WAFv2::WebACLAssociation", properties: ["ResourceArn", "WebACLArn"],
      replacedBy: ["ResourceArn", "WebACLArn"],
      create: { properties, context in
        let input = try Self.mapper.input(WAFv2.associateWebACL, properties)
        _ = try await context.call.invoke(WAFv2.associateWebACL, input)
        return ResourceHandle("\(input.resourceArn)|\(input.webACLArn)")
      },
      delete: { _, properties, context in
        let resource = properties["ResourceArn"]?.text ?? ""
        // A replacement has given the resource another web ACL by now; that one stays.
        let now = try await context.call.invoke(WAFv2.getWebACLForResource, .make { $0.resourceArn = resource })
        guard now.webACL?.arn == properties["WebACLArn"]?.text else { return }
        _ = try await context.call.invoke(WAFv2.disassociateWebACL, .make { $0.resourceArn = resource })
      })
  }

  /// Ref is `name|id|scope`.
  var ipSetProvider: ResourceProvider {
    ResourceProvider(
      "AWS::WAFv2::IPSet",
      properties: ["Addresses", "Description", "IPAddressVersion", "Name", "Scope", "Tags"],
      replacedBy: ["IPAddressVersion", "Name", "Scope"],
      create: { properties, context in
        var input = try Self.mapper.input(WAFv2.createIPSet, properties, ignoring: ["Name", "Tags"])
        input.name = properties["Name"]?.text ?? context.generatedName(maxLength: 128)
        input.tags = Self.tags(properties, context)
        let made = try await context.call.invoke(WAFv2.createIPSet, input).summary
        let id = made?.id ?? ""
        return ResourceHandle(
          "\(input.name)|\(id)|\(input.scope)", attributes: ["Arn": .string(made?.arn ?? ""), "Id": .string(id)])
      },
      update: { handle, _, new, context in
        let now = try await Self.ipSet(handle.physicalID, context)
        var input = try Self.mapper.input(
          WAFv2.updateIPSet, new, ignoring: ["IPAddressVersion", "Name", "Tags"])
        (input.name, input.id, input.scope) = try Self.reference(handle.physicalID)
        input.lockToken = now.lockToken ?? ""
        _ = try await context.call.invoke(WAFv2.updateIPSet, input)
        try await Self.updateTags(now.ipSet?.arn ?? "", new, context)
        return handle
      },
      delete: { handle, _, context in
        _ = try await Self.unlessGone(Self.gone) {
          let now = try await Self.ipSet(handle.physicalID, context)
          let (name, id, scope) = try Self.reference(handle.physicalID)
          _ = try await context.call.invoke(
            WAFv2.deleteIPSet,
            .make {
              $0.name = name
              $0.id = id
              $0.scope = scope
              $0.lockToken = now.lockToken ?? ""
            })
        }
      })
  }

  private static func ipSet(_ text: String, _ context: ResourceContext) async throws -> WAFv2.GetIPSetResponse {
    let (name, id, scope) = try reference(text)
    return try await context.call.invoke(
      WAFv2.getIPSet,
      .make {
        $0.name = name
        $0.id = id
        $0.scope = scope
      })
  }
}
