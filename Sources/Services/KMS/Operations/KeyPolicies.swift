// GetKeyPolicy, PutKeyPolicy, ListKeyPolicies.

import AWSCore
import AWSWire
import KMSModel
import Policy
import ServiceKit

extension KMSService {
  func getKeyPolicy(_ input: KMS.GetKeyPolicyRequest, _ call: CallContext) async throws -> KMS.GetKeyPolicyResponse {
    let key = try await key(input.keyId, call)
    try Self.requirePolicyName(input.policyName)
    return .make {
      $0.policy = key.policy
      $0.policyName = KeyPolicy.name
    }
  }

  func putKeyPolicy(_ input: KMS.PutKeyPolicyRequest, _ call: CallContext) async throws -> Empty {
    try Self.requirePolicyName(input.policyName)
    try await change(input.keyId, call) { key, _ in
      try key.requireNotPendingDeletion()
      try key.requireCustomerManaged("PutKeyPolicy")
      try KeyPolicy.check(
        input.policy, caller: PolicyPrincipal(call.principal), key: key.arn,
        bypassLockoutCheck: input.bypassPolicyLockoutSafetyCheck ?? false)
      key.policy = input.policy
    }
    return Empty()
  }

  func listKeyPolicies(
    _ input: KMS.ListKeyPoliciesRequest, _ call: CallContext
  ) async throws -> KMS.ListKeyPoliciesResponse {
    _ = try await key(input.keyId, call)
    return .make {
      $0.policyNames = [KeyPolicy.name]
      $0.truncated = false
    }
  }

  private static func requirePolicyName(_ name: String?) throws {
    guard name == nil || name == KeyPolicy.name else { throw KMSError.notFound("No such policy exists") }
  }
}
