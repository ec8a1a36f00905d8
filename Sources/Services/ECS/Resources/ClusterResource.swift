// AWS::ECS::Cluster, AWS::ECS::CapacityProvider and AWS::ECS::ClusterCapacityProviderAssociations for CloudFormation.

import AWSCore
import AWSWire
import ECSModel
import ServiceKit
import Store

/// Tags of stack resources.
enum StackTags {
  /// The stack's tags, and over them the resource's own.
  static func list(_ properties: JSONValue, _ context: ResourceContext) -> [ECS.Tag] {
    TagRules.list(context.allTags(properties))
  }

  /// Makes a resource's tags what the new properties say.
  static func update(_ arn: String, _ new: JSONValue, _ context: ResourceContext) async throws {
    let wanted = context.allTags(new)
    let present = try await context.call.invoke(ECS.listTagsForResource, .make { $0.resourceArn = arn }).tags ?? []
    try await ResourceContext.updateTags(to: wanted, present: present.compactMap(\.key)) { obsolete in
      _ = try await context.call.invoke(ECS.untagResource, .make { ($0.resourceArn, $0.tagKeys) = (arn, obsolete) })
    } add: { tags in
      _ = try await context.call.invoke(
        ECS.tagResource, .make { ($0.resourceArn, $0.tags) = (arn, TagRules.list(tags)) })
    }
  }
}

extension ECSService {
  /// Ref is the cluster's name; Fn::GetAtt knows Arn.
  var clusterProvider: ResourceProvider {
    let mapper = PropertyMapper(ECS.model, renames: ["ClusterSettings": "settings"])
    return ResourceProvider(
      "AWS::ECS::Cluster",
      properties: [
        "CapacityProviders", "ClusterName", "ClusterSettings", "Configuration", "DefaultCapacityProviderStrategy",
        "ServiceConnectDefaults", "Tags",
      ],
      replacedBy: ["ClusterName"],
      create: { properties, context in
        var input = try mapper.input(ECS.createCluster, properties, ignoring: ["Tags"])
        let name = input.clusterName ?? context.generatedName()
        input.clusterName = name
        input.tags = StackTags.list(properties, context)
        let known = try await context.call.invoke(ECS.describeClusters, .make { $0.clusters = [name] }).clusters ?? []
        guard !known.contains(where: { $0.status == "ACTIVE" }) else {
          throw AWSError("AlreadyExists", "\(name) already exists")
        }
        let cluster = try await context.call.invoke(ECS.createCluster, input).cluster
        return ResourceHandle(name, attributes: ["Arn": .string(cluster?.clusterArn ?? "")])
      },
      update: { handle, old, new, context in
        var input = try mapper.input(
          ECS.updateCluster, new,
          ignoring: ["ClusterName", "CapacityProviders", "DefaultCapacityProviderStrategy", "Tags"])
        input.cluster = handle.physicalID
        _ = try await context.call.invoke(ECS.updateCluster, input)
        let capacity = ["CapacityProviders", "DefaultCapacityProviderStrategy"]
        if capacity.contains(where: { old[$0] != new[$0] }) {
          let wanted = JSONValue.object(new.object?.filter { capacity.contains($0.key) } ?? [:])
          var input = try mapper.input(ECS.putClusterCapacityProviders, wanted)
          input.cluster = handle.physicalID
          _ = try await context.call.invoke(ECS.putClusterCapacityProviders, input)
        }
        try await StackTags.update(handle.attributes["Arn"]?.text ?? "", new, context)
        return handle
      },
      delete: { handle, _, context in
        do {
          _ = try await context.call.invoke(ECS.deleteCluster, .make { $0.cluster = handle.physicalID })
        } catch let error as AWSError where error.code == "ClusterNotFoundException" {
          // Gone already.
        }
      })
  }

  /// Capacity on EC2 machines is not built.
  var capacityProviderProvider: ResourceProvider {
    ResourceProvider(
      "AWS::ECS::CapacityProvider",
      create: { _, _ in throw AWSError.notImplemented("capacity providers of Auto Scaling groups") },
      delete: { _, _, _ in })
  }

  /// Ref is the cluster's name.
  var associationsProvider: ResourceProvider {
    let mapper = PropertyMapper(ECS.model)
    let put: @Sendable (JSONValue, ResourceContext) async throws -> ResourceHandle = { properties, context in
      let input = try mapper.input(ECS.putClusterCapacityProviders, properties)
      _ = try await context.call.invoke(ECS.putClusterCapacityProviders, input)
      return ResourceHandle(input.cluster)
    }
    return ResourceProvider(
      "AWS::ECS::ClusterCapacityProviderAssociations",
      properties: ["CapacityProviders", "Cluster", "DefaultCapacityProviderStrategy"], replacedBy: ["Cluster"],
      create: put,
      update: { _, _, new, context in try await put(new, context) },
      delete: { handle, _, context in
        do {
          _ = try await context.call.invoke(
            ECS.putClusterCapacityProviders, .make { $0.cluster = handle.physicalID })
        } catch let error as AWSError where error.code == "ClusterNotFoundException" {
          // Gone already.
        }
      })
  }
}
