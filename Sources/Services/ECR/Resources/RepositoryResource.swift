// AWS::ECR::Repository for CloudFormation.

import AWSCore
import AWSWire
import ECRModel
import ServiceKit

extension ECRService {
  /// Ref is the repository's name; Fn::GetAtt knows Arn and RepositoryUri.
  var repositoryProvider: ResourceProvider {
    ResourceProvider(
      "AWS::ECR::Repository",
      properties: [
        "EmptyOnDelete", "EncryptionConfiguration", "ImageScanningConfiguration", "ImageTagMutability",
        "ImageTagMutabilityExclusionFilters", "LifecyclePolicy", "RepositoryName", "RepositoryPolicyText", "Tags",
      ],
      replacedBy: ["EncryptionConfiguration", "RepositoryName"],
      create: { properties, context in
        var input = try Self.mapper.input(ECR.createRepository, properties, ignoring: Self.apart)
        input.repositoryName =
          properties["RepositoryName"]?.text ?? context.generatedName(maxLength: 128, lowercase: true)
        input.tags = Self.wire(Self.tags(properties, context))
        guard let made = try await context.call.invoke(ECR.createRepository, input).repository else {
          throw AWSError("InternalFailure", "CreateRepository told no repository.", status: 500)
        }
        let name = made.repositoryName ?? input.repositoryName
        try await Self.applyPolicies(name, old: nil, properties, context.call)
        return ResourceHandle(
          name,
          attributes: [
            "Arn": .string(made.repositoryArn ?? ""), "RepositoryUri": .string(made.repositoryUri ?? ""),
          ])
      },
      update: { handle, old, new, context in
        let call = context.call
        let name = handle.physicalID
        var mutability = try Self.mapper.input(
          ECR.putImageTagMutability, .object(["ImageTagMutability": new["ImageTagMutability"] ?? "MUTABLE"]))
        mutability.repositoryName = name
        mutability.imageTagMutabilityExclusionFilters = try Self.mapper.input(
          ECR.createRepository, new, ignoring: Self.apart
        ).imageTagMutabilityExclusionFilters
        _ = try await call.invoke(ECR.putImageTagMutability, mutability)
        _ = try await call.invoke(
          ECR.putImageScanningConfiguration,
          .make {
            $0.repositoryName = name
            $0.imageScanningConfiguration = .make {
              $0.scanOnPush = new["ImageScanningConfiguration"]?["ScanOnPush"]?.boolean ?? false
            }
          })
        try await Self.applyPolicies(name, old: old, new, call)
        try await Self.applyTags(handle.attributes["Arn"]?.text ?? "", new, context)
        return handle
      },
      delete: { handle, properties, context in
        do {
          _ = try await context.call.invoke(
            ECR.deleteRepository,
            .make {
              $0.repositoryName = handle.physicalID
              $0.force = properties["EmptyOnDelete"]?.boolean
            })
        } catch let error as AWSError where error.code == "RepositoryNotFoundException" {
          // It is gone.
        }
      })
  }

  private static var mapper: PropertyMapper {
    PropertyMapper(
      ECR.model,
      renames: [
        "ImageTagMutabilityExclusionFilterType": "filterType", "ImageTagMutabilityExclusionFilterValue": "filter",
      ])
  }
  private static let apart: Set<String> = [
    "EmptyOnDelete", "LifecyclePolicy", "RepositoryName", "RepositoryPolicyText", "Tags",
  ]

  private static func applyPolicies(
    _ name: String, old: JSONValue?, _ new: JSONValue, _ call: CallContext
  ) async throws {
    if let policy = new["RepositoryPolicyText"] {
      _ = try await call.invoke(
        ECR.setRepositoryPolicy,
        .make {
          $0.repositoryName = name
          $0.policyText = policy.text ?? policy.description
        })
    } else if old?["RepositoryPolicyText"] != nil {
      _ = try await call.invoke(ECR.deleteRepositoryPolicy, .make { $0.repositoryName = name })
    }
    if let policy = new["LifecyclePolicy"]?["LifecyclePolicyText"] {
      _ = try await call.invoke(
        ECR.putLifecyclePolicy,
        .make {
          $0.repositoryName = name
          $0.lifecyclePolicyText = policy.text ?? policy.description
        })
    } else if old?["LifecyclePolicy"]?["LifecyclePolicyText"] != nil {
      _ = try await call.invoke(ECR.deleteLifecyclePolicy, .make { $0.repositoryName = name })
    }
  }

  /// The resource's own tags over those of the stack.
  private static func tags(_ properties: JSONValue, _ context: ResourceContext) -> [String: String] {
    var all = context.tags
    for tag in properties["Tags"]?.array ?? [] { all[tag["Key"]?.text ?? ""] = tag["Value"]?.text ?? "" }
    return all
  }

  private static func wire(_ tags: [String: String]) -> [ECR.Tag] {
    tags.sorted { $0.key < $1.key }.map { key, value in
      .make {
        $0.key = key
        $0.value = value
      }
    }
  }

  private static func applyTags(_ arn: String, _ new: JSONValue, _ context: ResourceContext) async throws {
    let wanted = tags(new, context)
    let present = try await context.call.invoke(ECR.listTagsForResource, .make { $0.resourceArn = arn }).tags ?? []
    try await ResourceContext.updateTags(to: wanted, present: present.map(\.key)) { obsolete in
      _ = try await context.call.invoke(ECR.untagResource, .make { ($0.resourceArn, $0.tagKeys) = (arn, obsolete) })
    } add: { tags in
      _ = try await context.call.invoke(ECR.tagResource, .make { ($0.resourceArn, $0.tags) = (arn, wire(tags)) })
    }
  }
}
