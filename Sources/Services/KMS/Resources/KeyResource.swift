// AWS::KMS::Key and AWS::KMS::Alias for CloudFormation.

import AWSCore
import AWSWire
import KMSModel
import ServiceKit

extension KMSService {
  /// Ref is the key's id; Fn::GetAtt knows Arn and KeyId.
  var keyProvider: ResourceProvider {
    ResourceProvider(
      "AWS::KMS::Key",
      properties: [
        "BypassPolicyLockoutSafetyCheck", "Description", "Enabled", "EnableKeyRotation", "KeyPolicy", "KeySpec",
        "KeyUsage", "MultiRegion", "Origin", "PendingWindowInDays", "RotationPeriodInDays", "Tags",
      ],
      replacedBy: ["KeySpec", "KeyUsage", "MultiRegion", "Origin"],
      create: { properties, context in
        let call = context.call.viaCloudFormation
        var input = try Self.keyMapper.input(KMS.createKey, properties, ignoring: Self.handledApart)
        input.tags = Self.wire(context.allTags(properties))
        guard let key = try await call.invoke(KMS.createKey, input).keyMetadata, let id = key.keyId else {
          throw AWSError("InternalFailure", "CreateKey told no key.", status: 500)
        }
        try await Self.apply(properties, to: id, old: nil, call)
        return ResourceHandle(id, attributes: ["Arn": .string(key.arn ?? ""), "KeyId": .string(id)])
      },
      update: { handle, old, new, context in
        let call = context.call.viaCloudFormation
        let id = handle.physicalID
        if let policy = new["KeyPolicy"], policy != old["KeyPolicy"] {
          _ = try await call.invoke(
            KMS.putKeyPolicy,
            .make {
              $0.keyId = id
              $0.policy = policy.text ?? policy.description
              $0.bypassPolicyLockoutSafetyCheck = new["BypassPolicyLockoutSafetyCheck"]?.boolean
            })
        }
        if new["Description"] != old["Description"] {
          _ = try await call.invoke(
            KMS.updateKeyDescription,
            .make {
              $0.keyId = id
              $0.description = new["Description"]?.text ?? ""
            })
        }
        try await Self.updateTags(id, new, context, call)
        try await Self.apply(new, to: id, old: old, call)
        return handle
      },
      delete: { handle, properties, context in
        let call = context.call.viaCloudFormation
        do {
          _ = try await call.invoke(
            KMS.scheduleKeyDeletion,
            .make {
              $0.keyId = handle.physicalID
              $0.pendingWindowInDays = properties["PendingWindowInDays"]?.integer
            })
        } catch let error as AWSError where ["NotFoundException", "KMSInvalidStateException"].contains(error.code) {
          // Gone, or on its way.
        }
      })
  }

  /// Ref is the alias's name.
  var aliasProvider: ResourceProvider {
    ResourceProvider(
      "AWS::KMS::Alias", properties: ["AliasName", "TargetKeyId"], replacedBy: ["AliasName"],
      create: { properties, context in
        let input = try Self.keyMapper.input(KMS.createAlias, properties)
        _ = try await context.call.viaCloudFormation.invoke(KMS.createAlias, input)
        return ResourceHandle(input.aliasName)
      },
      update: { handle, _, new, context in
        let input = try Self.keyMapper.input(KMS.updateAlias, new)
        _ = try await context.call.viaCloudFormation.invoke(KMS.updateAlias, input)
        return handle
      },
      delete: { handle, _, context in
        do {
          _ = try await context.call.viaCloudFormation.invoke(
            KMS.deleteAlias, .make { $0.aliasName = handle.physicalID })
        } catch let error as AWSError where error.code == "NotFoundException" {
          // Gone already.
        }
      })
  }

  // MARK: -

  private static var keyMapper: PropertyMapper { PropertyMapper(KMS.model, renames: ["KeyPolicy": "Policy"]) }
  private static let handledApart: Set<String> = [
    "Enabled", "EnableKeyRotation", "RotationPeriodInDays", "PendingWindowInDays", "Tags",
  ]

  /// The properties that CreateKey does not take: rotation and state.
  private static func apply(_ new: JSONValue, to id: String, old: JSONValue?, _ call: CallContext) async throws {
    let isEnabled = new["Enabled"]?.boolean ?? true
    let wasEnabled = old.map { $0["Enabled"]?.boolean ?? true } ?? true
    if isEnabled, !wasEnabled { _ = try await call.invoke(KMS.enableKey, .make { $0.keyId = id }) }
    let rotates = new["EnableKeyRotation"]?.boolean ?? false
    let rotated = old?["EnableKeyRotation"]?.boolean ?? false
    if rotates, !rotated || new["RotationPeriodInDays"] != old?["RotationPeriodInDays"] {
      _ = try await call.invoke(
        KMS.enableKeyRotation,
        .make {
          $0.keyId = id
          $0.rotationPeriodInDays = new["RotationPeriodInDays"]?.integer
        })
    } else if rotated, !rotates {
      _ = try await call.invoke(KMS.disableKeyRotation, .make { $0.keyId = id })
    }
    if !isEnabled, wasEnabled { _ = try await call.invoke(KMS.disableKey, .make { $0.keyId = id }) }
  }

  private static func wire(_ tags: [String: String]) -> [KMS.Tag] {
    tags.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.tagKey = key
        $0.tagValue = value
      }
    }
  }

  private static func updateTags(
    _ id: String, _ new: JSONValue, _ context: ResourceContext, _ call: CallContext
  ) async throws {
    let wanted = context.allTags(new)
    let present = try await call.invoke(KMS.listResourceTags, .make { $0.keyId = id }).tags ?? []
    try await ResourceContext.updateTags(to: wanted, present: present.map(\.tagKey)) { obsolete in
      _ = try await call.invoke(KMS.untagResource, .make { ($0.keyId, $0.tagKeys) = (id, obsolete) })
    } add: { tags in
      _ = try await call.invoke(KMS.tagResource, .make { ($0.keyId, $0.tags) = (id, wire(tags)) })
    }
  }
}
