// AWS::Shield::Protection and AWS::Shield::ProtectionGroup for CloudFormation.

import AWSCore
import AWSWire
import ServiceKit
import ShieldModel

extension ShieldService {
  /// Ref and ProtectionArn are the ARN; ProtectionId is the id.
  var protectionProvider: ResourceProvider {
    ResourceProvider(
      "AWS::Shield::Protection",
      properties: ["ApplicationLayerAutomaticResponseConfiguration", "HealthCheckArns", "Name", "ResourceArn", "Tags"],
      replacedBy: ["Name", "ResourceArn"],
      create: { properties, context in
        let made = try await context.call.invoke(
          Shield.createProtection,
          .make {
            $0.name = properties["Name"]?.text ?? ""
            $0.resourceArn = properties["ResourceArn"]?.text ?? ""
            $0.tags = Self.tags(properties, context)
          })
        let id = made.protectionId ?? ""
        try await Self.settle(id, .object([:]), properties, context)
        let arn = Self.arn(protection: id, context.call)
        return ResourceHandle(arn, attributes: ["ProtectionArn": .string(arn), "ProtectionId": .string(id)])
      },
      update: { handle, old, new, context in
        try await Self.settle(handle.attributes["ProtectionId"]?.text ?? "", old, new, context)
        try await Self.updateTags(handle.physicalID, new, context)
        return handle
      },
      delete: { handle, _, context in
        let id = handle.physicalID.split(separator: "/").last.map(String.init) ?? ""
        try await Self.unlessGone {
          _ = try await context.call.invoke(Shield.deleteProtection, .make { $0.protectionId = id })
        }
      })
  }

  /// Health checks and the automatic response, from what they were to what they are to be.
  private static func settle(
    _ id: String, _ old: JSONValue, _ new: JSONValue, _ context: ResourceContext
  ) async throws {
    let before = (old["HealthCheckArns"]?.array ?? []).compactMap(\.text)
    let after = (new["HealthCheckArns"]?.array ?? []).compactMap(\.text)
    for arn in before where !after.contains(arn) {
      _ = try await context.call.invoke(
        Shield.disassociateHealthCheck,
        .make {
          $0.protectionId = id
          $0.healthCheckArn = arn
        })
    }
    for arn in after where !before.contains(arn) {
      _ = try await context.call.invoke(
        Shield.associateHealthCheck,
        .make {
          $0.protectionId = id
          $0.healthCheckArn = arn
        })
    }
    let name = "ApplicationLayerAutomaticResponseConfiguration"
    guard old[name] != new[name] else { return }
    let resource = new["ResourceArn"]?.text ?? ""
    guard let wanted = new[name], wanted["Status"]?.text == "ENABLED" else {
      if old[name]?["Status"]?.text == "ENABLED" {
        _ = try await context.call.invoke(
          Shield.disableApplicationLayerAutomaticResponse, .make { $0.resourceArn = resource })
      }
      return
    }
    let action = Shield.ResponseAction.make {
      if wanted["Action"]?["Block"] != nil { $0.block = .init() }
      if wanted["Action"]?["Count"] != nil { $0.count = .init() }
    }
    _ = try await context.call.invoke(
      Shield.enableApplicationLayerAutomaticResponse,
      .make {
        $0.resourceArn = resource
        $0.action = action
      })
  }

  /// Ref and ProtectionGroupArn are the ARN.
  var protectionGroupProvider: ResourceProvider {
    ResourceProvider(
      "AWS::Shield::ProtectionGroup",
      properties: ["Aggregation", "Members", "Pattern", "ProtectionGroupId", "ResourceType", "Tags"],
      replacedBy: ["ProtectionGroupId"],
      create: { properties, context in
        let id = properties["ProtectionGroupId"]?.text ?? ""
        _ = try await context.call.invoke(
          Shield.createProtectionGroup,
          .make {
            $0.protectionGroupId = id
            $0.aggregation = properties["Aggregation"]?.text ?? ""
            $0.pattern = properties["Pattern"]?.text ?? ""
            $0.resourceType = properties["ResourceType"]?.text
            $0.members = properties["Members"]?.array.map { $0.compactMap(\.text) }
            $0.tags = Self.tags(properties, context)
          })
        let arn = Self.arn(group: id, context.call)
        return ResourceHandle(arn, attributes: ["ProtectionGroupArn": .string(arn)])
      },
      update: { handle, _, new, context in
        _ = try await context.call.invoke(
          Shield.updateProtectionGroup,
          .make {
            $0.protectionGroupId = new["ProtectionGroupId"]?.text ?? ""
            $0.aggregation = new["Aggregation"]?.text ?? ""
            $0.pattern = new["Pattern"]?.text ?? ""
            $0.resourceType = new["ResourceType"]?.text
            $0.members = new["Members"]?.array.map { $0.compactMap(\.text) }
          })
        try await Self.updateTags(handle.physicalID, new, context)
        return handle
      },
      delete: { _, properties, context in
        try await Self.unlessGone {
          _ = try await context.call.invoke(
            Shield.deleteProtectionGroup, .make { $0.protectionGroupId = properties["ProtectionGroupId"]?.text ?? "" })
        }
      })
  }

  // MARK: - What they share

  static func unlessGone(_ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch let error as AWSError where error.code == "ResourceNotFoundException" {
      // It is gone.
    }
  }

  private static func tags(_ properties: JSONValue, _ context: ResourceContext) -> [Shield.Tag]? {
    var all = context.tags
    for tag in properties["Tags"]?.array ?? [] {
      if let key = tag["Key"]?.text { all[key] = tag["Value"]?.text ?? "" }
    }
    guard !all.isEmpty else { return nil }
    return all.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }

  private static func updateTags(_ arn: String, _ new: JSONValue, _ context: ResourceContext) async throws {
    let wanted = tags(new, context) ?? []
    let answer = try await context.call.invoke(Shield.listTagsForResource, .make { $0.resourceARN = arn })
    let gone = (answer.tags ?? []).compactMap(\.key).filter { key in !wanted.contains { $0.key == key } }
    if !gone.isEmpty {
      _ = try await context.call.invoke(
        Shield.untagResource,
        .make {
          $0.resourceARN = arn
          $0.tagKeys = gone
        })
    }
    if !wanted.isEmpty {
      _ = try await context.call.invoke(
        Shield.tagResource,
        .make {
          $0.resourceARN = arn
          $0.tags = wanted
        })
    }
  }
}
