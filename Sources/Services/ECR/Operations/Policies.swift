// Repository policies, lifecycle policies, and the authorization token.

import AWSCore
import AWSWire
import ECRModel
import FoundationEssentials
import ServiceKit
import Store

extension ECRService {
  func setRepositoryPolicy(
    _ input: ECR.SetRepositoryPolicyRequest, _ call: CallContext
  ) async throws -> ECR.SetRepositoryPolicyResponse {
    guard Self.json(input.policyText)?["Statement"] != nil else {
      throw ECRError.invalid("PolicyText", "Invalid repository policy provided")
    }
    try await change(input.repositoryName, input.registryId, call) { $0.policy = input.policyText }
    return .make {
      $0.policyText = input.policyText
      $0.registryId = call.account
      $0.repositoryName = input.repositoryName
    }
  }

  func getRepositoryPolicy(
    _ input: ECR.GetRepositoryPolicyRequest, _ call: CallContext
  ) async throws -> ECR.GetRepositoryPolicyResponse {
    let found = try await repository(input.repositoryName, input.registryId, call)
    guard let policy = found.policy else { throw ECRError.policyNotFound(found.name, found.registry) }
    return .make {
      $0.policyText = policy
      $0.registryId = found.registry
      $0.repositoryName = found.name
    }
  }

  func deleteRepositoryPolicy(
    _ input: ECR.DeleteRepositoryPolicyRequest, _ call: CallContext
  ) async throws -> ECR.DeleteRepositoryPolicyResponse {
    let old = try await change(input.repositoryName, input.registryId, call) { repository in
      guard let policy = repository.policy else { throw ECRError.policyNotFound(repository.name, repository.registry) }
      repository.policy = nil
      return policy
    }
    return .make {
      $0.policyText = old
      $0.registryId = call.account
      $0.repositoryName = input.repositoryName
    }
  }

  func putLifecyclePolicy(
    _ input: ECR.PutLifecyclePolicyRequest, _ call: CallContext
  ) async throws -> ECR.PutLifecyclePolicyResponse {
    let rules = Self.json(input.lifecyclePolicyText)?["rules"]?.array ?? []
    guard !rules.isEmpty,
      rules.allSatisfy({ $0["rulePriority"]?.integer != nil && $0["selection"]?.object != nil && $0["action"] != nil })
    else {
      throw ECRError.invalid(
        "LifecyclePolicyText",
        "Lifecycle policy validation failure: a policy has rules, each with rulePriority, selection and action")
    }
    try await change(input.repositoryName, input.registryId, call) {
      $0.lifecycle = input.lifecyclePolicyText
      $0.lifecycleEvaluatedAt = call.now
    }
    return .make {
      $0.lifecyclePolicyText = input.lifecyclePolicyText
      $0.registryId = call.account
      $0.repositoryName = input.repositoryName
    }
  }

  func getLifecyclePolicy(
    _ input: ECR.GetLifecyclePolicyRequest, _ call: CallContext
  ) async throws -> ECR.GetLifecyclePolicyResponse {
    let found = try await repository(input.repositoryName, input.registryId, call)
    guard let policy = found.lifecycle else { throw ECRError.lifecycleNotFound(found.name, found.registry) }
    return .make {
      $0.lifecyclePolicyText = policy
      $0.lastEvaluatedAt = found.lifecycleEvaluatedAt
      $0.registryId = found.registry
      $0.repositoryName = found.name
    }
  }

  func deleteLifecyclePolicy(
    _ input: ECR.DeleteLifecyclePolicyRequest, _ call: CallContext
  ) async throws -> ECR.DeleteLifecyclePolicyResponse {
    let (policy, evaluated) = try await change(input.repositoryName, input.registryId, call) { repository in
      guard let policy = repository.lifecycle else {
        throw ECRError.lifecycleNotFound(repository.name, repository.registry)
      }
      let evaluated = repository.lifecycleEvaluatedAt
      repository.lifecycle = nil
      repository.lifecycleEvaluatedAt = nil
      return (policy, evaluated)
    }
    return .make {
      $0.lifecyclePolicyText = policy
      $0.lastEvaluatedAt = evaluated
      $0.registryId = call.account
      $0.repositoryName = input.repositoryName
    }
  }

  static func json(_ text: String) -> JSONValue? {
    try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
  }

  /// A token of AWS's form. There is no registry yet that would take it.
  func getAuthorizationToken(
    _ input: ECR.GetAuthorizationTokenRequest, _ call: CallContext
  ) async throws -> ECR.GetAuthorizationTokenResponse {
    let password = call.ids.alphanumeric(48)
    return .make {
      $0.authorizationData = [
        .make {
          $0.authorizationToken = Data("AWS:\(password)".utf8).base64EncodedString()
          $0.expiresAt = call.now.adding(seconds: ECRLimits.tokenSeconds)
          $0.proxyEndpoint = "https://\(Self.host(call))"
        }
      ]
    }
  }
}
