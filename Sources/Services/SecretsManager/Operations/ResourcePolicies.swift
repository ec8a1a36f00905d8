// GetResourcePolicy, PutResourcePolicy, DeleteResourcePolicy, ValidateResourcePolicy.

import AWSCore
import AWSWire
import SecretsManagerModel
import ServiceKit

extension SecretsManagerService {
  func putPolicyAccess(
    _ input: SecretsManager.PutResourcePolicyRequest, _ call: CallContext
  ) async throws -> [ResourceAccess] {
    try await access(
      input.secretId, call,
      extra: ["secretsmanager:BlockPublicPolicy": [input.blockPublicPolicy == true ? "true" : "false"]])
  }

  func validatePolicyAccess(
    _ input: SecretsManager.ValidateResourcePolicyRequest, _ call: CallContext
  ) async throws -> [ResourceAccess] {
    guard let id = input.secretId else { return [ResourceAccess("*")] }
    return try await access(id, call)
  }

  func getResourcePolicy(
    _ input: SecretsManager.GetResourcePolicyRequest, _ call: CallContext
  ) async throws -> SecretsManager.GetResourcePolicyResponse {
    let secret = try await secret(input.secretId, call)
    try secret.requireNotDeleted()
    return .make {
      $0.arn = secret.arn
      $0.name = secret.name
      $0.resourcePolicy = secret.policy
    }
  }

  func putResourcePolicy(
    _ input: SecretsManager.PutResourcePolicyRequest, _ call: CallContext
  ) async throws -> SecretsManager.PutResourcePolicyResponse {
    let document = try ResourcePolicyRules.document(input.resourcePolicy)
    if input.blockPublicPolicy == true, document.isPublic {
      throw AWSError(
        "PublicPolicyException",
        "The BlockPublicPolicy parameter is set to true, and the resource policy "
          + "did not prevent broad access to the secret.")
    }
    let (arn, name) = try await change(input.secretId, call) { secret, _ in
      try secret.requireNotDeleted()
      secret.policy = input.resourcePolicy
      return (secret.arn, secret.name)
    }
    return .make {
      $0.arn = arn
      $0.name = name
    }
  }

  func deleteResourcePolicy(
    _ input: SecretsManager.DeleteResourcePolicyRequest, _ call: CallContext
  ) async throws -> SecretsManager.DeleteResourcePolicyResponse {
    let (arn, name) = try await change(input.secretId, call) { secret, _ in
      try secret.requireNotDeleted()
      secret.policy = nil
      return (secret.arn, secret.name)
    }
    return .make {
      $0.arn = arn
      $0.name = name
    }
  }

  func validateResourcePolicy(
    _ input: SecretsManager.ValidateResourcePolicyRequest, _ call: CallContext
  ) async throws -> SecretsManager.ValidateResourcePolicyResponse {
    var errors: [(String, String)] = []
    do {
      if try ResourcePolicyRules.document(input.resourcePolicy).isPublic {
        errors.append(("PublicAccess", "This resource policy grants broad access to the secret."))
      }
    } catch let error as AWSError {
      errors.append(("PolicySyntax", error.message))
    }
    let found = errors
    return .make {
      $0.policyValidationPassed = found.isEmpty
      $0.validationErrors = found.map { check, message in
        .make {
          $0.checkName = check
          $0.errorMessage = message
        }
      }
    }
  }
}
