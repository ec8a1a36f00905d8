// CreatePolicyVersion, GetPolicyVersion, ListPolicyVersions, SetDefaultPolicyVersion, DeletePolicyVersion.

import AWSCore
import AWSWire
import IAMModel
import ServiceKit
import Store

extension IAMService {
  func addPolicyVersionOperations(_ table: inout HandlerTable) {
    table.on(IAM.createPolicyVersion, access: on(PolicyRecord.self) { $0.policyArn }, createPolicyVersion)
    table.on(IAM.getPolicyVersion, access: on(PolicyRecord.self) { $0.policyArn }, getPolicyVersion)
    table.on(IAM.listPolicyVersions, access: on(PolicyRecord.self) { $0.policyArn }, listPolicyVersions)
    table.on(IAM.setDefaultPolicyVersion, access: on(PolicyRecord.self) { $0.policyArn }) { input, call in
      try await changePolicy(input.policyArn, call) { policy in
        guard policy.versions.contains(where: { $0.id == input.versionId }) else {
          throw Self.noVersion(input.policyArn, input.versionId)
        }
        policy.defaultVersion = input.versionId
        policy.updated = call.now
      }
      return Empty()
    }
    table.on(IAM.deletePolicyVersion, access: on(PolicyRecord.self) { $0.policyArn }) { input, call in
      try await changePolicy(input.policyArn, call) { policy in
        guard policy.versions.contains(where: { $0.id == input.versionId }) else {
          throw Self.noVersion(input.policyArn, input.versionId)
        }
        guard policy.defaultVersion != input.versionId else {
          throw AWSError.deleteConflict("Cannot delete the default version of a policy.")
        }
        policy.versions.removeAll { $0.id == input.versionId }
        policy.updated = call.now
      }
      return Empty()
    }
  }

  private static func noVersion(_ arn: String, _ id: String) -> AWSError {
    .noSuchEntity("Policy \(arn) version \(id) does not exist or is not attachable.")
  }

  private func changePolicy(
    _ arn: String, _ call: CallContext, _ body: @escaping @Sendable (inout PolicyRecord) throws -> Void
  ) async throws {
    guard AWSManagedPolicies.all[arn] == nil else { throw Self.notYours(arn) }
    try await store.write { tx in
      var policy = try tx.require(PolicyRecord.self, call.globalScope, arn)
      try body(&policy)
      try tx.put(policy, call.globalScope)
    }
  }

  private func createPolicyVersion(
    _ input: IAM.CreatePolicyVersionRequest, _ call: CallContext
  ) async throws -> IAM.CreatePolicyVersionResponse {
    guard AWSManagedPolicies.all[input.policyArn] == nil else { throw Self.notYours(input.policyArn) }
    try Self.check(managedPolicy: input.policyDocument)
    return try await store.write { tx in
      var policy = try tx.require(PolicyRecord.self, call.globalScope, input.policyArn)
      guard policy.versions.count < Limits.policyVersions else {
        throw AWSError(
          "LimitExceeded",
          "A managed policy can have up to \(Limits.policyVersions) versions. Before you create a new version, you must delete an existing version.",
          status: 409)
      }
      let version = PolicyRecord.Version(
        id: "v\(policy.nextVersion)", document: input.policyDocument, created: call.now)
      policy.nextVersion += 1
      policy.versions.append(version)
      policy.updated = call.now
      if input.setAsDefault == true { policy.defaultVersion = version.id }
      try tx.put(policy, call.globalScope)
      let isDefault = policy.defaultVersion == version.id
      return .make { $0.policyVersion = Self.shape(version, isDefault: isDefault, withDocument: false) }
    }
  }

  private static func shape(
    _ version: PolicyRecord.Version, isDefault: Bool, withDocument: Bool
  ) -> IAM.PolicyVersion {
    .make {
      $0.versionId = version.id
      $0.isDefaultVersion = isDefault
      $0.createDate = version.created
      $0.document = withDocument ? PolicyText.encoded(version.document) : nil
    }
  }

  private static func version(of policy: AWSManagedPolicy) -> PolicyRecord.Version {
    PolicyRecord.Version(id: policy.version, document: policy.document, created: policy.created)
  }

  private func getPolicyVersion(
    _ input: IAM.GetPolicyVersionRequest, _ call: CallContext
  ) async throws -> IAM.GetPolicyVersionResponse {
    if let known = AWSManagedPolicies.all[input.policyArn] {
      guard input.versionId == known.version else { throw Self.noVersion(input.policyArn, input.versionId) }
      return .make {
        $0.policyVersion = Self.shape(Self.version(of: known), isDefault: true, withDocument: true)
      }
    }
    let policy = try await store.read { try $0.require(PolicyRecord.self, call.globalScope, input.policyArn) }
    guard let version = policy.versions.first(where: { $0.id == input.versionId }) else {
      throw Self.noVersion(input.policyArn, input.versionId)
    }
    return .make {
      $0.policyVersion = Self.shape(version, isDefault: version.id == policy.defaultVersion, withDocument: true)
    }
  }

  private func listPolicyVersions(
    _ input: IAM.ListPolicyVersionsRequest, _ call: CallContext
  ) async throws -> IAM.ListPolicyVersionsResponse {
    var versions: [PolicyRecord.Version]
    let defaultVersion: String
    if let known = AWSManagedPolicies.all[input.policyArn] {
      versions = [Self.version(of: known)]
      defaultVersion = known.version
    } else {
      let policy = try await store.read { try $0.require(PolicyRecord.self, call.globalScope, input.policyArn) }
      versions = policy.versions
      defaultVersion = policy.defaultVersion
    }
    // The newest first; the key counts down so that pages keep that order.
    let page = try Page(versions, marker: input.marker, maxItems: input.maxItems) { version in
      String(1_000_000_000 - (Int(version.id.dropFirst()) ?? 0))
    }
    return .make {
      $0.versions = page.items.map { Self.shape($0, isDefault: $0.id == defaultVersion, withDocument: false) }
      $0.isTruncated = page.isTruncated
      $0.marker = page.marker
    }
  }
}
